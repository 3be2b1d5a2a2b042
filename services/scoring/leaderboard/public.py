"""What everybody may read: the live boards, but of a frozen bloc only the snapshot."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from contracts.calendar import local_date
from contracts.events import UnitScored
from contracts.plan import Bloc, Plan
from services.scoring.domain.rules import UNIT_OF_POINTS, applies, full_points
from services.scoring.leaderboard.feed import BoardKey, Feed
from services.scoring.leaderboard.freezing import Freeze, Freezes
from services.scoring.leaderboard.views import (
    Board,
    Close,
    Explanation,
    IndicatorExplanation,
    PartExplanation,
    Row,
)


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
        board = None if freeze is None else freeze.boards.get(key[2])
        if board is None:
            return None
        plan, _, period = key
        return replace(
            board,
            official_at=self._feed.official_at(plan, period),
            closed_at=self._feed.closed_at(plan, period),
        )

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
        self,
        plan: str,
        bloc: str,
        period: str,
        instant: datetime,
        visitor: str | None = None,
    ) -> Board | None:
        """The standings as of an instant, at the latest of the freeze; after staff, who come first."""
        frozen = self._frozen((plan, bloc, period))
        if frozen is not None and instant >= frozen.as_of:
            return frozen
        return await self._feed.past_board(plan, bloc, period, instant, visitor or "")

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
