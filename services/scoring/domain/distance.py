"""How far a unit is from threshold, next place and exclusion, and which steps bring the most for the least."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Literal

from contracts.calendar import last_day_of, months_of
from contracts.events import Exclusion
from contracts.plan import Bloc, Indicator, Part, Plan
from services.scoring.domain.rules import UNIT_OF_POINTS, scored, share
from services.scoring.domain.whatif import indicator_points

TRIED_FOR_A_WHOLE = 10
"""A ratio that lacks something can never become whole by adding; so many more are reckoned instead."""
_ACCRUING = ("count", "capped", "reports")
"""Measures whose denominator is the plan's quota for the whole period, also for the months to come."""
Kind = Literal["new", "turn", "each", "list"]


@dataclass(frozen=True, slots=True)
class Figures:
    """One part as it stands."""

    part: Part
    numerator: int
    denominator: int
    share: Fraction


@dataclass(frozen=True, slots=True)
class Step:
    """Something that a unit could do, and what exactly it would bring, all else being equal."""

    indicator: Indicator
    part: Part
    kind: Kind
    """new: so many more facts; turn: so many of those counted; each: one more; list: send the list."""
    count: int
    numerator: int
    denominator: int
    """The counters after it."""
    gain: int
    """Ten-thousandths of a point."""
    full: bool
    """Whether the part then has all its points."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The nearest unit with another total."""

    unit: str
    rank: int
    gap: int


def thresholds(bloc: Bloc, points: int) -> list[tuple[Decimal, int]]:
    """(threshold, what is lacking), the lowest first; negative: above it by so much."""
    levels = sorted({award.at_least for award in bloc.awards})
    return [(at, int(Fraction(at) * UNIT_OF_POINTS) - points) for at in levels]


def neighbours(
    unit: str, standings: Sequence[tuple[str, int, int]]
) -> tuple[Neighbour | None, Neighbour | None]:
    """(who is next above, who is next below) of (unit, rank, points)."""
    points = next(p for u, _, p in standings if u == unit)
    above = [(p, r, u) for u, r, p in standings if p > points]
    below = [(p, r, u) for u, r, p in standings if p < points]
    up, down = min(above, default=None), max(below, default=None)
    return (
        None if up is None else Neighbour(up[2], up[1], up[0] - points),
        None if down is None else Neighbour(down[2], down[1], points - down[0]),
    )


def room(bloc: Bloc, near: Iterable[Exclusion], month: str) -> list[tuple[str, int, int]]:
    """(rule, how many now, at how many the unit is excluded) for each rule in this month."""
    counted = {(e.rule, e.month): e.count for e in near}
    limits = [
        (rule.code, rule.at_least if rule.kind == "overdue_dossiers" else rule.days)
        for rule in bloc.exclusions
    ]
    return [(code, counted.get((code, month), 0), limit) for code, limit in limits]


def steps(indicator: Indicator, full: int, figures: Sequence[Figures]) -> list[Step]:
    """What each part of an indicator could still gain, and by how much more."""
    now = indicator_points(indicator, full, [f.share for f in figures])
    found = []
    for number, one in enumerate(figures):
        plain = _step(one)
        if plain is None:
            continue
        kind, count, numerator, denominator = plain
        earned = share(one.part, numerator, denominator)
        shares = [earned if n == number else f.share for n, f in enumerate(figures)]
        gain = indicator_points(indicator, full, shares) - now
        if gain > 0:
            found.append(
                Step(
                    indicator,
                    one.part,
                    kind,
                    count,
                    numerator,
                    denominator,
                    gain,
                    earned == 1,
                )
            )
    return found


def cheapest(found: Iterable[Step]) -> list[Step]:
    """Those that bring the most for each single thing first."""
    return sorted(
        found, key=lambda s: (-Fraction(s.gain, s.count), s.indicator.code, s.part.code)
    )


def _step(one: Figures) -> tuple[Kind, int, int, int] | None:
    measure, top, bottom = one.part.measure, one.numerator, one.denominator
    found: tuple[Kind, int, int, int] | None = None
    if one.share >= 1 or one.part.over == "mean":
        return found
    if measure.kind == "deduction":
        found = ("list", 1, top, 1) if bottom == 0 else None
    elif measure.kind in ("capped", "reports"):
        weight = Fraction(measure.late_share).denominator if measure.kind == "reports" else 1
        found = ("each", 1, top + weight, bottom) if bottom else None
    elif measure.kind == "ratio":
        more = _more_of_a_ratio(_target(one), top, bottom)
        found = "new", more, top + more, bottom + more
    else:
        found = _plain_step(one)
    return found


def _plain_step(one: Figures) -> tuple[Kind, int, int, int] | None:
    measure, top, bottom = one.part.measure, one.numerator, one.denominator
    lacking = ceil(_target(one) * bottom) - top
    if lacking <= 0:
        return None
    kind: Kind = "turn" if measure.kind in ("figure", "accounts", "activity") else "new"
    return kind, lacking, top + lacking, bottom


def _more_of_a_ratio(target: Fraction, top: int, bottom: int) -> int:
    """Each new one stands above and below the line: (top + n) / (bottom + n) >= target."""
    if bottom == 0:
        return 1
    if target >= 1:
        return TRIED_FOR_A_WHOLE
    return max(1, ceil((target * bottom - top) / (1 - target)))


def _target(one: Figures) -> Fraction:
    score = one.part.score
    if score.kind != "bands":
        return Fraction(score.target)
    figure = Fraction(one.numerator, one.denominator) if one.denominator else Fraction()
    ahead = [Fraction(b.at_least) for b in score.bands if Fraction(b.at_least) > figure]
    return ahead[0] if ahead else figure


def elapsed(plan: Plan, period: str, today: date) -> Fraction:
    """The part of a period's days in the competition that have passed, today included; between 0 and 1."""
    months = months_of(period, plan.months)
    first = max(plan.starts_on, date.fromisoformat(f"{months[0]}-01"))
    last = min(plan.ends_on, last_day_of(months[-1]))
    days = (last - first).days + 1
    return Fraction(min(days, max(0, (today - first).days + 1)), days)


def projected(
    indicator: Indicator, full: int, figures: Sequence[Figures], passed: Fraction
) -> int:
    """Points at the end of the period if ratios stay as they are and what accrues goes on at its pace."""
    return indicator_points(indicator, full, [_projected(f, passed) for f in figures])


def _projected(one: Figures, passed: Fraction) -> Fraction:
    if not 0 < passed < 1:
        return one.share
    if one.part.over == "mean":
        return min(Fraction(1), one.share / passed)
    if one.part.over == "pool" and one.part.measure.kind in _ACCRUING and one.denominator:
        figure = min(Fraction(1), Fraction(one.numerator, one.denominator) / passed)
        return max(one.share, scored(one.part.score, figure))
    return one.share
