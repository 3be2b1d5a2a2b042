"""Which nominations fit: quotas, people proposed twice, and what is left of a unit's award dossier."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from contracts.packages import PapersRecorded
from contracts.plan import Bloc, Plan
from services.reports.domain.record import PARTS, DossierPart, Nomination

DOSSIER_DEADLINE = "award-dossier"


class NominationError(ValueError):
    """A nomination cannot be taken; the code says why, the field says where."""

    def __init__(self, code: str, field: str) -> None:
        super().__init__(code)
        self.code, self.field = code, field


def person_key(name: str) -> str:
    """The same person, however the name is typed."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def largest_quota(bloc: Bloc) -> int:
    """How many people a unit of the bloc may at most propose, before its award is known."""
    own = [award.prize.individuals for award in bloc.awards] + [bloc.other_units.individuals]
    return max([*own, bloc.bloc_individuals])


def admitted(plan: Plan, nomination: Nomination, known: Iterable[Nomination]) -> Nomination:
    """The nomination, if it may be taken beside the others.

    Raises:
        NominationError: too many of a unit, a person twice in one unit, more votes than voters.
    """
    unit = plan.unit(nomination.unit)
    bloc = None if unit is None else plan.bloc(unit.bloc)
    if bloc is None:
        raise NominationError("no_such_unit", "unit")
    others = [n for n in known if n.unit == nomination.unit and n.id != nomination.id]
    if any(person_key(n.name) == person_key(nomination.name) for n in others):
        raise NominationError("person_twice", "name")
    if nomination.votes_for > nomination.votes_total:
        raise NominationError("more_votes_than_voters", "votes_for")
    if sum(n.state != "returned" for n in others) >= largest_quota(bloc):
        raise NominationError("quota", "name")
    return nomination


def duplicates(nominations: Iterable[Nomination]) -> dict[str, list[Nomination]]:
    """People whom more than one unit proposes: namesakes, or the same person twice. People decide which."""
    found: dict[str, list[Nomination]] = {}
    for nomination in nominations:
        if nomination.state != "returned":
            found.setdefault(person_key(nomination.name), []).append(nomination)
    return {key: some for key, some in found.items() if len(some) > 1}


def over_quota(
    nominations: Iterable[Nomination], quotas: Mapping[str, int]
) -> dict[str, tuple[int, int]]:
    """Unit -> (accepted, allowed), where more people are accepted than the unit's award allows."""
    accepted: dict[str, int] = {}
    for nomination in nominations:
        if nomination.state == "accepted":
            accepted[nomination.unit] = accepted.get(nomination.unit, 0) + 1
    return {
        unit: (number, quotas.get(unit, 0))
        for unit, number in accepted.items()
        if number > quotas.get(unit, 0)
    }


@dataclass(frozen=True, slots=True)
class Cockpit:
    """The state of one candidate unit's award dossier."""

    unit: str
    parts: dict[str, DossierPart | None]
    nominated: int
    quota: int
    days_left: int | None

    @property
    def complete(self) -> bool:
        """Whether everything is there."""
        return all(part is not None for part in self.parts.values())


@dataclass(frozen=True, slots=True)
class Papers:
    """A unit's award dossier as it is kept: its documents, and how often it was changed."""

    plan: str
    unit: str
    version: int
    parts: Mapping[str, DossierPart]
    changed_at: datetime

    def recorded(self) -> PapersRecorded:
        """What the others are told of it: which papers are there, and nothing of what stands in them."""
        missing = [part for part in PARTS if part not in self.parts]
        last = max((part.received_on for part in self.parts.values()), default=None)
        return PapersRecorded(
            id=f"{self.plan}:{self.unit}:{DOSSIER_DEADLINE}:{self.version}",
            plan=self.plan,
            unit=self.unit,
            deadline=DOSSIER_DEADLINE,
            version=self.version,
            missing=missing,
            received_on=None if missing else last,
            at=self.changed_at,
        )


def cockpit_of(
    plan: Plan,
    unit: str,
    parts: Mapping[str, DossierPart],
    nominations: Iterable[Nomination],
    quota: int,
    today: date,
) -> Cockpit:
    """What a unit's dossier lacks, and how many days are left for it (negative: past the deadline)."""
    deadline = next((d.on for d in plan.deadlines if d.code == DOSSIER_DEADLINE), None)
    own = sum(n.unit == unit and n.state != "returned" for n in nominations)
    left = None if deadline is None else (deadline - today).days
    return Cockpit(unit, {part: parts.get(part) for part in PARTS}, own, quota, left)
