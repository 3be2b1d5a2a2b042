"""Why a unit has these points: its stored facts, put through the plan's rules once more."""

from collections.abc import Iterable
from datetime import date
from fractions import Fraction

from contracts.calendar import last_month_of, months_of
from contracts.events import AnyClaim, DossierRecorded, IndicatorEvent
from contracts.plan import Bloc, Indicator, Plan, Unit
from contracts.wire import from_line
from services.runtime.clock import wall_milliseconds
from services.runtime.mongo import Document
from services.scoring.domain.counters import Pool
from services.scoring.domain.facts import Dossier, to_fact
from services.scoring.domain.rules import (
    DOSSIER,
    UNIT_OF_POINTS,
    BlocRules,
    PartRule,
    all_parts,
    applies,
    claim_month,
    dossier_fields,
    full_points,
    rescaling,
    rounded,
)
from services.scoring.domain.standings import counters, part_share
from services.scoring.domain.tally import Tally
from services.scoring.leaderboard.views import (
    Explanation,
    FactLine,
    IndicatorExplanation,
    PartExplanation,
    Row,
)
from services.scoring.store import FACTS_MARK, ScoringStore

FACTS_A_PAGE = 25
_HIDDEN = ("id", "source", "type", "unit", "version", "subject", "state", "plan", "person")
_FEEDS: dict[str, tuple[str, ...]] = {
    "figure": ("figure.reported",),
    "tally": ("tally.reported",),
    "activity": ("activity.reported",),
    "accounts": ("activity.reported",),
    "checklist": ("item.recorded",),
    "deduction": ("incident.recorded", "item.recorded"),
    "reports": ("report.received",),
}


class Explainer:
    """Reads a unit's facts and says what each of them counts."""

    def __init__(self, store: ScoringStore) -> None:
        self._store = store

    async def explain(
        self, plan: Plan, row: Row, period: str, indicator: str | None, page: str | None
    ) -> Explanation:
        """Everything behind one row; with an indicator, a page of the facts behind it too."""
        unit = row.unit
        bloc = plan.bloc(unit.bloc)
        if bloc is None:
            raise LookupError(f"unit {unit.code} has no bloc")
        tally = await self._tally(plan, unit, bloc)
        chosen = None if indicator is None else bloc.indicator(indicator)
        facts: list[FactLine] = []
        following = None
        if chosen is not None:
            facts, following = await self._facts(plan, unit, chosen, period, page)
        return Explanation(
            plan,
            bloc,
            unit,
            period,
            row,
            self._indicators(tally, plan, row, period),
            facts,
            following,
            await self._lag(),
        )

    async def _lag(self) -> float:
        mark = await self._store.read_mark(FACTS_MARK)
        behind = wall_milliseconds() - int(mark.get("until_ms", 0))
        return max(0.0, behind / 1_000) if mark else 0.0

    async def _tally(self, plan: Plan, unit: Unit, bloc: Bloc) -> Tally:
        """The counters that claims make; those of dossiers are mostly in the row already."""
        tally = Tally(plan, date.min)
        wanted: Document = {"unit": unit.code}
        if not any(_lacks_counters(rule) for rule in BlocRules(plan, bloc).parts):
            wanted["type"] = {"$ne": DOSSIER}
        found = self._store.facts.find(wanted, {"line": 1})
        for stored in await found.to_list(None):
            tally.replace(stored["_id"], None, to_fact(from_line(bytes(stored["line"])), 0))
        return tally

    @staticmethod
    def _indicators(
        tally: Tally, plan: Plan, row: Row, period: str
    ) -> list[IndicatorExplanation]:
        unit = row.unit
        bloc = tally.rules_of(unit.code)
        factor, full = rescaling(bloc.bloc, unit), full_points(bloc.bloc, unit)
        found = []
        for indicator, rules in all_parts(bloc):
            points, verified = row.indicators.get(indicator.code, (0, 0))
            parts = [_part(tally, row, rule, period, factor) for rule in rules]
            found.append(
                IndicatorExplanation(
                    indicator,
                    applies(indicator, unit),
                    points,
                    verified,
                    _decimal(full.get(indicator.code, 0)),
                    _state(tally, plan, row, indicator, parts, period),
                    parts,
                )
            )
        return found

    async def _facts(
        self, plan: Plan, unit: Unit, indicator: Indicator, period: str, page: str | None
    ) -> tuple[list[FactLine], str | None]:
        bloc = plan.bloc(unit.bloc)
        if bloc is None:
            return [], None
        rules = BlocRules(plan, bloc)
        parts = [rule for rule in rules.parts if rule.indicator.code == indicator.code]
        months = _months(plan, parts, period)
        types = sorted({kind for rule in parts for kind in feeds(rule)})
        lines: list[FactLine] = []
        after = page
        while len(lines) < FACTS_A_PAGE:
            stored = await self._store.facts_of(
                unit.code, months, types, after, 4 * FACTS_A_PAGE
            )
            for one in stored:
                after = one["_id"]
                line = _fact_line(plan, rules, parts, months, one)
                if line is not None:
                    lines.append(line)
                if len(lines) == FACTS_A_PAGE:
                    return lines, after
            if len(stored) < 4 * FACTS_A_PAGE:
                return lines, None
        return lines, after


def feeds(rule: PartRule) -> tuple[str, ...]:
    """The types of events that a part counts."""
    measure = rule.part.measure
    return _FEEDS.get(measure.kind) or (getattr(measure, "of", DOSSIER),)


def _decimal(points: int) -> str:
    return f"{points // UNIT_OF_POINTS}.{points % UNIT_OF_POINTS:04d}"


def _months(plan: Plan, parts: Iterable[PartRule], period: str) -> tuple[str, ...]:
    if all(rule.part.over in ("pool", "mean") for rule in parts):
        return months_of(period, plan.months)
    end = last_month_of(period, plan.months)
    return tuple(m for m in plan.months if end is not None and m <= end)


def _part(
    tally: Tally, row: Row, rule: PartRule, period: str, factor: Fraction
) -> PartExplanation:
    unit, top = row.unit.code, Fraction(rule.part.points) * factor
    if rule.fed_by_dossiers and not _lacks_counters(rule):
        points, verified = row.indicators.get(rule.indicator.code, (0, 0))
        counted = row.counters.get(rule.indicator.code, (0, 0))
        return PartExplanation(
            rule.part, points, verified, _decimal(rounded(top)), *counted, *counted
        )
    share, numerator, denominator = part_share(tally, rule, unit, period, verified=False)
    accepted, _, _ = part_share(tally, rule, unit, period, verified=True)
    verified_counters = counters(tally, rule, unit, period, verified=True)
    return PartExplanation(
        rule.part,
        rounded(share * top),
        rounded(accepted * top),
        _decimal(rounded(top)),
        numerator,
        denominator,
        *verified_counters,
        share,
    )


def _lacks_counters(rule: PartRule) -> bool:
    """Whether a row does not hold what dossiers add to this part: it holds the first part's counters only."""
    alone = len(rule.indicator.parts) == 1 and rule.part.over != "mean"
    return rule.fed_by_dossiers and not alone


def _state(
    tally: Tally,
    plan: Plan,
    row: Row,
    indicator: Indicator,
    parts: list[PartExplanation],
    period: str,
) -> str:
    if not applies(indicator, row.unit):
        return "not_applicable"
    rules = [
        r for r in tally.rules_of(row.unit.code).parts if r.indicator.code == indicator.code
    ]
    if all(rule.fed_by_dossiers for rule in rules):
        return (
            "verified"
            if any(part.numerator or part.denominator for part in parts)
            else "missing"
        )
    months = _months(plan, rules, period)
    claimed = accepted = False
    for month in months:
        pool = tally.pool(row.unit.code, (month,))
        for rule in rules:
            claimed |= _any(pool, rule, verified=False)
            accepted |= _any(pool, rule, verified=True)
    if not claimed:
        return "missing"
    pending = any(
        (part.numerator, part.denominator)
        != (part.verified_numerator, part.verified_denominator)
        for part in parts
    )
    return "declared" if pending or not accepted else "verified"


def _any(pool: Pool, rule: PartRule, *, verified: bool) -> bool:
    return bool(
        pool.numerator(rule, verified=verified) or pool.denominator(rule, verified=verified)
    )


def _fact_line(
    plan: Plan,
    rules: BlocRules,
    parts: list[PartRule],
    months: tuple[str, ...],
    stored: Document,
) -> FactLine | None:
    event = from_line(bytes(stored["line"]))
    month, counts = _counts(plan, rules, parts, event)
    if month not in months or not counts:
        return None
    fields = {
        name: str(value)
        for name in _names(event)
        if name not in _HIDDEN and (value := getattr(event, name)) is not None
    }
    state = "verified" if event.type == "dossier.recorded" else event.state
    return FactLine(stored["_id"], event.type, state, month, counts, fields, event.id)


def _names(event: IndicatorEvent) -> tuple[str, ...]:
    return tuple(event.__struct_fields__)  # type: ignore[union-attr]


def _counts(
    plan: Plan, rules: BlocRules, parts: list[PartRule], event: IndicatorEvent
) -> tuple[str, dict[str, int]]:
    if event.type == "dossier.recorded":
        return _dossier_counts(plan, rules, parts, event)
    return _claim_counts(plan, parts, event)


def _dossier_counts(
    plan: Plan, rules: BlocRules, parts: list[PartRule], event: DossierRecorded
) -> tuple[str, dict[str, int]]:
    fact = to_fact(event, 0)
    if not isinstance(fact, Dossier) or event.status in plan.uncounted_statuses:
        return "", {}
    fields = dossier_fields(fact.traits, rules.levels)
    found = {rule.part.code: rule.of_dossier(fields) for rule in parts}
    counts = {
        code: numerator or (keyed.amount if keyed else 0)
        for code, (numerator, denominator, keyed) in found.items()
        if numerator or denominator or keyed
    }
    return fact.month, counts


def _claim_counts(
    plan: Plan, parts: list[PartRule], event: AnyClaim
) -> tuple[str, dict[str, int]]:
    found = {rule.part.code: rule.of_claim(event, plan) for rule in parts}
    counts = {
        code: added[0] or (added[2].amount if added[2] else 0)
        for code, added in found.items()
        if added is not None
    }
    return claim_month(event, plan.months) or "", counts
