"""A plan's rules, compiled once: what a fact adds to which counters, and what counters are worth.

Counters of a unit and period stand in *lanes* of one whole number, so that adding a fact's contribution is one
addition: part `i` of the bloc has its numerator in lane `2 i` and its denominator in lane `2 i + 1`.
Counts that do not add up (a distinct count, a cap a week, the better of two reports) go by *key*.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction
from typing import Any, NamedTuple

from contracts.calendar import last_month_of, month_of, quarter_of, week_of, weeks_in
from contracts.events import AnyClaim
from contracts.plan import (
    Bloc,
    Indicator,
    OverdueDossiers,
    Part,
    Plan,
    Score,
    Unit,
    Where,
)
from services.scoring.domain.facts import Traits, received_on

LANE_BITS = 48
LANE_MASK = (1 << LANE_BITS) - 1
UNIT_OF_POINTS = 10_000
DOSSIER = "dossier.recorded"
KEYED = frozenset({"distinct", "capped", "checklist", "reports"})
"""Measures whose numerator goes by key; their denominator is the plan's own."""


class Keyed(NamedTuple):
    """A contribution to a count that goes by key."""

    lane: int
    key: Any
    amount: int
    cap: int | None
    """At most so much of a key counts; None: the greatest amount of a key counts."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one fact adds: plain sums in lanes, keyed counts, and the indicators that it touches (a bit each)."""

    lanes: int
    keyed: tuple[Keyed, ...]
    touched: int
    spreads: bool
    """It also matters to later periods (`to_date`, `latest`), not only to those that hold its month."""
    overdue_rules: tuple[int, ...] = ()
    """Exclusion rules of the bloc for which a dossier like this can be overdue."""


NOTHING = Contribution(0, (), 0, spreads=False)


def _matches(where: Where, fields: dict[str, Any]) -> bool:
    return all(fields.get(name) in accepted for name, accepted in where.items())


def claim_fields(event: AnyClaim) -> dict[str, Any]:
    """What a plan's `where` may ask of a claim."""
    if event.type == "article.recorded":
        return {"approved": event.approved, "published": event.published_on is not None}
    if event.type == "feedback.recorded":
        answered = event.answered_on
        return {"answered_on_time": answered is not None and answered <= event.due_on}
    if event.type == "item.recorded":
        return {"item": event.item, "done": event.done}
    return {}


def claim_date(event: AnyClaim) -> date | None:
    """The date to which a claim belongs; None when it names a month or a period instead."""
    if event.type == "article.recorded":
        return event.published_on or event.sent_on
    if event.type == "feedback.recorded":
        return event.received_on
    if event.type in ("item.recorded", "incident.recorded", "bulletin.broadcast"):
        return event.on
    return None


def claim_month(event: AnyClaim, months: tuple[str, ...]) -> str | None:
    """The month of the competition to which a claim belongs; None when it belongs to none.

    A bulletin belongs to the month of its week's Monday, a figure to the last month of its period.
    """
    if event.type in ("report.received", "activity.reported", "exclusion.lifted"):
        month: str | None = event.month
    elif event.type in ("figure.reported", "tally.reported"):
        month = last_month_of(event.period, months)
    elif event.type == "bulletin.broadcast":
        month = month_of(week_of(event.on))
    else:
        day = claim_date(event)
        month = None if day is None else month_of(day)
    return month if month in months else None


@dataclass(frozen=True, slots=True)
class PartRule:
    """One part of an indicator, compiled."""

    index: int
    indicator: Indicator
    bit: int
    part: Part
    fed_by_dossiers: bool
    """Dossiers need no verification: declared and verified are the same."""

    @property
    def numerator_lane(self) -> int:
        """Where its numerator stands."""
        return 2 * self.index

    @property
    def denominator_lane(self) -> int:
        """Where its denominator stands, if facts make it."""
        return 2 * self.index + 1

    @property
    def cap(self) -> int | None:
        """At most so much of a key counts; None: the greatest amount of a key counts."""
        measure = self.part.measure
        if measure.kind == "distinct":
            return 1
        return measure.cap if measure.kind == "capped" else None

    def of_dossier(self, fields: dict[str, Any]) -> tuple[int, int, Keyed | None]:
        """(numerator, denominator, keyed) that a counted dossier adds."""
        measure = self.part.measure
        if measure.kind == "distinct":
            if not _matches(measure.where, fields):
                return 0, 0, None
            return 0, 0, Keyed(self.numerator_lane, fields["procedure"], 1, self.cap)
        if measure.kind == "ratio" and _matches(measure.where, fields):
            return int(_matches(measure.numerator, fields)), 1, None
        if measure.kind == "count" and _matches(measure.where, fields):
            return 1, 0, None
        return 0, 0, None

    def of_claim(self, event: AnyClaim, plan: Plan) -> tuple[int, int, Keyed | None] | None:
        """(numerator, denominator, keyed) that a claim adds; None when this part does not count it."""
        counted = _COUNTERS.get(self.part.measure.kind)
        return None if counted is None else counted(self, event, plan)


def _is_for(rule: PartRule, event: Any) -> bool:  # noqa: ANN401 - any claim that names an indicator
    return bool(event.indicator == rule.indicator.code)


def _of_figure(
    rule: PartRule, event: AnyClaim, _: Plan
) -> tuple[int, int, Keyed | None] | None:
    if event.type != "figure.reported" or not _is_for(rule, event):
        return None
    if event.part != rule.part.code:
        return None
    return event.numerator, event.denominator, None


def _of_tally(rule: PartRule, event: AnyClaim, _: Plan) -> tuple[int, int, Keyed | None] | None:
    if event.type != "tally.reported" or not _is_for(rule, event):
        return None
    if event.part != rule.part.code:
        return None
    return event.value, 1, None


def _of_ratio(rule: PartRule, event: AnyClaim, _: Plan) -> tuple[int, int, Keyed | None] | None:
    measure = rule.part.measure
    if measure.kind not in ("ratio", "count") or event.type != measure.of:
        return None
    fields = claim_fields(event)
    if not _names(rule, event) or not _matches(measure.where, fields):
        return None
    if measure.kind == "count":
        return 1, 0, None
    return int(_matches(measure.numerator, fields)), 1, None


def _names(rule: PartRule, event: AnyClaim) -> bool:
    """An event that names an indicator counts only there."""
    return getattr(event, "indicator", rule.indicator.code) == rule.indicator.code


def _of_capped(
    rule: PartRule, event: AnyClaim, _: Plan
) -> tuple[int, int, Keyed | None] | None:
    measure = rule.part.measure
    if measure.kind != "capped" or event.type != measure.of or not _names(rule, event):
        return None
    fields = claim_fields(event)
    if fields.get("done") is False or not _matches(measure.where, fields):
        return None
    day = claim_date(event)
    if day is None:
        return None
    return 0, 0, Keyed(rule.numerator_lane, _bucket(measure.per, day), 1, rule.cap)


def _bucket(per: str, day: date) -> object:
    if per == "week":
        return week_of(day)
    month = month_of(day)
    return quarter_of(month) if per == "quarter" else month


def _of_activity(
    rule: PartRule, event: AnyClaim, _: Plan
) -> tuple[int, int, Keyed | None] | None:
    if event.type != "activity.reported":
        return None
    measure = rule.part.measure
    if measure.kind == "accounts":
        return int(event.account), 1, None
    if measure.kind == "activity":
        return min(event.dossiers, measure.cap), measure.cap, None
    return None


def _of_checklist(
    rule: PartRule, event: AnyClaim, _: Plan
) -> tuple[int, int, Keyed | None] | None:
    measure = rule.part.measure
    if measure.kind != "checklist" or event.type != "item.recorded" or not _is_for(rule, event):
        return None
    item = next((i for i in measure.items if i.code == event.item), None)
    if item is None or not event.done:
        return None
    return 0, 0, Keyed(rule.numerator_lane, item.code, item.weight, None)


def _of_deduction(
    rule: PartRule, event: AnyClaim, _: Plan
) -> tuple[int, int, Keyed | None] | None:
    measure = rule.part.measure
    if measure.kind != "deduction":
        return None
    if event.type == "incident.recorded" and _is_for(rule, event):
        return 1, 0, None
    if event.type == "item.recorded" and _is_for(rule, event) and event.done:
        listed = event.item == measure.list_item
        return (0, 0, Keyed(rule.denominator_lane, event.item, 1, None)) if listed else None
    return None


def _of_report(
    rule: PartRule, event: AnyClaim, plan: Plan
) -> tuple[int, int, Keyed | None] | None:
    measure = rule.part.measure
    if measure.kind != "reports" or event.type != "report.received":
        return None
    late = Fraction(measure.late_share)
    on_time = received_on(event) <= plan.report_due_on(event.month)
    amount = late.denominator if on_time else late.numerator
    return 0, 0, Keyed(rule.numerator_lane, event.month, amount, None)


_COUNTERS = {
    "figure": _of_figure,
    "tally": _of_tally,
    "ratio": _of_ratio,
    "count": _of_ratio,
    "capped": _of_capped,
    "activity": _of_activity,
    "accounts": _of_activity,
    "checklist": _of_checklist,
    "deduction": _of_deduction,
    "reports": _of_report,
}


@dataclass(slots=True)
class BlocRules:
    """The rules of one bloc: its parts in order, and what it remembers of dossiers alike."""

    plan: Plan
    bloc: Bloc
    parts: list[PartRule] = field(init=False)
    levels: dict[str, str] = field(init=False)
    _fed_by_dossiers: list[PartRule] = field(init=False)
    _of_traits: dict[Traits, Contribution] = field(init=False)
    _keyed: dict[tuple[Keyed, ...], tuple[Keyed, ...]] = field(init=False)
    """The first of all equal ones: what stays the same need not leave and enter again."""

    def __post_init__(self) -> None:
        pairs = [(n, i, part) for n, i in enumerate(self.bloc.indicators) for part in i.parts]
        self.parts = [
            PartRule(k, i, 1 << n, part, getattr(part.measure, "of", None) == DOSSIER)
            for k, (n, i, part) in enumerate(pairs)
        ]
        self.levels = {p.code: p.level for p in self.plan.catalogue}
        self._fed_by_dossiers = [rule for rule in self.parts if rule.fed_by_dossiers]
        self._of_traits = {}
        self._keyed = {}

    def of_dossier(self, traits: Traits) -> Contribution:
        """What a dossier with these traits adds; computed once for all dossiers alike."""
        known = self._of_traits.get(traits)
        if known is None:
            known = self._dossier(dossier_fields(traits, self.levels))
            known = replace(known, keyed=self._keyed.setdefault(known.keyed, known.keyed))
            self._of_traits[traits] = known
        return known

    def _dossier(self, fields: dict[str, Any]) -> Contribution:
        if fields["status"] in self.plan.uncounted_statuses:
            return NOTHING
        found = [(rule, rule.of_dossier(fields)) for rule in self._fed_by_dossiers]
        late = tuple(
            n
            for n, rule in enumerate(self.bloc.exclusions)
            if isinstance(rule, OverdueDossiers) and _matches(rule.where, fields)
        )
        return _combine([(rule, added) for rule, added in found if any(added)], late)

    def of_claim(self, event: AnyClaim) -> Contribution:
        """What a claim adds to the lanes of all claims (of the verified ones too, when it is verified)."""
        if event.state == "rejected":
            return NOTHING
        found = [(rule, rule.of_claim(event, self.plan)) for rule in self.parts]
        return _combine([(rule, added) for rule, added in found if added is not None], ())


def dossier_fields(traits: Traits, levels: dict[str, str]) -> dict[str, Any]:
    """What a plan's `where` may ask of a dossier; a missing service level comes from the catalogue."""
    status, channel, level, fee_due, paid_online, digitised, satisfaction, procedure = traits
    return {
        "status": status,
        "channel": channel,
        "service_level": level or levels.get(procedure),
        "fee_due": fee_due,
        "paid_online": paid_online,
        "digitised": digitised,
        "satisfaction": satisfaction,
        "procedure": procedure,
    }


def _combine(
    found: list[tuple[PartRule, tuple[int, int, Keyed | None]]], late: tuple[int, ...]
) -> Contribution:
    lanes = touched = 0
    keyed = []
    spreads = False
    for rule, (numerator, denominator, key) in found:
        lanes += numerator << (LANE_BITS * rule.numerator_lane)
        lanes += denominator << (LANE_BITS * rule.denominator_lane)
        if key is not None:
            keyed.append(key)
        touched |= rule.bit
        spreads = spreads or rule.part.over in ("to_date", "latest")
    if not touched and not late:
        return NOTHING
    return Contribution(lanes, tuple(keyed), touched, spreads, late)


def lane(lanes: int, index: int) -> int:
    """The counter in one lane."""
    return (lanes >> (LANE_BITS * index)) & LANE_MASK


def fixed_denominator(
    rule: PartRule, plan: Plan, unit: str, months: tuple[str, ...]
) -> int | None:
    """The denominator that the plan itself gives for these months; None when facts make it."""
    measure = rule.part.measure
    fixed: int | None = None
    match measure.kind:
        case "count":
            fixed = measure.quota_per_month * len(months)
        case "distinct":
            fixed = plan.offered(unit, list(measure.offered_levels))
        case "tally":
            fixed = measure.wanted
        case "capped":
            fixed = measure.cap * _buckets(measure.per, plan, months)
        case "checklist":
            fixed = sum(item.weight for item in measure.items)
        case "reports":
            fixed = Fraction(measure.late_share).denominator * len(months)
        case _:
            pass
    return fixed


def _buckets(per: str, plan: Plan, months: tuple[str, ...]) -> int:
    if per == "week":
        return weeks_in(months, plan.starts_on, plan.ends_on)
    return len({quarter_of(m) for m in months}) if per == "quarter" else len(months)


def share(part: Part, numerator: int, denominator: int) -> Fraction:
    """The part of the points that these counters earn, between 0 and 1, exact."""
    if part.measure.kind == "deduction":
        if not part.points:
            return Fraction()
        lost = numerator * part.measure.per_incident
        return (
            max(Fraction(), 1 - Fraction(lost) / Fraction(part.points))
            if denominator
            else Fraction()
        )
    if denominator == 0:
        return Fraction(1 if part.empty == "full" else 0)
    return scored(part.score, Fraction(numerator, denominator))


def scored(score: Score, figure: Fraction) -> Fraction:
    """The part of the points for a figure such as 4/5."""
    match score.kind:
        case "proportional":
            return min(Fraction(1), figure / Fraction(score.target))
        case "all_or_nothing":
            return Fraction(1 if figure >= Fraction(score.target) else 0)
        case _:
            reached = [band for band in score.bands if figure >= Fraction(band.at_least)]
            return Fraction(reached[-1].share) if reached else Fraction()


def rounded(points: Fraction) -> int:
    """Points in ten-thousandths, half up, once."""
    exact = points * UNIT_OF_POINTS
    return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)


def applies(indicator: Indicator, unit: Unit) -> bool:
    """Whether the indicator is for a unit with these traits."""
    return not set(indicator.not_for) & set(unit.traits)


def rescaling(bloc: Bloc, unit: Unit) -> Fraction:
    """What the points of the unit's indicators are multiplied by, so that they reach the bloc's scale."""
    reachable = sum((i.points for i in bloc.scored if applies(i, unit)), Fraction())
    return Fraction(bloc.scale) / reachable if reachable else Fraction()


def full_points(bloc: Bloc, unit: Unit) -> dict[str, int]:
    """Indicator -> its full points for this unit in ten-thousandths; those that are scored sum to the scale exactly.

    What rescaling leaves over goes to the greatest remainders, in the plan's order.
    """
    factor = rescaling(bloc, unit) * UNIT_OF_POINTS
    exact = {i.code: i.points * factor for i in bloc.indicators if applies(i, unit)}
    whole = {code: int(points) for code, points in exact.items()}
    left = bloc.scale * UNIT_OF_POINTS - sum(whole.values()) if factor else 0
    for code in sorted(exact, key=lambda code: whole[code] - exact[code])[:left]:
        whole[code] += 1
    return whole


def exclusion_month(day: date, months: tuple[str, ...]) -> str | None:
    """The month in which a promised date counts; None outside the competition."""
    month = month_of(day)
    return month if month in months else None


def all_parts(rules: BlocRules) -> Iterator[tuple[Indicator, list[PartRule]]]:
    """Each indicator with its parts."""
    for n, indicator in enumerate(rules.bloc.indicators):
        yield indicator, [rule for rule in rules.parts if rule.bit == 1 << n]
