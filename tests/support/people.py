"""People for tests: an account with grants and a session, and clients and browsers that are signed in as them."""

import asyncio
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx
from playwright.sync_api import BrowserContext
from starlette.types import ASGIApp

from services.runtime.access.accounts import Account, NewAccount
from services.runtime.access.app import access_of
from services.runtime.access.application import OPERATOR, Visitor
from services.runtime.access.guard import SESSION_COOKIE
from services.runtime.auth import Role
from services.runtime.datafolder import running, settings_for
from services.runtime.resources import Resources, resources
from services.runtime.settings import Settings

Grants = Mapping[Role, list[str]]
TEST_BASE = "http://test"
T = TypeVar("T")


@dataclass(slots=True)
class Person:
    """Somebody who is signed in."""

    account: Account
    secret: str

    @property
    def code(self) -> str:
        """The code of the account."""
        return self.account.code

    def headers(self, base: str = TEST_BASE) -> dict[str, str]:
        """What the person's browser sends: the session, and that its requests come from the site itself."""
        return {"Cookie": f"{SESSION_COOKIE}={self.secret}", "Origin": base}


async def make_person(
    own: Resources,
    grants: Grants,
    *,
    login: str | None = None,
    name: str = "Người thử nghiệm",
    belongs_to: list[str] | None = None,
) -> Person:
    """Make an account with these grants and sign it in; on the databases that `own` is connected to."""
    access = access_of(own)
    await access.prepare()
    login = login or f"person-{uuid4().hex[:8]}"
    new = NewAccount(login=login, name=name, grants=dict(grants), belongs_to=belongs_to or [])
    account = await access.add(OPERATOR, new)
    secret = await access.start_session(account, Visitor("127.0.0.1", "test"), how="test")
    return Person(account, secret)


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a thread of its own: a test with a browser has a loop on its thread already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def person_of(where: Settings | Path, grants: Grants, **words: Any) -> Person:
    """The same from a test that is no coroutine: in the system of these settings, or running on this data folder."""
    settings = settings_for(where, running(where)) if isinstance(where, Path) else where

    async def make() -> Person:
        async with resources(settings) as own:
            return await make_person(own, grants, **words)

    return run_apart(make())


def client_in(app: ASGIApp, person: Person | None = None, **words: Any) -> httpx.AsyncClient:
    """A client of an application in this process, signed in as somebody or as nobody."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = person.headers() if person else {}
    return httpx.AsyncClient(
        transport=transport,
        base_url=TEST_BASE,
        headers=headers | words.pop("headers", {}),
        **words,
    )


def client_of(base: str, person: Person | None = None, **words: Any) -> httpx.Client:
    """A client of a running program, signed in as somebody or as nobody."""
    headers = person.headers(base) if person else {}
    words = {"timeout": 60.0} | words
    return httpx.Client(base_url=base, headers=headers | words.pop("headers", {}), **words)


def sign_in(context: BrowserContext, base: str, person: Person) -> None:
    """Let a browser go on as somebody who signed in."""
    cookie: Any = {
        "name": SESSION_COOKIE,
        "value": person.secret,
        "url": base,
        "httpOnly": True,
        "sameSite": "Lax",
    }
    context.add_cookies([cookie])
