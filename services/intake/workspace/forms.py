"""What was typed into a form, as values: numbers and dates as people write them, each fault at its field."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from fastapi import Request

from services.intake.workspace.domain.duties import Duty, FormKind, PartForm
from services.intake.workspace.domain.values import (
    LONGEST,
    MOST_ROWS,
    ROW_FIELDS,
    Fault,
    PartValues,
    Row,
    Values,
)

_NUMBERS = frozenset({"numerator", "denominator", "value", "dossiers"})
_MOST = 10**9
MOST_FIELDS = 4_000
Typed = Mapping[str, str]


class _NotANumberError(ValueError):
    pass


def number_in(text: str) -> int:
    """`1450`, `1.450` or `1 450`.

    Raises:
        ValueError: it is none, or out of bounds.
    """
    plain = re.sub(r"[\s\u00a0]", "", text)
    if re.fullmatch(r"\d{1,3}([.,]\d{3})+", plain):
        plain = re.sub(r"[.,]", "", plain)
    if not re.fullmatch(r"\d{1,9}", plain):
        raise _NotANumberError(text)
    return int(plain)


def date_in(text: str) -> date:
    """`2023-07-15` or `15/07/2023`.

    Raises:
        ValueError: it is none.
    """
    found = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", text.strip())
    if found:
        return date(int(found[3]), int(found[2]), int(found[1]))
    return date.fromisoformat(text.strip())


def values_in(duty: Duty, typed: Typed) -> tuple[Values, list[Fault]]:
    """(values, faults) of the fields of one indicator's form."""
    values: Values = {}
    faults: list[Fault] = []
    for form in duty.forms:
        code = form.part.code
        reader = _Reader(duty.indicator.code, code, typed, faults)
        values[code] = _part(form, reader)
    return values, faults


class _Reader:
    """Reads the fields of one part, and notes what cannot be read."""

    def __init__(self, indicator: str, part: str, typed: Typed, faults: list[Fault]) -> None:
        self._indicator, self._part = indicator, part
        self._typed, self._faults = typed, faults

    def read(self, field: str) -> Any:  # noqa: ANN401 - a number, a date, a text or a tick
        """The value of a field; None when it is empty or wrong."""
        text = self._typed.get(f"{self._part}.{field}", "").strip()
        name = field.rpartition(".")[2]
        if not text:
            return False if name == "account" else None
        try:
            return value_in(name, text)
        except ValueError:
            code = "not_a_number" if name in _NUMBERS else "not_a_date"
            said: tuple[str, ...] = ()
            if name in LONGEST:
                code, said = "too_long", (str(LONGEST[name]),)
            if name == "account":
                code = "not_yes_no"
            self._faults.append(Fault(self._indicator, f"{self._part}.{field}", code, said))
            return None

    def rows(self) -> list[int]:
        """The numbers of the rows that were sent."""
        pattern = re.compile(rf"{re.escape(self._part)}\.rows\.(\d{{1,4}})\.")
        found = {int(m[1]) for name in self._typed if (m := pattern.match(name))}
        return sorted(found)[:MOST_ROWS]


def value_in(name: str, text: str) -> Any:  # noqa: ANN401 - a number, a date, a text or a tick
    """One value by the name of its field.

    Raises:
        ValueError: it cannot be read.
    """
    if name in _NUMBERS:
        return number_in(text)
    if name in LONGEST:
        if len(text) > LONGEST[name]:
            raise ValueError(text)
        return text
    if name == "account":
        known = {"on": True, "có": True, "co": True, "x": True, "yes": True, "true": True}
        known |= {"không": False, "khong": False, "no": False, "false": False}
        if text.lower() not in known:
            raise ValueError(text)
        return known[text.lower()]
    return date_in(text)


def _part(form: PartForm, reader: _Reader) -> PartValues:
    said: dict[str, Any] = {}
    match form.kind:
        case "figure":
            said = {name: reader.read(name) for name in ("numerator", "denominator")}
        case "tally":
            said = {"value": reader.read("value")}
        case "checklist":
            codes = [item.code for item in getattr(form.part.measure, "items", [])]
            said = {"items": {code: reader.read(f"items.{code}") for code in codes}}
        case "report":
            pass
        case _:
            said = {"rows": _rows(form.kind, reader)}
            if form.kind == "deduction":
                said["listed_on"] = reader.read("listed_on")
    return PartValues.model_validate(said)


def _rows(kind: FormKind, reader: _Reader) -> list[Row]:
    rows = []
    for n in reader.rows():
        said = {name: reader.read(f"rows.{n}.{name}") for name in ROW_FIELDS[kind]}
        rows.append(Row.model_validate({k: v for k, v in said.items() if v is not None}))
    return [row for row in rows if not row.blank]


def typed_of(values: Values) -> dict[str, str]:
    """Values as they stand in a form's fields."""
    typed: dict[str, str] = {}
    for code, part in values.items():
        for name in ("numerator", "denominator", "value", "listed_on"):
            value = getattr(part, name)
            if value is not None:
                typed[f"{code}.{name}"] = str(value)
        for item, day in part.items.items():
            if day is not None:
                typed[f"{code}.items.{item}"] = day.isoformat()
        for n, row in enumerate(part.rows):
            for name, value in row.model_dump(exclude_defaults=True).items():
                typed[f"{code}.rows.{n}.{name}"] = "on" if value is True else str(value)
    return typed


async def typed_in(request: Request) -> dict[str, str]:
    """The text fields of a form."""
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    return {name: value for name, value in form.items() if isinstance(value, str)}
