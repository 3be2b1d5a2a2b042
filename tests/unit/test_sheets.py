"""Sheets: every encoding and delimiter, headers as offices write them, an error for each cell."""

import io
import unicodedata
import zipfile
from datetime import UTC, datetime
from typing import Any

import pytest
from openpyxl import Workbook

from services.intake.portal.domain.dialects import milliseconds
from services.intake.portal.domain.messages import Message
from services.intake.portal.domain.words import letter
from services.intake.portal.rows import SheetError, rows_of
from services.intake.sheets.domain.columns import (
    CellFault,
    are_headers,
    find_headers,
    lacking,
    read_row,
)

NOW = milliseconds(datetime(2023, 8, 1, tzinfo=UTC))
HEADERS = [
    "STT", "Mã hồ sơ", "Chủ hồ sơ", "Mã thủ tục", "Đơn vị xử lý", "Trạng thái", "Hình thức nộp",
    "Ngày tiếp nhận", "Ngày hẹn trả (dự kiến)",
]  # fmt: skip
ROW = [
    "1", "H30.99.01-230705-0012", "NGƯỜI MẪU", "2.000815", "UBND xã Tân Bình", "Đang xử lý",
    "Trực tuyến", "05/07/2023 08:30", "10/07/2023",
]  # fmt: skip


def windows_1258(text: str) -> bytes:
    """As old Vietnamese Windows wrote it: tone marks stand behind their letter."""
    written = b""
    for sign in unicodedata.normalize("NFC", text):
        try:
            written += sign.encode("cp1258")
        except UnicodeEncodeError:
            apart = unicodedata.normalize("NFD", sign)
            tones = [s for s in apart if s in "\u0300\u0301\u0303\u0309\u0323"]
            rest = unicodedata.normalize("NFC", "".join(s for s in apart if s not in tones))
            written += (rest + "".join(tones)).encode("cp1258")
    return written


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1258"])
def test_csv_in_every_encoding_says_the_same(encoding: str, delimiter: str) -> None:
    text = "\r\n".join(delimiter.join(f'"{cell}"' for cell in row) for row in (HEADERS, ROW))
    body = windows_1258(text) if encoding == "cp1258" else text.encode(encoding)
    assert list(rows_of(io.BytesIO(body))) == [tuple(HEADERS), tuple(ROW)]


def test_titles_above_the_headers_and_empty_columns_do_no_harm() -> None:
    rows: list[list[Any]] = [["DANH SÁCH HỒ SƠ"], [None], ["Từ ngày 01/07/2023"], HEADERS, ROW]
    at, mapped = find_headers(rows, {})
    assert at == 3
    assert lacking(mapped, None) == []
    message = read_row(ROW, 5, mapped, None, NOW)
    assert isinstance(message, Message)
    assert message.dossier == "H30.99.01-230705-0012"
    assert message.fields["status"] == "processing"
    assert message.fields["channel"] == "online"
    assert "NGƯỜI MẪU" not in repr(message)


def test_a_row_names_every_wrong_cell_and_repeats_none() -> None:
    _, mapped = find_headers([HEADERS], {})
    wrong = [*ROW[:5], "Không rõ", "Bồ câu", "hôm qua", ""]
    faults = read_row(wrong, 7, mapped, None, NOW)
    assert isinstance(faults, list)
    assert faults == [
        CellFault(7, 5, "status", "code"),
        CellFault(7, 6, "channel", "code"),
        CellFault(7, 7, "received_at", "instant"),
    ]


def test_people_correct_what_a_column_means() -> None:
    headers = ["Mã hồ sơ", "Mã thủ tục", "Trạng thái", "Ngày tiếp nhận", "Nơi làm", "Đơn vị"]
    assert find_headers([headers], {})[1]["agency"] == 5
    corrected = {"noi lam": "agency", "don vi": ""}
    assert find_headers([headers], corrected)[1]["agency"] == 4


@pytest.mark.parametrize(
    ("cells", "sure"),
    [
        (["Mã TTHC", "Tình trạng", "Nơi làm", "Ghi nhận"], True),
        (["NGƯỜI MẪU", "Trạng thái"], False),
        (["NGƯỜI MẪU", "Trạng thái", "Đơn vị", "H30.99.01-230705-0012"], False),
        (["Mã TTHC", "Tình trạng", "Đơn vị", "Quý 3"], True),
        ([], False),
    ],
)
def test_only_what_surely_is_the_row_of_headers_is_shown(cells: list[str], sure: bool) -> None:  # noqa: FBT001 - a column of a table
    assert are_headers(cells, find_headers([cells], {})[1]) is sure


def test_a_sheet_of_one_unit_needs_no_agency() -> None:
    _, mapped = find_headers([[h for h in HEADERS if h != "Đơn vị xử lý"]], {})
    assert lacking(mapped, None) == ["agency"]
    assert lacking(mapped, "31399") == []


def test_dates_of_excel_are_dates() -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(HEADERS)
    received = datetime(2023, 7, 5, 8, 30)  # noqa: DTZ001 - Excel knows no offsets
    sheet.append([*ROW[:7], received, received.date()])
    file = io.BytesIO()
    book.save(file)
    rows = list(rows_of(file))
    message = read_row(rows[1], 2, find_headers(rows[:1], {})[1], None, NOW)
    assert isinstance(message, Message)
    assert message.fields["received_at"] == milliseconds(
        datetime(2023, 7, 5, 1, 30, tzinfo=UTC)
    )


def bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b"0" * (20 << 20))
    return file.getvalue()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"PK\x03\x04 nothing more", "not_excel"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old_excel"),
        (b"\x81\x8d\xff\xfe\x00", "not_csv"),
        (bomb(), "too_large"),
    ],
)
def test_what_is_no_sheet_says_why(body: bytes, code: str) -> None:
    with pytest.raises(SheetError) as refused:
        list(rows_of(io.BytesIO(body)))
    assert refused.value.code == code


def test_columns_have_the_names_of_spreadsheets() -> None:
    assert [letter(n) for n in (0, 25, 26, 51, 701, 702)] == ["A", "Z", "AA", "AZ", "ZZ", "AAA"]
