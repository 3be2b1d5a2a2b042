"""What the board says of a unit, for the forms of the workspace: services do not know each other, the whole does."""

from services.intake.workspace.appealing import Excluded, UnitStanding
from services.scoring.domain.rules import full_points
from services.scoring.leaderboard.views import BoardSource, Row


class BoardPoints:
    """Reads the board that is in memory anyway."""

    def __init__(self, source: BoardSource) -> None:
        self._source = source

    def of(self, plan: str, unit: str, period: str) -> UnitStanding | None:
        """A unit's line on the board; None when there is none yet."""
        known = self._source.plan(plan)
        found = None if known is None else known.unit(unit)
        board = None if found is None else self._source.board(plan, found.bloc, period)
        if board is None or found is None:
            return None
        row = next((row for row in board.rows if row.unit.code == unit), None)
        return None if row is None else _standing(row, full_points(board.bloc, found))


def _standing(row: Row, full: dict[str, int]) -> UnitStanding:
    return UnitStanding(
        row.points,
        row.verified_points,
        row.rank,
        row.eligible,
        tuple(Excluded(e.rule, e.month, e.count) for e in row.exclusions),
        {code: (*row.indicators.get(code, (0, 0)), most) for code, most in full.items()},
    )
