"""Before every request: other sites' forgeries are turned away, and a page learns who asks for it."""

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from fastapi import Request
from pymongo.errors import PyMongoError
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.runtime import audit
from services.runtime.access.guard import FindSession, session_secret
from services.runtime.auth import AuthError, CrossSiteError, Principal, bearer
from services.runtime.logging import get_logger
from services.runtime.web.navigation import PERSON
from services.runtime.web.site import wants_page

log = get_logger(__name__)
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
LOOK_UP_SECONDS = 2
"""Pages for everybody are shown without the name when the accounts cannot be read so soon."""
Refuse = Callable[[Request, AuthError], Awaitable[Response]]


def is_cross_site(request: Request) -> bool:
    """Whether a browser sent something that changes data on behalf of another site.

    A token cannot be sent by another site's page; a cookie can, and so its sender must say that it is this site.
    """
    if request.method in SAFE or bearer(request) is not None:
        return False
    said = request.headers.get("sec-fetch-site")
    if said is not None:
        return said not in {"same-origin", "none"}
    origin = request.headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower()
    return session_secret(request) is not None


class Entrance:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, refuse: Refuse) -> None:
        self._app = app
        self._refuse = refuse
        self.find_session: FindSession | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request in, or not."""
        if scope["type"] == "http":
            request = Request(scope)
            audit.set_origin(request.client.host if request.client else "")
            if is_cross_site(request):
                answer = await self._refuse(request, CrossSiteError())
                await answer(scope, receive, send)
                return
            secret = session_secret(request)
            if secret is not None and self.find_session is not None and wants_page(request):
                await self._introduce(scope, secret, self.find_session)
        await self._app(scope, receive, send)

    async def _introduce(self, scope: Scope, secret: str, find_session: FindSession) -> None:
        try:
            found: Principal | None = await asyncio.wait_for(
                find_session(secret), LOOK_UP_SECONDS
            )
        except (PyMongoError, TimeoutError):
            log.warning("accounts cannot be read, the page is shown without a name")
            return
        scope[PERSON] = found
