"""The scoring worker: what is wired to what. `python -m services.scoring.app`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from contracts.streams import INDICATOR, PLAN, STANDING
from services.runtime import mongo
from services.runtime.consuming import Consumer
from services.runtime.health import Health
from services.runtime.journal import Journal
from services.runtime.logging import get_logger
from services.runtime.process import settle
from services.runtime.resources import Resources, resources
from services.runtime.working import run_worker
from services.scoring.application import Scoring
from services.scoring.domain.fold import Fold
from services.scoring.freezing import Closings, Freezer
from services.scoring.lease import Lease
from services.scoring.sealing import Sealer
from services.scoring.settings import ScoringSettings
from services.scoring.store import ScoringStore
from services.scoring.ticker import tick

log = get_logger(__name__)


@asynccontextmanager
async def worker(settings: ScoringSettings, health: Health) -> AsyncIterator[Scoring]:
    """A running worker: it has caught up and keeps up; ends cleanly."""
    async with resources(settings) as own:
        store = await _prepared_store(own, settings)
        scoring = Scoring(store, own.journal, own.redis, own.clock, settings)
        plans, events = _consumers(own.journal, scoring, settings)
        await plans.catch_up()
        events.start_from(await scoring.load())
        own.subscribe(plans)
        own.subscribe(events)
        await own.start_bus(health)
        found = await events.catch_up()
        log.info("caught up", packs=found, facts=len(scoring.fold.facts))
        lease = _lease(own, settings)
        speak = partial(_speak, own, store, scoring, events, health)
        speaks = lease is None or await lease.take()
        if speaks:
            await scoring.settle()
            speak()
        settle()
        for name, consumer in (("plans", plans), ("events", events)):
            health.check(name, consumer.trouble)
            health.watch(f"keep up with {name}", consumer.keep_up())
        if lease is not None:
            health.watch("lease", lease.keep() if speaks else _succeed(lease, scoring, speak))
        try:
            yield scoring
        finally:
            await health.stop()
            if lease is not None:
                await lease.release()


async def _prepared_store(own: Resources, settings: ScoringSettings) -> ScoringStore:
    store = ScoringStore(mongo.database(own.client, settings, "scoring"))
    await store.prepare()
    ledger = own.journal.collection(STANDING.name)
    await ledger.create_index([("keys", 1), ("_id", -1)])
    for topic in (INDICATOR.name, PLAN.name):
        await own.journal.prepare_extents(topic)
    return store


def _lease(own: Resources, settings: ScoringSettings) -> Lease | None:
    """What several workers agree by; None when there is one."""
    if not settings.lease_seconds:
        return None
    durable = mongo.database(own.client, settings, "scoring", durable=True)
    return Lease(durable["marks"], settings.lease_seconds)


def _speak(
    own: Resources, store: ScoringStore, scoring: Scoring, events: Consumer, health: Health
) -> None:
    """Do from now on what only one worker may do."""
    closings = Closings(
        mongo.database(own.client, own.settings, "scoring", durable=True)["closings"]
    )
    freezer = Freezer(closings, own.journal, own.clock, own.settings)
    for name, loop in {
        "close periods": freezer.keep(),
        "tell the board": scoring.tell_board(),
        "heartbeat": scoring.heartbeat(),
        "store rows": scoring.store_rows(),
        "store facts": scoring.store_facts(lambda: events.listed_until_ms),
        "ledger": scoring.write_ledger(),
        "clock": tick(scoring, store),
        "chain over the journal": Sealer(own.journal, store.seals, own.clock).run(),
    }.items():
        health.watch(name, loop)


async def _succeed(lease: Lease, scoring: Scoring, speak: Callable[[], None]) -> None:
    """Stand by until the worker that speaks is silent for too long; then speak in its place, for ever."""
    log.info("standing by")
    async with asyncio.TaskGroup() as group:  # what fails here ends the process, loudly
        beside = [
            group.create_task(scoring.follow()),
            group.create_task(scoring.forget_stored()),
        ]
        await lease.wait()
        for task in beside:
            task.cancel()
    log.info("taking over")
    await scoring.take_over()
    speak()
    await lease.keep()


def _consumers(
    journal: Journal, scoring: Scoring, settings: ScoringSettings
) -> tuple[Consumer, Consumer]:
    """What brings a worker its plans and its events."""
    letters, shards = scoring.dead_letters, range(settings.scoring_shards)
    plans = Consumer(journal, PLAN.name, [0], scoring.on_plans, letters, settings)
    events = Consumer(journal, INDICATOR.name, shards, scoring.on_packs, letters, settings)
    return plans, events


async def fold_of_next_start(own: Resources) -> Fold:
    """What a worker that started now would have in memory: stored facts, and what the journal has since."""
    settings = ScoringSettings.model_validate(own.settings.model_dump())
    store = ScoringStore(mongo.database(own.client, settings, "scoring"))
    scoring = Scoring(store, own.journal, own.redis, own.clock, settings)
    plans, events = _consumers(own.journal, scoring, settings)
    await plans.catch_up()
    events.start_from(await scoring.load())
    await events.catch_up()
    return scoring.fold


def main() -> None:
    """Run one worker until it is told to stop."""
    settings = ScoringSettings()
    run_worker("scoring", settings, lambda health: worker(settings, health))


if __name__ == "__main__":
    main()
