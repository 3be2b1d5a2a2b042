"""A small real portal that only answers when asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web


class FakePortal:
    """Answers by pages, sometimes not at all."""

    def __init__(self) -> None:
        self.items: list[tuple[str, dict[str, Any]]] = []
        self.asked: list[dict[str, str]] = []
        self.failures: list[web.Response] = []
        self.pages = True

    async def answer(self, request: web.Request) -> web.Response:
        """One page."""
        query = dict(request.query)
        self.asked.append(query)
        if request.headers.get("Authorization") != "Bearer of-the-portal":
            return web.Response(status=401)
        if self.failures:
            return self.failures.pop()
        since, page = query["tuNgay"], int(query["trang"])
        found = [item for at, item in self.items if since <= at <= query["denNgay"]]
        some = found[(page - 1) * 2 : page * 2] if self.pages else found
        return web.json_response({"service": "DongBoHoSoMC", "error_code": "0", "data": some})


@asynccontextmanager
async def far_portal() -> AsyncIterator[tuple[FakePortal, str]]:
    """A running one, and where it is asked."""
    fake = FakePortal()
    app = web.Application()
    app.router.add_get("/hoso", fake.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield fake, f"http://127.0.0.1:{port}/hoso"
    await runner.cleanup()
