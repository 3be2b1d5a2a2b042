"""Headers that every answer carries, whoever made it; an answer's own go before them."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}
PROGRAMS = ("application/json", "text/plain")
FOR_PROGRAMS = "default-src 'none'; frame-ancestors 'none'"
"""The policy of what is no page: should a browser show it, it may load and do nothing."""


class SafeHeaders:
    """ASGI middleware around everything."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer, with the headers that it left out."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                add_missing(MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, send_with_headers)


def add_missing(headers: MutableHeaders) -> None:
    """Add what is not there."""
    for name, value in EVERYWHERE.items():
        headers.setdefault(name, value)
    if headers.get("content-type", "").startswith(PROGRAMS):
        headers.setdefault("Content-Security-Policy", FOR_PROGRAMS)
