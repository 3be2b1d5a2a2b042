"""Closing a period by hand: a page that says what it does, asks for a confirmation, and leads back to the packages."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.reports.domain.closing import Closer, ClosingRefusedError, Period
from services.reports.pages import SEE, Desk
from services.reports.refusals import Refusal, refusal
from services.runtime.access.forms import field, read_form
from services.runtime.access.rules import access
from services.runtime.auth import Role

AFTERWARDS = "/packages#closing"


def closing_pages(desk: Desk, closer: Closer) -> APIRouter:
    """The routes below `/packages/closings`."""
    router = APIRouter(
        prefix="/packages/closings",
        include_in_schema=False,
        default_response_class=HTMLResponse,
    )

    @router.get("/{plan}/{period}", openapi_extra=access(Role.REVIEWER))
    async def ask(request: Request, plan: str, period: str) -> Response:
        """What closing it does, and the question whether to."""
        await desk.guard.require(request, Role.REVIEWER)
        return await _page(desk, closer, request, plan, period)

    @router.post("/{plan}/{period}", openapi_extra=access(Role.REVIEWER))
    async def close(request: Request, plan: str, period: str) -> Response:
        """Close it as of now."""
        who = await desk.guard.require(request, Role.REVIEWER)
        confirmed = field(await read_form(request), "confirmed")
        if not confirmed:
            return await _page(desk, closer, request, plan, period, refusal("not_confirmed"))
        await closer.close(plan, period, who.subject)
        return RedirectResponse(AFTERWARDS, SEE)

    return router


async def _page(
    desk: Desk,
    closer: Closer,
    request: Request,
    plan: str,
    period: str,
    refused: Refusal | None = None,
) -> Response:
    found = _period(await closer.periods(plan), period)
    if found.state in ("asked", "closed"):
        return RedirectResponse(AFTERWARDS, SEE)
    packages = desk.office.packages
    rules = next(p for p in await packages.store.newest_plans() if p.id == plan)
    return desk.site.page(
        request,
        "closing.html",
        status=200 if refused is None else refused.status,
        plan=rules,
        period=found,
        undecided=await packages.undecided(rules, period),
        refusal=refused,
    )


def _period(known: list[Period], code: str) -> Period:
    found = next((one for one in known if one.code == code), None)
    if found is None:
        raise ClosingRefusedError("no_such_period")
    if found.state == "runs":
        raise ClosingRefusedError("period_runs")
    return found
