"""A new procedure catalogue out of a sheet or JSON: read, compared with the one in force, made into a plan version."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from pydantic import ValidationError

from contracts.plan import Plan, Procedure, Terms
from contracts.plan_lint import lint
from services.intake.domain.names import bare
from services.intake.portal.domain.dialects import DialectError, text, yes_or_no

HEADERS = {
    "code": ("code", "ma thu tuc", "ma tthc", "ma"),
    "title": ("title", "ten thu tuc", "ten tthc", "thu tuc", "ten"),
    "level": ("level", "muc do", "muc dich vu", "muc do dich vu cong"),
    "fee_due": ("fee_due", "thu phi", "co phi", "phi le phi", "phi", "le phi"),
    "units": ("units", "don vi", "don vi thuc hien", "co quan thuc hien"),
}
_BY_HEADER = {header: name for name, headers in HEADERS.items() for header in headers}
LEVELS = {
    "full": "full", "toan trinh": "full", "4": "full", "muc do 4": "full",
    "partial": "partial", "mot phan": "partial", "3": "partial", "muc do 3": "partial",
    "information": "information", "cung cap thong tin": "information",
    "thong tin": "information", "1": "information", "2": "information",
}  # fmt: skip
_HEADER_ROWS = 20


@dataclass(frozen=True, slots=True)
class RowFault:
    """Why a line of the catalogue cannot be taken."""

    row: int
    field: str
    code: str


@dataclass(slots=True)
class Reading:
    """What a file says, and what is wrong with it."""

    procedures: dict[str, Procedure] = field(default_factory=dict)
    faults: list[RowFault] = field(default_factory=list)


def from_rows(rows: Iterable[Sequence[object]], units: frozenset[str]) -> Reading:
    """The procedures of a sheet."""
    reading, mapped = Reading(), dict[str, int]()
    for number, row in enumerate(rows, 1):
        if not mapped:
            found = _mapped(row)
            mapped = found if {"code", "level"} <= found.keys() else {}
            if not mapped and number > _HEADER_ROWS:
                break
            continue
        cells = {name: row[at] if at < len(row) else None for name, at in mapped.items()}
        if any(cell not in (None, "") for cell in cells.values()):
            _take(reading, number, cells, units)
    if not mapped:
        reading.faults.append(RowFault(1, "code", "missing"))
    return reading


def from_items(items: Iterable[object], units: frozenset[str]) -> Reading:
    """The procedures of a JSON list."""
    reading = Reading()
    for number, item in enumerate(items, 1):
        if isinstance(item, Mapping):
            _take(reading, number, item, units)
        else:
            reading.faults.append(RowFault(number, "", "object"))
    return reading


def _mapped(row: Sequence[object]) -> dict[str, int]:
    found: dict[str, int] = {}
    for number, cell in enumerate(row):
        name = _BY_HEADER.get(bare(str(cell or "")).partition("(")[0].strip())
        if name is not None:
            found.setdefault(name, number)
    return found


def _take(
    reading: Reading, row: int, cells: Mapping[str, object], units: frozenset[str]
) -> None:
    try:
        procedure = _procedure(cells, units)
    except _RowError as error:
        reading.faults.append(RowFault(row, error.field, error.code))
        return
    if procedure.code in reading.procedures:
        reading.faults.append(RowFault(row, "code", "twice"))
    reading.procedures[procedure.code] = procedure


class _RowError(ValueError):
    def __init__(self, name: str, code: str) -> None:
        super().__init__(code)
        self.field, self.code = name, code


def _procedure(cells: Mapping[str, object], units: frozenset[str]) -> Procedure:
    level = LEVELS.get(bare(_text(cells, "level")))
    if level is None:
        raise _RowError("level", "code")
    try:
        fee = yes_or_no(bare(_text(cells, "fee_due"))) or False
    except DialectError as error:
        raise _RowError("fee_due", error.code) from None
    owners = _owners(cells.get("units"))
    if unknown := set(owners or ()) - units:
        raise _RowError("units", "unit" if unknown else "")
    content = {"code": _text(cells, "code"), "title": _text(cells, "title")}
    try:
        return Procedure.model_validate(
            content | {"level": level, "fee_due": fee, "units": owners}
        )
    except ValidationError:
        raise _RowError("code", "procedure_code") from None


def _text(cells: Mapping[str, object], name: str) -> str:
    try:
        return text(cells.get(name))
    except DialectError as error:
        raise _RowError(name, error.code) from None


def _owners(value: object) -> list[str] | None:
    if isinstance(value, list):
        return [str(one) for one in value]
    written = str(value or "").replace(";", ",").split(",")
    return [one.strip() for one in written if one.strip()] or None


@dataclass(frozen=True, slots=True)
class Difference:
    """One procedure that changes."""

    code: str
    before: Procedure | None
    after: Procedure


def merged(
    plan: Plan, read: Mapping[str, Procedure], since: date | None
) -> tuple[list[Procedure], list[Difference]]:
    """(the new catalogue, what changes): procedures that the file does not name stay as they are.

    `since`: from this day on it is so, and before it was as it is now; None: it was wrong from the beginning.
    """
    held = {procedure.code: procedure for procedure in plan.catalogue}
    differences = []
    for code, new in read.items():
        before = held.get(code)
        after = new if before is None else _with_history(before, new, since)
        if after != before:
            differences.append(Difference(code, before, after))
            held[code] = after
    return list(held.values()), differences


def _with_history(before: Procedure, new: Procedure, since: date | None) -> Procedure:
    history = list(before.history)
    changed = (before.level, before.fee_due) != (new.level, new.fee_due)
    if changed and since is not None:
        history = [terms for terms in history if terms.until < since]
        history.append(Terms(until=since, level=before.level, fee_due=before.fee_due))
    return new.model_copy(update={"history": history, "title": new.title or before.title})


def drafted(plan: Plan, catalogue: list[Procedure]) -> tuple[Plan, Sequence[str]]:
    """(the next version of the plan with this catalogue, what the linter has against it)."""
    draft = plan.model_copy(update={"catalogue": catalogue, "version": plan.version + 1})
    return draft, lint(draft)
