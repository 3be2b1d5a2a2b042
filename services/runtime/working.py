"""How a worker runs: started anew when it cannot start, with a small web face that shows health and metrics."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from prometheus_client import Gauge
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.runtime import metrics, tracing
from services.runtime.health import Health
from services.runtime.logging import configure, get_logger
from services.runtime.process import serve
from services.runtime.settings import Settings

log = get_logger(__name__)
RETRY_SECONDS = 2
READY = Gauge("worker_ready", "1 when the worker is ready.")

Work = Callable[[Health], AbstractAsyncContextManager[object]]
"""Opens the worker: it has caught up and keeps up while the context is open."""


def run_worker(name: str, settings: Settings, work: Work) -> None:
    """Run one worker until it is told to stop; `name` stands on each line of its log."""
    configure(settings.log_level, name)
    tracing.configure(settings, name)
    serve(worker_face(work), settings)


def worker_face(work: Work) -> Starlette:
    """Health and metrics of the worker, which runs as long as the face does."""
    started = asyncio.Event()
    health = Health()
    health.check("start", lambda: None if started.is_set() else "starting")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        running = asyncio.create_task(_run(work, health, started))
        yield
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    def troubles() -> dict[str, str]:
        found = health.troubles()
        READY.set(not found)
        return found

    async def alive(_: Request) -> Response:
        return JSONResponse({"alive": True})

    async def readiness(_: Request) -> Response:
        found = troubles()
        return JSONResponse(found or {"ready": True}, 503 if found else 200)

    async def measured(_: Request) -> Response:
        troubles()
        return metrics.exposition()

    routes = [
        Route("/healthz", alive),
        Route("/readyz", readiness),
        Route("/metrics", measured),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def _run(work: Work, health: Health, started: asyncio.Event) -> None:
    while True:
        try:
            async with work(health):
                started.set()
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("worker could not start; trying again")
            await health.stop()
            await asyncio.sleep(RETRY_SECONDS)
