"""What is kept of the past: the ledger of changes, and the boards at the end of each day."""

from collections.abc import Collection
from datetime import date, datetime

from contracts.events import UnitScored
from contracts.streams import STANDING
from services.runtime.journal import Journal
from services.runtime.mongo import Document
from services.scoring.leaderboard.views import Close
from services.scoring.store import ScoringStore

PACKS_READ = 4_000
"""Of a span of time at most so many packs of the ledger are read: a week of a busy season."""
DAYS_KEPT = 800


class History:
    """Reads the ledger and the daily closes."""

    def __init__(self, store: ScoringStore, journal: Journal) -> None:
        self._store = store
        self._ledger = journal.collection(STANDING.name)

    async def changes(self, plan: str, unit: str, limit: int) -> list[UnitScored]:
        """The latest changes of a unit's total, newest first."""
        packs = self._ledger.find({"keys": unit}).sort("_id", -1)
        found: list[UnitScored] = []
        for stored in await packs.to_list(limit):
            found.extend(_entries(stored, plan, (unit,)))
        return found[:limit]

    async def between(
        self, plan: str, units: Collection[str], after: datetime, until: datetime
    ) -> list[UnitScored]:
        """The changes of some units' totals in a span of time, oldest first."""
        wanted: Document = {"keys": {"$in": list(units)}, "at": {"$gt": after, "$lte": until}}
        packs = self._ledger.find(wanted).sort("_id", 1)
        found: list[UnitScored] = []
        for stored in await packs.to_list(PACKS_READ):
            found.extend(_entries(stored, plan, units))
        return found

    async def closes(self, plan: str, bloc: str, period: str) -> list[Close]:
        """The daily closes of a board, oldest first."""
        found = await self._store.closes_of(f"{plan}|{bloc}|{period}", DAYS_KEPT)
        return [_close(stored) for stored in found]


def _entries(stored: Document, plan: str, units: Collection[str]) -> list[UnitScored]:
    names = [f'"unit":"{unit}"'.encode() for unit in units]
    lines = bytes(stored["body"]).split(b"\n")
    wanted = [line for line in lines if any(name in line for name in names)]
    read = [UnitScored.model_validate_json(line) for line in wanted]
    return [change for change in read if change.unit in units and change.plan == plan]


def _close(stored: Document) -> Close:
    units = {unit: (rank, points) for unit, (rank, points) in stored["units"].items()}
    return Close(date.fromisoformat(stored["on"]), units)
