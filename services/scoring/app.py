"""The scoring worker: what is wired to what. `python -m services.scoring.app`.

One worker folds and tells. Where the settings divide the facts, each slice has a worker that folds, and one more sums.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from contracts.streams import INDICATOR, PLAN, STANDING, SUBTOTAL
from services.runtime import mongo
from services.runtime.consuming import Consumer, DeadLetters
from services.runtime.health import Health
from services.runtime.logging import get_logger
from services.runtime.process import settle
from services.runtime.resources import Resources, resources
from services.runtime.working import run_worker
from services.scoring.application import Scoring
from services.scoring.domain.fold import Fold, Sums
from services.scoring.domain.slicing import WHOLE, Slice
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
    if settings.scoring_slice is not None:
        return slice_worker(settings, health)
    return (
        worker(settings, health)
        if settings.scoring_slices == 1
        else sum_worker(settings, health)
    )


@asynccontextmanager
async def worker(settings: ScoringSettings, health: Health) -> AsyncIterator[Scoring]:
    """A worker of all facts: it has caught up and keeps up; ends cleanly."""
    async with resources(settings) as own:
        store = await _prepared_store(own, settings)
        fold = Fold(own.clock.today())
        scoring = Scoring(store, own.journal, own.redis, own.clock, settings, fold)
        consumers = _consumers(own, store, fold, settings, scoring)
        await _catch_up(own, health, consumers)
        async with _speaking(own, store, scoring, health, consumers):
            consumers.keep_up(health)
            yield scoring


@asynccontextmanager
async def slice_worker(settings: ScoringSettings, health: Health) -> AsyncIterator[Fold]:
    """The worker of one slice of the facts: it has told everything, and tells what moves."""
    mine = Slice(settings.scoring_slice or 0, settings.scoring_slices)
    async with resources(settings) as own:
        store = await _prepared_store(own, settings)
        await own.journal.prepare_shards(INDICATOR.name)
        if settings.scoring_shards % mine.of:
            log.warning(
                "every slice reads every pack", shards=settings.scoring_shards, slices=mine.of
            )
        fold = Fold(own.clock.today(), mine)
        telling = Telling(store, own.journal, own.redis, own.clock, settings, fold)
        consumers = _consumers(own, store, fold, settings, telling)
        await _catch_up(own, health, consumers)
        await telling.settle()
        settle()
        consumers.keep_up(health)
        for name, loop in {
            "tell subtotals": telling.tell(),
            "store subtotals": telling.store(),
            "sign of life": telling.live(),
            "store facts": consumers.store_facts(),
            "clock": telling.pass_days(),
        }.items():
            health.watch(name, loop)
        try:
            yield fold
        finally:
            await health.stop()


@asynccontextmanager
async def sum_worker(settings: ScoringSettings, health: Health) -> AsyncIterator[Scoring]:
    """The worker that sums what slices tell; it speaks once each of them has given a sign of life."""
    async with resources(settings) as own:
        store = await _prepared_store(own, settings)
        sums = Sums(own.clock.today())
        scoring = Scoring(store, own.journal, own.redis, own.clock, settings, sums)
        summing = Summing(store, sums, settings, scoring.note)
        scoring.held_back = summing.trouble

        def published() -> None:
            scoring.plan_published()
            summing.plan_published()

        letters = DeadLetters(store.dead_letters)
        plans = Consumer(
            own.journal,
            PLAN.name,
            [0],
            Plans(sums, letters, published).on_packs,
            letters,
            settings,
        )
        await plans.catch_up()
        own.subscribe(plans)
        own.listen(own.journal.stream(SUBTOTAL.name, 0), summing.on_entries)
        await own.start_bus(health)
        await summing.complete()
        health.check("slices", summing.trouble)
        health.watch("follow slices", summing.keep_up())
        async with _speaking(own, store, scoring, health):
            _keep_up(health, plans=plans)
            yield scoring


@dataclass(frozen=True, slots=True)
class _Consumers:
    """What brings a worker its plans and its facts."""

    plans: Consumer
    events: Consumer
    folding: Folding

    def store_facts(self) -> Coroutine[Any, Any, None]:
        """The loop that stores what was folded."""
        return self.folding.store_facts(lambda: self.events.listed_until_ms)

    def keep_up(self, health: Health) -> None:
        """Catch up for ever."""
        _keep_up(health, plans=self.plans, events=self.events)


def _consumers(
    own: Resources,
    store: ScoringStore,
    fold: Fold,
    settings: ScoringSettings,
    told: Scoring | Telling,
) -> _Consumers:
    """`told`: who is to know what moved."""
    letters = DeadLetters(store.dead_letters)
    folding = Folding(store, settings, fold, letters, told.note)
    plans = Plans(fold, letters, told.plan_published)
    shards = [
        shard
        for shard in range(settings.scoring_shards)
        if not fold.slice.passes_over(shard, settings.scoring_shards)
    ]
    events = Consumer(own.journal, INDICATOR.name, shards, folding.on_packs, letters, settings)
    if fold.slice != WHOLE:
        events.pass_over(fold.slice.passes_over)
    return _Consumers(
        Consumer(own.journal, PLAN.name, [0], plans.on_packs, letters, settings),
        events,
        folding,
    )


async def _catch_up(own: Resources, health: Health, consumers: _Consumers) -> None:
    """Stored facts first, then what the journal has since; the bus brings what comes meanwhile."""
    await consumers.plans.catch_up()
    consumers.events.start_from(await consumers.folding.load())
    own.subscribe(consumers.plans)
    own.subscribe(consumers.events)
    await own.start_bus(health)
    found = await consumers.events.catch_up()
    log.info("caught up", packs=found, facts=len(consumers.folding.fold.facts))


def _keep_up(health: Health, **consumers: Consumer) -> None:
    for name, consumer in consumers.items():
        health.check(name, consumer.trouble)
        health.watch(f"keep up with {name}", consumer.keep_up())


async def _prepared_store(own: Resources, settings: ScoringSettings) -> ScoringStore:
    store = ScoringStore(mongo.database(own.client, settings, "scoring"))
    await store.prepare()
    ledger = own.journal.collection(STANDING.name)
    await ledger.create_index([("keys", 1), ("_id", -1)])
    for topic in (INDICATOR.name, PLAN.name):
        await own.journal.prepare_extents(topic)
    return store


@asynccontextmanager
async def _speaking(
    own: Resources,
    store: ScoringStore,
    scoring: Scoring,
    health: Health,
    consumers: _Consumers | None = None,
) -> AsyncIterator[None]:
    """Tell what the standings are, at once or when the lease is free; ends cleanly."""
    lease = _lease(own)
    speak = partial(_speak, own, store, scoring, health, consumers)
    speaks = lease is None or await lease.take()
    if speaks:
        await scoring.settle()
        speak()
    settle()
    if lease is not None:
        folding = None if consumers is None else consumers.folding
        health.watch(
            "lease", lease.keep() if speaks else _succeed(lease, scoring, folding, speak)
        )
    try:
        yield
    finally:
        await health.stop()
        if lease is not None:
            await lease.release()


def _lease(own: Resources) -> Lease | None:
    """What several workers agree by; None when there is one."""
    settings = ScoringSettings.model_validate(own.settings.model_dump())
    if not settings.lease_seconds:
        return None
    marks = mongo.database(own.client, settings, "scoring")["marks"]
    return Lease(marks, settings.lease_seconds)


def _speak(
    own: Resources,
    store: ScoringStore,
    scoring: Scoring,
    health: Health,
    consumers: _Consumers | None,
) -> None:
    """Do from now on what only one worker may do."""
    closings = Closings(mongo.database(own.client, own.settings, "scoring")["closings"])
    freezer = Freezer(closings, own.journal, own.clock, own.settings)
    loops = {
        "close periods": freezer.keep(),
        "tell the board": scoring.tell_board(),
        "heartbeat": scoring.heartbeat(),
        "store rows": scoring.store_rows(),
        "ledger": scoring.write_ledger(),
        "clock": tick(scoring, store),
        "chain over the journal": Sealer(own.journal, store.seals, own.clock).run(),
    }
    if consumers is not None:
        loops["store facts"] = consumers.store_facts()
    for name, loop in loops.items():
        health.watch(name, loop)


async def _succeed(
    lease: Lease, scoring: Scoring, folding: Folding | None, speak: Callable[[], None]
) -> None:
    """Stand by until the worker that speaks is silent for too long; then speak in its place, for ever."""
    log.info("standing by")
    async with asyncio.TaskGroup() as group:  # what fails here ends the process, loudly
        beside = [group.create_task(scoring.follow())]
        if folding is not None:
            beside.append(group.create_task(folding.forget_stored()))
        await lease.wait()
        for task in beside:
            task.cancel()
    log.info("taking over")
    await scoring.take_over()
    speak()
    await lease.keep()


async def fold_of_next_start(own: Resources) -> Fold:
    """What a worker that started now would have in memory: stored facts, and what the journal has since."""
    settings = ScoringSettings.model_validate(own.settings.model_dump())
    store = ScoringStore(mongo.database(own.client, settings, "scoring"))
    fold = Fold(own.clock.today())
    scoring = Scoring(store, own.journal, own.redis, own.clock, settings, fold)
    consumers = _consumers(own, store, fold, settings, scoring)
    await consumers.plans.catch_up()
    consumers.events.start_from(await consumers.folding.load())
    await consumers.events.catch_up()
    return fold


def main() -> None:
    """Run one worker until it is told to stop."""
    settings = ScoringSettings()
    run_worker("scoring", settings, lambda health: work(settings, health))


if __name__ == "__main__":
    main()
