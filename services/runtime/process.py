"""How a long-lived process serves HTTP, and treats its threads and its garbage."""

import gc
import sys

import uvicorn
from starlette.types import ASGIApp

from services.runtime.settings import Settings

SWITCH_SECONDS = 0.001
"""The driver works in threads: a finished one must not wait the usual five milliseconds for its turn."""

BACKLOG = 16_384
"""Connections that may wait to be taken: a crowd comes back at once. The kernel caps it at `net.core.somaxconn`."""


def settle() -> None:
    """After the start: what is there lives as long as the process, so look through young objects only."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)


def serve(app: ASGIApp, settings: Settings) -> None:
    """Serve until told to stop; requests that are under way then get two seconds."""
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
        server_header=False,
        backlog=BACKLOG,
    )
