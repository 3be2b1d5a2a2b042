"""The notifier's pages for people: my alerts, the ledger, previews, silences, the mail server, caught mail."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from contracts.calendar import LOCAL
from services.notifier.http import SEES_ALL
from services.notifier.reading import LONGEST_SILENCE, Ledger, part_of, rule_of
from services.notifier.wording import (
    in_language,
    reason_in_words,
    rule_in_words,
    severity_in_words,
    state_in_words,
    withdrawal_in_words,
    withdrawn_in_words,
)
from services.runtime.access.guard import Guard
from services.runtime.access.rules import access, all_of, everybody
from services.runtime.auth import Principal, Role
from services.runtime.web.site import Site

MAIL_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""A mail is foreign content: nothing runs in it, nothing is fetched for it."""
OF_UNITS = (Role.OFFICER, Role.HEAD)
OFFICE = (Role.REVIEWER,)
WATCHES = (Role.REVIEWER, Role.OBSERVER)
LONGEST_REASON = 300
LONGEST_CODE = 64


def notifier_site() -> Site:
    """Templates, static files and words of the notifier."""
    return Site("notifier", Path(__file__).parent, "Thi Đua", _TOOLS)


def role_in_words(role: str, words: object) -> str:
    """Whom a notice is for."""
    gettext = getattr(words, "gettext", str)
    return str(
        {
            "officer": gettext("cán bộ phụ trách"),
            "head": gettext("thủ trưởng đơn vị"),
            "standing": gettext("cơ quan thường trực"),
            "council": gettext("Văn phòng HĐND và UBND"),
            "chair": gettext("lãnh đạo"),
            "": gettext("không ai"),
        }.get(role, role)
    )


def form_in_words(form: str, words: object) -> str:
    """What kind of word a notice is."""
    gettext = getattr(words, "gettext", str)
    return str(
        {
            "alert": "",
            "handled": gettext("báo đã tiếp nhận"),
            "retraction": gettext("đính chính"),
        }.get(form, form)
    )


def alert_pages(ledger: Ledger, guard: Guard, site: Site) -> APIRouter:
    """All pages under `/alerts` and `/mail`."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    router.include_router(all_of(site.router(), everybody()))
    _add_mine(router, ledger, guard, site)
    _add_links(router, ledger, site)
    _add_ledger(router, ledger, guard, site)
    _add_previews(router, ledger, guard, site)
    _add_silences(router, ledger, guard, site)
    _add_service(router, ledger, guard, site)
    _add_mail(router, ledger, guard, site)
    return router


def _tabs(who: Principal) -> dict[str, bool]:
    """Which pages somebody may open."""
    return {
        "mine": who.has(Role.OFFICER, Role.HEAD),
        "ledger": who.has(*SEES_ALL),
        "office": who.has(*WATCHES),
        "reviewer": who.has(*OFFICE),
    }


def _add_mine(router: APIRouter, ledger: Ledger, guard: Guard, site: Site) -> None:
    @router.get("/alerts", openapi_extra=access(*SEES_ALL, *OF_UNITS))
    async def mine(request: Request) -> Response:
        """What concerns my units and is still open; whoever has no unit is shown the ledger."""
        who = await guard.require(request, *SEES_ALL, *OF_UNITS)
        if not who.has(Role.OFFICER, Role.HEAD) or Role.ADMIN in who.grants:
            return RedirectResponse("/alerts/ledger", 303)
        found = await ledger.open_alerts(who, site.words_for(request))
        return site.page(request, "mine.html", tabs=_tabs(who), found=found)

    @router.post("/alerts/take", openapi_extra=access(*OF_UNITS))
    async def take(
        request: Request, occasion: Annotated[str, Form(max_length=500)]
    ) -> Response:
        """Somebody takes up an alert of their unit."""
        who = await guard.require(request, *OF_UNITS)
        found = await ledger.store.occasions.find_one({"_id": occasion})
        if found is None or not who.may_act_for(found["unit"], Role.OFFICER, Role.HEAD):
            raise HTTPException(404)
        await ledger.acknowledge(occasion, who.subject)
        return RedirectResponse("/alerts", 303)


def _add_links(router: APIRouter, ledger: Ledger, site: Site) -> None:
    @router.get("/alerts/ack/{signed}", openapi_extra=everybody())
    async def ask(request: Request, signed: str) -> HTMLResponse:
        """What the link in a mail opens: nothing changes until the button is pressed."""
        found = await ledger.notice_of_link(signed)
        if found is None:
            raise HTTPException(404)
        notice, occasion = found
        alert = ledger.alert(occasion, site.words_for(request), notice["role"])
        return site.page(
            request, "acknowledge.html", alert=alert, occasion=occasion, signed=signed
        )

    @router.post("/alerts/ack/{signed}", openapi_extra=everybody())
    async def confirm(signed: str) -> Response:
        """The button: who holds the mail may press it."""
        found = await ledger.notice_of_link(signed)
        if found is None:
            raise HTTPException(404)
        await ledger.acknowledge(found[1]["_id"], found[0]["person"])
        return RedirectResponse(f"/alerts/ack/{signed}", 303)


def _add_ledger(router: APIRouter, ledger: Ledger, guard: Guard, site: Site) -> None:
    @router.get("/alerts/ledger", openapi_extra=access(*SEES_ALL))
    async def lines(
        request: Request,
        unit: str = "",
        rule: str = "",
        state: str = "",
        severity: str = "",
        page: int = 1,
    ) -> HTMLResponse:
        """Everything that was told, to whom, and what became of it."""
        who = await guard.require(request, *SEES_ALL)
        wanted = {"unit": unit, "rule": rule, "state": state, "severity": severity}
        words = site.words_for(request)
        found, more = await ledger.lines(words, wanted, max(1, page))
        kept = {key: value for key, value in wanted.items() if value}
        return site.page(
            request,
            "ledger.html",
            tabs=_tabs(who),
            found=found,
            more=more,
            page=max(1, page),
            wanted=wanted,
            query=urlencode(kept),
            plans=ledger.plans(),
            health=await ledger.state(),
        )


def _add_previews(router: APIRouter, ledger: Ledger, guard: Guard, site: Site) -> None:
    @router.get("/alerts/previews", openapi_extra=access(*WATCHES))
    async def previews(request: Request, plan: str = "", rule: str = "") -> HTMLResponse:
        """Every alert as a mail, with invented data."""
        who = await guard.require(request, *WATCHES)
        plans = ledger.plans()
        chosen = next((p for p in plans if p.id == plan), plans[0] if plans else None)
        shown = rule_of(chosen, rule)
        if shown is None and chosen is not None and chosen.alerts is not None:
            shown = chosen.alerts.rules[0]
        text = subject = ""
        if chosen is not None and shown is not None:
            mail = ledger.preview(chosen, shown, site.words_for(request).lang)
            text, subject = part_of(mail, "plain"), str(mail["Subject"])
        return site.page(
            request,
            "previews.html",
            tabs=_tabs(who),
            plan=chosen,
            shown=shown,
            text=text,
            subject=subject,
        )

    @router.get("/alerts/previews/{plan}/{rule}/html", openapi_extra=access(*WATCHES))
    async def preview_html(request: Request, plan: str, rule: str) -> HTMLResponse:
        """The HTML part alone, for the frame."""
        await guard.require(request, *WATCHES)
        chosen = next((p for p in ledger.plans() if p.id == plan), None)
        shown = rule_of(chosen, rule)
        if chosen is None or shown is None:
            raise HTTPException(404)
        mail = ledger.preview(chosen, shown, site.words_for(request).lang)
        return _foreign(part_of(mail, "html"))


def _add_silences(router: APIRouter, ledger: Ledger, guard: Guard, site: Site) -> None:
    @router.get("/alerts/silences", openapi_extra=access(*WATCHES))
    async def silences(request: Request, faults: str = "") -> HTMLResponse:
        """What is not told at present, by whose decision and why."""
        who = await guard.require(request, *WATCHES)
        plans, words = ledger.plans(), site.words_for(request)
        return site.page(
            request,
            "silences.html",
            tabs=_tabs(who),
            found=await ledger.silences(),
            plans=plans,
            names={u.code: in_language(u.name, words) for plan in plans for u in plan.units},
            kinds={
                rule.code: rule_in_words(rule, words)
                for plan in plans
                if plan.alerts is not None
                for rule in plan.alerts.rules
            },
            now=ledger.clock.now(),
            faults=set(faults.split()),
            given={"unit": "", "rule": "", "reason": "", "ends": ""}
            | dict(parse_qsl(request.url.query)),
        )

    @router.post("/alerts/silences", openapi_extra=access(*OFFICE))
    async def silence(
        request: Request,
        unit: Annotated[str, Form(max_length=LONGEST_CODE)] = "",
        rule: Annotated[str, Form(max_length=LONGEST_CODE)] = "",
        reason: Annotated[str, Form(max_length=LONGEST_REASON)] = "",
        ends: Annotated[str, Form(max_length=40)] = "",
    ) -> Response:
        """Begin one; what is wrong is said at its field."""
        who = await guard.require(request, *OFFICE)
        end, faults = _silence_faults(ledger, unit, rule, reason, ends)
        if end is None or faults:
            given = {"unit": unit, "rule": rule, "reason": reason, "ends": ends}
            query = urlencode(given | {"faults": " ".join(faults)})
            return RedirectResponse(f"/alerts/silences?{query}", 303)
        await ledger.silence(who.subject, unit, rule, reason.strip(), end)
        return RedirectResponse("/alerts/silences", 303)

    @router.post("/alerts/silences/{number}/end", openapi_extra=access(*OFFICE))
    async def end_silence(request: Request, number: str) -> Response:
        """End one before its time."""
        who = await guard.require(request, *OFFICE)
        if not await ledger.end_silence(number, who.subject):
            raise HTTPException(404)
        return RedirectResponse("/alerts/silences", 303)


def _silence_faults(
    ledger: Ledger, unit: str, rule: str, reason: str, ends: str
) -> tuple[datetime | None, list[str]]:
    faults = []
    plans = ledger.plans()
    if unit and not any(plan.unit(unit) for plan in plans):
        faults.append("unit")
    if rule and not any(rule_of(plan, rule) for plan in plans):
        faults.append("rule")
    if not unit and not rule:
        faults.append("scope")
    if not reason.strip():
        faults.append("reason")
    try:
        end = datetime.fromisoformat(ends)
        end = end if end.tzinfo else end.replace(tzinfo=LOCAL)
    except ValueError:
        return None, [*faults, "ends"]
    now = ledger.clock.now()
    if not now < end <= now + LONGEST_SILENCE + timedelta(days=1):
        faults.append("ends")
    return end, faults


def _add_service(router: APIRouter, ledger: Ledger, guard: Guard, site: Site) -> None:
    @router.get("/alerts/service", openapi_extra=access(*WATCHES))
    async def service(request: Request) -> HTMLResponse:
        """How the notifier and the mail server do; test mails."""
        who = await guard.require(request, *WATCHES)
        return site.page(
            request,
            "service.html",
            tabs=_tabs(who),
            health=await ledger.state(),
            contacts=await ledger.contacts(),
            tests=await ledger.tests(),
            settings=ledger.settings,
        )

    @router.post("/alerts/service/test", openapi_extra=access(*OFFICE))
    async def test(
        request: Request, contact: Annotated[str, Form(max_length=LONGEST_CODE)]
    ) -> Response:
        """A test mail to one of the contacts."""
        who = await guard.require(request, *OFFICE)
        if await ledger.send_test(contact, who.subject) is None:
            raise HTTPException(404)
        return RedirectResponse("/alerts/service", 303)


def _add_mail(router: APIRouter, ledger: Ledger, guard: Guard, site: Site) -> None:
    @router.get("/mail", openapi_extra=access(*OFFICE))
    async def mails(request: Request, page: int = 1) -> HTMLResponse:
        """Mails that the embedded catcher kept."""
        who = await guard.require(request, *OFFICE)
        if not (await ledger.state()).catcher:
            raise HTTPException(404)
        found, more = await ledger.caught(max(1, page))
        return site.page(
            request, "mails.html", tabs=_tabs(who), found=found, more=more, page=max(1, page)
        )

    @router.get("/mail/{number}", openapi_extra=access(*OFFICE))
    async def one(request: Request, number: int) -> HTMLResponse:
        """One of them: its headers, its text, its HTML in a frame."""
        who = await guard.require(request, *OFFICE)
        found = await ledger.caught_mail(number)
        if found is None:
            raise HTTPException(404)
        kept, mail = found
        return site.page(
            request,
            "mail_page.html",
            tabs=_tabs(who),
            kept=kept,
            headers=[(key, str(value)) for key, value in mail.items()],
            text=part_of(mail, "plain"),
        )

    @router.get("/mail/{number}/html", openapi_extra=access(*OFFICE))
    async def html(request: Request, number: int) -> HTMLResponse:
        """The HTML part alone, for the frame."""
        await guard.require(request, *OFFICE)
        found = await ledger.caught_mail(number)
        if found is None:
            raise HTTPException(404)
        return _foreign(part_of(found[1], "html"))


def _foreign(content: str) -> HTMLResponse:
    return HTMLResponse(
        content,
        headers={
            "Content-Security-Policy": MAIL_POLICY,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


_TOOLS = (
    in_language,
    reason_in_words,
    rule_in_words,
    severity_in_words,
    state_in_words,
    role_in_words,
    form_in_words,
    withdrawal_in_words,
    withdrawn_in_words,
)
"""Functions that the templates call."""
