"""Standings as of a past instant or position: the packs up to there, folded anew in a process of its own."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Self

from contracts.calendar import local_date
from contracts.events import PlanPublished
from contracts.plan import Plan
from contracts.streams import INDICATOR, PLAN
from services.runtime.helper import helper
from services.runtime.journal import Extent, Journal
from services.runtime.mongo import Document
from services.runtime.resources import Resources, resources
from services.runtime.settings import Settings
from services.scoring.application import row_document
from services.scoring.domain.fold import Fold, UnknownPlanError
from services.scoring.turns import Turn, Turns

REMEMBERED = 16
NICENESS = 10
"""A look into the past is never worth the time of an event that arrives."""
DEAD = (UnknownPlanError, ValueError, KeyError, OverflowError)
"""What makes an event a dead letter, then as now."""
Rows = dict[tuple[str, str, str], dict[str, Document]]
"""(plan, bloc, period) -> unit -> row."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a rebuild stops: behind everything accepted until an instant, or behind a pack of the journal."""

    at: datetime
    """Its local date is today's date of the rebuild."""
    position: str | None = None


@dataclass(frozen=True, slots=True)
class Retold:
    """What the journal would say under other plans."""

    line: Callable[[bytes], bytes]
    """A line of it -> the line as it would be told."""
    released: Sequence[bytes]
    """What waits for these plans and would be told then."""


AS_TOLD = Retold(line=lambda line: line, released=())
Retelling = Callable[[Resources, Sequence[Plan]], Awaitable[Retold]]
"""Asked with the plans as they were published, a candidate last."""


def fold_until(
    settings: Settings,
    stop: Stop,
    candidate: Plan | None = None,
    retelling: Retelling | None = None,
) -> Rows:
    """All rows as they stood at a stop, under the plans published until then; takes as long as a rebuild.

    With a candidate: as they would stand if it had been published too. Retelling: with what would be told anew.
    """
    return asyncio.run(_fold_until(settings, stop, candidate, retelling))


async def _fold_until(
    settings: Settings, stop: Stop, candidate: Plan | None, retelling: Retelling | None
) -> Rows:
    async with resources(settings) as own:
        return rows_of(await refolded(own, stop, candidate, retelling))


async def refolded(
    own: Resources,
    stop: Stop,
    candidate: Plan | None = None,
    retelling: Retelling | None = None,
) -> Fold:
    """A fold of the journal up to a stop."""
    until = stop.at if stop.position is None else None
    plans = [
        PlanPublished.model_validate_json(line).plan
        async for pack in own.journal.all_packs(PLAN.name, until, stop.position)
        for line in pack.lines
    ]
    plans += [] if candidate is None else [candidate]
    retold = AS_TOLD if retelling is None else await retelling(own, plans)
    fold = Fold(local_date(stop.at))
    for plan in plans:
        fold.publish(plan)
    async for pack in own.journal.all_packs(INDICATOR.name, until, stop.position):
        for line in pack.lines:
            with suppress(*DEAD):
                fold.apply(retold.line(line))
    for line in retold.released:
        fold.apply(line)
    return fold


def rows_of(fold: Fold) -> Rows:
    """Every row that judges its period, computed from the counters."""
    rows: Rows = {}
    for key, standings in fold.standings.items():
        for row in standings.refresh():
            if fold.judges(key, row.period):
                board = rows.setdefault((key[0], row.bloc, row.period), {})
                board[row.unit] = row_document(key, row, 0)
    return rows


Reach = tuple[date, Extent, Extent]
"""The day and the packs of plans and events that make a past board: equal reaches, equal boards."""


@dataclass(slots=True)
class _Folding:
    """A rebuild that waits or is under way, and everybody who asked for it."""

    turn: Turn
    task: "asyncio.Task[Rows]"


class PastBoards:
    """Answers for past instants: one rebuild at a time, each once for all who ask, the latest remembered."""

    def __init__(
        self, settings: Settings, journal: Journal, retelling: Retelling | None = None
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._retelling = retelling
        self._known: OrderedDict[Reach, Rows] = OrderedDict()
        self._folding: dict[Reach, _Folding] = {}
        self._turns = Turns()
        self._pool: ProcessPoolExecutor | None = None

    async def rows(
        self,
        instant: datetime,
        candidate: Plan | None = None,
        *,
        retelling: Retelling | None = None,
        visitor: str | None = None,
    ) -> Rows:
        """All rows as they stood at the instant; or as they would stand under a candidate, or told otherwise.

        Args:
            instant: everything accepted until then counts.
            candidate: a plan that is not published.
            retelling: what would be told anew; of a candidate without it: what intake would tell under that plan.
            visitor: the address of somebody who is not staff; staff come first.

        Raises:
            BusyError: too many wait already, or this visitor asked too often.
        """
        if candidate is not None:
            retelling = retelling or self._retelling
        if candidate is not None or retelling is not None:
            turn = self._turns.enter(visitor)
            return await self._fold(turn, Stop(instant), candidate, retelling)
        reach = await self._reach(instant)
        if reach in self._known:
            self._known.move_to_end(reach)
            return self._known[reach]
        return await asyncio.shield(self._joined(reach, Stop(instant), visitor))

    async def rows_at(self, stop: Stop) -> Rows:
        """All rows as they stood behind a pack of the journal, for staff.

        Raises:
            BusyError: too many wait already.
        """
        return await self._fold(self._turns.enter(None), stop)

    async def _reach(self, instant: datetime) -> Reach:
        plans, events = [
            await self._journal.extent(topic, instant) for topic in (PLAN.name, INDICATOR.name)
        ]
        return local_date(instant), plans, events

    def _joined(self, reach: Reach, stop: Stop, visitor: str | None) -> "asyncio.Task[Rows]":
        """The one rebuild of a reach: whoever comes meanwhile waits for the same one."""
        known = self._folding.get(reach)
        if known is None:
            turn = self._turns.enter(visitor)
            task = asyncio.create_task(self._remembering(reach, turn, stop))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            known = self._folding[reach] = _Folding(turn, task)
        elif visitor is None:
            known.turn.promote()
        return known.task

    async def _remembering(self, reach: Reach, turn: Turn, stop: Stop) -> Rows:
        try:
            found = self._known[reach] = await self._fold(turn, stop)
        finally:
            del self._folding[reach]
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return found

    async def _fold(
        self,
        turn: Turn,
        stop: Stop,
        candidate: Plan | None = None,
        retelling: Retelling | None = None,
    ) -> Rows:
        async with self._turns.take(turn):
            try:
                return await self._in_helper(stop, candidate, retelling)
            except BrokenProcessPool:  # somebody ended the helper; a new one does it
                self.close()
                return await self._in_helper(stop, candidate, retelling)

    async def _in_helper(
        self, stop: Stop, candidate: Plan | None, retelling: Retelling | None
    ) -> Rows:
        if self._pool is None:
            self._pool = helper(NICENESS)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._pool, fold_until, self._settings, stop, candidate, retelling
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the helper process, if there is one."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
