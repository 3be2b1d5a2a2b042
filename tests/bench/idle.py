"""Yardstick (a): a FastStream consumer that reads the packs which the worker read, in batches, and only counts."""

import asyncio
import time
from typing import Any

import uvloop

from services.runtime import broker as bus
from services.runtime.broker import Entry
from services.runtime.settings import Settings
from tests.bench.parts import main_of, part

LIMIT_SECONDS = 120


@part
def consume(redis_url: str, stream: str, events: int) -> dict[str, Any]:
    """Read a stream from its beginning until so many events have come."""
    return uvloop.run(_consume(Settings(redis_url=redis_url), stream, events))


async def _consume(settings: Settings, stream: str, events: int) -> dict[str, Any]:
    counted = packs = 0
    done = asyncio.Event()

    async def count(entries: list[Entry]) -> None:
        nonlocal counted, packs
        packs += len(entries)
        counted += sum(int(entry[b"count"]) for entry in entries)
        if counted >= events:
            done.set()

    streams = bus.broker(settings)
    subscriber = bus.read_stream(streams, stream, count)
    subscriber.last_id = "0-0"
    began, cpu = time.perf_counter(), time.process_time()
    await streams.start()
    await asyncio.wait_for(done.wait(), LIMIT_SECONDS)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    await streams.stop()
    return {
        "events": counted,
        "packs": packs,
        "events_per_pack": counted / packs,
        "seconds": seconds,
        "events_per_second": counted / seconds,
        "cpu_us_per_event": cpu / counted * 1e6,
    }


if __name__ == "__main__":
    main_of(consume)
