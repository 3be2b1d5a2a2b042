"""Divided facts at work: the worker of a slice tells its subtotals, and the worker that sums follows what all tell.

Subtotals are states: a lost one is repaired from the store, a repeated one changes nothing, an older one is refused.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec
from prometheus_client import Counter, Gauge
from pymongo.errors import PyMongoError

from contracts.streams import SUBTOTAL
from contracts.subtotals import Subtotal
from contracts.wire import subtotal, subtotals_told
from services.runtime import tracing
from services.runtime.announcing import Announcer
from services.runtime.broker import Client, Entry
from services.runtime.clock import Clock, monotonic_seconds, wall_milliseconds
from services.runtime.consuming import FULL_LISTING_EVERY, SHORT_MARGIN_MILLISECONDS
from services.runtime.journal import Journal
from services.runtime.logging import get_logger
from services.scoring.behind import Behind
from services.scoring.domain.fold import Fold, Sums
from services.scoring.domain.slicing import Slice
from services.scoring.settings import ScoringSettings
from services.scoring.store import FACTS_MARK, ScoringStore, slice_mark, subtotal_document

log = get_logger(__name__)

TOLD = Counter("scoring_subtotals_told", "Subtotals that the worker of a slice told.")
SUMMED = Counter("scoring_subtotals_summed", "Subtotals that changed the sum.")
SLICE_SILENT = Gauge(
    "scoring_slice_silent_seconds", "Since the slice gave its last sign of life.", ["slice"]
)

TELL_PAUSE_SECONDS = 0.001
"""Between two messages; what moves meanwhile goes into the next one."""
SUBTOTALS_A_MESSAGE = 400
LIFE_SECONDS = 1
TICK_SECONDS = 0.2
SILENT_SECONDS = 3.0
"""A slice without a sign of life for so long holds the board back: it would tell half of the truth."""
_encode = msgspec.json.Encoder().encode


class Telling:
    """The worker of one slice: what its fold makes of units goes to the worker that sums."""

    def __init__(
        self,
        store: ScoringStore,
        journal: Journal,
        redis: Client,
        clock: Clock,
        settings: ScoringSettings,
        fold: Fold,
    ) -> None:
        self._store = store
        self._bus = Announcer(redis, journal.stream(SUBTOTAL.name, 0))
        self._clock = clock
        self._settings = settings
        self._fold = fold
        self._position = 0
        """Of the last message; counts on from where the worker's turn began."""
        self._moved = asyncio.Event()
        self._oldest_ms = 0
        self._causes = tracing.Causes()
        self._subtotals = Behind(store.write_subtotals)

    def note(self, made_at_ms: int) -> None:
        """Counters moved because of what was accepted at that real millisecond."""
        self._causes.add(tracing.carried())
        self._oldest_ms = self._oldest_ms or made_at_ms
        self._moved.set()

    def plan_published(self) -> None:
        """Another plan version counts too."""
        self._moved.set()

    async def settle(self, position: int) -> None:
        """At one's turn: tell everything, also of what is not here any more; returns when it is stored."""
        self._position = position
        self._fold.mark(await self._store.places_told(self._fold.slice))
        await self._tell()
        await self._subtotals.store()

    async def tell(self) -> None:
        """Tell what moved, for ever; never more than a share of the time."""
        share = self._settings.refresh_share
        while True:
            await self._moved.wait()
            self._moved.clear()
            started = monotonic_seconds()
            with tracing.follow("scoring.tell_subtotals", self._causes.take()):
                await self._tell()
            spent = monotonic_seconds() - started
            await asyncio.sleep(max(TELL_PAUSE_SECONDS, spent * (1 - share) / share))

    async def _tell(self) -> None:
        oldest, self._oldest_ms = self._oldest_ms, 0
        mine = self._fold.slice
        moved = [told for _, told in self._fold.moved()]
        for at in range(0, len(moved), SUBTOTALS_A_MESSAGE):
            some = moved[at : at + SUBTOTALS_A_MESSAGE]
            self._position += 1
            self._subtotals.put(
                subtotal_document(mine, told, self._position, _encode(told)) for told in some
            )
            TOLD.inc(len(some))
            await self._send(some, oldest)
            await asyncio.sleep(0)

    async def _send(self, some: Sequence[Subtotal], oldest_ms: int) -> None:
        message = {
            "type": "subtotals.told",
            "slice": self._fold.slice.number,
            "slices": self._fold.slice.of,
            "position": self._position,
            "accepted_at_ms": oldest_ms,
            "subtotals": some,
        }
        await self._bus.send(_encode(message))

    async def store(self) -> None:
        """Store what was told, each second; the mark says that nothing told before it is missing."""
        while True:
            try:
                await self._subtotals.store()
                await self._store.write_mark(
                    slice_mark(self._fold.slice), wall_ms=wall_milliseconds()
                )
            except PyMongoError as failure:
                log.warning("subtotals not stored", error=str(failure)[:120])
            await asyncio.sleep(LIFE_SECONDS)

    async def rest(self) -> None:
        """At the end of one's turn: store what was told, so that nothing is missing while the next worker settles."""
        with suppress(PyMongoError):
            await self._subtotals.store()

    async def live(self) -> None:
        """Give a sign of life on the bus, each second, however long storing takes."""
        while True:
            await self._send([], 0)
            await asyncio.sleep(LIFE_SECONDS)

    async def pass_days(self) -> None:
        """Fold the clock, for ever."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if self._fold.advance(self._clock.today()):
                self._moved.set()


class Summing:
    """The worker that sums: it follows every slice, and knows which of them is silent."""

    def __init__(
        self,
        store: ScoringStore,
        sums: Sums,
        settings: ScoringSettings,
        note: Callable[[int], None],
    ) -> None:
        self._store = store
        self._sums = sums
        self._settings = settings
        self._note = note
        """Told when the sum changed, with the real millisecond of the oldest event that it came of."""
        self._slices = [
            Slice(n, settings.scoring_slices) for n in range(settings.scoring_slices)
        ]
        self._alive_ms = dict.fromkeys(range(settings.scoring_slices), 0)
        self._listed_ms = 0
        self._listings = 0
        self._error: str | None = None

    async def on_entries(self, entries: list[Entry]) -> None:
        """Subtotals from the bus; an entry that cannot be read is passed over, the store has its subtotals."""
        for entry in entries:
            try:
                told = subtotals_told(entry[b"body"])
            except (KeyError, ValueError) as error:
                log.warning("subtotals passed over", error=type(error).__name__)
                continue
            if told.slices != len(self._slices) or told.slice >= told.slices:
                continue
            traces = entry.get(b"traces", b"").decode("ascii", "replace").split()
            with tracing.follow("scoring.sum", traces, subtotals=len(told.subtotals)):
                taken = sum(
                    self._sums.take(told.slice, told.position, one) for one in told.subtotals
                )
                if taken:
                    SUMMED.inc(taken)
                    self._note(told.accepted_at_ms)
            self._alive_ms[told.slice] = wall_milliseconds()

    async def complete(self) -> None:
        """Take everything that is stored; returns when every slice has given a sign of life."""
        while True:
            await self._catch_up(0)
            if (silent := self.trouble()) is None:
                return
            log.info("waiting", why=silent)
            await asyncio.sleep(LIFE_SECONDS)

    async def keep_up(self) -> None:
        """Take what the bus did not bring, every few seconds, for ever."""
        while True:
            await asyncio.sleep(self._settings.catch_up_seconds)
            self._listings += 1
            full = self._listings % FULL_LISTING_EVERY == 0
            margin = round(self._settings.catch_up_margin_seconds * 1_000)
            try:
                await self._catch_up(
                    self._listed_ms
                    - (margin if full else min(margin, SHORT_MARGIN_MILLISECONDS))
                )
            except PyMongoError as failure:
                self._error = "the subtotals cannot be read"
                log.warning("sum not kept up", error=str(failure)[:120])
                continue
            self._error = None

    async def _catch_up(self, since_ms: int) -> None:
        """Signs of life first: whoever gives one has stored everything that it told before."""
        started = wall_milliseconds()
        marks = [await self._store.read_mark(slice_mark(one)) for one in self._slices]
        taken = 0
        async for stored in self._store.subtotals_since(len(self._slices), since_ms):
            told = subtotal(bytes(stored["body"]))
            taken += self._sums.take(stored["slice"], stored["position"], told)
        if taken:
            SUMMED.inc(taken)
            self._note(0)
        self._listed_ms = started
        for number, mark in enumerate(marks):
            self._alive_ms[number] = max(self._alive_ms[number], int(mark.get("wall_ms", 0)))
        if all("until_ms" in mark for mark in marks):
            await self._store.raise_mark(FACTS_MARK, min(int(m["until_ms"]) for m in marks))

    def plan_published(self) -> None:
        """What slices have told of another plan version is read anew, from the beginning."""
        self._listed_ms = 0

    def trouble(self) -> str | None:
        """None, or why the sum is not the whole: which slices are silent, or that the store cannot be read."""
        now = wall_milliseconds()
        silent = {n: (now - alive) / 1_000 for n, alive in self._alive_ms.items()}
        for number, seconds in silent.items():
            SLICE_SILENT.labels(str(number)).set(seconds)
        found = [str(n) for n, seconds in silent.items() if seconds > SILENT_SECONDS]
        if found:
            return f"silent slices of {len(self._slices)}: {', '.join(found)}"
        return self._error
