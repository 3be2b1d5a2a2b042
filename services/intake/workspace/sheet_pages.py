"""Sheets over HTTP: the template, the trial with an error per cell, the button that applies it; pages and API."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from contracts.calendar import MonthCode
from services.intake.workspace.application import UnknownPlaceError
from services.intake.workspace.domain.declaring import Place
from services.intake.workspace.domain.evidence import EvidenceError
from services.intake.workspace.domain.report import ReportError
from services.intake.workspace.http import DESK, OWN, Rooms
from services.intake.workspace.refusals import (
    EXPECTED,
    fault_in,
    fault_json,
    refusal_in,
    refusal_of,
)
from services.intake.workspace.sheet_work import Sheets, Tried
from services.intake.workspace.sheets import MOST_BYTES
from services.intake.workspace.uploads import FormFile
from services.runtime.access.rules import all_of
from services.runtime.web.i18n import chosen
from services.runtime.web.site import Site

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_SEE_OTHER = 303
_FILE = {"schema": {"type": "string", "format": "binary"}}
_BODY = {"requestBody": {"required": True, "content": {"application/octet-stream": _FILE}}}


async def _whole(chunks: AsyncIterator[bytes]) -> bytes:
    content = bytearray()
    async for chunk in chunks:
        content += chunk
        if len(content) > MOST_BYTES:
            raise ReportError("sheet_unreadable")
    return bytes(content)


def _answer(content: bytes, name: str) -> Response:
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    return Response(content, headers=headers, media_type=XLSX)


def tried_json(tried: Tried) -> dict[str, Any]:
    """What a sheet would change, as the API says it."""
    return {
        "key": tried.key,
        "unchanged": tried.trial.unchanged,
        "changes": [{"unit": c.unit, "indicator": c.indicator} for c in tried.trial.changes],
        "faults": [
            {"cell": f.cell, "found": f.found, **fault_json(f.fault)}
            for f in tried.trial.faults
        ],
    }


def sheets_api(rooms: Rooms, site: Site) -> APIRouter:
    """The routes of sheets for programs."""
    api = APIRouter(prefix="/api/v1/submissions", tags=["sheets"])

    @api.get("/{plan}/{unit}/{month}/sheet", response_class=Response)
    async def blank(request: Request, plan: str, unit: str, month: MonthCode) -> Response:
        """The month as an Excel workbook, filled with what stands in the forms."""
        _, place = await rooms.own(request, plan, unit, month)
        words = site.words_for(request)
        content = await Sheets(rooms.workspace).template([place], month, words)
        return _answer(content, f"{unit}-{month}.xlsx")

    @api.post("/{plan}/{unit}/{month}/sheet", openapi_extra=_BODY)
    async def trial(request: Request, plan: str, unit: str, month: MonthCode) -> dict[str, Any]:
        """Try a filled workbook: what it would change, or an error per cell. Saves nothing."""
        principal, place = await rooms.own(request, plan, unit, month)
        content = await _whole(request.stream())
        sheets = Sheets(rooms.workspace)
        return tried_json(await sheets.try_out([place], content, principal.subject))

    @api.post("/{plan}/{unit}/{month}/sheet/{key}")
    async def apply(
        request: Request, plan: str, unit: str, month: MonthCode, key: str
    ) -> dict[str, Any]:
        """Save what was tried under this key."""
        principal, _ = await rooms.own(request, plan, unit, month)
        refused = await _apply(Sheets(rooms.workspace), key, principal.subject)
        return {"refused": [{"unit": u, "indicator": i, "error": c} for u, i, c in refused]}

    return all_of(api, OWN)


async def _apply(sheets: Sheets, key: str, by: str) -> list[tuple[str, str, str]]:
    try:
        return await sheets.apply(key, by)
    except LookupError as error:
        raise UnknownPlaceError(key) from error


def add_sheets(router: APIRouter, rooms: Rooms, site: Site) -> None:
    """Add the pages of sheets: of one unit, and of all for the office."""
    sheets = Sheets(rooms.workspace)
    for add, rule in (
        (_add_of_unit, OWN),
        (_add_of_all, DESK),
        (_add_trial_of_all, DESK),
    ):
        part = APIRouter(default_response_class=HTMLResponse)
        add(part, rooms, site, sheets)
        router.include_router(all_of(part, rule))


async def _try_page(
    request: Request, site: Site, sheets: Sheets, places: list[Place], by: str, base: str
) -> HTMLResponse:
    tried: Tried | None = None
    status, message = 200, ""
    try:
        form = FormFile(request)
        tried = await sheets.try_out(places, await _whole(await form.begun()), by)
        if tried.trial.faults:
            status = 422
            message = refusal_in(
                chosen(request), "sheet_faulty", (str(len(tried.trial.faults)),)
            )
    except (*EXPECTED, EvidenceError) as error:
        status, message = refusal_of(error, chosen(request))
    return site.page(
        request, "sheet.html", status=status, tried=tried, message=message, base=base,
        place=places[0], single=len(places) == 1, refused=[], fault_in=fault_in,
    )  # fmt: skip


def _add_of_unit(router: APIRouter, rooms: Rooms, site: Site, sheets: Sheets) -> None:
    path = "/submit/{plan}/{unit}/{month}/sheet"

    @router.get(path)
    async def page(request: Request, plan: str, unit: str, month: MonthCode) -> HTMLResponse:
        """Where sheets of a unit come from and go to."""
        _, place = await rooms.own(request, plan, unit, month)
        return site.page(
            request, "sheet.html", tried=None, message="", base=str(request.url.path),
            place=place, single=True, refused=[],
        )  # fmt: skip

    @router.get(path + "/template")
    async def download(request: Request, plan: str, unit: str, month: MonthCode) -> Response:
        """The template."""
        _, place = await rooms.own(request, plan, unit, month)
        content = await sheets.template([place], month, site.words_for(request))
        return _answer(content, f"{unit}-{month}.xlsx")

    @router.post(path)
    async def trial(request: Request, plan: str, unit: str, month: MonthCode) -> HTMLResponse:
        """Try a filled one."""
        principal, place = await rooms.own(request, plan, unit, month)
        base = str(request.url.path)
        return await _try_page(request, site, sheets, [place], principal.subject, base)

    @router.post(path + "/{key}")
    async def apply(
        request: Request, plan: str, unit: str, month: MonthCode, key: str
    ) -> Response:
        """Save it."""
        principal, place = await rooms.own(request, plan, unit, month)
        refused = await _apply(sheets, key, principal.subject)
        base = f"/submit/{plan}/{unit}/{month}"
        if not refused:
            return RedirectResponse(base, _SEE_OTHER)
        return _refused_page(request, site, place, f"{base}/sheet", refused, single=True)


def _refused_page(
    request: Request,
    site: Site,
    place: Place,
    base: str,
    refused: list[tuple[str, str, str]],
    *,
    single: bool,
) -> HTMLResponse:
    lang = chosen(request)
    said = [(unit, code, refusal_in(lang, why)) for unit, code, why in refused]
    return site.page(
        request, "sheet.html", status=409, tried=None, message="", base=base,
        place=place, single=single, refused=said,
    )  # fmt: skip


def _add_of_all(router: APIRouter, rooms: Rooms, site: Site, sheets: Sheets) -> None:
    @router.get("/review/sheet")
    async def latest(request: Request) -> Response:
        """The sheet of the current month of the latest plan."""
        await rooms.reviewer(request)
        known = rooms.workspace.plans.ids()
        if not known:
            raise UnknownPlaceError("plan")
        plan = rooms.workspace.plans.newest(known[0])
        today = rooms.workspace.clock.today().isoformat()[:7]
        month = next((m for m in reversed(plan.months) if m <= today), plan.months[0])
        return RedirectResponse(f"/review/sheet/{plan.id}/{month}", _SEE_OTHER)

    @router.get("/review/sheet/{plan}/{month}")
    async def page(request: Request, plan: str, month: MonthCode) -> HTMLResponse:
        """Where sheets of all units come from and go to."""
        await rooms.reviewer(request)
        return site.page(
            request, "sheet.html", tried=None, message="", base=str(request.url.path),
            place=sheets.all_places(plan, month)[0], single=False, refused=[],
        )  # fmt: skip

    @router.get("/review/sheet/{plan}/{month}/template")
    async def download(request: Request, plan: str, month: MonthCode) -> Response:
        """The template of all units."""
        await rooms.reviewer(request)
        content = await sheets.template(
            sheets.all_places(plan, month), month, site.words_for(request)
        )
        return _answer(content, f"{plan}-{month}.xlsx")


def _add_trial_of_all(router: APIRouter, rooms: Rooms, site: Site, sheets: Sheets) -> None:
    @router.post("/review/sheet/{plan}/{month}")
    async def trial(request: Request, plan: str, month: MonthCode) -> HTMLResponse:
        """Try a filled one."""
        who = await rooms.reviewer(request)
        base = str(request.url.path)
        return await _try_page(
            request, site, sheets, sheets.all_places(plan, month), who.subject, base
        )

    @router.post("/review/sheet/{plan}/{month}/{key}")
    async def apply(request: Request, plan: str, month: MonthCode, key: str) -> Response:
        """Save it as drafts of the units."""
        who = await rooms.reviewer(request)
        refused = await _apply(sheets, key, who.subject)
        base = f"/review/sheet/{plan}/{month}"
        if not refused:
            return RedirectResponse(base, _SEE_OTHER)
        return _refused_page(
            request, site, sheets.all_places(plan, month)[0], base, refused, single=False
        )
