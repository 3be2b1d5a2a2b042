"""What a total would be with other counters: the plan's own rules on figures that somebody moves. Saves nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from contracts.plan import Bloc, Indicator, Unit
from services.scoring.domain.awarding import Candidate, awards_of
from services.scoring.domain.rules import UNIT_OF_POINTS, full_points, rounded, share
from services.scoring.domain.standings import ranked

MOST = 999_999_999
"""As large as a figure in an event may be."""
Move = tuple[int, int]
"""(numerator, denominator)."""
Moves = Mapping[tuple[str, str], Move]
"""(indicator, part) -> its counters as somebody imagines them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a unit would stand."""

    points: int
    rank: int
    award: tuple[str, ...]
    """Codes of awards; several: a tie for people to decide; empty: none."""
    indicators: dict[str, int]
    """Code -> points, of all indicators that apply."""
    others: dict[str, int]
    """Unit -> its rank then, where it differs."""


def indicator_points(indicator: Indicator, full: int, shares: Sequence[Fraction]) -> int:
    """Points of an indicator from the share of each of its parts; rounded once, as the fold does."""
    if not indicator.points:
        return 0
    factor = Fraction(full, UNIT_OF_POINTS) / indicator.points
    earned = (s * Fraction(p.points) for s, p in zip(shares, indicator.parts, strict=True))
    return rounded(sum(earned, Fraction()) * factor)


def moved_points(
    bloc: Bloc, unit: Unit, shares: Mapping[str, Sequence[Fraction]], moves: Moves
) -> dict[str, int]:
    """Indicator -> points, for the indicators that `moves` names; `shares` are those that stand today.

    A part that averages over months is taken as if every month had the moved figure.
    """
    full = full_points(bloc, unit)
    found = {}
    for code in {indicator for indicator, _ in moves} & full.keys():
        indicator = bloc.indicator(code)
        if indicator is None:
            continue
        now = [
            share(part, *moves[code, part.code]) if (code, part.code) in moves else today
            for part, today in zip(indicator.parts, shares[code], strict=True)
        ]
        found[code] = indicator_points(indicator, full[code], now)
    return found


def outcome(
    bloc: Bloc,
    candidates: Sequence[Candidate],
    unit: str,
    stands: Mapping[str, int],
    moved: Mapping[str, int],
) -> Outcome:
    """Total, rank and award of a unit whose indicators earn `moved` instead of what `stands`."""
    indicators = {**stands, **moved}
    points = sum(indicators.values())
    then = [c._replace(points=points) if c.unit == unit else c for c in candidates]
    before = ranked((c.unit, c.points) for c in candidates)
    after = ranked((c.unit, c.points) for c in then)
    return Outcome(
        points,
        after[unit],
        awards_of(bloc, then).get(unit, ()),
        indicators,
        {u: rank for u, rank in after.items() if u != unit and before[u] != rank},
    )
