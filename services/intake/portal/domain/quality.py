"""What is observed about a sender: late deliveries, missing fields, moved promises, suspicious patterns."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from contracts.calendar import local_date, month_of
from services.intake.portal.domain.canonical import finished_at
from services.intake.portal.domain.dialects import milliseconds
from services.intake.portal.domain.merging import State
from services.intake.portal.domain.messages import Message

LATE_MILLISECONDS = 24 * 3_600_000
"""A statement that arrives so long after its source time is late."""
EXPECTED = ("channel", "due_at", "digitised", "paid_online")
"""Fields that a good snapshot has."""
SAME_SECOND = 3
"""So many steps of one dossier at the same second were hardly done then."""
_DONE = frozenset({"finished", "returned"})


@dataclass(slots=True)
class Tally:
    """(source, month) -> counts, since they were last stored."""

    counts: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)

    def of(self, source: str, now: datetime) -> Counter[str]:
        """The counts of a source in the month of its delivery."""
        return self.counts.setdefault((source, month_of(local_date(now))), Counter())

    def taken(self) -> dict[tuple[str, str], Counter[str]]:
        """All counts; they begin anew."""
        counts, self.counts = self.counts, {}
        return counts


def observe(
    tally: Counter[str], before: State, after: State, messages: Iterable[Message], now: datetime
) -> None:
    """Count what one request said about one dossier."""
    new = [message for message in messages if message.digest not in before.seen]
    arrived = milliseconds(now)
    for message in new:
        tally["steps" if message.step else "snapshots"] += 1
        tally["late"] += arrived - message.at > LATE_MILLISECONDS
        tally["older"] += message.at < before.at
        if not message.step:
            _missing(tally, message)
    if not new:
        tally["repeats"] += 1
        return
    tally["dossiers"] += after.known and not before.known
    _promise(tally, before, after)
    _reopened(tally, before, after)
    seconds = Counter(message.at // 1_000 for message in new if message.step)
    tally["same_second"] += any(times >= SAME_SECOND for times in seconds.values())


def _missing(tally: Counter[str], message: Message) -> None:
    for name in EXPECTED:
        if message.fields.get(name) is None:
            tally[f"missing_{name}"] += 1
    digitised = message.fields.get("digitised")
    if digitised is not None:
        tally["digitised_yes" if digitised else "digitised_no"] += 1
    if message.fields.get("status") in _DONE:
        lacking = not (message.fields.get("finished_at") or message.fields.get("returned_at"))
        tally["finished_undated"] += lacking


def _promise(tally: Counter[str], before: State, after: State) -> None:
    if not before.known or before.due_at is None or before.due_at == after.due_at:
        return
    tally["promise_emptied" if after.due_at is None else "promise_moved"] += 1


def _reopened(tally: Counter[str], before: State, after: State) -> None:
    was, now = before.value("status") in _DONE, after.value("status") in _DONE
    tally["reopened"] += was and not now
    tally["finished_late"] += bool(
        now
        and not was
        and (after.due_at or 0)
        and (finished_at(after) or 0) > (after.due_at or 0)
    )
