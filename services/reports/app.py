"""The reports worker and its web face: what is wired to what. `python -m services.reports.app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contracts.streams import FREEZE, PLAN, SUBMISSION
from services.reports.application import Packages
from services.reports.building import Builder
from services.reports.handlers import Handlers
from services.reports.settings import ReportsSettings
from services.reports.store import ReportsStore
from services.runtime import mongo
from services.runtime.consuming import Consumer
from services.runtime.health import Health
from services.runtime.logging import get_logger
from services.runtime.process import settle
from services.runtime.resources import Resources, resources
from services.runtime.settings import Settings, from_environment
from services.runtime.working import run_worker

log = get_logger(__name__)


def store_of(own: Resources) -> ReportsStore:
    """The service's own database."""
    return ReportsStore(mongo.database(own.client, own.settings, "reports"))


@asynccontextmanager
async def worker(settings: Settings, health: Health) -> AsyncIterator[Builder]:
    """A running worker: it reads what it needs and builds what is wanted."""
    async with resources(settings) as own:
        store = store_of(own)
        await store.prepare()
        handlers = Handlers(store)
        consumers = {
            topic.name: Consumer(
                own.journal, topic.name, [0], handle, handlers.dead_letters, settings
            )
            for topic, handle in (
                (PLAN, handlers.on_plans),
                (FREEZE, handlers.on_freezes),
                (SUBMISSION, handlers.on_submissions),
            )
        }
        for consumer in consumers.values():
            own.subscribe(consumer)
        await own.start_bus(health)
        for name, consumer in consumers.items():
            await consumer.catch_up()
            health.check(name, consumer.trouble)
            health.watch(f"keep up with {name}", consumer.keep_up())
        builder = Builder(Packages(store, own.journal, own.clock))
        health.watch("build packages", builder.keep())
        settle()
        try:
            yield builder
        finally:
            await health.stop()


def main() -> None:
    """Run one worker until it is told to stop."""
    settings = from_environment(ReportsSettings)
    run_worker("reports", settings, lambda health: worker(settings, health))


if __name__ == "__main__":
    main()
