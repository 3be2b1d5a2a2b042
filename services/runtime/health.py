"""What makes a process ready: named checks, each None or a reason; and loops that must not die unseen."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine

from services.runtime.logging import get_logger

log = get_logger(__name__)
Check = Callable[[], str | None]


class Health:
    """The readiness of one process."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def check(self, name: str, check: Check) -> None:
        """Add a check that returns None, or why the process is not ready."""
        self._checks[name] = check

    def troubles(self) -> dict[str, str]:
        """Name -> reason, of the checks that fail; empty when ready."""
        found = {name: check() for name, check in self._checks.items()}
        troubles = {name: why for name, why in found.items() if why is not None}
        for task in self._tasks:
            if task.done() and not task.cancelled():
                troubles[task.get_name()] = "stopped"
        return troubles

    def watch(self, name: str, work: Coroutine[object, object, None]) -> None:
        """Run a loop that lives as long as the process; if it fails, the process ends, to be started anew."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(_tell)
        self._tasks.append(task)

    async def stop(self) -> None:
        """End all watched loops; one that a client's time-out kept from hearing of it is told again."""
        while pending := [task for task in self._tasks if not task.done()]:
            for task in pending:
                task.cancel()
            await asyncio.wait(pending, timeout=1)


def _tell(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("loop died, the process ends", loop=task.get_name(), exc_info=error)
        os.kill(os.getpid(), signal.SIGTERM)
