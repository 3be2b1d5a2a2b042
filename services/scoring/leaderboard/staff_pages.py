"""Pages for those who count, decide and announce: all columns, freezing, the ceremony."""

from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from contracts.calendar import LOCAL
from services.runtime.access.rules import access
from services.runtime.audit import Audit
from services.runtime.auth import Role
from services.runtime.clock import Clock
from services.runtime.web.site import Site
from services.scoring.asof import Stop
from services.scoring.domain.awarding import undecided
from services.scoring.leaderboard.audience import COUNTING, STAFF, Audience
from services.scoring.leaderboard.failures import busy, no_board
from services.scoring.leaderboard.freezing import FreezeConflictError, Freezes, PositionError
from services.scoring.leaderboard.imagining import awards_on
from services.scoring.leaderboard.links import of_board, query
from services.scoring.leaderboard.past_pages import chosen_board
from services.scoring.leaderboard.showing import in_order
from services.scoring.leaderboard.views import Board
from services.scoring.turns import BusyError

DECIDING = (Role.REVIEWER, Role.LEADER)
LONGEST_FORM = 20_000


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a small form.

    Raises:
        HTTPException: it is too large or no form.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_FORM:
            raise HTTPException(413, TOO_LARGE)
    try:
        read = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        raise HTTPException(422, TOO_LARGE) from None
    return {name: values[0].strip() for name, values in read.items()}


TOO_LARGE = {
    "error": "form",
    "vi": "Biểu mẫu quá lớn hoặc không đọc được.",
    "en": "The form is too large or cannot be read.",
}


def add_staff(router: APIRouter, audience: Audience[Any], site: Site) -> None:
    """`/staff`: declared, verified and waiting, indicator by indicator."""

    @router.get("/staff", openapi_extra=access(*COUNTING))
    async def staff_page(
        request: Request,
        plan: str | None = None,
        bloc: str | None = None,
        period: str | None = None,
    ) -> HTMLResponse:
        """The board with all its columns."""
        await audience.require(request, *COUNTING)
        board = chosen_board(await audience.source(request), plan, bloc, period)
        if board is None:
            return no_board(site, request)
        return site.page(
            request,
            "staff.html",
            board=board,
            rows=in_order(board.rows),
            awards=awards_on(board),
            ties=undecided(awards_on(board), board.bloc),
        )


def add_ceremony(router: APIRouter, audience: Audience[Any], site: Site) -> None:
    """`/ceremony`: places announced one by one, the last one first."""

    @router.get("/ceremony", openapi_extra=access(*STAFF))
    async def ceremony_page(
        request: Request,
        plan: str | None = None,
        bloc: str | None = None,
        period: str | None = None,
        shown: int = 0,
    ) -> HTMLResponse:
        """So many awards are announced; a key or the link announces the next."""
        await audience.require(request, *STAFF)
        board = chosen_board(audience.live, plan, bloc, period)
        if board is None:
            return no_board(site, request)
        awards = awards_on(board)
        winners = [row for row in reversed(in_order(board.rows)) if row.unit.code in awards]
        shown = min(max(0, shown), len(winners))
        step = {"plan": board.plan.id, "bloc": board.bloc.code, "period": board.period}
        return site.page(
            request,
            "ceremony.html",
            board=board,
            awards=awards,
            ties=undecided(awards, board.bloc),
            revealed=winners[:shown][::-1],
            left=len(winners) - shown,
            forward=query("/ceremony", **step, shown=f"{shown + 1}")
            if shown < len(winners)
            else None,
            back=query("/ceremony", **step, shown=f"{shown - 1}") if shown else None,
        )


class FreezeDesk:
    """The page on which the public board is frozen and thawed."""

    def __init__(
        self, audience: Audience[Any], site: Site, freezes: Freezes, audit: Audit, clock: Clock
    ) -> None:
        self._audience = audience
        self._site = site
        self._freezes = freezes
        self._audit = audit
        self._clock = clock

    def add(self, router: APIRouter) -> None:
        """`/freeze`."""
        rule = access(*DECIDING)
        router.add_api_route("/freeze", self.show, methods=["GET"], openapi_extra=rule)
        router.add_api_route("/freeze", self.decide, methods=["POST"], openapi_extra=rule)

    async def show(
        self, request: Request, plan: str | None = None, bloc: str | None = None
    ) -> HTMLResponse:
        """What is frozen, and the form."""
        await self._audience.require(request, *DECIDING)
        return await self._page(request, plan, bloc, {}, {})

    async def _page(
        self,
        request: Request,
        plan: str | None,
        bloc: str | None,
        typed: dict[str, str],
        faults: dict[str, str],
    ) -> HTMLResponse:
        board = chosen_board(self._audience.live, plan, bloc, None)
        if board is None:
            return no_board(self._site, request)
        return self._site.page(
            request,
            "freeze.html",
            status=422 if faults else 200,
            board=board,
            freeze=self._freezes.of(board.plan.id, board.bloc.code),
            positions=await self._freezes.positions(),
            typed=typed,
            faults=faults,
            now=self._clock.now(),
        )

    async def decide(
        self, request: Request, plan: str | None = None, bloc: str | None = None
    ) -> Response:
        """Freeze or thaw, with a reason."""
        principal = await self._audience.require(request, *DECIDING)
        typed = await form_of(request)
        board = chosen_board(self._audience.live, plan, bloc, None)
        if board is None:
            return no_board(self._site, request)
        thaws = typed.get("act") == "thaw"
        faults = self._faults(request, typed, board)
        stop = None if thaws or faults else await self._stop(request, typed, faults)
        if not faults:
            await self._audit.record(
                principal.subject,
                "board.thaw" if thaws else "board.freeze",
                f"{board.plan.id}|{board.bloc.code}",
                reason=typed["reason"],
                detail=_detail(stop),
            )
            try:
                await self._act(board, stop, principal.subject, typed["reason"])
            except FreezeConflictError:
                faults = self._faults(request, typed, board)
            except BusyError as refused:
                return busy(self._site, request, refused)
        if faults:
            return await self._page(request, plan, bloc, typed, faults)
        return RedirectResponse(of_board(board, "/freeze"), 303)

    def _faults(self, request: Request, typed: dict[str, str], board: Board) -> dict[str, str]:
        """Field -> what is wrong with it."""
        words, faults = self._site.words_for(request), {}
        freezes = typed.get("act") != "thaw"
        if not typed.get("reason"):
            faults["reason"] = words.gettext("Ghi lý do: lý do được lưu cùng quyết định.")
        if freezes and typed.get("at") and _instant(typed["at"]) is None:
            faults["at"] = words.gettext("Ghi ngày và giờ, ví dụ 2023-12-31T17:00.")
        if freezes and typed.get("at") and typed.get("position"):
            faults["position"] = words.gettext("Ghi thời điểm hoặc vị trí, không ghi cả hai.")
        known = self._freezes.of(board.plan.id, board.bloc.code)
        if freezes == (known is not None):
            faults["act"] = words.gettext("Bảng đã đổi trạng thái. Hãy xem lại rồi quyết định.")
        return faults

    async def _stop(
        self, request: Request, typed: dict[str, str], faults: dict[str, str]
    ) -> Stop | None:
        """Where to freeze: at a position, at an instant, or now; None, with a fault, when nowhere."""
        position = typed.get("position", "").lower()
        if not position:
            return Stop(_instant(typed.get("at", "")) or self._clock.now())
        try:
            return await self._freezes.stop_at(position)
        except PositionError:
            words = self._site.words_for(request)
            faults["position"] = words.gettext(
                "Sổ cái không có vị trí này hoặc chưa tới. Chọn một vị trí trong danh sách "
                "hoặc ở trang Kiểm chứng."
            )
            return None

    async def _act(self, board: Board, stop: Stop | None, by: str, reason: str) -> None:
        if stop is None:
            await self._freezes.thaw(board.plan.id, board.bloc.code)
        else:
            await self._freezes.freeze(board.plan, board.bloc.code, stop, by, reason)


def _detail(stop: Stop | None) -> dict[str, str]:
    """What the audit keeps of a freeze beside its reason."""
    if stop is None:
        return {}
    at = {"at": stop.at.isoformat()}
    return at if stop.position is None else at | {"position": stop.position}


def _instant(text: str) -> datetime | None:
    """A local date and time as a browser sends it."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=LOCAL)
