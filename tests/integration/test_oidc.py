"""Sign-in through a real OpenID Connect provider, which runs beside the test."""

import base64
import hashlib
import threading
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import flask
import httpx
import pytest
import pytest_asyncio
from authlib.deprecate import AuthlibDeprecationWarning  # type: ignore[import-untyped]
from pydantic import SecretStr
from werkzeug.serving import make_server

from services.app import Front
from services.runtime.access.accounts import Account, NewAccount
from services.runtime.access.app import access_of
from services.runtime.access.application import OPERATOR, Access
from services.runtime.auth import Role
from services.runtime.embedded import Addresses
from services.runtime.resources import Resources, resources
from services.runtime.settings import Settings
from tests.support.databases import settings_apart
from tests.support.people import client_in
from tests.support.web import started

with warnings.catch_warnings():
    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    import oidc_provider_mock  # type: ignore[import-untyped]

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("oidc"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the provider's own code
]
PAGE = {"Accept": "text/html"}
EMAIL = "lan@tanbinh.example"
LAN = oidc_provider_mock.User(sub="s-1", claims={"email": EMAIL, "email_verified": True})
UNVERIFIED = oidc_provider_mock.User(
    sub="s-2", claims={"email": EMAIL, "email_verified": False}
)
STRANGER = oidc_provider_mock.User(
    sub="s-3", claims={"email": "who@elsewhere.example", "email_verified": True}
)


@dataclass
class Provider:
    """The provider, and what was seen there."""

    issuer: str
    challenges: dict[str, str] = field(default_factory=dict)
    exchanges: list[dict[str, str]] = field(default_factory=list)

    def before(self) -> flask.Response | None:
        """Watch what passes; an exchange whose verifier does not fit any challenge is refused."""
        request = flask.request
        if request.path.endswith("/authorize") and "code_challenge" in request.args:
            self.challenges[request.args["code_challenge"]] = request.args["nonce"]
        if request.path.endswith("/token"):
            self.exchanges.append(request.form.to_dict())
            digest = hashlib.sha256(request.form["code_verifier"].encode()).digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() not in self.challenges:
                return flask.Response("wrong verifier", 400)
        return None


@contextmanager
def providing() -> Iterator[Provider]:
    app = oidc_provider_mock.app(require_nonce=True, user_claims=[LAN, UNVERIFIED, STRANGER])
    server = make_server("127.0.0.1", 0, app, threaded=True)
    provider = Provider(f"http://127.0.0.1:{server.server_port}")
    app.before_request(provider.before)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with providing() as provider:
        yield provider


@pytest.fixture(scope="module")
def office(
    databases: Addresses, provider: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    folder = tmp_path_factory.mktemp("office")
    return settings_apart(
        databases,
        folder,
        oidc_issuer=provider.issuer,
        oidc_client_id="thidua",
        oidc_client_secret=SecretStr("of this office"),
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def own(office: Settings) -> AsyncIterator[Resources]:
    async with resources(office) as own:
        yield own


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def front(office: Settings) -> AsyncIterator[Front]:
    async with started(office) as front:
        yield front


@pytest_asyncio.fixture(loop_scope="module")
async def access(front: Front, own: Resources) -> Access:
    """Accounts of which there are none yet."""
    await own.client[own.settings.database_prefix + "accounts"]["accounts"].delete_many({})
    return access_of(own)


async def account(access: Access, login: str = EMAIL) -> Account:
    grants = {Role.OFFICER: ["31399"]}
    return await access.add(OPERATOR, NewAccount(login=login, name="Lan", grants=grants))


async def leave(client: httpx.AsyncClient, onward: str = "/account") -> str:
    """Set out for the provider; its address."""
    answer = await client.get("/sign-in/office", params={"next": onward})
    assert answer.status_code == 303
    return answer.headers["location"]


async def consent(address: str, sub: str, **words: str) -> str:
    """What a person does there; the address they are sent back to."""
    async with httpx.AsyncClient() as browser:
        answer = await browser.post(address, data={"sub": sub, **words})
    assert answer.status_code == 302
    return answer.headers["location"]


async def test_whom_the_provider_vouches_for_gets_into_their_own_account(
    front: Front, access: Access, provider: Provider
) -> None:
    provider.exchanges.clear()
    lan = await account(access)
    async with client_in(front, headers=PAGE) as client:
        assert "tài khoản cơ quan" in (await client.get("/sign-in")).text
        address = await leave(client)
        asked = parse_qs(urlsplit(address).query)
        assert asked["code_challenge_method"] == ["S256"]
        assert asked["redirect_uri"] == ["http://test/sign-in/office/return"]
        back = await client.get(await consent(address, LAN.sub))
        assert (back.status_code, back.headers["location"]) == (303, "/account")
        assert lan.login in (await client.get("/account")).text
    assert (await access.account(lan.code)).has_subject
    assert set(provider.exchanges[0]) >= {"code", "code_verifier", "redirect_uri"}


async def test_from_then_on_only_the_subject_counts(front: Front, access: Access) -> None:
    lan = await account(access)
    async with client_in(front, headers=PAGE) as client:
        await client.get(await consent(await leave(client), LAN.sub))
        client.cookies.clear()
        await access.change(OPERATOR, lan.code, {"name": "Lan, nay là trưởng phòng"})
        await client.get(await consent(await leave(client), LAN.sub))
        assert (await client.get("/account")).status_code == 200
    bound = await access.account(lan.code)
    assert bound.name == "Lan, nay là trưởng phòng"


@pytest.mark.parametrize("somebody", [STRANGER, UNVERIFIED], ids=["stranger", "unverified"])
async def test_nobody_makes_an_account_of_their_own(
    front: Front, access: Access, somebody: Any
) -> None:
    await account(access)
    async with client_in(front, headers=PAGE) as client:
        back = await client.get(await consent(await leave(client), somebody.sub))
        assert (back.status_code, "chưa được giao quyền" in back.text) == (403, True)
        assert "session" not in client.cookies
        assert len(await access.accounts()) == 1
        back = await client.get(await consent(await leave(client), LAN.sub))
        assert back.status_code == 303


async def test_a_disabled_account_stays_closed(front: Front, access: Access) -> None:
    lan = await account(access)
    await access.change(OPERATOR, lan.code, {"disabled": True})
    async with client_in(front, headers=PAGE) as client:
        back = await client.get(await consent(await leave(client), LAN.sub))
        assert back.status_code == 403
        await access.change(OPERATOR, lan.code, {"disabled": False})
        back = await client.get(await consent(await leave(client), LAN.sub))
        assert back.status_code == 303


async def test_an_answer_counts_once_and_in_the_browser_in_which_it_was_asked_for(
    front: Front, access: Access
) -> None:
    await account(access)
    async with (
        client_in(front, headers=PAGE) as client,
        client_in(front, headers=PAGE) as other,
    ):
        back_to = await consent(await leave(client), LAN.sub)
        stolen = await other.get(back_to)
        assert (stolen.status_code, "trình duyệt khác" in stolen.text) == (400, True)
        back_to = await consent(await leave(client), LAN.sub)
        assert (await client.get(back_to)).status_code == 303
        client.cookies.delete("session")
        assert (await client.get(back_to)).status_code == 400
        forged = back_to.replace("state=", "state=x")
        assert (await client.get(forged)).status_code == 400


async def test_what_the_provider_refuses_is_said(front: Front, access: Access) -> None:
    await account(access)
    async with client_in(front, headers=PAGE) as client:
        address = await leave(client)
        back_to = await consent(address, LAN.sub, action="deny")
        assert "error=access_denied" in back_to
        state = parse_qs(urlsplit(address).query)["state"][0]  # which this provider forgets
        denied = await client.get(f"{back_to}&state={state}")
        assert (denied.status_code, "không cho đăng nhập" in denied.text) == (400, True)
        invented = await client.get(
            "/sign-in/office/return?"
            + urlsplit(await consent(await leave(client), LAN.sub)).query.replace(
                "code=", "code=x"
            )
        )
        assert (invented.status_code, "không cho đăng nhập" in invented.text) == (400, True)


async def test_a_token_with_another_nonce_is_not_believed(
    front: Front, access: Access, own: Resources
) -> None:
    await account(access)
    async with client_in(front, headers=PAGE) as client:
        flows = own.client[own.settings.database_prefix + "accounts"]["oidc_flows"]
        back_to = await consent(await leave(client), LAN.sub)
        await flows.update_many({}, {"$set": {"nonce": "another"}})
        answer = await client.get(back_to)
    assert (answer.status_code, "Không xác minh được" in answer.text) == (400, True)


async def test_without_the_provider_passwords_still_work(settings: Settings) -> None:
    away = {"oidc_issuer": "http://127.0.0.1:9", "oidc_client_id": "thidua"}
    async with started(settings.model_copy(update=away)) as front, client_in(front) as client:
        answer = await client.get("/sign-in/office", headers=PAGE)
        assert (answer.status_code, "dùng mật khẩu" in answer.text) == (503, True)
        assert 'name="password"' in answer.text
    async with started(settings) as front, client_in(front) as client:
        assert (await client.get("/sign-in/office", headers=PAGE)).status_code == 404
        assert "/sign-in/office" not in (await client.get("/sign-in", headers=PAGE)).text
