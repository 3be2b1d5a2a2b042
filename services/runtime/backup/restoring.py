"""Restores a backup onto a folder that holds nothing yet, whole or as of an instant."""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo.errors import OperationFailure

from services.runtime import mongo
from services.runtime.backup.archive import ArchiveError
from services.runtime.backup.content import CollectionBegins, StoredFile, check, read_items
from services.runtime.backup.taking import ANCHORS, JOURNAL, SYSTEM
from services.runtime.clock import monotonic_seconds
from services.runtime.datafolder import DataFolderError, running, settings_for
from services.runtime.embedded import embedded_databases
from services.runtime.resources import Resources, resources

WRITTEN_TOGETHER = 500
WRITTEN_BYTES = 8 << 20


@dataclass(slots=True)
class Restored:
    """What was brought back."""

    counts: dict[str, int] = field(default_factory=dict)
    left_out: int = 0
    """Packs of the journal after the instant that was asked for."""
    check_seconds: float = 0.0
    seconds: float = 0.0


def refuse_unless_empty(data: Path) -> None:
    """A restore never mixes with what is there.

    Raises:
        DataFolderError: something runs on the folder, or it holds something.
    """
    if run := running(data):
        raise DataFolderError(
            f"the data folder {data} is in use ({run.address}): restore onto an empty one"
        )
    if data.exists() and any(data.iterdir()):
        raise DataFolderError(f"the data folder {data} is not empty: restore onto an empty one")


async def restore(
    source: Path, data: Path, passphrase: str | None, until: datetime | None
) -> Restored:
    """Check the whole backup first, then bring it back; a failure leaves the folder as empty as it was.

    `until`: packs of the journal that were accepted later are left out.

    Raises:
        ArchiveError, DataFolderError: nothing was restored.
    """
    refuse_unless_empty(data)
    began = monotonic_seconds()
    stated = check(source, passphrase)
    restored = Restored(check_seconds=monotonic_seconds() - began)
    try:
        async with embedded_databases(data) as addresses:
            update = {"mongo_url": addresses.mongo_url, "redis_url": addresses.redis_url}
            async with resources(settings_for(data).model_copy(update=update)) as own:
                await _refuse_databases(own)
                work = _Restoring(own, data, until, restored)
                await work.everything(read_items(source, passphrase))
                await _compare(own, stated, restored, until)
    except BaseException:
        _empty(data)
        raise
    restored.seconds = monotonic_seconds() - began - restored.check_seconds
    return restored


async def _refuse_databases(own: Resources) -> None:
    prefix = own.settings.database_prefix
    names = await own.client.list_database_names()
    if there := [n for n in names if n not in SYSTEM and n.startswith(prefix)]:
        raise DataFolderError(
            f"the database server already has {', '.join(there)}: restore onto an empty one"
        )


class _Restoring:
    """One pass over a backup."""

    def __init__(
        self, own: Resources, data: Path, until: datetime | None, restored: Restored
    ) -> None:
        self._own = own
        self._data = data
        self._until = until
        self._restored = restored
        self._into: CollectionBegins | None = None
        self._waiting: list[RawBSONDocument] = []
        self._waiting_bytes = 0

    async def everything(
        self, items: "Iterator[CollectionBegins | StoredFile | bytes]"
    ) -> None:
        """Write all of it."""
        for item in items:
            if isinstance(item, bytes):
                await self._document(item)
            elif isinstance(item, StoredFile):
                _write_file(self._data, item)
            else:
                await self._finish()
                await self._begin(item)
        await self._finish()

    async def _begin(self, begins: CollectionBegins) -> None:
        self._into = begins
        self._restored.counts[begins.whole_name] = 0
        await self._database(begins).create_collection(begins.name, **begins.options)

    async def _document(self, raw: bytes) -> None:
        if self._into is None:
            raise ArchiveError("a document stands before any collection")
        if self._is_later(raw, self._into):
            self._restored.left_out += 1
            return
        self._waiting.append(RawBSONDocument(raw))
        self._waiting_bytes += len(raw)
        if len(self._waiting) >= WRITTEN_TOGETHER or self._waiting_bytes >= WRITTEN_BYTES:
            await self._flush(self._into)

    def _is_later(self, raw: bytes, into: CollectionBegins) -> bool:
        if self._until is None or into.database != JOURNAL or into.name == ANCHORS:
            return False
        at = bson.decode(raw, mongo.AWARE).get("at")
        return isinstance(at, datetime) and at > self._until

    async def _finish(self) -> None:
        """Write what waits, and then the indexes."""
        if self._into is None:
            return
        await self._flush(self._into)
        if self._into.indexes:
            await self._database(self._into).command(
                "createIndexes", self._into.name, indexes=list(map(_index, self._into.indexes))
            )

    async def _flush(self, into: CollectionBegins) -> None:
        if self._waiting:
            await self._database(into)[into.name].insert_many(self._waiting, ordered=False)
            self._restored.counts[into.whole_name] += len(self._waiting)
        self._waiting, self._waiting_bytes = [], 0

    def _database(self, into: CollectionBegins) -> mongo.Database:
        return mongo.database(self._own.client, self._own.settings, into.database)


def _index(described: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in described.items() if key not in {"v", "ns"}}


async def _compare(
    own: Resources, stated: dict[str, int], restored: Restored, until: datetime | None
) -> None:
    """Ask the database itself how much it has now."""
    for name, count in restored.counts.items():
        database, _, collection = name.partition(".")
        into = mongo.database(own.client, own.settings, database)[collection]
        try:
            there = await into.count_documents({})
        except OperationFailure as failure:
            raise ArchiveError(f"{name} cannot be read back: {failure}") from None
        expected = stated[name] if until is None else count
        if not there == count == expected:
            raise ArchiveError(f"{name} has {there} documents instead of {expected}")


def _write_file(data: Path, stored: StoredFile) -> None:
    path = data / stored.name
    if ".." in path.parts or data.resolve() not in path.resolve().parents:
        raise ArchiveError(f"the backup names a file outside the folder: {stored.name}")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stored.mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(stored.content)


def _empty(data: Path) -> None:
    for path in data.iterdir() if data.exists() else ():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
