"""The web face of accounts and sessions: what is wired to what."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.runtime import mongo
from services.runtime.access.application import Access
from services.runtime.access.guard import Guard
from services.runtime.access.pages import pages
from services.runtime.auth import TokenVerifier
from services.runtime.health import Health
from services.runtime.resources import Resources
from services.runtime.web.site import Site

DATABASE = "accounts"


def access_of(own: Resources) -> Access:
    """Accounts and sessions of a system."""
    database = mongo.database(own.client, own.settings, DATABASE, durable=True)
    return Access(database, own.clock, own.settings)


class AccessWeb:
    """Accounts, their pages, and the guard that everybody else asks."""

    def __init__(self, own: Resources, verifier: TokenVerifier, site: Site) -> None:
        self.access = access_of(own)
        self.guard = Guard(verifier, self.access.find_session)
        self._site = site

    def mount(self, app: FastAPI) -> None:
        """Add its routes."""
        app.include_router(pages(self.access, self.guard, self._site))

    @asynccontextmanager
    async def running(self, _: Health) -> AsyncIterator[None]:
        """Has its indexes."""
        await self.access.prepare()
        yield
