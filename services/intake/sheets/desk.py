"""Starts imports: one at a time, each in a process of its own, fed with a file that has no name."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from typing import IO, cast

from starlette.requests import Request

from services.intake.http import Refusal, RefusedError
from services.intake.sheets.store import SheetStore
from services.runtime.auth import Principal, Role
from services.runtime.logging import get_logger
from services.runtime.settings import Settings

log = get_logger(__name__)
MOST_BYTES = 64 << 20
STOP_SECONDS = 2
IMPORTERS = (Role.OFFICER, Role.HEAD, Role.REVIEWER, Role.PORTAL)
TOO_LARGE = Refusal(
    413,
    "too_large",
    "Tệp lớn hơn 64 MiB. Hãy xuất theo từng quý hoặc từng tháng.",
    "The file is larger than 64 MiB. Export it by quarter or by month.",
)
BUSY = Refusal(
    429,
    "busy",
    "Đang nhập một tệp khác. Hãy thử lại sau khi tệp đó xong.",
    "Another sheet is being imported. Try again when it is done.",
    15,
)
NOT_YOURS = Refusal(
    404,
    "unknown_unit",
    "Anh/chị không có đơn vị này để nhập.",
    "There is no such unit that you may import for.",
)


def units_of(principal: Principal) -> frozenset[str]:
    """The units that somebody may import for; none named: all."""
    scopes = [principal.grants[role] for role in IMPORTERS if role in principal.grants]
    if Role.ADMIN in principal.grants or any(not units for units in scopes):
        return frozenset()
    return frozenset().union(*scopes)


class SheetDesk:
    """The way in for files."""

    def __init__(self, settings: Settings, store: SheetStore) -> None:
        self._settings = settings
        self.store = store
        self._running: asyncio.subprocess.Process | None = None
        self._starting = False
        self._job = ""

    async def start(
        self, file: IO[bytes], who: Principal, source: str, unit: str | None, *, dry_run: bool
    ) -> str:
        """The job that imports a file.

        Raises:
            RefusedError: another one runs, or it is not for this person.
        """
        allowed = units_of(who)
        if unit is not None and allowed and unit not in allowed:
            raise RefusedError(NOT_YOURS)
        if self._starting:
            raise RefusedError(BUSY)
        self._starting = True
        try:
            await self._refuse_while_busy()
            job = await self.store.begin(
                source=source,
                unit=unit,
                dry_run=dry_run,
                by=who.subject,
                allowed=sorted(allowed),
            )
            self._running, self._job = await self._run(job, file), job
        finally:
            self._starting = False
        return job

    async def _run(self, job: str, file: IO[bytes]) -> asyncio.subprocess.Process:
        file.seek(0)
        words = [sys.executable, "-m", "services.intake.sheets.runner", job]
        return await asyncio.create_subprocess_exec(
            *words,
            stdin=file.fileno(),
            env={**os.environ, **self._settings.environment()},  # noqa: TID251 - handed on
        )

    async def _refuse_while_busy(self) -> None:
        """One that has told its end may take a moment to go."""
        running = self._running
        if running is None or running.returncode is not None:
            return
        job = await self.store.job(self._job)
        if job is not None and job["state"] == "running":
            raise RefusedError(BUSY)
        await running.wait()

    async def wait(self) -> None:
        """Until the running import has ended."""
        if self._running is not None:
            await self._running.wait()

    async def stop(self) -> None:
        """End a running import; whoever imports the file again harms nothing."""
        running = self._running
        if running is None or running.returncode is not None:
            return
        running.terminate()
        await asyncio.wait_for(running.wait(), STOP_SECONDS)


async def spooled(request: Request) -> IO[bytes]:
    """A raw body as a file without a name.

    Raises:
        RefusedError: it is too large.
    """
    file = cast("IO[bytes]", tempfile.TemporaryFile())  # noqa: SIM115 - the import closes it
    size = 0
    async for chunk in _limited(request):
        size += len(chunk)
        if size > MOST_BYTES:
            file.close()
            raise RefusedError(TOO_LARGE)
        await asyncio.to_thread(file.write, chunk)
    return file


def refuse_large(request: Request) -> None:
    """Refuse what says that it is too large.

    Raises:
        RefusedError: it does.
    """
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > MOST_BYTES + 10_000:
        raise RefusedError(TOO_LARGE)


async def _limited(request: Request) -> AsyncIterator[bytes]:
    refuse_large(request)
    async for chunk in request.stream():
        yield chunk
