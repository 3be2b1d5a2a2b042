"""What a changed plan would do: every total of the competition before and after, without publishing anything."""

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import Self

import msgspec

from contracts.calendar import local_date
from contracts.events import PlanPublished
from contracts.plan import Plan
from contracts.streams import INDICATOR, PLAN
from contracts.wire import from_line, to_line
from services.intake.portal.domain.canonical import Known, recatalogued
from services.intake.portal.moves import Move
from services.runtime.resources import resources
from services.runtime.settings import Settings
from services.scoring.domain.fold import Fold, UnknownPlanError


def preview(settings: Settings, draft: str, now: datetime) -> list[Move]:
    """The units whose total of a year would move; takes as long as two rebuilds of the board."""
    return asyncio.run(_preview(settings, Plan.model_validate_json(draft), now))


async def _preview(settings: Settings, draft: Plan, now: datetime) -> list[Move]:
    before, after = Fold(local_date(now)), Fold(local_date(now))
    known = Known()
    async with resources(settings) as own:
        async for pack in own.journal.all_packs(PLAN.name):
            for line in pack.lines:
                plan = PlanPublished.model_validate_json(line).plan
                known.add(plan)
                before.publish(plan)
                after.publish(plan)
        known.add(draft)
        after.publish(draft)
        async for pack in own.journal.all_packs(INDICATOR.name):
            for line in pack.lines:
                with suppress(UnknownPlanError, ValueError):
                    before.apply(line)
                with suppress(UnknownPlanError, ValueError):
                    after.apply(_recatalogued(line, known))
    return _moves(draft, _totals(before, draft), _totals(after, draft))


def _recatalogued(line: bytes, known: Known) -> bytes:
    """The event as it would be told under the new catalogue."""
    event = from_line(line)
    if event.type != "dossier.recorded":
        return line
    terms = recatalogued(event, known.catalogue)
    return to_line(msgspec.structs.replace(event, **terms)) if terms else line  # type: ignore[type-var]


def _totals(fold: Fold, draft: Plan) -> dict[tuple[str, str], int]:
    year = str(draft.ends_on.year)
    return {
        (row.bloc, row.unit): row.points
        for key, standings in fold.standings.items()
        if key[0] == draft.id
        for row in standings.refresh()
        if row.period == year and fold.judges(key, row.period)
    }


def _moves(
    draft: Plan, before: dict[tuple[str, str], int], after: dict[tuple[str, str], int]
) -> list[Move]:
    names = {unit.code: unit.name.vi for unit in draft.units}
    moved = sorted(key for key in after if before.get(key) != after[key])
    return [
        Move(bloc, unit, names.get(unit, unit), before.get((bloc, unit), 0), after[bloc, unit])
        for bloc, unit in moved
    ]


class Previews:
    """Previews in a process of their own, one at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._one_at_a_time = asyncio.Lock()
        self._pool: ProcessPoolExecutor | None = None

    async def of(self, draft: Plan, now: datetime) -> list[Move]:
        """The units whose total would move."""
        async with self._one_at_a_time:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
            loop = asyncio.get_running_loop()
            content = draft.model_dump_json()
            return await loop.run_in_executor(self._pool, preview, self._settings, content, now)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
