"""Who must be told what in a simulated season: plainly calculated, without any code of the notifier.

A look happens at fixed times of each day, but not while the notifier is stopped. Whatever fell due since the last look
is judged by what is known at the look; of several stages of one thing only the last one that holds is told. What was
done between the look and the writing of the mail is not asked for any more.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone

VIETNAM = timezone(timedelta(hours=7))
DAY = timedelta(days=1)
OFF = {date(2023, 9, 1), date(2023, 9, 4), date(2024, 1, 1)}
"""Public holidays on working days within the season, copied from the calendar by hand."""
LOOKS = (time(0), time(7, 30), time(10), time(14))
Told = tuple[str, str, str, str]
"""(person, alert, unit, subject)."""
Outage = tuple[datetime, datetime]


@dataclass(frozen=True)
class Report:
    """A report, received at ten in the morning of a day; None: never."""

    unit: str
    month: str
    due: date
    day: date | None


@dataclass(frozen=True)
class Case:
    """A dossier of an online service, known from a morning on, finished at ten of a day; None: never."""

    number: str
    unit: str
    known: date
    due: date
    day: date | None


@dataclass(frozen=True)
class HandIn:
    """From ten in the morning of a day on a unit's award dossier is whole, or is not any more."""

    unit: str
    day: date
    whole: bool


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=VIETNAM)


def working_days_before(day: date, count: int) -> date:
    while count:
        day -= DAY
        if day.weekday() < 5 and day not in OFF:
            count -= 1
    return day


def all_looks(first: date, last: date, outages: Iterable[Outage]) -> list[datetime]:
    """Every moment at which the notifier looks; it also looks when it is started again."""
    outages = list(outages)
    found = [until for _, until in outages]
    day = first
    while day <= last:
        found += [at(day, clock.hour, clock.minute) for clock in LOOKS]
        day += DAY
    return sorted({t for t in found if not any(since <= t < until for since, until in outages)})


class Season:
    """Reports and dossiers of a season, and who is told of them."""

    def __init__(
        self,
        reports: list[Report],
        cases: list[Case],
        hand_ins: list[HandIn],
        looks: list[datetime],
    ) -> None:
        self.reports = reports
        self.cases = cases
        self.hand_ins = hand_ins
        self.looks = looks

    def look(self, moment: datetime) -> datetime:
        """The first look at or after a moment."""
        return next(t for t in self.looks if t >= moment)

    def release(self, raised: datetime) -> datetime:
        """When a mail about it is written: ten minutes later, never at night."""
        late = self.look(raised + timedelta(minutes=10))
        while late.time() >= time(20) or late.time() < time(6, 30):
            late = self.looks[self.looks.index(late) + 1]
        return late

    def expected(self, units: Iterable[str]) -> set[Told]:
        told: set[Told] = set()
        for report in self.reports:
            told |= self.of_report(report)
        for case in self.cases:
            told |= self.of_case(case)
        for unit in units:
            told |= self.of_counts(unit)
            told |= self.of_award_dossier(unit)
        return told

    def of_report(self, report: Report) -> set[Told]:
        due, day = report.due, report.day
        got = None if day is None else at(day, 10)
        stages = [
            ("report-due-soon", at(working_days_before(due, 3), 7, 30)),
            ("report-due-tomorrow", at(working_days_before(due, 1), 7, 30)),
            ("report-missed", at(due + DAY, 0)),
            ("report-late-1", at(due + DAY, 14)),
            ("report-late-2", at(due + 2 * DAY, 7, 30)),
            ("report-excluded", at(due + 3 * DAY, 0)),
        ]

        def holds(name: str, look: datetime) -> bool:
            here = got is not None and got <= look
            if name == "report-excluded":
                return not here or (day is not None and (day - due).days >= 3)
            if name.startswith("report-due"):
                return not here and look.date() <= due
            return not here

        people = {
            name: ["o", "h"] + (["standing"] if name == "report-excluded" else [])
            for name, _ in stages
        }
        return {
            (self.person(who, report.unit), name, report.unit, f"{report.month}@{due}")
            for name, look in self.last_of_each_look(stages, holds)
            if name == "report-excluded" or got is None or got > self.release(look)
            for who in people[name]
        }

    def of_case(self, case: Case) -> set[Told]:
        due, day = case.due, case.day
        known = at(case.known, 8)
        stages = [
            ("dossier-due-tomorrow", max(known, at(working_days_before(due, 1), 7, 30))),
            ("dossier-overdue", max(known, at(due + DAY, 0))),
        ]

        def holds(name: str, look: datetime) -> bool:
            finished = day is not None and at(day, 10) <= look
            if name == "dossier-due-tomorrow":
                return not finished and look.date() <= due
            return not finished or (day is not None and day > due)

        people = {"dossier-due-tomorrow": ["o"], "dossier-overdue": ["o", "h", "council"]}
        return {
            (self.person(who, case.unit), name, case.unit, f"dvc.haugiang {case.number}@{due}")
            for name, look in self.last_of_each_look(stages, holds)
            if name == "dossier-overdue"
            or day is None
            or max(known, at(day, 10)) > self.release(look)
            for who in people[name]
        }

    def last_of_each_look(
        self, stages: list[tuple[str, datetime]], holds: object
    ) -> list[tuple[str, datetime]]:
        by_look: dict[datetime, list[str]] = {}
        for name, moment in stages:
            by_look.setdefault(self.look(moment), []).append(name)
        found = []
        for look, names in by_look.items():
            holding = [name for name in names if holds(name, look)]  # type: ignore[operator]
            found += [(name, look) for name in holding[-1:]]
        return found

    def overdue_looks(self, unit: str, month: str) -> list[datetime]:
        """When each overdue dossier of a month was noticed, in order of the due dates."""
        late = sorted(
            (c.due, c.number, c)
            for c in self.cases
            if c.unit == unit and f"{c.due:%Y-%m}" == month and (c.day is None or c.day > c.due)
        )
        return sorted(self.look(max(at(c.known, 8), at(c.due + DAY, 0))) for _, _, c in late)

    def excluded_by_report(self, unit: str, month: str, moment: datetime) -> bool:
        for report in self.reports:
            if (report.unit, report.month) != (unit, month):
                continue
            got = None if report.day is None else at(report.day, 10)
            day = report.day if got is not None and got <= moment else moment.date()
            if day is not None and (day - report.due).days >= 3:
                return True
        return False

    def of_counts(self, unit: str) -> set[Told]:
        told: set[Told] = set()
        for month in sorted({f"{c.due:%Y-%m}" for c in self.cases if c.unit == unit}):
            noticed = self.overdue_looks(unit, month)
            subject = f"{month}:two-overdue-dossiers"
            if noticed and not (len(noticed) > 1 and noticed[1] == noticed[0]):
                release = self.release(noticed[0])
                excluded = (len(noticed) > 1 and noticed[1] <= release) or (
                    self.excluded_by_report(unit, month, release)
                )
                if not excluded:
                    told |= {
                        (self.person(who, unit), "overdue-near", unit, subject)
                        for who in ("o", "h", "council")
                    }
            if len(noticed) > 1:
                told |= {
                    (self.person(who, unit), "overdue-excluded", unit, subject)
                    for who in ("o", "h", "council", "standing")
                }
        return told

    def of_award_dossier(self, unit: str) -> set[Told]:
        due = date(2024, 1, 5)
        stages = [
            ("award-dossier-soon", at(working_days_before(due, 3), 7, 30)),
            ("award-dossier-tomorrow", at(working_days_before(due, 1), 7, 30)),
        ]
        open_stages, found = list(stages), list[str]()
        for look in self.looks:
            come = [name for name, moment in open_stages if moment <= look]
            if not come or look.date() > due or self.handed_in(unit, look):
                continue
            open_stages = [(name, moment) for name, moment in open_stages if moment > look]
            if not self.handed_in(unit, self.release(look)):
                found.append(come[-1])
        return {
            (self.person(who, unit), name, unit, f"award-dossier@{due}")
            for name in found
            for who in ("o", "h")
        }

    def handed_in(self, unit: str, moment: datetime) -> bool:
        states = [h.whole for h in self.hand_ins if h.unit == unit and at(h.day, 10) <= moment]
        return bool(states) and states[-1]

    @staticmethod
    def person(who: str, unit: str) -> str:
        return f"{who}-{unit}" if who in {"o", "h"} else who
