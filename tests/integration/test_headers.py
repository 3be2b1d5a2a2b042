"""Every answer of every kind carries the headers that keep browsers from doing harm; what is too large is refused."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from services.app import Front
from services.intake.http import MOST_BYTES
from services.runtime.access import forms
from services.runtime.auth import Keys, Role, issue
from services.runtime.resources import resources
from services.runtime.settings import Settings
from services.runtime.web.headers import EVERYWHERE
from services.runtime.web.site import HEADERS
from tests.support.people import client_in, make_person
from tests.support.requests import routes_of
from tests.support.web import started

PAGE = {"Accept": "text/html"}
NOBODY_KNOWS = {"unit": "31399", "plan": "phung-hiep-2023", "bloc": "commune"}


@pytest.fixture
async def front(settings: Settings) -> AsyncIterator[Front]:
    async with started(settings) as front:
        yield front


def paths(front: Front) -> list[str]:
    """Every path that answers GET and ends by itself, with something in the place of its parameters."""
    found = {
        re.sub(r"\{(\w+)(:\w+)?\}", lambda m: NOBODY_KNOWS.get(m[1], "x"), route.path)
        for route in routes_of(front.app)
        if "GET" in route.methods and not route.path.endswith("stream")
    }
    assert len(found) > 10
    return sorted(found)


def is_safe(answer: httpx.Response) -> bool:
    """Whether it has all that its kind must have."""
    kind = answer.headers.get("content-type", "")
    wanted = EVERYWHERE.keys() | (HEADERS.keys() if kind.startswith("text/html") else set())
    if kind.startswith(("text/html", "application/json", "text/plain")):
        wanted |= {"Content-Security-Policy"}
    missing = {name for name in wanted if name not in answer.headers}
    assert not missing, f"{answer.request.method} {answer.url}: {missing}"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "server" not in answer.headers
    assert "unsafe" not in answer.headers.get("Content-Security-Policy", "")
    return True


async def test_every_page_and_every_answer_for_programs_is_safe_whoever_asks(
    front: Front, settings: Settings
) -> None:
    async with resources(settings) as own:
        admin = await make_person(own, {Role.ADMIN: []})
    kinds = set()
    for person in (None, admin):
        async with client_in(front, person) as client:
            for path in paths(front):
                for accept in (PAGE, {}):
                    answer = await client.get(path, headers=accept)
                    assert answer.status_code < 500 or path == "/readyz", path
                    assert is_safe(answer)
                    kinds.add((answer.status_code, answer.headers.get("content-type", "")[:9]))
    assert {(200, "text/html"), (200, "applicati"), (404, "text/html"), (303, "")} <= kinds


async def test_refusals_are_safe_too(front: Front, settings: Settings) -> None:
    token = issue(Keys(settings.keys_dir).signing(), Role.PORTAL)
    bearer = {"Authorization": f"Bearer {token}"}
    door = "/api/v1/portal/events"
    async with client_in(front) as client:
        answers = [
            await client.get("/nowhere", headers=PAGE),
            await client.get("/api/v1/nowhere"),
            await client.put("/"),
            await client.post(door, json=[]),
            await client.post(door, json=[{}], headers={"Authorization": "Bearer x"}),
            await client.post(door, content=b"", headers=bearer),
            await client.post("/sign-in", headers={"Sec-Fetch-Site": "cross-site"}),
            await client.get("/api/v1/standings/phung-hiep-2023/commune?period=never"),
        ]
    assert {answer.status_code for answer in answers} >= {400, 401, 403, 404, 405}
    assert all(is_safe(answer) for answer in answers)


async def test_bodies_beyond_their_limits_are_refused(front: Front, settings: Settings) -> None:
    token = issue(Keys(settings.keys_dir).signing(), Role.PORTAL)

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(2 * MOST_BYTES // 65_536):
            yield b" " * 65_536

    async with client_in(front, timeout=20) as client:
        large = await client.post(
            "/api/v1/portal/events",
            content=endless(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        field = "x" * forms.MOST_BYTES
        form = await client.post(
            "/sign-in", data={"login": field}, headers={"Origin": "http://test"}
        )
    assert (large.status_code, form.status_code) == (413, 413)
    assert "8 MiB" in large.json()["vi"]
