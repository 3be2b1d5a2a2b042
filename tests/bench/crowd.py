"""Many viewers of one board: `python -m tests.bench.crowd [--viewers 10000]`.

How soon an update reaches them, how they come back all at once, whether any sees an older state after a newer one,
and what they cost scoring. Viewers are processes of their own, on the same machine as everything else.
"""

import argparse
import asyncio
import json
import random
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import uvloop

from tests.bench import parts
from tests.bench.client import HOST, Connection, post
from tests.bench.load import PATH, _dossier
from tests.bench.measures import say
from tests.bench.parts import main_of, part, wait_for_go
from tests.bench.sample import BLOC, plan_with, unit_codes
from tests.bench.system import WEB, WORKER, System, running

UNITS = 15
PARTS = 2
OPENED_TOGETHER = 400
PAUSE_SECONDS = 1.5
EVENTS = 60_000
PAUSES = (1.0, 2.0, 4.0, 8.0)
"""A refused viewer tries again after up to so many seconds, as the page does."""
FOLDER = Path(".data/bench-crowd")


class Viewer(asyncio.Protocol):
    """One connection; keeps only the newest version, and when each arrived."""

    def __init__(self, crowd: "Crowd") -> None:
        self._crowd = crowd
        self._rest = b""
        self.newest = -1
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self._rest = cast("asyncio.Transport", transport), b""
        self.transport.write(self._crowd.request)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        end = data.rfind(b"\n\n")
        self._rest = data[end:] if end >= 0 else data
        at = data.find(b"\nid: 0-")
        while 0 <= at < end:
            stop = data.index(b"\n", at + 7)
            self._take(int(data[at + 7 : stop]), data.rfind(b"event: snapshot", 0, at) >= 0)
            at = data.find(b"\nid: 0-", stop)

    def _take(self, version: int, snapshot: bool) -> None:  # noqa: FBT001 - hot path
        if version < self.newest:
            self._crowd.older += 1
        if version > self.newest:
            self._crowd.seen.setdefault(version, []).append(time.monotonic())
        if snapshot:
            self._crowd.snapshots += 1
        self.newest = max(version, self.newest)


class Crowd:
    """All viewers of one process."""

    def __init__(self, port: int, path: str) -> None:
        self.request = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
        self.port = port
        self.viewers: list[Viewer] = []
        self.seen: dict[int, list[float]] = {}
        self.older = 0
        self.snapshots = 0
        self.refused = 0

    async def enter(self, viewers: list[Viewer], together: int) -> None:
        loop = asyncio.get_running_loop()
        gate = asyncio.Semaphore(together)

        async def one(viewer: Viewer) -> None:
            async with gate:
                for pause in (0.0, *PAUSES):
                    await asyncio.sleep(pause * random.random())
                    with suppress(ConnectionError):
                        await loop.create_connection(lambda: viewer, HOST, self.port)
                        return
                    self.refused += 1
                raise ConnectionRefusedError

        await asyncio.gather(*map(one, viewers))

    async def until_snapshots(self, wanted: int, limit: float = 300) -> None:
        async with asyncio.timeout(limit):
            while self.snapshots < wanted:
                await asyncio.sleep(0.01)


@part
def viewers(port: int, path: str, count: int, seconds: float, back: int) -> dict[str, Any]:
    """Look on for some seconds, then leave and come back all at once."""
    return uvloop.run(_look(port, path, count, seconds, back))


async def _look(port: int, path: str, count: int, seconds: float, back: int) -> dict[str, Any]:
    crowd = Crowd(port, path)
    crowd.viewers = [Viewer(crowd) for _ in range(count)]
    await crowd.enter(crowd.viewers, OPENED_TOGETHER)
    await crowd.until_snapshots(count)
    crowd.seen.clear()
    wait_for_go()
    await asyncio.sleep(seconds)
    seen, crowd.seen = crowd.seen, {}
    took = await _come_back(crowd, back) if back else 0.0
    await asyncio.sleep(3)
    newest = [viewer.newest for viewer in crowd.viewers]
    return {
        "updates": {f"{v}": _spread(times) for v, times in seen.items()},
        "back_seconds": took,
        "older": crowd.older,
        "refused": crowd.refused,
        "newest": [min(newest), max(newest)],
    }


async def _come_back(crowd: Crowd, back: int) -> float:
    leaving = crowd.viewers[:back]
    for viewer in leaving:
        if viewer.transport is not None:
            viewer.transport.abort()
    crowd.snapshots = 0
    began = time.monotonic()
    await crowd.enter(leaving, back)
    await crowd.until_snapshots(back)
    return time.monotonic() - began


def _spread(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    at = {"first": 0.0, "p50": 0.5, "p99": 0.99, "last": 1.0}
    found = {name: ordered[int((len(ordered) - 1) * q)] for name, q in at.items()}
    return found | {"count": float(len(ordered))}


async def crowd(count: int, seconds: float, back: int, *, throughput: bool) -> dict[str, Any]:
    """One run."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    plan = plan_with(UNITS)
    async with running(FOLDER, plan) as system:
        alone = await _rate(system, 1) if throughput else None
        say(f"{count:,} viewers")
        looking = [
            await parts.begin(
                "crowd",
                "viewers",
                port=system.ports[WEB],
                path=f"/api/v1/standings/{plan.id}/{BLOC}/stream?period=2023",
                count=count // PARTS,
                seconds=seconds + (30 if throughput else 0),
                back=back // PARTS,
            )
            for _ in range(PARTS)
        ]
        for one in looking:
            await one.prepared()
        for one in looking:
            one.go()
        cpu = system.cpu()
        sent = await _trickle(system, seconds)
        quiet_until = time.monotonic()
        used = {n: round(s - cpu[n], 2) for n, s in system.cpu().items()}
        watched = await _rate(system, 2) if throughput else None
        found = [await one.result() for one in looking]
        rss = system.resident()[WEB]
    return {
        "viewers": count,
        "update_ms": _updates(found, sent, quiet_until),
        "back": {"viewers": back, "seconds": max(f["back_seconds"] for f in found)},
        "refused": sum(f["refused"] for f in found),
        "older_after_newer": sum(f["older"] for f in found),
        "all_end_with": sorted({v for f in found for v in f["newest"]}),
        "cpu_seconds": used,
        "over_seconds": seconds,
        "web_rss_mb": round(rss),
        "events_per_second": {"alone": alone, "watched": watched},
    }


async def _trickle(system: System, seconds: float) -> list[float]:
    """One event now and then; returns the moments of sending."""
    connection = await Connection.open(system.ports[WEB])
    units = unit_codes(system.plan, UNITS)
    procedure = next(p.code for p in system.plan.catalogue if p.level == "full")
    sent: list[float] = []
    until = time.monotonic() + seconds - 3
    while time.monotonic() < until:
        number = len(sent)
        body = _dossier(units[number % len(units)], procedure, number, "crowd")
        sent.append(time.monotonic())
        await connection.send(post(PATH, system.token, body))
        await asyncio.sleep(PAUSE_SECONDS)
    connection.close()
    return sent


def _updates(found: list[dict[str, Any]], sent: list[float], until: float) -> dict[str, float]:
    """From sending to 50 %, 99 % and all of the viewers, of the worst and of the median update.

    Only while single events are sent, not under the load that follows.
    """
    whole: dict[str, list[float]] = {"p50": [], "p99": [], "last": []}
    for version in found[0]["updates"]:
        spreads = [f["updates"][version] for f in found if version in f["updates"]]
        before = [at for at in sent if at <= min(s["first"] for s in spreads)]
        first = min((s["first"] for s in spreads), default=0.0)
        if len(spreads) < len(found) or not before or first > until:
            continue
        for name, values in whole.items():
            values.append(max(s[name] for s in spreads) - before[-1])
    said: dict[str, float] = {"updates": len(whole["p99"])}
    for name, values in whole.items():
        if values:
            said[f"{name} median"] = round(1_000 * sorted(values)[len(values) // 2])
            said[f"{name} worst"] = round(1_000 * max(values))
    return said


async def _rate(system: System, seed: int) -> float:
    """Events a second from the first batch to the last fold."""
    path = FOLDER / f"events-{seed}.jsonl"
    await parts.run(
        "sample", "write", path=str(path), events_wanted=EVENTS, units=UNITS, seed=seed
    )
    before = await system.metric(WORKER, "scoring_events_total")
    load = await parts.begin(
        *("load", "batches"),
        port=system.ports[WEB],
        token=system.token,
        path=str(path),
        size=500,
        clients=4,
    )
    await load.prepared()
    began = time.monotonic()
    load.go()
    while await system.metric(WORKER, "scoring_events_total") < before + EVENTS:
        await asyncio.sleep(0.05)
    took = time.monotonic() - began
    await load.result()
    return round(EVENTS / took)


def main() -> None:
    """Print one run as JSON."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--viewers", type=int, default=10_000)
    given.add_argument("--seconds", type=float, default=20)
    given.add_argument("--back", type=int, default=5_000)
    given.add_argument("--no-throughput", action="store_true")
    asked = given.parse_args()
    result = asyncio.run(
        crowd(asked.viewers, asked.seconds, asked.back, throughput=not asked.no_throughput)
    )
    sys.stdout.write(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == [viewers.name]:
        main_of(viewers)
    else:
        main()
