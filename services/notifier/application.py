"""The notifier at work: look at the picture, write down what was found, and let it through the pipeline."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

from prometheus_client import Counter, Gauge
from pymongo.errors import PyMongoError

from contracts.calendar import local_date
from services.notifier.domain.picture import Picture
from services.notifier.domain.watch import Findings, Watch
from services.notifier.pipeline.line import Line
from services.notifier.store import NotifierStore
from services.runtime import tracing
from services.runtime.clock import Clock, FrozenClock, monotonic_seconds, wall_milliseconds
from services.runtime.logging import get_logger

log = get_logger(__name__)
LOOK_SECONDS = 0.5
STUCK_SECONDS = 30
OCCASIONS = Counter("notifier_occasions", "Occasions found, by fate.", ["fate"])
RETRACTIONS = Counter("notifier_retractions", "Occasions that turned out to be wrong.")
HEARTBEAT = Gauge("notifier_heartbeat_seconds", "Real time of the last whole look, since 1970.")
LOOK = Gauge("notifier_look_seconds", "How long the last whole look took.")


class Notifier:
    """Finds what is to be told; each step can be interrupted anywhere and is then taken again."""

    def __init__(self, store: NotifierStore, clock: Clock | FrozenClock) -> None:
        self.watch = Watch(Picture())
        self.causes = tracing.Causes()
        """Traces whose events came since the last look."""
        self._store = store
        self._clock = clock
        self._pending: Findings | None = None
        self._pending_of: tuple[str, ...] = ()
        self._first = False
        self._looked_at = monotonic_seconds()

    async def load(self) -> None:
        """What was written down before this start."""
        for known in await self._store.known():
            self.watch.remember(
                known["_id"],
                known["thread"],
                retracted=known["retracted_at"] is not None,
                over=known.get("over_at") is not None,
            )
        self.watch.levels.stored.update(await self._store.read_levels())
        self._first = not await self._store.read_mark("started")

    async def look(self) -> bool:
        """Write down what is to be told now, what was found before and not written first; whether it was anything."""
        now = self._clock.now()
        if self._pending is None:
            self._pending_of = self.causes.take()
            self._pending = self._silence_past(self.watch.tick(now), now)
        if self._pending:
            with tracing.follow(
                "notifier.find", self._pending_of, occasions=len(self._pending.occasions)
            ):
                await self._store.write_findings(self._pending, now, tracing.carried())
            self._count(self._pending)
        found, self._pending = bool(self._pending), None
        if self._first and self.watch.picture.plans:
            await self._store.mark("started", at=now)
            self._first = False
        return found

    def _silence_past(self, found: Findings, now: datetime) -> Findings:
        """On a journal that it meets for the first time it tells nobody of days gone by."""
        if self._first:
            today = local_date(now)
            found.occasions = [
                replace(o, fate="before_start") if local_date(o.at) < today else o
                for o in found.occasions
            ]
        return found

    @staticmethod
    def _count(found: Findings) -> None:
        for occasion in found.occasions:
            OCCASIONS.labels(occasion.fate).inc()
        RETRACTIONS.inc(len(found.retracted))

    async def step(self, line: Line) -> None:
        """One whole look: find, route, release, escalate, record."""
        found = await self.look()
        await line.run(self._clock.now(), found=found)

    async def work(self, line: Line, beat: Callable[[], Awaitable[None]]) -> None:
        """Look for ever; when the database is away, wait for it."""
        while True:
            began = monotonic_seconds()
            try:
                await self.step(line)
                await beat()
            except PyMongoError as failure:
                log.warning("the look was interrupted", error=str(failure)[:120])
                await asyncio.sleep(1)
                continue
            self._looked_at = monotonic_seconds()
            LOOK.set(self._looked_at - began)
            HEARTBEAT.set(wall_milliseconds() / 1_000)
            await asyncio.sleep(LOOK_SECONDS)

    def trouble(self) -> str | None:
        """None, or why nothing is found at present."""
        silent = monotonic_seconds() - self._looked_at
        return f"no look for {silent:.0f} s" if silent > STUCK_SECONDS else None
