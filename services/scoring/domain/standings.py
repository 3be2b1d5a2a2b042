"""From counters to points, totals, and ranks. Points are whole ten-thousandths; nothing is rounded twice."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice

from contracts.calendar import months_of, periods_of, so_far
from contracts.events import Exclusion
from contracts.plan import Indicator, Part, Unit
from services.scoring.domain.counters import Counters, Pool
from services.scoring.domain.eligibility import Judgement, judge, within
from services.scoring.domain.rules import (
    KEYED,
    LANE_BITS,
    LANE_MASK,
    UNIT_OF_POINTS,
    PartRule,
    all_parts,
    applies,
    fixed_denominator,
    full_points,
    rounded,
    share,
)

NOTHING_JUDGED = Judgement([], [], [])
EARNINGS_KEPT = 20_000


@dataclass(slots=True)
class UnitRow:
    """One unit in one period."""

    unit: str
    bloc: str
    period: str
    points: int = 0
    verified_points: int = 0
    indicators: dict[str, tuple[int, int]] = field(default_factory=dict)
    counters: dict[str, tuple[int, int]] = field(default_factory=dict)
    exclusions: list[Exclusion] = field(default_factory=list)
    lifted: list[Exclusion] = field(default_factory=list)
    near: list[Exclusion] = field(default_factory=list)
    """What counts towards an exclusion without reaching it."""

    @property
    def eligible(self) -> bool:
        """Whether the unit is considered for an award."""
        return not self.exclusions


class Pools:
    """The counters of one unit over any months, pooled when they are first asked for."""

    def __init__(self, tally: Counters, unit: str) -> None:
        self.tally = tally
        self.unit = unit
        self._pools: dict[tuple[str, ...], Pool] = {}

    def over(self, months: tuple[str, ...]) -> Pool:
        """Over these months together."""
        pool = self._pools.get(months)
        if pool is None:
            pool = self._pools[months] = self.tally.pool(self.unit, months)
        return pool

    def said(self, period: str) -> Iterator[str]:
        """The months up to the end of the period of which anything is known, latest first."""
        cells = self.tally.cells
        for month in reversed(so_far(period, self.tally.months)):
            if (self.unit, month) in cells:
                yield month


Figure = tuple[tuple[int, int], ...]
"""(numerator, denominator) over the period as the part's `over` says; of a mean also those of each month, after it."""


def figure(pools: Pools, rule: PartRule, period: str, *, verified: bool) -> Figure:
    """What one part comes to."""
    competition = pools.tally.months
    within = months_of(period, competition)
    match rule.part.over:
        case "latest":
            return (_latest(pools, rule, period, verified=verified),)
        case "to_date":
            return (_pooled(pools, rule, so_far(period, competition), verified=verified),)
        case "mean":
            months = [_pooled(pools, rule, (m,), verified=verified) for m in within]
            return (_pooled(pools, rule, within, verified=verified), *months)
        case _:
            return (_pooled(pools, rule, within, verified=verified),)


def _pooled(
    pools: Pools, rule: PartRule, months: tuple[str, ...], *, verified: bool
) -> tuple[int, int]:
    pool = pools.over(months)
    numerator = pool.numerator(rule, verified=verified)
    fixed = fixed_denominator(rule, pools.tally.plan, pools.unit, months)
    return numerator, pool.denominator(rule, verified=verified) if fixed is None else fixed


def _latest(pools: Pools, rule: PartRule, period: str, *, verified: bool) -> tuple[int, int]:
    for month in pools.said(period):
        pool = pools.over((month,))
        if pool.numerator(rule, verified=verified) or pool.denominator(rule, verified=verified):
            return _pooled(pools, rule, (month,), verified=verified)
    tally = pools.tally
    fixed = fixed_denominator(rule, tally.plan, pools.unit, months_of(period, tally.months))
    return 0, fixed or 0


def earned(part: Part, of: Figure) -> Fraction:
    """The share of the part's points, between 0 and 1."""
    if part.over != "mean":
        return share(part, *of[0])
    shares = [share(part, *month) for month in of[1:]]
    return sum(shares, Fraction()) / len(shares) if shares else Fraction()


def counters(
    tally: Counters, rule: PartRule, unit: str, period: str, *, verified: bool
) -> tuple[int, int]:
    """(numerator, denominator) of one part, over the period as the part's `over` says."""
    return figure(Pools(tally, unit), rule, period, verified=verified)[0]


def part_share(
    tally: Counters, rule: PartRule, unit: str, period: str, *, verified: bool
) -> tuple[Fraction, int, int]:
    """(share of the points, numerator, denominator) of one part."""
    found = figure(Pools(tally, unit), rule, period, verified=verified)
    return earned(rule.part, found), *found[0]


@dataclass(frozen=True, slots=True)
class Proportion:
    """A one-part indicator in the commonest form, ready for whole-number arithmetic.

    points = factor * min(1, (numerator / denominator) / target), rounded half up once.
    """

    rule: PartRule
    full: int
    top: int
    bottom: int
    fixed: dict[str, int | None]
    """Period -> the plan's own denominator."""
    empty: int
    keyed: bool
    shift: int

    def points(self, numerator: int, denominator: int) -> int:
        """Ten-thousandths of a point."""
        if denominator == 0:
            return self.empty
        exact, scale = self.top * numerator, self.bottom * denominator
        return min(self.full, (2 * exact + scale) // (2 * scale))


Earnings = dict[tuple[tuple[str, ...], str, tuple[Figure, ...]], int]
"""(bloc and traits, indicator, figures) -> what they earn; of one plan version, never more than `EARNINGS_KEPT`."""


class UnitRules:
    """How one unit's counters become points: its indicators, its rescaling."""

    def __init__(self, tally: Counters, unit: Unit, earnings: Earnings) -> None:
        rules = tally.rules_of(unit.code)
        self._earnings = earnings
        self._kind = unit.bloc, *sorted(unit.traits)
        full = full_points(rules.bloc, unit)
        self.indicators = [
            (
                bit,
                indicator,
                parts,
                self._proportion(tally, unit.code, parts, full[indicator.code]),
            )
            for bit, (indicator, parts) in enumerate(all_parts(rules))
            if applies(indicator, unit)
        ]
        self.weights = {
            indicator.code: [
                Fraction(rule.part.points)
                * Fraction(full[indicator.code], UNIT_OF_POINTS)
                / indicator.points
                if indicator.points
                else Fraction()
                for rule in parts
            ]
            for _, indicator, parts, _ in self.indicators
        }
        """Indicator -> what each part is worth in full, in points."""

    def points(self, indicator: Indicator, figures: tuple[Figure, ...]) -> int:
        """Ten-thousandths of a point that an indicator earns; units alike often have the same figures."""
        key = self._kind, indicator.code, figures
        points = self._earnings.get(key)
        if points is None:
            weights = self.weights[indicator.code]
            total = sum(
                (
                    earned(part, of) * weight
                    for part, of, weight in zip(indicator.parts, figures, weights, strict=True)
                ),
                Fraction(),
            )
            if len(self._earnings) >= EARNINGS_KEPT:
                self._earnings.clear()
            points = self._earnings[key] = rounded(total)
        return points

    @staticmethod
    def _proportion(
        tally: Counters, unit: str, parts: list[PartRule], full: int
    ) -> Proportion | None:
        part = parts[0].part
        plain = len(parts) == 1 and part.score.kind == "proportional" and part.over == "pool"
        if not plain or part.score.kind != "proportional" or part.measure.kind == "deduction":
            return None
        slope = full / Fraction(part.score.target)
        fixed = {
            period: fixed_denominator(
                parts[0], tally.plan, unit, months_of(period, tally.months)
            )
            for period in tally.periods
        }
        empty = full if part.empty == "full" else 0
        return Proportion(
            parts[0],
            full,
            slope.numerator,
            slope.denominator,
            fixed,
            empty,
            part.measure.kind in KEYED,
            LANE_BITS * parts[0].numerator_lane,
        )


class Standings:
    """All rows of one plan version, brought up to date only where facts touched them."""

    def __init__(self, tally: Counters) -> None:
        self.tally = tally
        self._units = {unit.code: unit for unit in tally.plan.units}
        self._rules: dict[str, UnitRules] = {}
        self._alike: dict[tuple[str, ...], UnitRules] = {}
        """(bloc, traits) -> the rules that all such units share."""
        self._own_offers = any(p.units is not None for p in tally.plan.catalogue)
        self._earnings: Earnings = {}
        self.rows: dict[tuple[str, str], UnitRow] = {}
        self._judged: dict[str, Judgement] = {}
        self._exclusions: dict[str, list[Exclusion]] = {}
        self._near: dict[str, list[Exclusion]] = {}
        self._lifted: dict[str, list[Exclusion]] = {}

    def refresh(self, most: int = 0) -> list[UnitRow]:
        """Compute what is dirty (at most so many rows; 0: all) and return the rows concerned."""
        tally = self.tally
        tally.settle_touched()
        for code in tally.dirty_units:
            self._refresh_exclusions(code)
        tally.dirty_units.clear()
        dirty = tally.dirty
        slots = list(islice(dirty, most or None))
        moved = []
        for slot in slots:
            unit, period = slot
            moved.append(self._refresh(unit, period, dirty.pop(slot)))
        return moved

    def _refresh_exclusions(self, unit: str) -> None:
        judgement = judge(self.tally, unit)
        former = self._judged.get(unit, NOTHING_JUDGED)
        if judgement == former:
            return
        self._judged[unit] = judgement
        for kept, old, new in zip(
            (self._exclusions, self._near, self._lifted), former, judgement, strict=True
        ):
            before = kept.get(unit, [])
            same = dict(zip(old, before, strict=True))
            found = [same.get(grounds) or grounds.exclusion() for grounds in new]
            if found != before:
                kept[unit] = found
                self._touch_months_of(unit, before, found)

    def _touch_months_of(
        self, unit: str, before: list[Exclusion], found: list[Exclusion]
    ) -> None:
        changed = [e for e in found if e not in before] + [e for e in before if e not in found]
        for month in {exclusion.month for exclusion in changed}:
            for period in periods_of(month):
                self.tally.dirty.setdefault((unit, period), 0)

    def rules_for(self, code: str) -> UnitRules:
        """The unit's indicators and rescaling, compiled once for all units alike."""
        rules = self._rules.get(code)
        if rules is None:
            unit = self._units[code]
            own = (code,) if self._own_offers else ()
            kind = unit.bloc, *sorted(unit.traits), *own
            if kind not in self._alike:
                self._alike[kind] = UnitRules(self.tally, unit, self._earnings)
            rules = self._rules[code] = self._alike[kind]
        return rules

    def _refresh(self, unit: str, period: str, touched: int) -> UnitRow:
        row = self.rows.get((unit, period))
        if row is None:
            row = self.rows[unit, period] = UnitRow(unit, self._units[unit].bloc, period)
            touched = -1
        pools = Pools(self.tally, unit)
        pool = pools.over(months_of(period, self.tally.months))
        rules = self.rules_for(unit)
        for bit, indicator, parts, proportion in rules.indicators:
            if touched >> bit & 1:
                if proportion is None:
                    found = _general(pools, rules, indicator, parts, period)
                else:
                    found = _quick(pool, proportion, period)
                self._set(row, indicator, *found)
        row.exclusions = within(self._exclusions.get(unit, []), period, self.tally.months)
        row.near = within(self._near.get(unit, []), period, self.tally.months)
        row.lifted = within(self._lifted.get(unit, []), period, self.tally.months)
        return row

    @staticmethod
    def _set(
        row: UnitRow, indicator: Indicator, points: tuple[int, int], counted: tuple[int, int]
    ) -> None:
        before = row.indicators.get(indicator.code, (0, 0))
        row.points += points[0] - before[0]
        row.verified_points += points[1] - before[1]
        row.indicators[indicator.code] = points
        row.counters[indicator.code] = counted


def _general(
    pools: Pools, rules: UnitRules, indicator: Indicator, parts: list[PartRule], period: str
) -> tuple[tuple[int, int], tuple[int, int]]:
    claimed = tuple(figure(pools, rule, period, verified=False) for rule in parts)
    accepted = claimed
    if not all(rule.fed_by_dossiers for rule in parts):
        accepted = tuple(figure(pools, rule, period, verified=True) for rule in parts)
    points = rules.points(indicator, claimed), rules.points(indicator, accepted)
    return points, claimed[0][0]


def _quick(
    pool: Pool, proportion: Proportion, period: str
) -> tuple[tuple[int, int], tuple[int, int]]:
    fixed = proportion.fixed[period]
    top, bottom = _counted(pool, pool.verified, proportion, fixed, verified=True)
    accepted = proportion.points(top, bottom)
    if proportion.rule.fed_by_dossiers:
        return (accepted, accepted), (top, bottom)
    top, bottom = _counted(pool, pool.claimed, proportion, fixed, verified=False)
    return (proportion.points(top, bottom), accepted), (top, bottom)


def _counted(
    pool: Pool, lanes: int, proportion: Proportion, fixed: int | None, *, verified: bool
) -> tuple[int, int]:
    lanes >>= proportion.shift
    bottom = (lanes >> LANE_BITS) & LANE_MASK if fixed is None else fixed
    if proportion.keyed:
        return pool.numerator(proportion.rule, verified=verified), bottom
    return lanes & LANE_MASK, bottom


def ranked(rows: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Unit -> rank by points, high to low; equal totals share a rank and leave a gap."""
    ordered = sorted(rows, key=lambda row: -row[1])
    ranks: dict[str, int] = {}
    rank, last = 0, None
    for place, (unit, points) in enumerate(ordered, start=1):
        if points != last:
            rank, last = place, points
        ranks[unit] = rank
    return ranks
