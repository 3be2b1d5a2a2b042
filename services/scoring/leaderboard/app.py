"""The leaderboard's web face: what is wired to what."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from contracts.streams import BOARD, PLAN
from services.runtime import mongo
from services.runtime.access.choices import UnitGroup
from services.runtime.access.guard import Guard
from services.runtime.consuming import Consumer, DeadLetters
from services.runtime.health import Health
from services.runtime.resources import Resources
from services.runtime.web.formats import Lang
from services.runtime.web.site import Site
from services.scoring.asof import PastBoards
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
        self.feed = Feed(self._store, resources.journal, resources.clock, self._past)
        letters = DeadLetters(self._store.dead_letters)
        self._plans = Consumer(
            resources.journal, PLAN.name, [0], self.feed.on_plans, letters, settings
        )

    def mount(self, app: FastAPI) -> None:
        """Add its routes."""
        app.include_router(standings_api(self.feed))
        app.include_router(pages(self.feed, self._site))

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
        await self.feed.load()
        self._resources.subscribe(self._plans)
        stream = self._resources.journal.stream(BOARD.name, 0)
        self._resources.listen(stream, self.feed.on_entries)
        health.check("leaderboard plans", self._plans.trouble)
        health.check("scoring", self._scoring)
        health.watch("leaderboard keeps up with plans", self._plans.keep_up())
        health.watch("leaderboard repairs itself", self.feed.poll())
        try:
            yield
        finally:
            self._past.close()

    def _scoring(self) -> str | None:
        return "no sign of life" if self.feed.trouble() == "scoring" else None
