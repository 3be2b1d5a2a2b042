"""The newest states of what the picture is made of: dossiers, reports, desks, appeals, totals, lifted exclusions."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import msgspec

Order = tuple[int, datetime, int]
FIELDS = (
    "status",
    "channel",
    "service_level",
    "fee_due",
    "paid_online",
    "digitised",
    "satisfaction",
    "procedure",
)
"""What the `where` of an exclusion may ask of a dossier."""


class Dossier(msgspec.Struct, frozen=True, gc=False):
    """The newest state of one dossier that has a promised date."""

    order: Order
    number: str
    unit: str
    traits: tuple[Any, ...]
    due_on: date | None
    finished_on: date | None


class Report(msgspec.Struct, frozen=True, gc=False):
    """The newest state of one received report."""

    order: Order
    unit: str
    month: str
    plan: str | None
    received_on: date | None
    """None: rejected, so it counts nowhere."""


class Lifting(msgspec.Struct, frozen=True, gc=False):
    """The newest state of one decision that lifts an exclusion."""

    order: Order
    plan: str | None
    place: tuple[str, str, str]
    """Unit, month, rule."""
    holds: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Desk:
    """A unit's report of a month as it waits at the reviewers' desk: its newest version."""

    version: int
    since: date
    indicators: tuple[str, ...]
    """The items that it claims something for."""
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Appeal:
    """A contested line, and until when it is to be answered."""

    plan: str
    unit: str
    month: str
    code: str
    due_on: date


@dataclass(slots=True)
class Score:
    """A unit's newest total, and its points by indicator."""

    at: datetime
    id: str
    points: int
    eligible: bool
    indicators: dict[str, int] = field(default_factory=dict)
