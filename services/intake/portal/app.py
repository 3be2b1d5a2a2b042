"""The portal's part of intake's web face: what is wired to what."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from pymongo.errors import PyMongoError

from services.intake.application import Intake
from services.intake.portal.application import Receiver
from services.intake.portal.catalogue import CatalogueDesk, PreviewPlan, PublishPlan
from services.intake.portal.catalogue_pages import CataloguePages
from services.intake.portal.desk import Desk
from services.intake.portal.directory import AliasStore
from services.intake.portal.http import LOGIN, NATIONAL, documented, login_door, national_door
from services.intake.portal.pages import (
    desk_site,
    quarantine_pages,
    source_pages,
)
from services.intake.portal.pull import Puller, PullStore, client
from services.intake.portal.qualities import QualityStore
from services.intake.portal.renaming import PreviewAlias, RenamingDesk
from services.intake.portal.renaming_pages import RenamingPages
from services.intake.portal.store import DossierStore
from services.intake.portal.trust import SourceStore, Trust
from services.runtime import mongo
from services.runtime.access.guard import Guard
from services.runtime.access.rules import all_of, everybody
from services.runtime.audit import Audit
from services.runtime.health import Health
from services.runtime.journal import JournalUnavailableError
from services.runtime.logging import get_logger
from services.runtime.resources import Resources

log = get_logger(__name__)
LOOK_SECONDS = 3
MEASURE_EVERY = 10


class PortalWeb:
    """Doors for senders as they are, and the desk of those who look after them."""

    def __init__(self, own: Resources, intake: Intake, guard: Guard) -> None:
        settings = own.settings
        database = mongo.database(own.client, settings, "intake")
        self.aliases = AliasStore(database)
        self.dossiers = DossierStore(database)
        self.sources = SourceStore(database)
        self.qualities = QualityStore(database)
        self.receiver = Receiver(self.dossiers, own.journal, own.clock, settings.scoring_shards)
        self.trust = Trust(self.sources, guard, settings.mtls_subject_header)
        self.desk = Desk(database, intake, self.receiver, self.aliases)
        self.endpoints = {
            NATIONAL: national_door(self.receiver, self.trust),
            LOGIN: login_door(self.trust),
        }
        self._database = database
        self._guard = guard
        self._own = own
        self.site = desk_site()
        self.audit = Audit(database, own.clock)
        self._catalogue: CatalogueDesk | None = None
        self._renaming: RenamingDesk | None = None
        self._intake = intake
        self.puller = Puller(PullStore(database), self.receiver, client())
        self.router: APIRouter = documented(self.endpoints)

    def mount(
        self,
        app: FastAPI,
        preview: PreviewPlan,
        publish: PublishPlan,
        preview_alias: PreviewAlias,
    ) -> None:
        """Add the pages; previewing and publishing belong to the whole system."""
        site, guard, known, audit = self.site, self._guard, self.receiver.known, self.audit
        database, clock = self._database, self._own.clock
        self._catalogue = CatalogueDesk(database, known, clock, preview, publish)
        self._renaming = RenamingDesk(
            database, self.desk, known, self._intake.directory, clock, preview_alias
        )
        app.include_router(all_of(site.router(), everybody()))
        for pages in (
            quarantine_pages(site, guard, self.desk, known, audit),
            source_pages(site, guard, self.qualities),
            CataloguePages(site, guard, self._catalogue, known, audit).router(),
            RenamingPages(site, guard, self._renaming, known, audit).router(),
        ):
            app.include_router(pages)

    @property
    def catalogue(self) -> CatalogueDesk:
        """Where the catalogue is changed; there is one once the pages are mounted."""
        if self._catalogue is None:
            raise RuntimeError("not mounted")
        return self._catalogue

    @property
    def renaming(self) -> RenamingDesk:
        """Where aliases are corrected; there is one once the pages are mounted."""
        if self._renaming is None:
            raise RuntimeError("not mounted")
        return self._renaming

    async def prepare(self) -> None:
        """Indexes, sources, aliases."""
        await self.dossiers.prepare()
        await self.sources.prepare()
        await self.trust.load()
        await self.desk.load_aliases()
        await self.receiver.recall()

    @asynccontextmanager
    async def running(self, health: Health) -> AsyncIterator[None]:
        """Follows sources, aliases and plans."""
        await self.desk.settle()
        health.watch("intake keeps up with sources", self.trust.keep_up())
        health.watch("intake stores observations", self.qualities.keep_up(self.receiver.tally))
        health.watch("intake looks after quarantine", self._look())
        health.watch("intake fetches from portals", self.puller.keep_up())
        yield
        await self.puller.client.aclose()
        for desk in (self._catalogue, self._renaming):
            if desk is not None:
                await desk.drafts.stop()
        await self.qualities.store(self.receiver.tally)

    async def _look(self) -> None:
        """Follow aliases that another process added, judge anew after plans, measure what waits."""
        looks = 0
        plans = dict(self.receiver.known.plans)
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.desk.follow_aliases()
                if self.receiver.known.plans != plans:
                    await self.desk.settle()
                    plans = dict(self.receiver.known.plans)
                if looks % MEASURE_EVERY == 0:
                    await self.receiver.recall()
                    await self.desk.measure()
            except (PyMongoError, JournalUnavailableError):
                log.warning("quarantine cannot be looked after now")
            looks += 1
