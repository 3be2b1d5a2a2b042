"""What units handed in and what was decided on it, folded from the workspace's events in any order.

Shared by whoever freezes the index of evidence and whoever shows it: both must come to the same bytes.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from contracts.submissions import (
    AppealDecided,
    AppealLodged,
    ItemReviewed,
    SubmissionMade,
    SubmissionWithdrawn,
)

AnySubmission = (
    SubmissionMade | SubmissionWithdrawn | ItemReviewed | AppealLodged | AppealDecided
)
_ANY: TypeAdapter[AnySubmission] = TypeAdapter(
    Annotated[AnySubmission, Field(discriminator="type")]
)


class Evidence(BaseModel):
    """One file behind a claim, known by its hash."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    indicator: str
    month: str
    version: int
    sha256: str
    size: int
    media_type: str


class UnitEvidence(BaseModel):
    """What a unit handed in up to an instant, and what the standing office decided on it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: str
    files: list[Evidence] = Field(default_factory=list)
    reviews: dict[str, str] = Field(default_factory=dict)
    """`<month>:<indicator>` -> the last decision; `waiting` when none was taken."""


def index_hash(index: Iterable[UnitEvidence]) -> str:
    """SHA-256 over an index of evidence, unit by unit in the order of their codes."""
    found = hashlib.sha256()
    for one in sorted(index, key=lambda one: one.unit):
        line = json.dumps(one.model_dump(mode="json"), ensure_ascii=False, sort_keys=True)
        found.update(line.encode() + b"\n")
    return found.hexdigest()


def parsed(line: bytes) -> AnySubmission:
    """An event of the workspace.

    Raises:
        ValueError: it is none.
    """
    return _ANY.validate_json(line)


def evidence_of(unit: str, events: Iterable[AnySubmission], until: datetime) -> UnitEvidence:
    """One unit's files and reviews as they stood at an instant."""
    known = [event for event in events if event.at <= until]
    files = {
        (file.indicator, made.month, file.sha256): Evidence(
            indicator=file.indicator,
            month=made.month,
            version=made.version,
            sha256=file.sha256,
            size=file.size,
            media_type=file.media_type,
        )
        for made in in_force(known)
        for file in made.evidence
    }
    return UnitEvidence(
        unit=unit, files=[files[name] for name in sorted(files)], reviews=reviews_of(known)
    )


def index_of(events: Iterable[AnySubmission], until: datetime) -> list[UnitEvidence]:
    """The index of all units that handed something in, by their codes."""
    units: dict[str, list[AnySubmission]] = {}
    for event in events:
        units.setdefault(event.unit, []).append(event)
    return [evidence_of(unit, units[unit], until) for unit in sorted(units)]


def in_force(events: Iterable[AnySubmission]) -> list[SubmissionMade]:
    """The newest report of each month that was not withdrawn, by month."""
    events = list(events)
    withdrawn = {
        (e.unit, e.month, e.version) for e in events if isinstance(e, SubmissionWithdrawn)
    }
    newest: dict[tuple[str, str], SubmissionMade] = {}
    for event in events:
        if not isinstance(event, SubmissionMade):
            continue
        if (event.unit, event.month, event.version) in withdrawn:
            continue
        before = newest.get((event.unit, event.month))
        if before is None or before.version < event.version:
            newest[event.unit, event.month] = event
    return [newest[name] for name in sorted(newest)]


def reviews_of(events: Iterable[AnySubmission]) -> dict[str, str]:
    """`<month>:<indicator>` -> the last decision on it; `waiting` while there is none."""
    events = list(events)
    decided: dict[tuple[str, str], ItemReviewed] = {}
    for event in events:
        if isinstance(event, ItemReviewed):
            name = event.month, event.indicator
            before = decided.get(name)
            if before is None or (before.version, before.at, before.id) < (
                event.version,
                event.at,
                event.id,
            ):
                decided[name] = event
    found: dict[str, str] = {}
    for made in in_force(events):
        for indicator in made.indicators:
            review = decided.get((made.month, indicator))
            found[f"{made.month}:{indicator}"] = (
                "waiting" if review is None else review.decision
            )
    return found


def open_appeals(events: Iterable[AnySubmission]) -> list[str]:
    """`<unit>:<month>` of each appeal that was not answered."""
    events = list(events)
    answered = {event.appeal for event in events if isinstance(event, AppealDecided)}
    lodged = {e.appeal: e for e in events if isinstance(e, AppealLodged)}
    return [f"{e.unit}:{e.month}" for name, e in sorted(lodged.items()) if name not in answered]
