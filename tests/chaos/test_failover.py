"""Installations of several members: the primaries of both databases die under load; nothing is lost, nobody helps."""

import asyncio
import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.runtime import broker as bus
from services.runtime.datafolder import free_port, running
from services.runtime.settings import Settings
from tests.support import members
from tests.support.members import Members
from tests.support.system import Sender, System, ends_right, events_of, sending
from tests.support.waiting import until, wait_until

EVENTS = 4_000
TRIES = 20
RECOVERY_SECONDS = 60
STREAM = "thidua:indicator.0"
pytestmark = [pytest.mark.timeout(240), pytest.mark.xdist_group("storms")]


async def the_bus_carries_again(system: System) -> None:
    """An event comes to scoring without being looked for in the journal."""
    run = running(system.data)
    assert run is not None

    def measured(name: str) -> float:
        page = httpx.get(f"{run.workers['scoring']}/metrics", timeout=60).text
        found = re.search(rf'^{name}(?:{{topic="indicator"}})? (\S+)$', page, re.MULTILINE)
        return float(found[1]) if found else 0.0

    async def comes_by_bus(event: dict[str, object]) -> bool:
        before = measured("catch_up_found_packs_total"), measured("scoring_packs_total")
        await Sender(system, [event], 1).run()
        await asyncio.to_thread(
            wait_until, lambda: measured("scoring_packs_total") > before[1], RECOVERY_SECONDS
        )
        return measured("catch_up_found_packs_total") == before[0]

    for event in events_of(32, TRIES):
        if await comes_by_bus(event):
            return
    raise AssertionError(f"none of {TRIES} events came by the bus")


@pytest.mark.parametrize("bus", [members.sentinels, members.redis_cluster])
async def test_the_primaries_die_under_load_and_the_end_equals_the_oracle(
    tmp_path: Path, bus: Callable[[Members], str]
) -> None:
    events = events_of(31, EVENTS)
    with members.members(tmp_path / "members") as servers:
        mongo_url, redis_url = members.replica_set(servers), bus(servers)
        system = System(
            tmp_path / "data", free_port(), {"MONGO_URL": mongo_url, "REDIS_URL": redis_url}
        )
        try:
            system.start()
            sender = Sender(system, events, 4)
            async with sending(sender, pause=0.2):
                await asyncio.to_thread(
                    wait_until, lambda: sender.accepted > EVENTS // 4, 60, system.tail
                )
                of_stream = members.stream_primary(redis_url, STREAM)
                servers.kill(of_stream)
                await asyncio.to_thread(
                    wait_until, lambda: sender.accepted > EVENTS // 2, 60, system.tail
                )
                elected = members.mongo_primary(mongo_url)
                servers.kill(elected)
            ends_right(system, events, RECOVERY_SECONDS)
            assert members.mongo_primary(mongo_url) != elected
            assert members.stream_primary(redis_url, STREAM) != of_stream
            await the_bus_carries_again(system)
        finally:
            system.end()


async def test_a_reader_that_was_busy_while_a_member_died_reads_on(tmp_path: Path) -> None:
    with members.members(tmp_path) as servers:
        settings = Settings(redis_url=members.redis_cluster(servers))
        streams, redis = bus.broker(settings), bus.connect(settings)
        busy, free, came = asyncio.Event(), asyncio.Event(), asyncio.Queue[bytes]()

        async def handle(entries: list[bus.Entry]) -> None:
            busy.set()
            await free.wait()
            for entry in entries:
                came.put_nowait(entry[b"body"])

        async def tell(body: str) -> bool:
            with contextlib.suppress(*bus.AWAY):
                await redis.xadd(STREAM, {"body": body})
                return True
            return False

        subscriber = bus.read_stream(streams, STREAM, handle)
        await bus.start_at_newest(redis, STREAM, subscriber)
        try:
            await bus.start(streams)
            assert await tell("before")
            await asyncio.wait_for(busy.wait(), 10)
            client: Any = await streams.connect()
            servers.kill(client.get_default_node().port)
            free.set()
            assert await asyncio.wait_for(came.get(), 10) == b"before"
            await until(lambda: tell("after"), RECOVERY_SECONDS)
            assert await asyncio.wait_for(came.get(), 20) == b"after"
        finally:
            await asyncio.wait_for(streams.stop(), 10)
            await redis.aclose()
