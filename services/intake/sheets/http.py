"""The door for sheets: a file in, a job out, and how far the job is."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from services.intake.http import Refusal, RefusedError
from services.intake.portal.domain.words import RULES, letter
from services.intake.portal.trust import DEFAULT_SOURCE, NAME, source_named
from services.intake.sheets.desk import IMPORTERS, SheetDesk, spooled
from services.runtime.access.guard import Guard
from services.runtime.access.rules import access
from services.runtime.auth import Principal, Role
from services.runtime.mongo import Document

SHEET = "/api/v1/portal/sheet"
_WHO = access(*IMPORTERS)
UNKNOWN_JOB = Refusal(404, "unknown_job", "Không có lần nhập này.", "There is no such import.")
SOURCE_NAME = Refusal(
    422,
    "source",
    "source: chỉ gồm chữ thường, số, dấu chấm và gạch nối.",
    "source: lower-case letters, digits, dots and hyphens only.",
)


def sheet_api(desk: SheetDesk | None, guard: Guard | None) -> APIRouter:
    """The routes; without a desk only for the document."""
    api = APIRouter(tags=["sheets"])

    @api.post(SHEET, status_code=202, openapi_extra=_BODY | _WHO, responses=_ANSWERS)
    async def import_sheet(
        request: Request,
        source: str = DEFAULT_SOURCE,
        unit: Annotated[str | None, Query(max_length=64)] = None,
        dry_run: bool = False,  # noqa: FBT001, FBT002 - a query parameter
    ) -> Response:
        """Import an export of the portal, XLSX or CSV, as the body; answers with the job that does it."""
        if desk is None or guard is None:
            return Response(status_code=503)
        who = await guard.require(request, *IMPORTERS)
        try:
            source = source_for(who, source)
            with await spooled(request) as file:
                job = await desk.start(file, who, source, unit, dry_run=dry_run)
        except RefusedError as error:
            return error.refusal.response()
        return JSONResponse({"job": job, "status": f"{SHEET}/{job}"}, 202)

    @api.get(f"{SHEET}/{{job}}", openapi_extra=_WHO, responses=_STATUS)
    async def sheet_job(request: Request, job: str) -> Response:
        """How far an import is, and which cells are wrong."""
        if desk is None or guard is None:
            return Response(status_code=503)
        who = await guard.require(request, *IMPORTERS)
        found = await desk.store.job(job)
        if found is None or not may_see(who, found):
            return UNKNOWN_JOB.response()
        return JSONResponse(shown(found))

    return api


def source_for(who: Principal, wanted: str) -> str:
    """The source of an import; a bound sender has but one.

    Raises:
        RefusedError: it is no name of a source.
    """
    if Role.PORTAL in who.grants and (bound := source_named(who)) != DEFAULT_SOURCE:
        return bound
    if not NAME.match(wanted):
        raise RefusedError(SOURCE_NAME)
    return wanted


def may_see(who: Principal, job: Document) -> bool:
    """Its own, or everybody's for the standing office."""
    return job["by"] == who.subject or who.has(Role.REVIEWER)


def shown(job: Document) -> dict[str, Any]:
    """A job as programs see it."""
    names = ("state", "source", "unit", "dry_run", "rows", "taken", "repeated", "waiting")
    faults = [
        {"row": row, "column": letter(column), "field": field, "vi": vi, "en": en}
        for row, column, field, code in job["faults"]
        for vi, en in [RULES[code]]
    ]
    return {
        "job": job["_id"],
        **{name: job[name] for name in names},
        "faulty_rows": job["faulty"],
        "faults": faults,
        "reason": job.get("reason"),
        "missing": job.get("missing", []),
        "mapped": {field: letter(number) for field, number in job["mapped"].items()},
    }


_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
        },
    }
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    202: {"description": "The import has begun: ask `status`."},
    401: {"description": "Nobody, or a wrong token."},
    403: {"description": "Not your role."},
    404: {"description": "Not your unit."},
    413: {"description": "Larger than 64 MiB."},
    422: {"description": "A parameter is not valid."},
    429: {"description": "Another import runs."},
}
_STATUS: dict[int | str, dict[str, Any]] = {
    200: {"description": "How far it is."},
    401: {"description": "Nobody, or a wrong token."},
    403: {"description": "Not your role."},
    404: {"description": "There is no such import."},
}
