"""Divided facts in the whole program: slices and the worker that sums die under load; then the division changes."""

import asyncio
import os
import re
import signal
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
VARIABLE = "THIDUA_SCORING_SLICES"
SILENT = 4.0
"""Seconds."""
pytestmark = [pytest.mark.timeout(240), pytest.mark.xdist_group("programs")]


def scorers(system: System) -> dict[str, int]:
    """`sum`, or the number of a slice -> its process."""
    found = {}
    for pid in system.pids("scoring"):
        told = psutil.Process(pid).environ()
        found[told.get("THIDUA_SCORING_SLICE") or "sum"] = pid
    return found


def facts(system: System) -> dict[str, int]:
    """Scoring worker -> facts in its memory."""
    run = running(system.data)
    assert run is not None
    pages = {
        n: httpx.get(f"{u}/metrics").text for n, u in run.workers.items() if "scoring" in n
    }
    found = {n: re.search(r"^scoring_facts (\S+)$", p, re.MULTILINE) for n, p in pages.items()}
    return {name: int(float(match[1])) for name, match in found.items() if match}


def board_age(system: System) -> float:
    """How old the board says that it is, in seconds."""
    return float(system.standings()["age_seconds"])


async def test_divided_facts_survive_their_workers_and_a_change_of_their_number(
    tmp_path: Path,
) -> None:
    events = events_of(41, EVENTS)
    half = EVENTS // 2
    system = System(tmp_path / "data", free_port(), {VARIABLE: "3"})
    try:
        system.start()
        sender = Sender(system, events[:half], 5)
        async with sending(sender, rate=half / LOAD_SECONDS):
            await kill_some(system)
        ends_right(system, events[:half], RECOVERY_SECONDS)
        divided = facts(system)
        assert divided.pop("scoring") == 0, "the sum holds no facts"
        assert min(divided.values()) > sum(divided.values()) / 4, divided
        await asyncio.to_thread(says_that_a_slice_is_silent, system)
        for division, more in (("2", events[half:]), ("1", events[:10])):
            assert system.stop() == 0
            system.end()
            system = System(system.data, system.port, system.env | {VARIABLE: division})
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


def says_that_a_slice_is_silent(system: System) -> None:
    """Rather than showing what the other slices have."""
    stopped = scorers(system)["2"]
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
