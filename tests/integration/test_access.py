"""Accounts, sessions and sign-in, in the whole web application on real databases."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.app import Front
from services.runtime.access.accounts import NewAccount
from services.runtime.access.app import access_of
from services.runtime.access.application import OPERATOR, Access, Visitor
from services.runtime.access.throttle import (
    TRIES_A_LOGIN,
    TRIES_AN_ADDRESS,
    Throttle,
    ThrottledError,
)
from services.runtime.auth import Keys, Role, issue
from services.runtime.clock import wall_now
from services.runtime.mongo import Collection
from services.runtime.resources import Resources, resources
from services.runtime.settings import Settings
from tests.support.people import Person, client_in, make_person
from tests.support.web import started

PAGE = {"Accept": "text/html", "Origin": "http://test"}
PASSWORD = "một câu ngắn dễ nhớ"  # noqa: S105 - invented
HERE = Visitor("127.0.0.1", "test")
COOKIE = re.compile(r"session=([\w-]+); HttpOnly; Path=/; SameSite=lax$")


@pytest.fixture
async def own(settings: Settings) -> AsyncIterator[Resources]:
    async with resources(settings) as own:
        yield own


@pytest.fixture
async def front(settings: Settings) -> AsyncIterator[Front]:
    async with started(settings) as front:
        yield front


@pytest.fixture
async def access(own: Resources, front: Front) -> Access:
    return access_of(own)


async def settled(access: Access, login: str = "an") -> str:
    """An account with a password; its code."""
    new = NewAccount(login=login, name="Nguyễn Văn An", grants={Role.REVIEWER: []})
    account = await access.add(OPERATOR, new)
    await access.welcome(await access.make_link(OPERATOR, account.code), PASSWORD, HERE)
    return account.code


async def post_sign_in(client: httpx.AsyncClient, **fields: str) -> httpx.Response:
    return await client.post("/sign-in", data={"login": "an", "password": PASSWORD, **fields})


def collection(own: Resources, name: str) -> Collection:
    found: Collection = own.client[own.settings.database_prefix + "accounts"][name]
    return found


async def test_the_right_password_signs_in_and_the_wrong_one_does_not(
    front: Front, access: Access
) -> None:
    await settled(access)
    async with client_in(front, headers=PAGE) as client:
        wrong = await post_sign_in(client, password=PASSWORD + "!", next="/account")
        assert wrong.status_code == 401
        assert "không đúng" in wrong.text
        assert 'value="an"' in wrong.text
        assert "set-cookie" not in wrong.headers
        nobody = await post_sign_in(client, login="nobody")
        assert (nobody.status_code, "không đúng" in nobody.text) == (401, True)
        right = await post_sign_in(client, login=" AN ", next="/account")
        assert (right.status_code, right.headers["location"]) == (303, "/account")
        assert COOKIE.match(right.headers["set-cookie"])
        page = await client.get("/account")
    assert page.status_code == 200
    assert "Nguyễn Văn An" in page.text
    assert "Cơ quan thường trực" in page.text


async def test_over_an_encrypted_connection_the_cookie_is_for_this_host_alone(
    front: Front, access: Access
) -> None:
    await settled(access)
    async with client_in(front, headers=PAGE) as client:
        client.base_url = httpx.URL("https://test")
        answer = await post_sign_in(client)
        assert answer.headers["set-cookie"].startswith("__Host-session=")
        assert answer.headers["set-cookie"].endswith("; HttpOnly; Path=/; SameSite=lax; Secure")
        assert (await client.get("/account")).status_code == 200


async def test_of_a_secret_only_the_hash_is_kept(own: Resources, access: Access) -> None:
    code = await settled(access)
    link = await access.make_link(OPERATOR, code)
    secret = await access.sign_in("an", PASSWORD, HERE)
    kept = [
        str(document)
        for name in ("accounts", "sessions", "audit", "sign_in_tries")
        for document in await collection(own, name).find({}).to_list(None)
    ]
    assert any("$argon2id$" in text for text in kept)
    for clear in (link, secret, PASSWORD):
        assert not any(clear in text for text in kept)


@pytest.mark.parametrize(
    ("wanted", "led"),
    [
        ("/submit?month=2023-07", "/submit?month=2023-07"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("/a\r\nSet-Cookie: x=1", "/"),
        ("submit", "/"),
        ("", "/"),
    ],
)
async def test_after_signing_in_one_stays_on_this_site(
    front: Front, own: Resources, wanted: str, led: str
) -> None:
    person = await make_person(own, {Role.REVIEWER: []})
    async with client_in(front, person, headers=PAGE) as client:
        answer = await client.get("/sign-in", params={"next": wanted})
    assert (answer.status_code, answer.headers["location"]) == (303, led)


async def test_who_is_not_signed_in_is_asked_to_and_led_back(
    front: Front, own: Resources
) -> None:
    async with client_in(front) as client:
        page = await client.get("/account?x=1", headers=PAGE)
        assert page.status_code == 303
        assert page.headers["location"] == "/sign-in?next=%2Faccount%3Fx%3D1"
        program = await client.get("/account")
        assert program.status_code == 401
        assert program.json()["error"] == "token_missing"
    person = await make_person(own, {Role.OFFICER: ["31399"]})
    async with client_in(front, person, headers=PAGE) as client:
        assert (await client.get("/account")).status_code == 200


async def test_a_change_of_grants_a_disabling_and_a_revocation_hold_at_the_next_request(
    front: Front, own: Resources, access: Access
) -> None:
    event: dict[str, Any] = {"content": b"[]", "headers": {"Content-Type": "application/json"}}
    person = await make_person(own, {Role.OFFICER: ["31399"]})
    admin = await make_person(own, {Role.ADMIN: []})
    async with client_in(front, person) as client:

        async def status() -> int:
            return (await client.post("/api/v1/portal/events", **event)).status_code

        assert await status() == 403
        await access.change(admin.code, person.code, {"grants": {Role.ADMIN: []}})
        assert await status() == 202
        await access.change(admin.code, person.code, {"grants": {Role.OFFICER: ["31399"]}})
        assert await status() == 403
        session = (await access.sessions_of(person.code))[0]
        await access.revoke(person.code, session.id)
        assert await status() == 401
    again = await access.start_session(person.account, HERE, how="test")
    async with client_in(front, Person(person.account, again)) as client:
        assert (await client.get("/account")).status_code == 200
        await access.change(admin.code, person.code, {"disabled": True})
        answer = await client.get("/account")
        assert (answer.status_code, answer.json()["error"]) == (401, "session_ended")
        await access.change(admin.code, person.code, {"disabled": False})
        assert (await client.get("/account")).status_code == 401


async def test_a_session_ends_when_it_is_idle_and_at_the_latest_after_its_whole_time(
    front: Front, own: Resources
) -> None:
    person = await make_person(own, {Role.REVIEWER: []})
    sessions = collection(own, "sessions")
    async with client_in(front, person) as client:

        async def status_after(**moved: timedelta) -> int:
            now = wall_now()
            times = {"used_at": now, "ends_at": now + timedelta(days=1)}
            moved_times = {key: now + shift for key, shift in moved.items()}
            await sessions.update_one({}, {"$set": times | moved_times})
            return (await client.get("/account")).status_code

        assert await status_after(used_at=timedelta(hours=-11.9)) == 200
        assert await status_after(used_at=timedelta(hours=-12.1)) == 401
        assert await status_after(ends_at=timedelta(minutes=1)) == 200
        assert await status_after(ends_at=timedelta(minutes=-1)) == 401


async def test_use_keeps_a_session_alive(front: Front, own: Resources) -> None:
    person = await make_person(own, {Role.REVIEWER: []})
    sessions = collection(own, "sessions")
    await sessions.update_one({}, {"$set": {"used_at": wall_now() - timedelta(hours=11)}})
    async with client_in(front, person) as client:
        assert (await client.get("/account")).status_code == 200
    stored = await sessions.find_one({})
    assert stored is not None
    assert wall_now() - stored["used_at"] < timedelta(minutes=1)


async def test_signing_out_ends_the_session_not_only_the_cookie(
    front: Front, own: Resources
) -> None:
    person = await make_person(own, {Role.REVIEWER: []})
    async with client_in(front, person, headers=PAGE) as client:
        assert (await client.get("/account")).status_code == 200
        out = await client.post("/sign-out")
        assert (out.status_code, out.headers["location"]) == (303, "/")
        assert "Max-Age=0" in out.headers["set-cookie"]
        assert (await client.get("/account")).status_code == 303


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Sec-Fetch-Site": "same-site"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://test"}, True),
        ({"Origin": "http://test"}, False),
        ({"Origin": "http://evil.example"}, True),
        ({"Origin": "null"}, True),
        ({}, True),
    ],
)
@pytest.mark.parametrize("path", ["/sign-out", "/api/v1/portal/events"])
async def test_what_another_site_makes_a_browser_send_is_refused(
    front: Front, own: Resources, headers: dict[str, str], path: str, *, refused: bool
) -> None:
    person = await make_person(own, {Role.ADMIN: []})
    cookie = {"Cookie": person.headers()["Cookie"]}
    body: dict[str, Any] = {
        "content": b"[]",
        "headers": headers | {"Content-Type": "application/json"},
    }
    async with client_in(front, headers=cookie) as client:
        answer = await client.post(path, **body)
        assert answer.status_code == (403 if refused else 303 if path == "/sign-out" else 202)
        if refused:
            assert answer.json()["error"] == "cross_site"
            assert (await client.get("/account")).status_code == 200


async def test_another_site_cannot_sign_somebody_in_and_a_token_needs_no_origin(
    front: Front, access: Access, settings: Settings
) -> None:
    await settled(access)
    async with client_in(front, headers=PAGE) as client:
        answer = await client.post(
            "/sign-in",
            data={"login": "an", "password": PASSWORD},
            headers={"Sec-Fetch-Site": "cross-site"},
        )
        assert answer.status_code == 403
        assert "trang khác" in answer.text
        assert (await post_sign_in(client)).status_code == 303
    token = issue(Keys(settings.keys_dir).signing(), Role.PORTAL)
    async with client_in(front, headers={"Authorization": f"Bearer {token}"}) as client:
        answer = await client.post("/api/v1/portal/events", json=[])
        assert answer.status_code == 202


async def test_too_many_wrong_passwords_slow_a_login_down_and_the_right_one_does_not_help(
    front: Front, access: Access, own: Resources
) -> None:
    code = await settled(access)
    await settled(access, "binh")
    tries = [access.sign_in("an", "wrong", HERE) for _ in range(TRIES_A_LOGIN)]
    assert {type(e).__name__ for e in await asyncio.gather(*tries, return_exceptions=True)} == {
        "WrongPasswordError"
    }
    async with client_in(front, headers=PAGE) as client:
        slow = await post_sign_in(client)
        assert slow.status_code == 429
        assert 0 < int(slow.headers["retry-after"]) <= 900
        assert "Hãy đợi" in slow.text
        assert (await post_sign_in(client)).status_code == 429
        assert (await post_sign_in(client, login="binh")).status_code == 303
        await collection(own, "sign_in_tries").update_many(
            {}, {"$set": {"ends_at": wall_now() - timedelta(seconds=1)}}
        )
        assert (await post_sign_in(client)).status_code == 303
    throttled = (
        await collection(own, "audit").find({"action": "sign_in.throttled"}).to_list(None)
    )
    assert [entry["subject"] for entry in throttled] == [code]


async def test_an_address_that_tries_many_logins_is_slowed_down_too(own: Resources) -> None:
    throttle = Throttle(own.client[own.settings.database_prefix + "accounts"])
    for number in range(TRIES_AN_ADDRESS):
        await throttle.enter(f"login{number}", "198.51.100.1")
    with pytest.raises(ThrottledError):
        await throttle.enter("another", "198.51.100.1")
    await throttle.enter("another", "198.51.100.2")


async def test_a_one_time_link_sets_a_password_once(front: Front, access: Access) -> None:
    account = await access.add(
        OPERATOR, NewAccount(login="an", name="An", grants={Role.ADMIN: []})
    )
    older = await access.make_link(OPERATOR, account.code)
    code = await access.make_link(OPERATOR, account.code)
    fields = {"code": code, "new": PASSWORD, "again": PASSWORD}
    async with client_in(front, headers=PAGE) as client:
        assert (await client.get("/welcome", params={"code": older})).status_code == 404
        shown = await client.get("/welcome", params={"code": code})
        assert shown.status_code == 200
        assert shown.headers["referrer-policy"] == "same-origin"
        differing = await client.post("/welcome", data=fields | {"again": PASSWORD + "x"})
        assert (differing.status_code, "không giống nhau" in differing.text) == (422, True)
        short = await client.post("/welcome", data=fields | {"new": "ngắn", "again": "ngắn"})
        assert (short.status_code, "12 đến 200" in short.text) == (422, True)
        assert (await client.post("/welcome", data=fields)).status_code == 303
        assert (await client.get("/account")).status_code == 200
        assert (await client.post("/welcome", data=fields)).status_code == 404
        assert (await client.get("/welcome", params={"code": code})).status_code == 404


async def test_of_two_who_use_a_link_at_once_one_wins(access: Access) -> None:
    account = await access.add(
        OPERATOR, NewAccount(login="an", name="An", grants={Role.ADMIN: []})
    )
    code = await access.make_link(OPERATOR, account.code)
    found = await asyncio.gather(
        *(access.welcome(code, f"{PASSWORD} {n}", HERE) for n in range(2)),
        return_exceptions=True,
    )
    assert sorted(isinstance(one, str) for one in found) == [False, True]


async def test_changing_the_password_needs_the_old_one_and_ends_other_sessions(
    front: Front, access: Access
) -> None:
    code = await settled(access)
    other = await access.sign_in("an", PASSWORD, HERE)
    new = "một câu khác hẳn"
    async with client_in(front, headers=PAGE) as client:
        await post_sign_in(client)
        fields = {"old": "không phải", "new": new, "again": new}
        wrong = await client.post("/account/password", data=fields)
        assert (wrong.status_code, "hiện tại không đúng" in wrong.text) == (422, True)
        assert await access.find_session(other) is not None
        changed = await client.post("/account/password", data=fields | {"old": PASSWORD})
        assert changed.status_code == 303
        assert (await client.get("/account")).status_code == 200
        assert await access.find_session(other) is None
        assert (await post_sign_in(client)).status_code == 401
        assert (await post_sign_in(client, password=new)).status_code == 303
    assert len(await access.sessions_of(code)) == 2


async def test_one_ends_ones_own_sessions_and_nobody_elses(
    front: Front, own: Resources, access: Access
) -> None:
    an, binh = [await make_person(own, {Role.REVIEWER: []}) for _ in range(2)]
    theirs = (await access.sessions_of(binh.code))[0]
    second = await access.start_session(an.account, HERE, how="test")
    mine = next(s for s in await access.sessions_of(an.code) if s.id)
    async with client_in(front, Person(an.account, second), headers=PAGE) as client:
        refused = await client.post(f"/account/sessions/{theirs.id}/end")
        assert refused.status_code == 404
        assert await access.find_session(binh.secret) is not None
        assert mine.id
        ended = await client.post("/account/sessions/end-others")
        assert ended.status_code == 303
    assert await access.find_session(an.secret) is None
    assert await access.find_session(second) is not None


async def test_the_first_administrator_gets_a_link_until_somebody_can_sign_in(
    access: Access,
) -> None:
    first = await access.first_administrator("admin", "Quản trị viên")
    second = await access.first_administrator("admin", "Quản trị viên")
    assert first
    assert second
    assert len(await access.accounts()) == 1
    await access.welcome(second, PASSWORD, HERE)
    assert await access.first_administrator("admin", "Quản trị viên") is None


async def test_the_head_of_a_page_offers_what_there_is_for_ones_roles(
    front: Front, own: Resources
) -> None:
    async with client_in(front, headers=PAGE) as client:
        nobody = (await client.get("/")).text
    assert 'href="/sign-in"' in nobody
    assert "/sign-out" not in nobody
    person = await make_person(own, {Role.REVIEWER: []}, name="Trần Thị Bình")
    async with client_in(front, person, headers=PAGE) as client:
        page = (await client.get("/")).text
    assert "Trần Thị Bình" in page
    assert "/sign-out" in page
    assert 'href="/sign-in"' not in page
