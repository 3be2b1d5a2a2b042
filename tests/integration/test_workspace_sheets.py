"""Excel sheets: what goes out comes back, each wrong cell is named, and applying twice changes nothing."""

import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from services.intake.workspace.domain.report import ReportError
from services.intake.workspace.pages import workspace_site
from services.intake.workspace.sheet_work import Sheets
from services.intake.workspace.sheets import NUMBERS
from services.runtime.settings import Settings
from tests.support.office import Office, office, values

VI = workspace_site().words["vi"]
UNIT, OTHER = "31399", "31402"


@pytest.fixture
async def here(settings: Settings) -> AsyncIterator[Office]:
    async with office(settings, "2023-09-13T10:00") as here:
        yield here


def packed(book: Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def rows_of(book: Any) -> dict[tuple[str, str, str], int]:
    """(unit, indicator, key) -> row of the sheet of numbers."""
    rows = book[NUMBERS].iter_rows(min_row=4)
    return {(str(r[0].value), r[2].value, r[3].value): r[0].row for r in rows}


async def test_a_filled_sheet_of_one_unit_is_tried_then_applied(here: Office) -> None:
    sheets, place = Sheets(here.workspace), here.workspace.place(here.plan.id, UNIT, "2023-09")
    await here.workspace.save_entry(
        place, "X9", 0, values(main={"numerator": 4, "denominator": 5}), "Sổ văn bản."
    )
    book = load_workbook(io.BytesIO(await sheets.template([place], "2023-09", VI)))
    at, numbers = rows_of(book), book[NUMBERS]
    assert numbers.cell(at[UNIT, "X9", "main"], 6).value == 4
    assert numbers.cell(at[UNIT, "X9", "note"], 8).value == "Sổ văn bản."
    assert (UNIT, "X8", "main") not in at
    numbers.cell(at[UNIT, "X5", "main"], 6, 812)
    numbers.cell(at[UNIT, "X5", "main"], 7, "1.450")
    numbers.cell(at[UNIT, "X1", "main.items.dx-plan"], 6, "15/06/2023")
    roster = book["X12.accounts"]
    roster.cell(4, 2, "NV-01")
    roster.cell(4, 3, "có")
    roster.cell(4, 4, 3)
    tried = await sheets.try_out([place], packed(book), "a-officer")
    assert tried.trial.faults == []
    assert [c.indicator for c in tried.trial.changes] == ["X1", "X5", "X12"]
    assert "X5" not in (await here.workspace.report(place)).entries
    with pytest.raises(LookupError):
        await sheets.apply(tried.key, "a-stranger")
    for _ in range(2):
        assert await sheets.apply(tried.key, "a-officer") == []
    report = await here.workspace.report(place)
    assert report.entries["X5"].values == values(main={"numerator": 812, "denominator": 1450})
    assert report.entries["X5"].revision == 1
    assert report.entries["X12"].values["accounts"].rows[0].dossiers == 3
    again = await sheets.try_out([place], packed(book), "a-officer")
    assert (again.trial.changes, again.key) == ([], "")


async def test_each_wrong_cell_is_named_with_what_it_holds_and_nothing_is_saved(
    here: Office,
) -> None:
    sheets, place = Sheets(here.workspace), here.workspace.place(here.plan.id, UNIT, "2023-09")
    book = load_workbook(io.BytesIO(await sheets.template([place], "2023-09", VI)))
    at, numbers = rows_of(book), book[NUMBERS]
    x5, x1 = at[UNIT, "X5", "main"], at[UNIT, "X1", "main.items.dx-plan"]
    numbers.cell(x5, 6, -3)
    numbers.cell(x1, 6, "hôm qua")
    numbers.cell(at[UNIT, "X9", "main"], 6, 3)
    book["X21.main"].cell(5, 2, "2023-12-01")
    book["X12.accounts"].cell(4, 2, "NV-01")
    book["X12.accounts"].cell(4, 3, "chắc có")
    numbers.cell(at[UNIT, "X19", "main"], 1, "99999")
    tried = await sheets.try_out([place], packed(book), "a-officer")
    found = {(f.cell, f.found, f.fault.code) for f in tried.trial.faults}
    assert found == {
        (f"{NUMBERS}!F{x5}", "-3", "not_a_number"),
        (f"{NUMBERS}!F{x1}", "hôm qua", "not_a_date"),
        (f"{NUMBERS}!G{at[UNIT, 'X9', 'main']}", "", "missing"),
        ("X21.main!B5", "2023-12-01", "too_late"),
        ("X12.accounts!C4", "chắc có", "not_yes_no"),
        (f"{NUMBERS}!A{at[UNIT, 'X19', 'main']}", "99999", "unknown_item"),
    }
    assert tried.key == ""
    assert (await here.workspace.report(place)).entries == {}


async def test_the_office_fills_all_units_with_one_sheet(here: Office) -> None:
    sheets = Sheets(here.workspace)
    places = sheets.all_places(here.plan.id, "2023-09")
    book = load_workbook(io.BytesIO(await sheets.template(places, "2023-09", VI)))
    at = rows_of(book)
    for unit, code in ((UNIT, "X9"), (OTHER, "X9"), ("D01", "P9")):
        book[NUMBERS].cell(at[unit, code, "main"], 6, 8)
        book[NUMBERS].cell(at[unit, code, "main"], 7, 10)
    tried = await sheets.try_out(places, packed(book), "a-rev")
    assert {(c.unit, c.indicator) for c in tried.trial.changes} == {
        (UNIT, "X9"),
        (OTHER, "X9"),
        ("D01", "P9"),
    }
    assert await sheets.apply(tried.key, "a-rev") == []
    for unit, code in ((UNIT, "X9"), ("D01", "P9")):
        place = here.workspace.place(here.plan.id, unit, "2023-09")
        kept = (await here.workspace.report(place)).entries[code]
        assert kept.values == values(main={"numerator": 8, "denominator": 10})


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nothing", packed(Workbook())])
async def test_what_is_no_sheet_of_ours_is_refused(here: Office, content: bytes) -> None:
    sheets, place = Sheets(here.workspace), here.workspace.place(here.plan.id, UNIT, "2023-09")
    with pytest.raises(ReportError, match="sheet_unreadable"):
        await sheets.try_out([place], content, "a-officer")
