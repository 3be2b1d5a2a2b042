"""Excel sheets: a month of one unit or of all, filled with what stands in the forms; read back cell by cell."""

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.styles import Alignment, Font, PatternFill, Protection
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from contracts.plan import Unit
from services.intake.workspace.domain.declaring import Place
from services.intake.workspace.domain.duties import Duty
from services.intake.workspace.domain.report import Entry, Report, ReportError
from services.intake.workspace.domain.values import (
    ROW_FIELDS,
    Fault,
    Values,
    faults_in,
    plain,
    tidied,
)
from services.intake.workspace.forms import values_in
from services.intake.workspace.vocabulary import in_language, row_labels
from services.runtime.web.i18n import Words

NUMBERS = "So lieu"
MOST_BYTES = 5 << 20
_MOST_UNPACKED = 60 << 20
_MOST_ROWS = 20_000
_BLANK_ROWS = 15
_FIRST_ROW = 4
_HEAD = Font(bold=True)
_FILL = PatternFill("solid", fgColor="FFF3D6")
_LISTS = ("deduction", "articles", "bulletins", "feedback", "things", "roster")


@dataclass(frozen=True, slots=True)
class Filled:
    """One unit's month, as it stands now."""

    place: Place
    unit: Unit
    report: Report
    duties: list[Duty]


@dataclass(frozen=True, slots=True)
class CellFault:
    """One wrong cell: where, what was found, what is wrong."""

    cell: str
    found: str
    fault: Fault


@dataclass(frozen=True, slots=True)
class Change:
    """What a sheet would change in one form."""

    unit: str
    indicator: str
    revision: int
    values: Values
    note: str


@dataclass(slots=True)
class Trial:
    """What a sheet says, before anything is saved."""

    changes: list[Change] = field(default_factory=list)
    faults: list[CellFault] = field(default_factory=list)
    unchanged: int = 0


@dataclass(slots=True)
class _Typed:
    """The fields of one form as they stand in the cells, and in which."""

    fields: dict[str, str] = field(default_factory=dict)
    cells: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Field -> (cell, what it holds)."""
    rows: dict[str, int] = field(default_factory=dict)

    def put(self, name: str, cell: str, text: str) -> None:
        self.cells[name] = cell, text
        if text:
            self.fields[name] = text


def template(filled: Iterable[Filled], month: str, words: Words) -> bytes:
    """The workbook of a month, filled with what stands in the forms."""
    book = Workbook()
    sheet = book.active
    if sheet is None:
        raise RuntimeError("a new workbook has a sheet")
    sheet.title = NUMBERS
    _ = words.gettext
    sheet["A1"] = _("Báo cáo tháng %(month)s", month=words.month(month))
    sheet["A1"].font = Font(bold=True, size=14)
    sheet["A2"] = _("Chỉ điền ô có màu. Không sửa cột A, C, D.")
    heads = [
        _("Đơn vị"), _("Tên"), _("Tiêu chí"), _("Ô"), _("Nội dung"),
        _("Tử số / số lượng / ngày"), _("Mẫu số"), _("Ghi chú"),
    ]  # fmt: skip
    _head(sheet, heads)
    lists: dict[str, Worksheet] = {}
    for one in filled:
        for duty in one.duties:
            if duty.asked:
                _write_numbers(sheet, one, duty, words)
                _write_lists(book, lists, one, duty, words)
    for number, width in enumerate((10, 26, 9, 26, 60, 24, 12, 40), start=1):
        sheet.column_dimensions[get_column_letter(number)].width = width
    sheet.freeze_panes = f"A{_FIRST_ROW}"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _head(sheet: Worksheet, heads: list[str]) -> None:
    for number, text in enumerate(heads, start=1):
        cell = sheet.cell(_FIRST_ROW - 1, number, text)
        cell.font, cell.alignment = _HEAD, Alignment(wrap_text=True)


def _write_numbers(sheet: Worksheet, one: Filled, duty: Duty, words: Words) -> None:
    code = duty.indicator.code
    entry = one.report.entries.get(code, Entry())
    name = in_language(duty.indicator.name, words)
    for key, what, values in _number_rows(duty, entry, words):
        label = f"{name}: {what}" if what else name
        row = [one.unit.code, in_language(one.unit.name, words), code, key, label]
        sheet.append([*row, *values])
        for column in (6, 7) if len(values) > 1 else (6,):
            _open(sheet, sheet.max_row, column)
    head = [one.unit.code, in_language(one.unit.name, words), code, "note", name]
    sheet.append([*head, None, None, entry.note or None])
    _open(sheet, sheet.max_row, 8)


def _open(sheet: Worksheet, row: int, column: int) -> None:
    cell = sheet.cell(row, column)
    cell.fill, cell.protection = _FILL, Protection(locked=False)


def _number_rows(
    duty: Duty, entry: Entry, words: Words
) -> Iterator[tuple[str, str, list[Any]]]:
    for form in duty.forms:
        part = entry.values.get(form.part.code)
        name = in_language(form.part.name, words) if form.part.name else ""
        key = form.part.code
        match form.kind:
            case "figure":
                yield key, name, [part and part.numerator, part and part.denominator]
            case "tally":
                yield f"{key}.value", name, [part and part.value]
            case "checklist":
                for item in getattr(form.part.measure, "items", []):
                    day = part.items.get(item.code) if part else None
                    yield f"{key}.items.{item.code}", in_language(item.name, words), [day]
            case "deduction":
                said = words.gettext("Ngày gửi danh sách (không gửi thì không có điểm)")
                yield f"{key}.listed_on", said, [part and part.listed_on]
            case _:
                pass


def _write_lists(
    book: Workbook, lists: dict[str, Worksheet], one: Filled, duty: Duty, words: Words
) -> None:
    code = duty.indicator.code
    for form in duty.forms:
        if form.kind not in _LISTS:
            continue
        name = f"{code}.{form.part.code}"[:31]
        labels = row_labels(form.kind, words)
        if name not in lists:
            lists[name] = book.create_sheet(name)
            lists[name]["A1"] = in_language(duty.indicator.name, words)
            _head(lists[name], [words.gettext("Đơn vị"), *labels.values()])
            for number in range(1, len(labels) + 2):
                lists[name].column_dimensions[get_column_letter(number)].width = 20
        part = one.report.entries.get(code, Entry()).values.get(form.part.code)
        for row in part.rows if part else []:
            cells = [getattr(row, field) for field in labels]
            lists[name].append([one.unit.code, *[_shown(c, words) for c in cells]])
        for _n in range(_BLANK_ROWS):
            lists[name].append([one.unit.code])


def _shown(value: object, words: Words) -> Any:  # noqa: ANN401 - what a cell may hold
    if isinstance(value, bool):
        return words.gettext("có") if value else words.gettext("không")
    return value


Days = Callable[[Place], tuple[date, date]]
"""Place -> the first and last date that a claim there may name."""


def read_sheet(content: bytes, filled: Iterable[Filled], days: Days) -> Trial:
    """What a filled workbook would change.

    Raises:
        ReportError: it is no workbook that can be read.
    """
    known = {one.unit.code: one for one in filled}
    typed, trial = _cells_of(_open_book(content), known)
    for (unit, code), found in typed.items():
        one = known[unit]
        duty = next(d for d in one.duties if d.indicator.code == code)
        _judge(one, duty, found, trial, days(one.place))
    return trial


def _open_book(content: bytes) -> Any:  # noqa: ANN401 - openpyxl's workbook
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(part.file_size for part in packed.infolist()) > _MOST_UNPACKED:
                raise ReportError("sheet_unreadable")
        return load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, TypeError) as error:
        raise ReportError("sheet_unreadable") from error


def _cells_of(
    book: Any,  # noqa: ANN401 - openpyxl's workbook
    known: dict[str, Filled],
) -> tuple[dict[tuple[str, str], _Typed], Trial]:
    typed: dict[tuple[str, str], _Typed] = {}
    trial = Trial()
    if NUMBERS not in book.sheetnames:
        raise ReportError("sheet_unreadable")
    asked = {
        (unit, duty.indicator.code)
        for unit, one in known.items()
        for duty in one.duties
        if duty.asked
    }
    for name in book.sheetnames:
        for number, row in enumerate(book[name].iter_rows(values_only=True), start=1):
            if number > _MOST_ROWS:
                raise ReportError("sheet_unreadable")
            if number < _FIRST_ROW or not any(cell is not None for cell in row):
                continue
            cells = [_text(cell) for cell in row] + [""] * 8
            code = cells[2] if name == NUMBERS else name.partition(".")[0]
            if (cells[0], code) not in asked:
                fault = Fault(code, "", "unknown_item")
                trial.faults.append(CellFault(f"{name}!A{number}", cells[0], fault))
                continue
            into = typed.setdefault((cells[0], code), _Typed())
            if name == NUMBERS:
                _take_number(into, number, cells)
            else:
                _take_row(into, known[cells[0]], name, number, cells)
    return typed, trial


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime | date):
        return cell.strftime("%Y-%m-%d")
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def _take_number(into: _Typed, number: int, cells: list[str]) -> None:
    key = cells[3]
    if key == "note":
        into.put("note", f"{NUMBERS}!H{number}", cells[7])
    elif "." in key:
        into.put(key, f"{NUMBERS}!F{number}", cells[5])
    else:
        into.put(f"{key}.numerator", f"{NUMBERS}!F{number}", cells[5])
        into.put(f"{key}.denominator", f"{NUMBERS}!G{number}", cells[6])


def _take_row(into: _Typed, one: Filled, name: str, number: int, cells: list[str]) -> None:
    code, _, part = name.partition(".")
    duty = next(d for d in one.duties if d.indicator.code == code)
    form = next((f for f in duty.forms if f.part.code == part), None)
    if form is None or form.kind not in ROW_FIELDS or not any(cells[1:]):
        return
    place = into.rows.get(part, 0)
    into.rows[part] = place + 1
    for column, field_name in enumerate(ROW_FIELDS[form.kind], start=1):
        cell = f"{name}!{get_column_letter(column + 1)}{number}"
        into.put(f"{part}.rows.{place}.{field_name}", cell, cells[column])


def _judge(
    one: Filled, duty: Duty, found: _Typed, trial: Trial, days: tuple[date, date]
) -> None:
    code = duty.indicator.code
    values, faults = values_in(duty, found.fields)
    faults = faults or faults_in(duty, values, days)
    known = one.report.entries.get(code, Entry())
    note = found.fields.get("note", "")[:2000]
    values = tidied(duty, values)
    if not faults and (plain(values), note) == (plain(tidied(duty, known.values)), known.note):
        trial.unchanged += 1
        return
    if not faults and not one.report.open_for(code):
        cell = next(iter(found.cells.values()))[0]
        trial.faults.append(CellFault(cell, "", Fault(code, "", "locked")))
        return
    for fault in faults:
        cell, text = found.cells.get(fault.field, (f"{NUMBERS}!{code}", ""))
        trial.faults.append(CellFault(cell, text, fault))
    if not faults:
        trial.changes.append(Change(one.unit.code, code, known.revision, values, note))
