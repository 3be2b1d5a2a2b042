"""ZIP files whose bytes follow from their content alone: fixed order, fixed moment, no leftovers of this machine."""

import re
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

MOMENT = (1980, 1, 1, 0, 0, 0)
"""The earliest moment that a ZIP file can name."""
_STAMP = re.compile(rb"(<dcterms:(created|modified)[^>]*>)[^<]*(</dcterms:)")
_LEVEL = 6


def entry(name: str) -> ZipInfo:
    """A file's place in an archive."""
    info = ZipInfo(name, MOMENT)
    info.compress_type = ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    info.create_system = 3
    return info


class Archive:
    """An archive being written, one file at a time, so that memory holds one file and not all."""

    def __init__(self, target: IO[bytes]) -> None:
        self._zip = ZipFile(target, "w", compresslevel=_LEVEL)

    def add(self, name: str, content: bytes) -> None:
        """One file more."""
        self._zip.writestr(entry(name), content, compresslevel=_LEVEL)

    def close(self) -> None:
        """Write the directory of the archive."""
        self._zip.close()


def settled(office_file: bytes, moment: datetime) -> bytes:
    """A DOCX or XLSX file with its clocks set: the moment of the record instead of the moment of writing."""
    target = BytesIO()
    stamp = moment.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    archive = Archive(target)
    with ZipFile(BytesIO(office_file)) as source:
        for name in source.namelist():
            content = source.read(name)
            if name == "docProps/core.xml":
                content = _STAMP.sub(rb"\g<1>" + stamp + rb"\g<3>", content)
            archive.add(name, content)
    archive.close()
    return target.getvalue()


def files_in(archive: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    """(name, content) of each file, one at a time."""
    with ZipFile(archive) as opened:
        for name in opened.namelist():
            yield name, opened.read(name)
