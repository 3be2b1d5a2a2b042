"""Tokens: only ours, only in time, only for the role; keys made once."""

import shutil
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.requests import Request

from services.runtime import auth
from services.runtime.auth import (
    AuthError,
    Keys,
    Role,
    RoleMissingError,
    TokenExpiredError,
    TokenForgedError,
    TokenMissingError,
    TokenVerifier,
    issue,
    require,
)
from services.runtime.clock import FrozenClock
from services.runtime.keys import PublicKeys
from tests.support.waiting import wait_until

KEY = Ed25519PrivateKey.generate()
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CLAIMS = {
    "iss": "thidua",
    "aud": "thidua",
    "sub": "x",
    "exp": int((NOW + timedelta(days=1)).timestamp()),
    "role": "portal",
    "units": [],
}


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> FrozenClock:
    frozen = FrozenClock(NOW)
    monkeypatch.setattr(auth, "wall_now", frozen.now)
    return frozen


@pytest.fixture
def verifier(real: FrozenClock) -> TokenVerifier:
    return TokenVerifier(KEY.public_key(), remembered=2)


def request(authorization: str | None = None) -> Request:
    headers = [] if authorization is None else [(b"authorization", authorization.encode())]
    return Request({"type": "http", "headers": headers})


def test_a_token_tells_who_holds_it(verifier: TokenVerifier) -> None:
    token = issue(KEY, Role.OFFICER, ["u1", "u2", "u1"], subject="Lan")
    principal = verifier.verify(token)
    assert principal.grants == {Role.OFFICER: {"u1", "u2"}}
    assert principal.subject == "Lan"
    assert principal.expires_at == NOW + timedelta(days=30)
    assert principal.may_act_for("u1")
    assert not principal.may_act_for("u3")
    assert verifier.verify(token) is principal


def test_a_token_without_units_covers_all(verifier: TokenVerifier) -> None:
    assert verifier.verify(issue(KEY, Role.VIEWER)).may_act_for("u3")


def test_a_token_ends_on_time_even_if_it_was_remembered(
    verifier: TokenVerifier, real: FrozenClock
) -> None:
    token = issue(KEY, Role.PORTAL, lifetime=timedelta(minutes=1))
    real.instant = NOW + timedelta(seconds=59)
    assert set(verifier.verify(token).grants) == {Role.PORTAL}
    real.instant = NOW + timedelta(seconds=60)
    for _ in range(2):
        with pytest.raises(TokenExpiredError):
            verifier.verify(token)


def test_the_memory_is_bounded(verifier: TokenVerifier) -> None:
    for number in range(5):
        verifier.verify(issue(KEY, Role.PORTAL, subject=str(number)))
    assert len(verifier._verified) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"role": "boss"},
        {"role": None},
        {"aud": "another"},
        {"iss": "another"},
        {"sub": None},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": 10**30},
        {"units": 5},
    ],
)
def test_a_token_with_other_claims_is_refused(
    verifier: TokenVerifier, change: dict[str, object]
) -> None:
    assert verifier.verify(jwt.encode(CLAIMS, KEY, "EdDSA")).subject == "x"
    claims = {key: value for key, value in (CLAIMS | change).items() if value is not None}
    with pytest.raises(TokenForgedError):
        verifier.verify(jwt.encode(claims, KEY, "EdDSA"))


def forged() -> list[str]:
    public = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    good = issue(KEY, Role.PORTAL)
    head, body, signature = good.split(".")
    other = issue(KEY, Role.ADMIN).split(".")[1]
    return [
        issue(Ed25519PrivateKey.generate(), Role.ADMIN),
        jwt.encode(CLAIMS, public, "HS256"),
        jwt.encode(CLAIMS, "", "none"),
        f"{head}.{other}.{signature}",
        f"{head}.{body}.",
        "nonsense",
        "é" * 10,
        good + "a" * 10_000,
    ]


@pytest.mark.parametrize("token", forged())
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_a_forged_token_is_refused(verifier: TokenVerifier, token: str) -> None:
    with pytest.raises(TokenForgedError):
        verifier.verify(token)


@pytest.mark.parametrize("header", [None, "", "Basic abc", "Bearer", "Bearer   "])
def test_a_request_without_a_token_is_refused(
    verifier: TokenVerifier, header: str | None
) -> None:
    with pytest.raises(TokenMissingError):
        require(request(header), verifier)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_request_with_the_role_passes(verifier: TokenVerifier, scheme: str) -> None:
    sent = request(f"{scheme} {issue(KEY, Role.PORTAL)}")
    assert set(require(sent, verifier, Role.OFFICER, Role.PORTAL).grants) == {Role.PORTAL}
    assert set(require(sent, verifier).grants) == {Role.PORTAL}


def test_a_request_with_another_role_is_refused_and_admin_never(
    verifier: TokenVerifier,
) -> None:
    with pytest.raises(RoleMissingError, match="It is `viewer`; needed: portal, officer"):
        require(
            request(f"Bearer {issue(KEY, Role.VIEWER)}"), verifier, Role.PORTAL, Role.OFFICER
        )
    admin = request(f"Bearer {issue(KEY, Role.ADMIN)}")
    assert set(require(admin, verifier, Role.PORTAL).grants) == {Role.ADMIN}


def test_every_refusal_speaks_both_languages() -> None:
    kinds: list[type[AuthError]] = [
        TokenMissingError,
        TokenExpiredError,
        TokenForgedError,
        RoleMissingError,
    ]
    assert all(kind.vi and kind.en and kind.code for kind in kinds)
    assert [kind.status for kind in kinds] == [401, 401, 401, 403]
    assert str(TokenMissingError()) == TokenMissingError.en


def test_keys_are_made_once_and_kept_private(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    token = issue(keys.signing(), Role.ADMIN)
    again = Keys(tmp_path / "keys")
    assert set(TokenVerifier(again.verifying()).verify(token).grants) == {Role.ADMIN}
    assert (tmp_path / "keys" / "signing.pem").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_a_verifier_needs_only_the_public_key(tmp_path: Path) -> None:
    token = issue(Keys(tmp_path).signing(), Role.ADMIN)
    Keys(tmp_path).verifying()
    (tmp_path / "signing.pem").unlink()
    assert set(TokenVerifier(Keys(tmp_path).verifying()).verify(token).grants) == {Role.ADMIN}
    assert [path.name for path in tmp_path.iterdir()] == ["verifying.pem"]


def public_key(folder: Path) -> bytes:
    return Keys(folder).verifying().public_bytes(Encoding.Raw, PublicFormat.Raw)


def test_processes_that_race_for_the_keys_get_the_same(tmp_path: Path) -> None:
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        found = set(pool.map(public_key, [tmp_path / "keys"] * 9))
    assert len(found) == 1
    assert sorted(p.name for p in (tmp_path / "keys").iterdir()) == [
        "signing.pem",
        "verifying.pem",
    ]


def test_a_new_key_signs_at_once_and_the_old_ones_tokens_stay_good_until_it_is_retired(
    tmp_path: Path,
) -> None:
    keys = Keys(tmp_path)
    old = issue(keys.signing(), Role.ADMIN)
    verifier = TokenVerifier(PublicKeys(keys))
    verifier.verify(old)
    keys.rotate()
    new = issue(keys.signing(), Role.PORTAL)
    wait_until(lambda: set(principal(verifier, new)) == {Role.PORTAL})
    assert set(verifier.verify(old).grants) == {Role.ADMIN}
    assert (tmp_path / "signing.pem").stat().st_mode & 0o777 == 0o600
    assert len(keys.retire()) == 1
    wait_until(lambda: not principal(verifier, old))
    assert set(verifier.verify(new).grants) == {Role.PORTAL}


def test_public_keys_alone_verify_tokens_of_each_of_them(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "whole")
    tokens = [issue(keys.signing(), Role.ADMIN)]
    keys.rotate()
    tokens.append(issue(keys.signing(), Role.ADMIN))
    public = tmp_path / "public" / "verifying"
    shutil.copytree(tmp_path / "whole" / "verifying", public)
    verifier = TokenVerifier(PublicKeys(Keys(tmp_path / "public")))
    assert all(verifier.verify(token) for token in tokens)
    assert sorted(path.name for path in public.parent.iterdir()) == ["verifying"]
    stranger = issue(Keys(tmp_path / "other").signing(), Role.ADMIN)
    with pytest.raises(TokenForgedError):
        verifier.verify(stranger)


def principal(verifier: TokenVerifier, token: str) -> dict[Role, frozenset[str]]:
    """What a token grants; nothing while it is refused."""
    try:
        return dict(verifier.verify(token).grants)
    except TokenForgedError:
        return {}
