"""Standings as of a past instant: the packs accepted until then, folded anew in a process of their own."""

import asyncio
import multiprocessing
from collections import OrderedDict
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from datetime import datetime

from contracts.calendar import local_date
from contracts.events import PlanPublished
from contracts.streams import INDICATOR, PLAN
from services.runtime.mongo import Document
from services.runtime.resources import resources
from services.runtime.settings import Settings
from services.scoring.application import row_document
from services.scoring.domain.fold import Fold, UnknownPlanError

REMEMBERED = 16
Rows = dict[tuple[str, str, str], dict[str, Document]]
"""(plan, bloc, period) -> unit -> row."""


def fold_until(settings: Settings, instant: datetime) -> Rows:
    """All rows as they stood at an instant, under the plans published until then; takes as long as a rebuild."""
    return asyncio.run(_fold_until(settings, instant))


async def _fold_until(settings: Settings, instant: datetime) -> Rows:
    fold = Fold(local_date(instant))
    async with resources(settings) as own:
        async for pack in own.journal.all_packs(PLAN.name, instant):
            for line in pack.lines:
                fold.publish(PlanPublished.model_validate_json(line).plan)
        async for pack in own.journal.all_packs(INDICATOR.name, instant):
            for line in pack.lines:
                with suppress(UnknownPlanError, ValueError):  # a dead letter then as now
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


class PastBoards:
    """Answers for past instants, one rebuild at a time, the latest answers remembered."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: OrderedDict[datetime, Rows] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()
        self._pool: ProcessPoolExecutor | None = None

    async def rows(self, instant: datetime) -> Rows:
        """All rows as they stood at the instant."""
        async with self._one_at_a_time:
            known = self._known.get(instant)
            if known is None:
                loop = asyncio.get_running_loop()
                known = await loop.run_in_executor(
                    self._executor(), fold_until, self._settings, instant
                )
                self._known[instant] = known
                while len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
            return known

    def _executor(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
        return self._pool

    def close(self) -> None:
        """End the helper process, if there is one."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
