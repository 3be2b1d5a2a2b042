"""Folding: packs are folded at once; changed facts are stored behind them."""

import asyncio
from collections.abc import Callable

from prometheus_client import Counter, Gauge
from pymongo.errors import PyMongoError

from services.runtime import tracing
from services.runtime.clock import monotonic_seconds, wall_milliseconds
from services.runtime.consuming import DeadLetters
from services.runtime.journal import Pack
from services.runtime.logging import get_logger
from services.scoring.domain.facts import Fact
from services.scoring.domain.fold import Fold, UnknownPlanError
from services.scoring.domain.slicing import WHOLE
from services.scoring.settings import ScoringSettings
from services.scoring.store import FACTS_MARK, ScoringStore, slice_mark

log = get_logger(__name__)

EVENTS = Counter("scoring_events", "Lines folded, repeats included.")
PACKS = Counter("scoring_packs", "Packs folded.")
FACTS = Gauge("scoring_facts", "Facts in memory.", ["slice"])
BEHIND = Gauge("scoring_write_behind_facts", "Facts that wait to be stored.", ["slice"])
BEHIND_SECONDS = Gauge(
    "scoring_write_behind_seconds", "Age of the oldest fact that waits to be stored.", ["slice"]
)
BUSY_SECONDS = 0.1
"""A pack within this time: facts are stored at a share of the time only."""


class Folding:
    """The facts of one worker: how they come in, and how they are kept."""

    def __init__(
        self,
        store: ScoringStore,
        settings: ScoringSettings,
        fold: Fold,
        dead_letters: DeadLetters,
        note: Callable[[int], None],
    ) -> None:
        self.fold = fold
        self.written_until_ms = 0
        self._store = store
        self._settings = settings
        self._dead_letters = dead_letters
        self._note = note
        """Told of each pack, with the real millisecond of its making."""
        self._mark = FACTS_MARK if fold.slice == WHOLE else slice_mark(fold.slice)
        self._unstored: dict[str, tuple[Fact, bytes]] = {}
        self._unstored_since = 0.0
        self._last_pack = 0.0
        self._here = FACTS.labels(str(fold.slice))
        self._behind = BEHIND.labels(str(fold.slice))
        self._behind_seconds = BEHIND_SECONDS.labels(str(fold.slice))

    async def on_packs(self, packs: list[Pack]) -> None:
        """Fold packs; a bad line becomes a dead letter and stops nobody."""
        for pack in packs:
            with tracing.follow("scoring.fold", pack.traces, events=pack.count):
                self._fold_pack(pack)
                self._note(pack.made_at_ms)
            if len(packs) > 1:
                await asyncio.sleep(0)
        self._here.set(len(self.fold.facts))

    def _fold_pack(self, pack: Pack) -> None:
        PACKS.inc()
        EVENTS.inc(pack.count)
        self._last_pack = monotonic_seconds()
        if not self._unstored:
            self._unstored_since = self._last_pack
        facts, apply, unstored = self.fold.facts, self.fold.apply, self._unstored
        for line in pack.lines:
            try:
                key = apply(line)
            except UnknownPlanError as error:
                self._dead_letters.add("unknown plan", error, line, pack.id)
            except (ValueError, KeyError, OverflowError) as error:
                self._dead_letters.add("undecodable event", error, line, pack.id)
            else:
                if key is not None:
                    unstored[key] = facts[key], line

    async def load(self) -> int:
        """Load the stored facts; returns the low-water mark to catch up from, in real milliseconds."""
        started = monotonic_seconds()
        marks = [await self._store.read_mark(name) for name in {self._mark, FACTS_MARK}]
        async for lines in self._store.read_facts(self.fold.slice):
            self.fold.load(lines)
        took = monotonic_seconds() - started
        log.info("facts loaded", facts=len(self.fold.facts), seconds=round(took, 2))
        return max(int(mark.get("until_ms", 0)) for mark in marks)

    async def forget_stored(self) -> None:
        """While another worker speaks: let go of the facts that it has stored; in the end the rest waits here."""
        margin = round(self._settings.catch_up_margin_seconds * 1_000)
        kept: dict[str, tuple[Fact, bytes]] = {}
        since = wall_milliseconds()
        try:
            while True:
                await asyncio.sleep(1)
                try:
                    mark = await self._store.read_mark(self._mark)
                except PyMongoError:
                    continue
                if int(mark.get("until_ms", 0)) > since + margin:
                    kept, self._unstored = self._unstored, {}
                    self.fold.forget_causes()
                    since = wall_milliseconds()
        finally:
            self._unstored = kept | self._unstored

    async def store_facts(self, known_until_ms: Callable[[], int]) -> None:
        """Store changed facts in the background, many versions of one as one write; then move the mark."""
        while True:
            await asyncio.sleep(0.2)
            waiting, self._unstored = self._unstored, {}
            until = known_until_ms()
            await self._store_all(waiting)
            if until > self.written_until_ms:
                await self._move_mark(until)

    async def _store_all(self, waiting: dict[str, tuple[Fact, bytes]]) -> None:
        share = self._settings.write_behind_share
        keys = list(waiting)
        for at in range(0, len(keys), self._settings.write_behind_facts):
            self._behind.set(len(keys) - at + len(self._unstored))
            self._behind_seconds.set(max(0.0, monotonic_seconds() - self._unstored_since))
            some = {k: waiting[k] for k in keys[at : at + self._settings.write_behind_facts]}
            started = monotonic_seconds()
            await self._store_some(some)
            busy = monotonic_seconds() - self._last_pack < BUSY_SECONDS
            spent = monotonic_seconds() - started
            await asyncio.sleep(spent * (1 - share) / share if busy else 0)
        self._behind.set(len(self._unstored))
        if not self._unstored:
            self._behind_seconds.set(0)

    async def _store_some(self, some: dict[str, tuple[Fact, bytes]]) -> None:
        while True:
            try:
                await self._store.write_facts(some)
            except PyMongoError as failure:
                log.warning("facts not stored", error=str(failure)[:120])
                await asyncio.sleep(1)
            else:
                return

    async def _move_mark(self, until: int) -> None:
        try:
            await self._store.write_mark(self._mark, until_ms=until)
        except PyMongoError:
            return
        self.written_until_ms = until

    def let_go(self) -> None:
        """Another worker has this slice: keep nothing of it."""
        self.fold.clear()
        self._unstored.clear()
        for gauge in (FACTS, BEHIND, BEHIND_SECONDS):
            gauge.remove(str(self.fold.slice))
