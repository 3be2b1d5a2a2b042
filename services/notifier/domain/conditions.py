"""Conditions on standings: thresholds and targets with a margin, award places, the lead."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from contracts.plan import Bloc, Unit

UNIT_OF_POINTS = 10_000


@dataclass(frozen=True, slots=True)
class Total:
    """A unit's points of the whole competition, in ten-thousandths."""

    unit: str
    points: int
    eligible: bool


def crossed(above: bool, points: int, edge: int, margin: int) -> bool:  # noqa: FBT001 - a state
    """Whether it counts as above now: up at the edge itself, down only a margin below it."""
    return points >= edge - margin if above else points >= edge


def in_units(points: Fraction) -> int:
    """Ten-thousandths, rounded half up, as scoring does."""
    return int(points * UNIT_OF_POINTS + Fraction(1, 2))


def thresholds_of(bloc: Bloc) -> list[int]:
    """Where award bands begin, low to high, in ten-thousandths."""
    return sorted({in_units(Fraction(award.at_least)) for award in bloc.awards})


@lru_cache(maxsize=512)
def _factor(scale: int, points: tuple[Fraction, ...]) -> Fraction:
    return Fraction(scale) / sum(points) if points else Fraction(0)


def full_points(bloc: Bloc, unit: Unit) -> dict[str, int]:
    """Indicator -> its maximum for the unit, after the rescaling of what does not apply, to a ten-thousandth."""
    own = [i for i in bloc.scored if not set(i.not_for) & set(unit.traits)]
    factor = _factor(bloc.scale, tuple(i.points for i in own))
    return {i.code: in_units(i.points * factor) for i in own}


def places(bloc: Bloc, totals: Iterable[Total]) -> dict[str, str]:
    """Unit -> award in whose place it stands now; excluded units are passed over.

    Equal totals at the last place of an award all stand in it: people decide between them.
    """
    waiting = sorted((t for t in totals if t.eligible), key=lambda t: -t.points)
    found: dict[str, str] = {}
    for award in bloc.awards:
        low = Fraction(award.at_least) * UNIT_OF_POINTS
        high = None if award.below is None else Fraction(award.below) * UNIT_OF_POINTS
        band = [
            t
            for t in waiting
            if t.unit not in found and t.points >= low and (high is None or t.points < high)
        ]
        if not award.places or not band:
            continue
        last = band[: award.places][-1].points
        found.update({t.unit: award.code for t in band if t.points >= last})
    return found


def leaders(totals: Iterable[Total]) -> tuple[str, ...]:
    """The eligible units with the most points, if anybody has any."""
    able = [t for t in totals if t.eligible and t.points > 0]
    most = max((t.points for t in able), default=0)
    return tuple(sorted(t.unit for t in able if t.points == most))


def differences(
    before: Mapping[str, str], now: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    """(unit, award before, award now) of those whose award place changed; empty: none."""
    for unit in sorted(before.keys() | now.keys()):
        old, new = before.get(unit, ""), now.get(unit, "")
        if old != new:
            yield unit, old, new
