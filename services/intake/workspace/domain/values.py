"""What stands in the form of one indicator, and whether it can be claimed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from contracts.plan import Code, Part
from services.intake.workspace.domain.duties import Duty, FormKind, PartForm

MOST_ROWS = 500
LONGEST = {"person": 40, "name": 200}
"""Characters of the fields that are words."""
Number = Annotated[int, Field(ge=0, lt=10**9)]
ROW_FIELDS: dict[FormKind, tuple[str, ...]] = {
    "deduction": ("on",),
    "articles": ("sent_on", "published_on"),
    "bulletins": ("on",),
    "feedback": ("received_on", "due_on", "answered_on"),
    "things": ("on", "name"),
    "roster": ("person", "account", "dossiers"),
}
"""Form -> the fields of each of its rows, the demanded one first."""
_OPTIONAL = frozenset({"published_on", "answered_on", "account", "dossiers"})


class Row(BaseModel):
    """One line of a list; which fields it has depends on the form."""

    model_config = ConfigDict(extra="forbid")

    on: date | None = None
    sent_on: date | None = None
    published_on: date | None = None
    received_on: date | None = None
    due_on: date | None = None
    answered_on: date | None = None
    person: Annotated[str, Field(max_length=LONGEST["person"])] = ""
    """A pseudonym of the unit's own choosing, never a name."""
    name: Annotated[str, Field(max_length=LONGEST["name"])] = ""
    """What a thing is called (a product, a model): printed in the quarter's package, never a person's name."""
    account: bool = False
    dossiers: Number | None = None

    @property
    def blank(self) -> bool:
        """Nothing was filled in."""
        return self == Row()


class PartValues(BaseModel):
    """What stands in the form of one part; which fields count depends on its kind."""

    model_config = ConfigDict(extra="forbid")

    numerator: Number | None = None
    denominator: Number | None = None
    value: Number | None = None
    items: dict[Code, date | None] = Field({}, max_length=100)
    """Things done -> since when; None: not done."""
    listed_on: date | None = None
    """When the list was sent."""
    rows: list[Row] = Field([], max_length=MOST_ROWS)

    def tidy(self) -> "PartValues":
        """Without blank rows and things not done."""
        rows = [row for row in self.rows if not row.blank]
        items = {code: day for code, day in self.items.items() if day is not None}
        return self.model_copy(update={"rows": rows, "items": items})

    @property
    def blank(self) -> bool:
        """Nothing was filled in."""
        return self.tidy() == PartValues()


Values = dict[str, PartValues]
"""Part -> what stands in its form."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to mend before a claim can be made: where, and a code that pages and sheets turn into words."""

    indicator: str
    field: str
    """`main.numerator`, `main.rows.2.on`, `note`, `evidence`."""
    code: str
    values: tuple[str, ...] = ()


def is_blank(values: Values) -> bool:
    """Whether nothing at all was filled in."""
    return all(part.blank for part in values.values())


def tidied(duty: Duty, values: Values) -> Values:
    """Only the parts that the form has and that say something, without blank rows."""
    codes = [form.part.code for form in duty.forms]
    return {c: values[c].tidy() for c in codes if c in values and not values[c].blank}


def faults_in(duty: Duty, values: Values, days: tuple[date, date]) -> list[Fault]:
    """What cannot be claimed as it stands; `days`: the first and last date that may be named."""
    found: list[Fault] = []
    for form in duty.forms:
        part = values.get(form.part.code, PartValues()).tidy()
        for field, code, *said in _faults(form, part, days):
            place = f"{form.part.code}.{field}"
            found.append(Fault(duty.indicator.code, place, code, tuple(said)))
    return found


def _faults(
    form: PartForm, part: PartValues, days: tuple[date, date]
) -> Iterator[tuple[str, ...]]:
    match form.kind:
        case "figure":
            yield from _of_figure(part)
        case "checklist":
            yield from _of_items(form.part, part, days)
        case "deduction":
            if part.rows and part.listed_on is None:
                yield "listed_on", "list_missing"
            yield from _of_day("listed_on", part.listed_on, days)
            yield from _of_rows(form.kind, part, days)
        case "tally" | "report":
            pass
        case _:
            yield from _of_rows(form.kind, part, days)


def _of_figure(part: PartValues) -> Iterator[tuple[str, ...]]:
    if part.numerator is None and part.denominator is not None:
        yield "numerator", "missing"
    if part.denominator is None and part.numerator is not None:
        yield "denominator", "missing"


def _of_items(
    part: Part, values: PartValues, days: tuple[date, date]
) -> Iterator[tuple[str, ...]]:
    known = {item.code for item in getattr(part.measure, "items", [])}
    for code, day in values.items.items():
        if code not in known:
            yield f"items.{code}", "unknown_item"
        elif day is not None and day > days[1]:
            yield f"items.{code}", "too_late", days[1].isoformat()


def _of_rows(
    kind: FormKind, part: PartValues, days: tuple[date, date]
) -> Iterator[tuple[str, ...]]:
    people: set[str] = set()
    for n, row in enumerate(part.rows):
        for name in ROW_FIELDS[kind]:
            value = getattr(row, name)
            if name not in _OPTIONAL and not value:
                yield f"rows.{n}.{name}", "missing"
            if isinstance(value, date) and name != "due_on":
                yield from _of_day(f"rows.{n}.{name}", value, days)
        yield from _of_order(n, row)
        if row.person and row.person in people:
            yield f"rows.{n}.person", "person_twice"
        people.add(row.person)


def _of_order(n: int, row: Row) -> Iterator[tuple[str, ...]]:
    if row.sent_on and row.published_on and row.published_on < row.sent_on:
        yield f"rows.{n}.published_on", "before_sent"
    if row.received_on and row.due_on and row.due_on < row.received_on:
        yield f"rows.{n}.due_on", "before_received"
    if row.received_on and row.answered_on and row.answered_on < row.received_on:
        yield f"rows.{n}.answered_on", "before_received"


def _of_day(field: str, day: date | None, days: tuple[date, date]) -> Iterator[tuple[str, ...]]:
    if day is not None and day < days[0]:
        yield field, "too_early", days[0].isoformat()
    if day is not None and day > days[1]:
        yield field, "too_late", days[1].isoformat()


def plain(values: Values) -> dict[str, Any]:
    """As it is stored, shown and compared."""
    return {
        code: part.model_dump(mode="json", exclude_defaults=True)
        for code, part in values.items()
    }
