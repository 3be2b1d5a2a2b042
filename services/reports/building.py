"""Building archives in the background: one at a time, into a file, then into the store; repeated until it is there."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from prometheus_client import Counter, Gauge
from pymongo.errors import PyMongoError

from services.reports.application import Packages
from services.reports.domain.record import Record
from services.reports.domain.workflow import Build, Package
from services.reports.render.package import Templates, build
from services.reports.store import CHUNK_BYTES
from services.runtime.clock import monotonic_seconds
from services.runtime.journal import JournalUnavailableError
from services.runtime.logging import get_logger
from services.runtime.process import give_back
from services.runtime.web.collation import vietnamese_key

log = get_logger(__name__)
BUILT = Counter("reports_packages_built", "Archives built.")
FAILED = Counter("reports_builds_failed", "Archives that could not be built.")
SECONDS = Gauge("reports_build_seconds", "How long the last archive took.")
LOOK_SECONDS = 0.5


class OutdatedError(Exception):
    """The package was changed while its archive was being built."""


class Builder:
    """The worker's loop."""

    def __init__(self, packages: Packages) -> None:
        self._packages = packages
        self._store = packages.store
        self._steps = (0, 0)
        self._outdated = False

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
        record = await self._packages.record(package)
        templates = await self._store.templates()
        with tempfile.TemporaryDirectory(prefix="thidua-") as folder:
            path = Path(folder) / "package.zip"
            try:
                manifest = await self._watched(package, record, templates, path)
            except OutdatedError:
                return
            except Exception as error:
                FAILED.inc()
                log.exception("a package could not be built", package=package.id)
                failed = package.build.model_copy(update={"error": type(error).__name__})
                await self._store.built(package.id, failed)
                return
            number = package.build.wanted
            await self._store.keep_archive(package.id, number, _chunks(path))
            files = len(manifest["files"])
            done = Build(
                done=number,
                steps=files,
                steps_of=files,
                sha256=_hash(path),
                size=path.stat().st_size,
            )
        await self._store.built(package.id, done)
        give_back()
        SECONDS.set(monotonic_seconds() - started)
        BUILT.inc()
        log.info("package built", package=package.id, files=files)

    async def _watched(
        self, package: Package, record: Record, templates: Templates, path: Path
    ) -> dict[str, Any]:
        """Build in a thread, and write down how far it is."""
        self._steps, self._outdated = (0, 0), False
        work = asyncio.create_task(asyncio.to_thread(self._write, record, templates, path))
        while not work.done():
            await asyncio.wait([work], timeout=LOOK_SECONDS)
            await self._store.progress(package.id, *self._steps)
            current = await self._store.package(package.id)
            self._outdated = (
                current is not None and current.build.wanted != package.build.wanted
            )
        return await work

    def _write(self, record: Record, templates: Templates, path: Path) -> dict[str, Any]:
        with path.open("wb") as target:
            return build(record, vietnamese_key, target, templates, self._tell)

    def _tell(self, done: int, total: int) -> None:
        if self._outdated:
            raise OutdatedError
        self._steps = (done, total)


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as source:
        while chunk := source.read(CHUNK_BYTES):
            yield chunk


def _hash(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
