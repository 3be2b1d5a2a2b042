"""Exclusions: who is not considered for an award, by which rule, in which month, because of which facts."""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from contracts.calendar import months_of
from contracts.events import Exclusion
from services.scoring.domain.counters import CAUSES_KEPT, Counters, exclusion_kinds


class Grounds(NamedTuple):
    """What one exclusion rule counts in one month."""

    rule: str
    month: str
    facts: tuple[str, ...]
    amount: int
    """Overdue dossiers, or days late."""
    reason: str = ""

    def exclusion(self) -> Exclusion:
        """The same for others."""
        rule, month, facts, amount, reason = self
        return Exclusion.model_construct(
            rule=rule, month=month, facts=list(facts), count=amount, reason=reason
        )


class Judgement(NamedTuple):
    """What the exclusion rules say of a unit over the whole competition; each list by month, then rule."""

    holding: list[Grounds]
    near: list[Grounds]
    """What counts towards an exclusion without reaching it."""
    lifted: list[Grounds]
    """What would exclude, had the office not lifted it; each with its reason."""


def judge(tally: Counters, unit: str) -> Judgement:
    """What excludes a unit; its score is not touched. Source: 167/KH-UBND, as the plan's `exclusions` state it."""
    found = Judgement([], [], [])
    for grounds, limit in counted(tally, unit):
        lifting = tally.lifted.get((unit, grounds.month, grounds.rule))
        if grounds.amount < limit:
            found.near.append(grounds)
        elif lifting:
            found.lifted.append(grounds._replace(reason=lifting[min(lifting)]))
        else:
            found.holding.append(grounds)
    return found


def counted(tally: Counters, unit: str) -> Iterator[tuple[Grounds, int]]:
    """What exclusion rules count in each month, if anything, with the number from which on it excludes."""
    on_dossiers, on_reports = exclusion_kinds(tally.rules_of(unit))
    for month in tally.months:
        for number, rule in on_dossiers:
            if late := tally.overdue.get((number, unit, month)):
                facts = tuple(late.first(CAUSES_KEPT))
                yield Grounds(rule.code, month, facts, len(late)), rule.at_least
        for report_rule in on_reports:
            days, report = report_lateness(tally, unit, month)
            if days:
                facts = () if report is None else (report,)
                yield Grounds(report_rule.code, month, facts, days), report_rule.days


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
    if not exclusions:
        return []
    wanted = months_of(period, months)
    return [exclusion for exclusion in exclusions if exclusion.month in wanted]
