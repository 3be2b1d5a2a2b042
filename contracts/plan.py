"""The plan of an emulation movement as data: units, blocs, indicators, rules, awards, dates.

A plan file is YAML or JSON. Every rule kind that a plan may use is declared here once; the
interpreter (`services/scoring/domain/rules.py`) and the shadow calculator read the same models.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.calendar import last_day_of, last_month_of, months_between
from contracts.workdays import WorkDays

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Share = Annotated[Decimal, Field(gt=0, le=1, max_digits=9)]
"""A part of one, written as a decimal: `"0.80"` is 80 %."""
Scalar = str | bool | int | None
Where = dict[str, list[Scalar]]
"""Field of the fact -> accepted values; every named field must match. `{}` takes all."""

EventType = Literal[
    "dossier.recorded",
    "figure.reported",
    "tally.reported",
    "item.recorded",
    "incident.recorded",
    "report.received",
    "article.recorded",
    "bulletin.broadcast",
    "feedback.recorded",
    "activity.reported",
]
Over = Literal["pool", "mean", "to_date", "latest"]
"""How months add up over a period.

`pool`: the counters of its months together (a distinct count unites the sets).
`mean`: the average of the monthly shares over all its months that belong to the competition.
`to_date`: everything from the competition's start to the period's end.
`latest`: the last month up to the period's end that has a figure.
"""


class Model(BaseModel):
    """Plan models refuse unknown keys: a misspelt rule must not be silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Text(Model):
    """The same words in Vietnamese and in English."""

    vi: str = Field(min_length=1)
    en: str = Field(min_length=1)


class Ratio(Model):
    """Facts that match `where` and `numerator`, over facts that match `where`."""

    kind: Literal["ratio"]
    of: EventType = "dossier.recorded"
    where: Where = {}
    numerator: Where


class Count(Model):
    """Facts that match, over a quota for each month of the period."""

    kind: Literal["count"]
    of: EventType = "dossier.recorded"
    where: Where = {}
    quota_per_month: int = Field(ge=1)


class Distinct(Model):
    """Procedures with at least one matching dossier, over those offered at these levels."""

    kind: Literal["distinct"]
    of: Literal["dossier.recorded"] = "dossier.recorded"
    where: Where = {}
    offered_levels: list[Literal["full", "partial", "information"]]


class Figure(Model):
    """Numerators over denominators of figures reported for this indicator and part."""

    kind: Literal["figure"]


class Tally(Model):
    """Numbers reported for this indicator and part, compared with `wanted`."""

    kind: Literal["tally"]
    wanted: int = Field(ge=1)


class Capped(Model):
    """Matching facts, at most `cap` a week, month or quarter, over `cap` times their number."""

    kind: Literal["capped"]
    of: EventType
    where: Where = {}
    per: Literal["week", "month", "quarter"]
    cap: int = Field(ge=1)


class Activity(Model):
    """Dossiers filed by each person in each month (`activity.reported`), at most `cap` of each."""

    kind: Literal["activity"]
    cap: int = Field(ge=1)


class Accounts(Model):
    """Persons with an account over persons on the roster (`activity.reported`)."""

    kind: Literal["accounts"]


class ChecklistItem(Model):
    """One thing that must exist, and its weight among the others of its list."""

    code: Code
    name: Text
    weight: int = Field(1, ge=1)


class Checklist(Model):
    """Weights of the items done (`item.recorded` of this indicator), over all weights."""

    kind: Literal["checklist"]
    items: list[ChecklistItem] = Field(min_length=1)


class Deduction(Model):
    """Starts full and loses points for each `incident.recorded`; zero until the list is sent.

    `list_item`: the `item.recorded` code that says that the list was sent.
    """

    kind: Literal["deduction"]
    per_incident: int = Field(ge=1)
    list_item: Code


class Reports(Model):
    """Monthly reports: on time counts full, late counts `late_share`, missing nothing."""

    kind: Literal["reports"]
    late_share: Share


Measure = Annotated[
    Ratio
    | Count
    | Distinct
    | Figure
    | Tally
    | Capped
    | Activity
    | Accounts
    | Checklist
    | Deduction
    | Reports,
    Field(discriminator="kind"),
]


class Proportional(Model):
    """Full points at the target, proportionally fewer below it."""

    kind: Literal["proportional"]
    target: Share = Decimal(1)


class Band(Model):
    """From this share of the figure on, this share of the points."""

    at_least: Annotated[Decimal, Field(ge=0, max_digits=9)]
    share: Annotated[Decimal, Field(ge=0, le=1, max_digits=9)]


class Bands(Model):
    """The highest band that the figure reaches gives the points; the first band begins at 0."""

    kind: Literal["bands"]
    bands: list[Band] = Field(min_length=1)


class AllOrNothing(Model):
    """Full points when the figure reaches the target, else none."""

    kind: Literal["all_or_nothing"]
    target: Share = Decimal(1)


Score = Annotated[Proportional | Bands | AllOrNothing, Field(discriminator="kind")]


class Part(Model):
    """One scored piece of an indicator; most have exactly one."""

    code: Code = "main"
    name: Text | None = None
    points: Annotated[Decimal, Field(ge=0, max_digits=9, decimal_places=4)]
    measure: Measure
    score: Score = Proportional(kind="proportional")
    over: Over = "pool"
    empty: Literal["zero", "full"] = "zero"
    """Share of the points when the denominator is 0."""


class Evidence(Model):
    """What a unit must show for its claim."""

    name: Text
    required: bool = True
    personal_data: bool = False


class Indicator(Model):
    """One scored (or only tracked) line of a bloc."""

    code: Code
    name: Text
    clause: str = Field(min_length=1)
    """Where the plan says so."""
    target: Text
    frequency: Literal["week", "month", "quarter", "year"]
    origin: Text
    """Who or which system naturally knows it."""
    evidence: list[Evidence] = []
    parts: list[Part] = Field(min_length=1)
    not_for: list[Code] = []
    """Traits of units to which it does not apply; the rest is rescaled to the bloc's scale."""
    tracked_only: bool = False
    note: Text | None = None

    @property
    def points(self) -> Fraction:
        """The maximum, before any rescaling."""
        return sum((Fraction(part.points) for part in self.parts), Fraction())


class Prize(Model):
    """What an award brings."""

    money: int = Field(0, ge=0)
    """Đồng."""
    bonus_points: int = Field(0, ge=0)
    """Socio-economic points of the annual assessment."""
    individuals: int = Field(0, ge=0)
    """Certificates of merit for persons."""


class Award(Model):
    """Places for the best eligible units within a band of totals [at_least, below)."""

    code: Code
    name: Text
    places: int = Field(ge=0)
    """0: the band exists, but the plan defines no prize."""
    at_least: Annotated[Decimal, Field(ge=0, max_digits=9, decimal_places=4)]
    below: Annotated[Decimal, Field(gt=0, max_digits=9, decimal_places=4)] | None = None
    prize: Prize = Prize()
    clause: str = Field(min_length=1)


class OverdueDossiers(Model):
    """So many overdue dossiers of online services in one month exclude the unit."""

    kind: Literal["overdue_dossiers"]
    code: Code
    name: Text
    clause: str = Field(min_length=1)
    at_least: int = Field(ge=1)
    where: Where = {}


class LateReport(Model):
    """A monthly report received, or still missing, so many days after the last on-time day."""

    kind: Literal["late_report"]
    code: Code
    name: Text
    clause: str = Field(min_length=1)
    days: int = Field(ge=1)


Exclusion = Annotated[OverdueDossiers | LateReport, Field(discriminator="kind")]


class DecisionItem(Model):
    """What the plan leaves open: shown, and decided by people, never silently sorted."""

    code: Code
    text: Text
    criteria: list[Code] = []
    """Indicators suggested for telling candidates apart."""


class Bloc(Model):
    """Units ranked against each other, and by what."""

    code: Code
    name: Text
    scale: int = Field(ge=1)
    points_are: Literal["official", "proposed"]
    points_note: Text | None = None
    indicators: list[Indicator] = Field(min_length=1)
    awards: list[Award] = []
    exclusions: list[Exclusion] = []
    other_units: Prize = Prize()
    """What every unit without an award gets."""
    bloc_individuals: int = Field(0, ge=0)
    """Certificates of merit for persons of the whole bloc, chosen by the steering committee."""
    decision_items: list[DecisionItem] = []

    def indicator(self, code: str) -> Indicator | None:
        """The indicator with this code."""
        return next((i for i in self.indicators if i.code == code), None)

    @property
    def scored(self) -> list[Indicator]:
        """The indicators that carry points."""
        return [i for i in self.indicators if not i.tracked_only]


class Reporting(Model):
    """The monthly report that each unit owes.

    For month m the last on-time day is `last_day` of m + `months_later`.
    """

    last_day: int = Field(ge=1, le=28)
    months_later: int = Field(0, ge=0, le=2)
    clause: str = Field(min_length=1)
    blocs: list[Code]


class Casework(Model):
    """How long the parties of a case have, and how long evidence is kept."""

    appeal_days: int = Field(10, ge=1, le=365)
    """A unit may contest a decision or an exclusion for so many days."""
    answer_days: int = Field(7, ge=1, le=365)
    """The standing office answers an appeal within so many days."""
    keep_months: int = Field(24, ge=1, le=240)
    """Evidence is kept for so many months after the month in which the competition ends."""
    keep_personal_months: int = Field(12, ge=1, le=240)
    """The same for evidence with personal data."""
    clause: str = ""
    """Where the plan says so; empty: the software's proposal."""


class Deadline(Model):
    """A fixed date of the plan."""

    code: Code
    name: Text
    on: date
    clause: str = Field(min_length=1)


class Closing(Model):
    """When a period is closed by itself: so many whole days after its last day."""

    grace_days: int = Field(ge=0, le=366)


class Office(Model):
    """Who issues a document, as its head shows it; line feeds break the lines there."""

    name: str = Field(min_length=1)
    superior: str = ""
    abbreviation: str = Field(min_length=1)
    """In the document's number: `15/TTr-VHTT`."""
    signs_as: str = Field(min_length=1)
    """Above the signature: `TRƯỞNG PHÒNG`; `TM.`, `KT.` lines are separated by line feeds."""


class Documents(Model):
    """What award documents of this plan have in common."""

    place: str = Field(min_length=1)
    standing: Office
    """The standing office: reports, submission letters, minutes, lists."""
    chair: Office
    """Who decides."""
    addressed_to: str = Field(min_length=1)
    recipients: list[str] = []


class Unit(Model):
    """Who is scored."""

    code: Code
    name: Text
    bloc: Code
    traits: list[Code] = []
    parent: Code | None = None
    """The unit that this one belongs to: a hamlet's commune."""


class Terms(Model):
    """What a procedure was before a day: its service level, and whether a fee is due."""

    until: date
    """The first day on which it no longer was so."""
    level: Literal["full", "partial", "information"]
    fee_due: bool


class Procedure(Model):
    """An administrative procedure of the catalogue."""

    code: Code
    title: str
    level: Literal["full", "partial", "information"]
    fee_due: bool
    units: list[Code] | None = None
    """Who offers it; None: everybody who handles procedures."""
    history: list[Terms] = []
    """What it was before, the oldest first."""

    def terms_on(self, day: date) -> "Terms | Procedure":
        """Its level and fee on a day."""
        return next((terms for terms in self.history if day < terms.until), self)


class DayOff(Model):
    """A day on which nobody works, beside weekends and the national holidays."""

    on: date
    name: Text


class WorkCalendar(Model):
    """Working days: the national ones, changed by the plan's own list.

    `reports_on_days_off`: what becomes of a report's last on-time day that falls on a day off.
    """

    days_off: list[DayOff] = []
    worked: list[date] = []
    """Weekend days or holidays that are worked in exchange."""
    reports_on_days_off: Literal["keep", "next_working_day"] = "keep"


ClockTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""Local time, such as `07:30`."""
Audience = Literal["officer", "head", "standing", "council", "chair"]
"""Whom an alert reaches: of the unit its officer or head; the standing office; the office of the People's
Council; the chair."""
Watched = Literal[
    "report_due",
    "report_excluded",
    "dossier_due",
    "overdue_near",
    "overdue_excluded",
    "deadline_due",
    "review_waiting",
    "appeal_due",
    "threshold_up",
    "threshold_down",
    "below_target",
    "place_entered",
    "place_left",
    "lead_lost",
    "item_reviewed",
    "appeal_decided",
    "plan_changed",
    "due_moved",
    "package_ready",
]
"""What an alert watches; `docs/alerts.md` says when each comes true and what its words may name."""


class When(Model):
    """A moment beside a due date: so many working days before it, or so many days after it."""

    working_days_before: int | None = Field(None, ge=0, le=60)
    days_after: int | None = Field(None, ge=1, le=400)
    at: ClockTime = "07:30"


class AlertRule(Model):
    """One kind of alert: what it watches, whom it reaches, and its words."""

    code: Code
    watch: Watched
    when: When | None = None
    """Only for what has a due date."""
    deadline: Code | None = None
    """`deadline_due`: which of the plan's deadlines."""
    decisions: list[Literal["accepted", "corrected", "returned", "rejected", "reopened"]] = []
    """`item_reviewed`: which decisions it tells of."""
    margin: Annotated[Decimal, Field(ge=0, max_digits=9, decimal_places=4)] = Decimal(0)
    """Points below a threshold or target before its loss is told."""
    last_days: int = Field(10, ge=1, le=366)
    """`lead_lost`: only so many days before the end of the competition."""
    severity: Literal["notice", "warning", "exclusion"]
    """An *exclusion* passes every budget and mutes lower alerts of its unit."""
    audience: list[Audience] = Field(min_length=1)
    even_if_done: bool = False
    """Told also when it was done in the meantime, but late."""
    muted_by_exclusion: Literal["never", "month", "always"] = "never"
    """Dropped when the unit is excluded for the same month, or at all."""
    digest: bool = False
    """Waits for the daily digest."""
    escalates: bool = False
    """Goes up the chain until somebody acknowledges it."""
    clause: str = Field(min_length=1)
    title: Text
    fact: Text
    todo: Text


class Alerts(Model):
    """Who is told what, when, and how often at most."""

    contact: Text
    """Whom to ask, as it stands at the end of every mail."""
    window_minutes: int = Field(10, ge=0, le=1440)
    """Alerts of one person within this time become one mail."""
    quiet_from: ClockTime = "20:00"
    quiet_to: ClockTime = "06:30"
    budget_per_day: int = Field(5, ge=1)
    """Mails to one person and day; what is more waits for the digest, exclusions never do."""
    digest_at: ClockTime = "16:30"
    work_from: ClockTime = "07:00"
    work_to: ClockTime = "17:00"
    escalate_after_hours: int = Field(8, ge=1)
    """Working hours without acknowledgement before the next one is told."""
    chain: list[Audience] = ["officer", "head", "standing", "chair"]
    rules: list[AlertRule] = Field(min_length=1)


class Plan(Model):
    """One version of one competition, valid for a range of dates, read-only once published."""

    id: Code
    version: int = Field(ge=1)
    title: Text
    decision: str = Field(min_length=1)
    """Number of the document that issued it."""
    authority: Text
    starts_on: date
    ends_on: date
    valid_from: date
    valid_to: date
    """This version judges the periods whose last day lies between the two, both included."""
    uncounted_statuses: list[str]
    """Dossiers in these states are in no ratio and cannot be overdue."""
    reporting: Reporting
    blocs: list[Bloc] = Field(min_length=1)
    deadlines: list[Deadline] = []
    casework: Casework = Casework()
    closing: Closing | None = None
    """None: quarters and years are closed by hand only."""
    documents: Documents | None = None
    """None: what the plan's authority and title give."""
    units: list[Unit] = Field(min_length=1)
    catalogue: list[Procedure] = []
    calendar: WorkCalendar = WorkCalendar()
    alerts: Alerts | None = None
    """None: nobody is mailed."""

    def model_copy(
        self, *, update: Mapping[str, Any] | None = None, deep: bool = False
    ) -> Self:
        """A copy with other fields; it finds its units, months and workdays anew, which pydantic's would take over."""
        copied = super().model_copy(update=update, deep=deep)
        for name, found in vars(Plan).items():
            if isinstance(found, cached_property):
                copied.__dict__.pop(name, None)
        return copied

    @cached_property
    def months(self) -> tuple[str, ...]:
        """The competition's calendar months."""
        return months_between(self.starts_on, self.ends_on)

    @cached_property
    def _units(self) -> dict[str, Unit]:
        return {unit.code: unit for unit in self.units}

    @cached_property
    def _units_of(self) -> dict[str, list[Unit]]:
        return {b.code: [u for u in self.units if u.bloc == b.code] for b in self.blocs}

    def bloc(self, code: str) -> Bloc | None:
        """The bloc with this code."""
        return next((b for b in self.blocs if b.code == code), None)

    def unit(self, code: str) -> Unit | None:
        """The unit with this code."""
        return self._units.get(code)

    def units_of(self, bloc: str) -> list[Unit]:
        """The units of a bloc, in the plan's order."""
        return list(self._units_of.get(bloc, ()))

    def offered(self, unit: str, levels: list[str]) -> int:
        """How many procedures of these levels the unit offers."""
        return sum(
            p.level in levels and (p.units is None or unit in p.units) for p in self.catalogue
        )

    @cached_property
    def workdays(self) -> WorkDays:
        """Which days are worked."""
        own = self.calendar
        return WorkDays(frozenset(day.on for day in own.days_off), frozenset(own.worked))

    def report_due_on(self, month: str) -> date:
        """The last on-time day of the report for a month such as `2023-07`."""
        number = int(month[:4]) * 12 + int(month[5:]) - 1 + self.reporting.months_later
        day = date(number // 12, number % 12 + 1, self.reporting.last_day)
        if self.calendar.reports_on_days_off == "keep":
            return day
        return self.workdays.at_or_after(day)


def in_force(versions: Iterable[Plan], period: str) -> Plan:
    """The version that judges a period: the highest one valid on the period's last day in the competition.

    A period on whose last day none is valid is judged by the highest version of all.
    """
    newest_first = sorted(versions, key=lambda plan: -plan.version)
    for plan in newest_first:
        month = last_month_of(period, plan.months)
        if month is None:
            continue
        if plan.valid_from <= min(last_day_of(month), plan.ends_on) <= plan.valid_to:
            return plan
    return newest_first[0]
