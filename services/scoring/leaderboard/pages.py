"""The leaderboard's pages for people: the board, a unit, the published rules."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from contracts.calendar import local_date
from services.runtime.access.rules import all_of, everybody
from services.runtime.web.site import Site
from services.scoring.leaderboard import (
    advising,
    drawing,
    links,
    rule_words,
    vocabulary,
    words as sentences,
)
from services.scoring.leaderboard.audience import Audience, visitor_of
from services.scoring.leaderboard.failures import busy, no_board, no_past
from services.scoring.leaderboard.past_pages import (
    add_compare,
    add_history,
    add_play,
    chosen_board,
)
from services.scoring.leaderboard.sharing_pages import (
    add_embed,
    add_export,
    add_qr,
    dated_board,
)
from services.scoring.leaderboard.showing import BoardView, as_units
from services.scoring.leaderboard.staff_pages import add_ceremony, add_staff
from services.scoring.leaderboard.unit_pages import add_between, add_unit, add_what_if
from services.scoring.leaderboard.views import AS_OF, Board, FutureError
from services.scoring.turns import BusyError


def leaderboard_site() -> Site:
    """Templates, static files and words of the leaderboard."""
    return Site("leaderboard", Path(__file__).parent, "Thi Đua", _TOOLS)


def pages(
    audience: Audience[Any], site: Site | None = None, ancestors: str = "'self'"
) -> APIRouter:
    """The routes that everybody may open, and their static files."""
    site = site or leaderboard_site()
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    router.include_router(site.router())
    for add in (
        _add_board,
        add_unit,
        add_what_if,
        add_between,
        _add_plan,
        add_history,
        add_compare,
        add_play,
        add_export,
        add_staff,
        add_ceremony,
    ):
        add(router, audience, site)
    add_embed(router, audience, site, ancestors)
    add_qr(router)
    return all_of(router, everybody())


def _add_board(router: APIRouter, audience: Audience[Any], site: Site) -> None:
    @router.get("/")
    async def board_page(  # noqa: PLR0913, PLR0917 - one for each parameter
        request: Request,
        plan: str | None = None,
        bloc: str | None = None,
        period: str | None = None,
        as_of: str | None = None,
        display: Literal["wall"] | None = None,
        part: int = 1,
    ) -> HTMLResponse:
        """The board of one bloc in one period, now or at the end of a day."""
        source = await audience.source(request)
        known = source.plans()
        if not known:
            return site.page(request, "no_plan.html")
        try:
            board = chosen_board(source, plan, bloc, period)
            board = await dated_board(source, board, as_of, visitor_of(request))
        except FutureError:
            return no_past(site, request)
        except BusyError as refused:
            return busy(site, request, refused)
        if board is None:
            return no_board(site, request)
        view = BoardView(board, known, site.words_for(request), part)
        template = "wall.html" if display == "wall" else "board.html"
        return site.page(
            request, template, view=view, board=board, public=_public(audience, board)
        )


def _public(audience: Audience[Any], board: Board) -> Board | None:
    """What the public sees instead of this board; None when it is the same."""
    shown = audience.public.board(board.plan.id, board.bloc.code, board.period)
    frozen = shown is not None and shown.frozen_at is not None and board.frozen_at is None
    return shown if frozen and board.version != AS_OF else None


def _add_plan(router: APIRouter, audience: Audience[Any], site: Site) -> None:
    @router.get("/plans/{plan}")
    async def plan_page(request: Request, plan: str) -> HTMLResponse:
        """The published rules, for people."""
        found = audience.public.plan(plan)
        if found is None:
            return no_board(site, request)
        return site.page(request, "plan.html", plan=found)


_TOOLS: tuple[Callable[..., object], ...] = (
    local_date,
    drawing.length,
    drawing.curve,
    as_units,
    links.of_board,
    links.of_unit,
    advising.threshold_sentence,
    advising.room_sentence,
    advising.step_sentence,
    sentences.rule_title,
    sentences.award_names,
    sentences.shortage,
    rule_words.rule_of,
    sentences.exclusion_reason,
    sentences.lifted_reason,
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


def copy_page(site: Site) -> Callable[[list[Board], dict[str, Any]], str]:
    """Renders the page of a signed copy, in Vietnamese: a file has no reader's wish."""
    return lambda boards, content: site.render(
        "vi", "copy.html", boards=boards, content=content
    )
