"""Divided facts in the whole program: workers die, come and go under load; then the division changes."""

import asyncio
import os
import re
import signal
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from services.runtime.datafolder import free_port, running
from tests.support.system import Sender, System, ends_right, events_of, sending
from tests.support.waiting import wait_until

EVENTS = 4_000
LOAD_SECONDS = 8
RECOVERY_SECONDS = 40
SLICES = "THIDUA_SCORING_SLICES"
WORKERS = "THIDUA_SCORING_WORKERS"
ORDINAL = "THIDUA_SCORING_ORDINAL"
SILENT = 4.0
"""Seconds."""
pytestmark = [pytest.mark.timeout(240), pytest.mark.xdist_group("programs")]


def scorers(system: System) -> dict[str, int]:
    """`sum`, or the ordinal of a worker of slices -> its process."""
    found = {}
    for pid in system.pids("scoring"):
        told = psutil.Process(pid).environ()
        found[told.get(ORDINAL) or "sum"] = pid
    return found


def facts(system: System) -> dict[str, int]:
    """Scoring worker -> facts in its memory."""
    run = running(system.data)
    assert run is not None
    pages = {
        n: httpx.get(f"{u}/metrics").text for n, u in run.workers.items() if "scoring" in n
    }
    return {name: sampled(page, "scoring_facts") for name, page in pages.items()}


def sampled(page: str, name: str) -> int:
    """A metric, summed over its labels."""
    found = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", page, re.MULTILINE)
    return int(sum(map(float, found)))


def board_age(system: System) -> float:
    """How old the board says that it is, in seconds."""
    return float(system.standings()["age_seconds"])


async def test_divided_facts_survive_their_workers_and_a_change_of_their_number(
    tmp_path: Path,
) -> None:
    events = events_of(41, EVENTS)
    half = EVENTS // 2
    system = System(tmp_path / "data", free_port(), {SLICES: "3", WORKERS: "2"})
    try:
        system.start()
        sender = Sender(system, events[:half], 5)
        async with sending(sender, rate=half / LOAD_SECONDS):
            await kill_some(system)
            await one_more_for_a_while(system)
        ends_right(system, events[:half], RECOVERY_SECONDS)
        divided = facts(system)
        assert divided.pop("scoring") == 0, "the sum holds no facts"
        assert min(divided.values()) > sum(divided.values()) / 5, divided
        await asyncio.to_thread(says_that_a_slice_is_silent, system)
        for division, more in (("2", events[half:]), ("1", events[:10])):
            assert system.stop() == 0
            system.end()
            system = System(system.data, system.port, {SLICES: division})
            system.start()
            await Sender(system, more, 6).run()
            wait_until(partial(_is_right, system, events), RECOVERY_SECONDS, system.tail)
            assert sum(facts(system).values()) == len(_ids(events))
    finally:
        system.end()


async def kill_some(system: System) -> None:
    """Slices and the sum, one after the other."""
    for name in ("1", "sum", "0"):
        await asyncio.sleep(1.0)
        before = scorers(system)[name]
        os.kill(before, signal.SIGKILL)
        anew = partial(_is_anew, system, name, before)
        await asyncio.to_thread(wait_until, anew, why=system.tail)


async def one_more_for_a_while(system: System) -> None:
    """A third worker takes its share from the others, and gives it back when it is told to end."""
    port = free_port()
    told = psutil.Process(scorers(system)["0"]).environ()
    more = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.scoring.app"),
        env=told | {ORDINAL: "2", "THIDUA_PORT": str(port)},
    )

    def carries(count: int) -> bool:
        with suppress(httpx.HTTPError):
            page = httpx.get(f"http://127.0.0.1:{port}/metrics").text
            return sampled(page, "scoring_slices_carried") == count
        return False

    try:
        await asyncio.to_thread(wait_until, partial(carries, 1), why=system.tail)
        more.terminate()
        assert await asyncio.wait_for(more.wait(), RECOVERY_SECONDS) in {0, -signal.SIGTERM}
    finally:
        if more.returncode is None:
            more.kill()
            await more.wait()


def says_that_a_slice_is_silent(system: System) -> None:
    """Rather than showing what the other slices have."""
    stopped = scorers(system)["1"]
    os.kill(stopped, signal.SIGSTOP)
    wait_until(lambda: board_age(system) > SILENT, why=system.tail)
    os.kill(stopped, signal.SIGCONT)
    wait_until(lambda: board_age(system) < SILENT, why=system.tail)


def _ids(events: list[dict[str, Any]]) -> set[object]:
    return {e.get("dossier") or (e["type"], e["subject"]) for e in events}


def _is_right(system: System, events: list[dict[str, Any]]) -> bool:
    return not system.wrong(events)


def _is_anew(system: System, name: str, before: int) -> bool:
    return scorers(system).get(name, before) != before
