"""Intake's web face: what is wired to what."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from contracts.streams import PLAN
from services.intake.application import Intake
from services.intake.http import doors, endpoints
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
        database = mongo.database(resources.client, settings, "intake", durable=True)
        self._store = IntakeStore(database)
        self._resources = resources
        self._intake = Intake(self._store, resources.journal, settings.scoring_shards)
        letters = DeadLetters(database["dead_letters"])
        self._plans = Consumer(
            resources.journal, PLAN.name, [0], self._intake.on_plans, letters, settings
        )
        self.endpoints = endpoints(self._intake, guard)
        self.router: APIRouter = doors(self.endpoints)

    @asynccontextmanager
    async def running(self, health: Health) -> AsyncIterator[None]:
        """Knows all plans; follows new ones."""
        await self._store.prepare()
        await self._plans.catch_up()
        self._resources.subscribe(self._plans)
        health.check("intake plans", self._plans.trouble)
        health.watch("intake keeps up with plans", self._plans.keep_up())
        yield
