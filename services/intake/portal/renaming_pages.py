"""`/review/names`: names and codes that somebody has explained, and correcting what was said."""

from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from services.intake.portal.directory import Alias
from services.intake.portal.domain.canonical import Known
from services.intake.portal.draft_routes import READERS, draft_router
from services.intake.portal.drafts import DraftError
from services.intake.portal.renaming import RenamingDesk
from services.runtime.access.guard import Guard
from services.runtime.audit import Audit
from services.runtime.auth import Role
from services.runtime.web.site import Site

NAMES = "/review/names"
LONGEST_NAME = 200


class RenamingPages:
    """The pages of known names."""

    def __init__(
        self, site: Site, guard: Guard, desk: RenamingDesk, known: Known, audit: Audit
    ) -> None:
        self._site, self._guard, self._desk = site, guard, desk
        self._known, self._audit = known, audit

    def router(self) -> APIRouter:
        """Their routes."""
        return draft_router(NAMES, (self.names, self.draft), (self.draft_page, self.apply))

    async def names(
        self, request: Request, source: str = "", name: str = "", error: str = ""
    ) -> Response:
        """All that is known; with a name: a form for correcting it."""
        who = await self._guard.require(request, *READERS)
        return self._site.page(
            request,
            "names.html",
            aliases=await self._desk.aliases.listed(),
            chosen=await self._desk.aliases.find(source, name) if name else None,
            known=self._known,
            drafts=await self._desk.drafts.newest(),
            may_change=who.has(Role.REVIEWER),
            error=error,
        )

    async def draft(self, request: Request) -> Response:
        """Begin to compute what a correction would move."""
        who = await self._guard.require(request, Role.REVIEWER)
        form = await request.form(max_files=0, max_fields=10)
        source, name = (str(form.get(one, ""))[:LONGEST_NAME] for one in ("source", "name"))
        try:
            number = await self._desk.draft(
                Alias(source, name, str(form.get("unit", ""))), who.subject
            )
        except DraftError as error:
            query = urlencode({"source": source, "name": name, "error": error.code})
            return RedirectResponse(f"{NAMES}?{query}", 303)
        return RedirectResponse(f"{NAMES}/drafts/{number}", 303)

    async def draft_page(self, request: Request, number: str, error: str = "") -> Response:
        """How many dossiers a correction concerns, and which totals it would move."""
        who = await self._guard.require(request, *READERS)
        found = await self._desk.drafts.find(number)
        if found is None:
            words = self._site.words_for(request)
            title = words.gettext("Không có bản nháp này")
            advice = words.gettext("Hãy mở lại từ danh sách tên đã biết.")
            return self._site.failure(request, 404, title, advice, NAMES)
        return self._site.page(
            request,
            "renaming.html",
            draft=found,
            known=self._known,
            may_change=who.has(Role.REVIEWER),
            error=error,
        )

    async def apply(self, request: Request, number: str) -> Response:
        """Let a correction hold."""
        who = await self._guard.require(request, Role.REVIEWER)
        await self._audit.record(who.subject, "alias.correct", number)
        try:
            await self._desk.apply(number, who.subject)
        except DraftError as error:
            return RedirectResponse(f"{NAMES}/drafts/{number}?error={error.code}", 303)
        return RedirectResponse(f"{NAMES}/drafts/{number}", 303)
