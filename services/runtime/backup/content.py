"""What a backup file says, record by record, and whether all of it is there."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.runtime.backup.archive import ArchiveError, ArchiveReader, Manifest, decoded

COLLECTION, DOCUMENT, FILE, MANIFEST = b"c", b"d", b"f", b"m"


@dataclass(frozen=True, slots=True)
class CollectionBegins:
    """The documents that follow are of this collection."""

    database: str
    """Without the prefix."""
    name: str
    options: dict[str, Any]
    indexes: list[dict[str, Any]]

    @property
    def whole_name(self) -> str:
        """Database and collection."""
        return f"{self.database}.{self.name}"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A small file of the data folder."""

    name: str
    mode: int
    content: bytes


Item = CollectionBegins | StoredFile | bytes
"""bytes: a document of the collection that began last."""


def read_items(path: Path, passphrase: str | None) -> Iterator[Item]:
    """Everything in a backup, in order; at the end it is compared with the manifest.

    Raises:
        ArchiveError: something is damaged or missing.
    """
    with path.open("rb") as file:
        found, stated = Manifest(), None
        name = ""
        for kind, body in ArchiveReader(path, file, passphrase).records():
            if kind == DOCUMENT:
                found.add(name, body)
                yield body
            elif kind == COLLECTION:
                begins = CollectionBegins(**decoded(path, body))
                name = begins.whole_name
                found.begin(name)
                yield begins
            elif kind == FILE:
                stored = StoredFile(**decoded(path, body))
                found.add(stored.name, stored.content)
                yield stored
            else:
                stated = decoded(path, body)
        if stated != found.document():
            raise ArchiveError(f"{path} is damaged: it does not hold what its manifest states")


def check(path: Path, passphrase: str | None) -> dict[str, int]:
    """Read a whole backup and return how many documents each collection has.

    Raises:
        ArchiveError: something is damaged or missing.
    """
    counts: dict[str, int] = {}
    name = ""
    for item in read_items(path, passphrase):
        if isinstance(item, CollectionBegins):
            name = item.whole_name
            counts[name] = 0
        elif isinstance(item, bytes):
            counts[name] += 1
    return counts
