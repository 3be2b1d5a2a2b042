"""The scoring worker: what is wired to what. `python -m services.scoring.app`.

One worker folds and tells. Where the settings divide the facts, workers share the slices of them, and one more sums.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from contracts.streams import INDICATOR, PLAN, STANDING, SUBTOTAL
from services.runtime import mongo
from services.runtime.consuming import Consumer, DeadLetters
from services.runtime.health import Health
from services.runtime.logging import get_logger
from services.runtime.process import settle
from services.runtime.resources import Resources, resources
from services.runtime.settings import from_environment
from services.runtime.working import run_worker
from services.scoring.application import Scoring
from services.scoring.carrying import Carrying, Claim, Shares
from services.scoring.domain.fold import Boards, Fold, Sums
from services.scoring.domain.slicing import WHOLE
from services.scoring.folding import Folding
from services.scoring.freezing import Closings, Freezer
from services.scoring.lease import Lease
from services.scoring.plans import Plans
from services.scoring.sealing import Sealer
from services.scoring.settings import ScoringSettings
from services.scoring.slices import Summing, Telling
from services.scoring.store import ScoringStore
from services.scoring.ticker import tick

log = get_logger(__name__)


def work(settings: ScoringSettings, health: Health) -> AbstractAsyncContextManager[object]:
    """The worker that the settings ask for."""
    if settings.scoring_ordinal is not None:
        return share_worker(settings, settings.scoring_ordinal, health)
    return (
        worker(settings, health)
        if settings.scoring_slices == 1
        else sum_worker(settings, health)
    )


@dataclass(frozen=True, slots=True)
class _Wired:
    """What every scoring worker has."""

    own: Resources
    store: ScoringStore
    settings: ScoringSettings
    health: Health

    def plans(
        self, boards: Boards, letters: DeadLetters, published: Callable[[], None]
    ) -> Consumer:
        """What brings the boards their plans."""
        handle = Plans(boards, letters, published).on_packs
        return Consumer(self.own.journal, PLAN.name, [0], handle, letters, self.settings)

    def keep_up(self, **consumers: Consumer) -> None:
        """Let them catch up, for ever."""
        for name, consumer in consumers.items():
            self.health.check(name, consumer.trouble)
            self.health.watch(f"keep up with {name}", consumer.keep_up())

    def scoring(self, boards: Boards) -> Scoring:
        """What tells of the boards."""
        own = self.own
        return Scoring(self.store, own.journal, own.redis, own.clock, self.settings, boards)


@asynccontextmanager
async def _wired(settings: ScoringSettings, health: Health) -> AsyncIterator[_Wired]:
    async with resources(settings) as own:
        store = ScoringStore(mongo.database(own.client, settings, "scoring"))
        await store.prepare()
        ledger = own.journal.collection(STANDING.name)
        await ledger.create_index([("keys", 1), ("_id", -1)])
        for topic in (INDICATOR.name, PLAN.name):
            await own.journal.prepare_extents(topic)
        yield _Wired(own, store, settings, health)


@asynccontextmanager
async def worker(settings: ScoringSettings, health: Health) -> AsyncIterator[Scoring]:
    """A worker of all facts: it has caught up and keeps up; ends cleanly."""
    async with _wired(settings, health) as wired:
        fold = Fold(wired.own.clock.today())
        scoring = wired.scoring(fold)
        facts = _facts(wired, fold, scoring)
        await facts.start(wired)
        async with _speaking(wired, scoring, facts):
            wired.keep_up(plans=facts.plans, events=facts.events)
            yield scoring


@asynccontextmanager
async def share_worker(
    settings: ScoringSettings, ordinal: int, health: Health
) -> AsyncIterator[Carrying]:
    """A worker that shares the slices of the facts with others: it has told all of its share, and tells what moves."""
    if settings.scoring_shards % settings.scoring_slices:
        log.warning(
            "every slice reads every pack",
            shards=settings.scoring_shards,
            slices=settings.scoring_slices,
        )
    async with resources(settings) as own:
        await own.journal.prepare_shards(INDICATOR.name)
        store = ScoringStore(mongo.database(own.client, settings, "scoring"))
        shares = Shares(store.marks, settings.scoring_slices, ordinal)
        carrying = Carrying(shares, partial(_carry, settings))
        health.check("share", carrying.trouble)
        health.watch("share", carrying.keep())
        try:
            await carrying.complete()
            yield carrying
        finally:
            await health.stop()
            await carrying.leave(settings.hand_over_seconds)


async def _carry(settings: ScoringSettings, claim: Claim) -> None:
    """Fold one slice along, and tell of it when it is this worker's turn; until cancelled."""
    async with _wired(settings, claim.health) as wired:
        own = wired.own
        fold = Fold(own.clock.today(), claim.slice)
        telling = Telling(wired.store, own.journal, own.redis, own.clock, settings, fold)
        facts = _facts(wired, fold, telling)
        try:
            await facts.start(wired)
            wired.keep_up(plans=facts.plans, events=facts.events)
            claim.health.watch("clock", telling.pass_days())
            position = await _stand_by(facts, claim)
            claim.health.watch("sign of life", telling.live())
            await telling.settle(position)
            settle()
            for name, loop in {
                "tell subtotals": telling.tell(),
                "store subtotals": telling.store(),
                "store facts": facts.store(),
            }.items():
                claim.health.watch(name, loop)
            claim.tells = True
            await asyncio.Event().wait()
        finally:
            try:
                await claim.health.stop()
                await telling.rest()
            finally:
                facts.folding.let_go()


async def _stand_by(facts: "_Facts", claim: Claim) -> int:
    """Fold along until it is this worker's turn; returns from which position to tell."""
    beside = asyncio.create_task(facts.folding.forget_stored())
    try:
        return await claim.turn()
    finally:
        beside.cancel()
        await asyncio.wait([beside])


@asynccontextmanager
async def sum_worker(settings: ScoringSettings, health: Health) -> AsyncIterator[Scoring]:
    """The worker that sums what slices tell; it speaks once each of them has given a sign of life."""
    async with _wired(settings, health) as wired:
        own = wired.own
        sums = Sums(own.clock.today())
        scoring = wired.scoring(sums)
        summing = Summing(wired.store, sums, settings, scoring.note)
        scoring.held_back = summing.trouble

        def published() -> None:
            scoring.plan_published()
            summing.plan_published()

        plans = wired.plans(sums, DeadLetters(wired.store.dead_letters), published)
        await plans.catch_up()
        own.subscribe(plans)
        own.listen(own.journal.stream(SUBTOTAL.name, 0), summing.on_entries)
        await own.start_bus(health)
        await summing.complete()
        health.check("slices", summing.trouble)
        health.watch("follow slices", summing.keep_up())
        async with _speaking(wired, scoring):
            wired.keep_up(plans=plans)
            yield scoring


@dataclass(frozen=True, slots=True)
class _Facts:
    """What brings a fold its plans and its facts, and keeps them."""

    plans: Consumer
    events: Consumer
    folding: Folding

    async def load(self) -> None:
        """Stored facts; what the journal has since comes by `catch_up` of the events."""
        await self.plans.catch_up()
        self.events.start_from(await self.folding.load())

    async def start(self, wired: _Wired) -> None:
        """Load everything; the bus brings what comes meanwhile."""
        await self.load()
        wired.own.subscribe(self.plans)
        wired.own.subscribe(self.events)
        await wired.own.start_bus(wired.health)
        found = await self.events.catch_up()
        log.info("caught up", packs=found, facts=len(self.folding.fold.facts))

    async def store(self) -> None:
        """Store what was folded, for ever."""
        await self.folding.store_facts(lambda: self.events.listed_until_ms)


def _facts(wired: _Wired, fold: Fold, told: Scoring | Telling) -> _Facts:
    """`told`: who is to know what moved."""
    settings, letters = wired.settings, DeadLetters(wired.store.dead_letters)
    folding = Folding(wired.store, settings, fold, letters, told.note)
    shards = [
        shard
        for shard in range(settings.scoring_shards)
        if not fold.slice.passes_over(shard, settings.scoring_shards)
    ]
    events = Consumer(
        wired.own.journal, INDICATOR.name, shards, folding.on_packs, letters, settings
    )
    if fold.slice != WHOLE:
        events.pass_over(fold.slice.passes_over)
    return _Facts(wired.plans(fold, letters, told.plan_published), events, folding)


@asynccontextmanager
async def _speaking(
    wired: _Wired, scoring: Scoring, facts: _Facts | None = None
) -> AsyncIterator[None]:
    """Tell what the standings are, at once or when the lease is free; ends cleanly."""
    lease = _lease(wired)
    speak = partial(_speak, wired, scoring, facts)
    speaks = lease is None or await lease.take()
    if speaks:
        await scoring.settle()
        speak()
    settle()
    if lease is not None:
        keep = lease.keep() if speaks else _succeed(lease, scoring, facts, speak)
        wired.health.watch("lease", keep)
    try:
        yield
    finally:
        await wired.health.stop()
        if lease is not None:
            await lease.release()


def _lease(wired: _Wired) -> Lease | None:
    """What several workers agree by; None when there is one."""
    seconds = wired.settings.lease_seconds
    return Lease(wired.store.marks, seconds) if seconds else None


def _speak(wired: _Wired, scoring: Scoring, facts: _Facts | None) -> None:
    """Do from now on what only one worker may do."""
    own = wired.own
    closings = Closings(mongo.database(own.client, own.settings, "scoring")["closings"])
    loops = {
        "close periods": Freezer(closings, own.journal, own.clock, own.settings).keep(),
        "tell the board": scoring.tell_board(),
        "heartbeat": scoring.heartbeat(),
        "store rows": scoring.store_rows(),
        "ledger": scoring.write_ledger(),
        "clock": tick(scoring, wired.store),
        "chain over the journal": Sealer(own.journal, wired.store.seals, own.clock).run(),
    }
    if facts is not None:
        loops["store facts"] = facts.store()
    for name, loop in loops.items():
        wired.health.watch(name, loop)


async def _succeed(
    lease: Lease, scoring: Scoring, facts: _Facts | None, speak: Callable[[], None]
) -> None:
    """Stand by until the worker that speaks is silent for too long; then speak in its place, for ever."""
    log.info("standing by")
    async with asyncio.TaskGroup() as group:  # what fails here ends the process, loudly
        beside = [group.create_task(scoring.follow())]
        if facts is not None:
            beside.append(group.create_task(facts.folding.forget_stored()))
        await lease.wait()
        for task in beside:
            task.cancel()
    log.info("taking over")
    await scoring.take_over()
    speak()
    await lease.keep()


async def fold_of_next_start(own: Resources) -> Fold:
    """What a worker of all facts that started now would have in memory."""
    settings = ScoringSettings.model_validate(own.settings.model_dump())
    store = ScoringStore(mongo.database(own.client, settings, "scoring"))
    wired = _Wired(own, store, settings, Health())
    fold = Fold(own.clock.today())
    facts = _facts(wired, fold, wired.scoring(fold))
    await facts.load()
    await facts.events.catch_up()
    return fold


def main() -> None:
    """Run one worker until it is told to stop."""
    settings = from_environment(ScoringSettings)
    run_worker("scoring", settings, lambda health: work(settings, health))


if __name__ == "__main__":
    main()
