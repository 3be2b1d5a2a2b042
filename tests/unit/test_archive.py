"""A backup file comes back byte for byte, or says what is wrong with it; its size costs no memory."""

import tracemalloc
from pathlib import Path

import bson
import pytest

from services.runtime.backup.archive import (
    FRAME_BYTES,
    MAGIC,
    ArchiveError,
    ArchiveReader,
    ArchiveWriter,
)

DOCUMENTS = [bson.encode({"_id": n, "text": f"{n:x}" * (n % 97)}) for n in range(4_000)]
each_seal = pytest.mark.parametrize("passphrase", [None, "mật khẩu dài"])


def write(path: Path, passphrase: str | None, documents: list[bytes] = DOCUMENTS) -> None:
    with path.open("wb") as file:
        writer = ArchiveWriter(file, passphrase, {"made_at": "now"})
        for document in documents:
            writer.write(b"d", document)
        writer.close()


def read(path: Path, passphrase: str | None) -> list[bytes]:
    with path.open("rb") as file:
        return [body for _, body in ArchiveReader(path, file, passphrase).records()]


@each_seal
def test_what_was_written_is_read_in_the_same_order(
    tmp_path: Path, passphrase: str | None
) -> None:
    write(tmp_path / "b", passphrase)
    assert read(tmp_path / "b", passphrase) == DOCUMENTS
    plain = b"text" in (tmp_path / "b").read_bytes()
    assert not plain


@each_seal
def test_a_changed_byte_is_noticed_wherever_it_is(
    tmp_path: Path, passphrase: str | None
) -> None:
    path = tmp_path / "b"
    write(path, passphrase)
    whole = path.read_bytes()
    for at in (3, 30, len(MAGIC) + 5, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(ArchiveError, match=str(path)):
            read(path, passphrase)


@each_seal
def test_a_missing_end_is_noticed_and_said(tmp_path: Path, passphrase: str | None) -> None:
    path = tmp_path / "b"
    write(path, passphrase)
    whole = path.read_bytes()
    for kept in (len(whole) - 1, len(whole) // 2):
        path.write_bytes(whole[:kept])
        with pytest.raises(ArchiveError, match="cut off after"):
            read(path, passphrase)
    path.write_bytes(whole + b"x")
    with pytest.raises(ArchiveError, match="added at its end"):
        read(path, passphrase)


def test_frames_cannot_be_left_out_or_change_places(tmp_path: Path) -> None:
    path = tmp_path / "b"
    noise = [bson.encode({"n": n, "b": bytes([n % 251]) * 3 * FRAME_BYTES}) for n in (1, 2, 3)]
    write(path, "secret", noise)
    assert read(path, "secret") == noise
    frames, whole = [], path.read_bytes()
    start = at = whole.index(b"\n", len(MAGIC)) + 1
    while at < len(whole):
        length = int.from_bytes(whole[at + 1 : at + 5], "big")
        frames.append(whole[at : at + 5 + length])
        at += 5 + length
    for order in ([1, 0, 2, 3], [0, 2, 3]):
        path.write_bytes(whole[:start] + b"".join(frames[n] for n in order))
        with pytest.raises(ArchiveError, match="bytes were changed"):
            read(path, "secret")


def test_a_wrong_or_missing_passphrase_says_so(tmp_path: Path) -> None:
    write(tmp_path / "b", "right")
    with pytest.raises(ArchiveError, match="the passphrase is not the one"):
        read(tmp_path / "b", "wrong")
    with pytest.raises(ArchiveError, match="--passphrase-file"):
        read(tmp_path / "b", None)
    (tmp_path / "other").write_bytes(b"PK\3\4 something else altogether")
    with pytest.raises(ArchiveError, match="no backup"):
        read(tmp_path / "other", None)


def test_size_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "b"
    document = bson.encode({"b": b"x" * 200_000})
    tracemalloc.start()
    with path.open("wb") as file:
        writer = ArchiveWriter(file, None, {})
        for _ in range(400):
            writer.write(b"d", document)
        writer.close()
    with path.open("rb") as file:
        assert sum(1 for _ in ArchiveReader(path, file, None).records()) == 400
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * FRAME_BYTES < 400 * len(document)
