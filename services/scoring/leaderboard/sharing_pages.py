"""A board for other places: files, a QR code of any page, a frame in another site."""

import io
from typing import Any, Literal

import segno
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response

from contracts.calendar import local_date
from services.runtime.web.site import HEADERS, Site
from services.scoring.leaderboard import exporting
from services.scoring.leaderboard.audience import Audience, visitor_of
from services.scoring.leaderboard.comparing import day_of
from services.scoring.leaderboard.failures import no_board
from services.scoring.leaderboard.http import NOT_FOUND, refusals
from services.scoring.leaderboard.past_pages import board_on, chosen_board
from services.scoring.leaderboard.showing import BoardView, in_order
from services.scoring.leaderboard.views import Board, BoardSource, FutureError

LONGEST_ADDRESS = 500
_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
}


def add_export(router: APIRouter, audience: Audience[Any], site: Site) -> None:
    """`/export.csv`, `/export.xlsx`, `/export.json`."""

    @router.get("/export.{form}")
    async def export(
        request: Request,
        form: Literal["csv", "xlsx", "json"],
        plan: str | None = None,
        bloc: str | None = None,
        period: str | None = None,
        as_of: str | None = None,
    ) -> Response:
        """Exactly what the board shows."""
        source = await audience.source(request)
        board = chosen_board(source, plan, bloc, period)
        with refusals():
            board = await dated_board(source, board, as_of, visitor_of(request))
        if board is None:
            raise HTTPException(404, NOT_FOUND | {"en": "There is no such board."})
        words, rows = site.words_for(request), in_order(board.rows)
        if form == "csv":
            content = exporting.as_csv(board, rows, words)
        elif form == "xlsx":
            content = exporting.as_xlsx(board, rows, words)
        else:
            content = exporting.as_json(board, rows)
        name = (
            f"{board.plan.id}-{board.bloc.code}-{board.period}-{local_date(board.as_of)}.{form}"
        )
        headers = {
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }
        return Response(content, media_type=_TYPES[form], headers=headers)


async def dated_board(
    source: BoardSource, board: Board | None, as_of: str | None, visitor: str
) -> Board | None:
    """The same board now, or at the end of a day.

    Raises:
        FutureError: there is no such day, or it has not come yet.
        BusyError: too many ask for the past at once, or this visitor too often.
    """
    if board is None or not as_of:
        return board
    day = day_of(as_of)
    if day is None:
        raise FutureError
    return await board_on(source, board, day, visitor)


def add_qr(router: APIRouter) -> None:
    """`/qr.svg`."""

    @router.get("/qr.svg")
    async def qr(request: Request, to: str = "/") -> Response:
        """The address of a page of this site as a QR code."""
        if not to.startswith("/") or to.startswith("//") or len(to) > LONGEST_ADDRESS:
            raise HTTPException(422, NOT_LOCAL)
        code = segno.make(str(request.base_url).rstrip("/") + to, error="m")
        drawn = io.BytesIO()
        code.save(
            drawn, kind="svg", scale=8, border=4, light="#fff", svgclass=None, lineclass=None
        )
        headers = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}
        return Response(drawn.getvalue(), media_type="image/svg+xml", headers=headers)


NOT_LOCAL = {
    "error": "address",
    "vi": "Địa chỉ phải thuộc trang này và không quá 500 ký tự.",
    "en": "The address must be of this site and have at most 500 characters.",
}


def add_embed(router: APIRouter, audience: Audience[Any], site: Site, ancestors: str) -> None:
    """`/embed/{plan}/{bloc}`."""
    policy = HEADERS["Content-Security-Policy"].replace(
        "frame-ancestors 'none'", f"frame-ancestors {ancestors}"
    )

    @router.get("/embed/{plan}/{bloc}")
    async def embedded(
        request: Request, plan: str, bloc: str, period: str | None = None
    ) -> HTMLResponse:
        """The public board without anything around it, for a frame in the site of an office."""
        source = audience.public
        board = chosen_board(source, plan, bloc, period)
        if board is None:
            return no_board(site, request)
        view = BoardView(board, source.plans(), site.words_for(request), public=True)
        answer = site.page(request, "embed.html", view=view, board=board)
        answer.headers["Content-Security-Policy"] = policy
        del answer.headers["Cross-Origin-Opener-Policy"]
        return answer
