"""The workspace's web face: what is wired to what."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from fastapi import APIRouter, FastAPI

from contracts.streams import PLAN
from services.intake.application import Intake
from services.intake.workspace.appealing import Appeals, Standing
from services.intake.workspace.application import Workspace
from services.intake.workspace.files import EvidenceRoom
from services.intake.workspace.http import Rooms, workspace_api
from services.intake.workspace.pages import pages
from services.intake.workspace.reviewing import Desk
from services.intake.workspace.sheet_pages import sheets_api
from services.intake.workspace.store import WorkspaceStore
from services.intake.workspace.uploads import evidence_api
from services.runtime import mongo
from services.runtime.access.guard import Guard
from services.runtime.audit import Audit
from services.runtime.consuming import Consumer, DeadLetters
from services.runtime.health import Health
from services.runtime.resources import Resources
from services.runtime.web.site import Site


def workspace_routes(rooms: Rooms | None = None, site: Site | None = None) -> list[APIRouter]:
    """The routes for programs; without rooms they can be documented, not called."""
    known, shown = cast("Rooms", rooms), cast("Site", site)
    return [workspace_api(known), evidence_api(known), sheets_api(known, shown)]


class WorkspaceWeb:
    """Reports, evidence, reviews and appeals."""

    def __init__(
        self, resources: Resources, intake: Intake, guard: Guard, standing: Standing, site: Site
    ) -> None:
        settings = resources.settings
        database = mongo.database(resources.client, settings, "intake")
        self._store = WorkspaceStore(database)
        audit = Audit(database, resources.clock)
        self._workspace = Workspace(
            self._store, intake, resources.journal, resources.clock, audit
        )
        self._rooms = Rooms(
            self._workspace,
            Desk(self._workspace),
            EvidenceRoom(self._workspace),
            Appeals(self._workspace, standing),
            guard,
        )
        self._site = site
        self._resources = resources
        letters = DeadLetters(database["dead_letters"])
        self._plans = Consumer(
            resources.journal, PLAN.name, [0], self._workspace.plans.on_packs, letters, settings
        )

    def mount(self, app: FastAPI) -> None:
        """Add its routes."""
        for routes in workspace_routes(self._rooms, self._site):
            app.include_router(routes)
        app.include_router(pages(self._rooms, self._site))

    @asynccontextmanager
    async def running(self, health: Health) -> AsyncIterator[None]:
        """Knows all plans, finishes what a crash left, follows decisions, keeps house."""
        await self._store.prepare()
        await self._plans.catch_up()
        await self._workspace.deliver_all()
        self._resources.subscribe(self._plans)
        health.check("workspace plans", self._plans.trouble)
        health.watch("workspace keeps up with plans", self._plans.keep_up())
        health.watch("workspace tells the journal", self._workspace.keep_delivering())
        health.watch("workspace follows appeals", self._rooms.appeals.keep_following())
        health.watch("workspace keeps house", self._rooms.evidence.keep_house())
        yield
