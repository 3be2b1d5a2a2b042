"""The only module that asks the system for the time; everything else is given a `Clock`."""

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone

from services.runtime.settings import Settings

LOCAL = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")
"""Việt Nam keeps UTC+7 all year; every local date in the system is a date there."""


def wall_milliseconds() -> int:
    """Real milliseconds since 1970, for cursors and ages of technical things, never for rules."""
    return time.time_ns() // 1_000_000


def wall_now() -> datetime:
    """The real instant, for what is technical: log lines, token lifetimes, anchors."""
    return datetime.now(UTC)


def monotonic_seconds() -> float:
    """Real seconds that only grow, for measuring how long something takes."""
    return time.monotonic()


@dataclass(frozen=True, slots=True)
class Clock:
    """Domain time: real, or simulated as `start + (real - anchor) * rate`.

    Before the anchor it stands at `start`; from the simulated instant `until` on it runs as fast as real time.
    All processes of one system are given the same values and so agree.
    """

    start: datetime | None = None
    anchor: datetime | None = None
    rate: float = 1.0
    until: datetime | None = None

    @classmethod
    def of(cls, settings: Settings) -> "Clock":
        """The clock that all processes with these settings share."""
        return cls(
            settings.clock_start,
            settings.clock_anchor,
            settings.clock_rate,
            settings.clock_until,
        )

    def now(self) -> datetime:
        """The domain's instant, aware, UTC."""
        real = wall_now()
        if self.start is None or self.anchor is None:
            return real
        passed = max(real - self.anchor, timedelta())
        simulated = self.start + passed * self.rate
        if self.until is not None and simulated > self.until:
            simulated = self.until + passed - (self.until - self.start) / self.rate
        return simulated.astimezone(UTC)

    def today(self) -> date:
        """The domain's local date in Việt Nam."""
        return self.now().astimezone(LOCAL).date()


@dataclass(slots=True)
class FrozenClock:
    """A clock that stands until it is moved; for tests, rebuilds and previews."""

    instant: datetime

    def now(self) -> datetime:
        """The instant it was set to."""
        return self.instant

    def today(self) -> date:
        """The local date of that instant."""
        return self.instant.astimezone(LOCAL).date()
