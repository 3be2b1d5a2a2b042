"""The pages of a rule change: hand in, look, publish or discard."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import UploadFile

from contracts.plan import Plan
from services.runtime.access.rules import access
from services.runtime.audit import Audit
from services.runtime.auth import Role
from services.runtime.web.plan_words import plan_fault
from services.runtime.web.site import Site
from services.scoring.leaderboard.audience import Audience
from services.scoring.leaderboard.failures import busy, no_board
from services.scoring.leaderboard.preview import (
    Preview,
    Previews,
    Publish,
    ReadCandidate,
)
from services.scoring.leaderboard.staff_pages import form_of
from services.scoring.turns import BusyError

MOST_FILES = 8
MOST_BYTES = 4 << 20
FAULTS_SHOWN = 20


class PreviewDesk:
    """For the standing office: nobody else sees a change before it is published."""

    def __init__(
        self,
        audience: Audience[Any],
        site: Site,
        previews: Previews,
        audit: Audit,
        tools: tuple[ReadCandidate, Publish],
    ) -> None:
        self._audience = audience
        self._site = site
        self._previews = previews
        self._audit = audit
        self._read, self._publish = tools

    def add(self, router: APIRouter) -> None:
        """`/preview` and `/preview/{number}`."""
        for path, endpoint, method in (
            ("/preview", self.form, "GET"),
            ("/preview", self.hand_in, "POST"),
            ("/preview/{number}", self.show, "GET"),
            ("/preview/{number}", self.decide, "POST"),
        ):
            router.add_api_route(
                path, endpoint, methods=[method], openapi_extra=access(Role.REVIEWER)
            )

    async def form(self, request: Request, plan: str | None = None) -> HTMLResponse:
        """What was handed in lately, and the form."""
        await self._audience.require(request, Role.REVIEWER)
        return await self._form(request, plan, [])

    async def _form(
        self, request: Request, plan: str | None, faults: Sequence[str]
    ) -> HTMLResponse:
        known = self._audience.live.plans()
        chosen = self._audience.live.plan(plan or (known[0].id if known else ""))
        if chosen is None:
            return no_board(self._site, request)
        words = self._site.words_for(request)
        return self._site.page(
            request,
            "preview_form.html",
            status=422 if faults else 200,
            plan=chosen,
            latest=await self._previews.latest(),
            faults=[plan_fault(words.lang, fault) for fault in faults[:FAULTS_SHOWN]],
        )

    async def hand_in(self, request: Request, plan: str | None = None) -> Response:
        """Read the files, fold everything under them, show the effect."""
        principal = await self._audience.require(request, Role.REVIEWER)
        known = self._audience.live.plans()
        current = self._audience.live.plan(plan or (known[0].id if known else ""))
        if current is None:
            return no_board(self._site, request)
        read = await self._candidate(request, current)
        if not isinstance(read, Plan):
            return await self._form(request, current.id, read)
        try:
            number = await self._previews.make(current, read, principal.subject)
        except BusyError as refused:
            return busy(self._site, request, refused)
        return RedirectResponse(f"/preview/{number}", 303)

    async def _candidate(self, request: Request, current: Plan) -> Plan | Sequence[str]:
        words = self._site.words_for(request)
        too_much = [words.gettext("Tối đa 8 tệp và 4 MiB.")]
        if int(request.headers.get("content-length") or 0) > MOST_BYTES:
            return too_much
        files: dict[str, bytes] = {}
        async with request.form(max_files=MOST_FILES, max_fields=10) as form:
            for upload in form.getlist("files"):
                if isinstance(upload, UploadFile) and upload.filename:
                    files[upload.filename] = await upload.read(MOST_BYTES + 1)
        if not files:
            return [words.gettext("Chọn ít nhất một tệp YAML hoặc JSON.")]
        if sum(map(len, files.values())) > MOST_BYTES:
            return too_much
        return self._read(current, files)

    async def show(self, request: Request, number: str) -> HTMLResponse:
        """Before and after for every unit."""
        await self._audience.require(request, Role.REVIEWER)
        found = await self._previews.find(number)
        return self._page(request, found, {}, {})

    def _page(
        self,
        request: Request,
        found: Preview | None,
        typed: dict[str, str],
        faults: dict[str, str],
    ) -> HTMLResponse:
        if found is None:
            return no_board(self._site, request)
        return self._site.page(
            request,
            "preview.html",
            status=422 if faults else 200,
            preview=found,
            typed=typed,
            faults=faults,
            names={unit.code: unit for unit in found.plan.units},
        )

    async def decide(self, request: Request, number: str) -> Response:
        """Publish or discard, with a reason and, to publish, the number of the decision."""
        principal = await self._audience.require(request, Role.REVIEWER)
        typed = await form_of(request)
        found = await self._previews.find(number)
        words = self._site.words_for(request)
        publishing = typed.get("act") == "publish"
        faults = {}
        if not typed.get("reason"):
            faults["reason"] = words.gettext("Ghi lý do: lý do được lưu cùng quyết định.")
        if publishing and not typed.get("decision"):
            faults["decision"] = words.gettext("Ghi số quyết định, ví dụ 12/QĐ-UBND.")
        if found is not None and found.state != "open":
            faults["act"] = words.gettext("Bản xem trước này đã được quyết định.")
        if found is None or faults:
            return self._page(request, found, typed, faults)
        state = "published" if publishing else "discarded"
        decision = typed.get("decision", "")
        subject = f"{found.plan.id}-{found.plan.version}"
        detail = {"decision": decision, "preview": number}
        await self._audit.record(
            principal.subject, f"plan.{state}", subject, reason=typed["reason"], detail=detail
        )
        refused = await self._publish(found.plan) if publishing else None
        if refused is not None:
            await self._audit.record(
                principal.subject, "plan.refused", subject, reason=str(refused), detail=detail
            )
            return self._page(request, found, typed, {"act": plan_fault(words.lang, refused)})
        await self._previews.decide(number, state, decision, typed["reason"], principal.subject)
        return RedirectResponse(f"/preview/{number}", 303)
