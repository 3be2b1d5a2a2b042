"""What intake keeps in its own database: events in quarantine, and events whose unit somebody has explained."""

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


@dataclass(frozen=True, slots=True)
class Explained:
    """The newest event of a fact whose unit is a code that no plan has, and an alias explains."""

    fact: str
    source: str
    name: str
    """Key of the code, as aliases know it."""
    line: bytes
    """As it was sent."""
    order: str
    """Compares as the precedence of events does."""
    unit: str
    """Under which it was told."""
    moved: int = 0
    """How many corrected aliases it was told anew for."""


class IntakeStore:
    """The quarantine: nothing that was understood but not known is ever dropped."""

    def __init__(self, database: Database) -> None:
        self.quarantine: Collection = database["quarantine"]
        self.explained: Collection = database["explained"]

    async def prepare(self) -> None:
        """Create the indexes; harmless when they are there."""
        await self.quarantine.create_index([("cause", ASCENDING), ("since", ASCENDING)])
        await self.explained.create_index("name")

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

    async def remember(self, events: Iterable[Explained]) -> None:
        """Keep them durably; of a fact that is known by a newer event nothing changes."""
        await write_all(self.explained, [_newest(one) for one in events])

    async def explained_by(self, names: Iterable[str]) -> AsyncIterator[list[Explained]]:
        """What was told under an alias of these names, some hundred at a time."""
        cursor = self.explained.find({"name": {"$in": list(names)}})
        while found := await cursor.to_list(500):
            yield [_explained(stored) for stored in found]

    async def tell_moved(self, events: Iterable[Explained]) -> None:
        """These are in the journal under another unit now."""
        writes = [
            UpdateOne(
                {"_id": one.fact}, {"$set": {"unit": one.unit}, "$max": {"moved": one.moved}}
            )
            for one in events
        ]
        await write_all(self.explained, writes)


def _newest(one: Explained) -> UpdateOne:
    told = {
        "_id": one.fact,
        "source": one.source,
        "name": one.name,
        "line": one.line,
        "order": one.order,
        "unit": one.unit,
    }
    kept = {name: {"$literal": value} for name, value in told.items()}
    kept["moved"] = {"$ifNull": ["$moved", one.moved]}
    is_older = {"$gt": ["$order", {"$literal": one.order}]}
    return UpdateOne(
        {"_id": one.fact},
        [{"$replaceWith": {"$cond": [is_older, "$$ROOT", kept]}}],
        upsert=True,
    )


def _explained(stored: Document) -> Explained:
    return Explained(
        stored["_id"],
        stored["source"],
        stored["name"],
        bytes(stored["line"]),
        stored["order"],
        stored["unit"],
        stored["moved"],
    )
