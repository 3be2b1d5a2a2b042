"""Long computations in a process of their own, which ends with the one that asked, however that one ends."""

import asyncio
import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


def helper(niceness: int = 0) -> ProcessPoolExecutor:
    """One process, begun at the first call; it sees nothing of this one but the arguments."""
    spawning = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, spawning, _begin, (niceness,))


async def in_own_process(
    call: Callable[Arguments, Answer],
    *arguments: Arguments.args,
    **_none: Arguments.kwargs,  # an executor takes none
) -> Answer:
    """One call in a process that lives as long as the call."""
    with helper() as pool:
        return await asyncio.get_running_loop().run_in_executor(pool, call, *arguments)


def _begin(niceness: int) -> None:
    os.nice(niceness)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A pool's process waits for work for ever: it holds the other end of its queue itself."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
