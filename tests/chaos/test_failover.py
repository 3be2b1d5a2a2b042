"""Installations of several members: the primaries of both databases die under load; nothing is lost, nobody helps."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from services.runtime.datafolder import free_port, running
from tests.support import members
from tests.support.members import Members
from tests.support.system import Sender, System, ends_right, events_of, sending
from tests.support.waiting import wait_until

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
