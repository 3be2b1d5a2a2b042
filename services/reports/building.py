"""Building archives in the background: one at a time, in a process of its own, then into the store."""

import asyncio
import hashlib
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from prometheus_client import Counter, Gauge
from pymongo.errors import PyMongoError

from services.reports.application import Packages
from services.reports.domain.record import ARCHIVE, ORDER, Order
from services.reports.domain.workflow import Build, Package
from services.reports.store import CHUNK_BYTES
from services.runtime.clock import monotonic_seconds
from services.runtime.journal import JournalUnavailableError
from services.runtime.logging import get_logger

log = get_logger(__name__)
BUILT = Counter("reports_packages_built", "Archives built.")
FAILED = Counter("reports_builds_failed", "Archives that could not be built.")
SECONDS = Gauge("reports_build_seconds", "How long the last archive took.")
LOOK_SECONDS = 0.5
TRIES = 3
"""So often a process that broke down is begun again: memory may be short for a while, a fault in the program stays."""
PAUSE_SECONDS = 2.0
PROGRAM = (sys.executable, "-m", "services.reports.drawing")
"""What draws a package; it is given a folder."""


class OutdatedError(Exception):
    """The package was changed while its archive was being built."""


class BrokenDownError(Exception):
    """The process that drew the package ended without having drawn it; the code says how."""

    def __init__(self, returned: int) -> None:
        self.code = "killed" if returned < 0 else "failed"
        super().__init__(f"ended with {returned}")


class Builder:
    """The worker's loop."""

    def __init__(self, packages: Packages, program: tuple[str, ...] = PROGRAM) -> None:
        self._packages = packages
        self._store = packages.store
        self._program = program

    async def keep(self) -> None:
        """Look for what is wanted and not there, for ever."""
        while True:
            try:
                await self.look()
            except (PyMongoError, JournalUnavailableError) as failure:
                log.warning("packages wait", error=str(failure)[:120])
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Begin drafts, build what is wanted, tell what was not told."""
        await self._packages.begin()
        await self._packages.announce_papers()
        for package in await self._store.packages():
            await self._packages.announce(package)
            if not package.build.ready and not package.build.error:
                await self._build(package)

    async def _build(self, package: Package) -> None:
        started = monotonic_seconds()
        with tempfile.TemporaryDirectory(prefix="thidua-") as folder:
            archive = Path(folder) / ARCHIVE
            try:
                steps = await self._drawn(package, Path(folder))
            except OutdatedError:
                return
            except BrokenDownError as error:
                FAILED.inc()
                log.exception("a package could not be built", package=package.id)
                failed = package.build.model_copy(update={"error": error.code})
                await self._store.built(package.id, failed)
                return
            number = package.build.wanted
            await self._store.keep_archive(package.id, number, _chunks(archive))
            done = Build(
                done=number,
                steps=steps,
                steps_of=steps,
                sha256=_hash(archive),
                size=archive.stat().st_size,
            )
        await self._store.built(package.id, done)
        SECONDS.set(monotonic_seconds() - started)
        BUILT.inc()
        log.info("package built", package=package.id, documents=steps)

    async def _drawn(self, package: Package, folder: Path) -> int:
        """Have it drawn; returns how many documents it has.

        Raises:
            OutdatedError: another one is wanted meanwhile.
            BrokenDownError: the process broke down each time.
        """
        order = Order(
            record=await self._packages.record(package),
            templates=await self._store.templates(),
        )
        await asyncio.to_thread(_write, folder / ORDER, order)
        for _ in range(TRIES - 1):
            try:
                return await self._try(package, folder)
            except BrokenDownError as error:
                log.warning("drawing again", package=package.id, error=str(error))
                await asyncio.sleep(PAUSE_SECONDS)
        return await self._try(package, folder)

    async def _try(self, package: Package, folder: Path) -> int:
        """Run the process once, and write down how far it is; it never outlives this call."""
        steps, told_at = 0, 0.0
        async with _process(*self._program, str(folder)) as process:
            if process.stdout is None:
                raise TypeError("a process with a pipe has a pipe")
            async for line in process.stdout:
                steps, steps_of = map(int, line.split())
                if monotonic_seconds() - told_at >= LOOK_SECONDS:
                    told_at = monotonic_seconds()
                    await self._told(package, steps, steps_of)
            if returned := await process.wait():
                raise BrokenDownError(returned)
        return steps

    async def _told(self, package: Package, steps: int, steps_of: int) -> None:
        await self._store.progress(package.id, steps, steps_of)
        current = await self._store.package(package.id)
        if current is not None and current.build.wanted != package.build.wanted:
            raise OutdatedError


@asynccontextmanager
async def _process(*words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that tells on its standard output, and is ended with the block."""
    process = await asyncio.create_subprocess_exec(*words, stdout=PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _write(path: Path, order: Order) -> None:
    path.write_text(order.model_dump_json(), encoding="utf-8")


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as source:
        while chunk := source.read(CHUNK_BYTES):
            yield chunk


def _hash(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
