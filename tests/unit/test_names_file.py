"""A file of names: what it says, or everything that is wrong with it and where."""

import io

import pytest
from openpyxl import Workbook

from services.intake.portal.directory import Alias
from services.intake.portal.names_file import read_names
from services.intake.portal.rows import SheetError

UNITS = {"31393", "31399"}
GOOD = [Alias("*", "UBND xã Tân Bình", "31399"), Alias("*", "UBND thị trấn Kinh Cùng", "31393")]
LINES = "name,unit\nUBND xã Tân Bình,31399\n\nUBND thị trấn Kinh Cùng,31393\n"


def read(content: bytes) -> tuple[list[Alias], list[str]]:
    return read_names(io.BytesIO(content), "*", UNITS)


@pytest.mark.parametrize(
    "content",
    [
        LINES.encode(),
        LINES.encode("utf-8-sig"),
        LINES.encode("utf-16"),
        LINES.replace(",", ";").replace("name", " Name ").encode(),
    ],
    ids=["plain", "marked", "utf16", "semicolon"],
)
def test_names_are_read_as_offices_save_them(content: bytes) -> None:
    assert read(content) == (GOOD, [])


def test_a_code_that_excel_made_a_number_is_the_code() -> None:
    book, file = Workbook(), io.BytesIO()
    assert book.active is not None
    for row in (("unit", "note", "name"), (31399, "x", "UBND xã Tân Bình")):
        book.active.append(row)
    book.save(file)
    assert read(file.getvalue()) == (GOOD[:1], [])


def test_every_fault_says_its_row_and_what_was_expected() -> None:
    names = "name,unit\nA,31399\nB\n,31393\nC,3139\na,31393\nA,31399\n"
    assert read(names.encode())[1] == [
        "row 3, unit: is empty",
        "row 4, name: is empty",
        "row 5, unit: no published plan has the unit '3139'",
        "row 6, unit: row 2 gives the same name to 31399",
    ]


def test_columns_that_are_missing_are_named() -> None:
    assert read(b"name;code\nA;31399\n")[1] == ["row 1: the column unit is missing"]
    assert len(read(b"")[1]) == 2


def test_what_is_no_sheet_is_refused() -> None:
    with pytest.raises(SheetError):
        read(b"\xd0\xcf\x11\xe0 old")
