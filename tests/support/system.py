"""The whole program as its users run it: `thidua up` as a process, talked to over HTTP, killed at will."""

import asyncio
import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import psutil

from services.cli import WORKERS
from tests.support import oracle, workload
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
PLAN = "phung-hiep-2023"
REFERENCE = ROOT / "deploy/plans" / PLAN
PERIODS = ("2023", "2023-Q3", "2023-07")
NAMES = {
    "web": "services.app",
    "worker": "services.scoring.app",
    "mongod": "mongod",
    "redis": "redis-server",
    **WORKERS,
}


def command(*words: str, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
    """Run `thidua …` and wait for it."""
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def without_closing(folder: Path) -> Path:
    """The reference plan, of which only a hand closes a period: drawing packages takes processor time from all else."""
    if not folder.exists():
        shutil.copytree(REFERENCE, folder)
        file = folder / "plan.yaml"
        text, dates = re.subn(
            r"^closing:\n(?: .*\n)+", "", file.read_text("utf-8"), flags=re.MULTILINE
        )
        assert dates == 1
        file.write_text(text, "utf-8")
    return folder


class System:
    """One `thidua up` on a folder."""

    def __init__(self, data: Path, port: int, env: Mapping[str, str] | None = None) -> None:
        self.env = os.environ | dict(env or {})
        self.data = data
        self.port = port
        self.base = f"http://127.0.0.1:{port}"
        self.output: list[str] = []
        self._process: subprocess.Popen[str] | None = None
        self._asked: list[dict[str, Any]] | None = None
        self._wants: dict[str, Any] = {}
        self._tokens: dict[tuple[str, ...], str] = {}

    @property
    def plan(self) -> Path:
        """Folder of the plan that it publishes where none is named."""
        return without_closing(self.data.parent / "plan")

    def start(self, *words: str, limit: float = 60) -> None:
        """Start and wait for the `ready` line; without another plan named, no date closes a period."""
        if "--plan" not in words:
            words = (*words, "--plan", str(self.plan))
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", "services.cli", "up",
                "--data", str(self.data), "--port", str(self.port), *words,
            ],
            cwd=ROOT,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()
        wait_until(lambda: f"ready {self.base}" in self.output, limit, self.tail)

    def _read(self, process: "subprocess.Popen[str]") -> None:
        for line in process.stdout or ():
            self.output.append(line.rstrip("\n"))

    def tail(self) -> str:
        """The last lines it printed."""
        return "\n".join(self.output[-30:])

    @property
    def process(self) -> "subprocess.Popen[str]":
        """The parent process."""
        if self._process is None:
            raise RuntimeError("not started")
        return self._process

    def pids(self, name: str) -> list[int]:
        """The processes of one kind, below the parent."""
        found = []
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if any(NAMES[name] in word for word in child.cmdline()):
                        found.append(child.pid)
        return found

    def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Signal all processes of one kind."""
        for pid in self.pids(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)

    def stop(self) -> int:
        """Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    def end(self) -> None:
        """Whatever happened, leave nothing behind."""
        if self._process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
        self.process.kill()
        self.process.wait(10)
        if self.process.stdout is not None:
            self._reader.join(5)
            self.process.stdout.close()

    def token(self, role: str = "portal", *units: str) -> str:
        """A token, as an operator makes it; each is made once."""
        if (role, *units) not in self._tokens:
            words = [word for unit in units for word in ("--unit", unit)]
            made = command("token", "--data", str(self.data), "--role", role, *words)
            assert made.returncode == 0, made.stderr
            self._tokens[role, *units] = made.stdout.strip()
        return self._tokens[role, *units]

    def standings(self, bloc: str = "commune", period: str = "2023") -> dict[str, Any]:
        """A board, as anybody gets it."""
        answer = httpx.get(
            f"{self.base}/api/v1/standings/{PLAN}/{bloc}", params={"period": period}, timeout=60
        )
        answer.raise_for_status()
        return answer.json()  # type: ignore[no-any-return]

    def _wanted(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        """What the oracle expects of these very events, computed once."""
        if self._asked is not events:
            self._asked = events
            day = date(2026, 1, 1)
            self._wants = {period: oracle.expected(events, period, day) for period in PERIODS}
        return self._wants

    def wrong(self, events: list[dict[str, Any]]) -> list[str]:
        """What the oracle finds wrong with the board now."""
        found: list[str] = []
        for period, want in self._wanted(events).items():
            try:
                found += oracle.check(want, self.standings(period=period))
            except httpx.HTTPError as error:
                found.append(type(error).__name__)
        return found

    def verify(self, limit: float = 120) -> "subprocess.CompletedProcess[str]":
        """`thidua verify`."""
        return command("verify", "--data", str(self.data), timeout=limit)


def ends_right(system: System, events: list[dict[str, Any]], limit: float) -> None:
    """The board equals the oracle within the limit, by itself, and the shadow calculator agrees."""
    wait_until(
        lambda: not system.wrong(events),
        limit,
        lambda: f"{system.wrong(events)[:5]}\n{system.tail()}",
    )
    end = time.monotonic() + limit  # it asks for more boards than were waited for
    while (verdict := system.verify()).returncode:
        assert time.monotonic() < end, verdict.stdout
    assert verdict.stdout.strip().splitlines()[-1].startswith("0 differences")


def events_of(seed: int, count: int) -> list[dict[str, Any]]:
    """The seeded workload: with corrections, repeats, late versions."""
    return list(workload.stream(count, seed, 15, 2023, 0.05, 0.08))


class Sender:
    """Several clients that post events shuffled, with repeats, and try again until accepted."""

    def __init__(self, system: System, events: list[dict[str, Any]], seed: int) -> None:
        chance = random.Random(seed)
        mixed = events + chance.sample(events, len(events) // 10)
        chance.shuffle(mixed)
        self.count = len(mixed)
        """Events that are sent, repeats included."""
        self.batches: Iterator[bytes] = iter(_batches(mixed, chance))
        self._base = system.base
        self._token = system.token()
        self.accepted = 0

    async def run(self, clients: int = 4, pause: float = 0.0, rate: float = 0.0) -> None:
        """Post everything, at most so many events a second; what is refused is sent again, as a real sender does."""
        began = time.monotonic()

        def ahead() -> float:
            """Seconds to rest before the next batch."""
            early = began + self.accepted / rate - time.monotonic() if rate else 0.0
            return max(pause, early)

        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        async with httpx.AsyncClient(
            base_url=self._base, headers=headers, timeout=20
        ) as client:
            await asyncio.gather(*(self._work(client, ahead) for _ in range(clients)))

    async def _work(self, client: httpx.AsyncClient, ahead: Callable[[], float]) -> None:
        for body in self.batches:
            while not await self._post(client, body):
                await asyncio.sleep(0.1)
            await asyncio.sleep(ahead())

    async def _post(self, client: httpx.AsyncClient, body: bytes) -> bool:
        try:
            answer = await client.post("/api/v1/portal/events", content=body)
        except httpx.HTTPError:
            return False
        if answer.status_code != 202:
            return False
        self.accepted += answer.json()["accepted"]
        return True


def _batches(events: list[dict[str, Any]], chance: random.Random) -> Iterator[bytes]:
    at = 0
    while at < len(events):
        size = chance.choice([1, 3, 20, 100, 300])
        yield json.dumps(events[at : at + size], ensure_ascii=False).encode()
        at += size


@contextlib.asynccontextmanager
async def sending(sender: Sender, pause: float = 0.0, rate: float = 0.0) -> AsyncIterator[None]:
    """Send in the background while the block does its mischief; ends when all is accepted."""
    task = asyncio.create_task(sender.run(pause=pause, rate=rate))
    try:
        yield
        await asyncio.wait_for(task, 120)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
