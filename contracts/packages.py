"""Frozen periods, the papers that units hand in for their awards, and the award packages."""

from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, Field

from contracts.calendar import MonthCode, PeriodCode
from contracts.events import CatalogueCode, Event, Name, Standing, UnitCode, Version
from contracts.submissions import Account

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Adjustment(Event):
    """What a unit's row of an earlier, frozen period would say now: shown in the next package."""

    period: PeriodCode
    unit: UnitCode
    points_before: int
    """As frozen, in ten-thousandths."""
    points_after: int
    eligible_before: bool
    eligible_after: bool


class NearExclusion(Event):
    """A unit that one more overdue dossier, or some more days, would have excluded."""

    unit: UnitCode
    rule: str
    month: MonthCode
    count: int
    limit: int
    """From how many on the rule excludes."""


class ThingShown(Event):
    """A product, a model or another thing that a unit showed in the period, by its name."""

    unit: UnitCode
    indicator: CatalogueCode
    on: Annotated[date, Field(strict=False)]
    name: Annotated[str, Field(max_length=200)]
    verified: bool


class EvidencePosition(Event):
    """Which index of evidence a closing takes: the index itself may be larger than an event."""

    events: int
    """Of the workspace, accepted up to the closing; repeats included."""
    files: int
    sha256: Sha256
    """`contracts.evidence.index_hash` of the index."""


class PeriodFrozen(Event):
    """A period was closed: its standings and eligibility as they stood at one position of the journal.

    Producer: scoring. Consumers: leaderboard, reports. Sent once for each closing, by date or by
    hand. Whatever arrives later changes nothing of it.
    """

    type: Literal["period.frozen"] = "period.frozen"
    id: Name
    plan: CatalogueCode
    plan_version: int
    period: PeriodCode
    at: AwareDatetime
    """Domain time: the day on which open dossiers and missing reports were judged."""
    cause: Literal["date", "hand"]
    by: Account
    """Who closed it; `clock` when the date did."""
    packs: list[Name]
    """First and last pack of the journal's indicator topic that it counts; empty when none."""
    events: int
    """Lines in these packs, repeats included."""
    log_sha256: Sha256
    """Over the ids and bodies of these packs, in order."""
    standings: list[Standing]
    adjustments: list[Adjustment] = Field(default_factory=list)
    """Corrections that arrived since earlier periods of the plan were frozen."""
    near: list[NearExclusion] = Field(default_factory=list)
    shown: list[ThingShown] = Field(default_factory=list)
    """Products and models of the period that have a name."""
    evidence: EvidencePosition | None = None
    """Files behind the claims and decisions on them; absent in closings made before it was added."""

    example: ClassVar = {
        "type": "period.frozen",
        "id": "phung-hiep-2023:2023-Q3:1",
        "plan": "phung-hiep-2023",
        "plan_version": 1,
        "period": "2023-Q3",
        "at": "2023-10-08T00:00:00+07:00",
        "cause": "date",
        "by": "clock",
        "packs": [],
        "events": 0,
        "log_sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "standings": [],
    }


class PapersRecorded(Event):
    """What a unit has handed in for a deadline of the plan, such as its award dossier, is now so.

    Producer: reports. Consumers: leaderboard, notifier. Sent when a paper is noted or taken back. States the whole,
    so that the highest version wins, in any order and any number of times. It says which papers are there, and
    nothing of what stands in them.
    """

    type: Literal["papers.recorded"] = "papers.recorded"
    id: Name
    plan: CatalogueCode
    unit: UnitCode
    deadline: CatalogueCode
    """Of the plan: what the papers are owed for."""
    version: Version
    missing: list[CatalogueCode]
    """Papers that are not there: `letter`, `minutes`, `list`."""
    received_on: Annotated[date, Field(strict=False)] | None = None
    """The day on which the last one came; None while one is missing."""
    at: AwareDatetime

    example: ClassVar = {
        "type": "papers.recorded",
        "id": "phung-hiep-2023:31399:award-dossier:3",
        "plan": "phung-hiep-2023",
        "unit": "31399",
        "deadline": "award-dossier",
        "version": 3,
        "missing": [],
        "received_on": "2024-01-03",
        "at": "2024-01-03T09:30:00+07:00",
    }


class PackageChecked(Event):
    """An award package is complete and waits for a signature.

    Producer: reports. Consumers: leaderboard, notifier. Sent when somebody checked it.
    """

    type: Literal["package.checked"] = "package.checked"
    id: Name
    package: Name
    plan: CatalogueCode
    period: PeriodCode
    at: AwareDatetime
    by: Account

    example: ClassVar = {
        "type": "package.checked",
        "id": "phung-hiep-2023:2023-Q3:1:checked",
        "package": "phung-hiep-2023:2023-Q3:1",
        "plan": "phung-hiep-2023",
        "period": "2023-Q3",
        "at": "2023-10-12T09:00:00+07:00",
        "by": "a-19e0",
    }


class PackageReturned(Event):
    """A checked or signed award package went back to its makers and waits for no signature any more.

    Producer: reports. Consumers: leaderboard, notifier. Sent when somebody returned it. Checked again, it is another
    `package.checked`.
    """

    type: Literal["package.returned"] = "package.returned"
    id: Name
    package: Name
    plan: CatalogueCode
    period: PeriodCode
    checked: Name
    """The id of the `package.checked` event that no longer holds."""
    at: AwareDatetime
    by: Account

    example: ClassVar = {
        "type": "package.returned",
        "id": "phung-hiep-2023:2023-Q3:1:returned:1",
        "package": "phung-hiep-2023:2023-Q3:1",
        "plan": "phung-hiep-2023",
        "period": "2023-Q3",
        "checked": "phung-hiep-2023:2023-Q3:1:checked:1",
        "at": "2023-10-13T10:00:00+07:00",
        "by": "a-0001",
    }


class PackagePublished(Event):
    """An award package was signed and published: these standings are official.

    Producer: reports. Consumers: leaderboard, notifier. Sent once for each package.
    """

    type: Literal["package.published"] = "package.published"
    id: Name
    package: Name
    plan: CatalogueCode
    period: PeriodCode
    frozen: Name
    """The id of the `period.frozen` event that it was made from."""
    sha256: Sha256
    """Of the ZIP file."""
    at: AwareDatetime
    by: Account

    example: ClassVar = {
        "type": "package.published",
        "id": "phung-hiep-2023:2023-Q3:1:published",
        "package": "phung-hiep-2023:2023-Q3:1",
        "plan": "phung-hiep-2023",
        "period": "2023-Q3",
        "frozen": "phung-hiep-2023:2023-Q3:1",
        "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "at": "2023-10-15T15:00:00+07:00",
        "by": "a-0001",
    }
