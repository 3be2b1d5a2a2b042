"""A simulated season: exactly those are told who must be, once, whatever the notifier slept through."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from services.runtime.settings import Settings
from tests.support.expected_alerts import (
    DAY,
    Case,
    HandIn,
    Outage,
    Report,
    Season,
    Told,
    all_looks,
    at,
)
from tests.support.notifying import PLAN, START, Stage, catching, changed, of_units, stage_for

UNITS = ("31393", "31399", "31402", "D01", "D11")
FIRST, LAST = date(2023, 6, 1), date(2024, 1, 9)
HOUR: list[Outage] = [(at(date(2023, 6, 14), 7), at(date(2023, 6, 14), 8))]
"""In the morning of a due date."""
MIDNIGHT: list[Outage] = [(at(date(2023, 7, 14), 23), at(date(2023, 7, 15), 1))]
"""When a report is missed."""
THREE_DAYS: list[Outage] = [
    (at(date(2023, 8, 14), 12), at(date(2023, 8, 17), 12)),
    (at(date(2023, 11, 15), 3), at(date(2023, 11, 18), 3)),
]
MONTH_END: list[Outage] = [(at(date(2023, 9, 29), 20), at(date(2023, 10, 2), 9))]
STOPPED = {
    "never": [],
    "for an hour, and over midnight": HOUR + MIDNIGHT,
    "for three days, twice": THREE_DAYS,
    "over the end of a month": MONTH_END,
}
HAND_INS = [
    HandIn("31393", date(2023, 12, 20), whole=True),
    HandIn("31399", date(2024, 1, 2), whole=True),  # while its reminder waits to be sent
    HandIn("31402", date(2023, 12, 20), whole=True),
    HandIn("31402", date(2024, 1, 3), whole=False),  # one paper was taken back
    HandIn("D01", date(2024, 1, 3), whole=True),
]
"""The fifth unit never hands its award dossier in."""


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
    return Season(reports, cases, HAND_INS, looks)


def happenings(told: Season) -> Iterator[tuple[datetime, Report | Case | HandIn, bool]]:
    """(when, what, whether it is finished) in order."""
    found: list[tuple[datetime, Report | Case | HandIn, bool]] = [
        (at(report.day, 10), report, True) for report in told.reports if report.day is not None
    ]
    found += [(at(hand_in.day, 10), hand_in, hand_in.whole) for hand_in in told.hand_ins]
    for case in told.cases:
        found.append((at(case.known, 8), case, False))
        if case.day is not None:
            found.append((max(at(case.known, 8), at(case.day, 10)), case, True))
    yield from sorted(found, key=lambda one: (one[0], one[2]))


def tell(stage: Stage, what: Report | Case | HandIn, *, finished: bool) -> None:
    if isinstance(what, HandIn):
        stage.papers(what.unit, what.day, [] if finished else ["minutes"])
        return
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
@pytest.mark.parametrize("stopped", STOPPED)
async def test_everybody_is_told_exactly_once_what_is_due_and_nobody_who_was_in_time(
    settings: Settings, stopped: str
) -> None:
    outages = STOPPED[stopped]
    told = season(all_looks(FIRST, LAST, outages), 167)
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


def expected_when(outages: list[Outage]) -> set[Told]:
    return season(all_looks(FIRST, LAST, outages), 167).expected(UNITS)


@pytest.mark.parametrize(
    "outages", [HOUR, MIDNIGHT, MONTH_END], ids=["hour", "midnight", "month's end"]
)
def test_a_stop_in_which_no_two_stages_of_a_thing_fall_changes_nothing_of_what_is_told(
    outages: list[Outage],
) -> None:
    assert expected_when(outages) == expected_when([])


def test_after_three_days_only_that_is_missing_which_a_later_stage_overtook_or_was_done() -> (
    None
):
    always, then = expected_when([]), expected_when(THREE_DAYS)
    assert then < always
    done = {(r.unit, r.month): r.day for r in season([], 167).reports}
    finished = {c.number: c.day for c in season([], 167).cases}
    for person, rule, unit, subject in always - then:
        thing = subject.partition("@")[0]
        later = any(t[0] == person and t[1] != rule and t[3] == subject for t in then)
        day = done.get((unit, thing)) or finished.get(thing.rpartition(" ")[2])
        over = day is not None and any(at(day, 10) <= until for _, until in THREE_DAYS)
        assert later or over, (person, rule, subject)


def test_the_stops_are_as_long_as_they_are_called() -> None:
    assert {until - since for since, until in HOUR} == {timedelta(hours=1)}
    assert all(until - since >= timedelta(days=3) for since, until in THREE_DAYS)
    assert all(since.date() < until.date() for since, until in MIDNIGHT)
    assert all(since.month != until.month for since, until in MONTH_END)
