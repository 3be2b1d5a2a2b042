"""What goes compressed over the wire, and what stays as it is."""

import gzip
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp

from services.runtime.web.compression import SMALLEST_BYTES, compressed

LONG = b"Xa Hiep Hung " * 1_000
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


async def answered(app: ASGIApp, accept: str = "gzip") -> tuple[httpx.Headers, bytes]:
    """The headers and the bytes as they went over the wire."""
    transport = httpx.ASGITransport(app=compressed(app))
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://x") as client,
        client.stream("GET", "/", headers={"Accept-Encoding": accept}) as answer,
    ):
        return answer.headers, b"".join([part async for part in answer.aiter_raw()])


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "text/css", "application/json"])
async def test_pages_styles_and_lists_go_compressed_and_caches_are_told(kind: str) -> None:
    headers, body = await answered(Response(LONG, media_type=kind))
    assert headers["content-encoding"] == "gzip"
    assert "accept-encoding" in headers["vary"].lower()
    assert gzip.decompress(body) == LONG
    assert len(body) == int(headers["content-length"]) < len(LONG) / 10


async def test_whoever_does_not_take_it_gets_it_plain() -> None:
    headers, body = await answered(Response(LONG, media_type="text/html"), "identity")
    assert "content-encoding" not in headers
    assert body == LONG


@pytest.mark.parametrize("kind", ["application/pdf", "application/zip", DOCX, "image/png"])
async def test_what_is_compressed_inside_stays_as_it_is(kind: str) -> None:
    headers, body = await answered(Response(LONG, media_type=kind))
    assert "content-encoding" not in headers
    assert body == LONG


async def test_a_live_stream_and_a_short_answer_stay_as_they_are() -> None:
    async def frames() -> AsyncIterator[bytes]:
        yield LONG

    headers, body = await answered(StreamingResponse(frames(), media_type="text/event-stream"))
    assert "content-encoding" not in headers
    assert body == LONG
    headers, _ = await answered(Response(b"x" * (SMALLEST_BYTES - 1), media_type="text/html"))
    assert "content-encoding" not in headers
