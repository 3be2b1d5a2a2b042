"""The reports worker and its web face: what is wired to what. `python -m services.reports.app`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from contracts.streams import FREEZE, PLAN, SUBMISSION
from services.reports.application import Packages
from services.reports.building import Builder
from services.reports.handlers import Handlers
from services.reports.settings import ReportsSettings
from services.reports.store import ReportsStore
from services.runtime import metrics, mongo
from services.runtime.consuming import Consumer
from services.runtime.health import Health
from services.runtime.logging import configure, get_logger
from services.runtime.process import serve, settle
from services.runtime.resources import Resources, resources
from services.runtime.settings import Settings

log = get_logger(__name__)
RETRY_SECONDS = 2


def store_of(own: Resources) -> ReportsStore:
    """The service's own database."""
    return ReportsStore(mongo.database(own.client, own.settings, "reports", durable=True))


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


def create_app(settings: Settings) -> Starlette:
    """The worker's own small web face: health and metrics."""
    health = Health()
    started: list[bool] = []
    health.check("start", lambda: None if started else "starting")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        start = asyncio.create_task(_run(settings, health, started))
        yield
        start.cancel()
        await asyncio.gather(start, return_exceptions=True)

    async def ready(_: Request) -> Response:
        troubles = health.troubles()
        return JSONResponse(troubles or {"ready": True}, 503 if troubles else 200)

    async def healthy(_: Request) -> Response:
        return JSONResponse({"alive": True})

    async def measured(_: Request) -> Response:
        return metrics.exposition()

    routes = [Route("/healthz", healthy), Route("/readyz", ready), Route("/metrics", measured)]
    return Starlette(routes=routes, lifespan=lifespan)


async def _run(settings: Settings, health: Health, started: list[bool]) -> None:
    while True:
        try:
            async with worker(settings, health):
                started.append(True)
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("worker could not start; trying again")
            await health.stop()
            await asyncio.sleep(RETRY_SECONDS)


def main() -> None:
    """Run one worker until it is told to stop."""
    settings = ReportsSettings()
    configure(settings.log_level, "reports")
    serve(create_app(settings), settings)


if __name__ == "__main__":
    main()
