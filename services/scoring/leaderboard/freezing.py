"""Frozen boards: from an instant on the public sees what stood then, and nothing newer, until it is thawed.

A freeze is one stored document with a snapshot of each period of the bloc. What the public reads is made from the
snapshot alone, so that no later event can change a byte of it. Staff go on reading what is live.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from contracts.calendar import all_periods, local_date
from contracts.events import UnitScored
from contracts.plan import Bloc, Plan, in_force
from services.runtime.clock import Clock
from services.runtime.mongo import Document
from services.scoring.asof import PastBoards
from services.scoring.domain.rules import UNIT_OF_POINTS, applies, full_points
from services.scoring.leaderboard.feed import BoardKey, Feed, rows_of
from services.scoring.leaderboard.views import (
    Board,
    Close,
    Explanation,
    IndicatorExplanation,
    PartExplanation,
    Row,
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


class PublicBoards:
    """What everybody may read: the live boards, but for those that are frozen."""

    def __init__(self, feed: Feed, freezes: Freezes) -> None:
        self._feed = feed
        self._freezes = freezes

    def plans(self) -> list[Plan]:
        """The published plans."""
        return self._feed.plans()

    def plan(self, plan: str) -> Plan | None:
        """One of them."""
        return self._feed.plan(plan)

    def rules_for(self, plan: str, period: str) -> Plan | None:
        """The version that judges a period."""
        return self._feed.rules_for(plan, period)

    def trouble(self) -> str | None:
        """None, or which part stopped."""
        return self._feed.trouble()

    async def wait(self) -> None:
        """Until some board changed."""
        await self._feed.wait()

    def _frozen(self, key: BoardKey) -> Board | None:
        freeze = self._freezes.holding(key[0], key[1])
        return None if freeze is None else freeze.boards.get(key[2])

    def board(self, plan: str, bloc: str, period: str) -> Board | None:
        """The standings; of a frozen bloc always the same."""
        return self._frozen((plan, bloc, period)) or self._feed.board(plan, bloc, period)

    def position(self, key: BoardKey) -> int:
        """Grows with every change of a board; stands still while it is frozen."""
        frozen = self._frozen(key)
        return self._feed.position(key) if frozen is None else int(frozen.as_of.timestamp())

    def ranks(self, key: BoardKey, rules: Plan) -> dict[str, int]:
        """Unit -> rank."""
        frozen = self._frozen(key)
        if frozen is None:
            return self._feed.ranks(key, rules)
        return {row.unit.code: row.rank for row in frozen.rows}

    def row(self, key: BoardKey, rules: Plan, code: str, ranks: dict[str, int]) -> Row | None:
        """One unit's row."""
        frozen = self._frozen(key)
        if frozen is None:
            return self._feed.row(key, rules, code, ranks)
        return next((row for row in frozen.rows if row.unit.code == code), None)

    def moved_since(self, key: BoardKey, position: int) -> list[str]:
        """Units whose rows moved after a position; none while frozen."""
        return [] if self._frozen(key) else self._feed.moved_since(key, position)

    async def board_as_of(
        self, plan: str, bloc: str, period: str, instant: datetime
    ) -> Board | None:
        """The standings as of an instant, at the latest of the freeze."""
        frozen = self._frozen((plan, bloc, period))
        if frozen is not None and instant >= frozen.as_of:
            return frozen
        return await self._feed.board_as_of(plan, bloc, period, instant)

    async def explain(
        self,
        plan: str,
        unit: str,
        period: str,
        indicator: str | None = None,
        page: str | None = None,
    ) -> Explanation | None:
        """What is behind a unit's points; of a frozen bloc only what the frozen row says."""
        freeze = self._freeze_of(plan, unit)
        if freeze is None:
            return await self._feed.explain(plan, unit, period, indicator, page)
        board = freeze.boards.get(period)
        row = (
            None
            if board is None
            else next((row for row in board.rows if row.unit.code == unit), None)
        )
        return None if board is None or row is None else from_row(board, row)

    def _freeze_of(self, plan: str, unit: str) -> Freeze | None:
        found = self._feed.plan(plan)
        known = None if found is None else found.unit(unit)
        return None if known is None else self._freezes.holding(plan, known.bloc)

    async def changes(self, plan: str, unit: str, limit: int = 30) -> list[UnitScored]:
        """The latest changes of a unit's total, at the latest of the freeze."""
        freeze = self._freeze_of(plan, unit)
        if freeze is None:
            return await self._feed.changes(plan, unit, limit)
        return [c for c in await self._feed.changes(plan, unit, 200) if c.at <= freeze.at][
            :limit
        ]

    async def changes_between(
        self, plan: str, units: Collection[str], after: datetime, until: datetime
    ) -> list[UnitScored]:
        """The changes of some units' totals in a span of time, at the latest of their freezes."""
        found = await self._feed.changes_between(plan, units, after, until)
        freezes = {unit: self._freeze_of(plan, unit) for unit in units}
        return [c for c in found if (f := freezes.get(c.unit)) is None or c.at <= f.at]

    async def closes(self, plan: str, bloc: str, period: str) -> list[Close]:
        """The daily closes of a board, before the day of the freeze."""
        found = await self._feed.closes(plan, bloc, period)
        freeze = self._freezes.holding(plan, bloc)
        return [c for c in found if freeze is None or c.on < local_date(freeze.at)]


def from_row(board: Board, row: Row) -> Explanation:
    """What a row alone says of its points: no facts, and counters only of indicators of one part."""
    lines = [_line(board.bloc, row, n) for n in range(len(board.bloc.indicators))]
    return Explanation(
        board.plan, board.bloc, row.unit, board.period, row, lines, [], None, 0.0
    )


def _line(bloc: Bloc, row: Row, number: int) -> IndicatorExplanation:
    indicator = bloc.indicators[number]
    points, verified = row.indicators.get(indicator.code, (0, 0))
    top, bottom = row.counters.get(indicator.code, (0, 0))
    full = full_points(bloc, row.unit).get(indicator.code, 0)
    maximum = f"{full // UNIT_OF_POINTS}.{full % UNIT_OF_POINTS:04d}"
    state = "verified" if points == verified else "declared"
    if not applies(indicator, row.unit):
        state = "not_applicable"
    elif not (top or points):
        state = "missing"
    parts = [
        PartExplanation(part, points, verified, maximum, top, bottom, top, bottom)
        for part in indicator.parts
        if len(indicator.parts) == 1
    ]
    return IndicatorExplanation(
        indicator, applies(indicator, row.unit), points, verified, maximum, state, parts
    )
