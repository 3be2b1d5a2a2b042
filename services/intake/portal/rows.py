"""Rows of an XLSX or CSV file, one after the other: the whole file is never in memory."""

import codecs
import csv
import io
import unicodedata
import zipfile
from collections.abc import Iterator
from typing import IO

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

Row = tuple[object, ...]
MOST_UNPACKED_BYTES = 600 << 20
MOST_RATIO = 200
LONGEST_CELL = 2_000
MOST_COLUMNS = 200
_SNIFFED_BYTES = 64 << 10
_ENCODINGS = ("utf-8", "cp1258")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DELIMITERS = ";,\t|"


class SheetError(Exception):
    """The file is no sheet that can be read; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def rows_of(file: IO[bytes]) -> Iterator[Row]:
    """The rows of the first sheet that has any.

    Raises:
        SheetError: it is none, or too large unpacked.
    """
    file.seek(0)
    start = file.read(4)
    file.seek(0)
    if start[:2] == b"PK":
        yield from _xlsx(file)
    elif start == b"\xd0\xcf\x11\xe0":
        raise SheetError("old_excel")
    else:
        yield from _csv(file)


def _xlsx(file: IO[bytes]) -> Iterator[Row]:
    _refuse_bombs(file)
    try:
        book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as error:
        raise SheetError("not_excel") from error
    try:
        for sheet in book.worksheets:
            sheet.reset_dimensions()
            some = False
            for row in sheet.iter_rows(max_col=MOST_COLUMNS, values_only=True):
                some = some or any(cell is not None for cell in row)
                yield row
            if some:
                return
    except (ValueError, KeyError, SyntaxError, zipfile.BadZipFile) as error:
        raise SheetError("not_excel") from error
    finally:
        book.close()


def _refuse_bombs(file: IO[bytes]) -> None:
    try:
        with zipfile.ZipFile(file) as packed:
            unpacked = sum(entry.file_size for entry in packed.infolist())
            size = sum(entry.compress_size for entry in packed.infolist())
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise SheetError("not_excel") from error
    file.seek(0)
    if unpacked > MOST_UNPACKED_BYTES or unpacked > MOST_RATIO * max(size, 1_000):
        raise SheetError("too_large")


def _csv(file: IO[bytes]) -> Iterator[Row]:
    encoding = _encoding(file)
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    try:
        delimiter = _delimiter(text.read(_SNIFFED_BYTES))
        text.seek(0)
        for row in csv.reader(text, delimiter=delimiter):
            yield tuple(_cell(cell) for cell in row[:MOST_COLUMNS])
    except (UnicodeError, csv.Error) as error:
        raise SheetError("not_csv") from error
    finally:
        text.detach()


def _cell(cell: str) -> str:
    return unicodedata.normalize("NFC", cell[:LONGEST_CELL]).strip()


def _encoding(file: IO[bytes]) -> str:
    """By its byte order mark; else UTF-16 if every second byte is zero; else the first that reads it to the end."""
    start = file.read(_SNIFFED_BYTES)
    file.seek(0)
    for mark, encoding in _BOMS:
        if start.startswith(mark):
            return encoding
    if start[1::2].count(0) > len(start) // 4:
        return "utf-16-le"
    if start[::2].count(0) > len(start) // 4:
        return "utf-16-be"
    for encoding in _ENCODINGS:
        if _reads(file, encoding):
            return encoding
    raise SheetError("not_csv")


def _reads(file: IO[bytes], encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    try:
        while chunk := file.read(1 << 20):
            if b"\0" in chunk:
                return False
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    finally:
        file.seek(0)
    return True


def _delimiter(sample: str) -> str:
    """The one that parts the fullest line into most cells."""
    lines = sample.splitlines()[:40]

    def most_cells(delimiter: str) -> int:
        parted = (next(csv.reader([line], delimiter=delimiter), []) for line in lines)
        return max(map(len, parted), default=0)

    return max(_DELIMITERS, key=most_cells)
