"""A backup file: records in compressed frames, each sealed, so that a changed or missing byte is noticed where it is.

Magic line, header line (JSON), frames. A frame: one byte whether it is the last, four bytes how long, the sealed bytes.
Without a passphrase the seal is a chain of SHA-256; with one AES-256-GCM under a key made by scrypt. A record: one byte
of kind, one BSON document.
"""

import hashlib
import json
import secrets
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import bson
from bson.errors import BSONError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

MAGIC = b"THIDUA BACKUP 1\n"
FRAME_BYTES = 1 << 20
LARGEST_RECORD = 17 << 20
LONGEST_HEADER = 4_096
COMPRESSION = 3
SCRYPT = {"n": 1 << 15, "r": 8, "p": 1}
_FRAME = struct.Struct(">BI")
_SHA = 32
_CHECK = b"\xff" * 12
"""The nonce of the empty message in the header that tells a wrong passphrase from a damaged file."""

Record = tuple[bytes, bytes]
"""(kind, BSON document)."""


class ArchiveError(Exception):
    """A backup file cannot be used; says which and why."""


class _Seal(Protocol):
    def close(self, last: int, content: bytes) -> bytes: ...
    def open(self, last: int, sealed: bytes) -> bytes:
        """Raises ValueError when a byte differs."""
        ...


class _Chained:
    """Each frame's hash covers the one before: against accidents, not against people."""

    def __init__(self, header: bytes) -> None:
        self._digest = hashlib.sha256(header).digest()

    def _next(self, last: int, content: bytes) -> bytes:
        return hashlib.sha256(self._digest + bytes([last]) + content).digest()

    def close(self, last: int, content: bytes) -> bytes:
        self._digest = self._next(last, content)
        return content + self._digest

    def open(self, last: int, sealed: bytes) -> bytes:
        content, digest = sealed[:-_SHA], sealed[-_SHA:]
        if digest != self._next(last, content):
            raise ValueError
        self._digest = digest
        return content


class _Encrypted:
    """The number of a frame is its nonce, which is safe because each archive has a key of its own."""

    def __init__(self, header: bytes, cipher: AESGCM) -> None:
        self._header = hashlib.sha256(header).digest()
        self._cipher = cipher
        self._number = 0

    def _words(self, last: int) -> tuple[bytes, bytes]:
        nonce = self._number.to_bytes(12)
        self._number += 1
        return nonce, self._header + bytes([last])

    def close(self, last: int, content: bytes) -> bytes:
        nonce, about = self._words(last)
        return self._cipher.encrypt(nonce, content, about)

    def open(self, last: int, sealed: bytes) -> bytes:
        nonce, about = self._words(last)
        try:
            return self._cipher.decrypt(nonce, sealed, about)
        except InvalidTag:
            raise ValueError from None


class ArchiveWriter:
    """Takes records of any number in memory that does not grow."""

    def __init__(self, file: BinaryIO, passphrase: str | None, about: dict[str, Any]) -> None:
        self._file = file
        self._waiting = bytearray()
        header, cipher = dict(about), None
        if passphrase is not None:
            salt = secrets.token_bytes(16)
            cipher = AESGCM(_key(passphrase, salt, SCRYPT))
            check = cipher.encrypt(_CHECK, b"", None).hex()
            header["encryption"] = {"scrypt": SCRYPT, "salt": salt.hex(), "check": check}
        line = json.dumps(header).encode() + b"\n"
        self._seal: _Seal = _Encrypted(line, cipher) if cipher else _Chained(line)
        file.write(MAGIC + line)

    def write(self, kind: bytes, document: bytes) -> None:
        """Add a record."""
        self._waiting += kind + document
        if len(self._waiting) >= FRAME_BYTES:
            self._flush(0)

    def close(self) -> None:
        """Write what waits, marked as the end."""
        self._flush(1)

    def _flush(self, last: int) -> None:
        sealed = self._seal.close(last, zlib.compress(self._waiting, COMPRESSION))
        self._file.write(_FRAME.pack(last, len(sealed)) + sealed)
        self._waiting.clear()


class ArchiveReader:
    """Gives back the records of a file, or says what is wrong with it."""

    def __init__(self, path: Path, file: BinaryIO, passphrase: str | None) -> None:
        self._path = path
        self._file = file
        if file.read(len(MAGIC)) != MAGIC:
            raise ArchiveError(f"{path} is no backup of this program")
        line = file.readline(LONGEST_HEADER)
        try:
            self.header: dict[str, Any] = json.loads(line)
            self._seal = self._sealed(line, passphrase)
        except (ValueError, LookupError, TypeError):
            raise self._damaged("its header cannot be read") from None

    def _sealed(self, line: bytes, passphrase: str | None) -> _Seal:
        sealed = self.header.get("encryption")
        if sealed is None:
            return _Chained(line)
        if passphrase is None:
            raise ArchiveError(f"{self._path} is encrypted: name its --passphrase-file")
        cost = {name: min(int(sealed["scrypt"][name]), SCRYPT[name]) for name in SCRYPT}
        cipher = AESGCM(_key(passphrase, bytes.fromhex(sealed["salt"]), cost))
        try:
            cipher.decrypt(_CHECK, bytes.fromhex(sealed["check"]), None)
        except InvalidTag:
            raise ArchiveError(f"the passphrase is not the one of {self._path}") from None
        return _Encrypted(line, cipher)

    def records(self) -> Iterator[Record]:
        """All records in order.

        Raises:
            ArchiveError: a byte differs, or the end is missing.
        """
        waiting = bytearray()
        for content in self._frames():
            waiting += content
            at = 0
            while (end := self._end_of(waiting, at)) <= len(waiting):
                yield bytes(waiting[at : at + 1]), bytes(waiting[at + 1 : end])
                at = end
            del waiting[:at]
        if waiting:
            raise self._damaged("it ends in the middle of a record")

    def _end_of(self, waiting: bytearray, at: int) -> int:
        if len(waiting) < at + 5:
            return len(waiting) + 1
        size = int.from_bytes(waiting[at + 1 : at + 5], "little")
        if not 5 <= size <= LARGEST_RECORD:  # noqa: PLR2004 - the smallest BSON document
            raise self._damaged("a record has no possible length")
        return at + 1 + size

    def _frames(self) -> Iterator[bytes]:
        last = 0
        while not last:
            where = self._file.tell()
            head = self._file.read(_FRAME.size)
            if len(head) < _FRAME.size:
                raise self._damaged(f"it is cut off after {where:,} bytes")
            last, length = _FRAME.unpack(head)
            if length > FRAME_BYTES + LARGEST_RECORD:
                raise self._damaged(f"what stands at byte {where:,} is no frame")
            sealed = self._file.read(length)
            if len(sealed) < length:
                raise self._damaged(f"it is cut off after {where + len(sealed):,} bytes")
            try:
                unpacker = zlib.decompressobj()
                yield unpacker.decompress(
                    self._seal.open(last, sealed), FRAME_BYTES + LARGEST_RECORD
                )
            except (ValueError, zlib.error):
                raise self._damaged(f"bytes were changed after byte {where:,}") from None
        if self._file.read(1):
            raise self._damaged("something was added at its end")

    def _damaged(self, why: str) -> ArchiveError:
        return ArchiveError(f"{self._path} is damaged: {why}")


def _key(passphrase: str, salt: bytes, cost: dict[str, int]) -> bytes:
    return Scrypt(salt=salt, length=32, **cost).derive(passphrase.encode())


class Manifest:
    """What a backup holds: for each collection and file, how much and its SHA-256; the last record of the file."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._digests: dict[str, Any] = {}

    def add(self, name: str, content: bytes) -> None:
        """One more document of a collection, or the content of a file."""
        if name not in self._counts:
            self._counts[name], self._digests[name] = 0, hashlib.sha256()
        self._counts[name] += 1
        self._digests[name].update(content)

    def begin(self, name: str) -> None:
        """A collection that may turn out empty."""
        self._counts.setdefault(name, 0)
        self._digests.setdefault(name, hashlib.sha256())

    @property
    def counts(self) -> dict[str, int]:
        """Name -> documents."""
        return dict(self._counts)

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            name: {"count": count, "sha256": self._digests[name].hexdigest()}
            for name, count in self._counts.items()
        }


def decoded(path: Path, document: bytes) -> dict[str, Any]:
    """A record's document.

    Raises:
        ArchiveError: it is none.
    """
    try:
        return dict(bson.decode(document))
    except BSONError:
        raise ArchiveError(f"{path} is damaged: a record cannot be read") from None
