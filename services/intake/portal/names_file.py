"""Names of units from a file: what it says, and everything that is wrong with it, row by row."""

from collections.abc import Collection, Iterator
from typing import IO

from services.intake.domain.names import key_of
from services.intake.portal.directory import Alias
from services.intake.portal.rows import Row, rows_of

COLUMNS = ("name", "unit")


def read_names(
    file: IO[bytes], source: str, units: Collection[str]
) -> tuple[list[Alias], list[str]]:
    """The names of a CSV or XLSX with the columns `name` and `unit`, and its faults; row 1 is the header.

    `units`: codes that a name may mean. Empty rows are passed over.

    Raises:
        SheetError: the file is no sheet that can be read.
    """
    rows = rows_of(file)
    header = [_text(cell).lower() for cell in next(rows, ())]
    if missing := [name for name in COLUMNS if name not in header]:
        return [], [f"row 1: the column {name} is missing" for name in missing]
    found: dict[str, tuple[int, Alias]] = {}
    faults = []
    for number, name, unit in _said(rows, header):
        earlier = found.setdefault(key_of(name), (number, Alias(source, name, unit)))
        if not name:
            faults.append(f"row {number}, name: is empty")
        elif not unit:
            faults.append(f"row {number}, unit: is empty")
        elif unit not in units:
            faults.append(f"row {number}, unit: no published plan has the unit {unit!r}")
        elif earlier[1].unit != unit:
            faults.append(
                f"row {number}, unit: row {earlier[0]} gives the same name to {earlier[1].unit}"
            )
    return [alias for _, alias in found.values()], faults


def _said(rows: Iterator[Row], header: list[str]) -> Iterator[tuple[int, str, str]]:
    places = [header.index(name) for name in COLUMNS]
    for number, row in enumerate(rows, 2):
        name, unit = (_text(row[at]) if at < len(row) else "" for at in places)
        if name or unit:
            yield number, name, unit


def _text(cell: object) -> str:
    return "" if cell is None else str(cell).strip()
