"""Consuming a topic: the bus brings packs at once, the journal brings what the bus lost, bad ones are set aside.

Each pack is handled once a process; handling one twice (after a restart, by a second worker) must be harmless, and
so no position has to be exact. This is the only place that decides what is retried and what is given up.
"""

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime

from faststream.redis import RedisBroker
from pymongo import InsertOne
from pymongo.errors import PyMongoError

from services.runtime import broker as bus, metrics
from services.runtime.clock import wall_milliseconds, wall_now
from services.runtime.journal import ID_DIGITS, Journal, Pack, PassesOver, id_at
from services.runtime.logging import get_logger
from services.runtime.mongo import Collection, Document, write_all
from services.runtime.settings import Settings

log = get_logger(__name__)

SHORT_MARGIN_MILLISECONDS = 10_000
"""How far the frequent listing looks behind its last one."""
FULL_LISTING_EVERY = 15
"""Each so many listings look back the whole margin."""
STUCK_SECONDS = 15
PACKS_A_READ = 40
BUS_SILENT_MILLISECONDS = 1_000

Handle = Callable[[list[Pack]], Awaitable[None]]


class DeadLetters:
    """What could not be understood: kept with its reason, so that it can be replayed after the fix."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._waiting: dict[str, Document] = {}

    def add(self, reason: str, error: Exception, raw: bytes, origin: str) -> None:
        """Set one aside; written by the next `flush`. The error's text holds no content of the event."""
        key = hashlib.sha256(reason.encode() + b"\0" + raw).hexdigest()[:32]
        if key in self._waiting:
            return
        metrics.DEAD_LETTERS.labels(reason).inc()
        log.warning("dead letter", reason=reason, error=type(error).__name__, origin=origin)
        self._waiting[key] = {
            "_id": key,
            "reason": reason,
            "error": f"{type(error).__name__}: {error}"[:300],
            "raw": raw,
            "origin": origin,
            "at": wall_now(),
            "replayed_at": None,
        }

    async def flush(self) -> None:
        """Write what waits; a failure keeps it waiting."""
        if not self._waiting:
            return
        waiting = dict(self._waiting)
        await write_all(self._collection, [InsertOne(letter) for letter in waiting.values()])
        for key in waiting:
            self._waiting.pop(key, None)  # another loop may have written it too

    async def open(self) -> list[Document]:
        """Those not replayed yet, oldest first."""
        return await self._collection.find({"replayed_at": None}).sort("at", 1).to_list(None)

    async def mark_replayed(self, key: str) -> None:
        """It went back into the journal."""
        await self._collection.update_one({"_id": key}, {"$set": {"replayed_at": wall_now()}})


class UndecodableEntryError(ValueError):
    """A stream entry has not the form of a pack."""


def from_entry(entry: Mapping[bytes, bytes]) -> Pack:
    """The pack of a stream entry.

    Raises:
        UndecodableEntryError: a field is missing or wrong.
    """
    try:
        pack = Pack(
            entry[b"id"].decode("ascii"),
            entry[b"topic"].decode("ascii"),
            int(entry[b"shard"]),
            datetime.fromisoformat(entry[b"at"].decode("ascii")),
            int(entry[b"count"]),
            entry[b"body"],
            traces=tuple(entry.get(b"traces", b"").decode("ascii").split()),
            shards=int(entry.get(b"shards", 0)),
        )
        _ = pack.made_at_ms
    except (KeyError, ValueError) as error:
        raise UndecodableEntryError(type(error).__name__) from error
    if len(pack.lines) != pack.count:
        raise UndecodableEntryError("count and body differ")
    return pack


def to_raw(entry: Mapping[bytes, bytes]) -> bytes:
    """A stream entry as a dead letter keeps it: `field=base64` lines."""
    return b"\n".join(key + b"=" + base64.b64encode(value) for key, value in entry.items())


def from_raw(raw: bytes) -> dict[bytes, bytes]:
    """The stream entry of a dead letter.

    Raises:
        UndecodableEntryError: it is none.
    """
    try:
        pairs = [field.partition(b"=") for field in raw.split(b"\n")]
        return {key: base64.b64decode(value, validate=True) for key, _, value in pairs}
    except ValueError as error:
        raise UndecodableEntryError("no stream entry") from error


class Consumer:
    """Brings every pack of a topic to `handle`: from the streams of some shards, and all others from the journal.

    The number of shards may be changed while packs of another number are in the journal or are still being written.
    """

    def __init__(
        self,
        journal: Journal,
        topic: str,
        shards: Iterable[int],
        handle: Handle,
        dead_letters: DeadLetters,
        settings: Settings,
    ) -> None:
        self._journal = journal
        self._topic = topic
        self._shards = frozenset(shards)
        self._handle = handle
        self._dead_letters = dead_letters
        self._settings = settings
        self._margin = round(settings.catch_up_margin_seconds * 1_000)
        self._passes_over: PassesOver | None = None
        self._seen: set[str] = set()
        self._low = 0
        """Real milliseconds up to which all packs are known, but for the margin."""
        self._listings = 0
        self._last_entry = "", 0
        """(pack, when it came) of the last entry that the bus brought."""
        self._lagging: set[int] = set()
        """Shards whose last pack was late by some time, and none was looked for in vain since."""
        self._error: str | None = None
        self._listed_at = wall_milliseconds()

    @property
    def listed_until_ms(self) -> int:
        """All packs made before this (less the margin) have been handled."""
        return self._low

    def start_from(self, milliseconds: int) -> None:
        """The stored low-water mark: everything before it, less the margin, is known."""
        self._low = milliseconds

    def pass_over(self, passes_over: PassesOver) -> None:
        """Leave alone the packs for which nobody here has a use; before `subscribe`."""
        self._passes_over = passes_over

    def subscribe(self, streams: RedisBroker) -> list[tuple[str, object]]:
        """Register with the broker; returns (stream, subscriber) for each shard."""
        names = [self._journal.stream(self._topic, shard) for shard in sorted(self._shards)]
        return [(name, bus.read_stream(streams, name, self.on_entries)) for name in names]

    async def on_entries(self, entries: list[bus.Entry]) -> None:
        """Handle what the bus brought; never raises for a bad entry."""
        packs = []
        for entry in entries:
            try:
                packs.append(from_entry(entry))
            except UndecodableEntryError as error:
                self._dead_letters.add("undecodable entry", error, to_raw(entry), self._topic)
        if packs:
            self._last_entry = packs[-1].id, wall_milliseconds()
        await self._take(packs)

    async def _take(self, packs: list[Pack]) -> None:
        fresh = {
            p.id: p
            for p in packs
            if p.id not in self._seen
            and (self._passes_over is None or not self._passes_over(p.shard, p.shards))
        }
        if not fresh:
            return
        self._seen.update(fresh)
        try:
            await self._handle(list(fresh.values()))
        except BaseException:
            self._seen.difference_update(fresh)
            raise
        newest = max(fresh.values(), key=lambda pack: pack.id)
        lag = max(0, wall_milliseconds() - newest.made_at_ms) / 1_000
        metrics.SHARD_LAG_SECONDS.labels(self._topic, str(newest.shard)).set(lag)
        self._lagging.add(newest.shard)

    async def catch_up(self, *, full: bool = True) -> int:
        """Handle the journal's packs that were not seen; returns how many those were."""
        started = wall_milliseconds()
        margin = self._margin if full else min(self._margin, SHORT_MARGIN_MILLISECONDS)
        since, limit = id_at(self._low - margin), self._on_its_way()
        found = 0
        async for ids in self._journal.ids_since(self._topic, since, self._passes_over):
            missing = [n for n in ids if n not in self._seen and (full or n <= limit)]
            for at in range(0, len(missing), PACKS_A_READ):
                wanted = missing[at : at + PACKS_A_READ]
                packs = await self._journal.read(self._topic, wanted)
                await self._take(packs)
                self._seen.update(wanted)
                found += len(packs)
        if full:
            self._forget(id_at(self._low - 2 * self._margin))
        self._low = started if full else min(started, int(limit[:ID_DIGITS], 16))
        return found

    def _on_its_way(self) -> str:
        """While the bus delivers, packs newer than its last one are on their way: no need to read them twice."""
        if self._bus_is_silent():
            return id_at(wall_milliseconds() + self._margin)
        return self._last_entry[0]

    def _bus_is_silent(self) -> bool:
        return wall_milliseconds() - self._last_entry[1] > BUS_SILENT_MILLISECONDS

    def _forget(self, before: str) -> None:
        self._seen = {number for number in self._seen if number >= before}

    async def keep_up(self) -> None:
        """Catch up every few seconds, for ever; tell of failures and go on."""
        while True:
            await asyncio.sleep(self._settings.catch_up_seconds)
            self._listings += 1
            try:
                found = await self.catch_up(full=self._listings % FULL_LISTING_EVERY == 0)
                await self._dead_letters.flush()
            except PyMongoError as failure:
                self._error = "the journal cannot be read"
                metrics.CATCH_UP_FAILURES.labels(self._topic).inc()
                log.warning("catch-up failed", topic=self._topic, error=str(failure)[:120])
                continue
            self._error = None
            self._listed_at = wall_milliseconds()
            if found:
                metrics.CATCH_UP_FINDS.labels(self._topic).inc(found)
            elif self._bus_is_silent():
                self._say_that_nothing_waits()

    def _say_that_nothing_waits(self) -> None:
        for shard in self._lagging:
            metrics.SHARD_LAG_SECONDS.labels(self._topic, str(shard)).set(0)
        self._lagging.clear()

    def trouble(self) -> str | None:
        """None, or why this consumer does not keep up."""
        if self._error is not None:
            return self._error
        silent = (wall_milliseconds() - self._listed_at) / 1_000
        return f"no catch-up for {silent:.0f} s" if silent > STUCK_SECONDS else None
