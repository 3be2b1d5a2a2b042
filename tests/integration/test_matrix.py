"""Every operation by every kind of sender: what its route declares (`x-roles`) against what the application answers.

The routes are found in the running application, so that whatever is added is tried too; a route without a rule fails.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.app import Front, openapi
from services.publishing import publish
from services.runtime.access.accounts import FOR_PEOPLE, NEED_UNITS
from services.runtime.access.app import access_of
from services.runtime.access.application import OPERATOR, Access, Visitor
from services.runtime.access.rules import EVERYBODY, ROLES, SIGNED_IN, UNIT
from services.runtime.auth import Keys, Role, issue
from services.runtime.embedded import Addresses
from services.runtime.resources import resources
from services.runtime.settings import Settings
from tests.support import forms
from tests.support.databases import settings_apart
from tests.support.facts import reference_plan
from tests.support.people import Person, make_person
from tests.support.requests import Served, answer, calls_of, routes_of, whole_document
from tests.support.web import started

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("matrix"),
]
PLAN = reference_plan()
OWN, OTHER = "31399", "31402"
REFUSED = {"token_missing", "token_expired", "token_forged", "session_ended"}
FORBIDDEN = {"role_missing"}


@dataclass(frozen=True)
class Sender:
    """Who sends, and as what."""

    name: str
    headers: dict[str, str]
    role: Role | None = None
    is_somebody: bool = True
    person: Person | None = None


@dataclass
class World:
    """The running application and those who send to it."""

    front: Front
    access: Access
    senders: list[Sender]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    databases: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    settings = settings_apart(
        databases,
        tmp_path_factory.mktemp("matrix"),
        oidc_issuer="http://127.0.0.1:9",
        oidc_client_id="nobody answers there",
    )
    async with resources(settings) as own:
        await publish(own, PLAN)
        async with started(settings) as front:
            access = access_of(own)
            people = [s async for s in _people(own, access)]
            yield World(front, access, [*_tokens(settings), *people])


def _tokens(settings: Settings) -> Iterator[Sender]:
    key = Keys(settings.keys_dir).signing()
    yield Sender("nobody", {}, is_somebody=False)
    for role in Role:
        units = [OWN] if role in NEED_UNITS else []
        yield Sender(f"token of {role}", _bearer(issue(key, role, units)), role)
    past = issue(key, Role.ADMIN, lifetime=timedelta(seconds=-1))
    yield Sender("expired token", _bearer(past), is_somebody=False)
    yield Sender(
        "forged token", _bearer(issue(key, Role.ADMIN)[:-6] + "AAAAAA"), is_somebody=False
    )
    foreign = issue(Ed25519PrivateKey.generate(), Role.ADMIN)
    yield Sender("token of another key", _bearer(foreign), is_somebody=False)


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def _people(own: Any, access: Access) -> AsyncIterator[Sender]:
    for role in FOR_PEOPLE:
        person = await make_person(own, {role: [OWN] if role in NEED_UNITS else []})
        yield Sender(f"session of {role}", person.headers(), role, person=person)
    disabled = await make_person(own, {Role.REVIEWER: []})
    await access.change(OPERATOR, disabled.code, {"disabled": True})
    disabled.secret = await access.start_session(disabled.account, Visitor("", ""), how="test")
    yield Sender("disabled account", disabled.headers(), is_somebody=False)
    revoked = await make_person(own, {Role.REVIEWER: []})
    for session in await access.sessions_of(revoked.code):
        await access.revoke(revoked.code, session.id)
    yield Sender("revoked session", revoked.headers(), is_somebody=False)


async def _headers(world: World, sender: Sender) -> dict[str, str]:
    """What the sender sends; a person whose session was ended by what was tried before has signed in again."""
    person = sender.person
    if person is None:
        return sender.headers
    if await world.access.find_session(person.secret) is None:
        visitor = Visitor("", "")
        person.secret = await world.access.start_session(person.account, visitor, how="test")
    return person.headers()


def _expected(route: Served, sender: Sender) -> set[str]:
    rule = route.extra[ROLES]
    if rule == [EVERYBODY]:
        is_bad_token = not sender.is_somebody and "Authorization" in sender.headers
        return {"let in", "asked who it is"} if is_bad_token else {"let in"}
    if not sender.is_somebody:
        return {"asked who it is"}
    if rule == [SIGNED_IN] or sender.role is Role.ADMIN or sender.role in rule:
        return {"let in"}
    return {"refused"}


def _verdict(status: int, error: str) -> str:
    if status == 401 and error in REFUSED:
        return "asked who it is"
    if status == 403 and error in FORBIDDEN:
        return "refused"
    return "let in" if status < 500 or status == 503 else f"failed with {status}"


async def test_every_route_says_who_may_use_it(world: World) -> None:
    silent = [r.path for r in routes_of(world.front.app) if ROLES not in r.extra]
    assert silent == []


async def test_the_document_names_every_route_of_the_application_with_its_rule(
    world: World,
) -> None:
    documented = {
        (path, method.upper(), tuple(operation[ROLES]))
        for path, operations in openapi()["paths"].items()
        for method, operation in operations.items()
    }
    served = {
        (route.path.replace(":path}", "}"), method, tuple(route.extra[ROLES]))
        for route in routes_of(world.front.app)
        if route.is_documented
        for method in route.methods
    }
    assert documented == served


async def test_every_door_of_intake_is_in_the_document_or_among_the_forms_that_are_fuzzed(
    world: World,
) -> None:
    """`test_fuzz.py` tries what both describe."""
    desk = ("/review/quarantine", "/review/names", "/review/catalogue", "/sheets")
    places = ("/api/v1/portal", "/api/v1/indicator-events", *desk)
    found = {
        route.path
        for route in routes_of(world.front.app)
        if route.path.startswith(places) and {"POST", "PUT"} & set(route.methods)
    }
    described = {p for p, o in openapi()["paths"].items() if {"post", "put"} & set(o)}
    assert len(found) == len(forms.FORMS) + 5
    assert found == {path for path in described if path.startswith(places)} | set(forms.FORMS)


async def test_every_sender_meets_what_the_route_declares(world: World) -> None:
    document = whole_document(world.front.app)
    wrong, tried = [], 0
    for route in routes_of(world.front.app):
        for call in calls_of(route, document, OWN):
            headers = [await _headers(world, sender) for sender in world.senders]
            answers = await asyncio.gather(*(answer(world.front, call, h) for h in headers))
            for sender, (status, error) in zip(world.senders, answers, strict=True):
                tried += 1
                expected = _expected(route, sender)
                if (found := _verdict(status, error)) not in expected:
                    wrong.append(
                        f"{call.method} {route.path}, {sender.name}: {found} ({status} {error}), declared: {expected}"
                    )
    assert wrong == []
    assert tried > 500


async def test_what_belongs_to_another_unit_is_not_there(world: World) -> None:
    document = whole_document(world.front.app)
    limited = [s for s in world.senders if s.role in NEED_UNITS]
    wrong = []
    for route in routes_of(world.front.app):
        extra = route.extra
        for call in calls_of(route, document, OTHER) if UNIT in extra else ():
            for sender in limited:
                status, _ = await answer(world.front, call, await _headers(world, sender))
                if str(sender.role) in extra[ROLES] and status != 404:
                    wrong.append(f"{call.method} {route.path}, {sender.name}: {status}")
    assert wrong == []


async def test_answers_do_not_depend_on_order(world: World) -> None:
    """Concurrent senders get what they would get alone: nobody's identity leaks into another's request."""
    routes = [r for r in routes_of(world.front.app) if r.path == "/api/v1/session"]
    (who,) = [r for r in routes if "GET" in r.methods]
    (call,) = calls_of(who, openapi(), OWN)
    headers = [await _headers(world, sender) for sender in world.senders * 3]
    found = await asyncio.gather(*(answer(world.front, call, sent) for sent in headers))
    expected = [(200 if s.is_somebody else 401) for s in world.senders * 3]
    assert [status for status, _ in found] == expected
