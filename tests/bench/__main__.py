"""`python -m tests.bench`: measures the whole system on this machine and prints what it found."""

import argparse
import asyncio
import os
import platform
import shutil
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec
import psutil

from services.runtime.clock import wall_now
from tests.bench import measures, parts
from tests.bench.measures import Result, Sizes, say
from tests.bench.parts import BenchError
from tests.bench.record import append
from tests.bench.report import table
from tests.bench.sample import plan_with
from tests.bench.system import System, running
from tests.support.chromium import CHROMIUM

UNITS = (15, 3_321)
NAMES = (
    "sustained",
    "freshness",
    "singles",
    "restart",
    "history",
    "yardsticks",
    "alerts",
    "packages",
    "paint",
)
MAILS_PER_MINUTE = 60_000
"""A limit that does not limit: what is asked for is how fast it could go."""
OUT = Path(".data/bench")


class Bench:
    """One run."""

    def __init__(self, folder: Path, sizes: Sizes, only: set[str]) -> None:
        self._folder = folder
        self._sizes = sizes
        self._only = only
        self._references: dict[int, Result] = {}
        self.results: Result = {}
        self.void: dict[str, str] = {}
        """Measures that failed, and why; the others stand."""

    async def run(self) -> None:
        """Everything wanted, one after the other."""
        if "alerts" in self._only:
            await self._try("alerts", self._alerts())
        if self._only - {"history", "alerts", "packages", "paint"}:
            await self._try(f"{UNITS[0]} units", self._system(UNITS[0]))
        if "yardsticks" in self._only:
            await self._try("yardsticks", self._yardsticks())
        if "history" in self._only:
            await self._try("history", self._history())
        if "packages" in self._only:
            await self._try("packages", self._packages())
        if "paint" in self._only:
            await self._try("paint", self._paint())
        if "sustained" in self._only:
            await self._try(f"{UNITS[1]:,} units", self._system(UNITS[1]))

    async def _try(self, name: str, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except BenchError as error:
            say(f"{name}: void, {error}")
            self.void[name] = str(error)

    async def _history(self) -> None:
        say(f"cost of an event at up to {self._sizes.history[-1]:,} events of history")
        self.results["history"] = await parts.run(
            "history",
            "grow",
            sizes=self._sizes.history,
            slice_events=self._sizes.history_slice,
            units=UNITS[0],
        )

    async def _packages(self) -> None:
        say(f"a national package: {UNITS[1]:,} units")
        self.results["packages"] = await parts.run("packages", "national", units=UNITS[1])

    async def _paint(self) -> None:
        if CHROMIUM is None:
            raise BenchError("chromium is not installed")
        say("first paint of the board's pages on a slow phone")
        self.results["paint"] = await parts.run("paint", "pages")

    async def _alerts(self) -> None:
        units = self._sizes.alerted_units
        say(f"five alerts for each of {units:,} units")
        self.results["alerts"] = await parts.run(
            "alerts", "flood", units=units, per_minute=MAILS_PER_MINUTE
        )

    def _path(self, units: int) -> Path:
        return self._folder / f"events-{units}.jsonl"

    async def _reference(self, units: int) -> Result:
        if units not in self._references:
            path, events = str(self._path(units)), self._sizes.events
            say(
                f"sample of {events:,} events for {units:,} units, and what they must add up to"
            )
            await parts.run(
                "sample", "write", path=path, events_wanted=events, units=units, seed=1
            )
            self._references[units] = await parts.run("plain", "recount", path=path)
        return self._references[units]

    async def _system(self, units: int) -> None:
        reference = await self._reference(units)
        folder = self._folder / f"system-{units}"
        async with running(folder, plan_with(units)) as system:
            found = await measures.sustained(system, self._path(units), self._sizes, reference)
            self.results.setdefault("sustained", {})[str(units)] = found
            say(f"  {found['events_per_second']:,.0f} events/s")
            if units == UNITS[0]:
                await self._on_history(system)
        shutil.rmtree(folder, ignore_errors=True)

    async def _on_history(self, system: System) -> None:
        if "yardsticks" in self._only:
            self.results["idle"] = await measures.idle_consumer(system, self._sizes.events)
        for name, measure in (
            ("freshness", measures.freshness(system, self._sizes)),
            ("singles", measures.singles(system, self._sizes)),
            ("restart", measures.ways_back(system)),
        ):
            if name in self._only:
                await self._try(name, self._keep_measure(name, measure))
            else:
                measure.close()

    async def _keep_measure(self, name: str, measure: Coroutine[None, None, Result]) -> None:
        self.results[name] = await measure

    async def _yardsticks(self) -> None:
        whole = await self._reference(UNITS[0])
        path, few = str(self._path(UNITS[0])), self._sizes.rival_single_events
        say("yardstick: plain fold in memory")
        self._keep("plain", await parts.run("plain", "fold", path=path), whole)
        part = await parts.run("plain", "recount", path=path, events=few)
        for name, every, events, synchronous, wanted in (
            ("sqlite_bulk", 10_000, self._sizes.events, "NORMAL", whole),
            ("sqlite_bulk_full", 10_000, self._sizes.events, "FULL", whole),
            ("sqlite_single", 1, few, "NORMAL", part),
            ("sqlite_single_full", 1, few // 4, "FULL", None),
        ):
            say(
                f"yardstick: SQLite, a commit every {every:,} events, synchronous={synchronous}"
            )
            found = await parts.run(
                "rival",
                "feed",
                path=path,
                database_path=str(self._folder / "rival.db"),
                events=events,
                commit_every=every,
                synchronous=synchronous,
            )
            if wanted is None:
                wanted = await parts.run("plain", "recount", path=path, events=events)  # noqa: PLW2901
            self._keep(name, found, wanted)

    def _keep(self, name: str, found: Result, reference: Result) -> None:
        if found.pop("counters") != reference["counters"]:
            raise BenchError(f"{name} differs from the reference")
        self.results[name] = found


def _machine() -> Result:
    return {
        "at": wall_now().isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "load_before": os.getloadavg(),
    }


async def _run(bench: Bench) -> None:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        await bench.run()
    finally:
        parts.kill_all()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a twentieth of everything")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME",
                        help=f"some of: {', '.join(NAMES)}")  # fmt: skip
    parser.add_argument("--events", type=int, help="events sent through HTTP")
    parser.add_argument("--record", type=Path, metavar="FILE",
                        help="append one line with machine, commit and figures")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="JSON to standard output too")
    return parser.parse_args()


def _finish(path: Path, found: dict[str, Any], *, as_json: bool) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1))
    sys.stdout.write(table(found) + f"\n\n{path}\n")
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")


def main() -> int:
    """Run, print, and clean up."""
    options = _arguments()
    began, name = time.monotonic(), wall_now().strftime("%Y%m%dT%H%M%SZ")
    folder = OUT / f"work-{name}"
    folder.mkdir(parents=True)
    sizes = Sizes.of(options.events, quick=options.quick)
    bench = Bench(folder, sizes, set(options.only))
    machine = _machine()
    try:
        asyncio.run(_run(bench))
    except (KeyboardInterrupt, asyncio.CancelledError):
        bench.void["run"] = "interrupted"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found = machine | {
        "quick": options.quick,
        "seconds": round(time.monotonic() - began),
        "void": bench.void,
    }
    _finish(OUT / f"{name}.json", found | bench.results, as_json=options.json)
    if options.record is not None:
        append(options.record, found | bench.results)
        sys.stdout.write(f"one line more in {options.record}\n")
    for what, why in bench.void.items():
        sys.stderr.write(f"void: {what}: {why}\n")
    return 1 if bench.void else 0


if __name__ == "__main__":
    sys.exit(main())
