"""The leaderboard's pages for people: the board, a unit, the published rules."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from contracts.calendar import local_date
from contracts.plan import Plan
from services.runtime.access.rules import all_of, everybody
from services.runtime.web.site import Site
from services.scoring.leaderboard import drawing, rule_words, vocabulary, words as sentences
from services.scoring.leaderboard.showing import BoardView, Links, UnitView, as_units
from services.scoring.leaderboard.views import Board, BoardSource


def leaderboard_site() -> Site:
    """Templates, static files and words of the leaderboard."""
    return Site("leaderboard", Path(__file__).parent, "Thi Đua", _TOOLS)


def pages(source: BoardSource, site: Site | None = None) -> APIRouter:
    """The routes `/`, `/units/{plan}/{unit}`, `/plans/{plan}` and their static files."""
    site = site or leaderboard_site()
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    router.include_router(site.router())
    _add_board(router, source, site)
    _add_unit(router, source, site)
    _add_plan(router, source, site)
    return all_of(router, everybody())


def _add_board(router: APIRouter, source: BoardSource, site: Site) -> None:
    @router.get("/")
    async def board_page(
        request: Request,
        plan: str | None = None,
        bloc: str | None = None,
        period: str | None = None,
        display: Literal["wall"] | None = None,
        part: int = 1,
    ) -> HTMLResponse:
        """The board of one bloc in one period."""
        known = source.plans()
        if not known:
            return site.page(request, "no_plan.html")
        chosen = known[0] if plan is None else source.plan(plan)
        board = None if chosen is None else _board(source, chosen, bloc, period)
        if board is None:
            return _no_board(site, request)
        view = BoardView(board, known, site.words_for(request), Links(request, board), part)
        template = "wall.html" if display == "wall" else "board.html"
        return site.page(request, template, view=view, board=board)


def _add_unit(router: APIRouter, source: BoardSource, site: Site) -> None:
    @router.get("/units/{plan}/{unit}")
    async def unit_page(
        request: Request,
        plan: str,
        unit: str,
        period: str | None = None,
        indicator: str | None = None,
        page: str | None = None,
    ) -> HTMLResponse:
        """One unit: its total, and what made it."""
        chosen = source.plan(plan)
        period = period or (_default_period(chosen) if chosen else "")
        found = await source.explain(plan, unit, period, indicator or None, page or None)
        if found is None:
            return _no_unit(site, request)
        view = UnitView(
            found,
            source.board(plan, found.bloc.code, period),
            site.words_for(request),
            indicator,
        )
        changes = await source.changes(plan, unit)
        return site.page(request, "unit.html", view=view, found=found, changes=changes)


def _add_plan(router: APIRouter, source: BoardSource, site: Site) -> None:
    @router.get("/plans/{plan}")
    async def plan_page(request: Request, plan: str) -> HTMLResponse:
        """The published rules, for people."""
        found = source.plan(plan)
        if found is None:
            return _no_board(site, request)
        return site.page(request, "plan.html", plan=found)


def _board(
    source: BoardSource, plan: Plan, bloc: str | None, period: str | None
) -> Board | None:
    return source.board(plan.id, bloc or plan.blocs[0].code, period or _default_period(plan))


def _default_period(plan: Plan) -> str:
    """The year in which the competition ends."""
    return f"{plan.ends_on.year}"


def _no_board(site: Site, request: Request) -> HTMLResponse:
    words = site.words_for(request)
    return site.failure(
        request,
        404,
        words.gettext("Không có bảng này"),
        words.gettext(
            "Kế hoạch, khối hoặc kỳ trong địa chỉ không có. Hãy chọn lại từ bảng xếp hạng."
        ),
    )


def _no_unit(site: Site, request: Request) -> HTMLResponse:
    words = site.words_for(request)
    return site.failure(
        request,
        404,
        words.gettext("Không có đơn vị này"),
        words.gettext(
            "Mã đơn vị, kế hoạch hoặc kỳ trong địa chỉ không có. Hãy chọn lại từ bảng xếp hạng."
        ),
    )


_TOOLS: tuple[Callable[..., object], ...] = (
    local_date,
    drawing.length,
    drawing.curve,
    as_units,
    rule_words.rule_of,
    sentences.exclusion_reason,
    sentences.rule_name,
    sentences.in_language,
    sentences.capital,
    sentences.prize_of,
    sentences.traits_of,
    sentences.distance,
    sentences.state_of,
    sentences.missing,
    sentences.figure,
    sentences.odd_figure,
    sentences.fact_fields,
    sentences.cause_of,
    sentences.trouble_in_words,
    sentences.zones,
    vocabulary.kind_of_fact,
    vocabulary.plain,
)
"""Functions that the templates call."""
