"""The due-date table: what is owed until when, which stages follow from that, and which of them hold now.

Nothing asks "is it today": a stage has an instant, and whoever looks later, after any downtime, finds it due.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from contracts.calendar import LOCAL, local_date
from contracts.plan import AlertRule, When
from contracts.workdays import WorkDays

Kind = Literal["report", "dossier", "deadline", "review", "appeal"]
WATCHES: dict[str, Kind] = {
    "report_due": "report",
    "report_excluded": "report",
    "dossier_due": "dossier",
    "deadline_due": "deadline",
    "review_waiting": "review",
    "appeal_due": "appeal",
}
MIDNIGHT = "00:00"


@dataclass(frozen=True, slots=True)
class Owed:
    """One thing that somebody owes until the end of a day."""

    kind: Kind
    plan: str
    unit: str
    subject: str
    month: str
    due_on: date
    done_on: date | None
    missing: tuple[str, ...] = ()
    """Of an award dossier: the papers that are not there; empty also when none is."""

    @property
    def key(self) -> str:
        """The row of the table; a dossier keeps it when it moves to another unit."""
        owner = "" if self.kind == "dossier" else self.unit
        return f"{self.kind}|{self.plan}|{owner}|{self.subject}"

    @property
    def late_days(self) -> int | None:
        """Days after the due date on which it was done; None: not done yet."""
        return None if self.done_on is None else (self.done_on - self.due_on).days


@dataclass(frozen=True, slots=True)
class Stage:
    """A rule, and when it falls due for one owed thing."""

    at: datetime
    rule: AlertRule
    days_after: int | None
    """None: a reminder before the due date."""
    even_if_done: bool

    def holds(self, owed: Owed, today: date) -> bool:
        """Whether it is true of the owed thing, given that its instant has come."""
        late = owed.late_days
        if self.days_after is None:
            return late is None and today <= owed.due_on
        if late is None:
            return True
        return self.even_if_done and late >= self.days_after

    def was_true(self, owed: Owed) -> bool:
        """Whether it was right to tell, as known today: a reminder always was."""
        late = owed.late_days
        return self.days_after is None or late is None or late >= self.days_after


def instant_of(when: When, due_on: date, days: WorkDays) -> datetime:
    """The moment beside a due date."""
    if when.working_days_before is not None:
        day = days.before(due_on, when.working_days_before)
    else:
        day = due_on + timedelta(days=when.days_after or 0)
    return at_time(day, when.at)


def at_time(day: date, clock: str) -> datetime:
    """Local time of a local day."""
    return datetime.combine(day, time(int(clock[:2]), int(clock[3:])), LOCAL)


def stages_of(
    rules: Iterable[tuple[AlertRule, When]], due_on: date, days: WorkDays
) -> list[Stage]:
    """The stages of a due date, in their order."""
    stages = [
        Stage(
            instant_of(when, due_on, days),
            rule,
            when.days_after,
            rule.even_if_done or rule.watch == "report_excluded",
        )
        for rule, when in rules
    ]
    return sorted(stages, key=lambda stage: stage.at)


def due_stages(stages: list[Stage], owed: Owed, now: datetime) -> Iterator[tuple[Stage, bool]]:
    """Stages whose instant has come and that hold; True with the latest, which is the one to tell."""
    today = local_date(now)
    come = [stage for stage in stages if stage.at <= now]
    holding = [stage for stage in come if stage.holds(owed, today)]
    missed = [s for s in come if s.days_after is None and s not in holding] if holding else []
    for stage in missed:
        yield stage, False
    for stage in holding:
        yield stage, stage is holding[-1] or stage.at == holding[-1].at


class Agenda:
    """When to look at which key again."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, str]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, at: datetime, key: str) -> None:
        """Look at it then; looking too often harms nobody."""
        heapq.heappush(self._heap, (at, key))

    def due(self, now: datetime) -> set[str]:
        """The keys whose moment has come; each is forgotten."""
        found = set()
        while self._heap and self._heap[0][0] <= now:
            found.add(heapq.heappop(self._heap)[1])
        return found
