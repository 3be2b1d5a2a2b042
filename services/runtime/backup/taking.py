"""Takes a backup while the system runs: every database in one pass, the journal up to a bound that is fixed first."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bson

from services.runtime import mongo
from services.runtime.backup.archive import ArchiveError, ArchiveWriter, Manifest
from services.runtime.backup.content import COLLECTION, DOCUMENT, FILE, MANIFEST, check
from services.runtime.clock import monotonic_seconds, wall_milliseconds, wall_now
from services.runtime.journal import id_at
from services.runtime.resources import Resources

JOURNAL = "journal"
ANCHORS = "audit_anchors"
SYSTEM = frozenset({"admin", "config", "local"})
DOCUMENTS_A_READ = 200
KEPT_FILES = ("keys/**/*.pem", "clock.json")


@dataclass(slots=True)
class Taken:
    """What was written."""

    bytes: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    check_seconds: float = 0.0


async def take(
    own: Resources, data: Path, target: Path, passphrase: str | None, derived: frozenset[str]
) -> Taken:
    """Write a backup, then read it back whole; only a good one gets its name.

    `derived` names collections (`database.collection`) that are left out, because the journal rebuilds them.

    Raises:
        ArchiveError: there is something of that name, or what was written cannot be read back.
    """
    if target.exists():  # noqa: ASYNC240 - a command does one thing at a time
        raise ArchiveError(f"{target} exists: choose another name")
    began = monotonic_seconds()
    draft = target.with_name(f".{target.name}.part")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            writer = ArchiveWriter(file, passphrase, {"made_at": wall_now().isoformat()})
            taken = Taken(counts=await _Taking(own, writer, derived).everything(data))
            writer.close()
            file.flush()
            os.fsync(file.fileno())
        taken.seconds = monotonic_seconds() - began
        check(draft, passphrase)
        taken.check_seconds = monotonic_seconds() - began - taken.seconds
        taken.bytes = draft.stat().st_size
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return taken


class _Taking:
    """One pass over all databases."""

    def __init__(self, own: Resources, writer: ArchiveWriter, derived: frozenset[str]) -> None:
        self._own = own
        self._writer = writer
        self._derived = derived
        self._prefix = own.settings.database_prefix
        self._manifest = Manifest()
        self._bound = id_at(wall_milliseconds())

    async def everything(self, data: Path) -> dict[str, int]:
        """Write all records; returns how many documents each collection has."""
        for name, mode, content in _files(data):
            self._manifest.add(name, content)
            stored = {"name": name, "mode": mode, "content": content}
            self._writer.write(FILE, bson.encode(stored))
        files = set(self._manifest.counts)
        for database, described in await self._collections():
            await self._collection(database, described)
        self._writer.write(MANIFEST, bson.encode(self._manifest.document()))
        return {n: count for n, count in self._manifest.counts.items() if n not in files}

    async def _collections(self) -> list[tuple[str, dict[str, Any]]]:
        """What is to be copied, in order of copying."""
        found = []
        for whole in await self._own.client.list_database_names():
            database = whole[len(self._prefix) :]
            if whole in SYSTEM or not whole.startswith(self._prefix):
                continue
            cursor = await self._own.client[whole].list_collections()
            async for described in cursor:
                name = described["name"]
                plain = described["type"] == "collection" and not name.startswith("system.")
                if plain and f"{database}.{name}" not in self._derived:
                    found.append((database, described))
        return sorted(found, key=lambda one: (_turn(one[0], one[1]["name"]), one[0]))

    async def _collection(self, database: str, described: dict[str, Any]) -> None:
        name = described["name"]
        collection = mongo.raw(self._own.client, self._prefix + database, name)
        indexes = [dict(index) async for index in collection.list_indexes()]
        begins = {
            "database": database,
            "name": name,
            "options": described.get("options", {}),
            "indexes": [index for index in indexes if index["name"] != "_id_"],
        }
        self._writer.write(COLLECTION, bson.encode(begins))
        whole_name = f"{database}.{name}"
        self._manifest.begin(whole_name)
        bounded = database == JOURNAL and name != ANCHORS
        wanted = {"_id": {"$lt": self._bound}} if bounded else {}
        cursor = collection.find(wanted, batch_size=DOCUMENTS_A_READ).sort("_id", 1)
        while documents := await cursor.to_list(DOCUMENTS_A_READ):
            for document in documents:
                raw = bytes(document.raw)
                self._manifest.add(whole_name, raw)
                self._writer.write(DOCUMENT, raw)


def _turn(database: str, name: str) -> int:
    """When a collection is copied: what points at something before what it points at, as writers write the other way.

    A position before what it stands for, an anchor before its entry, a document before its file, a file before its
    pieces.
    """
    if database == JOURNAL:
        return 0 if name == ANCHORS else 5
    if name == "marks":
        return 1
    return 3 if name.endswith(".files") else 4 if name.endswith(".chunks") else 2


def _files(data: Path) -> Iterator[tuple[str, int, bytes]]:
    """(name, mode, content) of the small files that no database holds."""
    for pattern in KEPT_FILES:
        for path in sorted(data.glob(pattern)):
            mode = 0o600 if path.name == "signing.pem" else path.stat().st_mode & 0o777
            yield str(path.relative_to(data)), mode, path.read_bytes()
