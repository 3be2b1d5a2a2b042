"""Everything is killed, flushed, stopped in the middle of the load; the end equals the oracle, by itself."""

import asyncio
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest
import redis

from services.runtime.datafolder import free_port, running
from tests.support.system import Sender, System, ends_right, events_of, sending
from tests.support.waiting import wait_until

EVENTS = 6_000
RECOVERY_SECONDS = 40
KILLING_SECONDS = 15
"""How long events come while one process after the other is killed."""
pytestmark = [pytest.mark.timeout(240), pytest.mark.xdist_group("storms")]


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path / "data", free_port())
    try:
        system.start()
        yield system
    finally:
        system.end()


def bus(system: System) -> redis.Redis:
    run = running(system.data)
    assert run is not None
    return redis.Redis.from_url(run.redis_url)


async def test_shuffled_repeated_events_from_several_clients_give_the_oracles_standings(
    system: System,
) -> None:
    events = events_of(11, EVENTS)
    await Sender(system, events, 1).run()
    ends_right(system, events, RECOVERY_SECONDS)


async def test_killing_each_process_in_the_middle_loses_nothing(system: System) -> None:
    events = events_of(12, EVENTS)
    sender = Sender(system, events, 2)
    async with sending(sender, rate=EVENTS / KILLING_SECONDS):
        for name in ("web", "worker", "redis", "mongod"):
            await asyncio.sleep(1.0)
            assert sender.accepted < len(events), "all was sent before the last kill"
            before = system.pids(name)
            assert before, name
            system.kill(name)
            anew = partial(is_anew, system, name, before)
            await asyncio.to_thread(wait_until, anew, why=system.tail)
    wait_until(lambda: sum("died" in line for line in system.output) >= 4)
    ends_right(system, events, RECOVERY_SECONDS)


async def test_a_rolling_restart_under_load_loses_nothing(system: System) -> None:
    """As in an upgrade: each process is told to end, the next one only when its successor is ready."""
    events = events_of(16, EVENTS)
    async with sending(Sender(system, events, 7), 0.05):
        for name in ("scoring", "notifier", "reports", "web"):
            before = system.pids(name)
            assert before, name
            system.kill(name, signal.SIGTERM)
            back = partial(is_back, system, name, before)
            await asyncio.to_thread(wait_until, back, why=system.tail)
    ends_right(system, events, RECOVERY_SECONDS)


def is_anew(system: System, name: str, before: list[int]) -> bool:
    """Another process stands in the place of those that ended."""
    now = system.pids(name)
    return bool(now) and not set(now) & set(before)


def is_back(system: System, name: str, before: list[int]) -> bool:
    """Another process stands in the place of those that ended, and the whole is ready."""
    return is_anew(system, name, before) and is_ready(system)


def is_ready(system: System) -> bool:
    try:
        return httpx.get(f"{system.base}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


async def test_a_flushed_bus_is_made_good_from_the_journal(system: System) -> None:
    events = events_of(13, EVENTS)
    async with sending(Sender(system, events, 3), 0.05):
        for _ in range(5):
            await asyncio.sleep(0.3)
            bus(system).flushall()
    ends_right(system, events, RECOVERY_SECONDS)


async def test_the_board_moves_on_while_redis_stands_still(system: System) -> None:
    events = events_of(14, EVENTS)
    half = len(events) // 2
    await Sender(system, events[:half], 4).run()
    wait_until(lambda: not system.wrong(events[:half]))
    system.kill("redis", signal.SIGSTOP)
    try:
        await Sender(system, events[half:], 5).run()
        wait_until(
            lambda: not system.wrong(events),
            RECOVERY_SECONDS,
            lambda: "the board did not move without the bus",
        )
        wait_until(lambda: system.standings()["trouble"] == "bus", RECOVERY_SECONDS)
    finally:
        system.kill("redis", signal.SIGCONT)
    wait_until(lambda: system.standings()["trouble"] is None, RECOVERY_SECONDS)
    ends_right(system, events, RECOVERY_SECONDS)


async def test_killing_everything_at_once_is_survived_by_the_next_start(
    tmp_path: Path,
) -> None:
    events = events_of(15, EVENTS)
    first = System(tmp_path / "data", free_port())
    second = System(tmp_path / "data", free_port())
    try:
        first.start()
        await Sender(first, events, 6).run()
        first.end()
        second.start()
        ends_right(second, events, RECOVERY_SECONDS)
        assert second.stop() == 0
        stopped = second.verify()
        assert stopped.returncode == 0, stopped.stdout
    finally:
        first.end()
        second.end()
