"""Waiting for a condition, with a limit; nothing here sleeps for a fixed time."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

PATIENCE_SECONDS = 60
"""For a machine that is slow or busy; what is waited for mostly takes a fraction of a second."""


def wait_until(
    true: Callable[[], object],
    limit: float = PATIENCE_SECONDS,
    why: Callable[[], str] = lambda: "",
) -> None:
    """Wait for a condition."""
    end = time.monotonic() + limit
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit} s: {why()}")
        time.sleep(0.05)


async def until(
    true: Callable[[], Any],
    limit: float = PATIENCE_SECONDS,
    why: Callable[[], str] = lambda: "",
) -> Any:
    """Wait for a condition while the loop runs, which may be asked for by a coroutine; returns what it was."""
    end = time.monotonic() + limit
    while True:
        found = true()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit} s: {why()}")
        await asyncio.sleep(0.01)
