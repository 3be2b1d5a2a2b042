"""Frozen boards: from an instant on the public sees what stood then, and nothing newer, until it is thawed.

A freeze is one stored document with a snapshot of each period of the bloc. What the public reads is made from the
snapshot alone, so that no later event can change a byte of it. Staff go on reading what is live.
"""

import asyncio
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pymongo.errors import DuplicateKeyError

from contracts.calendar import all_periods
from contracts.plan import Plan, in_force
from contracts.streams import INDICATOR
from services.runtime.clock import Clock
from services.runtime.journal import Journal, Pack
from services.runtime.mongo import Document
from services.scoring.asof import PastBoards, Stop
from services.scoring.leaderboard.feed import Feed, rows_of
from services.scoring.leaderboard.views import Board
from services.scoring.store import ScoringStore

POSITIONS_OFFERED = 20
_POSITION = re.compile("[0-9a-f]{11,23}")
"""The id of a pack, or its first eleven digits as the chain of hashes names them."""
Place = tuple[str, str]
"""(plan, bloc)."""


class PositionError(ValueError):
    """The journal has no such position, or has not come so far yet."""


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
    position: str | None = None
    """The last pack of the journal that counts, if it was frozen at a position and not at an instant."""
    boards: dict[str, Board] = field(default_factory=dict)
    """Period -> what the public sees; empty while its time has not come."""

    @property
    def holds(self) -> bool:
        """Whether it is in effect."""
        return bool(self.boards)


class Freezes:
    """The freezes of all boards, as they are stored; each web process looks them up every second."""

    def __init__(
        self, store: ScoringStore, journal: Journal, feed: Feed, past: PastBoards, clock: Clock
    ) -> None:
        self._store = store
        self._journal = journal
        self._feed = feed
        self._past = past
        self._clock = clock
        self._known: dict[Place, Freeze] = {}
        self._stamps: dict[Place, tuple[Any, ...]] = {}
        self._looking = asyncio.Lock()
        """A look that was overtaken by another one must not bring back what it saw before."""

    def of(self, plan: str, bloc: str) -> Freeze | None:
        """The freeze of a bloc, in effect or to come."""
        return self._known.get((plan, bloc))

    def holding(self, plan: str, bloc: str) -> Freeze | None:
        """The freeze of a bloc, if it is in effect."""
        found = self.of(plan, bloc)
        return found if found is not None and found.holds else None

    async def positions(self) -> list[Pack]:
        """The newest positions of the journal at which a board may be frozen, newest first."""
        return await self._journal.latest(INDICATOR.name, POSITIONS_OFFERED)

    async def stop_at(self, position: str) -> Stop:
        """Where a position of the journal is: behind the last pack of events up to it.

        Raises:
            PositionError: there is no such position, or the journal has not come so far yet.
        """
        newest = await self._journal.latest(INDICATOR.name, 1)
        if not _POSITION.fullmatch(position) or not newest or position > newest[0].id:
            raise PositionError(position)
        found = await self._journal.latest(INDICATOR.name, 1, position)
        if not found:
            raise PositionError(position)
        return Stop(found[0].accepted_at, found[0].id)

    async def freeze(self, plan: Plan, bloc: str, stop: Stop, by: str, reason: str) -> None:
        """Freeze a bloc as it stood or will stand at an instant, or as it stood at a position.

        Raises:
            FreezeConflictError: it is frozen or waits to be frozen already.
            BusyError: too many past instants are asked for at once.
        """
        await self.look()
        if (plan.id, bloc) in self._known:
            raise FreezeConflictError
        stored: Document = {
            "_id": f"{plan.id}|{bloc}",
            "plan": plan.id,
            "bloc": bloc,
            "at": stop.at,
            "position": stop.position,
            "by": by,
            "reason": reason,
            "made": False,
        }
        if stop.position is not None or stop.at <= self._clock.now():
            at_position = stop.position is not None
            past = await (self._past.rows_at(stop) if at_position else self._past.rows(stop.at))
            boards = {p: past.get((plan.id, bloc, p), {}) for p in all_periods(plan.months)}
            stored["made"], stored["snapshot"] = True, await self._keep(stored, plan, boards)
        try:
            await self._store.freezes.insert_one(stored)
        except DuplicateKeyError:
            await self._forget(stored)
            await self.look()
            raise FreezeConflictError from None
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
        gone = await self._store.freezes.find_one_and_delete({"_id": f"{plan}|{bloc}"})
        if gone is not None:
            await self._forget(gone)
        await self.look()
        return found

    async def look(self) -> None:
        """Take over what is stored; make the snapshot of a freeze whose time has come."""
        async with self._looking:
            await self._look()

    async def _look(self) -> None:
        stored = {(one["plan"], one["bloc"]): one async for one in self._store.freezes.find()}
        for one in stored.values():
            if not one["made"] and one["at"] <= self._clock.now():
                await self._take_now(one)
        changed = self._stamps.keys() - stored.keys()
        for gone in changed:
            del self._known[gone], self._stamps[gone]
        for place, one in stored.items():
            stamp = one["at"], one.get("position"), one["made"], one["by"]
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
        made = {"made": True, "snapshot": await self._keep(one, plan, boards)}
        kept = await self._store.freezes.update_one(
            {"_id": one["_id"], "made": False}, {"$set": made}
        )
        if kept.modified_count:
            one.update(made)
        else:  # another process was faster, or it was thawed: the next look finds out
            await self._forget(one | made)

    async def _keep(
        self, freeze: Document, plan: Plan, boards: dict[str, dict[str, Document]]
    ) -> str:
        """Store a snapshot under a name of its own; returns the name."""
        snapshot = f"{freeze['_id']}|{secrets.token_hex(8)}"
        for period, rows in boards.items():
            name = f"{snapshot}|{period}"
            judge = self._feed.rules_for(plan.id, period) or plan
            version = next(
                (r["version"] for r in rows.values() if "version" in r), judge.version
            )
            kept = {"_id": name, "of": snapshot, "version": version, "rows": [*rows.values()]}
            await self._store.frozen.insert_one(kept)
        return snapshot

    async def _forget(self, freeze: Document) -> None:
        """Remove the snapshot of a freeze that does not hold."""
        if "snapshot" in freeze:
            await self._store.frozen.delete_many({"of": freeze["snapshot"]})

    async def _read(self, one: Document) -> Freeze:
        freeze = Freeze(
            one["plan"], one["bloc"], one["at"], one["by"], one["reason"], one.get("position")
        )
        plan = self._feed.plan(freeze.plan)
        if not one["made"] or plan is None:
            return freeze
        for period in all_periods(plan.months):
            kept = await self._store.frozen.find_one(
                {"_id": f"{one.get('snapshot', one['_id'])}|{period}"}
            )
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
        return Board(
            rules,
            bloc,
            period,
            f"frozen-{int(freeze.at.timestamp())}",
            freeze.at,
            age_seconds=0.0,
            trouble=None,
            rows=rows,
            frozen_at=freeze.at,
            frozen_position=freeze.position,
        )
