"""The monthly report of one unit: drafts, versions, the items of its review. A step takes a report and gives the next.

Everything that one step changes stands in one document, its events with it, so that a crash leaves nothing half-done.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from contracts.events import Event
from contracts.submissions import EvidenceFile
from services.intake.workspace.domain.declaring import Facts, Fields
from services.intake.workspace.domain.values import Fault, Values, is_blank, plain

ItemState = Literal[
    "waiting", "reopened", "accepted", "corrected", "returned", "rejected", "withdrawn"
]
UNDECIDED = ("waiting", "reopened")
DECIDED = ("accepted", "corrected", "returned", "rejected")
MOST_NOTE = 2_000


class ReportError(Exception):
    """A step that the report does not allow now; `code` says why, `values` what about."""

    def __init__(self, code: str, *values: str) -> None:
        super().__init__(code, *values)
        self.code, self.values = code, values


class NotReadyError(ReportError):
    """Something must be mended first."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("not_ready", str(len(faults)))
        self.faults = faults


class Entry(BaseModel):
    """What stands in the form of one indicator."""

    values: Values = {}
    note: str = Field("", max_length=MOST_NOTE)
    """The unit's words; also the explanation where evidence is missing."""
    revision: int = 0
    """Grows with every save: two tabs cannot overwrite each other."""


class Decision(BaseModel):
    """One thing that happened to an item."""

    what: Literal[
        "claimed", "accepted", "corrected", "returned", "rejected", "reopened", "withdrawn"
    ]
    version: int
    at: datetime
    by: str
    reason: str = ""
    values: Values = {}


class Risk(BaseModel):
    """One reason for looking closely."""

    code: str
    weight: int
    values: list[str] = []


class Item(BaseModel):
    """What a unit claims for one indicator, and what became of it."""

    state: ItemState
    version: int
    claimed: Values
    note: str = ""
    accepted: Values | None = None
    """What holds: as claimed, or as corrected."""
    since: datetime
    """Waiting since."""
    risks: list[Risk] = []
    history: list[Decision] = []

    @property
    def last(self) -> Decision:
        """The latest thing that happened."""
        return self.history[-1]

    @property
    def risk(self) -> int:
        """How closely to look: the sum of the reasons' weights."""
        return sum(risk.weight for risk in self.risks)


class Version(BaseModel):
    """A report as it was handed in; never changed, but for being withdrawn."""

    number: int
    at: datetime
    declared_on: date | None = None
    by: str
    indicators: list[str]
    entries: dict[str, Entry]
    evidence: list[EvidenceFile]
    withdrawn_at: datetime | None = None


class Report(BaseModel):
    """One unit's report for one month, with everything that ever happened to it."""

    plan: str
    unit: str
    month: str
    revision: int = 0
    """Of the document."""
    entries: dict[str, Entry] = {}
    items: dict[str, Item] = {}
    facts: Facts = {}
    versions: list[Version] = []
    outbox: list[dict[str, Any]] = []
    """Lines that are decided on and perhaps not in the journal yet."""

    @property
    def key(self) -> str:
        """Its name among all reports."""
        return f"{self.plan}:{self.unit}:{self.month}"

    @property
    def current(self) -> Version | None:
        """The version that stands; None while nothing is handed in."""
        standing = [v for v in self.versions if v.withdrawn_at is None]
        return standing[-1] if standing else None

    @property
    def reviewed(self) -> bool:
        """Whether the review of the standing version began."""
        current = self.current
        return current is not None and any(
            item.last.what != "claimed" and item.last.at >= current.at
            for item in self.items.values()
            if item.state != "withdrawn"
        )

    def open_for(self, code: str) -> bool:
        """Whether the unit may change what stands in this form."""
        item = self.items.get(code)
        return item is None or item.state not in (*UNDECIDED, "rejected")

    def differs(self, code: str) -> bool:
        """Whether the form says something else than what was claimed last."""
        item = self.items.get(code)
        entry = self.entries.get(code, Entry())
        if item is None or item.state == "withdrawn":
            return not is_blank(entry.values)
        holds = item.claimed if item.accepted is None else item.accepted
        if item.state == "corrected" and plain(entry.values) == plain(item.claimed):
            return False  # the office put it right; to say the same again is no new claim
        return plain(entry.values) != plain(holds) or item.state == "returned"


@dataclass(slots=True)
class Outgoing:
    """What a step tells the world."""

    indicator: list[Fields] = field(default_factory=list)
    submission: list[Event] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Step:
    """Who does something, and when."""

    by: str
    at: datetime
    today: date


def advanced(
    report: Report, items: dict[str, Item], changed: Facts, **others: object
) -> Report:
    """The report after a step: other items, facts that changed."""
    return report.model_copy(update={"items": items, "facts": report.facts | changed, **others})
