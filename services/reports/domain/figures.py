"""The figures of a package: lines of units, outcomes of blocs, sums. Every format shows these and computes nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from contracts.events import Exclusion, Standing
from contracts.packages import ThingShown
from contracts.plan import Award, Bloc, Unit
from services.reports.domain.awards import Outcome, derive, ranks_of
from services.reports.domain.decisions import Candidate, in_force
from services.reports.domain.record import Nomination, Record

SortKey = Callable[[str], tuple[str, str]]
COMMENDED = 3
"""Places of a quarter that the package proposes for a commendation, ties included."""


@dataclass(frozen=True, slots=True)
class Line:
    """One unit of a bloc."""

    unit: Unit
    row: Standing
    rank: int
    """By points, among all units: as the board shows it."""
    place: int | None
    """Among those considered for an award."""
    award: Award | None
    individuals: int
    before: int | None
    """Its rank in the quarter before."""
    shown: tuple[ThingShown, ...] = ()
    """Products and models of the period, as the closing names them."""

    @property
    def name(self) -> str:
        """The unit's name."""
        return self.unit.name.vi

    @property
    def money(self) -> int:
        """The prize, in đồng."""
        return 0 if self.award is None else self.award.prize.money

    @property
    def bonus(self) -> int:
        """Socio-economic points."""
        return 0 if self.award is None else self.award.prize.bonus_points

    @property
    def exclusions(self) -> list[Exclusion]:
        """Why it is not considered; empty when it is."""
        return self.row.exclusions


@dataclass(frozen=True, slots=True)
class BlocFigures:
    """One bloc."""

    bloc: Bloc
    lines: list[Line]
    """By rank; equal ranks in Vietnamese alphabetical order."""
    outcome: Outcome | None
    """Prizes; None in a quarter."""

    @property
    def money(self) -> int:
        """All its prizes together."""
        return sum(line.money for line in self.lines)

    @property
    def awarded(self) -> list[Line]:
        """Units with an award, in the order of the plan's awards."""
        order = {award.code: n for n, award in enumerate(self.bloc.awards)}
        return sorted(
            (line for line in self.lines if line.award),
            key=lambda line: order[line.award.code],  # type: ignore[union-attr]
        )

    @property
    def excluded(self) -> list[Line]:
        """Units that are not considered."""
        return [line for line in self.lines if line.place is None]

    @property
    def commended(self) -> list[Line]:
        """In a quarter: who is proposed for a commendation."""
        return [
            line
            for line in self.lines
            if line.place is not None and line.place <= COMMENDED and line.row.points
        ]


def in_order_of_places(bloc: BlocFigures) -> list[Line]:
    """As it is announced: by place; units that are not considered stand at the end."""
    return sorted(bloc.lines, key=lambda line: (line.place is None, line.place or line.rank))


@dataclass(frozen=True, slots=True)
class Figures:
    """All of a package."""

    record: Record
    blocs: list[BlocFigures]
    people: list[Nomination]
    """Who is to be rewarded: by bloc and rank of the unit, then by given name."""

    @property
    def money(self) -> int:
        """All prizes of all blocs."""
        return sum(bloc.money for bloc in self.blocs)

    def name_of(self, unit: str) -> str:
        """A unit's name."""
        found = self.record.plan.unit(unit)
        return unit if found is None else found.name.vi


def candidates_of(record: Record, bloc: str) -> list[Candidate]:
    """The bloc's units as the awards see them."""
    return [
        Candidate(
            unit=row.unit,
            points=row.points,
            eligible=row.eligible,
            indicators={code: pair[0] for code, pair in row.indicators.items()},
        )
        for row in record.frozen.standings
        if row.bloc == bloc
    ]


def outcomes_of(record: Record) -> dict[str, Outcome]:
    """Bloc -> what follows from its standings and from the confirmed decisions; nothing in a quarter."""
    if not record.annual:
        return {}
    choices = in_force(record.decisions)
    return {
        bloc.code: derive(bloc, candidates_of(record, bloc.code), choices)
        for bloc in record.plan.blocs
        if bloc.awards
    }


def figures_of(record: Record, key: SortKey) -> Figures:
    """The figures of a package; `key` sorts names."""
    outcomes = outcomes_of(record)
    blocs = [_bloc(record, bloc, outcomes.get(bloc.code), key) for bloc in record.plan.blocs]
    ranks = {line.unit.code: (n, line.rank) for n, b in enumerate(blocs) for line in b.lines}
    people = sorted(
        rewarded(record, outcomes),
        key=lambda person: (
            ranks.get(person.unit, (99, 0)),
            person.unit,
            given_name_key(person.name, key),
        ),
    )
    return Figures(record, blocs, people)


def rewarded(record: Record, outcomes: Mapping[str, Outcome]) -> list[Nomination]:
    """Accepted people; where a bloc has a number of people as a whole, those who were chosen for it."""
    accepted = [person for person in record.nominations if person.state == "accepted"]
    shared = {bloc.code: bloc for bloc in record.plan.blocs if bloc.bloc_individuals}
    chosen = {one for code in shared if code in outcomes for one in outcomes[code].chosen}
    of = {unit.code: unit.bloc for unit in record.plan.units}
    return [
        person
        for person in accepted
        if not record.annual or of.get(person.unit) not in shared or person.id in chosen
    ]


def given_name_key(name: str, key: SortKey) -> tuple[tuple[str, str], tuple[str, str]]:
    """Vietnamese lists of people stand in the order of given names, which come last."""
    return key(name.rpartition(" ")[2]), key(name)


def _bloc(record: Record, bloc: Bloc, outcome: Outcome | None, key: SortKey) -> BlocFigures:
    rows = {row.unit: row for row in record.frozen.standings if row.bloc == bloc.code}
    ranks = _ranks(list(rows.values()))
    considered = ranks_of(_ordered([row for row in rows.values() if row.eligible]))
    awards = {award.code: award for award in bloc.awards}
    given = {} if outcome is None else {p.unit: awards[p.award] for p in outcome.places}
    before = (
        {}
        if record.previous is None
        else _ranks([row for row in record.previous.standings if row.bloc == bloc.code])
    )
    shown: dict[str, list[ThingShown]] = {}
    for thing in record.frozen.shown:
        shown.setdefault(thing.unit, []).append(thing)
    lines = [
        Line(
            unit=unit,
            row=rows[unit.code],
            rank=ranks[unit.code],
            place=considered.get(unit.code),
            award=given.get(unit.code),
            individuals=0 if outcome is None else outcome.individuals.get(unit.code, 0),
            before=before.get(unit.code),
            shown=tuple(shown.get(unit.code, ())),
        )
        for unit in record.plan.units_of(bloc.code)
        if unit.code in rows
    ]
    return BlocFigures(
        bloc, sorted(lines, key=lambda line: (line.rank, key(line.name))), outcome
    )


def _ordered(rows: list[Standing]) -> list[Candidate]:
    found = [Candidate(unit=row.unit, points=row.points) for row in rows]
    return sorted(found, key=lambda one: -one.points)


def _ranks(rows: list[Standing]) -> dict[str, int]:
    return ranks_of(_ordered(rows))
