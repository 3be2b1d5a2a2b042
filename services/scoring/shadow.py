# ruff: noqa: ANN401 - it reads any event and any measure
"""The shadow calculator: slow, plain, and separate. Standings straight from the journal's lines, to check the fold by.

It shares the plan model and the event contracts with the fold, and nothing else: no counters, no increments. For each
unit, period and part it goes through the unit's facts of that kind and those months, and counts.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any

from contracts.calendar import (
    all_periods,
    last_month_of,
    local_date,
    month_of,
    months_of,
    quarter_of,
    week_of,
    weeks_in,
)
from contracts.events import IndicatorEvent
from contracts.plan import (
    Bloc,
    Indicator,
    LateReport,
    OverdueDossiers,
    Part,
    Plan,
    Score,
    Unit,
    Where,
)
from contracts.wire import content_hash, fact_id, from_line

FACTS_NAMED = 20


@dataclass(slots=True)
class ShadowRow:
    """One unit in one period."""

    points: int = 0
    verified_points: int = 0
    indicators: dict[str, tuple[int, int]] = field(default_factory=dict)
    counters: dict[str, tuple[int, int]] = field(default_factory=dict)
    exclusions: list[tuple[str, str, tuple[str, ...], int]] = field(default_factory=list)
    """(rule, month, facts, count), by month, then in the plan's order: dossiers first, reports after them."""


@dataclass(frozen=True, slots=True)
class Known:
    """One fact: its key, its latest event, and the month of the competition that it belongs to."""

    key: str
    event: IndicatorEvent
    month: str | None


class Facts:
    """What is known of one unit, laid out by kind and month."""

    def __init__(self, known: Iterable[Known] = ()) -> None:
        self.known = list(known)
        self._laid_out: dict[tuple[str, str | None], list[IndicatorEvent]] = defaultdict(list)
        for one in self.known:
            self._laid_out[one.event.type, one.month].append(one.event)

    def events(self, types: Iterable[str], months: Iterable[str]) -> Iterator[IndicatorEvent]:
        """Those of some kinds that belong to some months."""
        for month in months:
            for kind in types:
                yield from self._laid_out.get((kind, month), ())

    def verified(self) -> "Facts":
        """Those that nobody has to decide any more."""
        return Facts(
            f for f in self.known if getattr(f.event, "state", "verified") == "verified"
        )


def latest(lines: Iterable[bytes], plans: Collection[str]) -> dict[str, IndicatorEvent]:
    """The winning event of every fact: highest version, then latest moment, then greatest content hash.

    What is no event, or names a plan that is not published, is a dead letter and counts for nothing.
    """
    best: dict[str, tuple[tuple[Any, ...], IndicatorEvent]] = {}
    for line in lines:
        try:
            event = from_line(line)
        except ValueError:
            continue
        if getattr(event, "plan", None) not in (None, *plans):
            continue
        precedence = event.version, event.occurred_at, content_hash(line)
        key = fact_id(event)
        if key not in best or precedence > best[key][0]:
            best[key] = precedence, event
    return {key: event for key, (_, event) in best.items()}


def shadow_standings(
    plan: Plan,
    lines: Iterable[bytes],
    today: date,
    plans: Collection[str] = (),
    periods: Collection[str] = (),
) -> dict[tuple[str, str], ShadowRow]:
    """(unit, period) -> row, for every unit of the plan and every period of its competition.

    `plans`: ids of the other plans that are published. `periods`: only these, where not all are wanted.
    """
    facts = _by_unit(plan, latest(lines, {plan.id, *plans}))
    rows = {}
    for unit in plan.units:
        bloc = plan.bloc(unit.bloc)
        if bloc is None:
            continue
        everything = Facts(facts[unit.code])
        accepted = everything.verified()
        excluded = [
            found
            for found in _exclusions(plan, bloc, everything.known, today)
            if not _is_lifted(everything.known, found[0], found[1])
        ]
        for period in periods or all_periods(plan.months):
            row = _row(plan, bloc, unit, (everything, accepted), period)
            within = months_of(period, plan.months)
            row.exclusions = [found for found in excluded if found[1] in within]
            rows[unit.code, period] = row
    return rows


def _by_unit(plan: Plan, events: dict[str, IndicatorEvent]) -> dict[str, list[Known]]:
    facts: dict[str, list[Known]] = defaultdict(list)
    for key, event in events.items():
        if event.type == "dossier.recorded":
            if event.status not in plan.uncounted_statuses:
                facts[event.unit].append(
                    Known(key, event, _within(plan, month_of(local_date(event.received_at))))
                )
        elif event.state != "rejected" and event.plan in (None, plan.id):
            facts[event.unit].append(Known(key, event, _claim_month(plan, event)))
    return facts


def _within(plan: Plan, month: str | None) -> str | None:
    return month if month in plan.months else None


def _claim_month(plan: Plan, event: Any) -> str | None:
    match event.type:
        case "report.received" | "activity.reported" | "exclusion.lifted":
            month = event.month
        case "figure.reported" | "tally.reported":
            month = last_month_of(event.period, plan.months)
        case "bulletin.broadcast":
            month = month_of(week_of(event.on))
        case _:
            month = month_of(_day(event))
    return _within(plan, month)


def _row(
    plan: Plan, bloc: Bloc, unit: Unit, facts: tuple[Facts, Facts], period: str
) -> ShadowRow:
    """`facts`: everything, and what of it is verified."""
    row = ShadowRow()
    own = [i for i in bloc.indicators if not set(i.not_for) & set(unit.traits)]
    reachable = sum(
        (Fraction(p.points) for i in own if not i.tracked_only for p in i.parts), Fraction()
    )
    factor = Fraction(bloc.scale) / reachable if reachable else Fraction()
    most = _most(own, factor, bloc.scale)
    for indicator in own:
        factor = most[indicator.code] / indicator.points if indicator.points else Fraction()
        claimed, verified = (
            _half_up(_points(plan, unit, indicator, some, period) * factor) for some in facts
        )
        row.indicators[indicator.code] = claimed, verified
        row.counters[indicator.code] = _figures(
            plan, unit, indicator, indicator.parts[0], facts[0], period
        )
        row.points += claimed
        row.verified_points += verified
    return row


def _most(own: list[Indicator], factor: Fraction, scale: int) -> dict[str, Fraction]:
    """Full points of each indicator, cut to ten-thousandths; what is missing to the scale goes where most was cut."""
    exact = {i.code: i.points * factor for i in own}
    most = {code: Fraction(int(points * 10_000), 10_000) for code, points in exact.items()}
    cut = sorted(own, key=lambda i: most[i.code] - exact[i.code])
    missing = (scale - sum(most.values())) * 10_000 if factor else Fraction()
    for indicator in cut[: int(missing)]:
        most[indicator.code] += Fraction(1, 10_000)
    return most


def _half_up(points: Fraction) -> int:
    doubled = 2 * points * 10_000
    return (doubled.numerator + doubled.denominator) // (2 * doubled.denominator)


def _points(
    plan: Plan, unit: Unit, indicator: Indicator, facts: Facts, period: str
) -> Fraction:
    return sum(
        (
            Fraction(part.points) * _share(plan, unit, indicator, part, facts, period)
            for part in indicator.parts
        ),
        Fraction(),
    )


def _share(
    plan: Plan, unit: Unit, indicator: Indicator, part: Part, facts: Facts, period: str
) -> Fraction:
    if part.over == "mean":
        months = months_of(period, plan.months)
        if not months:
            return Fraction()
        each = [
            _worth(part, *_count(plan, unit, indicator, part, facts, (month,)))
            for month in months
        ]
        return sum(each, Fraction()) / len(each)
    return _worth(part, *_figures(plan, unit, indicator, part, facts, period))


def _worth(part: Part, numerator: int, denominator: int) -> Fraction:
    if part.measure.kind == "deduction":
        if not part.points:
            return Fraction()
        left = Fraction(part.points) - numerator * part.measure.per_incident
        return max(Fraction(), left / Fraction(part.points)) if denominator else Fraction()
    if denominator == 0:
        return Fraction(part.empty == "full")
    return _scored(part.score, Fraction(numerator, denominator))


def _scored(score: Score, figure: Fraction) -> Fraction:
    if score.kind == "proportional":
        return min(Fraction(1), figure / Fraction(score.target))
    if score.kind == "all_or_nothing":
        return Fraction(figure >= Fraction(score.target))
    shares = [Fraction(b.share) for b in score.bands if Fraction(b.at_least) <= figure]
    return shares[-1] if shares else Fraction()


def _figures(
    plan: Plan, unit: Unit, indicator: Indicator, part: Part, facts: Facts, period: str
) -> tuple[int, int]:
    within = months_of(period, plan.months)
    so_far = tuple(m for m in plan.months if within and m <= within[-1])
    if part.over == "to_date":
        return _count(plan, unit, indicator, part, facts, so_far)
    if part.over == "latest":
        for month in reversed(so_far):
            known = _of_part(indicator, part, facts, (month,))
            numerator, denominator = _count(plan, unit, indicator, part, facts, (month,))
            if _says_something(part, known, numerator, denominator):
                return numerator, denominator
        return 0, _count(plan, unit, indicator, part, Facts(), within)[1]
    return _count(plan, unit, indicator, part, facts, within)


def _says_something(part: Part, known: list[Any], numerator: int, denominator: int) -> bool:
    if part.measure.kind == "tally":
        return bool(known)
    fixed = ("count", "distinct", "capped", "checklist", "reports")
    return bool(numerator) if part.measure.kind in fixed else bool(numerator or denominator)


def _count(
    plan: Plan,
    unit: Unit,
    indicator: Indicator,
    part: Part,
    facts: Facts,
    months: tuple[str, ...],
) -> tuple[int, int]:
    events = _of_part(indicator, part, facts, months)
    return _COUNTS[part.measure.kind](plan, unit, part.measure, events, months)


def _of_part(
    indicator: Indicator, part: Part, facts: Facts, months: tuple[str, ...]
) -> list[Any]:
    """What a part is measured by."""
    kind = part.measure.kind
    types = _TYPES.get(kind) or (getattr(part.measure, "of", ""),)
    events: Iterable[Any] = facts.events(types, months)
    return [
        event
        for event in events
        if getattr(event, "indicator", indicator.code) == indicator.code
        and (kind not in ("figure", "tally") or event.part == part.code)
    ]


_TYPES: dict[str, tuple[str, ...]] = {
    "figure": ("figure.reported",),
    "tally": ("tally.reported",),
    "activity": ("activity.reported",),
    "accounts": ("activity.reported",),
    "checklist": ("item.recorded",),
    "deduction": ("incident.recorded", "item.recorded"),
    "reports": ("report.received",),
}


def _asked(plan: Plan, name: str, event: Any) -> Any:
    """What a `where` asks of an event by that name; None where it has no such thing."""
    found: Any = None
    match event.type:
        case "dossier.recorded" if name == "service_level":
            levels = (p.level for p in plan.catalogue if p.code == event.procedure)
            found = event.service_level or next(levels, None)
        case "dossier.recorded" if name in _OF_A_DOSSIER:
            found = getattr(event, name)
        case "article.recorded":
            published = event.published_on is not None
            found = {"approved": event.approved, "published": published}.get(name)
        case "feedback.recorded" if name == "answered_on_time":
            answered = event.answered_on
            found = answered is not None and answered <= event.due_on
        case "item.recorded":
            found = {"item": event.item, "done": event.done}.get(name)
        case _:
            pass
    return found


_OF_A_DOSSIER = {
    *("status", "channel", "fee_due", "paid_online", "digitised", "satisfaction", "procedure")
}


def _fits(plan: Plan, where: Where, event: Any) -> bool:
    return all(_asked(plan, name, event) in accepted for name, accepted in where.items())


def _ratio(plan: Plan, _: Unit, measure: Any, events: list[Any], __: Any) -> tuple[int, int]:
    all_of_them = [e for e in events if _fits(plan, measure.where, e)]
    return sum(_fits(plan, measure.numerator, e) for e in all_of_them), len(all_of_them)


def _counted(
    plan: Plan, _: Unit, measure: Any, events: list[Any], months: Any
) -> tuple[int, int]:
    fitting = sum(_fits(plan, measure.where, e) for e in events)
    return fitting, measure.quota_per_month * len(months)


def _distinct(
    plan: Plan, unit: Unit, measure: Any, events: list[Any], _: Any
) -> tuple[int, int]:
    used = {e.procedure for e in events if _fits(plan, measure.where, e)}
    offered = [
        p
        for p in plan.catalogue
        if p.level in measure.offered_levels and (p.units is None or unit.code in p.units)
    ]
    return len(used), len(offered)


def _figure(_: Plan, __: Unit, ___: Any, events: list[Any], ____: Any) -> tuple[int, int]:
    return sum(e.numerator for e in events), sum(e.denominator for e in events)


def _tally(_: Plan, __: Unit, measure: Any, events: list[Any], ___: Any) -> tuple[int, int]:
    return sum(e.value for e in events), measure.wanted


def _capped(
    plan: Plan, _: Unit, measure: Any, events: list[Any], months: Any
) -> tuple[int, int]:
    buckets: dict[Any, int] = defaultdict(int)
    for event in events:
        if getattr(event, "done", True) and _fits(plan, measure.where, event):
            buckets[_bucket(measure.per, _day(event))] += 1
    if measure.per == "week":
        number = weeks_in(tuple(months), plan.starts_on, plan.ends_on)
    else:
        number = len({_bucket(measure.per, date(int(m[:4]), int(m[5:]), 1)) for m in months})
    return sum(min(n, measure.cap) for n in buckets.values()), measure.cap * number


def _day(event: Any) -> date:
    if event.type == "article.recorded":
        return event.published_on or event.sent_on  # type: ignore[no-any-return]
    return event.received_on if event.type == "feedback.recorded" else event.on  # type: ignore[no-any-return]


def _bucket(per: str, day: date) -> Any:
    if per == "week":
        return week_of(day)
    return quarter_of(month_of(day)) if per == "quarter" else month_of(day)


def _activity(_: Plan, __: Unit, measure: Any, events: list[Any], ___: Any) -> tuple[int, int]:
    return sum(min(e.dossiers, measure.cap) for e in events), measure.cap * len(events)


def _accounts(_: Plan, __: Unit, ___: Any, events: list[Any], ____: Any) -> tuple[int, int]:
    return sum(e.account for e in events), len(events)


def _checklist(_: Plan, __: Unit, measure: Any, events: list[Any], ___: Any) -> tuple[int, int]:
    done = {e.item for e in events if e.done}
    return sum(i.weight for i in measure.items if i.code in done), sum(
        i.weight for i in measure.items
    )


def _deduction(_: Plan, __: Unit, measure: Any, events: list[Any], ___: Any) -> tuple[int, int]:
    incidents = sum(e.type == "incident.recorded" for e in events)
    listed = any(
        e.type == "item.recorded" and e.done and e.item == measure.list_item for e in events
    )
    return incidents, int(listed)


def _reports(
    plan: Plan, _: Unit, measure: Any, events: list[Any], months: Any
) -> tuple[int, int]:
    late = Fraction(measure.late_share)
    earned = 0
    for month in months:
        received = [local_date(e.received_at) for e in events if e.month == month]
        if received:
            in_time = min(received) <= plan.report_due_on(month)
            earned += late.denominator if in_time else late.numerator
    return earned, late.denominator * len(months)


_COUNTS: dict[str, Callable[..., tuple[int, int]]] = {
    "ratio": _ratio,
    "count": _counted,
    "distinct": _distinct,
    "figure": _figure,
    "tally": _tally,
    "capped": _capped,
    "activity": _activity,
    "accounts": _accounts,
    "checklist": _checklist,
    "deduction": _deduction,
    "reports": _reports,
}


def _exclusions(
    plan: Plan, bloc: Bloc, facts: list[Known], today: date
) -> Iterator[tuple[str, str, tuple[str, ...], int]]:
    for month in plan.months:
        for rule in bloc.exclusions:
            if isinstance(rule, OverdueDossiers):
                late = sorted(
                    f.key for f in facts if _overdue(plan, rule, f.event, month, today)
                )
                if len(late) >= rule.at_least:
                    yield rule.code, month, tuple(late[:FACTS_NAMED]), len(late)
        for rule in bloc.exclusions:
            if isinstance(rule, LateReport) and bloc.code in plan.reporting.blocs:
                yield from _late_report(plan, rule, facts, month, today)


def _is_lifted(facts: list[Known], rule: str, month: str) -> bool:
    """Whether the office decided that this exclusion does not hold."""
    return any(
        f.event.type == "exclusion.lifted"
        and f.event.state == "verified"
        and (f.event.rule, f.month) == (rule, month)
        for f in facts
    )


def _overdue(plan: Plan, rule: OverdueDossiers, event: Any, month: str, today: date) -> bool:
    if event.type != "dossier.recorded" or event.due_at is None:
        return False
    due = local_date(event.due_at)
    end = local_date(event.finished_at) if event.finished_at else today
    return month_of(due) == month and end > due and _fits(plan, rule.where, event)


def _late_report(
    plan: Plan, rule: LateReport, facts: list[Known], month: str, today: date
) -> Iterator[tuple[str, str, tuple[str, ...], int]]:
    received = sorted(
        (local_date(f.event.received_at), f.key)
        for f in facts
        if f.event.type == "report.received" and f.event.month == month
    )
    day, keys = (received[0][0], (received[0][1],)) if received else (today, ())
    days = (day - plan.report_due_on(month)).days
    if days >= rule.days:
        yield rule.code, month, keys, days
