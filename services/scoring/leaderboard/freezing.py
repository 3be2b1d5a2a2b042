"""Frozen boards: from an instant on the public sees what stood then, and nothing newer, until it is thawed.

A freeze is one stored document with a snapshot of each period of the bloc. What the public reads is made from the
snapshot alone, so that no later event can change a byte of it. Staff go on reading what is live.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from contracts.calendar import all_periods
from contracts.plan import Plan, in_force
from services.runtime.clock import Clock
from services.runtime.mongo import Document
from services.scoring.asof import PastBoards
from services.scoring.leaderboard.feed import Feed, rows_of
from services.scoring.leaderboard.views import (
    Board,
)
from services.scoring.store import ScoringStore

Place = tuple[str, str]
"""(plan, bloc)."""


class FreezeConflictError(Exception):
    """The board is frozen or waits to be frozen already, or is not frozen at all."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """Since when, or from when on, a bloc's boards stand still for the public."""

    plan: str
    bloc: str
    at: datetime
    by: str
    reason: str
    boards: dict[str, Board] = field(default_factory=dict)
    """Period -> what the public sees; empty while its time has not come."""

    @property
    def holds(self) -> bool:
        """Whether it is in effect."""
        return bool(self.boards)


class Freezes:
    """The freezes of all boards, as they are stored; each web process looks them up every second."""

    def __init__(self, store: ScoringStore, feed: Feed, past: PastBoards, clock: Clock) -> None:
        self._store = store
        self._feed = feed
        self._past = past
        self._clock = clock
        self._known: dict[Place, Freeze] = {}
        self._stamps: dict[Place, tuple[Any, ...]] = {}

    def of(self, plan: str, bloc: str) -> Freeze | None:
        """The freeze of a bloc, in effect or to come."""
        return self._known.get((plan, bloc))

    def holding(self, plan: str, bloc: str) -> Freeze | None:
        """The freeze of a bloc, if it is in effect."""
        found = self.of(plan, bloc)
        return found if found is not None and found.holds else None

    async def freeze(self, plan: Plan, bloc: str, at: datetime, by: str, reason: str) -> None:
        """Freeze a bloc as it stood or will stand at an instant.

        Raises:
            FreezeConflictError: it is frozen or waits to be frozen already.
        """
        await self.look()
        if (plan.id, bloc) in self._known:
            raise FreezeConflictError
        stored: Document = {
            "_id": f"{plan.id}|{bloc}",
            "plan": plan.id,
            "bloc": bloc,
            "at": at,
            "by": by,
            "reason": reason,
            "made": False,
        }
        if at <= self._clock.now():
            past = await self._past.rows(at)
            boards = {p: past.get((plan.id, bloc, p), {}) for p in all_periods(plan.months)}
            await self._store_snapshot(stored["_id"], plan, boards)
            stored["made"] = True
        await self._store.freezes.insert_one(stored)
        await self.look()

    async def thaw(self, plan: str, bloc: str) -> Freeze:
        """Let the public see what is live again.

        Raises:
            FreezeConflictError: it is not frozen.
        """
        await self.look()
        found = self._known.get((plan, bloc))
        if found is None:
            raise FreezeConflictError
        await self._store.freezes.delete_one({"_id": f"{plan}|{bloc}"})
        await self.look()
        return found

    async def look(self) -> None:
        """Take over what is stored; make the snapshot of a freeze whose time has come."""
        stored = {(one["plan"], one["bloc"]): one async for one in self._store.freezes.find()}
        for one in stored.values():
            if not one["made"] and one["at"] <= self._clock.now():
                await self._take_now(one)
        changed = self._stamps.keys() - stored.keys()
        for gone in changed:
            del self._known[gone], self._stamps[gone]
        for place, one in stored.items():
            stamp = one["at"], one["made"], one["by"]
            if self._stamps.get(place) != stamp:
                self._known[place] = await self._read(one)
                self._stamps[place] = stamp
                changed = {*changed, place}
        if changed:
            self._feed.notify()

    async def _take_now(self, one: Document) -> None:
        plan = self._feed.plan(one["plan"])
        if plan is None:
            return
        boards = {
            period: self._feed.stored_rows((plan.id, one["bloc"], period))
            for period in all_periods(plan.months)
        }
        await self._store_snapshot(one["_id"], plan, boards)
        await self._store.freezes.update_one({"_id": one["_id"]}, {"$set": {"made": True}})
        one["made"] = True

    async def _store_snapshot(
        self, freeze: str, plan: Plan, boards: dict[str, dict[str, Document]]
    ) -> None:
        for period, rows in boards.items():
            name = f"{freeze}|{period}"
            judge = self._feed.rules_for(plan.id, period) or plan
            kept = {"_id": name, "version": judge.version, "rows": list(rows.values())}
            await self._store.frozen.replace_one({"_id": name}, kept, upsert=True)

    async def _read(self, one: Document) -> Freeze:
        freeze = Freeze(one["plan"], one["bloc"], one["at"], one["by"], one["reason"])
        plan = self._feed.plan(freeze.plan)
        if not one["made"] or plan is None:
            return freeze
        for period in all_periods(plan.months):
            kept = await self._store.frozen.find_one({"_id": f"{one['_id']}|{period}"})
            if kept is not None:
                freeze.boards[period] = self._board(freeze, period, kept)
        return freeze

    def _board(self, freeze: Freeze, period: str, kept: Document) -> Board:
        versions = self._feed.versions(freeze.plan)
        rules = versions.get(kept["version"]) or in_force(versions.values(), period)
        bloc = rules.bloc(freeze.bloc)
        if bloc is None:
            raise LookupError(f"plan {rules.id} has no bloc {freeze.bloc}")
        rows = rows_of(rules, bloc, {row["unit"]: row for row in kept["rows"]})
        name = f"frozen-{int(freeze.at.timestamp())}"
        return Board(rules, bloc, period, name, freeze.at, 0.0, None, rows, freeze.at)
