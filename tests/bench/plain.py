"""What everything else is compared with: the right counters, and how fast a small loop in memory is.

`recount` keeps the winner of each dossier and counts at the end: slow to change, easy to believe, the reference.
`fold` is the yardstick: a hand-written loop that has right counters after every event, as a live board needs.
"""

import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tests.bench.parts import main_of, part

UNCOUNTED = frozenset({"registered", "refused", "withdrawn"})
ONLINE_LEVELS = frozenset({"full", "partial"})
MONTHS = tuple(f"2023-{n:02d}" for n in range(6, 13))
QUARTERS = {"2023-Q2": MONTHS[:1], "2023-Q3": MONTHS[1:4], "2023-Q4": MONTHS[4:]}
PERIODS = {"2023": MONTHS} | QUARTERS | {month: (month,) for month in MONTHS}
FULL = ("X7", "X8", "X13", "X14", "X15", "X20")
COMPARED = (
    ("X7", 0), ("X8", 0), ("X8", 1), ("X13", 0), ("X14", 0),
    ("X14", 1), ("X15", 0), ("X15", 1), ("X20", 0), ("X20", 1),
)  # fmt: skip
"""The numbers that facts make: (indicator, 0 for its numerator, 1 for its denominator)."""
Counters = dict[str, dict[str, list[int]]]
"""Period -> unit -> the numbers of `COMPARED`; units without any are absent."""


class Event(msgspec.Struct, gc=False):
    """The fields that the six portal-fed indicators need; version decides between states."""

    dossier: str
    version: int
    unit: str
    procedure: str
    status: str
    channel: str
    service_level: str
    received_at: str
    fee_due: bool
    paid_online: bool | None
    digitised: bool | None
    satisfaction: str | None


decode = msgspec.json.Decoder(Event).decode


def lines_of(path: str) -> list[bytes]:
    """The events of a file."""
    return Path(path).read_bytes().splitlines()


def adds(event: Event) -> tuple[int, ...]:
    """What a counted dossier adds to the numbers of `COMPARED`, but for the distinct one."""
    online = event.channel == "online"
    listed = event.service_level in ONLINE_LEVELS
    digitised, satisfaction = event.digitised, event.satisfaction
    return (
        listed and online,
        listed,
        online,
        event.fee_due and event.paid_online is True,
        event.fee_due,
        digitised is True,
        digitised is not None,
        satisfaction is not None and satisfaction != "dissatisfied",
        satisfaction is not None,
    )


def summed(
    months: dict[tuple[str, str], list[int]], used: Iterable[tuple[str, str, str]]
) -> Counters:
    """Counters of all periods, from sums by unit and month and from used procedures by unit and month."""
    found: Counters = {period: {} for period in PERIODS}
    procedures: dict[tuple[str, str], set[str]] = defaultdict(set)
    for unit, month, procedure in used:
        procedures[unit, month].add(procedure)
    for period, within in PERIODS.items():
        for unit in {unit for unit, month in months if month in within}:
            kept = [months[unit, month] for month in within if (unit, month) in months]
            sums = [sum(column) for column in zip(*kept, strict=True)]
            together = set().union(*(procedures.get((unit, month), ()) for month in within))
            if any(sums):
                found[period][unit] = [len(together), *sums]
    return found


@part
def recount(path: str, events: int | None = None) -> dict[str, Any]:
    """The reference, of all or the first events of a file: winners first, then counting, once."""
    winners: dict[str, Event] = {}
    for line in lines_of(path)[:events]:
        event = decode(line)
        known = winners.get(event.dossier)
        if known is None or event.version > known.version:
            winners[event.dossier] = event
    months: dict[tuple[str, str], list[int]] = {}
    used: set[tuple[str, str, str]] = set()
    for event in winners.values():
        month = event.received_at[:7]
        if event.status in UNCOUNTED or month not in MONTHS:
            continue
        sums = months.setdefault((event.unit, month), [0] * 9)
        added = adds(event)
        for n, amount in enumerate(added):
            sums[n] += amount
        if added[0]:
            used.add((event.unit, month, event.procedure))
    return {"dossiers": len(winners), "counters": summed(months, used)}


class Kept(NamedTuple):
    """What the loop remembers of a dossier."""

    version: int
    slot: tuple[str, str] | None
    added: tuple[int, ...]
    procedure: str


class PlainFold:
    """Counters that are right after every event."""

    def __init__(self) -> None:
        self.dossiers: dict[str, Kept] = {}
        self.months: dict[tuple[str, str], list[int]] = {}
        self.used: dict[tuple[str, str, str], int] = {}
        self._shared: dict[tuple[int, ...], tuple[int, ...]] = {}

    def apply(self, line: bytes) -> None:
        """Fold one event."""
        event = decode(line)
        old = self.dossiers.get(event.dossier)
        if old is not None and old.version >= event.version:
            return
        month = event.received_at[:7]
        counted = event.status not in UNCOUNTED and month in MONTHS
        added = adds(event)
        added = self._shared.setdefault(added, added)
        slot = (event.unit, month) if counted else None
        new = Kept(event.version, slot, added, event.procedure)
        self.dossiers[event.dossier] = new
        if old is not None:
            if old[1:] == new[1:]:
                return
            self._enter(old, -1)
        self._enter(new, 1)

    def _enter(self, kept: Kept, sign: int) -> None:
        slot = kept.slot
        if slot is None:
            return
        sums = self.months.get(slot)
        if sums is None:
            sums = self.months[slot] = [0] * 9
        for n, amount in enumerate(kept.added):
            if amount:
                sums[n] += sign
        if kept.added[0]:
            key = (*slot, kept.procedure)
            self.used[key] = self.used.get(key, 0) + sign


def ranks(counters: Counters) -> list[str]:
    """Units by the sum of their shares over the year, best first."""
    pairs = ((1, 2), (4, 5), (6, 7), (8, 9))
    points = {
        unit: sum(10_000 * n[top] // n[bottom] for top, bottom in pairs if n[bottom])
        for unit, n in counters["2023"].items()
    }
    return sorted(points, key=lambda unit: -points[unit])


@part
def fold(path: str) -> dict[str, Any]:
    """Yardstick (b): decode and fold all, then sum the periods and rank."""
    lines = lines_of(path)
    plain = PlainFold()
    began, cpu = time.perf_counter(), time.process_time()
    apply = plain.apply
    for line in lines:
        apply(line)
    counters = summed(plain.months, [key for key, count in plain.used.items() if count])
    ranks(counters)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {
        "events": len(lines),
        "seconds": seconds,
        "events_per_second": len(lines) / seconds,
        "cpu_us_per_event": cpu / len(lines) * 1e6,
        "counters": counters,
    }


if __name__ == "__main__":
    main_of(fold, recount)
