"""Divided facts on a real Redis and MongoDB: the sum speaks, is succeeded, does without the bus, never tells half."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.streams import INDICATOR
from contracts.wire import fact_id, from_line, shard_of
from services.publishing import publish
from services.runtime import mongo
from services.runtime.health import Health
from services.runtime.resources import Resources, resources
from services.runtime.settings import Settings
from services.scoring.app import fold_of_next_start, slice_worker, sum_worker
from services.scoring.domain.fold import Fold, Sums
from services.scoring.settings import ScoringSettings
from services.scoring.slices import Summing
from services.scoring.store import ScoringStore
from tests.integration.test_scoring import KEY, line, scoring_settings, total
from tests.support.facts import reference_plan
from tests.support.waiting import until

PLAN = reference_plan()
SLICES = 2
UNITS = ("31399", "31402")


@pytest.fixture
async def own(settings: Settings) -> AsyncIterator[Resources]:
    async with resources(settings) as own:
        await publish(own, PLAN)
        yield own


def divided(settings: Settings, **changes: Any) -> ScoringSettings:
    shared = {"scoring_slices": SLICES, "scoring_shards": SLICES}
    return scoring_settings(settings, **shared | changes)


async def append(own: Resources, lines: list[bytes]) -> None:
    """As intake does."""
    for text in lines:
        shard = shard_of(fact_id(from_line(text)), SLICES)
        await own.journal.append(INDICATOR.name, shard, [text], shards=SLICES)


def expected(lines: list[bytes], today: Any) -> dict[Any, int]:
    """(unit, period) -> points, by one fold of everything."""
    fold = Fold(today)
    fold.publish(PLAN)
    fold.load(lines)
    fold.standings[KEY].refresh()
    return {slot: row.points for slot, row in fold.standings[KEY].rows.items()}


def points(boards: Any) -> dict[Any, int]:
    return {slot: row.points for slot, row in boards.standings[KEY].rows.items()}


async def test_the_sum_of_slices_speaks_and_a_stand_by_succeeds_it(own: Resources) -> None:
    marks = ScoringStore(mongo.database(own.client, own.settings, "scoring")).marks
    settings = divided(own.settings, lease_seconds=20)
    first, second = Health(), Health()
    lines = [line(f"{unit}-{n}", unit=unit) for n in range(20) for unit in UNITS]
    async with AsyncExitStack() as stack:
        folds = [
            await stack.enter_async_context(
                slice_worker(divided(own.settings, scoring_slice=number), Health())
            )
            for number in range(SLICES)
        ]
        leader = await stack.enter_async_context(sum_worker(settings, first))
        standby = await stack.enter_async_context(sum_worker(settings, second))
        await append(own, lines)
        wanted = expected(lines, own.clock.today())

        async def both() -> bool:
            return points(leader.boards) == points(standby.boards) == wanted

        await until(both)
        assert [fold.folded for fold in folds] == [len(fold.facts) for fold in folds]
        assert sum(len(fold.facts) for fold in folds) == len(lines)

        await first.stop()
        long_ago = datetime(1970, 1, 1, tzinfo=UTC)
        await marks.update_one({"_id": "lease"}, {"$set": {"until": long_ago}})
        lines += [line(f"e{n}", unit=UNITS[0], channel="counter") for n in range(20)]
        await append(own, lines)

        async def spoken() -> bool:
            row = await ScoringStore(
                mongo.database(own.client, own.settings, "scoring")
            ).standings.find_one({"unit": UNITS[0], "period": "2023"})
            wanted = expected(lines, own.clock.today())[UNITS[0], "2023"]
            return row is not None and row["points"] == wanted == total(standby)

        await until(spoken)
        await until(lambda: not second.troubles())
    assert len((await fold_of_next_start(own)).facts) == len(lines), "one worker starts from it"


async def test_a_sum_that_hears_nothing_on_the_bus_reads_the_subtotals(own: Resources) -> None:
    store = ScoringStore(mongo.database(own.client, own.settings, "scoring"))
    sums = Sums(own.clock.today())
    sums.publish(PLAN)
    summing = Summing(store, sums, divided(own.settings, catch_up_seconds=0.1), lambda _: None)
    lines = [line(f"{unit}-{n}", unit=unit) for n in range(20) for unit in UNITS]
    async with AsyncExitStack() as stack:
        one = divided(own.settings, scoring_slice=0)
        await stack.enter_async_context(slice_worker(one, Health()))
        waiting = asyncio.create_task(summing.complete())
        await append(own, lines)

        async def silent() -> bool:
            return summing.trouble() == "silent slices of 2: 1"

        await until(silent)
        assert not waiting.done(), "a slice has told nothing yet"
        other, health = divided(own.settings, scoring_slice=1), Health()
        await stack.enter_async_context(slice_worker(other, health))
        await waiting
        following = asyncio.create_task(summing.keep_up())
        wanted = expected(lines, own.clock.today())

        async def summed() -> bool:
            sums.standings[KEY].refresh()
            return points(sums) == wanted

        await until(summed)
        await health.stop()
        await until(silent)
        following.cancel()


@pytest.mark.parametrize(("number", "slices"), [(0, 1), (2, 2), (-1, 2)])
def test_a_slice_that_is_none_is_refused(number: int, slices: int) -> None:
    with pytest.raises(ValueError, match="scoring_slice"):
        ScoringSettings(scoring_slice=number, scoring_slices=slices)
    assert ScoringSettings(scoring_slice=1, scoring_slices=2).scoring_slice == 1
