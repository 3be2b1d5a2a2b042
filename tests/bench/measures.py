"""The measures of a run, one function each."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench import parts
from tests.bench.parts import BenchError
from tests.bench.plain import MONTHS, PERIODS, Counters
from tests.bench.sample import BLOC, unit_codes
from tests.bench.system import WEB, WORKER, System

BATCH = 500
CLIENTS = 4
FOLDED = "scoring_events_total"
BEHIND = "scoring_write_behind_facts"
CHECKED = ("2023", "2023-Q3", MONTHS[1])
SAMPLE_SECONDS = 0.5
DRAIN_SECONDS = 900
FOLD_SECONDS = 600
BOARD_SECONDS = 900
Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    events: int
    rival_single_events: int
    history: list[int]
    history_slice: int
    freshness_seconds: float
    singles_seconds: float
    freshness_rate: int = 500
    freshness_clients: int = 20
    singles_clients: int = 100
    alerted_units: int = 3_321

    @classmethod
    def of(cls, events: int | None, *, quick: bool) -> "Sizes":
        """The sizes of the issue, or a twentieth of them."""
        part = 20 if quick else 1
        return cls(
            events or 1_000_000 // part,
            20_000 // part,
            [n // part for n in (10_000, 100_000, 1_000_000, 5_000_000)],
            10_000 // min(part, 4),
            max(4.0, 20 / part),
            max(3.0, 10 / part),
            alerted_units=3_321 // part,
        )


def say(text: str) -> None:
    """Progress, for who waits."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')}  {text}\n")
    sys.stderr.flush()


def _less(after: dict[str, float], before: dict[str, float]) -> dict[str, float]:
    return {name: round(value - before.get(name, 0), 3) for name, value in after.items()}


async def compare(
    system: System, reference: Counters, periods: tuple[str, ...] = CHECKED
) -> list[str]:
    """The units of whose numbers the board shows others than the reference, with their period."""
    wrong = []
    for period in periods:
        board, wanted = await system.board(period), reference[period]
        units = board.keys() | wanted.keys()
        wrong += [f"{period} {unit}" for unit in units if board.get(unit) != wanted.get(unit)]
    return sorted(wrong)


class _Series:
    """Folded events and CPU seconds, every half second."""

    def __init__(self, system: System) -> None:
        self._system = system
        self.points: list[tuple[float, float, dict[str, float]]] = []

    async def follow(self, events: int) -> None:
        """Until all are folded."""
        limit = time.monotonic() + FOLD_SECONDS
        told = time.monotonic()
        base = await self._system.metric(WORKER, FOLDED)
        while time.monotonic() < limit:
            folded = await self._system.metric(WORKER, FOLDED) - base
            self.points.append((time.monotonic(), folded, self._system.cpu()))
            if folded >= events:
                return
            if time.monotonic() > told + 5:
                told = time.monotonic()
                say(f"  {folded:,.0f} of {events:,} folded")
            await asyncio.sleep(SAMPLE_SECONDS)
        raise BenchError(f"not all events were folded within {FOLD_SECONDS} s")

    def cost(self, first: float, last: float) -> Result | None:
        """CPU microseconds an event between two sizes of history; None when it was too quick to tell."""
        inside = [point for point in self.points if first <= point[1] <= last]
        if len(inside) < 2 or inside[-1][1] <= inside[0][1]:
            return None
        (_, n, before), (_, m, after) = inside[0], inside[-1]
        spent = {k: round((after[k] - before[k]) / (m - n) * 1e6, 2) for k in (WEB, WORKER)}
        return {"from": n, "to": m} | spent


async def sustained(system: System, path: Path, sizes: Sizes, reference: Result) -> Result:
    """Portal to board, batches over HTTP; void when a counter of the board is wrong in the end."""
    complete = await _first_board(system)
    say(f"{len(system.plan.units_of(BLOC)):,} units: preparing {sizes.events:,} events")
    load = await parts.begin(
        *("load", "batches"),
        port=system.ports[WEB],
        token=system.token,
        path=str(path),
        size=BATCH,
        clients=CLIENTS,
    )
    await load.prepared()
    before, resident, series = system.cpu(), system.resident(), _Series(system)
    load.go()
    began = time.monotonic()
    following = asyncio.create_task(series.follow(sizes.events))
    sent = await load.result()
    await following
    folded = time.monotonic()
    on_board = await _until_shown(system, reference["counters"])
    cpu = _less(system.cpu(), before)
    drained = await drain(system)
    if sent["accepted"] != sizes.events:
        raise BenchError(f"{sent['accepted']:,} of {sizes.events:,} events were accepted")
    if wrong := await compare(system, reference["counters"]):
        raise BenchError(f"the board differs from the reference: {', '.join(wrong[:5])} …")
    seconds = on_board - began
    dossiers = reference["dossiers"]
    after = system.resident()
    return {
        "events": sizes.events,
        "first_board_seconds": complete,
        "bytes_per_event": _size(path) / sizes.events,
        "accepted_seconds": sent["seconds"],
        "folded_seconds": folded - began,
        "seconds": seconds,
        "events_per_second": sizes.events / seconds,
        "batch_ms": sent["batch_ms"],
        "write_behind_drained_seconds": drained - began,
        "cpu_seconds_to_board": cpu | {"client": round(sent["sending_cpu_seconds"], 3)},
        "cpu_us_per_event": {n: round(s / sizes.events * 1e6, 2) for n, s in cpu.items()},
        "cpu_seconds_to_drained": _less(system.cpu(), before),
        "rss_mb": {name: round(value, 1) for name, value in after.items()},
        "dossiers": dossiers,
        "worker_mb_per_million_dossiers": (after[WORKER] - resident[WORKER]) / dossiers * 1e6,
        "cost_by_history": [
            cost
            for first, last in ((0, 0.1), (0.45, 0.55), (0.9, 1))
            if (cost := series.cost(first * sizes.events, last * sizes.events))
        ],
    }


def _size(path: Path) -> int:
    return path.stat().st_size


async def _first_board(system: System) -> float:
    """Seconds until a board without events shows every unit with all its indicators."""
    say("waiting for the first board")
    began = time.monotonic()
    pause = len(system.plan.units) / 1_000  # a look at thousands of rows is work for the web

    async def complete() -> bool:
        board = await system.board(MONTHS[-1])  # the last one that the worker computes
        return bool(system.shown) and [-1] not in board.values()

    await system.wait_until(complete, BOARD_SECONDS, "the first board", pause)
    return time.monotonic() - began


async def _until_shown(system: System, counters: Counters) -> float:
    """When the board was asked that showed all; each look costs the web, so they are far between."""
    limit = time.monotonic() + BOARD_SECONDS
    while time.monotonic() < limit:
        asked = time.monotonic()
        if not await compare(system, counters, CHECKED[:1]):
            return asked
        await asyncio.sleep(max(0.05, 2 * (time.monotonic() - asked)))
    wrong = await compare(system, counters, CHECKED[:1])
    raise BenchError(f"the board never showed all events; wrong at the end: {wrong[:5]} …")


async def drain(system: System) -> float:
    """When all facts were stored."""
    say("  write-behind")
    seen = 0

    async def stored() -> bool:
        nonlocal seen
        seen = seen + 1 if await system.metric(WORKER, BEHIND) == 0 else 0
        return seen > 2

    await system.wait_until(stored, DRAIN_SECONDS, "write-behind", 0.3)
    return time.monotonic()


async def _measured(system: System, kind: str, **parameters: Any) -> Result:
    load = await parts.begin(
        *("load", kind),
        port=system.ports[WEB],
        token=system.token,
        units=unit_codes(system.plan, 15),
        procedure=_full_procedure(system),
        **parameters,
    )
    await load.prepared()
    before = system.cpu()
    load.go()
    result: Result = await load.result()
    return result | {"cpu_seconds": _less(system.cpu(), before)}


def _full_procedure(system: System) -> str:
    return next(p.code for p in system.plan.catalogue if p.level == "full")


async def freshness(system: System, sizes: Sizes) -> Result:
    """Request sent until a viewer of the live stream has it, single posts on a schedule."""
    say(f"freshness: {sizes.freshness_rate} single posts/s for {sizes.freshness_seconds:.0f} s")
    result = await _measured(
        system,
        "freshness",
        board=f"{system.plan.id}/{BLOC}",
        rate=sizes.freshness_rate,
        seconds=sizes.freshness_seconds,
        clients=sizes.freshness_clients,
    )
    if result["seen"] != result["sent"]:
        raise BenchError(f"the viewer saw {result['seen']} of {result['sent']} events")
    return result


async def singles(system: System, sizes: Sizes) -> Result:
    """Single posts by many clients at once."""
    say(f"single posts: {sizes.singles_clients} clients for {sizes.singles_seconds:.0f} s")
    return await _measured(
        system, "singles", seconds=sizes.singles_seconds, clients=sizes.singles_clients
    )


async def idle_consumer(system: System, events: int) -> Result:
    """Yardstick (a)."""
    say("yardstick: no-op FastStream consumer")
    result: Result = await parts.run(
        "idle",
        "consume",
        redis_url=system.addresses.redis_url,
        stream=system.stream,
        events=events,
    )
    return result


async def ways_back(system: System) -> Result:
    """Kill the worker; until it is ready again with the same board: from facts, and from the journal alone."""
    say("restart of the worker")
    restart = await _again(system, _nothing)
    say("rebuild from the journal alone")
    return {"restart": restart, "rebuild": await _again(system, system.forget_facts)}


async def _nothing() -> None:
    """Facts stay."""


async def _again(system: System, meanwhile: Callable[[], Awaitable[None]]) -> Result:
    await drain(system)
    before = {period: await system.board(period) for period in PERIODS}
    await system.kill(WORKER)
    await meanwhile()
    killed = time.monotonic()
    seconds = await system.start(WORKER)
    loaded, found = system.logged(WORKER, "facts loaded"), system.logged(WORKER, "caught up")
    await system.wait_until(lambda: _same(system, before), BOARD_SECONDS, "the same board", 0.3)
    return {
        "seconds": seconds,
        "board_seconds": time.monotonic() - killed,
        "facts_loaded": loaded.get("facts"),
        "facts_seconds": loaded.get("seconds"),
        "packs_caught_up": found.get("packs"),
        "facts": found.get("facts"),
        "cpu_seconds": system.cpu()[WORKER],
        "worker_rss_mb": system.resident()[WORKER],
    }


async def _same(system: System, before: Counters) -> bool:
    return not await compare(system, before, CHECKED)
