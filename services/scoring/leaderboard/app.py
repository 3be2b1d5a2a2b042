"""The leaderboard's web face: what is wired to what."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from contracts.streams import BOARD, PACKAGE, PLAN
from services.runtime import mongo
from services.runtime.access.choices import UnitGroup
from services.runtime.access.guard import Guard
from services.runtime.consuming import Consumer, DeadLetters
from services.runtime.health import Health
from services.runtime.resources import Resources
from services.runtime.web.formats import Lang
from services.runtime.web.site import Site
from services.scoring.asof import PastBoards
from services.scoring.closing_http import closing_api
from services.scoring.leaderboard.feed import Feed
from services.scoring.leaderboard.http import standings_api
from services.scoring.leaderboard.pages import pages
from services.scoring.store import ScoringStore


class LeaderboardWeb:
    """The board in memory, its API and its pages."""

    def __init__(self, resources: Resources, site: Site, guard: Guard) -> None:
        self._site = site
        self._guard = guard
        settings = resources.settings
        self._resources = resources
        self._store = ScoringStore(mongo.database(resources.client, settings, "scoring"))
        self._past = PastBoards(settings)
        self._feed = Feed(self._store, resources.journal, resources.clock, self._past)
        letters = DeadLetters(self._store.dead_letters)
        self._plans = Consumer(
            resources.journal, PLAN.name, [0], self._feed.on_plans, letters, settings
        )
        self._packages = Consumer(
            resources.journal, PACKAGE.name, [0], self._feed.on_packages, letters, settings
        )

    def mount(self, app: FastAPI) -> None:
        """Add its routes."""
        app.include_router(standings_api(self._feed))
        app.include_router(pages(self._feed, self._site))
        app.include_router(closing_api(self._resources, self._guard))

    def units(self, lang: Lang) -> list[UnitGroup]:
        """The units of all published plans, by bloc."""
        return [
            UnitGroup(
                bloc.name.model_dump()[lang],
                tuple((u.code, u.name.model_dump()[lang]) for u in plan.units_of(bloc.code)),
            )
            for plan in self._feed.plans()
            for bloc in plan.blocs
        ]

    @asynccontextmanager
    async def running(self, health: Health) -> AsyncIterator[None]:
        """Follows plans and the board."""
        await self._plans.catch_up()
        await self._packages.catch_up()
        await self._feed.load()
        self._resources.subscribe(self._plans)
        self._resources.subscribe(self._packages)
        stream = self._resources.journal.stream(BOARD.name, 0)
        self._resources.listen(stream, self._feed.on_entries)
        health.check("leaderboard plans", self._plans.trouble)
        health.check("scoring", self._scoring)
        health.watch("leaderboard keeps up with plans", self._plans.keep_up())
        health.watch("leaderboard keeps up with packages", self._packages.keep_up())
        health.watch("leaderboard repairs itself", self._feed.poll())
        try:
            yield
        finally:
            self._past.close()

    def _scoring(self) -> str | None:
        return "no sign of life" if self._feed.trouble() == "scoring" else None
