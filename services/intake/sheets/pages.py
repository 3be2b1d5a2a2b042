"""The page on which people import an export of the portal by hand, and see what became of it."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import FormData, UploadFile

from services.intake.http import Refusal, RefusedError
from services.intake.portal import showing
from services.intake.portal.domain.canonical import Known
from services.intake.portal.trust import DEFAULT_SOURCE
from services.intake.sheets.desk import IMPORTERS, SheetDesk, refuse_large, units_of
from services.intake.sheets.domain.columns import BY_FIELD, COLUMNS, plain_header
from services.intake.sheets.http import may_see, source_for
from services.runtime.access.guard import Guard
from services.runtime.access.rules import access, all_of
from services.runtime.audit import Audit
from services.runtime.auth import Principal, Role
from services.runtime.mongo import Document
from services.runtime.web.site import Site

SHEETS = "/sheets"
NO_FILE = Refusal(
    422, "no_file", "Hãy chọn một tệp XLSX hoặc CSV.", "Choose an XLSX or CSV file."
)


class SheetPages:
    """The pages of imports."""

    def __init__(
        self, site: Site, guard: Guard, desk: SheetDesk, known: Known, audit: Audit
    ) -> None:
        self._site, self._guard, self._desk = site, guard, desk
        self._known, self._audit = known, audit

    def router(self) -> APIRouter:
        """Their routes."""
        router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
        job = SHEETS + "/{job}"
        for path, read, change in (
            (SHEETS, self.sheets, self.import_sheet),
            (job, self.job_page, self.correct),
        ):
            router.add_api_route(path, read, methods=["GET"])
            router.add_api_route(path, change, methods=["POST"])
        return all_of(router, access(*IMPORTERS))

    async def sheets(self, request: Request) -> Response:
        """A form for a file, and the latest imports."""
        return await self._form(request)

    async def _form(self, request: Request, refusal: Refusal | None = None) -> Response:
        who = await self._guard.require(request, *IMPORTERS)
        allowed = units_of(who)
        units = {c: n for c, n in self._known.units.items() if not allowed or c in allowed}
        by = None if who.has(Role.REVIEWER) else who.subject
        return self._site.page(
            request,
            "sheets.html",
            status=200 if refusal is None else refusal.status,
            units=units,
            jobs=await self._desk.store.newest(by),
            source=DEFAULT_SOURCE,
            error=_said(self._site, request, refusal),
        )

    async def import_sheet(self, request: Request) -> Response:
        """Start an import, and go to its page."""
        who = await self._guard.require(request, *IMPORTERS)
        try:
            refuse_large(request)
            async with request.form(max_files=1, max_fields=10) as form:
                job = await self._start(who, form)
        except RefusedError as error:
            return await self._form(request, error.refusal)
        return RedirectResponse(f"{SHEETS}/{job}", 303)

    async def _start(self, who: Principal, form: FormData) -> str:
        source = source_for(who, str(form.get("source") or DEFAULT_SOURCE))
        named = str(form.get("unit", ""))
        unit = named if named in self._known.units else None
        file, dry_run = _file(form), "dry_run" in form
        detail: dict[str, str | int | bool] = {"source": source, "dry_run": dry_run}
        await self._audit.record(who.subject, "sheet.import", unit or "*", detail=detail)
        return await self._desk.start(file.file, who, source, unit, dry_run=dry_run)

    async def job_page(self, request: Request, job: str) -> Response:
        """How far an import is, which cells are wrong, what its columns mean."""
        who = await self._guard.require(request, *IMPORTERS)
        found = await self._desk.store.job(job)
        if found is None or not may_see(who, found):
            title, advice = showing.no_such_job(self._site.words_for(request))
            return self._site.failure(request, 404, title, advice, SHEETS)
        fields = [column.field for column in COLUMNS]
        columns = _columns(found)
        return self._site.page(request, "job.html", job=found, fields=fields, columns=columns)

    async def correct(self, request: Request, job: str) -> Response:
        """Remember what the columns of a source mean."""
        who = await self._guard.require(request, *IMPORTERS)
        found = await self._desk.store.job(job)
        if found is not None and may_see(who, found):
            form = await request.form(max_files=0, max_fields=500)
            await self._desk.store.correct(found["source"], _pairs(found, form))
        return RedirectResponse(SHEETS, 303)


def _file(form: FormData) -> UploadFile:
    file = form.get("file")
    if not isinstance(file, UploadFile) or not file.size:
        raise RefusedError(NO_FILE)
    return file


def _said(site: Site, request: Request, refusal: Refusal | None) -> str:
    if refusal is None:
        return ""
    return refusal.vi if site.words_for(request).lang == "vi" else refusal.en


def _columns(job: Document) -> list[tuple[int, str, str]]:
    """(number, header, what it means) of every column."""
    meaning = {number: field for field, number in job["mapped"].items()}
    return [(n, header, meaning.get(n, "")) for n, header in enumerate(job["headers"])]


def _pairs(job: Document, form: FormData) -> dict[str, str]:
    """Header -> field, of the columns whose meaning was changed."""
    pairs = {}
    for number, header, meaning in _columns(job):
        said = str(form.get(f"column-{number}", meaning))
        if header and said != meaning and (not said or said in BY_FIELD):
            pairs[plain_header(header)] = said
    return pairs
