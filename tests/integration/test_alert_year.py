"""A simulated season: exactly those are told who must be, once, whatever the notifier slept through."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from services.runtime.settings import Settings
from tests.support.expected_alerts import DAY, Case, Outage, Report, Season, all_looks, at
from tests.support.notifying import PLAN, START, Stage, catching, changed, of_units, stage_for

UNITS = ("31393", "31399", "31402", "D01", "D11")
FIRST, LAST = date(2023, 6, 1), date(2024, 1, 9)
OUTAGES: list[Outage] = [
    (at(date(2023, 6, 14), 7), at(date(2023, 6, 14), 8)),
    (at(date(2023, 7, 13), 23), at(date(2023, 7, 15), 1)),
    (at(date(2023, 8, 14), 12), at(date(2023, 8, 17), 12)),
    (at(date(2023, 9, 29), 20), at(date(2023, 10, 2), 9)),
    (at(date(2023, 11, 15), 3), at(date(2023, 11, 18), 3)),
]
"""An hour in the morning of a due date; over midnight; three days; over the end of a month; three days again."""


def season(looks: list[datetime], seed: int) -> Season:
    """Punctual and late units, dossiers in time, late and forgotten ones."""
    chance = random.Random(seed)
    reports, cases = [], []
    for unit in UNITS:
        for number in range(6, 13):
            due = date(2023, number, 14)
            lateness = chance.choice([-8, -3, -1, 0, 0, 1, 2, 3, 5, None])
            day = None if lateness is None else due + lateness * DAY
            reports.append(Report(unit, f"2023-{number:02}", due, day))
        for number in range(40 if unit == "31399" else 15):
            known = FIRST + chance.randrange(200) * DAY
            due = known + chance.randrange(1, 12) * DAY
            lateness = chance.choice([-2, -1, 0, 0, 0, 0, 1, 4, None])
            day = None if lateness is None else max(known, due + lateness * DAY)
            if due <= date(2023, 12, 31):
                cases.append(Case(f"H{unit}-{number}", unit, known, due, day))
    return Season(reports, cases, looks)


def happenings(told: Season) -> Iterator[tuple[datetime, Report | Case, bool]]:
    """(when, what, whether it is finished) in order."""
    found: list[tuple[datetime, Report | Case, bool]] = [
        (at(report.day, 10), report, True) for report in told.reports if report.day is not None
    ]
    for case in told.cases:
        found.append((at(case.known, 8), case, False))
        if case.day is not None:
            found.append((max(at(case.known, 8), at(case.day, 10)), case, True))
    yield from sorted(found, key=lambda one: (one[0], one[2]))


def tell(stage: Stage, what: Report | Case, *, finished: bool) -> None:
    if isinstance(what, Report):
        assert what.day is not None
        stage.report(what.unit, what.month, what.day.isoformat())
        return
    done = what.day.isoformat() if finished and what.day is not None else None
    stage.dossier(what.number, what.unit, what.due.isoformat(), done)


async def live_through(stage: Stage, told: Season, outages: list[Outage]) -> None:
    """Everything happens in its time; after an outage the notifier starts anew from what is stored."""
    waiting = list(happenings(told))
    starts = {until for _, until in outages}
    for look in told.looks:
        while waiting and waiting[0][0] <= look:
            _, what, finished = waiting.pop(0)
            tell(stage, what, finished=finished)
        if look in starts:
            stage.clock.instant = look.astimezone(UTC)
            await stage.start()
        await stage.at(look)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("outages", [[], OUTAGES], ids=["never stopped", "stopped five times"])
async def test_everybody_is_told_exactly_once_what_is_due_and_nobody_who_was_in_time(
    settings: Settings, outages: list[Outage]
) -> None:
    looks = all_looks(FIRST, LAST, outages)
    told = season(looks, 167)
    expected = told.expected(UNITS)
    async with stage_for(settings, escalations=False) as stage, catching(stage) as sender:
        await stage.contacts(of_units(UNITS))
        plan = changed(PLAN, units=[unit for unit in PLAN.units if unit.code in UNITS])
        stage.publish(plan, START)
        await live_through(stage, told, outages)
        await sender.drain()
        await stage.store.record_mails()
        sent = [
            (n["contact"], n["rule"], n["unit"], n["occasion"].split("|", 3)[3])
            for n in await stage.notices(state="accepted")
        ]
        assert Counter(sent) == Counter(expected)
        assert not await stage.notices(form="retraction")
        assert await stage.store.caught.count_documents({}) == len(await stage.mails())
    assert len(expected) > 200
    in_time = {(r.unit, r.month) for r in told.reports if r.day and r.day <= r.due}
    late = {
        (u, s.partition("@")[0])
        for _, rule, u, s in sent
        if rule.startswith("report-") and "due" not in rule
    }
    assert in_time
    assert not in_time & late


def test_the_outages_cover_what_they_are_for() -> None:
    longest = max(until - since for since, until in OUTAGES)
    assert longest >= timedelta(days=3)
    assert any(since.month != until.month for since, until in OUTAGES)
    assert any(until - since == timedelta(hours=1) for since, until in OUTAGES)
