"""The notifier over HTTP: the ledger of alerts for programs."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request

from services.notifier.reading import Ledger, Line
from services.notifier.wording import reason_in_words
from services.runtime.access.guard import Guard
from services.runtime.access.rules import access
from services.runtime.auth import Principal, Role
from services.runtime.web.i18n import Words

SEES_ALL = (Role.REVIEWER, Role.OBSERVER, Role.LEADER, Role.VIEWER)
NOT_FOUND = {
    "error": "not_found",
    "vi": "Không có thông báo này.",
    "en": "There is no such alert.",
}


def own_units(who: Principal) -> frozenset[str] | None:
    """The units whose alerts somebody may read; None: all."""
    if who.has(*SEES_ALL):
        return None
    scopes = [who.grants[role] for role in (Role.OFFICER, Role.HEAD) if role in who.grants]
    return None if not all(scopes) else frozenset().union(*scopes)


def alerts_api(ledger: Ledger, guard: Guard) -> APIRouter:
    """`GET /api/v1/alerts`."""
    router = APIRouter(prefix="/api/v1/alerts", tags=["alerts"])

    @router.get(
        "",
        summary="The ledger of alerts, newest first, fifty a page",
        openapi_extra=access(*SEES_ALL, Role.OFFICER, Role.HEAD),
    )
    async def alerts(  # noqa: PLR0913, PLR0917 - one parameter for each filter
        request: Request,
        plan: str = "",
        unit: str = "",
        rule: str = "",
        state: str = "",
        severity: str = "",
        page: Annotated[int, Query(ge=1, le=10_000)] = 1,
    ) -> dict[str, Any]:
        who = await guard.require(request, *SEES_ALL, Role.OFFICER, Role.HEAD)
        units = own_units(who)
        if units is not None and unit not in units:
            if unit or len(units) != 1:
                raise HTTPException(404, NOT_FOUND)
            unit = next(iter(units))
        words = ledger.tools.words["vi"]
        wanted = {
            "plan": plan, "unit": unit, "rule": rule, "state": state, "severity": severity
        }  # fmt: skip
        lines, more = await ledger.lines(words, wanted, page)
        return {"page": page, "more": more, "alerts": [line_json(one, words) for one in lines]}

    return router


def line_json(line: Line, words: Words) -> dict[str, Any]:
    """A line of the ledger as programs get it: no name, no address."""
    notice, mail = line.notice, line.mail
    return {
        "occasion": notice["occasion"],
        "rule": notice["rule"],
        "plan": notice["plan"],
        "unit": notice["unit"],
        "severity": notice["severity"],
        "form": notice["form"],
        "role": notice["role"],
        "at": notice["at"],
        "state": line.state,
        "reason": notice["reason"] if notice["state"] in {"waiting", "dropped"} else "",
        "why": reason_in_words(notice["reason"], words)
        if notice["state"] in {"waiting", "dropped"}
        else "",
        "title": line.alert.title if line.alert else "",
        "message_id": notice["mail"],
        "answer": mail["answer"] if mail else "",
        "attempts": mail["attempts"] if mail else 0,
        "acknowledged_at": line.occasion.get("acknowledged_at"),
        "retracted_at": line.occasion.get("retracted_at"),
        "retracted_why": line.occasion.get("retracted_why", ""),
    }
