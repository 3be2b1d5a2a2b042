"""Who may do what: signed tokens (JWT, Ed25519) that every service verifies with a public key alone."""

import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import ClassVar

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from starlette.requests import HTTPConnection

from services.runtime.clock import wall_now
from services.runtime.keys import Keys as Keys, PublicKeys  # noqa: PLC0414 - known by this name

ALGORITHM = "EdDSA"
ISSUER = "thidua"
AUDIENCE = "thidua"
LONGEST_TOKEN = 8_192


class Role(StrEnum):
    """What somebody may do; `ADMIN` may do what any of them may."""

    PORTAL = "portal"
    """Another system that sends events."""
    OFFICER = "officer"
    """Reports for one or more units."""
    HEAD = "head"
    """Answers for one or more units, and may do what their officers may."""
    REVIEWER = "reviewer"
    """The standing office: verifies, ranks, assembles."""
    OBSERVER = "observer"
    """Sees everything and changes nothing: the office of the People's Council, home affairs."""
    LEADER = "leader"
    """Signs: the chair, the steering committee."""
    VIEWER = "viewer"
    """A program that reads what is not public."""
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who sends a request: the holder of a verified token, or a person who signed in."""

    subject: str
    """Code of the account or token; never a name."""
    grants: Mapping[Role, frozenset[str]]
    """Role -> codes of the units it is limited to; an empty set: not limited."""
    expires_at: datetime
    belongs_to: frozenset[str] = frozenset()
    """Units that are the person's own: nobody reviews their own unit's claim."""
    name: str = ""
    """Shown to the person and to colleagues; in no event and no log."""

    def has(self, *roles: Role) -> bool:
        """Whether one of the roles was granted."""
        return Role.ADMIN in self.grants or any(role in self.grants for role in roles)

    def may_act_for(self, unit: str, *roles: Role) -> bool:
        """Whether one of the roles (none given: any role) covers a unit."""
        if Role.ADMIN in self.grants:
            return True
        scopes = [units for role, units in self.grants.items() if not roles or role in roles]
        return any(not units or unit in units for units in scopes)


class AuthError(Exception):
    """A request that is refused for who sent it; says so in Vietnamese and English."""

    status: ClassVar[int] = 401
    code: ClassVar[str]
    vi: ClassVar[str]
    en: ClassVar[str]

    def __str__(self) -> str:
        return self.en


class TokenMissingError(AuthError):
    """No bearer token came with the request."""

    code = "token_missing"
    vi = "Thiếu mã truy cập: hãy gửi kèm tiêu đề “Authorization: Bearer <mã>”."
    en = "No token: send the header `Authorization: Bearer <token>` (`thidua token` makes one)."


class TokenExpiredError(AuthError):
    """The token was good and is no longer."""

    code = "token_expired"
    vi = "Mã truy cập đã hết hạn: hãy xin mã mới từ quản trị viên."
    en = "The token has expired: ask the operator for a new one (`thidua token`)."


class TokenForgedError(AuthError):
    """The token is damaged, was signed by another key or is meant for another system."""

    code = "token_forged"
    vi = "Mã truy cập không hợp lệ: mã bị hỏng hoặc không do hệ thống này cấp."
    en = "The token is not valid: it is damaged or was not issued by this system."


class RoleMissingError(AuthError):
    """The token is good, its role may not do this."""

    status = 403
    code = "role_missing"
    vi = "Quyền được giao không cho phép thực hiện việc đó."
    en = "The role may not do that."

    def __init__(self, found: Iterable[Role], *wanted: Role) -> None:
        super().__init__(found, *wanted)
        self.found, self.wanted = tuple(found), wanted

    def __str__(self) -> str:
        found = ", ".join(f"`{role}`" for role in self.found)
        return f"{self.en} It is {found}; needed: {', '.join(self.wanted)}."


class SessionEndedError(AuthError):
    """Somebody signed in once, and that has ended: by time, by sign-out, or because the account was closed."""

    code = "session_ended"
    vi = "Phiên đăng nhập đã kết thúc: hãy đăng nhập lại."
    en = "The session has ended: sign in again."


class CrossSiteError(AuthError):
    """Another site made the browser send this."""

    status = 403
    code = "cross_site"
    vi = "Yêu cầu này đến từ một trang khác nên không được thực hiện. Hãy mở trang này trực tiếp rồi làm lại."
    en = "This request came from another site and was not carried out. Open this site itself and try again."


class NotFoundError(AuthError):
    """It is not there, or it is somebody else's: which of the two is nobody's business."""

    status = 404
    code = "not_found"
    vi = "Không có nội dung này."
    en = "There is no such thing here."


def issue(
    key: Ed25519PrivateKey,
    role: Role,
    units: Iterable[str] = (),
    *,
    subject: str | None = None,
    lifetime: timedelta = timedelta(days=30),
) -> str:
    """A token; its lifetime runs in real time, whatever the simulated clock says."""
    now = wall_now()
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject or f"{role}-{secrets.token_hex(4)}",
        "iat": int(now.timestamp()),
        "exp": int((now + lifetime).timestamp()),
        "role": str(role),
        "units": sorted(set(units)),
    }
    return jwt.encode(claims, key, algorithm=ALGORITHM)


class TokenVerifier:
    """Verifies tokens; remembers those it verified, so that a busy sender costs one signature check."""

    def __init__(self, keys: Ed25519PublicKey | PublicKeys, remembered: int = 1_000) -> None:
        self._keys = keys if isinstance(keys, PublicKeys) else None
        self._tried = (keys,) if isinstance(keys, Ed25519PublicKey) else keys.now()
        self._remembered = remembered
        self._verified: dict[str, Principal] = {}

    def verify(self, token: str | None) -> Principal:
        """The token's holder.

        Raises:
            AuthError: which of its kinds says what is wrong.
        """
        if not token:
            raise TokenMissingError
        self._use_keys(at_once=False)
        principal = self._verified.get(token)
        if principal is None:
            principal = self._read(token)
            if len(self._verified) >= self._remembered:
                del self._verified[next(iter(self._verified))]
            self._verified[token] = principal
        if principal.expires_at <= wall_now():
            self._verified.pop(token, None)
            raise TokenExpiredError
        return principal

    def _use_keys(self, *, at_once: bool) -> bool:
        """Whether the keys are others than before; then nothing verified by the old ones is remembered."""
        found = self._tried if self._keys is None else self._keys.now(at_once=at_once)
        if found is self._tried:
            return False
        self._tried = found
        self._verified.clear()
        return True

    def _read(self, token: str) -> Principal:
        if len(token) > LONGEST_TOKEN:
            raise TokenForgedError
        while True:
            for key in self._tried:
                with suppress(TokenForgedError):
                    return self._decode(token, key)
            if not self._use_keys(at_once=True):  # a key may be newer than the last look
                raise TokenForgedError

    @staticmethod
    def _decode(token: str, key: Ed25519PublicKey) -> Principal:
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                options={
                    "require": ["exp", "sub", "aud", "iss"],
                    "verify_exp": False,  # at every use, by `verify`
                    "verify_iat": False,  # two machines' clocks may differ by a little
                },
            )
            return Principal(
                claims["sub"],
                {Role(claims["role"]): frozenset(map(str, claims.get("units", ())))},
                datetime.fromtimestamp(claims["exp"], UTC),
            )
        except (jwt.PyJWTError, LookupError, TypeError, ValueError, OverflowError) as error:
            raise TokenForgedError from error


def bearer(request: HTTPConnection) -> str | None:
    """The token of the `Authorization` header, if one is there."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def require(request: HTTPConnection, verifier: TokenVerifier, *roles: Role) -> Principal:
    """The sender of a request, if it has one of the roles or is `admin`; no roles: any sender.

    Raises:
        AuthError: the request must be refused.
    """
    return allowed(verifier.verify(bearer(request)), *roles)


def allowed(principal: Principal, *roles: Role) -> Principal:
    """The same one, if it has one of the roles or is `admin`; no roles: anybody who is somebody.

    Raises:
        RoleMissingError: it has none of them.
    """
    if roles and not principal.has(*roles):
        raise RoleMissingError(principal.grants, *roles)
    return principal
