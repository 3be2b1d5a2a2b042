"""Exclusions: who is not considered for an award, by which rule, in which month, because of which facts."""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from contracts.calendar import months_of
from contracts.events import Exclusion
from services.scoring.domain.counters import CAUSES_KEPT, Counters, exclusion_kinds


class Judgement(NamedTuple):
    """What the exclusion rules say of a unit over the whole competition; each list by month, then rule."""

    holding: list[Exclusion]
    near: list[Exclusion]
    """What counts towards an exclusion without reaching it."""
    lifted: list[Exclusion]
    """What would exclude, had the office not lifted it; each with its reason."""


def judge(tally: Counters, unit: str) -> Judgement:
    """What excludes a unit; its score is not touched. Source: 167/KH-UBND, as the plan's `exclusions` state it."""
    found = Judgement([], [], [])
    for exclusion, limit in counted(tally, unit):
        lifting = tally.lifted.get((unit, exclusion.month, exclusion.rule))
        if exclusion.count < limit:
            if exclusion.count:
                found.near.append(exclusion)
        elif lifting:
            reason = lifting[min(lifting)]
            found.lifted.append(exclusion.model_copy(update={"reason": reason}))
        else:
            found.holding.append(exclusion)
    return found


def counted(tally: Counters, unit: str) -> Iterator[tuple[Exclusion, int]]:
    """What each exclusion rule counts in each month, with the number from which on it excludes."""
    on_dossiers, on_reports = exclusion_kinds(tally.rules_of(unit))
    for month in tally.months:
        for number, rule in on_dossiers:
            late = tally.overdue.get((number, unit, month))
            causes = [] if late is None else late.first(CAUSES_KEPT)
            yield (
                _exclusion(rule.code, month, causes, 0 if late is None else len(late)),
                rule.at_least,
            )
        for report_rule in on_reports:
            days, report = report_lateness(tally, unit, month)
            facts = [] if report is None else [report]
            yield _exclusion(report_rule.code, month, facts, days), report_rule.days


def _exclusion(rule: str, month: str, facts: list[str], count: int) -> Exclusion:
    return Exclusion.model_construct(rule=rule, month=month, facts=facts, count=count)


def report_lateness(tally: Counters, unit: str, month: str) -> tuple[int, str | None]:
    """(days after the last on-time day, the report's fact): received then, or still missing today.

    0 days when in time or not due yet; units outside the reporting blocs owe nothing.
    """
    if tally.rules_of(unit).bloc.code not in tally.plan.reporting.blocs:
        return 0, None
    due = tally.plan.report_due_on(month)
    received = tally.reports.get((unit, month))
    report, day = _first(received) if received else (None, tally.today)
    return max(0, (day - due).days), report


def _first(received: dict[str, date]) -> tuple[str, date]:
    return min(received.items(), key=lambda item: (item[1], item[0]))


def within(
    exclusions: list[Exclusion], period: str, months: tuple[str, ...]
) -> list[Exclusion]:
    """Those that count for a period: a quarter looks at its quarter, a year at all its months."""
    wanted = months_of(period, months)
    return [exclusion for exclusion in exclusions if exclusion.month in wanted]
