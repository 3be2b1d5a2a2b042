"""The web face of accounts and sessions: what is wired to what."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.runtime import mongo
from services.runtime.access.application import Access
from services.runtime.access.choices import Units
from services.runtime.access.guard import Guard
from services.runtime.access.http import access_api
from services.runtime.access.oidc import Oidc
from services.runtime.access.oidc_pages import oidc_pages
from services.runtime.access.pages import pages
from services.runtime.access.people_pages import people_pages
from services.runtime.access.sign_in import SignInPage
from services.runtime.auth import TokenVerifier
from services.runtime.health import Health
from services.runtime.resources import Resources
from services.runtime.web.site import Site

DATABASE = "accounts"


def access_of(own: Resources) -> Access:
    """Accounts and sessions of a system."""
    database = mongo.database(own.client, own.settings, DATABASE)
    return Access(database, own.clock, own.settings)


class AccessWeb:
    """Accounts, their pages, and the guard that everybody else asks."""

    def __init__(self, own: Resources, verifier: TokenVerifier, site: Site) -> None:
        self.access = access_of(own)
        self.guard = Guard(verifier, self.access.find_session)
        self.units: Units = lambda _: []
        """Set by who knows the units that there are."""
        self._site = site
        database = mongo.database(own.client, own.settings, DATABASE)
        self._oidc = Oidc(database, own.settings)

    def mount(self, app: FastAPI) -> None:
        """Add its routes."""
        app.include_router(access_api(self.access, self.guard))
        page = SignInPage(self._site, has_provider=self._oidc.is_configured)
        app.include_router(pages(self.access, self.guard, page, self.units))
        if self._oidc.is_configured:
            app.include_router(oidc_pages(self.access, self._oidc, page))
        app.include_router(people_pages(self.access, self.guard, self._site, self.units))

    @asynccontextmanager
    async def running(self, _: Health) -> AsyncIterator[None]:
        """Has its indexes."""
        await self.access.prepare()
        await self._oidc.prepare()
        yield
