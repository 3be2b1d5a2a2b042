"""The pages of the standing office: the queue, one item, appeals."""

from typing import cast, get_args

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from contracts.calendar import MonthCode
from services.intake.workspace.application import UnknownPlaceError
from services.intake.workspace.domain.declaring import Place
from services.intake.workspace.domain.report import ReportError
from services.intake.workspace.domain.review import Ruling, Verdict
from services.intake.workspace.forms import values_in
from services.intake.workspace.http import DESK_SEEN, Rooms
from services.intake.workspace.refusals import EXPECTED, refusal_in, refusal_of
from services.intake.workspace.reviewing import own_units
from services.intake.workspace.showing import item_view
from services.runtime.auth import Principal, Role
from services.runtime.web.i18n import chosen
from services.runtime.web.site import Site

_ITEM = "/review/{plan}/{unit}/{month}/{indicator}"
_SEE_OTHER = 303
_MOST_FIELDS = 2_000


async def _typed(request: Request) -> list[tuple[str, str]]:
    form = await request.form(max_files=0, max_fields=_MOST_FIELDS)
    return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]


def add_review(router: APIRouter, rooms: Rooms, site: Site) -> None:
    """Add the routes below `/review`."""
    _add_queue(router, rooms, site)
    _add_item(router, rooms, site)


async def _queue_page(
    rooms: Rooms,
    site: Site,
    request: Request,
    who: Principal,
    message: str = "",
    status: int = 200,
) -> HTMLResponse:
    unit = request.query_params.get("unit", "")
    waiting = await rooms.desk.queue(who, unit=unit)
    everything = waiting if not unit else await rooms.desk.queue(who)
    units = {w.unit.code: w.unit for w in everything}
    open_appeals = len(await rooms.workspace.store.find_appeals(state="lodged"))
    return site.page(
        request, "queue.html", status=status, waiting=waiting, units=units, unit=unit, drawn=None,
        message=message, appeals=open_appeals, may_decide=who.has(Role.REVIEWER),
        decided=await rooms.desk.decided(unit=unit),
    )  # fmt: skip


def _add_queue(router: APIRouter, rooms: Rooms, site: Site) -> None:
    @router.get("/review", openapi_extra=DESK_SEEN)
    async def queue(request: Request) -> HTMLResponse:
        """What waits, riskiest first."""
        who = await rooms.guard.require(request, Role.REVIEWER, Role.OBSERVER)
        return await _queue_page(rooms, site, request, who)

    @router.post("/review/accept")
    async def accept(request: Request) -> Response:
        """Accept the ticked items."""
        who = await rooms.reviewer(request)
        wanted = []
        for name, value in await _typed(request):
            parts = value.split("/")
            if name == "item" and len(parts) == 5 and parts[4].isdigit():  # noqa: PLR2004 - an item's address
                place = rooms.workspace.place(*parts[:3])
                wanted.append((place, parts[3], int(parts[4])))
        refused = await rooms.desk.accept_all(wanted, who)
        if not refused:
            return RedirectResponse("/review", _SEE_OTHER)
        lang = chosen(request)
        said = "; ".join(f"{key}: {refusal_in(lang, code)}" for key, code in refused)
        return await _queue_page(rooms, site, request, who, said, 409)

    @router.post("/review/sample")
    async def sample(request: Request) -> Response:
        """Draw a random sample of the queue."""
        who = await rooms.reviewer(request)
        typed = dict(await _typed(request))
        count, seed = typed.get("count", "10"), typed.get("seed", "1")
        count = count if count.isdigit() else "10"
        seed = seed if seed.isdigit() else "1"
        drawn = await rooms.desk.draw(who, min(200, max(1, int(count))), int(seed[:18]))
        return site.page(
            request, "queue.html", waiting=drawn, units={}, unit="", drawn=seed, message="",
            appeals=0, may_decide=True, decided=[],
        )  # fmt: skip


def _add_item(router: APIRouter, rooms: Rooms, site: Site) -> None:
    async def shown(
        request: Request,
        who: Principal,
        place: Place,
        indicator: str,
        error: Exception | None = None,
        typed: dict[str, str] | None = None,
    ) -> HTMLResponse:
        own = place.unit in own_units(who) or not who.has(Role.REVIEWER)
        try:
            view = await item_view(rooms, place, indicator, own=own)
        except LookupError as missing:
            raise UnknownPlaceError(indicator) from missing
        others = [w for w in await rooms.desk.queue(who) if f"/review/{w.key}" != view.base]
        view.left = len(others)
        view.following = f"/review/{others[0].key}" if others else "/review"
        status = 200
        if error is not None:
            status, view.message = refusal_of(error, chosen(request))
            view.typed = typed or view.typed
        return site.page(request, "item.html", status=status, view=view)

    @router.get(_ITEM, openapi_extra=DESK_SEEN)
    async def item(
        request: Request, plan: str, unit: str, month: MonthCode, indicator: str
    ) -> HTMLResponse:
        """One item: claim, evidence, history."""
        who = await rooms.guard.require(request, Role.REVIEWER, Role.OBSERVER)
        return await shown(request, who, rooms.workspace.place(plan, unit, month), indicator)

    @router.post(_ITEM)
    async def decide(
        request: Request, plan: str, unit: str, month: MonthCode, indicator: str
    ) -> Response:
        """Decide on it, and go on to the next one."""
        who = await rooms.reviewer(request)
        place = rooms.workspace.place(plan, unit, month)
        typed = dict(await _typed(request))
        try:
            ruling = _ruling(rooms, place, indicator, typed)
            await rooms.desk.decide(place, indicator, ruling, who)
        except EXPECTED as error:
            return await shown(request, who, place, indicator, error, typed)
        if ruling.verdict == "reopened":
            return RedirectResponse(request.url.path, _SEE_OTHER)
        following = await rooms.desk.queue(who)
        there = f"/review/{following[0].key}" if following else "/review"
        return RedirectResponse(there, _SEE_OTHER)


def _ruling(rooms: Rooms, place: Place, indicator: str, typed: dict[str, str]) -> Ruling:
    verdict, version = typed.get("decision", ""), typed.get("version", "0")
    if verdict not in get_args(Verdict) or not version.isdigit():
        raise ReportError("no_item", indicator)
    values = None
    if verdict == "corrected":
        values, faults = values_in(rooms.workspace.duty(place, indicator), typed)
        if faults:
            raise ReportError("correction_unclear", indicator)
    reason = typed.get("reason", "").strip()[:1000]
    return Ruling(cast("Verdict", verdict), int(version), reason, values)
