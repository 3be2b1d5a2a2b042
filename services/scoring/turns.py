"""Whose turn it is with something costly: one at a time, staff first, the public for a share of the time only."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from services.runtime.clock import monotonic_seconds

MOST_WAITING = 8
"""So many may be served or wait; more are refused, so that nobody can pile up work."""
MOST_PUBLIC = 5
"""Of these the public has at most so many: there is always room for staff."""
PUBLIC_SHARE = 0.5
"""Share of the time that may be spent on the public; after a long turn comes a rest as long."""
VISITS = 10
VISIT_SECONDS = 60.0
"""From one address at most ten new ones a minute: one visitor cannot take every turn."""
RETRY_SECONDS = 10


class BusyError(Exception):
    """Too many wait already; try again in some seconds."""

    retry_after = RETRY_SECONDS


class TooOftenError(BusyError):
    """One visitor asks for too many; says after how many seconds to come back."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many from one address; again in {retry_after} s")
        self.retry_after = retry_after


@dataclass(eq=False, slots=True)
class Turn:
    """One place in the queue."""

    public: bool
    called: asyncio.Event = field(default_factory=asyncio.Event)

    def promote(self) -> None:
        """Staff wait for it too."""
        self.public = False


class Turns:
    """The queue."""

    def __init__(self) -> None:
        self._waiting: list[Turn] = []
        self._served: Turn | None = None
        self._public_from = 0.0
        self._visits: dict[str, deque[float]] = {}

    def enter(self, visitor: str | None) -> Turn:
        """A place in the queue; a visitor's address, or None for staff.

        Raises:
            BusyError: too many wait.
            TooOftenError: this visitor came too often.
        """
        inside = [*self._waiting, *([self._served] if self._served else [])]
        public = sum(turn.public for turn in inside)
        if len(inside) >= MOST_WAITING or (visitor is not None and public >= MOST_PUBLIC):
            raise BusyError
        if visitor is not None:
            self._count(visitor)
        turn = Turn(visitor is not None)
        self._waiting.append(turn)
        return turn

    def _count(self, visitor: str) -> None:
        now = monotonic_seconds()
        for address, times in list(self._visits.items()):
            while times and times[0] <= now - VISIT_SECONDS:
                times.popleft()
            if not times:
                del self._visits[address]
        times = self._visits.setdefault(visitor, deque())
        if len(times) >= VISITS:
            raise TooOftenError(int(times[0] + VISIT_SECONDS - now) + 1)
        times.append(now)

    @asynccontextmanager
    async def take(self, turn: Turn) -> AsyncIterator[None]:
        """Wait until it is called, and give the turn to the next one in the end."""
        self._call()
        started = monotonic_seconds()
        try:
            await turn.called.wait()
            started = monotonic_seconds()
            yield
        finally:
            self._leave(turn, monotonic_seconds() - started)

    def _leave(self, turn: Turn, took: float) -> None:
        if turn is not self._served:
            self._waiting.remove(turn)
            return
        self._served = None
        if turn.public:
            rest = took * (1 - PUBLIC_SHARE) / PUBLIC_SHARE
            self._public_from = monotonic_seconds() + rest
        self._call()

    def _call(self) -> None:
        """Call the first of staff, else the first of the public when their rest is over."""
        if self._served is not None or not self._waiting:
            return
        chosen = next((t for t in self._waiting if not t.public), None)
        rest = self._public_from - monotonic_seconds()
        if chosen is None and rest > 0:
            asyncio.get_running_loop().call_later(rest, self._call)
            return
        self._served = chosen or self._waiting[0]
        self._waiting.remove(self._served)
        self._served.called.set()
