"""The journal: packs of lines, appended durably, then announced on the bus. The truth of the whole system.

Group commit: whatever waits while the last write runs goes into the next one, as few documents as possible. An append
returns when a majority has its pack on disk; the announcement follows and may be lost.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from pymongo.errors import PyMongoError

from services.runtime import metrics, tracing
from services.runtime.broker import AWAY, Client
from services.runtime.clock import Clock, wall_milliseconds
from services.runtime.logging import get_logger
from services.runtime.mongo import Collection, Database, Document
from services.runtime.settings import Settings

log = get_logger(__name__)

ID_DIGITS = 11
"""Hexadecimal digits of a pack's id that tell its real millisecond."""
PACK_EVENTS = 2_000
PACK_BYTES = 1 << 20
WAITING_BYTES = 64 << 20
"""Beyond this an append is refused at once, instead of memory growing."""
ANNOUNCEMENTS = 1_000
"""Packs that wait to be announced; beyond it the journal alone carries them."""
IDS_A_LISTING = 2_000
ANNOUNCED_TOGETHER = 32
_SHARDS = [("_id", 1), ("shard", 1), ("shards", 1)]
PassesOver = Callable[[int, int], bool]
"""(shard, among how many) -> whether a reader has no use for such packs."""


class JournalUnavailableError(Exception):
    """The journal could not be written; nothing of the append is known to be durable. Try again."""


class JournalFullError(JournalUnavailableError):
    """More waits to be written than memory may hold. Try again later."""


@dataclass(frozen=True, slots=True)
class Pack:
    """Lines that were appended together."""

    id: str
    """Sorts by the real millisecond of its making."""
    topic: str
    shard: int
    accepted_at: datetime
    count: int
    body: bytes
    """Lines joined by line feeds."""
    keys: tuple[str, ...] = ()
    """What it can be found by, such as unit codes."""
    traces: tuple[str, ...] = ()
    """`traceparent` of the requests that it came of, where they are traced."""
    shards: int = 0
    """Among how many shards its writer chose; 0 when it did not say."""

    @property
    def lines(self) -> list[bytes]:
        """One event each."""
        return self.body.split(b"\n")

    @property
    def made_at_ms(self) -> int:
        """The real millisecond at which it was made."""
        return int(self.id[:ID_DIGITS], 16)

    def document(self) -> Document:
        """As it is stored."""
        stored: Document = {
            "_id": self.id,
            "shard": self.shard,
            "at": self.accepted_at,
            "count": self.count,
            "body": self.body,
        }
        if self.keys:
            stored["keys"] = list(self.keys)
        if self.traces:
            stored["traces"] = list(self.traces)
        if self.shards:
            stored["shards"] = self.shards
        return stored

    def entry(self) -> dict[str, bytes | str | int]:
        """As it is announced: the doorbell with the letter in it."""
        entry: dict[str, bytes | str | int] = {
            "id": self.id,
            "topic": self.topic,
            "shard": self.shard,
            "at": self.accepted_at.isoformat(),
            "count": self.count,
            "body": self.body,
        }
        if self.traces:
            entry["traces"] = " ".join(self.traces)
        if self.shards:
            entry["shards"] = self.shards
        return entry


class Extent(NamedTuple):
    """How far a reading of a topic goes."""

    packs: int
    at: datetime | None
    """When the newest of them was accepted."""


def _stopping(until: datetime | None = None, position: str | None = None) -> Document:
    """What selects the packs up to an instant or an id."""
    wanted: Document = {} if until is None else {"at": {"$lte": until}}
    return wanted if position is None else wanted | {"_id": {"$lte": position}}


def from_document(topic: str, stored: Document) -> Pack:
    """The pack of a stored document."""
    return Pack(
        stored["_id"],
        topic,
        stored["shard"],
        stored["at"],
        stored["count"],
        bytes(stored["body"]),
        tuple(stored.get("keys", ())),
        tuple(stored.get("traces", ())),
        stored.get("shards", 0),
    )


def id_at(milliseconds: int) -> str:
    """The smallest pack id of a real millisecond."""
    return f"{max(0, milliseconds):011x}"


@dataclass(slots=True)
class _Waiting:
    shard: int
    lines: Sequence[bytes]
    keys: tuple[str, ...]
    done: "asyncio.Future[None]"
    traces: tuple[str, ...]
    shards: int
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = sum(map(len, self.lines)) + len(self.lines)


class Journal:
    """One process's way into the journal, and back out of it."""

    def __init__(
        self, database: Database, redis: Client, settings: Settings, clock: Clock
    ) -> None:
        self._database = database
        self._redis = redis
        self._settings = settings
        self._clock = clock
        self._collections: dict[str, Collection] = {}
        self._waiting: dict[str, list[_Waiting]] = {}
        self._waiting_bytes = 0
        self._writers: dict[str, asyncio.Task[None]] = {}
        self._announcements: asyncio.Queue[Pack] = asyncio.Queue(ANNOUNCEMENTS)
        self._announcer: asyncio.Task[None] | None = None

    def collection(self, topic: str) -> Collection:
        """Where a topic's packs are."""
        if topic not in self._collections:
            self._collections[topic] = self._database[topic]
        return self._collections[topic]

    def stream(self, topic: str, shard: int) -> str:
        """The Redis stream on which a shard of a topic is announced."""
        return f"{self._settings.stream_prefix}{topic}.{shard}"

    async def append(
        self,
        topic: str,
        shard: int,
        lines: Sequence[bytes],
        keys: tuple[str, ...] = (),
        *,
        shards: int = 0,
    ) -> None:
        """Return when the lines are durable. `shards`: among how many the shard was chosen, where that has a meaning.

        Raises:
            JournalUnavailableError: they may not be; sending them again is harmless.
        """
        if not lines:
            return
        done = asyncio.get_running_loop().create_future()
        waiting = _Waiting(shard, lines, keys, done, tracing.carried(), shards)
        if self._waiting_bytes + waiting.size > WAITING_BYTES:
            raise JournalFullError("too much waits to be written")
        self._waiting_bytes += waiting.size
        self._waiting.setdefault(topic, []).append(waiting)
        if topic not in self._writers:
            self._writers[topic] = asyncio.create_task(self._write_all(topic))
        await asyncio.shield(waiting.done)

    async def _write_all(self, topic: str) -> None:
        try:
            while batch := self._waiting.pop(topic, None):
                await self._write(topic, batch)
        finally:
            del self._writers[topic]

    async def _write(self, topic: str, batch: list[_Waiting]) -> None:
        packs = self._pack(topic, batch)
        error: Exception | None = None
        try:
            traces = tracing.together(waiting.traces for waiting in batch)
            with (
                metrics.JOURNAL_WRITE_SECONDS.labels(topic).time(),
                tracing.follow("journal.write", traces, topic=topic, packs=len(packs)),
            ):
                await self.collection(topic).insert_many(
                    [pack.document() for pack in packs], ordered=False
                )
        except PyMongoError as failure:
            log.warning("journal write failed", topic=topic, error=str(failure)[:200])
            error = JournalUnavailableError("the journal could not be written")
        self._waiting_bytes -= sum(waiting.size for waiting in batch)
        for waiting in batch:
            if waiting.done.cancelled():
                continue
            if error is None:
                waiting.done.set_result(None)
            else:
                waiting.done.set_exception(error)
                waiting.done.exception()
        if error is None:
            self._announce(packs)

    def _pack(self, topic: str, batch: list[_Waiting]) -> list[Pack]:
        accepted_at = self._clock.now()
        packs = []
        for place in sorted({(waiting.shard, waiting.shards) for waiting in batch}):
            lines: list[bytes] = []
            keys: dict[str, None] = {}
            together = [w for w in batch if (w.shard, w.shards) == place]
            traces = tracing.together(w.traces for w in together)
            size = 0
            for waiting in together:
                keys.update(dict.fromkeys(waiting.keys))
                for line in waiting.lines:
                    if len(lines) >= PACK_EVENTS or (lines and size + len(line) > PACK_BYTES):
                        packs.append(
                            _new_pack(topic, place, accepted_at, lines, tuple(keys), traces)
                        )
                        lines, size = [], 0
                    lines.append(line)
                    size += len(line) + 1
            packs.append(_new_pack(topic, place, accepted_at, lines, tuple(keys), traces))
        for pack in packs:
            metrics.PACK_EVENTS.labels(topic).observe(pack.count)
        return packs

    def _announce(self, packs: list[Pack]) -> None:
        for pack in packs:
            try:
                self._announcements.put_nowait(pack)
            except asyncio.QueueFull:
                metrics.UNANNOUNCED.labels(pack.topic).inc()
        if self._announcer is None or self._announcer.done():
            self._announcer = asyncio.create_task(self._announce_all())

    async def _announce_all(self) -> None:
        while not self._announcements.empty():
            packs = [self._announcements.get_nowait()]
            while not self._announcements.empty() and len(packs) < ANNOUNCED_TOGETHER:
                packs.append(self._announcements.get_nowait())
            try:
                async with self._redis.pipeline(transaction=False) as pipeline:
                    for pack in packs:
                        pipeline.xadd(  # type: ignore[unused-awaitable]
                            self.stream(pack.topic, pack.shard),
                            pack.entry(),  # type: ignore[arg-type]
                            maxlen=self._settings.stream_length,
                            approximate=True,
                        )
                    await pipeline.execute()
            except AWAY as failure:
                metrics.UNANNOUNCED.labels(packs[0].topic).inc(len(packs))
                log.warning("bus unreachable, the journal carries on", error=str(failure)[:120])

    async def ids_since(
        self, topic: str, since: str, passes_over: PassesOver | None = None
    ) -> AsyncIterator[list[str]]:
        """The ids of the packs from an id on, in order, some thousand at a time; but for those passed over."""
        shown = {"_id": 1} if passes_over is None else {name: 1 for name, _ in _SHARDS}
        cursor = self.collection(topic).find({"_id": {"$gte": since}}, shown).sort("_id", 1)
        if passes_over is not None:
            cursor = cursor.hint(_SHARDS)  # answered by the index alone, without the packs
        while found := await cursor.to_list(IDS_A_LISTING):
            yield [
                stored["_id"]
                for stored in found
                if passes_over is None
                or not passes_over(stored["shard"], stored.get("shards") or 0)
            ]

    async def prepare_shards(self, topic: str) -> None:
        """Create the index that `ids_since` needs to pass packs over; harmless when it is there."""
        await self.collection(topic).create_index(_SHARDS)

    async def read(self, topic: str, ids: Sequence[str]) -> list[Pack]:
        """The packs with these ids, in order of id."""
        cursor = self.collection(topic).find({"_id": {"$in": list(ids)}}).sort("_id", 1)
        return [from_document(topic, stored) for stored in await cursor.to_list(None)]

    async def all_packs(
        self, topic: str, until: datetime | None = None, position: str | None = None
    ) -> AsyncIterator[Pack]:
        """Every pack of a topic, in order of id: accepted until an instant, or up to an id."""
        cursor = self.collection(topic).find(_stopping(until, position), batch_size=50)
        cursor = cursor.sort("_id", 1)
        while stored := await cursor.to_list(50):
            for one in stored:
                yield from_document(topic, one)

    async def extent(self, topic: str, until: datetime) -> Extent:
        """What `all_packs` would read until an instant: while it is the same, so are the packs."""
        packs = self.collection(topic)
        newest = await packs.find_one(_stopping(until), {"_id": 0, "at": 1}, sort=[("at", -1)])
        if newest is None:
            return Extent(0, None)
        return Extent(await packs.count_documents(_stopping(newest["at"])), newest["at"])

    async def prepare_extents(self, topic: str) -> None:
        """Create the index that answers `extent`; harmless when it is there."""
        await self.collection(topic).create_index("at")

    async def latest(self, topic: str, most: int, position: str | None = None) -> list[Pack]:
        """The newest packs (up to an id) without what they hold, newest first."""
        cursor = self.collection(topic).find(_stopping(position=position), {"body": 0})
        found = await cursor.sort("_id", -1).to_list(most)
        return [from_document(topic, one | {"body": b""}) for one in found]

    async def close(self) -> None:
        """Wait for what is being written and announced."""
        await asyncio.gather(*self._writers.values(), return_exceptions=True)
        if self._announcer is not None:  # started by the last write, perhaps
            await asyncio.gather(self._announcer, return_exceptions=True)


def _new_pack(
    topic: str,
    place: tuple[int, int],
    at: datetime,
    lines: list[bytes],
    keys: tuple[str, ...],
    traces: tuple[str, ...],
) -> Pack:
    number = id_at(wall_milliseconds()) + os.urandom(6).hex()
    shard, shards = place
    body = b"\n".join(lines)
    return Pack(number, topic, shard, at, len(lines), body, keys, traces, shards)
