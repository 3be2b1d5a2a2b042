"""Addresses of the pages: every state has one that can be sent."""

from urllib.parse import quote, urlencode

from contracts.plan import Plan
from services.scoring.leaderboard.views import Board, Explanation


def query(path: str, **chosen: str | None) -> str:
    """A path with what was chosen; None is left out."""
    kept = {name: value for name, value in chosen.items() if value is not None}
    return f"{path}?{urlencode(kept)}" if kept else path


def of_board(board: Board, path: str = "/", **more: str | None) -> str:
    """A page about this board."""
    chosen: dict[str, str | None] = {
        "plan": board.plan.id,
        "bloc": board.bloc.code,
        "period": board.period,
    }
    return query(path, **(chosen | more))


def of_unit(plan: str, unit: str, beside: str = "", **chosen: str | None) -> str:
    """A page about a unit: its own, or `/what-if`, `/between`."""
    return query(f"/units/{quote(plan)}/{quote(unit)}{beside}", **chosen)


def of_explanation(found: Explanation, beside: str = "", **more: str | None) -> str:
    """The page that shows this explanation, or one beside it."""
    chosen: dict[str, str | None] = {"period": found.period}
    return of_unit(found.plan.id, found.unit.code, beside, **(chosen | more))


def default_period(plan: Plan) -> str:
    """The year in which the competition ends."""
    return f"{plan.ends_on.year}"
