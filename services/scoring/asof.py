"""Standings as of a past instant: the packs accepted until then, folded anew in a process of their own."""

import asyncio
import multiprocessing
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from contracts.calendar import local_date
from contracts.events import PlanPublished
from contracts.plan import Plan
from contracts.streams import INDICATOR, PLAN
from services.runtime.mongo import Document
from services.runtime.resources import Resources, resources
from services.runtime.settings import Settings
from services.scoring.application import row_document
from services.scoring.domain.fold import Fold, UnknownPlanError

REMEMBERED = 16
WAITING = 6
"""Instants that may be folded or wait for it; more are refused, so that nobody can pile up work."""
Rows = dict[tuple[str, str, str], dict[str, Document]]
"""(plan, bloc, period) -> unit -> row."""


@dataclass(frozen=True, slots=True)
class Retold:
    """What the journal would say under other plans."""

    line: Callable[[bytes], bytes]
    """A line of it -> the line as it would be told."""
    released: Sequence[bytes]
    """What waits for these plans and would be told then."""


Retelling = Callable[[Resources, Sequence[Plan]], Awaitable[Retold]]
"""Asked with the plans as they were published, a candidate last."""


def fold_until(
    settings: Settings,
    instant: datetime,
    candidate: Plan | None = None,
    retelling: Retelling | None = None,
) -> Rows:
    """All rows as they stood at an instant, under the plans published until then; takes as long as a rebuild.

    With a candidate: as they would stand if it had been published too. Retelling: with what would be told anew.
    """
    return asyncio.run(_fold_until(settings, instant, candidate, retelling))


async def _fold_until(
    settings: Settings, instant: datetime, candidate: Plan | None, retelling: Retelling | None
) -> Rows:
    fold = Fold(local_date(instant))
    async with resources(settings) as own:
        plans = [
            PlanPublished.model_validate_json(line).plan
            async for pack in own.journal.all_packs(PLAN.name, instant)
            for line in pack.lines
        ]
        plans += [] if candidate is None else [candidate]
        retold = None if retelling is None else await retelling(own, plans)
        for plan in plans:
            fold.publish(plan)
        async for pack in own.journal.all_packs(INDICATOR.name, instant):
            for line in pack.lines:
                with suppress(UnknownPlanError, ValueError):  # a dead letter then as now
                    fold.apply(line if retold is None else retold.line(line))
        for line in () if retold is None else retold.released:
            fold.apply(line)
    return rows_of(fold)


def rows_of(fold: Fold) -> Rows:
    """Every row that judges its period, computed from the counters."""
    rows: Rows = {}
    for key, standings in fold.standings.items():
        for row in standings.refresh():
            if fold.judges(key, row.period):
                board = rows.setdefault((key[0], row.bloc, row.period), {})
                board[row.unit] = row_document(key, row, 0)
    return rows


class BusyError(Exception):
    """Too many past instants are asked for at once; try again in some seconds."""


class PastBoards:
    """Answers for past instants, one rebuild at a time, the latest answers remembered."""

    def __init__(self, settings: Settings, retelling: Retelling | None = None) -> None:
        self._settings = settings
        self._retelling = retelling
        self._known: OrderedDict[datetime, Rows] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._waiting = 0

    async def rows(
        self,
        instant: datetime,
        candidate: Plan | None = None,
        retelling: Retelling | None = None,
    ) -> Rows:
        """All rows as they stood at the instant; or as they would stand under a candidate, or told otherwise.

        Raises:
            BusyError: too many wait already.
        """
        if candidate is not None:
            retelling = retelling or self._retelling
        is_past = candidate is None and retelling is None
        if is_past and instant in self._known:
            self._known.move_to_end(instant)
            return self._known[instant]
        if self._waiting >= WAITING:
            raise BusyError
        self._waiting += 1
        try:
            return await self._fold(instant, candidate, retelling, is_past=is_past)
        finally:
            self._waiting -= 1

    async def _fold(
        self,
        instant: datetime,
        candidate: Plan | None,
        retelling: Retelling | None,
        *,
        is_past: bool,
    ) -> Rows:
        async with self._one_at_a_time:
            if is_past and instant in self._known:
                return self._known[instant]
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(
                self._executor(), fold_until, self._settings, instant, candidate, retelling
            )
            if is_past:
                self._known[instant] = found
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
            return found

    def _executor(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
        return self._pool

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the helper process, if there is one."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
