"""The pages of the standing office: packages, what is open in one, and the steps on its way."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from pydantic import ValidationError

from contracts.calendar import local_date
from services.reports import vocabulary
from services.reports.domain import vietnamese as vn
from services.reports.domain.closing import Closer
from services.reports.domain.decisions import DecisionError, Present
from services.reports.domain.figures import outcomes_of
from services.reports.domain.record import Record, Signatures
from services.reports.domain.workflow import Package, SignedCopy
from services.reports.http import STEPS, WHO_SEES, Answer, Details, Office
from services.reports.refusals import EXPECTED, Refusal, refusal_of
from services.runtime.access.forms import Form, field, read_form
from services.runtime.access.guard import Guard
from services.runtime.access.rules import access, all_of, everybody
from services.runtime.auth import Principal, Role
from services.runtime.web.site import Site

SEE = 303
UNPROCESSABLE = 422
ROWS_OF_PRESENT = 8


def reports_site(name: str) -> Site:
    """Templates, static files and words of these pages."""
    return Site("reports", Path(__file__).parent, name, _TOOLS)


_TOOLS: tuple[Callable[..., object], ...] = (
    vocabulary.state_name,
    vocabulary.period_state,
    vocabulary.failure_text,
    vocabulary.action_name,
    vocabulary.option_name,
    vocabulary.category_name,
    vocabulary.part_name,
    vocabulary.document_name,
    vocabulary.finding_text,
    vocabulary.item_text,
    vn.points,
    vn.money,
    local_date,
)


@dataclass(frozen=True, slots=True)
class View:
    """One package as its page shows it."""

    package: Package
    record: Record
    person: Principal
    gate: list[Any]
    items: list[Any]
    decisions: dict[str, Any]
    names: list[str]
    signed: list[SignedCopy]

    def may(self, action: str) -> bool:
        """Whether this person's role may take a step."""
        return self.person.has(*STEPS[action])

    def unit(self, code: str) -> str:
        """A unit's name."""
        found = self.record.plan.unit(code)
        return code if found is None else found.name.vi

    def bloc(self, code: str) -> str:
        """A bloc's name."""
        found = self.record.plan.bloc(code)
        return code if found is None else found.name.vi

    @property
    def documents(self) -> list[str]:
        """The documents that are not score sheets, by name."""
        slugs = [name.removesuffix(".pdf") for name in self.names if name.endswith(".pdf")]
        return [slug for slug in slugs if not slug.startswith("phieu-diem/")]

    @property
    def sheets(self) -> list[str]:
        """The score sheets."""
        return [
            n.removesuffix(".pdf")
            for n in self.names
            if n.startswith("phieu-diem/") and n.endswith(".pdf")
        ]

    @property
    def open_items(self) -> int:
        """Questions still to be settled."""
        return sum(not item.settled for item in self.items)


class Desk:
    """What the routes share."""

    def __init__(self, office: Office, guard: Guard, site: Site) -> None:
        self.office = office
        self.guard = guard
        self.site = site

    async def view(self, request: Request, key: str) -> View:
        """A package, for somebody who may see it."""
        person = await self.guard.require(request, *WHO_SEES)
        packages = self.office.packages
        package = await packages.get(key)
        record = await packages.record(package)
        gate = await packages.look(package, record) if package.state == "draft" else []
        items = [item for outcome in outcomes_of(record).values() for item in outcome.items]
        names = await self.office.archives.names(package) if package.build.done else []
        decisions = {decision.key: decision for decision in record.decisions}
        signed = await packages.store.signed(package.id, package.build.done)
        return View(package, record, person, gate, items, decisions, names, signed)

    async def package_page(
        self, request: Request, key: str, refusal: Refusal | None = None
    ) -> HTMLResponse:
        """The page of a package, with what was refused on top."""
        view = await self.view(request, key)
        status = 200 if refusal is None else refusal.status
        return self.site.page(
            request, "package.html", status=status, view=view, refusal=refusal
        )

    async def doing(
        self, request: Request, key: str, work: Awaitable[object], onward: str = ""
    ) -> Response:
        """Do something and lead back to the package; or show it with the refusal."""
        try:
            await work
        except EXPECTED as error:
            return await self.package_page(request, key, refusal_of(error))
        return RedirectResponse(onward or address(key), SEE)


def address(key: str) -> str:
    """The page of a package."""
    return f"/packages/{key}"


def pages(desk: Desk, closer: Closer) -> APIRouter:
    """The routes below `/packages` and their static files."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    router.include_router(all_of(desk.site.router(), everybody()))
    _add_list(router, desk, closer)
    _add_package(router, desk)
    for action in STEPS:
        _add_step(router, desk, action)
    _add_item(router, desk)
    return router


def _add_list(router: APIRouter, desk: Desk, closer: Closer) -> None:
    @router.get("/packages", openapi_extra=access(*WHO_SEES))
    async def list_page(request: Request) -> HTMLResponse:
        """All packages, and the periods that get one."""
        person = await desk.guard.require(request, *WHO_SEES)
        store = desk.office.packages.store
        plans = {plan.id: plan for plan in await store.newest_plans()}
        return desk.site.page(
            request,
            "packages.html",
            packages=await store.packages(),
            plans=plans,
            periods={plan: await closer.periods(plan) for plan in plans},
            may_close=person.has(Role.REVIEWER),
        )


def _add_package(router: APIRouter, desk: Desk) -> None:
    @router.get("/packages/{key}", openapi_extra=access(*WHO_SEES))
    async def package_page(request: Request, key: str) -> HTMLResponse:
        """One package."""
        return await desk.package_page(request, key)

    @router.get(
        "/packages/{key}/progress",
        response_class=JSONResponse,
        openapi_extra=access(*WHO_SEES),
    )
    async def progress(request: Request, key: str) -> dict[str, Any]:
        """How far its archive is."""
        await desk.guard.require(request, *WHO_SEES)
        build = (await desk.office.packages.get(key)).build
        return {
            "ready": build.ready,
            "error": build.error,
            "steps": build.steps,
            "of": build.steps_of,
        }

    @router.post("/packages/{key}/details", openapi_extra=access(Role.REVIEWER))
    async def describe(request: Request, key: str) -> Response:
        """Date, numbers, names of signers."""
        who = await desk.guard.require(request, Role.REVIEWER)
        form = await read_form(request)
        try:
            details = _details(form)
        except (ValidationError, ValueError):
            words = Refusal(
                UNPROCESSABLE,
                "details",
                "Ngày hoặc tên chưa đúng.",
                "Date or names are not valid.",
            )
            return await desk.package_page(request, key, words)
        await desk.office.record(who.subject, "describe", key)
        work = desk.office.packages.describe(
            key, details.dated, details.signatures, details.options
        )
        return await desk.doing(request, key, work)


def _add_step(router: APIRouter, desk: Desk, action: str) -> None:
    @router.post(f"/packages/{{key}}/steps/{action}", openapi_extra=access(*STEPS[action]))
    async def step(request: Request, key: str) -> Response:
        """Check, sign, publish, return, or build anew."""
        who = await desk.guard.require(request, *STEPS[action])
        reason = field(await read_form(request), "reason")
        return await desk.doing(
            request, key, desk.office.step(action, key, who.subject, reason)
        )


def _details(form: Form) -> Details:
    numbers = {
        name.removeprefix("number:"): values[0].strip()
        for name, values in form.items()
        if name.startswith("number:") and values[0].strip()
    }
    signatures = Signatures(
        head=field(form, "head").strip(),
        chair=field(form, "chair").strip(),
        secretary=field(form, "secretary").strip(),
        numbers=numbers,
    )
    options = ["achievements"] if field(form, "achievements") else []
    return Details(
        dated=date.fromisoformat(field(form, "dated")), signatures=signatures, options=options
    )


def _add_item(router: APIRouter, desk: Desk) -> None:
    @router.get("/packages/{key}/items/{item}", openapi_extra=access(*WHO_SEES))
    async def item_page(request: Request, key: str, item: str) -> HTMLResponse:
        """One open question."""
        return await _item_page(desk, request, key, item, {}, {})

    @router.post("/packages/{key}/items/{item}", openapi_extra=access(Role.REVIEWER))
    async def decide(request: Request, key: str, item: str) -> Response:
        """Take a decision."""
        who = await desk.guard.require(request, Role.REVIEWER)
        form = await read_form(request)
        try:
            answer = _answer(item, form)
        except ValidationError as error:
            words = desk.site.words_for(request)
            faults = {name: vocabulary.fault_text(name, words) for name in _faults(error)}
            return await _item_page(desk, request, key, item, form, faults)
        try:
            await desk.office.decide(key, who.subject, answer)
        except EXPECTED as error:
            refusal = refusal_of(error)
            faults = {"choice": refusal.text(desk.site.words_for(request).lang)}
            return await _item_page(desk, request, key, item, form, faults, refusal.status)
        return RedirectResponse(f"{address(key)}#items", SEE)

    @router.post(
        "/packages/{key}/items/{item}/confirm", openapi_extra=access(Role.REVIEWER, Role.LEADER)
    )
    async def confirm(request: Request, key: str, item: str) -> Response:
        """Confirm a decision as the second person."""
        who = await desk.guard.require(request, Role.REVIEWER, Role.LEADER)
        work = desk.office.confirm(key, who.subject, item)
        return await desk.doing(request, key, work, f"{address(key)}#items")

    @router.post("/packages/{key}/items/{item}/undecide", openapi_extra=access(Role.REVIEWER))
    async def undecide(request: Request, key: str, item: str) -> Response:
        """Take a decision back."""
        who = await desk.guard.require(request, Role.REVIEWER)
        work = desk.office.undecide(key, who.subject, item)
        return await desk.doing(request, key, work, f"{address(key)}#items")


async def _item_page(  # noqa: PLR0913, PLR0917 - what was typed, and what is wrong with it
    desk: Desk,
    request: Request,
    key: str,
    item: str,
    form: Form,
    faults: dict[str, str],
    status: int = UNPROCESSABLE,
) -> HTMLResponse:
    view = await desk.view(request, key)
    found = next((one for one in view.items if one.key == item), None)
    if found is None:
        raise DecisionError("no_such_item")
    typed = {name: values[0] for name, values in form.items()}
    units = {unit.code for unit in view.record.plan.units_of(found.bloc)}
    return desk.site.page(
        request,
        "item.html",
        status=status if faults else 200,
        view=view,
        item=found,
        people=[
            person
            for person in view.record.nominations
            if person.state == "accepted" and person.unit in units
        ],
        typed=typed,
        chosen=form.get("person", []),
        faults=faults,
        rows=range(1, ROWS_OF_PRESENT + 1),
        effects={
            option: _effect(view, found, option)
            for option in found.options
            if option not in ("order", "people")
        },
    )


def _effect(view: View, item: Any, option: str) -> list[str]:  # noqa: ANN401 - an item
    """What an option would change: derived with it, compared with what stands now."""
    return vocabulary.effect(view.record, item, option)


def _answer(item: str, form: Form) -> Answer:
    ranks = sorted(
        (values[0], name.removeprefix("rank:"))
        for name, values in form.items()
        if name.startswith("rank:") and values[0].strip()
    )
    order = form.get("person") or [unit for _, unit in ranks]
    present = [
        Present(name=field(form, f"name{n}").strip(), office=field(form, f"office{n}").strip())
        for n in range(1, ROWS_OF_PRESENT + 1)
        if field(form, f"name{n}").strip() or field(form, f"office{n}").strip()
    ]
    choice = field(form, "choice")
    return Answer(
        key=item,
        choice=choice,
        order=order if choice in ("order", "people") else [],
        reason=field(form, "reason").strip(),
        present=present,
    )


def _faults(error: ValidationError) -> set[str]:
    """The fields with which something is wrong."""
    names = {str(fault["loc"][0]) if fault["loc"] else "present" for fault in error.errors()}
    return {"present" if name in ("name", "office") else name for name in names}
