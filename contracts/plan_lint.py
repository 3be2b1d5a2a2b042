"""The linter of plans: what is wrong with one that its shape alone does not show."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import pairwise
from typing import get_args

from contracts.alert_lint import lint_alerts
from contracts.events import DossierStatus, ServiceLevel
from contracts.faults import Fault
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


def lint(plan: Plan) -> list[Fault]:
    """What is wrong with the plan, one sentence a fault; empty when it may be published."""
    return [
        *_lint_dates(plan),
        *_lint_codes(plan),
        *_lint_units(plan),
        *_lint_dossiers(plan),
        *_lint_clauses(plan),
        *lint_alerts(plan),
        *(
            Fault.of("{}: {}", bloc.code, fault)
            for bloc in plan.blocs
            for fault in _lint_bloc(plan, bloc)
        ),
    ]


def _repeated(codes: Iterable[str]) -> list[str]:
    return [code for code, times in Counter(codes).items() if times > 1]


def _lint_dates(plan: Plan) -> Iterator[Fault]:
    if plan.ends_on < plan.starts_on:
        yield Fault.of("ends_on {} is before starts_on {}", plan.ends_on, plan.starts_on)
    if plan.valid_to < plan.valid_from:
        yield Fault.of("valid_to {} is before valid_from {}", plan.valid_to, plan.valid_from)
    if plan.valid_from > plan.ends_on or plan.valid_to < plan.starts_on:
        yield Fault.of("the version is valid on no day of the competition")


def _lint_codes(plan: Plan) -> Iterator[Fault]:
    yield from (
        Fault.of("unit {} is listed twice", c) for c in _repeated(u.code for u in plan.units)
    )
    yield from (
        Fault.of("bloc {} is defined twice", c) for c in _repeated(b.code for b in plan.blocs)
    )
    yield from (
        Fault.of("procedure {} is listed twice", c)
        for c in _repeated(p.code for p in plan.catalogue)
    )
    yield from (
        Fault.of("deadline {} is given twice", c)
        for c in _repeated(d.code for d in plan.deadlines)
    )


def _lint_units(plan: Plan) -> Iterator[Fault]:
    blocs = {bloc.code for bloc in plan.blocs}
    known = {unit.code for unit in plan.units}
    for unit in plan.units:
        if unit.bloc not in blocs:
            yield Fault.of("unit {}: there is no bloc {!r}", unit.code, unit.bloc)
        if unit.parent is not None and (unit.parent not in known or unit.parent == unit.code):
            yield Fault.of("unit {}: there is no parent unit {!r}", unit.code, unit.parent)
    for bloc in sorted(set(plan.reporting.blocs) - blocs):
        yield Fault.of("reporting: there is no bloc {!r}", bloc)


def _lint_dossiers(plan: Plan) -> Iterator[Fault]:
    for status in sorted(set(plan.uncounted_statuses) - STATUSES):
        yield Fault.of("uncounted_statuses: no dossier is ever {!r}", status)
    known = {unit.code for unit in plan.units}
    for procedure in plan.catalogue:
        for unit in sorted(set(procedure.units or ()) - known):
            yield Fault.of("procedure {}: there is no unit {!r}", procedure.code, unit)
        days = [terms.until for terms in procedure.history]
        if any(later <= earlier for earlier, later in pairwise(days)):
            yield Fault.of("procedure {}: its history is not in order of time", procedure.code)


def _lint_clauses(plan: Plan) -> Iterator[Fault]:
    lines = [(Fault.of("reporting"), plan.reporting.clause)]
    lines += [
        (Fault.of("deadline {}", deadline.code), deadline.clause) for deadline in plan.deadlines
    ]
    yield from (
        Fault.of("{} cites no clause", place) for place, clause in lines if not clause.strip()
    )


def _lint_bloc(plan: Plan, bloc: Bloc) -> Iterator[Fault]:
    for code in _repeated(i.code for i in bloc.indicators):
        yield Fault.of("indicator {} is defined twice", code)
    total = sum((i.points for i in bloc.scored), Fraction())
    if total != bloc.scale:
        yield Fault.of("points sum to {:g}, the scale is {}", float(total), bloc.scale)
    for indicator in bloc.indicators:
        yield from (
            Fault.of("{}: {}", indicator.code, fault)
            for fault in _lint_indicator(plan, indicator)
        )
    yield from _lint_reporting(plan, bloc)
    yield from _lint_traits(plan, bloc)
    yield from _lint_awards(bloc)
    yield from _lint_exclusions(bloc)
    yield from _lint_decision_items(bloc)


def _lint_indicator(plan: Plan, indicator: Indicator) -> Iterator[Fault]:
    if not indicator.clause.strip():
        yield Fault.of("cites no clause")
    if indicator.tracked_only and indicator.points:
        yield Fault.of("is tracked only, but carries points")
    if not indicator.tracked_only and not indicator.points:
        yield Fault.of("carries no points; mark it tracked_only")
    for code in _repeated(part.code for part in indicator.parts):
        yield Fault.of("part {} is defined twice", code)
    for part in indicator.parts:
        yield from (
            Fault.of("part {}: {}", part.code, fault) for fault in _lint_part(plan, part)
        )


def _lint_part(plan: Plan, part: Part) -> Iterator[Fault]:
    yield from _lint_bands(part)
    yield from _lint_over(part)
    yield from _lint_where(part.measure)
    measure = part.measure
    if measure.kind == "distinct":
        yield from _lint_distinct(plan, measure)
    if measure.kind == "capped" and measure.of.partition(".")[0] not in _DATED:
        yield Fault.of("{} has no date of its own: it cannot be capped", measure.of)
    if measure.kind == "checklist":
        for code in _repeated(item.code for item in measure.items):
            yield Fault.of("checklist item {} is listed twice", code)


def _lint_over(part: Part) -> Iterator[Fault]:
    kind, over = part.measure.kind, part.over
    if kind == "deduction" and over != "to_date":
        yield Fault.of("a deduction needs over: to_date")
    if kind == "capped" and over != "pool":
        yield Fault.of("a capped count needs over: pool")


def _lint_distinct(plan: Plan, measure: Distinct) -> Iterator[Fault]:
    offered = set(measure.offered_levels)
    if not any(procedure.level in offered for procedure in plan.catalogue):
        yield Fault.of("no procedure of the catalogue is offered at these levels")
    levels = {str(level) for level in measure.where.get("service_level", ())}
    for level in sorted(levels - offered):
        yield Fault.of("counts dossiers of level {!r}, which offered_levels leaves out", level)


def _lint_where(measure: Measure) -> Iterator[Fault]:
    of: EventType | None = getattr(measure, "of", None)
    if of is None:
        return
    yield from _lint_conditions(of, "where", getattr(measure, "where", {}))
    if isinstance(measure, Ratio):
        if not measure.numerator:
            yield Fault.of("numerator takes every fact: the share would always be 1")
        yield from _lint_conditions(of, "numerator", measure.numerator)


def _lint_conditions(of: EventType, key: str, where: Where) -> Iterator[Fault]:
    fields = FIELDS.get(of, {})
    for name, accepted in where.items():
        if name not in fields:
            yield _no_field(of, key, name)
            continue
        if not accepted:
            yield Fault.of("{}.{}: no value is accepted: nothing would count", key, name)
        values = fields[name]
        wrong = [value for value in accepted if values is not None and value not in values]
        yield from (Fault.of("{}.{}: is never {!r}", key, name, value) for value in wrong)


def _no_field(of: EventType, key: str, name: str) -> Fault:
    if of not in FIELDS:
        return Fault.of("{}: {} has no field {!r}; it has none", key, of, name)
    return Fault.of("{}: {} has no field {!r}; it has {}", key, of, name, ", ".join(FIELDS[of]))


def _lint_bands(part: Part) -> Iterator[Fault]:
    if part.score.kind != "bands":
        return
    bands = part.score.bands
    if bands[0].at_least != 0:
        yield Fault.of("bands leave a gap from 0 to {}", bands[0].at_least)
    for lower, upper in pairwise(bands):
        if upper.at_least <= lower.at_least:
            yield Fault.of(
                "band {} does not come after band {}", upper.at_least, lower.at_least
            )
        if upper.share < lower.share:
            yield Fault.of("band {} gives less than band {}", upper.at_least, lower.at_least)
    if bands[-1].share != 1:
        yield Fault.of("the highest band gives {} of the points, not all", bands[-1].share)
    if bands[-1].at_least > 1 and part.measure.kind in _NEVER_ABOVE_ONE:
        yield Fault.of(
            "band {} is above the highest figure there can be, 1", bands[-1].at_least
        )


def _lint_reporting(plan: Plan, bloc: Bloc) -> Iterator[Fault]:
    """Reports count, and are late, only where reports are owed."""
    if bloc.code in plan.reporting.blocs:
        return
    measured = any(p.measure.kind == "reports" for i in bloc.indicators for p in i.parts)
    if measured or any(isinstance(rule, LateReport) for rule in bloc.exclusions):
        yield Fault.of("judges monthly reports, but is not among reporting.blocs")


def _lint_traits(plan: Plan, bloc: Bloc) -> Iterator[Fault]:
    units = plan.units_of(bloc.code)
    traits = {trait for unit in units for trait in unit.traits}
    for indicator in bloc.indicators:
        for trait in indicator.not_for:
            if trait not in traits:
                yield Fault.of(
                    "{}: not_for: no unit of the bloc has the trait {!r}", indicator.code, trait
                )
    yield from (
        Fault.of("unit {}: no scored indicator applies to it", unit.code)
        for unit in units
        if not _has_indicator(bloc, unit)
    )


def _has_indicator(bloc: Bloc, unit: Unit) -> bool:
    return any(not set(i.not_for) & set(unit.traits) for i in bloc.scored)


def _lint_awards(bloc: Bloc) -> Iterator[Fault]:
    for code in _repeated(award.code for award in bloc.awards):
        yield Fault.of("award {} is defined twice", code)
    starts = {award.at_least for award in bloc.awards}
    for award in bloc.awards:
        yield from (
            Fault.of("award {}: {}", award.code, fault) for fault in _lint_award(bloc, award)
        )
        below = award.below
        if below is not None and below > award.at_least and below not in starts:
            yield Fault.of(
                "award {}: no award begins at {}, where its band ends", award.code, below
            )
    for higher, lower in pairwise(bloc.awards):
        if lower.at_least > higher.at_least:
            yield Fault.of(
                "award {} needs more points than {} before it", lower.code, higher.code
            )


def _lint_award(bloc: Bloc, award: Award) -> Iterator[Fault]:
    if not award.clause.strip():
        yield Fault.of("cites no clause")
    if award.at_least > bloc.scale:
        yield Fault.of("needs {} of {} points: unreachable", award.at_least, bloc.scale)
    if award.below is not None and award.below <= award.at_least:
        yield Fault.of("below {} is not above at_least {}", award.below, award.at_least)
    prize = award.prize
    if not award.places and (prize.money or prize.bonus_points or prize.individuals):
        yield Fault.of("has a prize, but no place")


def _lint_exclusions(bloc: Bloc) -> Iterator[Fault]:
    for code in _repeated(rule.code for rule in bloc.exclusions):
        yield Fault.of("exclusion {} is defined twice", code)
    for rule in bloc.exclusions:
        if not rule.clause.strip():
            yield Fault.of("exclusion {}: cites no clause", rule.code)
        if isinstance(rule, OverdueDossiers):
            faults = _lint_conditions("dossier.recorded", "where", rule.where)
            yield from (Fault.of("exclusion {}: {}", rule.code, fault) for fault in faults)


def _lint_decision_items(bloc: Bloc) -> Iterator[Fault]:
    for code in _repeated(item.code for item in bloc.decision_items):
        yield Fault.of("decision item {} is given twice", code)
    for item in bloc.decision_items:
        for code in item.criteria:
            if bloc.indicator(code) is None:
                yield Fault.of("decision item {}: there is no indicator {!r}", item.code, code)
