"""`/review/catalogue`: the procedures, a draft of a change, what it moves, applying it."""

from collections.abc import Sequence
from datetime import date

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from msgspec import DecodeError, json
from starlette.datastructures import FormData, UploadFile

from services.intake.portal.catalogue import CatalogueDesk
from services.intake.portal.domain.canonical import Known
from services.intake.portal.domain.catalogue import Reading, from_items, from_rows
from services.intake.portal.draft_routes import READERS, draft_router
from services.intake.portal.drafts import DraftError
from services.intake.portal.rows import SheetError, rows_of
from services.runtime.access.guard import Guard
from services.runtime.audit import Audit
from services.runtime.auth import Role
from services.runtime.web.plan_words import plan_fault
from services.runtime.web.site import Site

CATALOGUE = "/review/catalogue"
MOST_CATALOGUE_BYTES = 4 << 20
SHOWN_FAULTS = 50
ONE = ("code", "title", "level", "fee_due", "units")


class FormError(Exception):
    """A form cannot be taken; `code` says why, and the reading which lines are wrong."""

    def __init__(self, code: str, reading: Reading | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.faults: Sequence[str] = []
        self.row_faults = [] if reading is None else reading.faults[:SHOWN_FAULTS]


class CataloguePages:
    """The pages of the catalogue."""

    def __init__(
        self, site: Site, guard: Guard, desk: CatalogueDesk, known: Known, audit: Audit
    ) -> None:
        self._site, self._guard, self._desk = site, guard, desk
        self._known, self._audit = known, audit

    def router(self) -> APIRouter:
        """Their routes."""
        return draft_router(
            CATALOGUE, (self.catalogue, self.draft), (self.draft_page, self.apply)
        )

    async def catalogue(self, request: Request, plan: str = "") -> Response:
        """The procedures in force, and a form for changing them."""
        return await self._show(request, plan)

    async def _show(
        self, request: Request, plan: str, refused: FormError | None = None
    ) -> Response:
        who = await self._guard.require(request, *READERS)
        plans, lang = self._known.plans, self._site.words_for(request).lang
        return self._site.page(
            request,
            "catalogue.html",
            status=200 if refused is None else 422,
            plans=list(plans.values()),
            plan=plans.get(plan) or next(iter(plans.values()), None),
            drafts=await self._desk.drafts.newest(),
            may_change=who.has(Role.REVIEWER),
            error="" if refused is None else refused.code,
            faults=[plan_fault(lang, one) for one in refused.faults] if refused else [],
            row_faults=[] if refused is None else refused.row_faults,
        )

    async def draft(self, request: Request) -> Response:
        """Read a file or one procedure, and begin to compute what it would move."""
        who = await self._guard.require(request, Role.REVIEWER)
        async with request.form(max_files=1, max_fields=20) as form:
            plan = str(form.get("plan", ""))
            try:
                number = await self._drafted(form, plan, who.subject)
            except FormError as refused:
                return await self._show(request, plan, refused)
        return RedirectResponse(f"{CATALOGUE}/drafts/{number}", 303)

    async def _drafted(self, form: FormData, plan: str, by: str) -> str:
        if plan not in self._known.plans:
            raise FormError("plan")
        since = _day(str(form.get("since", "")))
        reading = await _read(form, frozenset(self._known.units))
        try:
            return await self._desk.draft(plan, reading, since, by)
        except DraftError as error:
            refused = FormError(error.code, reading)
            refused.faults = error.faults
            raise refused from None

    async def draft_page(self, request: Request, number: str, error: str = "") -> Response:
        """What a draft changes, and which totals it would move."""
        who = await self._guard.require(request, *READERS)
        found = await self._desk.drafts.find(number)
        if found is None:
            words = self._site.words_for(request)
            title = words.gettext("Không có bản nháp này")
            advice = words.gettext("Hãy mở lại từ danh mục thủ tục.")
            return self._site.failure(request, 404, title, advice, CATALOGUE)
        return self._site.page(
            request,
            "draft.html",
            draft=found,
            since=_day(found["since"] or ""),
            differences=self._desk.differences(found),
            may_change=who.has(Role.REVIEWER),
            error=error,
        )

    async def apply(self, request: Request, number: str) -> Response:
        """Publish the plan version of a draft."""
        who = await self._guard.require(request, Role.REVIEWER)
        await self._audit.record(who.subject, "catalogue.apply", number)
        try:
            await self._desk.apply(number)
        except DraftError as error:
            return RedirectResponse(f"{CATALOGUE}/drafts/{number}?error={error.code}", 303)
        return RedirectResponse(f"{CATALOGUE}/drafts/{number}", 303)


async def _read(form: FormData, units: frozenset[str]) -> Reading:
    """The procedures of an uploaded file, or of the fields for a single one."""
    upload = form.get("file")
    if not isinstance(upload, UploadFile) or not upload.size:
        item = {name: str(form.get(name, "")) for name in ONE}
        return from_items([item] if item["code"].strip() else [], units)
    if upload.size > MOST_CATALOGUE_BYTES:
        raise FormError("too_large")
    start = await upload.read(1)
    await upload.seek(0)
    try:
        if start in {b"[", b"{"}:
            return _from_json(await upload.read(), units)
        return from_rows(rows_of(upload.file), units)
    except (SheetError, DecodeError, UnicodeDecodeError, RecursionError):
        raise FormError("not_a_sheet") from None


def _from_json(content: bytes, units: frozenset[str]) -> Reading:
    found = json.decode(content)
    items = found.get("procedures", []) if isinstance(found, dict) else found
    return from_items(items if isinstance(items, list) else [items], units)


def _day(written: str) -> date | None:
    try:
        return date.fromisoformat(written) if written else None
    except ValueError:
        raise FormError("since") from None
