"""The pages through time: curves of points and ranks, two days beside each other, a year played through."""

from datetime import date
from itertools import zip_longest
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from contracts.calendar import local_date
from services.runtime.web.site import Site
from services.scoring.leaderboard.audience import Audience, visitor_of
from services.scoring.leaderboard.comparing import compared, day_of, end_of
from services.scoring.leaderboard.curves import Chart, played
from services.scoring.leaderboard.failures import busy, no_board, no_past
from services.scoring.leaderboard.links import default_period
from services.scoring.leaderboard.views import Board, BoardSource, FutureError
from services.scoring.turns import BusyError

DRAWN = 8
"""So many curves can still be told apart; with more units the first ones are drawn until others are chosen."""


def add_history(router: APIRouter, audience: Audience[Any], site: Site) -> None:
    """`/history`: curves and tables."""

    @router.get("/history")
    async def history_page(
        request: Request,
        plan: str | None = None,
        bloc: str | None = None,
        period: str | None = None,
        what: str = "points",
    ) -> HTMLResponse:
        """How points and ranks of a bloc went, day by day."""
        source = await audience.source(request)
        board = chosen_board(source, plan, bloc, period)
        if board is None:
            return no_board(site, request)
        closes = await source.closes(board.plan.id, board.bloc.code, board.period)
        wanted = request.query_params.getlist("unit")
        known = [row.unit.code for row in board.rows]
        units = [u for u in known if u in wanted][:DRAWN] or known[:DRAWN]
        chart = Chart(closes, units, "ranks" if what == "ranks" else "points", len(known))
        return site.page(
            request, "history.html", board=board, closes=closes, chart=chart, units=units
        )


def add_compare(router: APIRouter, audience: Audience[Any], site: Site) -> None:
    """`/compare`: two evenings, each folded anew under the rules then in force."""

    @router.get("/compare")
    async def compare_page(
        request: Request,
        plan: str | None = None,
        bloc: str | None = None,
        period: str | None = None,
        start: str = "",
        end: str = "",
    ) -> HTMLResponse:
        """Every unit at the end of two days."""
        source = await audience.source(request)
        board = chosen_board(source, plan, bloc, period)
        if board is None:
            return no_board(site, request)
        days = day_of(start), day_of(end)
        if days[0] is None or days[1] is None:
            wrong = bool(start or end)
            return site.page(
                request,
                "compare.html",
                status=422 if wrong else 200,
                board=board,
                moved=None,
                asked=(start, end),
                wrong=wrong,
            )
        first, last = min(days[0], days[1]), max(days[0], days[1])
        try:
            earlier = await board_on(source, board, first, visitor_of(request))
            later = await board_on(source, board, last, visitor_of(request))
        except FutureError:
            return no_past(site, request)
        except BusyError as refused:
            return busy(site, request, refused)
        return site.page(
            request,
            "compare.html",
            board=board,
            moved=compared(earlier or board, later or board),
            asked=(first.isoformat(), last.isoformat()),
            wrong=False,
        )


def add_play(router: APIRouter, audience: Audience[Any], site: Site) -> None:
    """`/play`: the daily closes one after the other."""

    @router.get("/play")
    async def play_page(
        request: Request,
        plan: str | None = None,
        bloc: str | None = None,
        period: str | None = None,
    ) -> Response:
        """A year in a minute; without a script the month ends beneath each other."""
        source = await audience.source(request)
        board = chosen_board(source, plan, bloc, period)
        if board is None:
            return no_board(site, request)
        closes = await source.closes(board.plan.id, board.bloc.code, board.period)
        month_ends = [
            close
            for close, following in zip_longest(closes, closes[1:])
            if following is None or following.on.month != close.on.month
        ]
        last = closes[-1].units if closes else {}
        return site.page(
            request,
            "play.html",
            board=board,
            racing=sorted(board.rows, key=lambda r: last.get(r.unit.code, (r.rank, 0))[0]),
            closes=closes,
            month_ends=month_ends,
            script=played(board, closes, site.words_for(request)),
        )


def chosen_board(
    source: BoardSource, plan: str | None, bloc: str | None, period: str | None
) -> Board | None:
    """The board that an address asks for; the first plan, its first bloc and its year when it does not say."""
    known = source.plans()
    chosen = known[0] if plan is None and known else source.plan(plan or "")
    if chosen is None:
        return None
    return source.board(
        chosen.id, bloc or chosen.blocs[0].code, period or default_period(chosen)
    )


async def board_on(source: BoardSource, board: Board, day: date, visitor: str) -> Board | None:
    """The same board at the end of a day; today it is the live one.

    Raises:
        FutureError: the day has not come yet.
        BusyError: too many ask for the past at once, or this visitor too often.
    """
    if day == local_date(board.as_of):
        return board
    return await source.board_as_of(
        board.plan.id, board.bloc.code, board.period, end_of(day), visitor
    )
