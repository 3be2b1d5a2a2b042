"""The scoring worker: what is wired to what. `python -m services.scoring.app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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
from services.scoring.sealing import Sealer
from services.scoring.settings import ScoringSettings
from services.scoring.store import ScoringStore
from services.scoring.ticker import tick

log = get_logger(__name__)


@asynccontextmanager
async def worker(settings: ScoringSettings, health: Health) -> AsyncIterator[Scoring]:
    """A running worker: it has caught up and keeps up; ends cleanly."""
    async with resources(settings) as own:
        store = ScoringStore(mongo.database(own.client, settings, "scoring"))
        await store.prepare()
        ledger = own.journal.collection(STANDING.name)
        await ledger.create_index([("keys", 1), ("_id", -1)])
        for topic in (INDICATOR.name, PLAN.name):
            await own.journal.prepare_extents(topic)
        scoring = Scoring(store, own.journal, own.redis, own.clock, settings)
        plans, events = _consumers(own.journal, scoring, settings)
        await plans.catch_up()
        events.start_from(await scoring.load())
        own.subscribe(plans)
        own.subscribe(events)
        await own.start_bus(health)
        found = await events.catch_up()
        await scoring.settle()
        log.info("caught up", packs=found, facts=len(scoring.fold.facts))
        settle()
        for name, consumer in (("plans", plans), ("events", events)):
            health.check(name, consumer.trouble)
            health.watch(f"keep up with {name}", consumer.keep_up())
        closings = Closings(
            mongo.database(own.client, settings, "scoring", durable=True)["closings"]
        )
        freezer = Freezer(closings, own.journal, own.clock, settings)
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
        try:
            yield scoring
        finally:
            await health.stop()


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
