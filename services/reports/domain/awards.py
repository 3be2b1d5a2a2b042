"""Places and prizes of one bloc, by the plan's rules and by what people decided. Pure, exact, repeatable.

Excluded units are taken out first and once; who is left is ranked. What the plan leaves open becomes an `Item`
(`services/reports/domain/decisions.py`); as long as it is open, the places that hang on it are given to nobody.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby

from pydantic import BaseModel, ConfigDict

from contracts.plan import Award, Bloc
from services.reports.domain.decisions import (
    BLOC_INDIVIDUALS,
    EXCLUDED_INDIVIDUALS,
    OVERFLOW,
    TIE,
    TITLES,
    UNAWARDED,
    Candidate,
    Choice,
    Item,
    items_of_plan,
    new_item,
    settles,
)

UNIT_OF_POINTS = 10_000


class Place(BaseModel):
    """An award that a unit gets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: str
    award: str
    money: int = 0
    bonus_points: int = 0
    individuals: int = 0
    item: str | None = None
    """The decision that it follows from; None: from the plan's rules alone."""


class Outcome(BaseModel):
    """What one bloc's standings lead to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bloc: str
    ranks: dict[str, int]
    """Unit -> place among those considered; excluded units are absent."""
    places: list[Place]
    """By award, best first."""
    contested: dict[str, list[str]]
    """Open item -> the awards that hang on it."""
    unawarded: list[str]
    """An award code for each prize that stays with nobody."""
    individuals: dict[str, int]
    """Unit -> certificates of merit for its people."""
    items: list[Item]
    chosen: list[str]
    """People who were chosen for the bloc as a whole; nobody while that is open."""

    @property
    def open_items(self) -> list[Item]:
        """What is still to be decided."""
        return [item for item in self.items if not item.settled]

    @property
    def money(self) -> int:
        """All prizes together, in đồng."""
        return sum(place.money for place in self.places)


@dataclass(frozen=True, slots=True)
class Band:
    """Awards that share one range of totals [at_least, below): their prizes are given out in order."""

    code: str
    at_least: int
    below: int | None
    slots: tuple[Award, ...]
    titles: tuple[Award, ...]
    """Awards for which the plan defines no prize."""

    def holds(self, points: int) -> bool:
        """Half-open and exact: nothing is rounded up to a threshold."""
        return self.at_least <= points and (self.below is None or points < self.below)


def bands_of(awards: Iterable[Award]) -> list[Band]:
    """The bands of a bloc's awards, highest first."""
    groups: dict[tuple[int, int | None], list[Award]] = {}
    for award in awards:
        below = None if award.below is None else _points(award.below)
        groups.setdefault((_points(award.at_least), below), []).append(award)
    bands = [
        Band(
            some[0].code,
            *limits,
            tuple(award for award in some for _ in range(award.places)),
            tuple(award for award in some if award.places == 0),
        )
        for limits, some in groups.items()
    ]
    return sorted(bands, key=lambda band: -band.at_least)


def _points(value: Decimal) -> int:
    return int(value * UNIT_OF_POINTS)


@dataclass(slots=True)
class _Giving:
    """One pass through the bands."""

    bloc: Bloc
    choices: Mapping[str, Choice]
    places: list[Place] = field(default_factory=list)
    contested: dict[str, list[str]] = field(default_factory=dict)
    unawarded: list[str] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    carried: dict[str, str] = field(default_factory=dict)
    """Units that a decision moved into the next band -> that decision."""
    chosen: list[str] = field(default_factory=list)

    def item(
        self, kind: str, place: str, candidates: Sequence[Candidate], options: Sequence[str]
    ) -> tuple[Item, Choice | None]:
        """Note an open question; the decision about it, if there is one that fits it."""
        item = new_item(self.bloc, kind, place, candidates, options)
        choice = self.choices.get(item.key)
        if choice is not None and not settles(item, choice):
            choice = None
        item = item.model_copy(update={"settled": choice is not None})
        self.items.append(item)
        return item, choice

    def band(self, band: Band, queue: list[Candidate], *, lowest: bool) -> list[Candidate]:
        """Give out one band's prizes; returns who moves on into the next band by decision."""
        position, left = 0, []
        for _, tied in groupby(queue, key=lambda candidate: candidate.points):
            group = list(tied)
            slots = band.slots[position : position + len(group)]
            left += self._group(band, position, group, slots)
            position += len(group)
        spare = band.slots[position:]
        self.unawarded += [award.code for award in spare]
        if spare and band.below is None:
            self.item(UNAWARDED, band.code, queue, ["unawarded"])
        if band.titles and queue:
            self._titles(band, queue if not band.slots else left)
        if left and band.slots and not lowest:
            return self._overflow(band, left)
        return []

    def _group(
        self, band: Band, position: int, group: list[Candidate], slots: Sequence[Award]
    ) -> list[Candidate]:
        """Give a group of equal totals what is left; returns who gets nothing."""
        if not slots:
            return group
        alike = len(slots) == len(group) and len({award.code for award in slots}) == 1
        if len(group) == 1 or alike:
            for candidate, award in zip(group, slots, strict=True):
                self._give(candidate.unit, award, self.carried.get(candidate.unit))
            return []
        item, choice = self.item(TIE, f"{band.code}:{position + 1}", group, ["order"])
        if choice is None:
            self.contested[item.key] = [award.code for award in slots]
            return []
        by_unit = {candidate.unit: candidate for candidate in group}
        for unit, award in zip(choice.order, slots, strict=False):
            self._give(unit, award, item.key)
        return [by_unit[unit] for unit in choice.order[len(slots) :]]

    def _give(self, unit: str, award: Award, item: str | None) -> None:
        self.places.append(
            Place(unit=unit, award=award.code, item=item, **award.prize.model_dump())
        )

    def _titles(self, band: Band, queue: list[Candidate]) -> None:
        """A band exists for which the plan names no prize."""
        if not queue:
            return
        item, choice = self.item(TITLES, band.code, queue, ["none", "title"])
        if choice is not None and choice.choice == "title":
            for candidate in queue:
                self._give(candidate.unit, band.titles[0], item.key)

    def _overflow(self, band: Band, left: list[Candidate]) -> list[Candidate]:
        """Enough points for a prize, no prize left: the plan says nothing of them."""
        item, choice = self.item(OVERFLOW, band.code, left, ["none", "lower"])
        if choice is None or choice.choice != "lower":
            return []
        self.carried.update(dict.fromkeys((c.unit for c in left), item.key))
        return left


def considered(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Who is considered for an award, by points; equal totals in the order of their codes."""
    return sorted((c for c in candidates if c.eligible), key=lambda c: (-c.points, c.unit))


def derive(
    bloc: Bloc, candidates: Sequence[Candidate], choices: Mapping[str, Choice]
) -> Outcome:
    """Everything that follows from a bloc's standings and from what was decided. Same input, same outcome."""
    giving = _Giving(bloc, choices)
    candidates = sorted(candidates, key=lambda candidate: candidate.unit)
    eligible = considered(candidates)
    bands = bands_of(bloc.awards)
    carried: list[Candidate] = []
    for number, band in enumerate(bands, start=1):
        queue = carried + [c for c in eligible if band.holds(c.points)]
        carried = giving.band(band, queue, lowest=number == len(bands))
    individuals = _individuals(giving, candidates)
    for code in items_of_plan(bloc):
        giving.item(code, "", [], ["settled"])
    return Outcome(
        bloc=bloc.code,
        ranks=ranks_of(eligible),
        places=giving.places,
        contested=giving.contested,
        unawarded=giving.unawarded,
        individuals=individuals,
        items=giving.items,
        chosen=giving.chosen,
    )


def ranks_of(ordered: Sequence[Candidate]) -> dict[str, int]:
    """Unit -> rank; equal totals share a rank and leave a gap."""
    ranks: dict[str, int] = {}
    rank, last = 0, None
    for place, candidate in enumerate(ordered, start=1):
        if candidate.points != last:
            rank, last = place, candidate.points
        ranks[candidate.unit] = rank
    return ranks


def _individuals(giving: _Giving, candidates: Sequence[Candidate]) -> dict[str, int]:
    """How many people each unit may propose: its award's, else what every other unit gets."""
    bloc = giving.bloc
    quota = {place.unit: place.individuals for place in giving.places}
    others = bloc.other_units.individuals
    excluded = [c for c in candidates if not c.eligible]
    granted = 0
    if others and excluded:
        _, choice = giving.item(EXCLUDED_INDIVIDUALS, "", excluded, ["withhold", "grant"])
        granted = others if choice is not None and choice.choice == "grant" else 0
    if bloc.bloc_individuals:
        _, choice = giving.item(BLOC_INDIVIDUALS, "", [], ["people"])
        giving.chosen = [] if choice is None else choice.order
    for candidate in candidates:
        share = others if candidate.eligible else granted
        quota.setdefault(candidate.unit, share)
    return {unit: number for unit, number in quota.items() if number}
