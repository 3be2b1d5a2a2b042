"""The one place that says who sends a request: a bearer token, or the session of a person who signed in."""

from collections.abc import Awaitable, Callable

from starlette.requests import HTTPConnection
from starlette.responses import Response

from services.runtime.auth import (
    Principal,
    Role,
    SessionEndedError,
    TokenMissingError,
    TokenVerifier,
    allowed,
    bearer,
)
from services.runtime.web.navigation import PERSON

SESSION_COOKIE = "session"
SECURE_COOKIE = "__Host-session"
"""The same, where the connection is encrypted: browsers then refuse one that was set from elsewhere."""
FindSession = Callable[[str], Awaitable[Principal | None]]
"""The person behind a session's secret, as their account stands now; None when it has ended."""


def cookie_name(request: HTTPConnection) -> str:
    """The name of the session's cookie on this connection."""
    return SECURE_COOKIE if request.url.scheme in {"https", "wss"} else SESSION_COOKIE


def session_secret(request: HTTPConnection) -> str | None:
    """The secret of the session that came with a request."""
    return request.cookies.get(cookie_name(request))


def remember_session(response: Response, request: HTTPConnection, secret: str) -> None:
    """Let the browser keep the secret until it is closed or signed out: out of reach of scripts and of other sites."""
    name = cookie_name(request)
    response.set_cookie(
        name, secret, httponly=True, samesite="lax", secure=name == SECURE_COOKIE, path="/"
    )


def forget_session(response: Response, request: HTTPConnection) -> None:
    """Let the browser drop the secret."""
    name = cookie_name(request)
    response.delete_cookie(name, httponly=True, samesite="lax", secure=name == SECURE_COOKIE)


class Guard:
    """Asked by every endpoint, page, file and live stream that is not for everybody."""

    def __init__(
        self, verifier: TokenVerifier, find_session: FindSession | None = None
    ) -> None:
        self._verifier = verifier
        self._find_session = find_session

    async def principal(self, request: HTTPConnection) -> Principal | None:
        """Who sends it; None: anybody.

        Raises:
            AuthError: a token came and is not good.
        """
        token = bearer(request)
        if token is not None:
            return self._verifier.verify(token)
        if PERSON in request.scope:
            found: Principal | None = request.scope[PERSON]
            return found
        secret = session_secret(request)
        if secret is None or self._find_session is None:
            return None
        return await self._find_session(secret)

    async def require(self, request: HTTPConnection, *roles: Role) -> Principal:
        """Who sends it, if they have one of the roles or are `admin`; no roles: anybody who signed in.

        Raises:
            AuthError: the request must be refused.
        """
        principal = await self.principal(request)
        if principal is None:
            raise SessionEndedError if session_secret(request) else TokenMissingError
        return allowed(principal, *roles)
