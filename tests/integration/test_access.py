"""Accounts, sessions and sign-in, in the whole web application on real databases."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from pymongo.errors import ServerSelectionTimeoutError

from services.app import Front
from services.runtime.access.accounts import NewAccount
from services.runtime.access.app import access_of
from services.runtime.access.application import (
    OPERATOR,
    Access,
    Visitor,
    WrongPasswordError,
)
from services.runtime.access.sessions import hash_of
from services.runtime.access.throttle import (
    TRIES_A_LOGIN,
    TRIES_AN_ADDRESS,
    Throttle,
    ThrottledError,
)
from services.runtime.audit import verify
from services.runtime.auth import Keys, Role, issue
from services.runtime.clock import wall_now
from services.runtime.embedded import Addresses
from services.runtime.mongo import Collection
from services.runtime.resources import Resources, resources
from tests.support.databases import settings_apart
from tests.support.people import Person, client_in, make_person
from tests.support.web import started

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("access")]
PAGE = {"Accept": "text/html", "Origin": "http://test"}
PASSWORD = "một câu ngắn dễ nhớ"  # noqa: S105 - invented
HERE = Visitor("127.0.0.1", "test")
COOKIE = re.compile(r"session=([\w-]+); HttpOnly; Path=/; SameSite=lax$")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def own(
    databases: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Resources]:
    async with resources(settings_apart(databases, tmp_path_factory.mktemp("access"))) as own:
        yield own


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def front(own: Resources) -> AsyncIterator[Front]:
    async with started(own.settings) as front:
        yield front


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def access(own: Resources, front: Front) -> Access:
    """Accounts of which there are none yet."""
    for name in ("accounts", "sessions", "sign_in_tries", "audit"):
        await collection(own, name).delete_many({})
    await own.client[own.settings.database_prefix + "journal"]["audit_anchors"].delete_many({})
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
    front: Front, access: Access, own: Resources
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
    token = issue(Keys(own.settings.keys_dir).signing(), Role.PORTAL)
    async with client_in(front, headers={"Authorization": f"Bearer {token}"}) as client:
        answer = await client.post("/api/v1/portal/events", json=[])
        assert answer.status_code == 202


async def test_too_many_wrong_passwords_slow_a_login_down_and_the_right_one_does_not_help(
    front: Front, access: Access, own: Resources
) -> None:
    code = await settled(access)
    await settled(access, "binh")
    throttle = Throttle(own.client[own.settings.database_prefix + "accounts"])
    await asyncio.gather(
        *(throttle.enter(code, HERE.address) for _ in range(TRIES_A_LOGIN - 1))
    )
    with pytest.raises(WrongPasswordError):
        await access.sign_in("an", "wrong", HERE)
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


async def test_the_first_administrator_gets_a_link_until_one_can_sign_in(
    access: Access,
) -> None:
    await settled(access, "admin")
    first = await access.first_administrator("admin", "Quản trị viên")
    second = await access.first_administrator("admin", "Quản trị viên")
    assert first
    assert second
    assert len(await access.accounts()) == 2
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


async def test_an_administrator_makes_changes_and_closes_accounts_over_the_api(
    front: Front, own: Resources
) -> None:
    admin = await make_person(own, {Role.ADMIN: []})
    new = {
        "login": "lan",
        "name": "Lan",
        "grants": {"officer": ["31399"]},
        "belongs_to": ["31399"],
    }
    async with client_in(front, admin) as client:
        made = await client.post("/api/v1/people", json=new)
        assert made.status_code == 201
        code, link = made.json()["account"]["code"], made.json()["link"]
        assert (await client.post("/api/v1/people", json=new)).status_code == 409
        wrongs: list[dict[str, Any]] = [
            {"grants": {"officer": []}},
            {"grants": {"portal": []}},
            {"grants": {"chief": []}},
            {"login": "with space"},
        ]
        for wrong in wrongs:
            refused = await client.post("/api/v1/people", json=new | {"login": "x1"} | wrong)
            assert refused.status_code == 422
        async with client_in(front, headers=PAGE) as lan:
            fields = {"code": link.partition("=")[2], "new": PASSWORD, "again": PASSWORD}
            assert (await lan.post("/welcome", data=fields)).status_code == 303
            who = (await lan.get("/api/v1/session")).json()
            assert (who["grants"], who["belongs_to"]) == ({"officer": ["31399"]}, ["31399"])
            assert (await lan.get("/api/v1/people")).status_code == 403
            change: dict[str, Any] = {"grants": {"admin": []}, "reason": "thay người"}
            assert (
                await client.patch(f"/api/v1/people/{code}", json=change)
            ).status_code == 200
            assert (await lan.get("/api/v1/people")).status_code == 200
            change = {"disabled": True}
            assert (
                await client.patch(f"/api/v1/people/{code}", json=change)
            ).status_code == 200
            assert (await lan.get("/api/v1/people")).status_code == 401
        assert (await client.get("/api/v1/people/nobody")).status_code == 404
    entry = await collection(own, "audit").find_one({"reason": "thay người"})
    assert entry is not None
    assert (entry["actor"], entry["subject"], entry["detail"]["grants"]) == (
        admin.code,
        code,
        "admin",
    )


async def test_the_last_administrator_cannot_be_taken_away(
    front: Front, own: Resources
) -> None:
    admin = await make_person(own, {Role.ADMIN: []})
    async with client_in(front, admin) as client:
        changes: list[dict[str, Any]] = [{"disabled": True}, {"grants": {"reviewer": []}}]
        for change in changes:
            refused = await client.patch(f"/api/v1/people/{admin.code}", json=change)
            assert (refused.status_code, refused.json()["error"]) == (409, "last_administrator")
        await make_person(own, {Role.ADMIN: []})
        done = await client.patch(f"/api/v1/people/{admin.code}", json=changes[1])
        assert done.status_code == 200


async def test_one_signs_in_and_out_over_the_api(front: Front, access: Access) -> None:
    await settled(access)
    async with client_in(front, headers={"Origin": "http://test"}) as client:
        wrong = await client.post("/api/v1/session", json={"login": "an", "password": "x"})
        assert (wrong.status_code, wrong.json()["error"]) == (401, "wrong_password")
        right = await client.post("/api/v1/session", json={"login": "an", "password": PASSWORD})
        assert right.status_code == 204
        assert (await client.get("/api/v1/session")).json()["name"] == "Nguyễn Văn An"
        (here,) = [
            s for s in (await client.get("/api/v1/account/sessions")).json() if s["current"]
        ]
        change = {"old": "wrong", "new": "một câu khác hẳn"}
        refused = await client.post("/api/v1/account/password", json=change)
        assert (refused.status_code, refused.json()["error"]) == (422, "wrong_password")
        change = {"old": PASSWORD, "new": "an an an an an"}
        refused = await client.post("/api/v1/account/password", json=change)
        assert (refused.status_code, refused.json()["error"]) == (422, "password_rule")
        change = {"old": PASSWORD, "new": "một câu khác hẳn"}
        assert (await client.post("/api/v1/account/password", json=change)).status_code == 204
        ended = await client.delete(f"/api/v1/account/sessions/{here['id']}")
        assert ended.status_code == 204
        assert (await client.get("/api/v1/session")).status_code == 401


async def test_a_form_or_body_that_is_too_large_is_refused(
    front: Front, own: Resources
) -> None:
    admin = await make_person(own, {Role.ADMIN: []})
    async with client_in(front, admin) as client:
        for path in ("/sign-in", "/people/new"):
            assert (await client.post(path, data={"login": "x" * 70_000})).status_code == 413
        large = await client.post(
            "/api/v1/session", json={"login": "x" * 70_000, "password": ""}
        )
        assert large.status_code == 413


async def test_every_write_leaves_an_entry(own: Resources, access: Access) -> None:
    account = await access.add(
        OPERATOR, NewAccount(login="an", name="An", grants={Role.ADMIN: []})
    )
    secret = await access.welcome(
        await access.make_link(OPERATOR, account.code), PASSWORD, HERE
    )
    await access.change(OPERATOR, account.code, {"name": "An An"}, "đổi tên")
    await access.change_password(account.code, PASSWORD, PASSWORD + " hai", HERE, secret)
    other = await access.sign_in("an", PASSWORD + " hai", HERE)
    await access.revoke(account.code, hash_of(other))
    await access.revoke_others(account.code, secret)
    await access.sign_out(secret)
    entries = await collection(own, "audit").find({}).sort("_id", 1).to_list(None)
    assert [entry["action"] for entry in entries] == [
        "account.made",
        "link.made",
        "password.changed",
        "session.started",
        "account.changed",
        "password.changed",
        "session.started",
        "session.revoked",
        "session.revoked",
        "session.ended",
    ]
    said = " ".join(str(entry) for entry in entries)
    assert "An An" not in said
    assert "'an'" not in said
    verdict = await verify(own.client, own.settings, "accounts")
    assert (verdict.entries, verdict.faults) == (10, [])


class Away:
    """Sessions in a database that does not answer."""

    async def find(self, secret: str) -> None:
        raise ServerSelectionTimeoutError


async def test_while_the_database_is_away_pages_for_everybody_are_shown_and_others_say_so(
    front: Front, own: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await make_person(own, {Role.REVIEWER: []})
    asked: Any = front.entrance.find_session
    async with client_in(front, person) as client:
        with monkeypatch.context() as patch:
            patch.setattr(asked.__self__, "_sessions", Away())
            page = await client.get("/", headers=PAGE)
            assert (page.status_code, "/sign-in" in page.text) == (200, True)
            for headers in (PAGE, {}):
                refused = await client.get("/account", headers=headers)
                assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert (await client.get("/account", headers=PAGE)).status_code == 200
