"""Intake's web face: what is wired to what."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from contracts.streams import PLAN
from services.intake.application import Intake
from services.intake.http import doors, endpoints
from services.intake.portal.app import PortalWeb
from services.intake.portal.catalogue import PreviewPlan, PublishPlan
from services.intake.portal.renaming import PreviewAlias
from services.intake.sheets.desk import SheetDesk
from services.intake.sheets.http import sheet_api
from services.intake.sheets.pages import SheetPages
from services.intake.sheets.store import SheetStore
from services.intake.store import IntakeStore
from services.runtime import mongo
from services.runtime.access.guard import Guard
from services.runtime.consuming import Consumer, DeadLetters
from services.runtime.health import Health
from services.runtime.resources import Resources


class IntakeWeb:
    """The doors and what stands behind them."""

    def __init__(self, resources: Resources, guard: Guard) -> None:
        settings = resources.settings
        database = mongo.database(resources.client, settings, "intake")
        self._store = IntakeStore(database)
        self._resources = resources
        self.intake = Intake(self._store, resources.journal, settings.scoring_shards)
        self.portal = PortalWeb(resources, self.intake, guard)
        letters = DeadLetters(database["dead_letters"])
        self._plans = Consumer(
            resources.journal, PLAN.name, [0], self.portal.desk.on_plans, letters, settings
        )
        posted = endpoints(self.intake, self.portal.trust)
        self.endpoints = posted | self.portal.endpoints
        self.router: APIRouter = doors(posted)
        self.router.include_router(self.portal.router)
        self.sheets = SheetDesk(settings, SheetStore(database))
        self.router.include_router(sheet_api(self.sheets, guard))
        self._guard = guard

    def mount(
        self,
        app: FastAPI,
        preview: PreviewPlan,
        publish: PublishPlan,
        preview_alias: PreviewAlias,
    ) -> None:
        """Add its routes and pages."""
        app.include_router(self.router)
        self.portal.mount(app, preview, publish, preview_alias)
        portal = self.portal
        pages = SheetPages(
            portal.site, self._guard, self.sheets, portal.receiver.known, portal.audit
        )
        app.include_router(pages.router())

    @asynccontextmanager
    async def running(self, health: Health) -> AsyncIterator[None]:
        """Knows all plans; follows new ones."""
        await self._store.prepare()
        await self.portal.prepare()
        await self._plans.catch_up()
        self._resources.subscribe(self._plans)
        health.check("intake plans", self._plans.trouble)
        health.watch("intake keeps up with plans", self._plans.keep_up())
        async with self.portal.running(health):
            yield
            await self.sheets.stop()
