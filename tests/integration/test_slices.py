"""Divided facts on a real Redis and MongoDB: the sum speaks, is succeeded, does without the bus, never tells half.

Workers that share the slices come, go and die; what they tell in the end is what one fold makes of everything.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY

from contracts.streams import INDICATOR
from contracts.wire import fact_id, from_line, shard_of
from services.publishing import publish
from services.runtime import mongo
from services.runtime.health import Health
from services.runtime.resources import Resources, resources
from services.runtime.settings import Settings
from services.scoring.app import fold_of_next_start, share_worker, sum_worker
from services.scoring.application import Scoring
from services.scoring.carrying import Carrying
from services.scoring.domain.fold import Fold, Sums
from services.scoring.settings import ScoringSettings
from services.scoring.slices import Summing
from services.scoring.store import ScoringStore
from tests.integration.test_scoring import KEY, line, scoring_settings, total
from tests.support.facts import reference_plan
from tests.support.waiting import until

PLAN = reference_plan().model_copy(update={"closing": None})
"""Only a hand closes a period: drawing packages takes processor time from all else."""
SLICES = 2
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
UNITS = ("31399", "31402")


@pytest.fixture
async def own(settings: Settings) -> AsyncIterator[Resources]:
    async with resources(settings) as own:
        await publish(own, PLAN)
        yield own


def divided(settings: Settings, **changes: Any) -> ScoringSettings:
    shared = {"scoring_slices": SLICES, "scoring_shards": SLICES}
    return scoring_settings(settings, **shared | changes)


@asynccontextmanager
async def sharing(
    own: Resources, ordinal: int, health: Health | None = None, **changes: Any
) -> AsyncIterator[Carrying]:
    """A worker of slices; unless told otherwise it ends at once."""
    told = {"scoring_ordinal": ordinal, "hand_over_seconds": 0} | changes
    settings = divided(own.settings, **told)
    async with share_worker(settings, ordinal, health or Health()) as carrying:
        yield carrying


def told_of(carrying: Carrying) -> list[int]:
    """The slices that a worker tells of."""
    return sorted(number for number, claim in carrying.claims.items() if claim.tells)


def lines_folded() -> int:
    """By all workers of this process, repeats included."""
    return int(REGISTRY.get_sample_value("scoring_events_total") or 0)


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
        for ordinal in range(SLICES):
            await stack.enter_async_context(sharing(own, ordinal))
        leader = await stack.enter_async_context(sum_worker(settings, first))
        standby = await stack.enter_async_context(sum_worker(settings, second))
        before = lines_folded()
        await append(own, lines)
        wanted = expected(lines, own.clock.today())

        async def both() -> bool:
            return points(leader.boards) == points(standby.boards) == wanted

        await until(both)
        assert lines_folded() - before == len(lines), "each reads its own packs"

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
        await store.marks.insert_one(
            {"_id": "worker 1 of 2", "among": 2, "ordinal": 1, "lapses": NEVER}
        )
        await stack.enter_async_context(sharing(own, 0))
        waiting = asyncio.create_task(summing.complete())
        await append(own, lines)

        async def silent() -> bool:
            return summing.trouble() == "silent slices of 2: 1"

        await until(silent)
        assert not waiting.done(), "a slice has told nothing yet"
        health = Health()
        other = await stack.enter_async_context(sharing(own, 1, health))
        await waiting
        following = asyncio.create_task(summing.keep_up())
        wanted = expected(lines, own.clock.today())

        async def summed() -> bool:
            sums.standings[KEY].refresh()
            return points(sums) == wanted

        await until(summed)
        await health.stop()
        await other.claims[1].end()
        await until(silent)
        following.cancel()


class Load:
    """Events that come without end, and what held the board back meanwhile."""

    def __init__(self, own: Resources, leader: Scoring) -> None:
        self.lines: list[bytes] = []
        self.held_back: set[str | None] = set()
        self._own = own
        self._leader = leader
        self._enough = asyncio.Event()

    async def run(self) -> None:
        while not self._enough.is_set():
            some = [line(f"{unit}-{len(self.lines)}", unit=unit) for unit in UNITS]
            self.lines.extend(some)
            await append(self._own, some)
            self.held_back.add(self._leader.held_back())
            await asyncio.sleep(0.02)

    async def counts(self) -> None:
        """In the end the board is what one fold makes of everything."""
        self._enough.set()
        wanted = expected(self.lines, self._own.clock.today())
        await until(lambda: points(self._leader.boards) == wanted)


@asynccontextmanager
async def loaded(own: Resources) -> AsyncIterator[Load]:
    async with sum_worker(divided(own.settings), Health()) as leader:
        load = Load(own, leader)
        running = asyncio.create_task(load.run())
        yield load
        await load.counts()
        await running


async def test_workers_come_and_go_under_load_and_the_board_never_stands_still(
    own: Resources,
) -> None:
    async with sharing(own, 0) as first:
        assert told_of(first) == [0, 1]
        async with loaded(own) as load:
            async with sharing(own, 1, hand_over_seconds=60) as second:
                await until(lambda: (told_of(first), told_of(second)) == ([0], [1]))
                async with sharing(own, 2) as third:
                    assert told_of(third) == [], "one more than there are slices stands by"
            await until(lambda: told_of(first) == [0, 1])
            assert told_of(second) == []
            assert load.held_back == {None}, "handed over without a pause"


async def test_what_a_worker_had_that_died_others_take_and_it_may_live_on_unknowing(
    own: Resources,
) -> None:
    health = Health()
    async with (
        sharing(own, 0) as first,
        sharing(own, 1, health) as second,
        loaded(own),
    ):
        await until(lambda: (told_of(first), told_of(second)) == ([0], [1]))
        await health.stop()  # nobody renews
        await lapse(own, "worker 1 of 2", "slice 1/2")
        await until(lambda: told_of(first) == [0, 1])
        assert told_of(second) == [1], "it does not know, and still tells"


async def lapse(own: Resources, *names: str) -> None:
    """As if so many seconds had passed."""
    marks = ScoringStore(mongo.database(own.client, own.settings, "scoring")).marks
    long_ago = datetime(1970, 1, 1, tzinfo=UTC)
    await marks.update_many({"_id": {"$in": list(names)}}, {"$set": {"lapses": long_ago}})


def test_an_ordinal_without_slices_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to share"):
        ScoringSettings(scoring_ordinal=0)
    assert ScoringSettings(scoring_ordinal=7, scoring_slices=2).scoring_ordinal == 7
