"""What a board shows, as CSV, XLSX and JSON: the same rows in the same order, exact decimals, nothing more."""

import csv
import io
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec
from openpyxl import Workbook

from services.runtime.web.i18n import Words
from services.scoring.leaderboard import words as sentences
from services.scoring.leaderboard.forms import board_json, decimal
from services.scoring.leaderboard.views import Board, Row

BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""Without it a spreadsheet takes UTF-8 for something else."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
Cell = str | int | Decimal


def columns(board: Board, words: Words) -> list[str]:
    """The headings."""
    _ = words.gettext
    scored = [indicator.code for indicator in board.bloc.scored]
    return [
        _("Hạng"),
        _("Thay đổi hạng so với hôm qua"),
        _("Mã đơn vị"),
        _("Đơn vị"),
        _("Điểm"),
        _("Đã thẩm định"),
        _("Chờ thẩm định"),
        _("Xét thi đua"),
        _("Lý do"),
        *scored,
    ]


def table(board: Board, rows: Iterable[Row], words: Words) -> list[list[Cell]]:
    """One line a unit: whole numbers, exact decimals and text."""
    return [_line(board, row, words) for row in rows]


def _line(board: Board, row: Row, words: Words) -> list[Cell]:
    reasons = [sentences.exclusion_reason(e, board.bloc, words) for e in row.exclusions]
    _ = words.gettext
    eligible = _("Đủ điều kiện") if row.eligible else _("Không xét thi đua")
    points = [
        Decimal(decimal(row.indicators[i.code][0])) if i.code in row.indicators else ""
        for i in board.bloc.scored
    ]
    return [
        row.rank,
        "" if row.movement is None else row.movement,
        _text(row.unit.code),
        _text(sentences.in_language(row.unit.name, words)),
        Decimal(decimal(row.points)),
        Decimal(decimal(row.verified_points)),
        Decimal(decimal(row.pending)),
        eligible,
        _text("; ".join(reasons)),
        *points,
    ]


def _text(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def as_csv(board: Board, rows: Iterable[Row], words: Words) -> bytes:
    """UTF-8 with a byte order mark, commas, a decimal point."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns(board, words))
    writer.writerows(table(board, rows, words))
    return (BOM + text.getvalue()).encode()


def as_xlsx(board: Board, rows: Iterable[Row], words: Words) -> bytes:
    """One sheet; points are numbers with four decimals."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(board.period)
    sheet.freeze_panes = "E2"
    sheet.append(columns(board, words))
    for line in table(board, rows, words):
        sheet.append(line)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def as_json(board: Board, rows: Iterable[Row]) -> bytes:
    """The board as the HTTP interface states it, in the order of the page."""
    order = {row.unit.code: n for n, row in enumerate(rows)}
    content: dict[str, Any] = board_json(board)
    content["rows"] = sorted(content["rows"], key=lambda row: order[row["unit"]])
    del content["age_seconds"]  # how old it was is a matter of the page, not of the file
    return msgspec.json.encode(content)
