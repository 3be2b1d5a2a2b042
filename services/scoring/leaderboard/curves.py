"""Large curves of points or ranks from the daily closes, as SVG attributes, and the data for playing them."""

from collections.abc import Sequence
from datetime import date
from fractions import Fraction
from typing import Literal

from services.runtime.web.i18n import Words
from services.scoring.leaderboard.views import Board, Close

WIDTH, HEIGHT = 960, 420
LEFT, RIGHT, TOP, BOTTOM = 56, 176, 16, 32
TICKS = 5
LABEL_GAP = 17
"""Names beside the curves' ends stand at least so far apart."""
MONTH_GAP = 64
"""And so do names of months beneath them."""


class Chart:
    """One curve a unit; everything is a plain number of the drawing's own units."""

    def __init__(
        self,
        closes: Sequence[Close],
        units: Sequence[str],
        what: Literal["points", "ranks"],
        places: int,
    ) -> None:
        self.what = what
        self.units = list(units)
        self._closes = list(closes)
        shown = [self._value(c, u) for c in self._closes for u in units if u in c.units]
        self.low = 1 if what == "ranks" else min(shown, default=0)
        self.high = (
            max(places, 2) if what == "ranks" else max(max(shown, default=1), self.low + 1)
        )

    def _value(self, close: Close, unit: str) -> int:
        return close.units[unit][0 if self.what == "ranks" else 1]

    @property
    def drawable(self) -> bool:
        """A line needs two days."""
        return len(self._closes) > 1

    def x(self, day: date) -> float:
        """Where a day stands; days of which there is no close take their room too."""
        first, last = self._closes[0].on, self._closes[-1].on
        share = Fraction((day - first).days, max(1, (last - first).days))
        return LEFT + float(round((WIDTH - LEFT - RIGHT) * share, 1))

    def y(self, value: int) -> float:
        """Where a value stands: more points are higher, a better rank is higher."""
        height = HEIGHT - TOP - BOTTOM
        share = Fraction(value - self.low, self.high - self.low)
        share = share if self.what == "ranks" else 1 - share
        return TOP + float(round(share * height, 1))

    def line(self, unit: str) -> str:
        """The corners of a unit's curve."""
        corners = [
            f"{self.x(close.on):g},{self.y(self._value(close, unit)):g}"
            for close in self._closes
            if unit in close.units
        ]
        return " ".join(corners)

    @property
    def labels(self) -> list[tuple[str, float, float]]:
        """(unit, where its curve ends, where its name stands), top to bottom without overlap."""
        last = self._closes[-1]
        ends = sorted(
            (self.y(self._value(last, unit)), unit) for unit in self.units if unit in last.units
        )
        found, free = [], float(TOP)
        for end, unit in ends:
            free = max(free, end)
            found.append((unit, end, free))
            free += LABEL_GAP
        over = free - LABEL_GAP - (HEIGHT - BOTTOM)
        if over > 0:
            found = [(u, end, round(at - over, 1)) for u, end, at in found]
        return found

    @property
    def levels(self) -> list[tuple[int, float]]:
        """(value, where it stands) of the horizontal lines."""
        span = self.high - self.low
        values = sorted({self.low + span * n // (TICKS - 1) for n in range(TICKS)})
        return [(value, self.y(value)) for value in values]

    @property
    def months(self) -> list[tuple[date, float]]:
        """(first day of a month, where it stands), as far apart as their names need."""
        days = {close.on.replace(day=1) for close in self._closes}
        found: list[tuple[date, float]] = []
        for day in sorted(max(day, self._closes[0].on) for day in days):
            at = self.x(day)
            if not found or at - found[-1][1] >= MONTH_GAP:
                found.append((day, at))
        return found


def played(board: Board, closes: Sequence[Close], words: Words) -> dict[str, object]:
    """What the script needs to play the closes: days, units, and per day ranks and points."""
    units = [row.unit for row in board.rows]
    return {
        "lang": words.lang,
        "scale": board.bloc.scale * 10_000,
        "days": [close.on.isoformat() for close in closes],
        "labels": [words.day(close.on) for close in closes],
        "units": [unit.code for unit in units],
        "steps": [
            [close.units.get(unit.code, (len(units), 0)) for unit in units] for close in closes
        ],
        "words": {
            "play": words.gettext("Chạy"),
            "pause": words.gettext("Dừng"),
        },
    }
