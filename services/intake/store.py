"""What intake keeps in its own database: events in quarantine, each with its reason."""

import hashlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from pymongo import ASCENDING, UpdateOne

from services.runtime.clock import wall_now
from services.runtime.mongo import Collection, Database, Document, write_all


@dataclass(frozen=True, slots=True)
class Aside:
    """An event that waits, as it was sent."""

    line: bytes
    cause: str
    reason: str
    source: str
    about: str
    """Code of the dossier, or the claim's subject."""


class IntakeStore:
    """The quarantine: nothing that was understood but not known is ever dropped."""

    def __init__(self, database: Database) -> None:
        self.quarantine: Collection = database["quarantine"]

    async def prepare(self) -> None:
        """Create the indexes; harmless when they are there."""
        await self.quarantine.create_index([("cause", ASCENDING), ("since", ASCENDING)])

    async def set_aside(self, items: Iterable[Aside]) -> None:
        """Keep some durably; the same line again changes nothing."""
        writes = [
            UpdateOne(
                {"_id": hashlib.sha256(one.line).hexdigest()[:32]},
                {
                    "$setOnInsert": {
                        "line": one.line,
                        "cause": one.cause,
                        "reason": one.reason,
                        "source": one.source,
                        "dossier": one.about,
                        "since": wall_now(),
                    }
                },
                upsert=True,
            )
            for one in items
        ]
        await write_all(self.quarantine, writes)

    async def waiting(self) -> AsyncIterator[list[Document]]:
        """All that waits, oldest first, some hundred at a time."""
        cursor = self.quarantine.find({}).sort("since", ASCENDING)
        while found := await cursor.to_list(500):
            yield found

    async def release(self, keys: list[str]) -> None:
        """These are in the journal now."""
        await self.quarantine.delete_many({"_id": {"$in": keys}})

    async def count(self) -> int:
        """How many wait."""
        return await self.quarantine.estimated_document_count()
