"""What the portal's doors keep: merged states of dossiers, and broken items. Nothing that names a person."""

import hashlib
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pymongo import ASCENDING, InsertOne, ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError

from services.intake.domain.names import key_of
from services.intake.portal.domain.canonical import said_of
from services.intake.portal.domain.merging import State
from services.intake.portal.domain.messages import Fault
from services.runtime.clock import wall_now
from services.runtime.mongo import (
    DUPLICATE_KEY,
    Collection,
    Database,
    Document,
    write_all,
)

BATCH = 500
MOST_RECALLED = 200_000


@dataclass(slots=True)
class Dossier:
    """A dossier as it is stored."""

    source: str
    code: str
    state: State = field(default_factory=State)
    told: str = ""
    """Id of the last canonical event."""
    waits: str = ""
    """The cause for which it is not told; empty: it was."""
    since: datetime | None = None
    write: str = ""
    """Mark of the write that made this state; guards against two writers at once."""

    @property
    def key(self) -> str:
        """Its key in the store."""
        return f"{self.source} {self.code}"


class DossierStore:
    """Merged states, guarded: of two writers of one state the second is told so."""

    def __init__(self, database: Database) -> None:
        self.dossiers: Collection = database["dossiers"]
        self.faults: Collection = database["faults"]

    async def prepare(self) -> None:
        """Create the indexes; harmless when they are there."""
        waiting = {"waits": {"$gt": ""}}
        await self.dossiers.create_index(
            [("waits", ASCENDING), ("since", ASCENDING)], partialFilterExpression=waiting
        )
        await self.dossiers.create_index("name")
        await self.dossiers.create_index("twin", sparse=True)
        await self.faults.create_index([("cause", ASCENDING), ("since", ASCENDING)])
        await self.faults.create_index("dossier")

    async def find(self, source: str, codes: Iterable[str]) -> dict[str, Dossier]:
        """Code -> dossier, of those that are known."""
        keys = [f"{source} {code}" for code in codes]
        cursor = self.dossiers.find({"_id": {"$in": keys}})
        return {one.code: one for one in map(_dossier, await cursor.to_list(None))}

    async def each(self, wanted: Document) -> AsyncIterator[list[Dossier]]:
        """All dossiers that match, some hundred at a time, those that wait longest first."""
        cursor = self.dossiers.find(wanted, batch_size=BATCH)
        if "waits" in wanted:
            cursor = cursor.sort("since", ASCENDING)
        while found := await cursor.to_list(BATCH):
            yield [_dossier(stored) for stored in found]

    async def save(self, changed: Sequence[Dossier]) -> set[str]:
        """Write new states durably; returns the codes of those that another writer changed meanwhile."""
        if not changed:
            return set()
        mark = secrets.token_hex(6)
        writes = [_write(dossier, mark) for dossier in changed]
        try:
            result = await self.dossiers.bulk_write(writes, ordered=False)
        except BulkWriteError as failure:
            errors = failure.details.get("writeErrors", [])
            if any(error["code"] != DUPLICATE_KEY for error in errors):
                raise
        else:
            if result.matched_count + result.inserted_count == len(changed):
                return set()
        keys = {dossier.key: dossier.code for dossier in changed}
        ours = self.dossiers.find({"_id": {"$in": list(keys)}, "write": mark}, {"_id": 1})
        written = {stored["_id"] for stored in await ours.to_list(None)}
        return {code for key, code in keys.items() if key not in written}

    async def twins(self, marks: Sequence[str]) -> dict[str, list[str]]:
        """Twin mark -> keys of some dossiers that bear it.

        Two for each at the most, taken together: exports that know only the day give thousands the same mark.
        """
        wanted = self.dossiers.find({"twin": {"$in": list(marks)}}, {"twin": 1})
        wanted = wanted.limit(2 * len(marks))
        found: dict[str, list[str]] = {}
        for stored in await wanted.to_list(None):
            found.setdefault(stored["twin"], []).append(stored["_id"])
        return found

    async def set_aside(self, source: str, faults: Iterable[Fault]) -> None:
        """Keep what is known of broken items; the same one again changes nothing."""
        await write_all(self.faults, [_fault(source, fault) for fault in faults])

    async def broken(self) -> set[str]:
        """Keys of the dossiers of which broken statements wait."""
        found = self.faults.find({"dossier": {"$gt": ""}}, {"dossier": 1}).limit(MOST_RECALLED)
        return {one["dossier"] for one in await found.to_list(None)}

    async def mended(self, keys: Iterable[str]) -> None:
        """Good statements about these dossiers came: their broken ones are settled."""
        await self.faults.delete_many({"dossier": {"$in": list(keys)}})


def twin_of(dossier: Dossier) -> str | None:
    """The same for two dossiers of one agency and procedure that came in the same second; they may be one."""
    state = dossier.state
    received = state.instant("submitted_at") or state.instant("received_at")
    if not state.known or received is None:
        return None
    parts = dossier.source, state.value("agency"), state.value("procedure"), received
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:20]


def _dossier(stored: Document) -> Dossier:
    fields = {name: (value, at) for name, (value, at) in stored["fields"].items()}
    state = State(fields, tuple(stored["seen"]), stored["version"], stored["taken"])
    return Dossier(
        stored["source"],
        stored["dossier"],
        state,
        stored["told"],
        stored["waits"],
        stored["since"],
        stored["write"],
    )


def _write(dossier: Dossier, mark: str) -> InsertOne[Document] | ReplaceOne[Document]:
    state = dossier.state
    stored: Document = {
        "_id": dossier.key,
        "source": dossier.source,
        "dossier": dossier.code,
        "fields": {name: [value, at] for name, (value, at) in state.fields.items()},
        "seen": list(state.seen),
        "version": state.version,
        "taken": state.taken,
        "told": dossier.told,
        "waits": dossier.waits,
        "since": dossier.since,
        "write": mark,
    }
    if state.known:
        stored["name"] = key_of(said_of(state.values())[1])
    if (twin := twin_of(dossier)) is not None:
        stored["twin"] = twin
    if not dossier.write:
        return InsertOne(stored)
    return ReplaceOne({"_id": dossier.key, "write": dossier.write}, stored)


def _fault(source: str, fault: Fault) -> UpdateOne:
    about = f"{source} {fault.dossier}" if fault.dossier else ""
    known = {name: value for name, value in fault.known.items() if value is not None}
    content = repr((source, fault.field, fault.code, about, sorted(known.items())))
    kept = {
        "cause": f"broken {fault.field} {fault.code}",
        "source": source,
        "field": fault.field,
        "code": fault.code,
        "dossier": about,
        "known": known,
        "since": wall_now(),
    }
    key = hashlib.sha256(content.encode()).hexdigest()[:32]
    return UpdateOne({"_id": key}, {"$setOnInsert": kept}, upsert=True)
