"""The ledger: which unit's yearly total changed, from where to where, because of which facts."""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from contracts.calendar import is_year
from services.runtime.mongo import Document
from services.scoring.domain.counters import Causes
from services.scoring.domain.fold import Boards, PlanKey
from services.scoring.domain.standings import UnitRow

ENTRIES_AT_A_TIME = 200
"""More change at once: the rest follows in the next second."""
_encode = msgspec.json.Encoder().encode


class Ledger:
    """Yearly totals as last written down, and what has changed since."""

    def __init__(self) -> None:
        self.cause = "event"
        self._known: dict[tuple[PlanKey, str, str], Document] = {}
        self._changed: dict[tuple[PlanKey, str, str], UnitRow] = {}
        self._pending: list[tuple[tuple[PlanKey, str, str], Document]] = []

    def remember(self, stored: Document) -> None:
        """A row as it was stored before this start."""
        if is_year(stored["period"]):
            key = (stored["plan"], stored["version"])
            self._known[key, stored["unit"], stored["period"]] = _totals(
                stored["points"],
                stored["verified_points"],
                stored["indicators"],
                stored["eligible"],
            )

    def note(self, plan: PlanKey, moved: Iterable[UnitRow]) -> None:
        """Rows that moved; only whole years are written down."""
        for row in moved:
            if is_year(row.period):
                self._changed[plan, row.unit, row.period] = row

    def entries(self, boards: Boards, at: datetime) -> tuple[list[bytes], list[str]]:
        """The lines to append, and the units that they are about."""
        lines, units = [], []
        self._pending = []
        for slot, row in list(self._changed.items())[:ENTRIES_AT_A_TIME]:
            now = _totals(row.points, row.verified_points, row.indicators, row.eligible)
            before = self._known.get(slot, _NOTHING)
            if now == before:
                del self._changed[slot]
                continue
            causes = boards.standings[slot[0]].tally.causes.get(row.unit, Causes())
            lines.append(_entry(row, slot, (before, now), causes, at, self.cause))
            units.append(row.unit)
            self._pending.append((slot, now))
        return lines, units

    def written(self, boards: Boards) -> None:
        """The entries are durable."""
        for slot, now in self._pending:
            self._known[slot] = now
            self._changed.pop(slot, None)
            boards.standings[slot[0]].tally.causes.pop(slot[1], None)
        self._pending = []
        if not self._changed:
            self.cause = "event"


_NOTHING: Document = {"points": 0, "verified": 0, "indicators": {}, "eligible": True}


def _totals(points: int, verified: int, indicators: dict[str, Any], eligible: bool) -> Document:  # noqa: FBT001
    return {
        "points": points,
        "verified": verified,
        "indicators": {code: pair[0] for code, pair in indicators.items()},
        "eligible": eligible,
    }


def _entry(  # the whole situation of one change
    row: UnitRow,
    slot: tuple[PlanKey, str, str],
    totals: tuple[Document, Document],
    causes: Causes,
    at: datetime,
    cause: str,
) -> bytes:
    before, now = totals
    codes = sorted(before["indicators"].keys() | now["indicators"].keys())
    pairs = [(c, before["indicators"].get(c, 0), now["indicators"].get(c, 0)) for c in codes]
    content = {
        "type": "unit.scored",
        "plan": slot[0][0],
        "plan_version": slot[0][1],
        "bloc": row.bloc,
        "unit": row.unit,
        "period": row.period,
        "before": before["points"],
        "after": now["points"],
        "verified_before": before["verified"],
        "verified_after": now["verified"],
        "changes": [
            {"indicator": c, "before": old, "after": new} for c, old, new in pairs if old != new
        ],
        "eligible": row.eligible,
        "facts": causes.facts,
        "fact_count": causes.count,
        "cause": cause,
    }
    number = hashlib.sha256(_encode(content)).hexdigest()[:24]
    return _encode(content | {"id": number, "at": at})
