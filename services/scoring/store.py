"""What scoring keeps in its own database beside the journal; all of it only shortens the way back."""

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from pymongo import ASCENDING, ReplaceOne
from pymongo.errors import CollectionInvalid, OperationFailure

from contracts.subtotals import Subtotal
from contracts.wire import spread
from services.runtime.clock import wall_milliseconds
from services.runtime.mongo import Collection, Database, Document, write_all
from services.scoring.domain.facts import Dossier, Fact
from services.scoring.domain.slicing import WHOLE, Slice

FACTS_MARK = "facts"
"""The mark of the instant up to which the facts of all packs are stored, whoever stores them."""
ORDER_BYTES = 24
ROWS_A_READ = 100
_EXISTS = 48
_SMALL_PAGES = {"wiredTiger": {"configString": "leaf_page_max=4KB"}}
"""Random upserts of small documents are twice as fast with small pages."""


class ScoringStore:
    """Facts, standings, daily closes, marks, and dead letters of the scoring service."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.facts: Collection = database["facts"]
        self.standings: Collection = database["standings"]
        self.closes: Collection = database["closes"]
        self.marks: Collection = database["marks"]
        self.dead_letters: Collection = database["dead_letters"]
        self.freezes: Collection = database["freezes"]
        self.frozen: Collection = database["frozen"]
        self.previews: Collection = database["previews"]
        self.seals: Collection = database["seals"]
        self.subtotals: Collection = database["subtotals"]

    async def prepare(self) -> None:
        """Create what must be created before the first write; harmless when it is there."""
        try:
            await self._database.create_collection("facts", storageEngine=_SMALL_PAGES)
        except CollectionInvalid:
            pass
        except OperationFailure as failure:  # another worker was faster by a moment
            if failure.code != _EXISTS:
                raise
        await self.facts.create_index(
            [("unit", ASCENDING), ("month", ASCENDING), ("_id", ASCENDING)]
        )
        await self.standings.create_index([("position", ASCENDING)])
        await self.subtotals.create_index([("slices", ASCENDING), ("stored_ms", ASCENDING)])
        await self.closes.create_index([("board", ASCENDING), ("on", ASCENDING)])

    async def write_facts(self, changed: Mapping[str, tuple[Fact, bytes]]) -> None:
        """Store the newest states: fact id -> (fact, line). An older state never replaces a newer one."""
        writes = [_fact_write(key, fact, line) for key, (fact, line) in changed.items()]
        await write_all(self.facts, writes)

    async def read_facts(self, of: Slice = WHOLE) -> AsyncIterator[list[bytes]]:
        """The lines of a slice's facts, some thousand at a time, and of some that were stored without their spread."""
        mine = {"$or": [{"spread": {"$mod": [of.of, of.number]}}, {"spread": None}]}
        cursor = self.facts.find(
            {} if of == WHOLE else mine, {"line": 1, "_id": 0}, batch_size=5_000
        )
        while stored := await cursor.to_list(5_000):
            yield [bytes(one["line"]) for one in stored]

    async def facts_of(
        self,
        unit: str,
        months: Iterable[str],
        types: Iterable[str],
        after: str | None,
        most: int,
    ) -> list[Document]:
        """A unit's dossiers of some months and its claims, in order of id, from after an id on."""
        wanted: Document = {
            "unit": unit,
            "month": {"$in": [*months, ""]},
            "type": {"$in": list(types)},
        }
        if after is not None:
            wanted["_id"] = {"$gt": after}
        return await self.facts.find(wanted).sort("_id", ASCENDING).to_list(most)

    async def write_standings(self, rows: list[Document]) -> None:
        """Store rows of the board as they stand; never over those of a later position."""
        await write_all(self.standings, _newer(rows))

    async def standings_since(self, position: int) -> list[Document]:
        """Rows that moved after a position."""
        found = self.standings.find({"position": {"$gt": position}}).sort("position", ASCENDING)
        return await found.to_list(None)

    async def closes_of(self, board: str, most: int) -> list[Document]:
        """The latest daily closes of a board, oldest first."""
        found = self.closes.find({"board": board}).sort("on", -1)
        return (await found.to_list(most))[::-1]

    async def all_standings(self) -> AsyncIterator[list[Document]]:
        """Every row, some hundred at a time."""
        cursor = self.standings.find(batch_size=ROWS_A_READ)
        while found := await cursor.to_list(ROWS_A_READ):
            yield found

    async def write_subtotals(self, told: Iterable[Document]) -> None:
        """Store what a slice tells; never over that of a later position."""
        now = wall_milliseconds()
        await write_all(self.subtotals, _newer(one | {"stored_ms": now} for one in told))

    async def subtotals_since(self, slices: int, stored_ms: int) -> AsyncIterator[Document]:
        """What all slices of a division tell that was stored at a real millisecond or later."""
        wanted = {"slices": slices, "stored_ms": {"$gte": stored_ms}}
        cursor = self.subtotals.find(wanted, batch_size=1_000)
        while found := await cursor.to_list(1_000):
            for one in found:
                yield one

    async def places_told(self, of: Slice) -> list[tuple[tuple[str, int], tuple[str, str]]]:
        """((plan, version), (unit, month)) of everything that a slice has ever told of."""
        wanted = {"_id": {"$regex": f"^{re.escape(_prefix(of))}"}}
        found = await self.subtotals.find(wanted, {"_id": 1}).to_list(None)
        return [_place_of(one["_id"]) for one in found]

    async def write_mark(self, name: str, **values: Any) -> None:  # noqa: ANN401 - plain values
        """Remember a position or a heartbeat."""
        await self.marks.update_one({"_id": name}, {"$set": values}, upsert=True)

    async def raise_mark(self, name: str, until_ms: int) -> None:
        """Move a low-water mark on; never back."""
        await self.marks.update_one(
            {"_id": name}, {"$max": {"until_ms": until_ms}}, upsert=True
        )

    async def read_mark(self, name: str) -> Document:
        """What was remembered; empty when nothing was."""
        return await self.marks.find_one({"_id": name}) or {}


def slice_mark(of: Slice) -> str:
    """The mark of one slice: its sign of life, and up to when its facts are stored."""
    return f"slice {of}"


def subtotal_document(of: Slice, told: Subtotal, position: int, body: bytes) -> Document:
    """A subtotal as it is stored."""
    return {
        "_id": f"{_prefix(of)}{told.plan}|{told.version}|{told.unit}|{told.month}",
        "slices": of.of,
        "slice": of.number,
        "position": position,
        "body": body,
    }


def _prefix(of: Slice) -> str:
    return f"{of}|"


def _place_of(key: str) -> tuple[tuple[str, int], tuple[str, str]]:
    _, plan, version, unit, month = key.split("|")
    return (plan, int(version)), (unit, month)


def _newer(documents: Iterable[Document]) -> list[ReplaceOne[Document]]:
    """Each in the place of its former one, unless that has a later position."""
    return [
        ReplaceOne({"_id": one["_id"], "position": {"$lt": one["position"]}}, one, upsert=True)
        for one in documents
    ]


def _fact_write(key: str, fact: Fact, line: bytes) -> ReplaceOne[Document]:
    stamp = fact.order.to_bytes(ORDER_BYTES)
    stored: Document = {
        "order": stamp,
        "unit": fact.unit if isinstance(fact, Dossier) else fact.event.unit,
        "month": fact.month if isinstance(fact, Dossier) else "",
        "type": "dossier.recorded" if isinstance(fact, Dossier) else fact.event.type,
        "spread": spread(key),
        "line": line,
    }
    return ReplaceOne({"_id": key, "order": {"$lt": stamp}}, stored, upsert=True)
