"""One workbook with every figure: sums are formulas, points keep their four decimals, so that nothing rounds up."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from services.reports.domain import vietnamese as vn
from services.reports.domain.documents import PROVISIONAL, award_words
from services.reports.domain.figures import BlocFigures, Figures, Line
from services.reports.domain.tables import budget_lines
from services.reports.render.archive import settled

POINTS = "0.0000"
MONEY = "#,##0"
SHEET_NAME = 31
HEAD_ROWS = 3
"""Title, state, column heads; figures begin below."""
_FIXED = ("Hạng", "Mã", "Đơn vị")


def xlsx(figures: Figures) -> bytes:
    """The workbook of a package."""
    book = Workbook(write_only=True)
    for bloc in figures.blocs:
        _bloc(book, figures, bloc)
    if figures.record.annual:
        _budget(book, figures)
    if figures.record.frozen.shown:
        _shown(book, figures)
    target = BytesIO()
    book.save(target)
    return settled(target.getvalue(), _moment(figures))


def _moment(figures: Figures) -> datetime:
    return figures.record.frozen.at


def sheet_name(title: str) -> str:
    """A name that spreadsheets allow."""
    return "".join(c if c not in r"[]:*?/\\" else " " for c in title)[:SHEET_NAME]


def _sheet(
    book: Workbook, figures: Figures, title: str, heads: list[str], widths: list[int]
) -> Any:  # noqa: ANN401 - openpyxl's sheet
    sheet = book.create_sheet(sheet_name(title))
    for number, width in enumerate(widths, start=1):
        sheet.column_dimensions[get_column_letter(number)].width = width
    sheet.freeze_panes = f"D{HEAD_ROWS + 1}"
    sheet.append([_cell(sheet, title, bold=True)])
    state = "Chính thức" if figures.record.official else PROVISIONAL
    sheet.append([_cell(sheet, f"{state} · {figures.record.frozen.id}")])
    sheet.append([_cell(sheet, head, bold=True, wrap=True) for head in heads])
    return sheet


def _cell(
    sheet: WriteOnlyWorksheet,
    value: Any,  # noqa: ANN401 - whatever a cell may hold
    form: str = "General",
    *,
    bold: bool = False,
    wrap: bool = False,
) -> Any:  # noqa: ANN401 - openpyxl's cell
    """A cell; text stays text even when it looks like a formula, unless it is given as one of ours."""
    cell = WriteOnlyCell(sheet, value)
    cell.number_format = form
    if isinstance(value, str) and not (form != "General" and value.startswith("=")):
        cell.data_type = "s"
    if bold:
        cell.font = Font(bold=True)
    if wrap:
        cell.alignment = Alignment(wrap_text=True, vertical="top")
    return cell


def _bloc(book: Workbook, figures: Figures, bloc: BlocFigures) -> None:
    codes = [indicator.code for indicator in bloc.bloc.scored]
    heads = [
        *_FIXED,
        *codes,
        "Tổng điểm",
        "Đã thẩm định",
        "Hạng xét",
        "Kết quả",
        "Tiền thưởng",
        "Điểm KT-XH",
        "Cá nhân",
    ]
    widths = [7, 12, 38, *[9] * len(codes), 12, 12, 10, 20, 14, 10, 9]
    sheet = _sheet(book, figures, bloc.bloc.name.vi, heads, widths)
    for number, line in enumerate(bloc.lines, start=HEAD_ROWS + 1):
        sheet.append(list(_line(sheet, line, codes, number)))
    if figures.record.annual and bloc.lines:
        sheet.append(list(_sums(sheet, len(codes), HEAD_ROWS + len(bloc.lines))))


def _line(sheet: Any, line: Line, codes: list[str], number: int) -> Iterator[Any]:  # noqa: ANN401
    yield _cell(sheet, line.rank)
    yield _cell(sheet, line.unit.code)
    yield _cell(sheet, line.name)
    for code in codes:
        pair = line.row.indicators.get(code)
        yield _cell(sheet, None if pair is None else exact(pair[0]), POINTS)
    last = get_column_letter(len(_FIXED) + len(codes))
    yield _cell(sheet, f"=SUM(D{number}:{last}{number})", POINTS, bold=True)
    yield _cell(sheet, exact(line.row.verified_points), POINTS)
    yield _cell(sheet, "Không xét" if line.place is None else line.place)
    yield _cell(sheet, award_words(line))
    yield _cell(sheet, line.money, MONEY)
    yield _cell(sheet, line.bonus)
    yield _cell(sheet, line.individuals)


def _sums(sheet: Any, codes: int, last: int) -> Iterator[Any]:  # noqa: ANN401
    """The money of the bloc, below its column."""
    column = len(_FIXED) + codes + 5
    for number in range(1, column + 1):
        letter = get_column_letter(column)
        if number == len(_FIXED):
            yield _cell(sheet, "Cộng", bold=True)
        elif number == column:
            yield _cell(
                sheet, f"=SUM({letter}{HEAD_ROWS + 1}:{letter}{last})", MONEY, bold=True
            )
        else:
            yield None


def _shown(book: Workbook, figures: Figures) -> None:
    """Every product and model by its name."""
    sheet = _sheet(
        book,
        figures,
        "Sản phẩm, mô hình",
        ["Mã", "Đơn vị", "Tiêu chí", "Ngày", "Tên", "Thẩm định"],
        [12, 38, 10, 12, 70, 14],
    )
    for bloc in figures.blocs:
        for line in bloc.lines:
            for thing in line.shown:
                state = "đã thẩm định" if thing.verified else "chưa thẩm định"
                said = (line.unit.code, line.name, thing.indicator)
                cells = [*said, vn.day(thing.on), thing.name, state]
                sheet.append([_cell(sheet, cell) for cell in cells])


def exact(units: int) -> Decimal:
    """Ten-thousandths as an exact decimal."""
    return Decimal(units) / 10_000


def _budget(book: Workbook, figures: Figures) -> None:
    sheet = _sheet(
        book,
        figures,
        "Dự toán",
        ["Khối", "Giải", "Số lượng", "Mức thưởng", "Thành tiền"],
        [34, 22, 10, 16, 18],
    )
    lines = budget_lines(figures)
    for number, (bloc, award, count, each) in enumerate(lines, start=HEAD_ROWS + 1):
        sheet.append(
            [
                _cell(sheet, bloc),
                _cell(sheet, award),
                _cell(sheet, count),
                _cell(sheet, each, MONEY),
                _cell(sheet, f"=C{number}*D{number}", MONEY),
            ]
        )
    total = f"=SUM(E{HEAD_ROWS + 1}:E{HEAD_ROWS + len(lines)})" if lines else "=0"
    sheet.append(
        [
            _cell(sheet, "Tổng cộng", bold=True),
            None,
            None,
            None,
            _cell(sheet, total, MONEY, bold=True),
        ]
    )
