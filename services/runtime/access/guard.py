"""The one place that says who sends a request: a bearer token, or the session of a person who signed in."""

from collections.abc import Awaitable, Callable

from starlette.requests import HTTPConnection

from services.runtime.auth import (
    Principal,
    Role,
    TokenMissingError,
    TokenVerifier,
    allowed,
    bearer,
)

SESSION_COOKIE = "session"
FindSession = Callable[[str], Awaitable[Principal | None]]
"""The person behind a session's secret, as their account stands now; None when it has ended."""


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
        secret = request.cookies.get(SESSION_COOKIE)
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
            raise TokenMissingError
        return allowed(principal, *roles)
