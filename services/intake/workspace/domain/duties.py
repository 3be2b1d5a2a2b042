"""What a unit owes for a month: one form for each indicator that people report; follows from the plan alone."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from contracts.calendar import last_day_of, months_of, quarter_of
from contracts.plan import Bloc, Evidence, Indicator, Measure, Part, Plan, Unit

FormKind = Literal[
    "figure",
    "tally",
    "checklist",
    "deduction",
    "articles",
    "bulletins",
    "feedback",
    "things",
    "roster",
    "report",
]
_OF_EVENT: dict[str, FormKind] = {
    "article.recorded": "articles",
    "bulletin.broadcast": "bulletins",
    "feedback.recorded": "feedback",
    "item.recorded": "things",
}
_SHARED: dict[FormKind, str] = {
    "articles": "article.recorded",
    "bulletins": "bulletin.broadcast",
    "feedback": "feedback.recorded",
    "roster": "activity.reported",
    "report": "report.received",
}
"""Forms whose facts name no indicator: asked once, whoever counts them."""


@dataclass(frozen=True, slots=True)
class PartForm:
    """What is asked for one part of an indicator; `parts` that share their facts share a form."""

    part: Part
    kind: FormKind
    period: str
    """Of a figure or a number: the month, or the quarter or year that it closes."""


@dataclass(frozen=True, slots=True)
class Duty:
    """One indicator in one month."""

    indicator: Indicator
    forms: tuple[PartForm, ...]
    state: Literal["owed", "open", "closed", "system", "not_applicable", "elsewhere"]
    """*owed*: values are due this month; *open*: they may be given; *closed*: not asked this month; *system*: dossiers
    feed it; *elsewhere*: its facts are asked for at another indicator."""
    asked_at: str = ""
    """The indicator at which its facts are asked for."""

    @property
    def asked(self) -> bool:
        """Whether the unit may fill something in."""
        return self.state in ("owed", "open")

    @property
    def required_evidence(self) -> list[Evidence]:
        """What must be shown with a claim."""
        return [evidence for evidence in self.indicator.evidence if evidence.required]

    @property
    def personal(self) -> bool:
        """Whether files of this indicator may hold personal data: then only unit and reviewers see them."""
        return any(evidence.personal_data for evidence in self.indicator.evidence)


def duties_of(plan: Plan, unit: Unit, month: str) -> list[Duty]:
    """All indicators of the unit's bloc, in the plan's order."""
    bloc = plan.bloc(unit.bloc)
    if bloc is None or month not in plan.months:
        return []
    asked: dict[str, str] = {}
    return [_duty(plan, bloc, unit, month, indicator, asked) for indicator in bloc.indicators]


def _duty(
    plan: Plan, bloc: Bloc, unit: Unit, month: str, indicator: Indicator, asked: dict[str, str]
) -> Duty:
    if set(indicator.not_for) & set(unit.traits):
        return Duty(indicator, (), "not_applicable")
    forms: list[PartForm] = []
    elsewhere = ""
    for part in indicator.parts:
        kind = form_kind(part.measure)
        if kind is None or (kind == "report" and bloc.code not in plan.reporting.blocs):
            continue
        shared = _SHARED.get(kind)
        owner = indicator.code if shared is None else asked.setdefault(shared, indicator.code)
        if owner != indicator.code:
            elsewhere = owner
        elif not (shared and any(form.kind == kind for form in forms)):
            forms.append(PartForm(part, kind, _period(plan, indicator, part, month)))
    if not forms:
        return Duty(indicator, (), "elsewhere" if elsewhere else "system", elsewhere)
    return Duty(indicator, tuple(forms), _state(plan, indicator, forms, month))


def form_kind(measure: Measure) -> FormKind | None:
    """How people report what a measure counts; None when dossiers feed it."""
    match measure.kind:
        case "figure" | "tally" | "checklist" | "deduction":
            return measure.kind
        case "accounts" | "activity":
            return "roster"
        case "reports":
            return "report"
        case _:
            return _OF_EVENT.get(getattr(measure, "of", ""))


def _closes(plan: Plan, frequency: str, month: str) -> bool:
    """Whether the month is the last of its quarter or year within the competition."""
    if frequency == "quarter":
        return months_of(quarter_of(month), plan.months)[-1] == month
    if frequency == "year":
        return plan.months[-1] == month
    return True


def _pooled(indicator: Indicator, part: Part, kind: FormKind) -> bool:
    """A number for a whole quarter or year, that months would count twice."""
    slow = indicator.frequency in ("quarter", "year")
    return slow and kind in ("figure", "tally") and part.over == "pool"


def _period(plan: Plan, indicator: Indicator, part: Part, month: str) -> str:
    kind = form_kind(part.measure)
    if kind is None or not _pooled(indicator, part, kind):
        return month
    return quarter_of(month) if indicator.frequency == "quarter" else str(plan.ends_on.year)


def _state(
    plan: Plan, indicator: Indicator, forms: list[PartForm], month: str
) -> Literal["owed", "open", "closed"]:
    closes = _closes(plan, indicator.frequency, month)
    if all(_pooled(indicator, form.part, form.kind) for form in forms) and not closes:
        return "closed"
    numbers = any(form.kind in ("figure", "tally", "roster", "report") for form in forms)
    return "owed" if closes and numbers else "open"


@dataclass(frozen=True, slots=True)
class Due:
    """When the report of a month is due, seen from a day."""

    on: date
    days_left: int
    """Negative: days late."""


def due_of(plan: Plan, month: str, today: date) -> Due:
    """The last on-time day, and how far it is."""
    on = plan.report_due_on(month)
    return Due(on, (on - today).days)


def first_day(month: str) -> date:
    """The first day of a month such as `2023-07`."""
    return date.fromisoformat(f"{month}-01")


def may_report(month: str, today: date) -> bool:
    """A month can be reported from its first day on."""
    return today >= first_day(month)


def day_range(plan: Plan, month: str, today: date) -> tuple[date, date]:
    """Dates that a report may name: of the competition, of this month or earlier, not of the future."""
    return plan.starts_on, min(today, last_day_of(month), plan.ends_on)
