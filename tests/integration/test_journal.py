"""The journal and its consumers on a real Redis and a real MongoDB: packs, group commit, catch-up, dead letters."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY
from pymongo.errors import PyMongoError

from services.runtime import mongo
from services.runtime.consuming import Consumer, DeadLetters, UndecodableEntryError, from_entry
from services.runtime.health import Health
from services.runtime.journal import (
    PACK_EVENTS,
    WAITING_BYTES,
    Journal,
    JournalFullError,
    JournalUnavailableError,
    Pack,
    id_at,
)
from services.runtime.resources import Resources, resources
from services.runtime.settings import Settings
from tests.support.waiting import until

TOPIC = "indicator"


class Seen:
    """A handler that remembers its packs."""

    def __init__(self) -> None:
        self.packs: list[Pack] = []

    async def take(self, packs: list[Pack]) -> None:
        self.packs.extend(packs)

    @property
    def lines(self) -> list[bytes]:
        return [line for pack in self.packs for line in pack.lines]


@pytest.fixture
async def own(settings: Settings) -> AsyncIterator[Resources]:
    async with resources(settings) as own:
        yield own


def consumer(own: Resources, seen: Seen) -> Consumer:
    database = mongo.database(own.client, own.settings, "test")
    letters = DeadLetters(database["dead_letters"])
    return Consumer(own.journal, TOPIC, [0], seen.take, letters, own.settings)


async def test_how_far_behind_it_was_is_told_until_nothing_waits(own: Resources) -> None:
    def lag() -> float | None:
        labels = {"topic": TOPIC, "shard": "0"}
        return REGISTRY.get_sample_value("consumer_lag_seconds", labels)

    own.settings = own.settings.model_copy(update={"catch_up_seconds": 0.01})
    behind = consumer(own, Seen())
    await own.journal.append(TOPIC, 0, [b"1"])
    await asyncio.sleep(0.05)
    await behind.catch_up()
    assert (lag() or 0) >= 0.05
    keeping = asyncio.create_task(behind.keep_up())
    await until(lambda: lag() == 0)
    keeping.cancel()


async def test_what_waits_while_a_write_runs_goes_into_one_pack(own: Resources) -> None:
    await asyncio.gather(*(own.journal.append(TOPIC, 0, [b"%d" % n]) for n in range(200)))
    packs = [pack async for pack in own.journal.all_packs(TOPIC)]
    assert sorted(int(line) for pack in packs for line in pack.lines) == list(range(200))
    assert len(packs) < 10


async def test_a_pack_is_bounded_and_the_rest_goes_into_the_next(own: Resources) -> None:
    lines = [b"%d" % n for n in range(PACK_EVENTS + 1)]
    await own.journal.append(TOPIC, 0, lines)
    packs = [pack async for pack in own.journal.all_packs(TOPIC)]
    assert sorted(pack.count for pack in packs) == [1, PACK_EVENTS]


async def test_shards_keep_to_packs_of_their_own(own: Resources) -> None:
    await asyncio.gather(
        *(own.journal.append(TOPIC, shard, [b"%d" % shard]) for shard in (0, 1, 0, 1))
    )
    packs = [pack async for pack in own.journal.all_packs(TOPIC)]
    assert all(set(pack.lines) == {b"%d" % pack.shard} for pack in packs)


async def test_more_than_memory_may_hold_is_refused_at_once(own: Resources) -> None:
    with pytest.raises(JournalFullError):
        await own.journal.append(TOPIC, 0, [b"x" * (WAITING_BYTES + 1)])
    await own.journal.append(TOPIC, 0, [b"x"])


async def test_an_append_that_may_not_be_durable_says_so(
    own: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        async def insert_many(self, *_: object, **__: object) -> None:
            raise PyMongoError("gone")

    monkeypatch.setattr(Journal, "collection", lambda *_: Broken())
    with pytest.raises(JournalUnavailableError):
        await own.journal.append(TOPIC, 0, [b"x"])
    monkeypatch.undo()
    await own.journal.append(TOPIC, 0, [b"x"])
    assert [pack.lines async for pack in own.journal.all_packs(TOPIC)] == [[b"x"]]


async def test_a_consumer_that_starts_later_reads_everything_back(own: Resources) -> None:
    for n in range(5):
        await own.journal.append(TOPIC, 0, [b"%d" % n])
    seen = Seen()
    assert await consumer(own, seen).catch_up() == 5
    assert seen.lines == [b"0", b"1", b"2", b"3", b"4"]


async def test_catching_up_twice_brings_nothing_twice(own: Resources) -> None:
    seen = Seen()
    reader = consumer(own, seen)
    await own.journal.append(TOPIC, 0, [b"a"])
    await reader.catch_up()
    await own.journal.append(TOPIC, 0, [b"b"])
    assert await reader.catch_up(full=False) == 1
    assert await reader.catch_up() == 0
    assert seen.lines == [b"a", b"b"]


async def test_a_pack_committed_late_with_an_older_id_is_found(own: Resources) -> None:
    seen = Seen()
    reader = consumer(own, seen)
    await own.journal.append(TOPIC, 0, [b"new"])
    await reader.catch_up()
    newest = seen.packs[-1]
    late = Pack(
        id_at(newest.made_at_ms - 5_000) + "00", TOPIC, 0, newest.accepted_at, 1, b"late"
    )
    await own.journal.collection(TOPIC).insert_one(late.document())
    await reader.catch_up(full=False)
    assert seen.lines == [b"new", b"late"]


async def test_the_bus_brings_packs_at_once_and_the_journal_what_it_lost(
    own: Resources,
) -> None:
    seen = Seen()
    reader = consumer(own, seen)
    await reader.catch_up()
    own.subscribe(reader)
    await own.start_bus(Health())
    await own.journal.append(TOPIC, 0, [b"rung"])
    await until(lambda: seen.lines == [b"rung"])
    stored = await own.journal.collection(TOPIC).find_one({})
    assert stored is not None
    lost = Pack(stored["_id"][:-1] + "!", TOPIC, 0, stored["at"], 1, b"lost")
    await own.journal.collection(TOPIC).insert_one(lost.document())
    assert await reader.catch_up() == 1
    await own.redis.flushdb()
    await own.journal.append(TOPIC, 0, [b"after the flush"])
    await until(lambda: seen.lines == [b"rung", b"lost", b"after the flush"])


async def test_the_number_of_shards_changes_under_load_and_nothing_is_lost_or_repeated(
    own: Resources,
) -> None:
    seen = Seen()
    reader = consumer(own, seen)  # listens to one shard only
    own.subscribe(reader)
    await own.start_bus(Health())
    sent = []
    for shards in (1, 4, 2, 64, 1):
        lines = [b"%d of %d" % (n, shards) for n in range(40)]
        await asyncio.gather(
            *(own.journal.append(TOPIC, n % shards, [line]) for n, line in enumerate(lines))
        )
        await reader.catch_up(full=False)
        sent += lines
    await reader.catch_up()
    assert sorted(seen.lines) == sorted(sent)
    anew = Seen()  # with another number than the packs were written with
    await consumer(own, anew).catch_up()
    assert sorted(anew.lines) == sorted(sent)


async def test_packs_are_passed_over_only_where_their_writer_said_among_how_many_shards_it_chose(
    own: Resources,
) -> None:
    await own.journal.prepare_shards(TOPIC)

    def odd(shard: int, shards: int) -> bool:
        """As a reader of even facts asks."""
        return shards > 0 and shards % 2 == 0 and shard % 2 == 1

    live, later, health = Seen(), Seen(), Health()
    reader = consumer(own, live)
    reader.pass_over(odd)
    own.subscribe(reader)
    await own.start_bus(health)
    places = [(0, 2), (1, 2), (3, 4), (1, 3), (1, 0), (2, 4)]
    for shard, shards in places:
        await own.journal.append(TOPIC, shard, [b"%d of %d" % (shard, shards)], shards=shards)
    kept = [b"0 of 2", b"1 of 3", b"1 of 0", b"2 of 4"]
    await reader.catch_up()
    assert sorted(live.lines) == sorted(kept)
    again = consumer(own, later)
    again.pass_over(odd)
    assert await again.catch_up() == len(kept)
    assert sorted(later.lines) == sorted(kept)
    await health.stop()


async def test_an_undecodable_entry_is_set_aside_and_the_next_one_is_handled(
    own: Resources,
) -> None:
    seen = Seen()
    reader = consumer(own, seen)
    own.subscribe(reader)
    await own.start_bus(Health())
    stream = own.journal.stream(TOPIC, 0)
    await own.redis.xadd(stream, {"nonsense": b"\xff\x00"})
    await own.journal.append(TOPIC, 0, [b"next"])
    await until(lambda: seen.lines == [b"next"])


@pytest.mark.parametrize(
    "change", [{b"count": b"2"}, {b"at": b"soon"}, {b"id": b"zz"}, {b"shard": b"x"}]
)
def test_an_entry_that_is_no_pack_is_refused(change: dict[bytes, bytes]) -> None:
    good = {
        b"id": b"018c0000000abc",
        b"topic": b"indicator",
        b"shard": b"0",
        b"at": b"2023-07-05T08:30:00+07:00",
        b"count": b"1",
        b"body": b"{}",
    }
    assert from_entry(good).lines == [b"{}"]
    with pytest.raises(UndecodableEntryError):
        from_entry(good | change)


async def test_a_dead_letter_is_kept_once_with_its_reason(own: Resources) -> None:
    letters = DeadLetters(mongo.database(own.client, own.settings, "test")["dead_letters"])
    for _ in range(3):
        letters.add("undecodable event", ValueError("why"), b"raw", "origin")
        await letters.flush()
    found = await letters.open()
    assert [(letter["reason"], bytes(letter["raw"])) for letter in found] == [
        ("undecodable event", b"raw")
    ]
    await letters.mark_replayed(found[0]["_id"])
    assert await letters.open() == []
