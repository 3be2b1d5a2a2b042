"""A light HTTP/1.1 client: requests are whole byte strings, made before the clock starts."""

import asyncio
from collections.abc import Callable
from typing import cast

HOST = "127.0.0.1"
_HEAD_END = b"\r\n\r\n"


def post(path: str, token: str, body: bytes) -> bytes:
    """A whole POST request."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One connection that is kept alive; one request at a time."""

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    @classmethod
    async def open(cls, port: int) -> "Connection":
        """Connect."""
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(cls, HOST, port))[1]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(_HEAD_END)
        if not found or self._answer is None:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) >= length:
            self._buffer = b""
            self._answer.set_result((int(head[9:12]), body))

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """(status, body) of the answer."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionError("the connection is closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """End it."""
        if self._transport is not None:
            self._transport.close()


class EventStream(asyncio.Protocol):
    """A viewer of server-sent events: gives each whole message to `seen`."""

    def __init__(self, path: str, seen: Callable[[bytes], None]) -> None:
        self._request = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
        self._seen = seen
        self._buffer = b""
        self._text = b""
        self._begun = False

    @classmethod
    async def open(cls, port: int, path: str, seen: Callable[[bytes], None]) -> None:
        """Connect and listen."""
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: cls(path, seen), HOST, port)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._begun:
            _, found, rest = self._buffer.partition(_HEAD_END)
            if not found:
                return
            self._buffer, self._begun = rest, True
        while self._take_chunk():
            pass
        *messages, self._text = self._text.split(b"\n\n")
        for message in messages:
            self._seen(message)

    def _take_chunk(self) -> bool:
        size, found, rest = self._buffer.partition(b"\r\n")
        if not found:
            return False
        length = int(size, 16)
        if len(rest) < length + 2:
            return False
        self._text += rest[:length]
        self._buffer = rest[length + 2 :]
        return length > 0
