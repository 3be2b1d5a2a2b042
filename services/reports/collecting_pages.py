"""The pages on which units propose people and the standing office collects: nominations, dossiers, templates."""

from collections.abc import Awaitable
from datetime import date
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from contracts.plan import Plan
from services.reports import vocabulary
from services.reports.collecting import UNITS, Collection
from services.reports.domain.nominations import NominationError, duplicates, over_quota
from services.reports.domain.record import DossierPart, Nomination
from services.reports.http import MEDIA, Office
from services.reports.refusals import EXPECTED, refusal, refusal_of
from services.reports.render.docx import shipped
from services.runtime.access.forms import Form, field, read_form
from services.runtime.access.guard import Guard
from services.runtime.access.rules import access
from services.runtime.auth import Principal, Role
from services.runtime.clock import Clock
from services.runtime.web.collation import vietnamese_key
from services.runtime.web.site import Site

SEE = 303
UNPROCESSABLE = 422
OVERSIGHT = (Role.REVIEWER, Role.LEADER, Role.OBSERVER)
DOCUMENTS = (
    *("01-bao-cao-tong-hop", "02-to-trinh", "03-bien-ban-hop-xet", "04-danh-sach-de-nghi"),
    *(
        "05-du-thao-quyet-dinh",
        "06-du-toan-kinh-phi",
        "01-bao-cao-quy",
        "02-to-trinh-bieu-duong",
    ),
)
"""Those for which an office may have a template of its own."""


class Counter:
    """What these routes share."""

    def __init__(
        self,
        office: Office,
        collection: Collection,
        guard: Guard,
        site: Site,
        clock: Clock,
        most: int,
    ) -> None:
        self.office = office
        self.collection = collection
        self.guard = guard
        self.site = site
        self.clock = clock
        self.most = most

    async def nominations_page(  # noqa: PLR0913 - what was typed, and what is wrong with it
        self,
        request: Request,
        plan: Plan,
        period: str,
        person: Principal,
        *,
        typed: dict[str, str] | None = None,
        faults: dict[str, str] | None = None,
        trouble: str = "",
        status: int = UNPROCESSABLE,
    ) -> HTMLResponse:
        """The list, and the form."""
        found = await self.collection.seen(plan.id, period, person)
        names = {unit.code: unit.name.vi for unit in plan.units}
        found.sort(
            key=lambda one: (vietnamese_key(names.get(one.unit, "")), vietnamese_key(one.name))
        )
        collects = person.has(Role.REVIEWER)
        quotas = await self.collection.quotas(plan.id, period) if collects else {}
        return self.site.page(
            request,
            "nominations.html",
            status=status if faults or trouble else 200,
            plan=plan,
            period=period,
            here=f"/packages/nominations/{plan.id}/{period}",
            nominations=found,
            names=names,
            units=self.collection.units(plan, person),
            collects=collects,
            doubles=sorted(some[0].name for some in duplicates(found).values())
            if collects
            else [],
            over=over_quota(found, quotas) if quotas else {},
            typed=typed or {},
            faults=faults or {},
            refusal=trouble,
        )


def collecting_pages(counter: Counter) -> APIRouter:
    """The routes below `/packages/nominations`, `/packages/dossiers` and `/packages/templates`."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    _add_nominations(router, counter)
    _add_dossiers(router, counter)
    _add_templates(router, counter)
    return router


def _add_nominations(router: APIRouter, counter: Counter) -> None:
    address = "/packages/nominations/{plan}/{period}"

    @router.get(address, openapi_extra=access(*UNITS, *OVERSIGHT))
    async def nominations(request: Request, plan: str, period: str) -> HTMLResponse:
        """Who is proposed."""
        person = await counter.guard.require(request, *UNITS, *OVERSIGHT)
        rules = await counter.collection.plan(plan)
        return await counter.nominations_page(request, rules, period, person)

    @router.post(address, openapi_extra=access(*UNITS, Role.REVIEWER))
    async def nominate(request: Request, plan: str, period: str) -> Response:
        """Propose somebody."""
        person = await counter.guard.require(request, *UNITS, Role.REVIEWER)
        rules = await counter.collection.plan(plan)
        form = await read_form(request)
        faults = await _propose(request, counter, rules, period, person, form)
        if not faults:
            return RedirectResponse(request.url.path, SEE)
        typed = {name: values[0] for name, values in form.items()}
        return await counter.nominations_page(
            request, rules, period, person, typed=typed, faults=faults
        )

    @router.post(address + "/{key}", openapi_extra=access(Role.REVIEWER))
    async def judge(request: Request, plan: str, period: str, key: str) -> Response:
        """Collect or return a nomination."""
        person = await counter.guard.require(request, Role.REVIEWER)
        form = await read_form(request)
        state = "returned" if field(form, "state") == "returned" else "accepted"
        await counter.office.record(person.subject, f"nomination.{state}", key)
        work = counter.collection.judge(plan, period, key, state, field(form, "reason"))
        return await _changed(request, counter, plan, period, person, work)

    @router.post(address + "/{key}/withdraw", openapi_extra=access(*UNITS))
    async def withdraw(request: Request, plan: str, period: str, key: str) -> Response:
        """Take back what one's own unit proposed."""
        person = await counter.guard.require(request, *UNITS)
        await counter.office.record(person.subject, "nomination.withdrawn", key)
        work = counter.collection.withdraw(plan, period, key, person)
        return await _changed(request, counter, plan, period, person, work)


async def _changed(
    request: Request,
    counter: Counter,
    plan: str,
    period: str,
    person: Principal,
    work: Awaitable[None],
) -> Response:
    """Change a nomination and lead back to the list; or show it with the refusal."""
    try:
        await work
    except EXPECTED as error:
        rules = await counter.collection.plan(plan)
        found = refusal_of(error)
        trouble = found.text(counter.site.words_for(request).lang)
        return await counter.nominations_page(
            request, rules, period, person, trouble=trouble, status=found.status
        )
    return RedirectResponse(f"/packages/nominations/{plan}/{period}", SEE)


async def _propose(
    request: Request, counter: Counter, plan: Plan, period: str, person: Principal, form: Form
) -> dict[str, str]:
    """Take a nomination; returns field -> what is wrong, empty when it was taken."""
    words = counter.site.words_for(request)
    try:
        new = _nomination(form)
        if new.unit not in {unit.code for unit in counter.collection.units(plan, person)}:
            raise NominationError("no_such_unit", "unit")
        await counter.office.record(
            person.subject, "nominate", f"{plan.id}|{period}|{new.unit}"
        )
        await counter.collection.nominate(plan.id, period, new)
    except ValidationError as error:
        names = [str(fault["loc"][0]) for fault in error.errors()]
        return {name: vocabulary.fault_text(name, words) for name in names}
    except EXPECTED as error:
        found = refusal_of(error)
        return {found.field or "name": found.text(words.lang)}
    return {}


def _nomination(form: Form) -> Nomination:
    fields: dict[str, Any] = {
        name: field(form, name).strip()
        for name in (
            "unit",
            "name",
            "category",
            "position",
            "achievement",
            "votes_for",
            "votes_total",
        )
    }
    return Nomination.model_validate({"id": "new"} | fields)


def _add_dossiers(router: APIRouter, counter: Counter) -> None:
    @router.get("/packages/dossiers/{plan}/{period}", openapi_extra=access(*UNITS, *OVERSIGHT))
    async def dossiers(request: Request, plan: str, period: str) -> HTMLResponse:
        """The cockpit."""
        person = await counter.guard.require(request, *UNITS, *OVERSIGHT)
        return await _cockpit(request, counter, plan, period, person)

    @router.post("/packages/dossiers/{plan}/{period}", openapi_extra=access(Role.REVIEWER))
    async def receive(request: Request, plan: str, period: str) -> Response:
        """Note what came in, or take such a note back."""
        person = await counter.guard.require(request, Role.REVIEWER)
        form = await read_form(request)
        rules = await counter.collection.plan(plan)
        unit, part = field(form, "unit"), field(form, "part")
        taken_back = field(form, "action") == "take_back"
        words = counter.site.words_for(request)
        try:
            content = None if taken_back else _part(form)
            action = "dossier.taken_back" if taken_back else "dossier"
            await counter.office.record(person.subject, action, f"{plan}|{unit}|{part}")
            await counter.collection.receive(rules, unit, part, content, counter.clock.now())
        except EXPECTED as error:
            trouble = refusal_of(error).text(words.lang)
            return await _cockpit(request, counter, plan, period, person, trouble)
        except ValueError:
            trouble = words.gettext(
                "Chưa ghi nhận được: hãy kiểm tra ngày nhận và tên văn bản."
            )
            return await _cockpit(request, counter, plan, period, person, trouble)
        return RedirectResponse(request.url.path, SEE)


def _part(form: Form) -> DossierPart:
    return DossierPart(
        number=field(form, "number").strip(),
        signed_by=field(form, "signed_by").strip(),
        received_on=date.fromisoformat(field(form, "received_on")),
    )


async def _cockpit(
    request: Request,
    counter: Counter,
    plan: str,
    period: str,
    person: Principal,
    trouble: str = "",
) -> HTMLResponse:
    rules = await counter.collection.plan(plan)
    today = counter.clock.today()
    found = await counter.collection.cockpits(rules, period, person, today)
    return counter.site.page(
        request,
        "dossiers.html",
        status=UNPROCESSABLE if trouble else 200,
        plan=rules,
        period=period,
        cockpits=found,
        names={unit.code: unit.name.vi for unit in rules.units},
        days_left=found[0].days_left if found else None,
        collects=person.has(Role.REVIEWER),
        today=today,
        refusal=trouble,
    )


def _add_templates(router: APIRouter, counter: Counter) -> None:
    @router.get("/packages/templates", openapi_extra=access(Role.REVIEWER))
    async def templates(request: Request) -> HTMLResponse:
        """Which templates are the office's own."""
        await counter.guard.require(request, Role.REVIEWER)
        return await _templates(request, counter)

    @router.get("/packages/templates/shipped.docx", openapi_extra=access(Role.REVIEWER))
    async def shipped_template(request: Request) -> Response:
        """The template that comes with the program."""
        await counter.guard.require(request, Role.REVIEWER)
        headers = {"Content-Disposition": 'attachment; filename="mau-van-ban.docx"'}
        return Response(shipped(), media_type=MEDIA[".docx"], headers=headers)

    @router.post("/packages/templates", openapi_extra=access(Role.REVIEWER))
    async def use_template(request: Request) -> Response:
        """Try a template, and use it."""
        person = await counter.guard.require(request, Role.REVIEWER)
        words = counter.site.words_for(request)
        if (
            int(request.headers.get("content-length") or counter.most + 1)
            > counter.most + 4_096
        ):
            return await _templates(
                request, counter, refusal("too_large").text(words.lang), 413
            )
        async with request.form(max_files=1, max_fields=4) as form:
            document, file = str(form.get("document", "")), form.get("file")
            content = await file.read() if isinstance(file, UploadFile) else None
            removing = form.get("remove") is not None
        if document not in (*DOCUMENTS, "*") or (content is None and not removing):
            return await _templates(
                request, counter, refusal("unreadable").text(words.lang), UNPROCESSABLE
            )
        await counter.office.record(person.subject, "template", document)
        try:
            await counter.collection.use_template(document, None if removing else content)
        except EXPECTED as error:
            found = refusal_of(error)
            return await _templates(request, counter, found.text(words.lang), found.status)
        return RedirectResponse("/packages/templates", SEE)


async def _templates(
    request: Request, counter: Counter, trouble: str = "", status: int = 200
) -> HTMLResponse:
    own = sorted(await counter.office.packages.store.templates())
    return counter.site.page(
        request, "templates.html", status=status, own=own, slugs=DOCUMENTS, refusal=trouble
    )
