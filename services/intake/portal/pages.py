"""The standing office's pages: what waits and why, and how good the sources are."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.intake.domain.names import ANY_SOURCE
from services.intake.portal import showing
from services.intake.portal.desk import Desk
from services.intake.portal.directory import Alias
from services.intake.portal.domain.canonical import Known
from services.intake.portal.qualities import QualityStore
from services.intake.portal.trust import NAME
from services.runtime.access.guard import Guard
from services.runtime.access.rules import access
from services.runtime.audit import Audit
from services.runtime.auth import Role
from services.runtime.web.site import Site

QUARANTINE, SOURCES = "/review/quarantine", "/review/sources"
READERS = (Role.REVIEWER, Role.OBSERVER)


def desk_site() -> Site:
    """Templates, static files and words of these pages."""
    return Site("desk", Path(__file__).parent, "Thi Đua", _TOOLS)


def quarantine_pages(
    site: Site, guard: Guard, desk: Desk, known: Known, audit: Audit
) -> APIRouter:
    """`/review/quarantine`: causes, what waits for one, and fixing it."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

    @router.get(QUARANTINE, openapi_extra=access(*READERS))
    async def quarantine(request: Request, done: str = "", error: str = "") -> Response:
        who = await guard.require(request, *READERS)
        causes = await desk.causes()
        total, _ = await desk.total()
        return site.page(
            request,
            "quarantine.html",
            causes=showing.grouped(causes),
            total=total,
            known=known,
            may_fix=who.has(Role.REVIEWER),
            done=done,
            error=error,
        )

    @router.get(QUARANTINE + "/cause", openapi_extra=access(*READERS))
    async def cause(request: Request, kind: str, value: str = "") -> Response:
        await guard.require(request, *READERS)
        found = await desk.dossiers_of(kind, value)
        return site.page(request, "cause.html", kind=kind, value=value, found=found)

    @router.post(QUARANTINE + "/alias", openapi_extra=access(Role.REVIEWER))
    async def add_alias(request: Request) -> Response:
        who = await guard.require(request, Role.REVIEWER)
        form = await request.form(max_files=0, max_fields=10)
        name, unit = str(form.get("name", ""))[:200], str(form.get("unit", ""))
        source = str(form.get("source", "")) or ANY_SOURCE
        if not name.strip() or unit not in known.units or not _is_source(source):
            return _back(QUARANTINE, error="unit")
        await audit.record(
            who.subject, "alias.add", unit, detail={"source": source, "name": name}
        )
        told = await desk.add_aliases([Alias(source, name, unit)], who.subject)
        return _back(QUARANTINE, done=str(told))

    @router.post(QUARANTINE + "/close", openapi_extra=access(Role.REVIEWER))
    async def close(request: Request) -> Response:
        who = await guard.require(request, Role.REVIEWER)
        form = await request.form(max_files=0, max_fields=10)
        value, reason = str(form.get("value", "")), str(form.get("reason", "")).strip()[:500]
        if not reason:
            return _back(QUARANTINE, error="reason")
        await audit.record(who.subject, "broken.close", value[:200], reason=reason)
        await desk.close_broken(value, who.subject, reason)
        return _back(QUARANTINE, done="closed")

    return router


def source_pages(site: Site, guard: Guard, qualities: QualityStore) -> APIRouter:
    """`/review/sources`: what was observed about each sender."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

    @router.get(SOURCES, openapi_extra=access(*READERS))
    async def sources(request: Request, source: str = "") -> Response:
        await guard.require(request, *READERS)
        months = await qualities.months()
        names = sorted({month["source"] for month in months})
        chosen = source if source in names else (names[0] if names else "")
        rows = [month for month in months if month["source"] == chosen][:12]
        return site.page(request, "sources.html", names=names, chosen=chosen, months=rows)

    return router


def _is_source(name: str) -> bool:
    return name == ANY_SOURCE or NAME.match(name) is not None


def _back(path: str, **query: str) -> RedirectResponse:
    return RedirectResponse(f"{path}?{urlencode(query)}" if query else path, 303)


_TOOLS: tuple[Callable[..., object], ...] = (
    showing.kind_words,
    showing.kind_advice,
    showing.fault_words,
    showing.cell_words,
    showing.suggestions,
    showing.waited,
    showing.indicators,
    showing.level_words,
    showing.known_fields,
    showing.value_of,
    showing.draft_error,
    showing.draft_state,
    showing.row_fault,
    showing.job_state,
    showing.job_reason,
    showing.column_name,
    showing.letter,
    showing.source_name,
)
