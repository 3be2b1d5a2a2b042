"""The workspace's pages for units: the months of a unit, one month, files, versions, appeals."""

from collections.abc import Callable
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from contracts.calendar import MonthCode
from services.intake.workspace import vocabulary
from services.intake.workspace.appeal_pages import add_appeals
from services.intake.workspace.appealing import Plea
from services.intake.workspace.application import UnknownPlaceError
from services.intake.workspace.domain.appeals import About
from services.intake.workspace.domain.declaring import Place
from services.intake.workspace.domain.report import NotReadyError
from services.intake.workspace.domain.values import Fault
from services.intake.workspace.forms import date_in, typed_in, values_in
from services.intake.workspace.http import DESK, OWN, REPORTING, SEEN, Rooms
from services.intake.workspace.refusals import EXPECTED, fault_in, refusal_of
from services.intake.workspace.review_pages import add_review
from services.intake.workspace.sheet_pages import add_sheets
from services.intake.workspace.showing import MonthView, Trial, month_view
from services.intake.workspace.uploads import FormFile, check_length, drop
from services.runtime.access.rules import access, all_of, everybody
from services.runtime.auth import Role
from services.runtime.web.i18n import chosen
from services.runtime.web.site import Site

_MONTH = "/submit/{plan}/{unit}/{month}"
_SEE_OTHER = 303


def workspace_site() -> Site:
    """Templates, static files and words of the workspace."""
    return Site("workspace", Path(__file__).parent, "Thi Đua", _TOOLS)


def pages(rooms: Rooms, site: Site) -> APIRouter:
    """The routes below `/submit` and `/review`."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    router.include_router(all_of(site.assets["workspace"].router(), everybody()))
    add_sheets(router, rooms, site)
    for add, rule in (
        (_add_places, access(*REPORTING)),
        (_add_month, OWN),
        (_add_drafts, OWN),
        (_add_files, OWN),
        (_add_steps, OWN),
        (add_review, DESK),
        (add_appeals, DESK),
    ):
        part = APIRouter(default_response_class=HTMLResponse)
        add(part, rooms, site)
        router.include_router(all_of(part, rule))
    return router


async def month_page(
    rooms: Rooms,
    site: Site,
    request: Request,
    place: Place,
    *,
    error: Exception | None = None,
    trial: Trial | None = None,
) -> HTMLResponse:
    """The page of one month, perhaps with what went wrong."""
    view = await month_view(rooms, place, trial)
    status = 200
    if error is not None:
        status, view.message = refusal_of(error, chosen(request))
        view.failed, view.showing_faults = True, isinstance(error, NotReadyError)
    return site.page(request, "submit.html", status=status, view=view)


def _add_places(router: APIRouter, rooms: Rooms, site: Site) -> None:
    @router.get("/submit")
    async def places(request: Request) -> Response:
        """The units that somebody reports for; straight to the month when there is one."""
        principal = await rooms.guard.require(request, *REPORTING)
        found = []
        for name in rooms.workspace.plans.ids():
            plan = rooms.workspace.plans.newest(name)
            found += [
                (plan, unit)
                for unit in plan.units
                if unit.bloc in plan.reporting.blocs
                and principal.may_act_for(unit.code, *REPORTING)
                and (
                    Role.ADMIN not in principal.grants
                    or principal.grants.keys() & set(REPORTING)
                )
            ]
        today = rooms.workspace.clock.today().isoformat()[:7]
        month = {
            plan.id: next((m for m in reversed(plan.months) if m <= today), plan.months[0])
            for plan, _ in found
        }
        if len(found) == 1:
            plan, unit = found[0]
            return RedirectResponse(
                f"/submit/{plan.id}/{unit.code}/{month[plan.id]}", _SEE_OTHER
            )
        return site.page(request, "places.html", found=found, month=month)


def _add_month(router: APIRouter, rooms: Rooms, site: Site) -> None:
    @router.get(_MONTH)
    async def month_shown(
        request: Request, plan: str, unit: str, month: MonthCode
    ) -> HTMLResponse:
        """Everything owed for one month."""
        _, place = await rooms.own(request, plan, unit, month)
        return await month_page(rooms, site, request, place)

    @router.get(_MONTH + "/versions/{number}", openapi_extra=SEEN)
    async def version_shown(
        request: Request, plan: str, unit: str, month: MonthCode, number: int
    ) -> HTMLResponse:
        """A version as it was handed in."""
        _, place = await rooms.seen(request, plan, unit, month)
        report = await rooms.workspace.report(place)
        found = next((v for v in report.versions if v.number == number), None)
        if found is None:
            raise UnknownPlaceError(number)
        duties = {d.indicator.code: d for d in rooms.workspace.duties(place)}
        return site.page(
            request, "version.html", place=place, version=found, duties=duties,
            unit=place.plan.unit(unit),
        )  # fmt: skip


def _add_drafts(router: APIRouter, rooms: Rooms, site: Site) -> None:
    @router.post(_MONTH + "/entries/{indicator}")
    async def entry_saved(
        request: Request, plan: str, unit: str, month: MonthCode, indicator: str
    ) -> Response:
        """Keep what stands in one form; a script is answered in JSON."""
        _, place = await rooms.own(request, plan, unit, month)
        typed = await typed_in(request)
        duty = rooms.workspace.duty(place, indicator)
        values, faults = values_in(duty, typed)
        revision = (
            int(typed.get("revision", "0")) if typed.get("revision", "0").isdigit() else 0
        )
        scripted = "application/json" in request.headers.get("accept", "")
        if faults:
            return await _faulty(
                rooms, site, request, place, Trial(indicator, typed, faults), scripted=scripted
            )
        try:
            report = await rooms.workspace.save_entry(
                place, indicator, revision, values, typed.get("note", "")[:2000]
            )
        except EXPECTED as error:
            if scripted:
                status, said = refusal_of(error, chosen(request))
                known = (await rooms.workspace.report(place)).entries.get(indicator)
                return JSONResponse(
                    {"said": said, "revision": known.revision if known else 0}, status
                )
            return await month_page(
                rooms, site, request, place, error=error, trial=Trial(indicator, typed, [])
            )
        saved = report.entries.get(indicator)
        if scripted:
            return JSONResponse({"revision": saved.revision if saved else 0})
        return RedirectResponse(f"{_base(place)}?saved={indicator}#{indicator}", _SEE_OTHER)


async def _faulty(
    rooms: Rooms, site: Site, request: Request, place: Place, trial: Trial, *, scripted: bool
) -> Response:
    if not scripted:
        view: MonthView = await month_view(rooms, place, trial)
        view.missing, view.showing_faults, view.failed = trial.faults, True, True
        return site.page(request, "submit.html", status=422, view=view)
    lang = chosen(request)
    return JSONResponse({"faults": {f.field: fault_in(lang, f) for f in trial.faults}}, 422)


def _base(place: Place) -> str:
    return f"/submit/{place.plan.id}/{place.unit}/{place.month}"


def _add_files(router: APIRouter, rooms: Rooms, site: Site) -> None:
    @router.post(_MONTH + "/files/{indicator}")
    async def file_added(
        request: Request, plan: str, unit: str, month: MonthCode, indicator: str
    ) -> Response:
        """Attach a file from a plain form."""
        principal, place = await rooms.own(request, plan, unit, month)
        try:
            check_length(request)
            form = FormFile(request)
            chunks = await form.begun()
            await rooms.evidence.receive(place, indicator, form.name, chunks, principal.subject)
        except EXPECTED as error:
            return await month_page(rooms, site, request, place, error=error)
        return RedirectResponse(f"{_base(place)}#{indicator}", _SEE_OTHER)

    @router.post(_MONTH + "/files/{evidence}/remove")
    async def file_removed(
        request: Request, plan: str, unit: str, month: MonthCode, evidence: str
    ) -> Response:
        """Take a file off the draft."""
        principal, place = await rooms.own(request, plan, unit, month)
        try:
            await drop(rooms, principal, evidence)
        except EXPECTED as error:
            return await month_page(rooms, site, request, place, error=error)
        return RedirectResponse(_base(place), _SEE_OTHER)


def _add_steps(router: APIRouter, rooms: Rooms, site: Site) -> None:
    @router.post(_MONTH + "/submit")
    async def handed_in(request: Request, plan: str, unit: str, month: MonthCode) -> Response:
        """Hand the report in."""
        principal, place = await rooms.own(request, plan, unit, month)
        typed = await typed_in(request)
        try:
            stated = typed.get("declared_on", "").strip()
            declared_on = date_in(stated) if stated else None
        except ValueError:
            trial = Trial("", typed, [Fault("", "declared_on", "not_a_date")])
            return await _faulty(rooms, site, request, place, trial, scripted=False)
        try:
            await rooms.workspace.submit(place, principal.subject, declared_on)
        except EXPECTED as error:
            return await month_page(rooms, site, request, place, error=error)
        return RedirectResponse(f"{_base(place)}?sent=1", _SEE_OTHER)

    @router.post(_MONTH + "/withdraw")
    async def withdrawn(request: Request, plan: str, unit: str, month: MonthCode) -> Response:
        """Take the report back."""
        principal, place = await rooms.own(request, plan, unit, month)
        try:
            await rooms.workspace.withdraw(place, principal.subject)
        except EXPECTED as error:
            return await month_page(rooms, site, request, place, error=error)
        return RedirectResponse(_base(place), _SEE_OTHER)

    @router.post(_MONTH + "/appeals")
    async def appealed(request: Request, plan: str, unit: str, month: MonthCode) -> Response:
        """Contest a decision or an exclusion."""
        principal, place = await rooms.own(request, plan, unit, month)
        typed = await typed_in(request)
        about: About = "exclusion" if typed.get("about") == "exclusion" else "indicator"
        plea = Plea(about, typed.get("code", "")[:64], typed.get("words", "")[:1000])
        try:
            await rooms.appeals.lodge(place, plea, principal.subject)
        except EXPECTED as error:
            return await month_page(rooms, site, request, place, error=error)
        return RedirectResponse(f"{_base(place)}#appeals", _SEE_OTHER)


_TOOLS: tuple[Callable[..., object], ...] = (
    vocabulary.in_language,
    vocabulary.duty_state,
    vocabulary.item_state,
    vocabulary.appeal_state,
    vocabulary.lifting_reasons,
    vocabulary.rule_words,
    vocabulary.risk_words,
    vocabulary.due_words,
    vocabulary.days_waited,
    vocabulary.size_words,
    vocabulary.kind_words,
    vocabulary.claim_words,
    vocabulary.row_labels,
    vocabulary.row_words,
    vocabulary.item_values,
    fault_in,
)
"""Functions that the templates call."""
