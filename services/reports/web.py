"""The web face of reports: what is wired to what."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import Response
from pymongo.errors import PyMongoError

from contracts.packages import PeriodFrozen
from services.reports.app import store_of
from services.reports.application import Neighbours, Packages
from services.reports.archives import Archives
from services.reports.closing_pages import closing_pages
from services.reports.collecting import Collection
from services.reports.collecting_http import nominations_api
from services.reports.collecting_pages import Counter, collecting_pages
from services.reports.domain.record import Proof
from services.reports.http import Office, packages_api, refused
from services.reports.pages import Desk, pages
from services.reports.refusals import EXPECTED, refusal_of
from services.reports.settings import ReportsSettings
from services.reports.showing_pages import showing_pages
from services.reports.signed_pages import signed_pages
from services.runtime import mongo
from services.runtime.access.guard import Guard
from services.runtime.audit import Audit
from services.runtime.health import Health
from services.runtime.logging import get_logger
from services.runtime.resources import Resources
from services.runtime.web.site import Site, wants_page

log = get_logger(__name__)
Prove = Callable[[PeriodFrozen], Awaitable[Proof]]
PROVE_EVERY_SECONDS = 2


def answer_refusals(app: FastAPI, site: Site) -> None:
    """Answer expected refusals: JSON for programs, a page for people. Before the application starts."""

    async def on_refusal(request: Request, error: Exception) -> Response:
        found = refusal_of(error)
        if not wants_page(request):
            return refused(found)
        words = site.words_for(request)
        title = words.gettext("Không thực hiện được")
        return site.failure(request, found.status, title, found.text(words.lang), "/packages")

    for kind in EXPECTED:
        app.add_exception_handler(kind, on_refusal)


class ReportsWeb:
    """Packages, their pages and their interface.

    `ask` and `prove` reach what other services keep; whoever wires the services together gives them.
    """

    def __init__(
        self, own: Resources, site: Site, guard: Guard, ask: Neighbours, prove: Prove
    ) -> None:
        self._store = store_of(own)
        self._archives = Archives(self._store)
        packages = Packages(self._store, own.journal, own.clock, ask)
        database = mongo.database(own.client, own.settings, "reports")
        self._office = Office(packages, self._archives, Audit(database, own.clock), own.clock)
        self._desk, self._closer = Desk(self._office, guard, site), ask.closer
        self._collection = Collection(packages)
        self._counter = Counter(
            self._office,
            self._collection,
            guard,
            site,
            own.clock,
            ReportsSettings().reports_template_bytes,
        )
        self._guard = guard
        self._prove = prove

    def mount(self, app: FastAPI) -> None:
        """Add its routes."""
        app.include_router(packages_api(self._office, self._guard))
        app.include_router(nominations_api(self._office, self._collection, self._guard))
        app.include_router(collecting_pages(self._counter))
        app.include_router(closing_pages(self._desk, self._closer))
        app.include_router(signed_pages(self._desk))
        app.include_router(showing_pages(self._desk))
        app.include_router(pages(self._desk, self._closer))

    @asynccontextmanager
    async def running(self, health: Health) -> AsyncIterator[None]:
        """Recomputes each closing once, behind everything else."""
        await self._store.prepare()
        health.watch("prove closings", self._prove_closings())
        try:
            yield
        finally:
            self._archives.close()

    async def _prove_closings(self) -> None:
        while True:
            try:
                await self._prove_some()
            except PyMongoError as failure:
                log.warning("closings not proved", error=str(failure)[:120])
            await asyncio.sleep(PROVE_EVERY_SECONDS)

    async def _prove_some(self) -> None:
        for key in await self._store.frozen_ids():
            if await self._store.proof(key) is not None:
                continue
            frozen = await self._store.frozen(key)
            if frozen is not None:
                await self._store.keep_proof(key, await self._prove(frozen))
                log.info("closing recomputed", frozen=key)
