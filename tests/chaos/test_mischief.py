"""Everything is killed, flushed, stopped in the middle of the load; the end equals the oracle, by itself.

One program lives through all of it: what a test asks in the end is everything that any of them has sent.
"""

import asyncio
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

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


class Program:
    """The running program, and everything that was sent to it."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.sent: list[dict[str, Any]] = []

    def load(self, seed: int) -> list[dict[str, Any]]:
        """New events, which will be sent."""
        events = events_of(seed, EVENTS)
        self.sent = self.sent + events
        return events

    def ends_right(self) -> None:
        ends_right(self.system, self.sent, RECOVERY_SECONDS)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    system = System(tmp_path_factory.mktemp("mischief") / "data", free_port())
    try:
        system.start()
        yield Program(system)
    finally:
        system.end()


def bus(system: System) -> redis.Redis:
    run = running(system.data)
    assert run is not None
    return redis.Redis.from_url(run.redis_url)


async def test_shuffled_repeated_events_from_several_clients_give_the_oracles_standings(
    program: Program,
) -> None:
    await Sender(program.system, program.load(11), 1).run()
    program.ends_right()


async def test_killing_each_process_in_the_middle_loses_nothing(program: Program) -> None:
    system, events = program.system, program.load(12)
    said = len(system.output)
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
    wait_until(lambda: sum("died" in line for line in list(system.output)[said:]) >= 4)
    program.ends_right()


async def test_a_rolling_restart_under_load_loses_nothing(program: Program) -> None:
    """As in an upgrade: each process is told to end, the next one only when its successor is ready."""
    system = program.system
    async with sending(Sender(system, program.load(16), 7), 0.05):
        for name in ("scoring", "notifier", "reports", "web"):
            before = system.pids(name)
            assert before, name
            system.kill(name, signal.SIGTERM)
            back = partial(is_back, system, name, before)
            await asyncio.to_thread(wait_until, back, why=system.tail)
    program.ends_right()


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


async def test_a_flushed_bus_is_made_good_from_the_journal(program: Program) -> None:
    async with sending(Sender(program.system, program.load(13), 3), 0.05):
        for _ in range(5):
            await asyncio.sleep(0.3)
            bus(program.system).flushall()
    program.ends_right()


async def test_the_board_moves_on_while_redis_stands_still(program: Program) -> None:
    system, before = program.system, program.sent
    events = program.load(14)
    half = len(events) // 2
    first = before + events[:half]
    await Sender(system, events[:half], 4).run()
    wait_until(lambda: not system.wrong(first))
    system.kill("redis", signal.SIGSTOP)
    try:
        await Sender(system, events[half:], 5).run()
        wait_until(
            lambda: not system.wrong(program.sent),
            RECOVERY_SECONDS,
            lambda: "the board did not move without the bus",
        )
        wait_until(lambda: system.standings()["trouble"] == "bus", RECOVERY_SECONDS)
    finally:
        system.kill("redis", signal.SIGCONT)
    wait_until(lambda: system.standings()["trouble"] is None, RECOVERY_SECONDS)
    program.ends_right()


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
