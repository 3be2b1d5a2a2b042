"""Occasions that an event states by itself: decisions on items and appeals, packages, changes of the plan."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from fractions import Fraction

from contracts.calendar import local_date
from contracts.packages import PackageChecked
from contracts.plan import AlertRule, Bloc, LateReport, Plan, Unit, Watched
from contracts.submissions import AppealDecided, ItemReviewed
from services.notifier.domain.conditions import full_points, in_units
from services.notifier.domain.occasions import Blank, Occasion, occasion_id
from services.notifier.domain.picture import Picture


def _rules(plan: Plan, watch: Watched) -> list[AlertRule]:
    return [rule for rule in (plan.alerts.rules if plan.alerts else ()) if rule.watch == watch]


def of_review(plan: Plan, event: ItemReviewed) -> Iterator[Occasion]:
    """An item was returned, accepted, corrected, rejected or opened again."""
    blanks: dict[str, Blank] = {
        "month": event.month,
        "indicator": event.indicator,
        "decision": event.decision,
        "reason": event.reason,
    }
    for rule in _rules(plan, "item_reviewed"):
        if event.decision in rule.decisions:
            number = occasion_id(rule.code, plan.id, event.unit, event.id)
            yield Occasion(
                number, rule.code, plan.id, event.unit, event.at, rule.severity,
                thread=f"item|{plan.id}|{event.unit}|{event.month}|{event.indicator}",
                month=event.month, blanks=blanks, cause=event.id,
            )  # fmt: skip


def of_answer(plan: Plan, event: AppealDecided) -> Iterator[Occasion]:
    """An appeal was decided."""
    blanks: dict[str, Blank] = {
        "appeal": event.appeal,
        "about": event.code,
        "month": event.month,
        "decision": event.decision,
        "answer": event.answer,
    }
    for rule in _rules(plan, "appeal_decided"):
        number = occasion_id(rule.code, plan.id, event.unit, event.id)
        yield Occasion(
            number, rule.code, plan.id, event.unit, event.at, rule.severity,
            thread=f"item|{plan.id}|{event.unit}|{event.appeal}",
            month=event.month, blanks=blanks, cause=event.id,
        )  # fmt: skip


def of_package(plan: Plan, event: PackageChecked) -> Iterator[Occasion]:
    """A package waits for a signature."""
    blanks: dict[str, Blank] = {"period": event.period, "package": event.package}
    for rule in _rules(plan, "package_ready"):
        number = occasion_id(rule.code, plan.id, "", event.id)
        yield Occasion(
            number, rule.code, plan.id, "", event.at, rule.severity,
            thread=f"package|{plan.id}|{event.package}", blanks=blanks, cause=event.id,
        )  # fmt: skip


def of_plan_change(
    picture: Picture, before: Plan, after: Plan, at: datetime
) -> Iterator[Occasion]:
    """A new version of a plan: due dates that it moves, and everything else that it moves for each unit."""
    for unit in after.units:
        bloc = after.bloc(unit.bloc)
        if bloc is None:
            continue
        changes = [
            *_moved_dues(picture, before, after, unit, at),
            *_changes(before, bloc, unit),
        ]
        for month, old, new in _moves(picture, before, after, unit, at):
            days_off = sorted(
                {day.on for day in after.calendar.days_off}
                - {day.on for day in before.calendar.days_off}
            )
            blanks: dict[str, Blank] = {
                "month": month,
                "old_due": old,
                "due": new,
                "why": [day.isoformat() for day in days_off],
            }
            yield from _told(after, "due_moved", unit, f"{month}:{old}>{new}", at, blanks)
        if changes:
            changed: dict[str, Blank] = {"version": after.version, "changes": changes}
            yield from _told(after, "plan_changed", unit, f"v{after.version}", at, changed)


def _told(
    plan: Plan, watch: Watched, unit: Unit, subject: str, at: datetime, blanks: dict[str, Blank]
) -> Iterator[Occasion]:
    for rule in _rules(plan, watch):
        number = occasion_id(rule.code, plan.id, unit.code, subject)
        yield Occasion(number, rule.code, plan.id, unit.code, at, rule.severity, blanks=blanks)


def _moves(
    picture: Picture, before: Plan, after: Plan, unit: Unit, at: datetime
) -> Iterator[tuple[str, str, str]]:
    """(month, due before, due now) of reports that were open when the version was published."""
    if unit.bloc not in after.reporting.blocs:
        return
    day = local_date(at)
    for month in after.months:
        old, new = before.report_due_on(month), after.report_due_on(month)
        if (
            old == new
            or old < day
            or picture.plan_for(after.id, month).version != after.version
        ):
            continue
        done = picture.received_on(after.id, unit.code, month)
        if done is None or done > day:
            yield month, old.isoformat(), new.isoformat()


def _moved_dues(
    picture: Picture, before: Plan, after: Plan, unit: Unit, at: datetime
) -> Iterator[str]:
    for month, old, new in _moves(picture, before, after, unit, at):
        yield f"due:{month}:{old}:{new}"


def _changes(before: Plan, bloc: Bloc, unit: Unit) -> Iterator[str]:
    """What another version changes for a unit, as codes that are put into words later."""
    old_unit, old = before.unit(unit.code), before.bloc(bloc.code)
    if old_unit is None or old is None:
        return
    yield from _point_changes(full_points(old, old_unit), full_points(bloc, unit))
    for code in sorted(i.code for i in bloc.scored if old.indicator(i.code)):
        if _target(old, code) != _target(bloc, code):
            yield f"target:{code}"
    bands = {award.code: in_units(Fraction(award.at_least)) for award in old.awards}
    for award in bloc.awards:
        edge = in_units(Fraction(award.at_least))
        if bands.get(award.code, edge) != edge:
            yield f"award:{award.code}:{bands[award.code]}:{edge}"
    limits = {rule.code: _limit(rule) for rule in old.exclusions}
    yield from (
        f"exclusion:{rule.code}"
        for rule in bloc.exclusions
        if limits.get(rule.code) != _limit(rule)
    )


def _point_changes(then: Mapping[str, int], now: Mapping[str, int]) -> Iterator[str]:
    for code in sorted(then.keys() | now.keys()):
        if then.get(code) != now.get(code):
            yield f"points:{code}:{then.get(code, 0)}:{now.get(code, 0)}"


def _target(bloc: Bloc, code: str) -> object:
    indicator = bloc.indicator(code)
    return None if indicator is None else (indicator.parts, indicator.target)


def _limit(rule: object) -> object:
    return rule.days if isinstance(rule, LateReport) else getattr(rule, "at_least", None)
