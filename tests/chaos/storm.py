"""A storm by a seed: what happens when is drawn beforehand, so that the same seed plans the same storm."""

import asyncio
import contextlib
import math
import random
import resource
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import redis

from services.cli import WORKERS
from services.runtime.datafolder import free_port
from services.runtime.embedded import embedded_databases
from tests.chaos.mails import import_contacts, wrong_mails
from tests.chaos.proxy import Proxy
from tests.support.system import REFERENCE, Sender, System, command, events_of, sending
from tests.support.waiting import wait_until

EVENTS_A_SECOND = 150
SECONDS_BETWEEN = 1.0
LOOKS = 12
"""How often memory and disk are told while a storm lasts."""
RECOVERY_SECONDS = 90
RECALCULATED_A_SECOND = 2_000
"""Events, by the oracle and by the second calculator: both begin anew, so their time grows with all that was sent."""
START_SECONDS = 120
DATES_CLOSE = ("--plan", str(REFERENCE))
PATIENCE = 4
"""Times as long as `verify` takes on a quiet machine: it would hang, not merely be slow."""
OWN_RELAY = {"THIDUA_MAIL_PER_MINUTE": "6000"}
"""Each jump of the clock by months tells everybody anew: sixty thousand mails in an hour."""
MAIL_SECONDS = 60
"""An interrupted mail is tried again after some seconds."""
MOST_MEMORY_BYTES = 700 << 20
"""Of one process of ours, but for the facts that it keeps."""
KEPT_BYTES = 1_000
"""Of each event: scoring and the notifier keep every dossier, and what was told of it."""
SMALLEST_FILE = 1 << 16
DATABASES = {"mongod": "mongod", "redis": "redis-server"}
PROGRAMS = ("web", *WORKERS)
WHAT = {
    "kill": 4, "pause": 4, "flush": 2, "slow": 3, "refuse": 3, "cut": 2, "full disk": 1,
    "restart at another time": 1,
}  # fmt: skip
"""Kinds of mischief -> how often, in proportion."""


@dataclass(frozen=True, slots=True)
class Mischief:
    """One thing that happens."""

    at: float
    """Seconds from the beginning, without those that restarts took."""
    what: str
    whom: str
    amount: float
    """Seconds it lasts; for `slow` also a hundredth of it is the delay; for a restart the day to jump to."""

    def __str__(self) -> str:
        return f"{self.what} {self.whom} {self.amount:g}".strip()


def plan(seed: int, seconds: float, between: float = SECONDS_BETWEEN) -> list[Mischief]:
    """What a seed has in store, so many seconds apart on average; with time for it, one of each kind is in it."""
    chance = random.Random(seed)
    whom = random.Random(f"whom {seed}")  # apart, so that one worker more moves nothing else
    kinds, weights = list(WHAT), list(WHAT.values())
    once = chance.sample(kinds, len(kinds))
    found: list[Mischief] = []
    at = chance.uniform(0.3, 1.0) * between
    while at < seconds:
        what = once.pop() if once else chance.choices(kinds, weights)[0]
        found.append(_drawn(whom, round(at, 2), what))
        at += chance.uniform(0.4, 1.6) * between
    return found


def _drawn(chance: random.Random, at: float, what: str) -> Mischief:
    if what in {"kill", "pause"}:
        whom = chance.choice([*PROGRAMS, *DATABASES])
    elif what in {"slow", "refuse", "cut", "full disk"}:
        whom = chance.choice(list(DATABASES))
    else:
        whom = ""
    last = chance.randint(1, 700) if what == "restart at another time" else 0
    return Mischief(at, what, whom, last or round(chance.uniform(0.3, 3.0), 1))


@dataclass(slots=True)
class Outcome:
    """What a storm did, and how it ended."""

    events: int = 0
    happened: int = 0
    struck: set[str] = field(default_factory=set)
    """Whose processes were found and hit."""
    largest: dict[str, int] = field(default_factory=dict)
    """Largest resident bytes of each of our processes."""
    recovery_seconds: float = 0.0
    verdict: str = ""


class Storm:
    """A system behind proxies, under load, and what happens to it."""

    def __init__(
        self,
        folder: Path,
        seed: int,
        seconds: float,
        say: Callable[[str], None],
        rate: float = EVENTS_A_SECOND,
        between: float = SECONDS_BETWEEN,
    ) -> None:
        self._folder = folder
        self._seed = seed
        self._seconds = seconds
        self._rate = rate
        self._between = between
        self._say = say
        self._proxies: dict[str, Proxy] = {}
        self._redis_url = ""
        self.system = System(folder / "system", free_port(), OWN_RELAY)
        self.outcome = Outcome()

    async def run(self) -> Outcome:
        """From start to the comparison with the oracle.

        Raises:
            AssertionError: something was lost, or grew, or did not come back.
        """
        events = events_of(self._seed, round(self._seconds * self._rate))
        self.outcome.events = len(events)
        planned = plan(self._seed, self._seconds, self._between)
        async with self._behind_proxies():
            try:
                await asyncio.to_thread(self.system.start, *DATES_CLOSE, limit=START_SECONDS)
                await asyncio.to_thread(import_contacts, self.system)
                sender = Sender(self.system, events, self._seed)
                watch = asyncio.create_task(self._watch(sender))
                async with sending(sender, rate=sender.count / self._seconds):
                    await self._happen(planned)
                    self._say("calm")
                await asyncio.to_thread(self._ends_right, events)
                await self._told_right()
                watch.cancel()
            finally:
                self.system.end()
        return self.outcome

    @asynccontextmanager
    async def _behind_proxies(self) -> AsyncIterator[None]:
        async with embedded_databases(self._folder / "databases") as addresses:
            for name, url in (
                ("mongod", addresses.mongo_url),
                ("redis", addresses.redis_url),
            ):
                self._proxies[name] = Proxy(urlsplit(url).port or 0)
                await self._proxies[name].allow()
            self._redis_url = addresses.redis_url
            mongo, bus = self._proxies["mongod"].port, self._proxies["redis"].port
            self.system.env |= {
                # a direct connection, because a set's members would be found past the proxy
                "THIDUA_MONGO_URL": f"mongodb://127.0.0.1:{mongo}/?directConnection=true",
                "THIDUA_REDIS_URL": f"redis://127.0.0.1:{bus}/0",
            }
            try:
                yield
            finally:
                for proxy in self._proxies.values():
                    await proxy.refuse()

    async def _happen(self, planned: list[Mischief]) -> None:
        began = time.monotonic()
        under_way: set[asyncio.Task[None]] = set()
        for mischief in planned:
            await asyncio.sleep(max(0.0, began + mischief.at - time.monotonic()))
            if mischief.what == "restart at another time" and under_way:
                await asyncio.wait(under_way)
            self._say(f"{time.monotonic() - began:7.2f} s  {mischief}")
            self.outcome.happened += 1
            if mischief.what == "restart at another time":
                away = time.monotonic()
                await self._restart(round(mischief.amount))
                began += time.monotonic() - away
                continue
            task = asyncio.create_task(self._one(mischief))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        if under_way:
            await asyncio.gather(*under_way)

    async def _one(self, mischief: Mischief) -> None:
        whom, seconds = mischief.whom, mischief.amount
        match mischief.what:
            case "kill":
                self._signal(whom, signal.SIGKILL)
            case "pause":
                self._signal(whom, signal.SIGSTOP)
                await asyncio.sleep(seconds)
                self._signal(whom, signal.SIGCONT)
            case "flush":
                with contextlib.suppress(redis.RedisError):
                    await asyncio.to_thread(self._flush)
            case "slow":
                self._proxies[whom].delay = seconds / 100
                await asyncio.sleep(seconds)
                self._proxies[whom].delay = 0
            case "refuse":
                await self._proxies[whom].refuse()
                await asyncio.sleep(seconds)
                await self._proxies[whom].allow()
            case "cut":
                self._proxies[whom].cut()
            case _:
                self._fill_disk(whom)

    def _flush(self) -> None:
        with redis.Redis.from_url(self._redis_url, socket_timeout=2) as client:
            client.flushall()

    async def _restart(self, day: int) -> None:
        """Everything of ours ends and starts again, at another date of the simulated clock, earlier or later."""
        year, rest = 2026 + day // 365, day % 365
        start = f"{year}-{1 + rest // 31:02d}-{1 + rest % 28:02d}T08:00"
        old = self.system
        await asyncio.to_thread(old.stop)
        old.end()
        self.system = System(old.data, old.port, old.env)
        await asyncio.to_thread(
            self.system.start, *DATES_CLOSE, "--clock-start", start, limit=START_SECONDS
        )

    def _fill_disk(self, whom: str) -> None:
        """No file of a database may grow: like a full disk to it, until it starts anew."""
        for process in self._processes(whom):
            with contextlib.suppress(psutil.NoSuchProcess):
                hard = process.rlimit(psutil.RLIMIT_FSIZE)[1]
                process.rlimit(resource.RLIMIT_FSIZE, (SMALLEST_FILE, hard))
                self.outcome.struck.add(whom)

    def _signal(self, whom: str, number: signal.Signals) -> None:
        for process in self._processes(whom):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
                self.outcome.struck.add(whom)

    def _processes(self, whom: str) -> list[psutil.Process]:
        if whom in PROGRAMS:
            found = []
            for pid in self.system.pids(whom):
                with contextlib.suppress(psutil.NoSuchProcess):
                    found.append(psutil.Process(pid))
            return found
        ours = []
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                # Redis writes over its command line, and works in its folder
                words = " ".join([*child.cmdline(), child.cwd()])
                if DATABASES[whom] in words and str(self._folder) in words:
                    ours.append(child)
        return ours

    async def _watch(self, sender: Sender) -> None:
        began = time.monotonic()
        looks = 0
        while True:
            sizes = self._sizes()
            for name, size in sizes.items():
                self.outcome.largest[name] = max(self.outcome.largest.get(name, 0), size)
            passed = time.monotonic() - began
            if looks < LOOKS and passed > (looks + 1) * self._seconds / LOOKS:
                looks += 1
                disk = await asyncio.to_thread(_bytes_in, self._folder / "databases")
                memory = ", ".join(f"{name} {size >> 20}" for name, size in sizes.items())
                self._say(
                    f"{passed:7.0f} s  {sender.accepted:,} accepted; MB: {memory}, disk {disk >> 20}"
                )
            await asyncio.sleep(0.5)

    def _sizes(self) -> dict[str, int]:
        """Resident bytes of each kind of process, of the largest of that kind."""
        found: dict[str, int] = {}
        for name in (*PROGRAMS, *DATABASES):
            for process in self._processes(name):
                with contextlib.suppress(psutil.NoSuchProcess):
                    found[name] = max(found.get(name, 0), process.memory_info().rss)
        return found

    async def _told_right(self) -> None:
        """Everybody was told what the board shows, once; a queue that gets shorter is given the time that it needs."""
        end, fewest = time.monotonic() + MAIL_SECONDS, math.inf
        while wrong := await wrong_mails(self.system):
            if len(wrong) < fewest:
                end, fewest = time.monotonic() + MAIL_SECONDS, len(wrong)
            assert time.monotonic() < end, (len(wrong), wrong[:10])
            await asyncio.sleep(0.5)

    def _ends_right(self, events: list[dict[str, object]]) -> None:
        began = time.monotonic()
        limit = RECOVERY_SECONDS + len(events) / RECALCULATED_A_SECOND
        wait_until(
            lambda: not self.system.wrong(events),
            limit,
            lambda: f"{self.system.wrong(events)[:5]}\n{self.system.tail()}",
        )
        self.outcome.recovery_seconds = time.monotonic() - began
        verified = self.system.verify(limit * PATIENCE)
        self.outcome.verdict = (verified.stdout.strip().splitlines() or [verified.stderr])[-1]
        assert verified.returncode == 0, verified.stdout
        letters = command("dead-letters", "list", "--data", str(self.system.data))
        assert letters.stdout.strip() == "0 dead letters", letters.stdout
        grown = {
            name: size
            for name, size in self.outcome.largest.items()
            if name in PROGRAMS and size > MOST_MEMORY_BYTES + KEPT_BYTES * len(events)
        }
        assert not grown, grown


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # files come and go
            total += path.stat().st_blocks * 512
    return total
