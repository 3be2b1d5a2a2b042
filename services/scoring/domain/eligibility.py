"""Exclusions: who is not considered for an award, by which rule, in which month, because of which facts."""

from collections.abc import Iterator
from datetime import date

from contracts.calendar import months_of
from contracts.events import Exclusion
from services.scoring.domain.tally import CAUSES_KEPT, Tally, exclusion_kinds


def judged(tally: Tally, unit: str) -> tuple[list[Exclusion], list[Exclusion]]:
    """(exclusions, what counts towards one without reaching it), over the whole competition, by month, then rule.

    The score is not touched. Source: 167/KH-UBND, as the plan's `exclusions` state it.
    """
    counted = list(_counted(tally, unit))
    reached = [found for found, limit in counted if found.count >= limit]
    return (
        [found for found in reached if not _lifting(tally, unit, found)],
        [found for found, limit in counted if 0 < found.count < limit],
    )


def lifted_of(tally: Tally, unit: str) -> list[Exclusion]:
    """Exclusions that would hold, had the office not lifted them, each with its reason."""
    found = []
    for exclusion, limit in _counted(tally, unit):
        lifting = _lifting(tally, unit, exclusion)
        if lifting and exclusion.count >= limit:
            reason = lifting[min(lifting)]
            found.append(exclusion.model_copy(update={"reason": reason}))
    return found


def _lifting(tally: Tally, unit: str, exclusion: Exclusion) -> dict[str, str]:
    """Lifting fact -> its reason."""
    return tally.lifted.get((unit, exclusion.month, exclusion.rule), {})


def exclusions_of(tally: Tally, unit: str) -> list[Exclusion]:
    """All exclusions of a unit over the whole competition."""
    return judged(tally, unit)[0]


def _counted(tally: Tally, unit: str) -> Iterator[tuple[Exclusion, int]]:
    """What each exclusion rule counts in each month, with the number from which on it excludes."""
    on_dossiers, on_reports = exclusion_kinds(tally.rules_of(unit))
    for month in tally.months:
        for number, rule in on_dossiers:
            late = tally.overdue.get((number, unit, month), ())
            causes = sorted(late)[:CAUSES_KEPT]
            yield _exclusion(rule.code, month, causes, len(late)), rule.at_least
        for report_rule in on_reports:
            days, report = report_lateness(tally, unit, month)
            facts = [] if report is None else [report]
            yield _exclusion(report_rule.code, month, facts, days), report_rule.days


def near_exclusions_of(tally: Tally, unit: str) -> list[tuple[str, str, int, int]]:
    """(rule, month, count, limit) of what has begun and does not exclude yet."""
    on_dossiers, on_reports = exclusion_kinds(tally.rules_of(unit))
    found = []
    for month in tally.months:
        for number, rule in on_dossiers:
            late = len(tally.overdue.get((number, unit, month), ()))
            if 0 < late < rule.at_least:
                found.append((rule.code, month, late, rule.at_least))
        for report_rule in on_reports:
            days, _ = report_lateness(tally, unit, month)
            if 0 < days < report_rule.days:
                found.append((report_rule.code, month, days, report_rule.days))
    return found


def _exclusion(rule: str, month: str, facts: list[str], count: int) -> Exclusion:
    return Exclusion.model_construct(rule=rule, month=month, facts=facts, count=count)


def report_lateness(tally: Tally, unit: str, month: str) -> tuple[int, str | None]:
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
