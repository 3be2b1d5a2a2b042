"""The notifier: what is wired to what. The worker is `python -m services.notifier.app`; `NotifierWeb` are its pages."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from prometheus_client import Gauge

from contracts.streams import INDICATOR, PACKAGE, PLAN, STANDING, SUBMISSION
from services.notifier.application import Notifier
from services.notifier.channels.catcher import HOST, Catcher
from services.notifier.channels.others import OtherChannels
from services.notifier.handlers import Handlers
from services.notifier.http import alerts_api
from services.notifier.pages import alert_pages, notifier_site
from services.notifier.pipeline.line import Line
from services.notifier.pipeline.send import Post, Sender
from services.notifier.reading import Ledger
from services.notifier.settings import NotifierSettings
from services.notifier.store import NotifierStore
from services.notifier.wiring import open_store, tools_of
from services.runtime.access.guard import Guard
from services.runtime.clock import monotonic_seconds, wall_milliseconds
from services.runtime.consuming import Consumer, DeadLetters
from services.runtime.health import Health
from services.runtime.logging import get_logger
from services.runtime.process import settle
from services.runtime.resources import Resources, resources
from services.runtime.settings import from_environment
from services.runtime.web.site import Site
from services.runtime.working import run_worker

log = get_logger(__name__)
OLDEST = Gauge(
    "notifier_oldest_unsent_seconds", "Real age of the oldest mail not yet accepted."
)
LATEST_UNSENT_SECONDS = 900
"""Older than this while the server answers: something is wrong."""
BEAT_SECONDS = 2
NICE = 5
"""Mails can wait a moment; the board cannot."""


class Worker:
    """A running notifier, as tests and the health checks see it."""

    def __init__(self, store: NotifierStore, notifier: Notifier, post: Post) -> None:
        self.store = store
        self.notifier = notifier
        self.post = post
        self._oldest = 0.0
        self._beat_at = 0.0

    async def beat(self) -> None:
        """Tell the pages now and then that the worker lives, and how the mail server does."""
        if monotonic_seconds() - self._beat_at < BEAT_SECONDS:
            return
        self._beat_at = monotonic_seconds()
        unsent = (
            await self.store.mails.find(
                {"state": {"$in": ["queued", "sending"]}}, {"made_ms": 1}
            )
            .sort("made_ms", 1)
            .to_list(1)
        )
        now = wall_milliseconds()
        self._oldest = (now - unsent[0]["made_ms"]) / 1_000 if unsent else 0.0
        OLDEST.set(self._oldest)
        await self.store.mark(
            "heartbeat", wall_ms=now, oldest_unsent_seconds=self._oldest, error=self.post.error
        )

    def unsent(self) -> str | None:
        """None, or how long a mail has waited."""
        late = self._oldest > LATEST_UNSENT_SECONDS
        return f"a mail has waited for {self._oldest:.0f} s" if late else None


@asynccontextmanager
async def post_for(
    store: NotifierStore, own: Resources, settings: NotifierSettings
) -> AsyncIterator[Post]:
    """The mail server: the relay of the settings, or a catcher of our own."""
    if settings.smtp_host:
        await store.mark("catcher", used=False)
        yield Post(settings, settings.smtp_host, settings.smtp_port, plain=False)
        return
    catcher = Catcher(store.caught, settings.catcher_keeps, own.clock)
    port = await catcher.start(settings.catcher_port)
    await store.mark("catcher", used=True, port=port)
    try:
        yield Post(settings, HOST, port, plain=True)
    finally:
        await catcher.stop()


@asynccontextmanager
async def worker(settings: NotifierSettings, health: Health) -> AsyncIterator[Worker]:
    """A running worker: it has caught up and keeps up; ends cleanly."""
    async with resources(settings) as own:
        store = open_store(own)
        await store.prepare()
        notifier = Notifier(store, own.clock)
        await notifier.load()
        consumers = _consumers(own, notifier, DeadLetters(store.dead_letters), settings)
        for consumer in consumers.values():
            await consumer.catch_up()
            own.subscribe(consumer)
        await own.start_bus(health)
        line = Line(store, notifier.watch, await tools_of(store, settings))
        async with post_for(store, own, settings) as post:
            also = OtherChannels().tell if settings.channels else None
            sender = Sender(store, post, settings, own.clock, also)
            await sender.recover()
            running = Worker(store, notifier, post)
            settle()
            for name, consumer in consumers.items():
                health.check(f"{name} events", consumer.trouble)
                health.watch(f"keep up with {name}", consumer.keep_up())
            health.check("looking", notifier.trouble)
            health.check("mail server", post.trouble)
            health.check("unsent mail", running.unsent)
            health.watch("look", notifier.work(line, running.beat))
            for number in range(settings.smtp_connections):
                health.watch(f"send {number}", sender.work())
            try:
                yield running
            finally:
                await health.stop()


def _consumers(
    own: Resources, notifier: Notifier, letters: DeadLetters, settings: NotifierSettings
) -> dict[str, Consumer]:
    """One for each topic, plans first: nothing else is understood without them."""
    handlers = Handlers(notifier.watch, letters, notifier.causes)
    handle = {
        PLAN.name: handlers.on_plans,
        INDICATOR.name: handlers.on_facts,
        STANDING.name: handlers.on_totals,
        SUBMISSION.name: handlers.on_submissions,
        PACKAGE.name: handlers.on_packages,
    }
    shards = {INDICATOR.name: range(settings.scoring_shards)}
    return {
        name: Consumer(own.journal, name, shards.get(name, [0]), one, letters, settings)
        for name, one in handle.items()
    }


class NotifierWeb:
    """The pages `/alerts` and `/mail`, and the API."""

    def __init__(self, own: Resources, guard: Guard, site: Site | None = None) -> None:
        self._own = own
        self._guard = guard
        self._site = site or notifier_site()
        self._settings = NotifierSettings.model_validate(
            NotifierSettings().model_dump() | own.settings.model_dump()
        )
        self._ledger = Ledger(open_store(own), own.clock, self._settings)
        letters = DeadLetters(self._ledger.store.dead_letters)
        self._plans = Consumer(
            own.journal, PLAN.name, [0], self._ledger.on_plans, letters, own.settings
        )

    def mount(self, app: FastAPI) -> None:
        """Add its routes."""
        app.include_router(alerts_api(self._ledger, self._guard))
        app.include_router(alert_pages(self._ledger, self._guard, self._site))

    @asynccontextmanager
    async def running(self, health: Health) -> AsyncIterator[None]:
        """Follows plans, for the words of alerts."""
        await self._ledger.store.prepare()
        await self._plans.catch_up()
        await self._ledger.open(await tools_of(self._ledger.store, self._settings))
        self._own.subscribe(self._plans)
        health.check("alert plans", self._plans.trouble)
        health.watch("alerts keep up with plans", self._plans.keep_up())
        yield


def main() -> None:
    """Run one worker until it is told to stop."""
    settings = from_environment(NotifierSettings)
    os.nice(NICE)
    run_worker("notifier", settings, lambda health: worker(settings, health))


if __name__ == "__main__":
    main()
