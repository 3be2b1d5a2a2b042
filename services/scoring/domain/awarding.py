"""Which units the plan's awards would go to, if the year ended as a board stands. People decide; this only shows."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import groupby
from typing import NamedTuple

from contracts.plan import Award, Bloc
from services.scoring.domain.rules import UNIT_OF_POINTS


class Candidate(NamedTuple):
    """A unit with its exact total in ten-thousandths."""

    unit: str
    points: int
    eligible: bool


def awards_of(bloc: Bloc, candidates: Iterable[Candidate]) -> dict[str, tuple[str, ...]]:
    """Unit -> the award that its place brings; several codes: a tie at a boundary, for people to decide.

    Bands are half-open and exact; who is excluded takes no place.
    """
    eligible = sorted((c for c in candidates if c.eligible), key=lambda c: -c.points)
    found: dict[str, tuple[str, ...]] = {}
    for at_least in sorted({award.at_least for award in bloc.awards}, reverse=True):
        band = [award for award in bloc.awards if award.at_least == at_least]
        found |= _seated(band, [c for c in eligible if _within(band[0], c.points)])
    return found


def _within(award: Award, points: int) -> bool:
    total = Fraction(points, UNIT_OF_POINTS)
    return total >= Fraction(award.at_least) and (
        award.below is None or total < Fraction(award.below)
    )


def _seated(band: list[Award], candidates: list[Candidate]) -> dict[str, tuple[str, ...]]:
    seats = [award.code for award in band for _ in range(award.places)]
    found: dict[str, tuple[str, ...]] = {}
    for _, group in groupby(candidates, key=lambda c: c.points):
        equal = [candidate.unit for candidate in group]
        open_to_them, seats = seats[: len(equal)], seats[len(equal) :]
        if open_to_them:
            found |= dict.fromkeys(equal, tuple(dict.fromkeys(open_to_them)))
    return found


def undecided(awards: dict[str, tuple[str, ...]], bloc: Bloc) -> set[str]:
    """Units that share a total with others where there is not the same award for each of them."""
    places = {award.code: award.places for award in bloc.awards}
    holders: dict[tuple[str, ...], list[str]] = {}
    for unit, codes in awards.items():
        holders.setdefault(codes, []).append(unit)
    return {
        unit
        for codes, units in holders.items()
        if len(codes) > 1 or len(units) > places[codes[0]]
        for unit in units
    }
