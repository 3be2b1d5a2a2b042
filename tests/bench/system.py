"""The real system on free ports and a folder of its own: databases, web and worker, each a process."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psutil

from contracts.plan import Plan
from contracts.streams import INDICATOR
from services.publishing import publish
from services.runtime import mongo
from services.runtime.auth import Keys, Role, issue
from services.runtime.clock import wall_now
from services.runtime.datafolder import free_port
from services.runtime.embedded import Addresses, embedded_databases
from services.runtime.resources import resources
from services.runtime.settings import Settings
from tests.bench.parts import BenchError
from tests.bench.plain import COMPARED, FULL
from tests.bench.sample import BLOC

HOST = "127.0.0.1"
TODAY = "2026-01-01T00:00:00+07:00"
WEB, WORKER = "web", "worker"
MODULES = {WEB: "services.app", WORKER: "services.scoring.app"}
START_SECONDS = 300
_POLL_SECONDS = 0.02


@dataclass(slots=True)
class System:
    """A running system."""

    folder: Path
    addresses: Addresses
    settings: Settings
    plan: Plan
    token: str
    http: httpx.AsyncClient
    ports: dict[str, int] = field(
        default_factory=lambda: {WEB: free_port(), WORKER: free_port()}
    )
    _processes: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    shown: int = 0
    """Rows of the board that was read last."""
    _trouble: str = ""

    def log(self, name: str) -> Path:
        """Where a process writes its log."""
        return self.folder / "log" / f"{name}.log"

    def url(self, name: str, path: str = "") -> str:
        """An address at a process."""
        return f"http://{HOST}:{self.ports[name]}{path}"

    async def start(self, name: str) -> float:
        """Start a process; returns the seconds until it was ready."""
        began = time.monotonic()
        with self.log(name).open("ab") as log:
            self._processes[name] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", MODULES[name]),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._environment(name)},
            )
        try:
            await self.wait_until(lambda: self._is_ready(name), START_SECONDS, "it to be ready")
        except BenchError as error:
            raise BenchError(f"{name}: {error}; its log ends: {self._tail(name)}") from None
        return time.monotonic() - began

    def _tail(self, name: str) -> str:
        return self._trouble[:300] + "\n" + self.log(name).read_text(errors="replace")[-2_000:]

    def _environment(self, name: str) -> dict[str, str]:
        return {
            "THIDUA_MONGO_URL": self.addresses.mongo_url,
            "THIDUA_REDIS_URL": self.addresses.redis_url,
            "THIDUA_KEYS_DIR": str(self.settings.keys_dir),
            "THIDUA_HOST": HOST,
            "THIDUA_PORT": str(self.ports[name]),
            "THIDUA_CLOCK_START": TODAY,
            "THIDUA_CLOCK_ANCHOR": self.settings.clock_anchor.isoformat()
            if self.settings.clock_anchor
            else "",
            "THIDUA_LOG_FORMAT": "json",
            "THIDUA_WORKER_URLS": f'["{self.url(WORKER)}"]',
        }

    async def _is_ready(self, name: str) -> bool:
        if self._processes[name].returncode is not None:
            raise BenchError("the process ended")
        with suppress(httpx.HTTPError):
            answer = await self.http.get(self.url(name, "/readyz"))
            self._trouble = answer.text
            return answer.status_code == 200
        return False

    async def wait_until(
        self,
        done: Callable[[], Awaitable[bool]],
        seconds: float,
        what: str,
        every: float = 0.02,
    ) -> None:
        """Wait for a condition."""
        limit = time.monotonic() + seconds
        while not await done():
            if time.monotonic() > limit:
                raise BenchError(f"waited {seconds:.0f} s for {what}")
            await asyncio.sleep(every)

    async def kill(self, name: str) -> None:
        """Kill a process at once."""
        process = self._processes.pop(name)
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    async def stop(self) -> None:
        """End web and worker."""
        for process in self._processes.values():
            with suppress(ProcessLookupError):
                process.terminate()
        for name, process in list(self._processes.items()):
            try:
                await asyncio.wait_for(process.wait(), 5)
            except TimeoutError:
                await self.kill(name)

    def processes(self) -> dict[str, psutil.Process]:
        """Web, worker and the two databases."""
        found = {name: psutil.Process(p.pid) for name, p in self._processes.items()}
        for child in psutil.Process().children(recursive=True):
            name = child.name()
            if name in ("mongod", "redis-server"):
                found[name] = child
        return found

    def cpu(self) -> dict[str, float]:
        """CPU seconds that each process has used."""
        times = {name: process.cpu_times() for name, process in self.processes().items()}
        return {name: t.user + t.system for name, t in times.items()}

    def resident(self) -> dict[str, float]:
        """Resident megabytes of each process."""
        return {n: p.memory_info().rss / 1e6 for n, p in self.processes().items()}

    async def metric(self, name: str, metric: str) -> float:
        """A metric of a process, summed over its labels."""
        text = (await self.http.get(self.url(name, "/metrics"))).text
        lines = [
            line for line in text.splitlines() if line.startswith((metric + " ", metric + "{"))
        ]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    async def board(self, period: str) -> dict[str, list[int]]:
        """Unit -> the numbers of `COMPARED`, as the leaderboard shows them."""
        path = f"/api/v1/standings/{self.plan.id}/{BLOC}"
        answer = await self.http.get(self.url(WEB, path), params={"period": period})
        if answer.status_code != 200:
            return {}
        rows = msgspec.json.decode(answer.content)["rows"]
        self.shown = len(rows)
        return {row["unit"]: numbers for row in rows if any(numbers := _numbers(row))}

    @property
    def stream(self) -> str:
        """The Redis stream that announces packs of events."""
        return f"{self.settings.stream_prefix}{INDICATOR.name}.0"

    async def forget_facts(self) -> None:
        """Drop everything that scoring keeps beside the journal."""
        client = mongo.connect(self.settings)
        await client.drop_database(f"{self.settings.database_prefix}scoring")
        client.close()

    def logged(self, name: str, event: str) -> dict[str, Any]:
        """The last line of a log about something."""
        found: dict[str, Any] = {}
        for line in self.log(name).read_bytes().splitlines():
            with suppress(msgspec.DecodeError):
                entry = msgspec.json.decode(line)
                if isinstance(entry, dict) and entry.get("event") == event:
                    found = entry
        return found


def _numbers(row: dict[str, Any]) -> list[int]:
    counters = row["counters"]
    numbers = [int(counters.get(code, (0, 0))[side]) for code, side in COMPARED]
    return numbers if set(counters) >= set(FULL) else [-1]


@asynccontextmanager
async def running(folder: Path, plan: Plan) -> AsyncIterator[System]:
    """A fresh system on which a plan is published; all its processes end with the block."""
    (folder / "log").mkdir(parents=True, exist_ok=True)
    keys = (folder / "keys").resolve()
    token = issue(Keys(keys).signing(), Role.PORTAL)
    async with embedded_databases(folder) as addresses, httpx.AsyncClient(timeout=30) as http:
        settings = Settings.model_validate(
            {
                "mongo_url": addresses.mongo_url,
                "redis_url": addresses.redis_url,
                "keys_dir": keys,
                "clock_start": TODAY,
                "clock_anchor": wall_now(),
            }
        )
        async with resources(settings) as own:
            await publish(own, plan)
        system = System(folder, addresses, settings, plan, token, http)
        try:
            await system.start(WORKER)
            await system.start(WEB)
            yield system
        finally:
            await system.stop()
