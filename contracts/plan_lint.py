"""The linter of plans: what is wrong with one that its shape alone does not show."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import pairwise
from typing import get_args

from contracts.alert_lint import lint_alerts
from contracts.events import DossierStatus, ServiceLevel
from contracts.plan import (
    Award,
    Bloc,
    Distinct,
    EventType,
    Indicator,
    LateReport,
    Measure,
    OverdueDossiers,
    Part,
    Plan,
    Ratio,
    Scalar,
    Unit,
    Where,
)

_YES_NO = frozenset({True, False})
_MAYBE = frozenset({True, False, None})
STATUSES = frozenset[str](get_args(DossierStatus))
FIELDS: Mapping[EventType, Mapping[str, frozenset[Scalar] | None]] = {
    "dossier.recorded": {
        "status": STATUSES,
        "channel": frozenset({"online", "counter", "post"}),
        "service_level": frozenset(get_args(ServiceLevel)),
        "fee_due": _MAYBE,
        "paid_online": _MAYBE,
        "digitised": _MAYBE,
        "satisfaction": frozenset({"very_satisfied", "satisfied", "dissatisfied", None}),
        "procedure": None,
    },
    "article.recorded": {"approved": _YES_NO, "published": _YES_NO},
    "feedback.recorded": {"answered_on_time": _YES_NO},
    "item.recorded": {"item": None, "done": _YES_NO},
}
"""Kind of fact -> field that a `where` may ask -> its values; None: any value."""

_DATED = ("article", "bulletin", "feedback", "incident", "item")
_NEVER_ABOVE_ONE = (
    "ratio",
    "distinct",
    "checklist",
    "reports",
    "capped",
    "accounts",
    "activity",
)


def lint(plan: Plan) -> list[str]:
    """What is wrong with the plan, one sentence a fault; empty when it may be published."""
    return [
        *_lint_dates(plan),
        *_lint_codes(plan),
        *_lint_units(plan),
        *_lint_dossiers(plan),
        *_lint_clauses(plan),
        *lint_alerts(plan),
        *(f"{bloc.code}: {fault}" for bloc in plan.blocs for fault in _lint_bloc(plan, bloc)),
    ]


def _repeated(codes: Iterable[str]) -> list[str]:
    return [code for code, times in Counter(codes).items() if times > 1]


def _lint_dates(plan: Plan) -> Iterator[str]:
    if plan.ends_on < plan.starts_on:
        yield f"ends_on {plan.ends_on} is before starts_on {plan.starts_on}"
    if plan.valid_to < plan.valid_from:
        yield f"valid_to {plan.valid_to} is before valid_from {plan.valid_from}"
    if plan.valid_from > plan.ends_on or plan.valid_to < plan.starts_on:
        yield "the version is valid on no day of the competition"


def _lint_codes(plan: Plan) -> Iterator[str]:
    yield from (f"unit {c} is listed twice" for c in _repeated(u.code for u in plan.units))
    yield from (f"bloc {c} is defined twice" for c in _repeated(b.code for b in plan.blocs))
    yield from (
        f"procedure {c} is listed twice" for c in _repeated(p.code for p in plan.catalogue)
    )
    yield from (
        f"deadline {c} is given twice" for c in _repeated(d.code for d in plan.deadlines)
    )


def _lint_units(plan: Plan) -> Iterator[str]:
    blocs = {bloc.code for bloc in plan.blocs}
    known = {unit.code for unit in plan.units}
    for unit in plan.units:
        if unit.bloc not in blocs:
            yield f"unit {unit.code}: there is no bloc {unit.bloc!r}"
        if unit.parent is not None and (unit.parent not in known or unit.parent == unit.code):
            yield f"unit {unit.code}: there is no parent unit {unit.parent!r}"
    for bloc in sorted(set(plan.reporting.blocs) - blocs):
        yield f"reporting: there is no bloc {bloc!r}"


def _lint_dossiers(plan: Plan) -> Iterator[str]:
    for status in sorted(set(plan.uncounted_statuses) - STATUSES):
        yield f"uncounted_statuses: no dossier is ever {status!r}"
    known = {unit.code for unit in plan.units}
    for procedure in plan.catalogue:
        for unit in sorted(set(procedure.units or ()) - known):
            yield f"procedure {procedure.code}: there is no unit {unit!r}"
        days = [terms.until for terms in procedure.history]
        if any(later <= earlier for earlier, later in pairwise(days)):
            yield f"procedure {procedure.code}: its history is not in order of time"


def _lint_clauses(plan: Plan) -> Iterator[str]:
    lines = [("reporting", plan.reporting.clause)]
    lines += [(f"deadline {deadline.code}", deadline.clause) for deadline in plan.deadlines]
    yield from (f"{place} cites no clause" for place, clause in lines if not clause.strip())


def _lint_bloc(plan: Plan, bloc: Bloc) -> Iterator[str]:
    for code in _repeated(i.code for i in bloc.indicators):
        yield f"indicator {code} is defined twice"
    total = sum((i.points for i in bloc.scored), Fraction())
    if total != bloc.scale:
        yield f"points sum to {float(total):g}, the scale is {bloc.scale}"
    for indicator in bloc.indicators:
        yield from (f"{indicator.code}: {fault}" for fault in _lint_indicator(plan, indicator))
    yield from _lint_reporting(plan, bloc)
    yield from _lint_traits(plan, bloc)
    yield from _lint_awards(bloc)
    yield from _lint_exclusions(bloc)
    yield from _lint_decision_items(bloc)


def _lint_indicator(plan: Plan, indicator: Indicator) -> Iterator[str]:
    if not indicator.clause.strip():
        yield "cites no clause"
    if indicator.tracked_only and indicator.points:
        yield "is tracked only, but carries points"
    if not indicator.tracked_only and not indicator.points:
        yield "carries no points; mark it tracked_only"
    for code in _repeated(part.code for part in indicator.parts):
        yield f"part {code} is defined twice"
    for part in indicator.parts:
        yield from (f"part {part.code}: {fault}" for fault in _lint_part(plan, part))


def _lint_part(plan: Plan, part: Part) -> Iterator[str]:
    yield from _lint_bands(part)
    yield from _lint_over(part)
    yield from _lint_where(part.measure)
    measure = part.measure
    if measure.kind == "distinct":
        yield from _lint_distinct(plan, measure)
    if measure.kind == "capped" and measure.of.partition(".")[0] not in _DATED:
        yield f"{measure.of} has no date of its own: it cannot be capped"
    if measure.kind == "checklist":
        for code in _repeated(item.code for item in measure.items):
            yield f"checklist item {code} is listed twice"


def _lint_over(part: Part) -> Iterator[str]:
    kind, over = part.measure.kind, part.over
    if kind == "deduction" and over != "to_date":
        yield "a deduction needs over: to_date"
    if kind == "capped" and over != "pool":
        yield "a capped count needs over: pool"


def _lint_distinct(plan: Plan, measure: Distinct) -> Iterator[str]:
    offered = set(measure.offered_levels)
    if not any(procedure.level in offered for procedure in plan.catalogue):
        yield "no procedure of the catalogue is offered at these levels"
    levels = {str(level) for level in measure.where.get("service_level", ())}
    for level in sorted(levels - offered):
        yield f"counts dossiers of level {level!r}, which offered_levels leaves out"


def _lint_where(measure: Measure) -> Iterator[str]:
    of: EventType | None = getattr(measure, "of", None)
    if of is None:
        return
    yield from _lint_conditions(of, "where", getattr(measure, "where", {}))
    if isinstance(measure, Ratio):
        if not measure.numerator:
            yield "numerator takes every fact: the share would always be 1"
        yield from _lint_conditions(of, "numerator", measure.numerator)


def _lint_conditions(of: EventType, key: str, where: Where) -> Iterator[str]:
    fields = FIELDS.get(of, {})
    for name, accepted in where.items():
        if name not in fields:
            yield f"{key}: {of} has no field {name!r}; it has {', '.join(fields) or 'none'}"
            continue
        if not accepted:
            yield f"{key}.{name}: no value is accepted: nothing would count"
        values = fields[name]
        wrong = [value for value in accepted if values is not None and value not in values]
        yield from (f"{key}.{name}: is never {value!r}" for value in wrong)


def _lint_bands(part: Part) -> Iterator[str]:
    if part.score.kind != "bands":
        return
    bands = part.score.bands
    if bands[0].at_least != 0:
        yield f"bands leave a gap from 0 to {bands[0].at_least}"
    for lower, upper in pairwise(bands):
        if upper.at_least <= lower.at_least:
            yield f"band {upper.at_least} does not come after band {lower.at_least}"
        if upper.share < lower.share:
            yield f"band {upper.at_least} gives less than band {lower.at_least}"
    if bands[-1].share != 1:
        yield f"the highest band gives {bands[-1].share} of the points, not all"
    if bands[-1].at_least > 1 and part.measure.kind in _NEVER_ABOVE_ONE:
        yield f"band {bands[-1].at_least} is above the highest figure there can be, 1"


def _lint_reporting(plan: Plan, bloc: Bloc) -> Iterator[str]:
    """Reports count, and are late, only where reports are owed."""
    if bloc.code in plan.reporting.blocs:
        return
    measured = any(p.measure.kind == "reports" for i in bloc.indicators for p in i.parts)
    if measured or any(isinstance(rule, LateReport) for rule in bloc.exclusions):
        yield "judges monthly reports, but is not among reporting.blocs"


def _lint_traits(plan: Plan, bloc: Bloc) -> Iterator[str]:
    units = plan.units_of(bloc.code)
    traits = {trait for unit in units for trait in unit.traits}
    for indicator in bloc.indicators:
        for trait in indicator.not_for:
            if trait not in traits:
                yield f"{indicator.code}: not_for: no unit of the bloc has the trait {trait!r}"
    yield from (
        f"unit {unit.code}: no scored indicator applies to it"
        for unit in units
        if not _has_indicator(bloc, unit)
    )


def _has_indicator(bloc: Bloc, unit: Unit) -> bool:
    return any(not set(i.not_for) & set(unit.traits) for i in bloc.scored)


def _lint_awards(bloc: Bloc) -> Iterator[str]:
    for code in _repeated(award.code for award in bloc.awards):
        yield f"award {code} is defined twice"
    starts = {award.at_least for award in bloc.awards}
    for award in bloc.awards:
        yield from (f"award {award.code}: {fault}" for fault in _lint_award(bloc, award))
        below = award.below
        if below is not None and below > award.at_least and below not in starts:
            yield f"award {award.code}: no award begins at {below}, where its band ends"
    for higher, lower in pairwise(bloc.awards):
        if lower.at_least > higher.at_least:
            yield f"award {lower.code} needs more points than {higher.code} before it"


def _lint_award(bloc: Bloc, award: Award) -> Iterator[str]:
    if not award.clause.strip():
        yield "cites no clause"
    if award.at_least > bloc.scale:
        yield f"needs {award.at_least} of {bloc.scale} points: unreachable"
    if award.below is not None and award.below <= award.at_least:
        yield f"below {award.below} is not above at_least {award.at_least}"
    prize = award.prize
    if not award.places and (prize.money or prize.bonus_points or prize.individuals):
        yield "has a prize, but no place"


def _lint_exclusions(bloc: Bloc) -> Iterator[str]:
    for code in _repeated(rule.code for rule in bloc.exclusions):
        yield f"exclusion {code} is defined twice"
    for rule in bloc.exclusions:
        if not rule.clause.strip():
            yield f"exclusion {rule.code}: cites no clause"
        if isinstance(rule, OverdueDossiers):
            faults = _lint_conditions("dossier.recorded", "where", rule.where)
            yield from (f"exclusion {rule.code}: {fault}" for fault in faults)


def _lint_decision_items(bloc: Bloc) -> Iterator[str]:
    for code in _repeated(item.code for item in bloc.decision_items):
        yield f"decision item {code} is given twice"
    for item in bloc.decision_items:
        for code in item.criteria:
            if bloc.indicator(code) is None:
                yield f"decision item {item.code}: there is no indicator {code!r}"
