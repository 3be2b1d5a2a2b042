"""Every event of the system, declared once: who sends it, who reads it, when, and what it does not promise.

An indicator event states the *whole current state* of one fact (a dossier, a figure, a report …), never a
difference. The highest `version` of a fact wins, whatever the order of arrival; equal versions: the later
`occurred_at`, then the greater content hash. Unknown fields are ignored, so a newer sender harms nobody.
"""

from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from contracts.calendar import MonthCode, PeriodCode
from contracts.plan import Plan

Source = Annotated[
    str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\s\x00-\x1f]+$")
]
"""A sender. No white space in it, so that source and key can be joined with a space."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
UnitCode = Annotated[str, StringConstraints(min_length=1, max_length=64)]
CatalogueCode = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Version = Annotated[int, Field(ge=1, le=2**53)]
Natural = Annotated[int, Field(ge=0, lt=10**9)]
ClaimState = Literal["declared", "verified", "rejected"]

DossierStatus = Literal[
    "registered",
    "accepted",
    "refused",
    "processing",
    "supplement",
    "payment_due",
    "withdrawn",
    "suspended",
    "finished",
    "returned",
]
ServiceLevel = Literal["full", "partial", "information"]


class Event(BaseModel):
    """What all events share: strict types, unknown fields ignored."""

    model_config = ConfigDict(extra="ignore", strict=True)


class DossierRecorded(Event):
    """A dossier of the public-service portal is now so.

    Producer: intake. Consumers: scoring, notifier. Sent by the portal at each change; repeats, gaps and any order
    are normal. Fields stand in alphabetical order, `id` last: their JSON without `id` is what the content hash
    is made of.
    """

    channel: Literal["online", "counter", "post"]
    digitised: bool | None = None
    dossier: Name
    due_at: AwareDatetime | None = None
    fee_due: bool | None = None
    finished_at: AwareDatetime | None = None
    occurred_at: AwareDatetime
    paid_online: bool | None = None
    procedure: CatalogueCode
    received_at: AwareDatetime
    satisfaction: Literal["very_satisfied", "satisfied", "dissatisfied"] | None = None
    service_level: ServiceLevel | None = None
    source: Source
    status: DossierStatus
    type: Literal["dossier.recorded"] = "dossier.recorded"
    unit: UnitCode
    version: Version
    id: Name

    example: ClassVar = {
        "source": "dvc.haugiang",
        "id": "6f1c2a",
        "type": "dossier.recorded",
        "dossier": "H30.99.01-230705-0012",
        "version": 3,
        "unit": "31399",
        "procedure": "2.000815",
        "status": "returned",
        "channel": "online",
        "service_level": "full",
        "received_at": "2023-07-05T08:30:00+07:00",
        "due_at": "2023-07-10T17:00:00+07:00",
        "finished_at": "2023-07-10T10:15:00+07:00",
        "fee_due": True,
        "paid_online": True,
        "digitised": True,
        "satisfaction": "satisfied",
        "occurred_at": "2023-07-10T10:15:00+07:00",
    }


class Claim(Event):
    """What every other indicator event shares: a unit's claim about one fact, and how far it is accepted.

    `subject` is the natural key of the fact within its source. `state`: *declared* by the unit, *verified* by the
    standing office (or by a system that needs no verification), *rejected* (counts nowhere).
    """

    source: Source
    subject: Name
    version: Version
    unit: UnitCode
    state: ClaimState
    occurred_at: AwareDatetime
    plan: CatalogueCode | None = None
    """Only this plan; absent: every plan in which the unit competes."""
    id: Name


def _example(kind: str, **fields: object) -> dict[str, object]:
    return {
        "source": "thidua.office",
        "id": "a41e-2",
        "type": kind,
        "subject": f"31399:{kind}:2023-07",
        "version": 2,
        "unit": "31399",
        "state": "verified",
        "occurred_at": "2023-08-02T09:00:00+07:00",
        **fields,
    }


class FigureReported(Claim):
    """A share reported for a period, as numerator and denominator.

    Producer: intake. Consumers: scoring, notifier. Sent when a unit claims it and again at each decision on the claim.
    It belongs to the last month of its period. A numerator above the
    denominator is kept and shown, and earns no more than full points.
    """

    type: Literal["figure.reported"] = "figure.reported"
    indicator: CatalogueCode
    part: CatalogueCode = "main"
    period: PeriodCode
    numerator: Natural
    denominator: Natural

    example: ClassVar = _example(
        "figure.reported", indicator="X5", period="2023-07", numerator=812, denominator=1450
    )


class TallyReported(Claim):
    """A number reported for a period (products on a platform, and the like).

    Producer: intake. Consumers: scoring, notifier. Sent when a unit claims it and again at each decision on the claim.
    It belongs to the last month of its period.
    """

    type: Literal["tally.reported"] = "tally.reported"
    indicator: CatalogueCode
    part: CatalogueCode = "main"
    period: PeriodCode
    value: Natural

    example: ClassVar = _example("tally.reported", indicator="X18", period="2023-07", value=3)


class ItemRecorded(Claim):
    """One thing of a checklist exists (a decision, a plan, a page, a list sent), or no longer does.

    Producer: intake. Consumers: scoring, notifier. Sent when a unit claims it, at each decision on the claim,
    and when the
    thing is gone. It counts from the date `on`.
    """

    type: Literal["item.recorded"] = "item.recorded"
    indicator: CatalogueCode
    item: CatalogueCode
    done: bool
    on: Annotated[date, Field(strict=False)]
    name: Annotated[str, StringConstraints(max_length=200)] | None = None
    """What it is called, such as a product or a model: shown in the quarter's package; never a person's name."""

    example: ClassVar = _example(
        "item.recorded", indicator="X1", item="steering-committee", done=True, on="2023-06-12"
    )


class IncidentRecorded(Claim):
    """Something happened that costs points (a lost certificate, a renewal that came late).

    Producer: intake. Consumers: scoring, notifier. Sent when it becomes known. Withdrawn by a later version in
    state *rejected*.
    """

    type: Literal["incident.recorded"] = "incident.recorded"
    indicator: CatalogueCode
    on: Annotated[date, Field(strict=False)]

    example: ClassVar = _example("incident.recorded", indicator="X10", on="2023-07-19")


class ReportReceived(Claim):
    """A unit's monthly report was received at this moment.

    Producer: intake. Consumers: scoring, notifier. Sent when a report arrives. Lateness is judged by the local date of
    `received_at`, by the plan's last day.
    """

    type: Literal["report.received"] = "report.received"
    month: MonthCode
    received_at: AwareDatetime

    example: ClassVar = _example(
        "report.received", month="2023-07", received_at="2023-07-13T16:20:00+07:00"
    )


class ArticleRecorded(Claim):
    """An article was sent, and perhaps approved and published.

    Producer: intake. Consumers: scoring, notifier. Sent when an article arrives, and again when it is approved
    or published.
    It belongs to the month of `published_on` once published, else of `sent_on`.
    """

    type: Literal["article.recorded"] = "article.recorded"
    sent_on: Annotated[date, Field(strict=False)]
    approved: bool = False
    published_on: Annotated[date, Field(strict=False)] | None = None

    example: ClassVar = _example(
        "article.recorded", sent_on="2023-07-11", approved=True, published_on="2023-07-14"
    )


class BulletinBroadcast(Claim):
    """The loudspeaker station broadcast a bulletin on this date.

    Producer: intake. Consumers: scoring, notifier. Sent once for each broadcast, and again at each decision on
    the claim.
    It counts in its ISO week, which belongs to the month of its Monday.
    """

    type: Literal["bulletin.broadcast"] = "bulletin.broadcast"
    on: Annotated[date, Field(strict=False)]

    example: ClassVar = _example("bulletin.broadcast", on="2023-07-11")


class FeedbackRecorded(Claim):
    """A citizen's feedback reached the unit, and perhaps was answered.

    Producer: intake. Consumers: scoring, notifier. Sent when feedback arrives, and again when it is answered.
    It belongs to
    the month of `received_on`; answered on time means by `due_on`.
    """

    type: Literal["feedback.recorded"] = "feedback.recorded"
    received_on: Annotated[date, Field(strict=False)]
    due_on: Annotated[date, Field(strict=False)]
    answered_on: Annotated[date, Field(strict=False)] | None = None

    example: ClassVar = _example(
        "feedback.recorded",
        received_on="2023-07-03",
        due_on="2023-07-10",
        answered_on="2023-07-07",
    )


class ActivityReported(Claim):
    """What one person of the roster did in one month: account or not, dossiers filed online.

    Producer: intake. Consumers: scoring, notifier. Sent once for each person and month, and again at each
    correction. The
    person is a pseudonym of the unit's own choosing, never a name.
    """

    type: Literal["activity.reported"] = "activity.reported"
    month: MonthCode
    person: Name
    account: bool
    dossiers: Natural

    example: ClassVar = _example(
        "activity.reported", month="2023-07", person="NV-07", account=True, dossiers=4
    )


class ExclusionLifted(Claim):
    """One exclusion of a unit in one month no longer holds: an appeal was upheld, or it was excused.

    Producer: intake. Consumers: scoring, notifier. Sent when the standing office decides so; a later version in state
    *rejected* puts the exclusion back. Only a *verified* one lifts anything. It may arrive before the exclusion
    itself, and lifts the one rule in the one month, whatever causes it.
    """

    type: Literal["exclusion.lifted"] = "exclusion.lifted"
    rule: CatalogueCode
    month: MonthCode
    reason: CatalogueCode
    """A code, such as `portal-outage` or `appeal-upheld`; the words stand with the decision."""

    example: ClassVar = _example(
        "exclusion.lifted", rule="two-overdue-dossiers", month="2023-07", reason="portal-outage"
    )


AnyClaim = (
    FigureReported
    | TallyReported
    | ItemRecorded
    | IncidentRecorded
    | ReportReceived
    | ArticleRecorded
    | BulletinBroadcast
    | FeedbackRecorded
    | ActivityReported
    | ExclusionLifted
)
IndicatorEvent = DossierRecorded | AnyClaim


class PlanPublished(Event):
    """A version of a plan is in force from now on, and read-only.

    Producer: publishing (`thidua plan publish`, `thidua up`). Consumers: intake, scoring, leaderboard,
    notifier, reports. Sent once
    for each version. Carries the whole plan: nobody needs to ask anybody else for it. Publishing the
    same content twice is the same event.
    """

    type: Literal["plan.published"] = "plan.published"
    id: Name
    plan: Plan
    published_at: AwareDatetime


class Exclusion(Event):
    """Why a unit is not considered for an award."""

    rule: str
    month: MonthCode
    facts: list[str]
    """Ids of the dossiers or the report that caused it, at most twenty; empty for a report still missing."""
    count: int
    """How many there are: overdue dossiers, or days late."""
    reason: str = ""
    """Code of the reason for which it was lifted; empty while it holds."""


class Standing(Event):
    """One unit in one period: points as whole ten-thousandths, per indicator and in total."""

    plan: str
    bloc: str
    period: PeriodCode
    unit: str
    points: int
    verified_points: int
    indicators: dict[str, tuple[int, int]]
    """Code -> (points, verified points); not applicable ones are absent."""
    counters: dict[str, tuple[int, int]]
    """Code -> (numerator, denominator) of the indicator's first part."""
    eligible: bool
    exclusions: list[Exclusion]
    lifted: list[Exclusion] = []
    """Exclusions that would hold, had they not been lifted."""
    near: list[Exclusion] = []
    """What counts towards an exclusion and does not reach it yet: one overdue dossier where two exclude."""


class BoardMoved(Event):
    """Rows of the board as they stand now, and a heartbeat when nothing moved.

    Producer: scoring worker. Consumers: the leaderboard. Sent when rows changed, and each second. Not journaled:
    the same rows are in `scoring.standings`; a lost one is repaired from there within seconds. A lower
    `position` is older.
    """

    type: Literal["board.moved"] = "board.moved"
    position: int
    """Grows with every move, also over restarts of the worker."""
    at: AwareDatetime
    """Domain time of the fold."""
    accepted_at_ms: int
    """Real milliseconds at which the oldest event of this move was accepted; 0 when none."""
    rows: list[Standing]

    example: ClassVar = {
        "type": "board.moved",
        "position": 41,
        "at": "2023-07-10T10:15:03+07:00",
        "accepted_at_ms": 1688958903120,
        "rows": [],
    }


class Change(Event):
    """Points of one indicator before and after, in ten-thousandths."""

    indicator: str
    before: int
    after: int


class UnitScored(Event):
    """A unit's total of the whole competition changed: what, from where to where, because of which facts.

    Producer: scoring worker. Consumers: the leaderboard (the unit page's history), notifier. Sent when the
    total changed,
    coalesced within a second. This is the ledger. Its id is made from its content, so a repeat after a
    restart is the same event. A change that is undone
    within the second leaves no trace.
    """

    type: Literal["unit.scored"] = "unit.scored"
    id: Name
    plan: str
    plan_version: int
    bloc: str
    unit: str
    period: PeriodCode
    """A whole year of the competition."""
    at: AwareDatetime
    before: int
    after: int
    verified_before: int
    verified_after: int
    changes: list[Change]
    eligible: bool
    facts: list[str]
    """Ids of causing facts, at most twenty."""
    fact_count: int
    cause: Literal["event", "clock", "plan"]

    example: ClassVar = {
        "type": "unit.scored",
        "id": "0a1b2c3d4e5f60718293a4b5",
        "plan": "phung-hiep-2023",
        "plan_version": 1,
        "bloc": "commune",
        "unit": "31399",
        "period": "2023",
        "at": "2023-07-10T10:15:03+07:00",
        "before": 412500,
        "after": 413750,
        "verified_before": 402500,
        "verified_after": 403750,
        "changes": [{"indicator": "X8", "before": 112500, "after": 113750}],
        "eligible": True,
        "facts": ["dvc.haugiang H30.99.01-230705-0012"],
        "fact_count": 1,
        "cause": "event",
    }


CLAIMS: tuple[type[Claim], ...] = (
    FigureReported,
    TallyReported,
    ItemRecorded,
    IncidentRecorded,
    ReportReceived,
    ArticleRecorded,
    BulletinBroadcast,
    FeedbackRecorded,
    ActivityReported,
    ExclusionLifted,
)
