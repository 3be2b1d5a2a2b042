"""What every process holds: clients, journal, clock. Made in an app, closed in an app."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from faststream.redis import RedisBroker

from services.runtime import broker as bus, mongo
from services.runtime.clock import Clock
from services.runtime.consuming import Consumer
from services.runtime.health import Health
from services.runtime.journal import Journal
from services.runtime.logging import get_logger
from services.runtime.settings import Settings

log = get_logger(__name__)
START_SECONDS = 5
STOP_SECONDS = 2


@dataclass(slots=True)
class Resources:
    """The clients of one process."""

    settings: Settings
    clock: Clock
    client: mongo.Client
    redis: bus.Client
    streams: RedisBroker
    journal: Journal
    _subscribed: list[tuple[str, Any]] = field(default_factory=list)

    def subscribe(self, consumer: Consumer) -> None:
        """Let the bus bring a consumer its packs; before `start_bus`."""
        self._subscribed.extend(consumer.subscribe(self.streams))

    def listen(self, stream: str, handle: bus.HandleEntries) -> None:
        """Let the bus bring the raw entries of a stream; before `start_bus`."""
        self._subscribed.append((stream, bus.read_stream(self.streams, stream, handle)))

    async def start_bus(self, health: Health) -> None:
        """Start reading; while Redis is away go on without it and try again each second."""
        for stream, subscriber in self._subscribed:
            await bus.start_at_newest(self.redis, stream, subscriber)
        if not await self._try_start():
            log.warning("bus unreachable at start, the journal carries on")
            health.watch("bus", self._start_later())

    async def _try_start(self) -> bool:
        try:
            await asyncio.wait_for(bus.start(self.streams), START_SECONDS)
        except Exception:  # noqa: BLE001 - FastStream raises whatever its client raises
            return False
        return True

    async def _start_later(self) -> None:
        while True:
            if await self._try_start():
                await asyncio.Event().wait()
            await asyncio.sleep(1)


@asynccontextmanager
async def resources(settings: Settings) -> AsyncIterator[Resources]:
    """The clients of a process, closed in the end."""
    client = mongo.connect(settings)
    redis = bus.connect(settings)
    clock = Clock.of(settings)
    streams = bus.broker(settings)
    database = mongo.database(client, settings, "journal")
    journal = Journal(database, redis, settings, clock)
    try:
        yield Resources(settings, clock, client, redis, streams, journal)
    finally:
        for ending in (streams.stop(), journal.close(), redis.aclose()):
            with suppress(TimeoutError):
                await asyncio.wait_for(ending, STOP_SECONDS)
        client.close()
