"""How a command works on the system of a data folder, whether it runs or not."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from services.runtime.resources import Resources


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(text + "\n")


@asynccontextmanager
async def _system(data: Path) -> AsyncIterator[tuple["Resources", str | None]]:
    """The running system of a folder, or its databases alone; with the address when it runs."""
    from services.runtime.datafolder import running, settings_for  # noqa: PLC0415
    from services.runtime.embedded import embedded_databases  # noqa: PLC0415
    from services.runtime.resources import resources  # noqa: PLC0415

    run = running(data)
    if run is not None:
        async with resources(settings_for(data, run)) as own:
            yield own, run.address
        return
    async with embedded_databases(data) as addresses:
        settings = settings_for(data).model_copy(
            update={"mongo_url": addresses.mongo_url, "redis_url": addresses.redis_url}
        )
        async with resources(settings) as own:
            yield own, None


def with_system(data: Path, work: Callable[["Resources", str | None], Awaitable[int]]) -> None:
    """Do some work on a folder's system; exit with what it returns unless that is 0."""

    async def run() -> int:
        async with _system(data) as (own, address):
            return await work(own, address)

    code = asyncio.run(run())
    if code:
        raise typer.Exit(code)
