"""Closing a period by hand, and which periods are closed."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from services.runtime.access.guard import Guard
from services.runtime.access.rules import access
from services.runtime.auth import Role
from services.runtime.mongo import Document
from services.runtime.resources import Resources
from services.scoring.closing import HandClosing
from services.scoring.freezing import ClosingError

WHO_SEES = (Role.REVIEWER, Role.LEADER, Role.OBSERVER, Role.VIEWER)
REFUSALS = {
    "no_such_plan": (404, "Không có kế hoạch này.", "There is no such plan."),
    "no_such_period": (404, "Kế hoạch không có kỳ này.", "The plan has no such period."),
    "period_runs": (
        409,
        "Kỳ này chưa kết thúc nên chưa chốt được.",
        "The period still runs and cannot be closed yet.",
    ),
}


def refusal(code: str) -> JSONResponse:
    """Why it cannot be closed, in both languages."""
    status, vi, en = REFUSALS[code]
    return JSONResponse({"error": code, "vi": vi, "en": en}, status)


def closing_json(asked: Document) -> dict[str, Any]:
    """A closing as the API shows it; `frozen` is null until the worker has made it."""
    shown = {name: asked[name] for name in ("plan", "period", "cause", "by", "frozen")}
    return shown | {"at": asked["at"].isoformat()}


def closing_api(own: Resources, guard: Guard) -> APIRouter:
    """The routes below `/api/v1/closings`."""
    router = APIRouter(prefix="/api/v1/closings", tags=["closings"])

    @router.get("/{plan}", openapi_extra=access(*WHO_SEES))
    async def closed_periods(request: Request, plan: str) -> list[dict[str, Any]]:
        """Periods that are closed or about to be, in the order of their instants."""
        await guard.require(request, *WHO_SEES)
        return [closing_json(asked) for asked in await HandClosing(own).closings(plan)]

    @router.post("/{plan}/{period}", status_code=202, openapi_extra=access(Role.REVIEWER))
    async def close_period(request: Request, plan: str, period: str) -> Response:
        """Close a period that has ended, as of now; a repeat answers with the closing that is there."""
        who = await guard.require(request, Role.REVIEWER)
        try:
            asked = await HandClosing(own).close(plan, period, who.subject)
        except ClosingError as error:
            return refusal(error.code)
        return JSONResponse(closing_json(asked), 202)

    return router
