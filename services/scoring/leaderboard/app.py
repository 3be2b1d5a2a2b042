"""The leaderboard's web face: what is wired to what."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from pymongo.errors import PyMongoError

from contracts.streams import BOARD, FREEZE, PACKAGE, PLAN
from services.runtime import mongo
from services.runtime.access.choices import UnitGroup
from services.runtime.access.guard import Guard
from services.runtime.audit import Audit
from services.runtime.auth import Keys
from services.runtime.consuming import Consumer, DeadLetters
from services.runtime.health import Health
from services.runtime.logging import get_logger
from services.runtime.resources import Resources
from services.runtime.web.formats import Lang
from services.runtime.web.site import Site
from services.scoring.asof import PastBoards
from services.scoring.closing_http import closing_api
from services.scoring.leaderboard.audience import Audience
from services.scoring.leaderboard.feed import Feed
from services.scoring.leaderboard.freezing import Freezes
from services.scoring.leaderboard.http import standings_api
from services.scoring.leaderboard.pages import copy_page, pages
from services.scoring.leaderboard.preview import Previews, Publish, ReadCandidate
from services.scoring.leaderboard.preview_pages import PreviewDesk
from services.scoring.leaderboard.proof import PublicCopy
from services.scoring.leaderboard.proof_pages import add_proof
from services.scoring.leaderboard.public import PublicBoards
from services.scoring.leaderboard.staff_pages import FreezeDesk
from services.scoring.sealing import Sealer
from services.scoring.settings import BoardSettings
from services.scoring.store import ScoringStore

log = get_logger(__name__)
LOOK_SECONDS = 0.5
"""So often a web process looks which boards are frozen."""


class LeaderboardWeb:
    """The boards in memory, their API and their pages."""

    def __init__(
        self,
        resources: Resources,
        site: Site,
        guard: Guard,
        past: PastBoards,
        tools: tuple[ReadCandidate, Publish],
    ) -> None:
        settings = resources.settings
        self._resources, self._site, self._tools = resources, site, tools
        self._guard = guard
        self._board_settings = BoardSettings()
        database = mongo.database(resources.client, settings, "scoring")
        self._store = ScoringStore(database)
        self._past = past
        self.feed = Feed(self._store, resources.journal, resources.clock, self._past)
        self._freezes = Freezes(
            self._store, resources.journal, self.feed, self._past, resources.clock
        )
        public = PublicBoards(self.feed, self._freezes)
        self._audience: Audience[Feed] = Audience(self.feed, public, guard)
        self._audit = Audit(database, resources.clock)
        self._keys = Keys(settings.keys_dir)
        letters = DeadLetters(self._store.dead_letters)
        self._plans = Consumer(
            resources.journal, PLAN.name, [0], self.feed.on_plans, letters, settings
        )
        self._packages = Consumer(
            resources.journal, PACKAGE.name, [0], self.feed.on_packages, letters, settings
        )
        self._closings = Consumer(
            resources.journal, FREEZE.name, [0], self.feed.on_freezes, letters, settings
        )

    def mount(self, app: FastAPI) -> None:
        """Add its routes."""
        audience, site, clock = self._audience, self._site, self._resources.clock
        app.include_router(standings_api(audience))
        router = pages(audience, site, self._board_settings.embed_ancestors)
        FreezeDesk(audience, site, self._freezes, self._audit, clock).add(router)
        previews = Previews(self._store.previews, self._past, clock)
        PreviewDesk(audience, site, previews, self._audit, self._tools).add(router)
        add_proof(router, audience, site, self._store.seals, self._keys.verifying())
        app.include_router(router)
        app.include_router(closing_api(self._resources, self._guard))

    def units(self, lang: Lang) -> list[UnitGroup]:
        """The units of all published plans, by bloc."""
        return [
            UnitGroup(
                bloc.name.model_dump()[lang],
                tuple((u.code, u.name.model_dump()[lang]) for u in plan.units_of(bloc.code)),
            )
            for plan in self.feed.plans()
            for bloc in plan.blocs
        ]

    @asynccontextmanager
    async def running(self, health: Health) -> AsyncIterator[None]:
        """Follows plans and the board."""
        await self._plans.catch_up()
        await self._packages.catch_up()
        await self._closings.catch_up()
        await self.feed.load()
        await self._freezes.look()
        self._resources.subscribe(self._plans)
        self._resources.subscribe(self._packages)
        self._resources.subscribe(self._closings)
        stream = self._resources.journal.stream(BOARD.name, 0)
        self._resources.listen(stream, self.feed.on_entries)
        health.check("leaderboard plans", self._plans.trouble)
        health.check("scoring", self._scoring)
        health.watch("leaderboard keeps up with plans", self._plans.keep_up())
        health.watch("leaderboard keeps up with packages", self._packages.keep_up())
        health.watch("leaderboard keeps up with closings", self._closings.keep_up())
        health.watch("leaderboard repairs itself", self.feed.poll())
        health.watch("leaderboard knows what is frozen", self._look())
        if self._board_settings.public_dir is not None:
            copies = self._copy().run(self._board_settings.public_copy_seconds)
            health.watch("public copy", copies)
        yield

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self._freezes.look()
            except PyMongoError as failure:
                log.warning("freezes cannot be read", error=str(failure)[:120])

    def _copy(self) -> PublicCopy:
        folder = self._board_settings.public_dir
        if folder is None:
            raise LookupError("no folder is set")
        sealer = Sealer(self._resources.journal, self._store.seals, self._resources.clock)
        render = copy_page(self._site)
        return PublicCopy(folder, self._audience.public, sealer, self._keys.signing(), render)

    def _scoring(self) -> str | None:
        return "no sign of life" if self.feed.trouble() == "scoring" else None
