"""Sign-in through an office's OpenID Connect provider: Authorization Code with PKCE, for accounts that exist."""

import warnings
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

import httpx
import jwt
from authlib.common.security import generate_token  # type: ignore[import-untyped]
from authlib.deprecate import AuthlibDeprecationWarning  # type: ignore[import-untyped]
from authlib.integrations.base_client.errors import OAuthError  # type: ignore[import-untyped]
from jwt import PyJWK, PyJWKSet

from services.runtime.access.sessions import hash_of, new_secret
from services.runtime.clock import monotonic_seconds, wall_now
from services.runtime.mongo import Collection, Database, Document
from services.runtime.settings import Settings

with warnings.catch_warnings():  # it would rather have httpx2, which is not there
    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    from authlib.integrations.httpx_client import AsyncOAuth2Client  # type: ignore[import-untyped]

FLOW_LIFE = timedelta(minutes=10)
KEPT_SECONDS = 3600
TIMEOUT_SECONDS = 10
LEEWAY_SECONDS = 60
SCOPE = "openid email"
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
"""Signatures with a public key only: never `none`, never one that the client's secret could make."""


class OidcTrouble(StrEnum):
    """Why a sign-in through the provider came to nothing."""

    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    """The provider, or the person there, said no."""
    STALE = "stale"
    """It took too long, began in another browser, or came twice."""
    UNTRUSTED = "untrusted"
    """What the provider said of the person cannot be believed."""


class OidcError(Exception):
    """Nobody signs in."""

    def __init__(self, trouble: OidcTrouble, detail: str = "") -> None:
        super().__init__(f"{trouble}: {detail}" if detail else str(trouble))
        self.trouble = trouble


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that was begun: where to send the browser, and what it must bring back."""

    address: str
    browser_secret: str


@dataclass(frozen=True, slots=True)
class Proven:
    """Whom the provider vouches for."""

    subject: str
    """Issuer and subject: never used again for somebody else."""
    email: str | None
    """Only if the provider says that it was verified."""
    onward: str


class Oidc:
    """One provider, as the settings name it."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._flows: Collection = database["oidc_flows"]
        self._issuer = settings.oidc_issuer.rstrip("/")
        self._client_id = settings.oidc_client_id
        self._secret = settings.oidc_client_secret.get_secret_value()
        self._metadata: dict[str, Any] = {}
        self._keys: PyJWKSet | None = None
        self._known_at = 0.0

    @property
    def is_configured(self) -> bool:
        """Whether there is a provider at all."""
        return bool(self._issuer and self._client_id)

    async def prepare(self) -> None:
        """Create the index that forgets."""
        await self._flows.create_index("ends_at", expireAfterSeconds=0)

    async def begin(self, return_to: str, onward: str) -> Begun:
        """Remember a sign-in and say where to send the browser.

        Raises:
            OidcError: the provider cannot be reached.
        """
        verifier, nonce, browser = generate_token(64), generate_token(32), new_secret()
        async with self._client(return_to) as client:
            await self._discover(client)
            address, state = client.create_authorization_url(
                self._metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce
            )
        await self._flows.insert_one(
            {
                "_id": hash_of(state),
                "browser": hash_of(browser),
                "verifier": verifier,
                "nonce": nonce,
                "onward": onward,
                "ends_at": wall_now() + FLOW_LIFE,
            }
        )
        return Begun(address, browser)

    async def finish(self, return_to: str, said: dict[str, str], browser: str) -> Proven:
        """Turn what the browser brought back from the provider into whom it vouches for.

        Raises:
            OidcError: nobody.
        """
        flow = await self._flows.find_one_and_delete(
            {
                "_id": hash_of(said.get("state", "")),
                "browser": hash_of(browser),
                "ends_at": {"$gt": wall_now()},
            }
        )
        if flow is None:
            raise OidcError(OidcTrouble.STALE)
        if "code" not in said:
            raise OidcError(OidcTrouble.REFUSED, said.get("error", "")[:80])
        async with self._client(return_to) as client:
            await self._discover(client)
            claims = await self._claims(client, said["code"], flow)
        email = claims.get("email") if claims.get("email_verified") is True else None
        return Proven(f"{self._issuer} {claims['sub']}", email, flow["onward"])

    def _client(self, return_to: str) -> Any:  # noqa: ANN401 - authlib has no types
        return AsyncOAuth2Client(
            self._client_id,
            self._secret or None,
            scope=SCOPE,
            redirect_uri=return_to,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic" if self._secret else "none",
            timeout=TIMEOUT_SECONDS,
        )

    async def _discover(self, client: Any) -> None:  # noqa: ANN401 - authlib has no types
        """Know the provider's addresses and keys; asked again each hour."""
        if self._metadata and monotonic_seconds() - self._known_at < KEPT_SECONDS:
            return
        address = f"{self._issuer}/.well-known/openid-configuration"
        metadata = await _get(client, address)
        if str(metadata.get("issuer", "")).rstrip("/") != self._issuer:
            raise OidcError(OidcTrouble.UNTRUSTED, "another issuer answers")
        self._keys = _key_set(await _get(client, metadata["jwks_uri"]))
        self._metadata, self._known_at = metadata, monotonic_seconds()

    async def _claims(self, client: Any, code: str, flow: Document) -> dict[str, Any]:  # noqa: ANN401 - authlib has no types
        try:
            token = await client.fetch_token(
                self._metadata["token_endpoint"], code=code, code_verifier=flow["verifier"]
            )
        except OAuthError as error:
            raise OidcError(OidcTrouble.REFUSED, str(error)[:200]) from error
        except (httpx.HTTPError, ValueError) as error:
            raise OidcError(OidcTrouble.UNREACHABLE, type(error).__name__) from error
        claims = await self._verified(client, token.get("id_token", ""), flow["nonce"])
        endpoint = self._metadata.get("userinfo_endpoint")
        if "email" not in claims and endpoint:
            told = await _get(client, endpoint, withhold_token=False)
            if told.get("sub") == claims["sub"]:  # else it speaks of somebody else
                claims = {**told, **claims}
        return claims

    async def _verified(self, client: Any, id_token: str, nonce: str) -> dict[str, Any]:  # noqa: ANN401 - authlib has no types
        try:
            key = await self._key_of(client, id_token)
            claims: dict[str, Any] = jwt.decode(
                id_token,
                key,
                algorithms=ALGORITHMS,
                audience=self._client_id,
                issuer=[self._issuer, self._metadata["issuer"]],
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "sub", "aud", "iss"]},
            )
        except jwt.PyJWTError as error:
            raise OidcError(OidcTrouble.UNTRUSTED, type(error).__name__) from error
        if claims.get("nonce") != nonce:
            raise OidcError(OidcTrouble.UNTRUSTED, "another nonce")
        if claims.get("azp", self._client_id) != self._client_id:
            raise OidcError(OidcTrouble.UNTRUSTED, "made for another client")
        return claims

    async def _key_of(self, client: Any, id_token: str) -> PyJWK:  # noqa: ANN401 - authlib has no types
        """The provider's key that a token names; a key that is new to us is asked for once."""
        name = jwt.get_unverified_header(id_token).get("kid")
        for is_last in (False, True):
            for key in self._keys.keys if self._keys else ():
                if name in {None, key.key_id}:
                    return key
            if not is_last:
                self._keys = _key_set(await _get(client, self._metadata["jwks_uri"]))
        raise OidcError(OidcTrouble.UNTRUSTED, "signed with an unknown key")


def _key_set(answer: dict[str, Any]) -> PyJWKSet:
    try:
        return PyJWKSet.from_dict(answer)
    except jwt.PyJWTError as error:
        raise OidcError(OidcTrouble.UNTRUSTED, type(error).__name__) from error


async def _get(client: Any, address: str, *, withhold_token: bool = True) -> dict[str, Any]:  # noqa: ANN401 - authlib has no types
    try:
        answer = await client.request("GET", address, withhold_token=withhold_token)
        answer.raise_for_status()
        found = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise OidcError(OidcTrouble.UNREACHABLE, type(error).__name__) from error
    if not isinstance(found, dict):
        raise OidcError(OidcTrouble.UNTRUSTED, "no object")
    return found
