"""The pages of the standing office about appeals and excuses."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.intake.workspace.application import UnknownPlaceError
from services.intake.workspace.domain.report import ReportError
from services.intake.workspace.forms import typed_in
from services.intake.workspace.http import DESK_SEEN, Rooms
from services.intake.workspace.refusals import EXPECTED, refusal_of
from services.intake.workspace.reviewing import own_units
from services.runtime.auth import Principal, Role
from services.runtime.web.i18n import chosen
from services.runtime.web.site import Site

_SEE_OTHER = 303


async def _listed(
    rooms: Rooms, site: Site, request: Request, who: Principal, error: Exception | None = None
) -> HTMLResponse:
    found = await rooms.workspace.store.find_appeals()
    status, message = (200, "") if error is None else refusal_of(error, chosen(request))
    own = own_units(who)
    plans = {name: rooms.workspace.plans.newest(name) for name in rooms.workspace.plans.ids()}
    names = {unit.code: unit.name for plan in plans.values() for unit in plan.units}
    return site.page(
        request, "appeals.html", status=status, appeals=found, names=names, own=own, plans=plans,
        message=message, excluded=_excluded(rooms), may_decide=who.has(Role.REVIEWER),
        today=rooms.workspace.clock.today(),
    )  # fmt: skip


def add_appeals(router: APIRouter, rooms: Rooms, site: Site) -> None:
    """Add the routes below `/review/appeals` and `/review/excuses`."""
    _add_answers(router, rooms, site)
    _add_revocations(router, rooms, site)
    _add_excuses(router, rooms, site)


def _add_answers(router: APIRouter, rooms: Rooms, site: Site) -> None:
    @router.get("/review/appeals", openapi_extra=DESK_SEEN)
    async def appeals(request: Request) -> HTMLResponse:
        """Appeals and excuses."""
        who = await rooms.guard.require(request, Role.REVIEWER, Role.OBSERVER)
        return await _listed(rooms, site, request, who)

    @router.post("/review/appeals/{appeal}")
    async def answer(request: Request, appeal: str) -> Response:
        """Answer an appeal."""
        who = await rooms.reviewer(request)
        typed = await typed_in(request)
        upheld = typed.get("decision") == "upheld"
        try:
            await rooms.appeals.decide(
                appeal,
                "upheld" if upheld else "dismissed",
                typed.get("answer", "").strip()[:1000],
                typed.get("reason", ""),
                who,
            )
        except LookupError as missing:
            raise UnknownPlaceError(appeal) from missing
        except EXPECTED as error:
            return await _listed(rooms, site, request, who, error)
        return RedirectResponse("/review/appeals", _SEE_OTHER)


def _add_revocations(router: APIRouter, rooms: Rooms, site: Site) -> None:
    @router.post("/review/appeals/{appeal}/revocation")
    async def revoke(request: Request, appeal: str) -> Response:
        """Let an exclusion that was lifted hold again."""
        who = await rooms.reviewer(request)
        why = (await typed_in(request)).get("why", "").strip()[:1000]
        try:
            await rooms.appeals.revoke(appeal, why, who)
        except LookupError as missing:
            raise UnknownPlaceError(appeal) from missing
        except EXPECTED as error:
            return await _listed(rooms, site, request, who, error)
        return RedirectResponse("/review/appeals", _SEE_OTHER)


def _add_excuses(router: APIRouter, rooms: Rooms, site: Site) -> None:
    @router.post("/review/excuses")
    async def excuse(request: Request) -> Response:
        """Lift an exclusion by oneself."""
        who = await rooms.reviewer(request)
        typed = await typed_in(request)
        try:
            parts = typed.get("exclusion", "").split("/")
            if len(parts) != 4:  # noqa: PLR2004 - an exclusion's address
                raise ReportError("no_exclusion", "")
            place = rooms.workspace.place(*parts[:3])
            words = typed.get("words", "").strip()[:1000]
            await rooms.appeals.excuse(place, parts[3], typed.get("reason", ""), words, who)
        except EXPECTED as error:
            return await _listed(rooms, site, request, who, error)
        return RedirectResponse("/review/appeals", _SEE_OTHER)


def _excluded(rooms: Rooms) -> list[tuple[str, str, str, str]]:
    """(plan, unit, month, rule) of every exclusion that holds now."""
    found = []
    for name in rooms.workspace.plans.ids():
        plan = rooms.workspace.plans.newest(name)
        for unit in plan.units:
            standing = rooms.appeals.standing.of(name, unit.code, str(plan.ends_on.year))
            held = () if standing is None else standing.exclusions
            found += [(name, unit.code, e.month, e.rule) for e in held]
    return found
