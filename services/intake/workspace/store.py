"""What the workspace keeps: reports, appeals, files and what is known of them, sheets on trial, drawn samples."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, TypeVar

from bson import ObjectId
from gridfs.errors import NoFile
from pydantic import BaseModel
from pymongo import ASCENDING, DESCENDING
from pymongo.errors import DuplicateKeyError

from services.intake.workspace.domain.appeals import Appeal
from services.intake.workspace.domain.evidence import Evidence
from services.intake.workspace.domain.report import DECIDED, UNDECIDED, Report
from services.runtime.clock import wall_now
from services.runtime.mongo import Collection, Database, Document, file_bucket

BUCKET = "evidence_content"
PIECE_BYTES = 1 << 20
"""The driver's own upload stream holds some 48 MB back; pieces of this size are written as they come."""
UPLOAD_HOURS = 1
"""An upload that did not end within this time never will."""
Kept = TypeVar("Kept", Report, Appeal)


class WorkspaceStore:
    """Typed ways into the collections of the workspace, in intake's database."""

    def __init__(self, database: Database) -> None:
        self.reports: Collection = database["reports"]
        self.appeals: Collection = database["appeals"]
        self.evidence: Collection = database["evidence"]
        self.uploads: Collection = database["uploads"]
        self.sheets: Collection = database["sheets"]
        self.samples: Collection = database["samples"]
        self._chunks: Collection = database[f"{BUCKET}.chunks"]
        self._files: Collection = database[f"{BUCKET}.files"]
        self.files = file_bucket(database, BUCKET)

    async def prepare(self) -> None:
        """Create the indexes; harmless when they are there."""
        await self.reports.create_index([("unit", ASCENDING), ("month", ASCENDING)])
        await self.reports.create_index([("waiting", ASCENDING)])
        await self.reports.create_index([("decided_at", DESCENDING)])
        await self.appeals.create_index([("unit", ASCENDING)])
        await self.evidence.create_index([("sha256", ASCENDING)])
        await self.evidence.create_index([("unit", ASCENDING), ("month", ASCENDING)])
        await self._chunks.create_index(
            [("files_id", ASCENDING), ("n", ASCENDING)], unique=True
        )
        await self.sheets.create_index([("made_at", ASCENDING)], expireAfterSeconds=24 * 3600)

    async def report(self, plan: str, unit: str, month: str) -> Report:
        """The report; an empty one when nothing was written yet."""
        empty = Report(plan=plan, unit=unit, month=month)
        found = await self.reports.find_one({"_id": empty.key})
        return empty if found is None else _read(Report, found)

    async def save_report(self, report: Report, outbox: list[dict[str, Any]]) -> bool:
        """Replace the report that was read; False when somebody else was faster."""
        waiting = sum(item.state in UNDECIDED for item in report.items.values())
        decided = [item.last.at for item in report.items.values() if item.state in DECIDED]
        extra = {"waiting": waiting, "decided_at": max(decided, default=None)}
        return await _replace(self.reports, report.key, report, outbox, extra)

    async def reports_of(self, plan: str, unit: str) -> list[Report]:
        """All reports of a unit, by month."""
        cursor = self.reports.find({"plan": plan, "unit": unit}).sort("month", ASCENDING)
        return [_read(Report, found) async for found in cursor]

    async def waiting_reports(self) -> list[Report]:
        """Those of which an item waits for a decision."""
        cursor = self.reports.find({"waiting": {"$gt": 0}})
        return [_read(Report, found) async for found in cursor]

    async def decided_reports(self, unit: str, most: int) -> list[Report]:
        """Those with the latest decisions, newest first; of one unit if it is named."""
        wanted = {"decided_at": {"$ne": None}} | ({"unit": unit} if unit else {})
        cursor = self.reports.find(wanted).sort("decided_at", -1).limit(most)
        return [_read(Report, found) async for found in cursor]

    async def appeal(self, key: str) -> Appeal | None:
        """One appeal."""
        found = await self.appeals.find_one({"_id": key})
        return None if found is None else _read(Appeal, found)

    async def save_appeal(self, appeal: Appeal, outbox: list[dict[str, Any]]) -> bool:
        """Replace the appeal that was read; False when somebody else was faster."""
        return await _replace(self.appeals, appeal.id, appeal, outbox, {})

    async def find_appeals(self, **wanted: object) -> list[Appeal]:
        """Appeals, newest first."""
        cursor = self.appeals.find(wanted).sort("at", -1).limit(500)
        return [_read(Appeal, found) async for found in cursor]

    async def undelivered(self) -> AsyncIterator[tuple[Collection, Document]]:
        """(collection, document) of everything whose events may not be in the journal yet."""
        for collection in (self.reports, self.appeals):
            async for found in collection.find({"outbox.0": {"$exists": True}}, {"outbox": 1}):
                yield collection, found

    @staticmethod
    async def delivered(collection: Collection, key: str, letters: list[str]) -> None:
        """These letters are in the journal now."""
        await collection.update_one(
            {"_id": key}, {"$pull": {"outbox": {"id": {"$in": letters}}}}
        )

    async def attached(self, plan: str, unit: str, month: str) -> list[Evidence]:
        """The files of a report, oldest first."""
        wanted = {"plan": plan, "unit": unit, "month": month, "removed_at": None}
        return [_read(Evidence, f) async for f in self.evidence.find(wanted).sort("at", 1)]

    async def one_evidence(self, key: str) -> Evidence | None:
        """One file's description, also of a removed one: old versions name it."""
        found = await self.evidence.find_one({"_id": key})
        return None if found is None else _read(Evidence, found)

    async def same_content(self, hashes: list[str]) -> list[Evidence]:
        """Every claim of these very contents."""
        wanted = {"sha256": {"$in": hashes}, "removed_at": None}
        return [_read(Evidence, f) async for f in self.evidence.find(wanted)]

    async def add_evidence(self, evidence: Evidence) -> None:
        """Keep the description; from now on the file is there for people."""
        await self.evidence.insert_one({"_id": evidence.id, **evidence.model_dump(mode="json")})
        await self.uploads.delete_one({"_id": evidence.id})

    async def mark_evidence(self, key: str, field: str, at: datetime) -> None:
        """Say when it was removed or purged."""
        await self.evidence.update_one({"_id": key}, {"$set": {field: at.isoformat()}})

    async def unpurged(self, plan: str, *, personal: bool) -> list[Evidence]:
        """Files of a plan whose content is still kept."""
        wanted = {"plan": plan, "personal": personal, "purged_at": None}
        return [_read(Evidence, f) async for f in self.evidence.find(wanted)]

    async def begin_upload(self) -> str:
        """A key for a file that is about to arrive; noted, so that what never ends can be cleared away."""
        key = str(ObjectId())
        await self.uploads.insert_one({"_id": key, "began_at": wall_now()})
        return key

    async def write_piece(self, key: str, number: int, piece: bytes) -> None:
        """Keep one piece of a file, in the form of GridFS."""
        await self._chunks.insert_one({"files_id": ObjectId(key), "n": number, "data": piece})

    async def finish_upload(self, key: str, size: int) -> None:
        """All pieces are there: from now on GridFS can read the file."""
        about = {"length": size, "chunkSize": PIECE_BYTES, "uploadDate": wall_now()}
        await self._files.insert_one({"_id": ObjectId(key), "filename": key, **about})

    async def drop_content(self, key: str) -> None:
        """Remove a file's content, also of an upload that never ended."""
        try:
            await self.files.delete(ObjectId(key))
        except NoFile:
            await self._chunks.delete_many({"files_id": ObjectId(key)})

    async def clear_broken_uploads(self, hours: float = UPLOAD_HOURS) -> int:
        """Remove the pieces of uploads that broke off so long ago; returns how many there were."""
        broken = self.uploads.find({"began_at": {"$lt": wall_now() - timedelta(hours=hours)}})
        count = 0
        async for upload in broken:
            if await self.one_evidence(upload["_id"]) is None:
                await self.drop_content(upload["_id"])
                count += 1
            await self.uploads.delete_one({"_id": upload["_id"]})
        return count


def _read(model: type[Any], found: Document) -> Any:  # noqa: ANN401 - the model's own type
    return model.model_validate({k: v for k, v in found.items() if k not in ("_id", "waiting")})


async def _replace(
    collection: Collection,
    key: str,
    kept: BaseModel,
    outbox: list[dict[str, Any]],
    extra: Document,
) -> bool:
    known: int = kept.revision  # type: ignore[attr-defined]
    document = {"_id": key, **kept.model_dump(mode="json"), **extra}
    document |= {"revision": known + 1, "outbox": [*document["outbox"], *outbox]}
    if known == 0:
        try:
            await collection.insert_one(document)
        except DuplicateKeyError:
            return False
        return True
    done = await collection.replace_one({"_id": key, "revision": known}, document)
    return done.matched_count == 1
