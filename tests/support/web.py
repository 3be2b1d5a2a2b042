"""The whole web application in this process, on real databases."""

import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn

from services.app import Front, create_app
from services.runtime.settings import Settings
from tests.support.waiting import wait_until


@asynccontextmanager
async def started(settings: Settings) -> AsyncIterator[Front]:
    """The application, from its start to its end."""
    front = create_app(settings)
    # A server's first message builds it; handlers that are added later count for nothing.
    front.app.middleware_stack = front.app.build_middleware_stack()
    async with front.app.router.lifespan_context(front.app):
        yield front


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """The address of the application, served from a thread of this process."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        create_app(settings), log_level="error", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
