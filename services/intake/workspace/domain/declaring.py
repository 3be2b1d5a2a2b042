"""From what a form says to indicator events: which facts it states, and what changed since they were last stated."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel

from contracts.calendar import MonthCode
from contracts.plan import Deduction, Plan
from services.intake.workspace.domain.duties import Duty, PartForm
from services.intake.workspace.domain.values import PartValues, Values

SOURCE = "thidua.office"
State = Literal["declared", "verified", "rejected"]
Fields = dict[str, Any]


class FactState(BaseModel):
    """One fact as it was last stated in the journal."""

    indicator: str
    version: int
    state: State
    kind: str
    content: Fields


Facts = dict[str, FactState]
"""Subject -> the fact."""


@dataclass(frozen=True, slots=True)
class Place:
    """Whose report it is."""

    plan: Plan
    unit: str
    month: MonthCode


def facts_in(
    place: Place, duty: Duty, values: Values, received_at: datetime
) -> dict[str, tuple[str, Fields]]:
    """Subject -> (kind, content) of everything that an indicator's form states."""
    stated: dict[str, tuple[str, Fields]] = {}
    for form in duty.forms:
        part = values.get(form.part.code, PartValues())
        for key, kind, content in _of_form(place, duty, form, part, received_at):
            name = f"{place.unit}:{duty.indicator.code}:{place.month}:{form.part.code}:{key}"
            stated[name] = kind, content
    return stated


def _of_form(
    place: Place, duty: Duty, form: PartForm, part: PartValues, received_at: datetime
) -> Iterator[tuple[str, str, Fields]]:
    named = {"indicator": duty.indicator.code}
    match form.kind:
        case "figure" | "tally":
            yield from _of_number(named, form, part)
        case "checklist":
            for code, day in part.items.items():
                if day is not None:
                    yield code, "item.recorded", named | _done(place, code, day)
        case "deduction":
            yield from _of_deduction(place, named, form, part)
        case "report":
            content = {"month": place.month, "received_at": received_at.isoformat()}
            yield "report", "report.received", content
        case _:
            yield from _of_rows(place, named, form, part)


def _of_number(
    named: Fields, form: PartForm, part: PartValues
) -> Iterator[tuple[str, str, Fields]]:
    said = named | {"part": form.part.code, "period": form.period}
    if form.kind == "tally":
        if part.value is not None:
            yield "tally", "tally.reported", said | {"value": part.value}
    elif part.numerator is not None and part.denominator is not None:
        shares = {"numerator": part.numerator, "denominator": part.denominator}
        yield "figure", "figure.reported", said | shares


def _done(place: Place, item: str, day: date) -> Fields:
    """What existed before the competition counts from its first day."""
    return {"item": item, "done": True, "on": max(day, place.plan.starts_on).isoformat()}


def _of_deduction(
    place: Place, named: Fields, form: PartForm, part: PartValues
) -> Iterator[tuple[str, str, Fields]]:
    if part.listed_on is None or not isinstance(form.part.measure, Deduction):
        return
    item = form.part.measure.list_item
    yield item, "item.recorded", named | _done(place, item, part.listed_on)
    for n, row in enumerate(part.rows, start=1):
        if row.on is not None:
            yield f"incident-{n}", "incident.recorded", named | {"on": row.on.isoformat()}


def _of_rows(
    place: Place, named: Fields, form: PartForm, part: PartValues
) -> Iterator[tuple[str, str, Fields]]:
    for n, row in enumerate(part.rows, start=1):
        said = row.model_dump(mode="json", exclude_none=True)
        match form.kind:
            case "articles":
                content = {"sent_on": said["sent_on"], "approved": row.published_on is not None}
                if row.published_on is not None:
                    content["published_on"] = said["published_on"]
                yield str(n), "article.recorded", content
            case "bulletins":
                yield str(n), "bulletin.broadcast", {"on": said["on"]}
            case "feedback":
                names = ("received_on", "due_on", "answered_on")
                content = {name: said[name] for name in names if name in said}
                yield str(n), "feedback.recorded", content
            case "things":
                item = f"{named['indicator'].lower()}-{place.month}-{n}"
                content = {"item": item, "done": True}
                content |= {name: said[name] for name in ("on", "name") if said[name]}
                yield str(n), "item.recorded", named | content
            case "roster":
                content = {
                    "month": place.month,
                    "person": row.person,
                    "account": row.account,
                    "dossiers": row.dossiers or 0,
                }
                yield str(n), "activity.reported", content
            case _:
                return


def restated(
    facts: Facts, indicator: str, stated: dict[str, tuple[str, Fields]], state: State
) -> Facts:
    """The facts of one indicator that change, in their next version: new and other ones stated, gone ones rejected."""
    changed: Facts = {}
    for subject, (kind, content) in stated.items():
        known = facts.get(subject)
        if known is None or (known.state, known.content) != (state, content):
            version = 1 if known is None else known.version + 1
            changed[subject] = FactState(
                indicator=indicator, version=version, state=state, kind=kind, content=content
            )
    for subject, known in facts.items():
        gone = known.indicator == indicator and subject not in stated
        if gone and known.state != "rejected":
            changed[subject] = known.model_copy(
                update={"version": known.version + 1, "state": "rejected"}
            )
    return changed


def turned(facts: Facts, indicator: str, state: State) -> Facts:
    """The facts of one indicator that are not in this state yet, in their next version."""
    return {
        subject: known.model_copy(update={"version": known.version + 1, "state": state})
        for subject, known in facts.items()
        if known.indicator == indicator and known.state not in (state, "rejected")
    }


def events_of(place: Place, facts: Facts, at: datetime) -> list[Fields]:
    """The indicator events that state these facts."""
    return [
        {
            "source": SOURCE,
            "id": f"{subject}:{fact.version}",
            "type": fact.kind,
            "subject": subject,
            "version": fact.version,
            "unit": place.unit,
            "state": fact.state,
            "occurred_at": at.isoformat(),
            "plan": place.plan.id,
            **fact.content,
        }
        for subject, fact in facts.items()
    ]
