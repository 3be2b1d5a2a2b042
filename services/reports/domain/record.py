"""All that a package is made from, as one value: same record, same bytes. Nothing else is looked at while building."""

from datetime import date, datetime
from typing import Literal

from pydantic import ConfigDict, Field

from contracts.calendar import is_year
from contracts.evidence import UnitEvidence, index_hash
from contracts.packages import PeriodFrozen
from contracts.plan import Plan
from services.reports.domain.decisions import Decision, Value

Category = Literal["official", "part_time", "resident", "business"]
CATEGORIES: dict[Category, str] = {
    "official": "Cán bộ, công chức, viên chức",
    "part_time": "Người hoạt động không chuyên trách",
    "resident": "Người dân",
    "business": "Doanh nghiệp, hợp tác xã, hộ kinh doanh",
}
ORDER, ARCHIVE = "order.json", "package.zip"
"""What lies in the folder in which a package is drawn."""
PARTS = {"letter": "Tờ trình", "minutes": "Biên bản họp xét", "list": "Danh sách đề nghị"}
"""What a candidate unit's award dossier consists of."""


class Nomination(Value):
    """A person whom a unit proposes. Personal data: in this service's database and in the package, nowhere else."""

    id: str
    unit: str
    name: str = Field(min_length=2, max_length=100)
    category: Category
    position: str = Field("", max_length=200)
    achievement: str = Field(min_length=10, max_length=1_000)
    votes_for: int = Field(ge=0, le=1_000)
    votes_total: int = Field(ge=1, le=1_000)
    state: Literal["proposed", "accepted", "returned"] = "proposed"
    reason: str = Field("", max_length=1_000)
    """Why it was returned."""


class DossierPart(Value):
    """One document of a unit's award dossier, as it came in."""

    number: str = Field("", max_length=60)
    signed_by: str = Field("", max_length=200)
    received_on: date


class Finding(Value):
    """Something that keeps a package provisional."""

    code: str
    vi: str
    en: str
    count: int = 1


class Proof(Value):
    """What recomputing the frozen standings from the journal found."""

    differences: int
    first: list[str] = Field(default_factory=list)
    software: str


class Signatures(Value):
    """What people fill in: names and numbers that stand on the documents. Blank ones are left open for a pen."""

    head: str = Field("", max_length=100)
    """Head of the standing office."""
    chair: str = Field("", max_length=100)
    secretary: str = Field("", max_length=100)
    numbers: dict[str, str] = Field(default_factory=dict)
    """Document -> its number."""


class Record(Value):
    """The record of one package."""

    package: str
    frozen: PeriodFrozen
    plan: Plan
    previous: PeriodFrozen | None = None
    """The quarter before, frozen earlier."""
    decisions: list[Decision] = Field(default_factory=list)
    nominations: list[Nomination] = Field(default_factory=list)
    dossiers: dict[str, dict[str, DossierPart]] = Field(default_factory=dict)
    """Unit -> part -> what came in."""
    evidence: list[UnitEvidence] = Field(default_factory=list)
    """As it stood at the closing; its hash stands in the closing itself."""
    gate: list[Finding] = Field(default_factory=list)
    proof: Proof | None = None
    official: bool = False
    dated: date
    signatures: Signatures = Field(default_factory=Signatures)
    options: list[str] = Field(default_factory=list)
    """Optional documents that were asked for: `achievements`."""

    @property
    def annual(self) -> bool:
        """Whether it is about a whole year of the competition, with prizes."""
        return is_year(self.frozen.period)


class Order(Value):
    """All that drawing a package takes: its record, and the office's own templates by document (`*`: for all)."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    record: Record
    templates: dict[str, bytes] = Field(default_factory=dict)


def has_frozen_evidence(record: Record) -> bool:
    """Whether the record's index of evidence is the one that the closing took."""
    taken = record.frozen.evidence
    return taken is None or index_hash(record.evidence) == taken.sha256


class Step(Value):
    """One entry of a package's history."""

    action: str
    by: str
    at: datetime
    reason: str = ""
