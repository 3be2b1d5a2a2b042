"""Two evenings of a bloc beside each other: who moved, by how much, and because of what."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from contracts.calendar import LOCAL
from contracts.events import UnitScored
from contracts.plan import Unit
from services.scoring.leaderboard.views import Board, Close

ENTRIES_SHOWN = 12


def day_of(text: str) -> date | None:
    """`2023-09-12`; None when it is no day, or the last one of all calendars, which has no end."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return None if day == date.max else day


def end_of(day: date) -> datetime:
    """The last instant of a local day."""
    return datetime.combine(day + timedelta(days=1), time(), LOCAL) - timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Moved:
    """One unit on two boards."""

    unit: Unit
    before: tuple[int, int]
    """(rank, points)."""
    after: tuple[int, int]
    indicators: list[tuple[str, int]]
    """(code, by how much its points moved), the greatest first."""

    @property
    def places(self) -> int:
        """Ranks won (+) or lost (-)."""
        return self.before[0] - self.after[0]

    @property
    def points(self) -> int:
        """By how much the total moved."""
        return self.after[1] - self.before[1]


def compared(earlier: Board, later: Board) -> list[Moved]:
    """Every unit of the later board, in its order."""
    before = {row.unit.code: row for row in earlier.rows}
    found = []
    for row in later.rows:
        old = before.get(row.unit.code)
        was = {} if old is None else {c: p for c, (p, _) in old.indicators.items()}
        now = {c: p for c, (p, _) in row.indicators.items()}
        moved = [(c, now.get(c, 0) - was.get(c, 0)) for c in dict.fromkeys([*now, *was])]
        changed = sorted((m for m in moved if m[1]), key=lambda m: -abs(m[1]))
        stood = (old.rank, old.points) if old else (row.rank, 0)
        found.append(Moved(row.unit, stood, (row.rank, row.points), changed))
    return found


@dataclass(frozen=True, slots=True)
class Story:
    """One unit between two evenings, and the changes that did it."""

    unit: str
    before: tuple[int, int]
    after: tuple[int, int]
    indicators: list[tuple[str, int]]
    entries: list[UnitScored]
    """The changes with the greatest effect, in order of time."""
    more: int
    """Changes that are not among them."""


@dataclass(frozen=True, slots=True)
class Between:
    """Why a unit stands elsewhere."""

    start: date
    end: date
    own: Story
    passed_by: list[Story]
    """Units that stood below or level and stand above now."""
    passed: list[Story]
    """Units that stood above or level and stand below now."""


def between(
    unit: str,
    closes: Sequence[Close],
    changes: Iterable[UnitScored],
    start: date,
    end: date,
) -> Between:
    """What happened between the ends of two days of which there are closes."""
    before = next(close.units for close in closes if close.on == start)
    after = next(close.units for close in closes if close.on == end)
    told: dict[str, list[UnitScored]] = {}
    for change in changes:
        told.setdefault(change.unit, []).append(change)
    mine = before.get(unit, (0, 0)), after.get(unit, (0, 0))
    others = [u for u in after if u != unit and u in before]
    up = [u for u in others if before[u][0] >= mine[0][0] and after[u][0] < mine[1][0]]
    down = [u for u in others if before[u][0] <= mine[0][0] and after[u][0] > mine[1][0]]

    def story(one: str) -> Story:
        return _story(one, before.get(one, (0, 0)), after.get(one, (0, 0)), told.get(one, []))

    return Between(
        start,
        end,
        story(unit),
        [story(u) for u in sorted(up, key=lambda u: after[u])],
        [story(u) for u in sorted(down, key=lambda u: after[u])],
    )


def _story(
    unit: str, before: tuple[int, int], after: tuple[int, int], changes: list[UnitScored]
) -> Story:
    sums: dict[str, int] = {}
    for change in changes:
        for moved in change.changes:
            sums[moved.indicator] = sums.get(moved.indicator, 0) + moved.after - moved.before
    greatest = sorted(changes, key=lambda c: -abs(c.after - c.before))[:ENTRIES_SHOWN]
    return Story(
        unit,
        before,
        after,
        sorted(((c, n) for c, n in sums.items() if n), key=lambda m: -abs(m[1])),
        sorted(greatest, key=lambda c: c.at),
        len(changes) - len(greatest),
    )
