"""Evidence: files stream into GridFS piece by piece, are hashed on the way, and are there only when whole."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from bson import ObjectId
from gridfs.errors import NoFile
from prometheus_client import Counter

from services.intake.workspace.application import Workspace, repeat
from services.intake.workspace.domain.declaring import Place
from services.intake.workspace.domain.duties import Duty
from services.intake.workspace.domain.evidence import (
    HEAD_BYTES,
    MOST_BYTES,
    MOST_FILES,
    Evidence,
    EvidenceError,
    clean_name,
    kept_until,
    media_type_of,
)
from services.intake.workspace.domain.report import Report, ReportError
from services.intake.workspace.store import PIECE_BYTES
from services.runtime.auth import Principal, Role
from services.runtime.logging import get_logger

log = get_logger(__name__)
RECEIVED = Counter("workspace_evidence_bytes", "Bytes of evidence that were kept.")
REFUSED = Counter("workspace_evidence_refused", "Files that were not taken.", ["reason"])
HOUSEKEEPING_SECONDS = 600
MOST_SECONDS = 1_800
"""For one upload; well below the time after which its pieces are cleared away."""


@dataclass(frozen=True, slots=True)
class Received:
    """What was learnt of a file while it streamed in."""

    sha256: str
    size: int
    media_type: str


class EvidenceRoom:
    """Takes files in, gives them out, clears them away."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._store = workspace.store

    async def receive(
        self, place: Place, code: str, name: str, chunks: AsyncIterator[bytes], by: str
    ) -> Evidence:
        """Keep a file; whatever goes wrong leaves no piece of it.

        Raises:
            EvidenceError: it is too large, empty, of a kind that is not taken, or one too many.
            ReportError: the report is locked.
        """
        duty = self.workspace.duty(place, code)
        await self._check_open(place, duty)
        key = await self._store.begin_upload()
        try:
            received = await self._in_time(key, clean_name(name), chunks)
            await self._check_open(place, duty)
            evidence = Evidence(
                id=key,
                plan=place.plan.id,
                unit=place.unit,
                month=place.month,
                indicator=code,
                name=clean_name(name),
                personal=duty.personal,
                by=by,
                at=self.workspace.clock.now(),
                sha256=received.sha256,
                size=received.size,
                media_type=received.media_type,
            )
            detail: dict[str, str | int | bool] = {"sha256": received.sha256}
            await self.workspace.audit.record(by, "evidence.add", key, detail=detail)
        except EvidenceError as error:
            REFUSED.labels(error.code).inc()
            await asyncio.shield(self._store.drop_content(key))
            raise
        except BaseException:
            await asyncio.shield(self._store.drop_content(key))
            raise
        await self._store.add_evidence(evidence)
        RECEIVED.inc(received.size)
        return evidence

    async def _check_open(self, place: Place, duty: Duty) -> None:
        code = duty.indicator.code
        report = await self.workspace.report(place)
        if not duty.asked or not report.open_for(code):
            raise ReportError("locked", code)
        attached = await self._store.attached(place.plan.id, place.unit, place.month)
        if sum(file.indicator == code for file in attached) >= MOST_FILES:
            raise EvidenceError("too_many_files", str(MOST_FILES))

    async def _in_time(self, key: str, name: str, chunks: AsyncIterator[bytes]) -> Received:
        try:
            async with asyncio.timeout(MOST_SECONDS):
                return await self._stream(key, name, chunks)
        except TimeoutError as error:
            raise EvidenceError("too_slow") from error

    async def _stream(self, key: str, name: str, chunks: AsyncIterator[bytes]) -> Received:
        digest, size, number = hashlib.sha256(), 0, 0
        kind = ""
        async for piece in _pieces_of(chunks):
            digest.update(piece)
            size += len(piece)
            kind = kind or media_type_of(piece[:HEAD_BYTES], name)
            await self._store.write_piece(key, number, piece)
            number += 1
        if size == 0:
            raise EvidenceError("empty")
        await self._store.finish_upload(key, size)
        return Received(digest.hexdigest(), size, kind)

    async def remove(self, place: Place, key: str, by: str) -> None:
        """Take a file off the draft; versions that were handed in with it keep it.

        Raises:
            LookupError: there is no such file in this report.
            ReportError: the report is locked.
        """
        evidence = await self._store.one_evidence(key)
        where = (place.plan.id, place.unit, place.month)
        if evidence is None or (evidence.plan, evidence.unit, evidence.month) != where:
            raise LookupError(key)
        if evidence.removed_at is not None:
            return
        report = await self.workspace.report(place)
        if not report.open_for(evidence.indicator):
            raise ReportError("locked", evidence.indicator)
        await self.workspace.audit.record(by, "evidence.remove", key)
        await self._store.mark_evidence(key, "removed_at", self.workspace.clock.now())
        if not _handed_in(report, key):
            await self._store.drop_content(key)
            await self._store.mark_evidence(key, "purged_at", self.workspace.clock.now())

    async def find(self, key: str, principal: Principal) -> Evidence:
        """A file, for somebody who may see it.

        Raises:
            LookupError: there is none, or it is somebody else's: the two look alike.
        """
        evidence = await self._store.one_evidence(key)
        if evidence is None or not may_see(principal, evidence):
            raise LookupError(key)
        if evidence.personal:
            await self.workspace.audit.record(principal.subject, "evidence.read", key)
        return evidence

    async def content(self, evidence: Evidence) -> AsyncIterator[bytes]:
        """Its bytes, piece by piece.

        Raises:
            LookupError: its content was purged.
        """
        if evidence.purged_at is not None:
            raise LookupError(evidence.id)
        try:
            stream = await self._store.files.open_download_stream(ObjectId(evidence.id))
        except NoFile as error:
            raise LookupError(evidence.id) from error
        return _pieces(stream)

    async def keep_house(self) -> None:
        """For ever: clear away broken uploads, and content that was kept as long as the plan wants."""

        async def work() -> None:
            await self._store.clear_broken_uploads()
            await self.purge()

        await repeat(work, HOUSEKEEPING_SECONDS)

    async def purge(self) -> int:
        """Remove content whose time is over; what is known of it stays. Returns how many files."""
        purged, today = 0, self.workspace.clock.today()
        for name in self.workspace.plans.ids():
            plan = self.workspace.plans.newest(name)
            for personal in (True, False):
                if today <= kept_until(plan, personal=personal):
                    continue
                for evidence in await self._store.unpurged(name, personal=personal):
                    await self.workspace.audit.record(
                        "retention", "evidence.purge", evidence.id
                    )
                    await self._store.drop_content(evidence.id)
                    now = self.workspace.clock.now()
                    await self._store.mark_evidence(evidence.id, "purged_at", now)
                    purged += 1
        if purged:
            log.info("purged evidence", files=purged)
        return purged


async def _pieces_of(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pieces of one size, but for the last; no more than the limit is ever taken in."""
    waiting, size = bytearray(), 0
    async for chunk in chunks:
        size += len(chunk)
        if size > MOST_BYTES:
            raise EvidenceError("too_large")
        waiting += chunk
        while len(waiting) >= PIECE_BYTES:
            yield bytes(waiting[:PIECE_BYTES])
            del waiting[:PIECE_BYTES]
    if waiting:
        yield bytes(waiting)


async def _pieces(stream: object) -> AsyncIterator[bytes]:
    while piece := await stream.readchunk():  # type: ignore[attr-defined]
        yield piece


def _handed_in(report: Report, key: str) -> bool:
    return any(told.id == key for version in report.versions for told in version.evidence)


def may_see(principal: Principal, evidence: Evidence) -> bool:
    """Unit and reviewers see everything of the unit; observers and leaders what is not personal."""
    roles = (Role.OFFICER, Role.HEAD)
    of_unit = any(
        not units or evidence.unit in units
        for role, units in principal.grants.items()
        if role in roles
    )
    if of_unit or Role.REVIEWER in principal.grants:
        return True
    return not evidence.personal and principal.has(Role.OBSERVER, Role.LEADER)
