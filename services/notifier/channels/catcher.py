"""The embedded mail catcher: a real SMTP server on loopback that keeps the last mails and sends nothing on."""

import asyncio
from email.parser import BytesHeaderParser
from email.policy import default

from aiosmtpd.smtp import SMTP, Envelope, Session
from bson import Binary
from pymongo.errors import PyMongoError

from services.runtime.clock import Clock, FrozenClock, wall_milliseconds
from services.runtime.logging import get_logger
from services.runtime.mongo import RELAXED, Collection

log = get_logger(__name__)
LARGEST_MAIL = 1_000_000
HOST = "127.0.0.1"


class Catcher:
    """Puts every mail into a collection, and lets the oldest go."""

    def __init__(self, caught: Collection, keeps: int, clock: Clock | FrozenClock) -> None:
        self._caught = caught.with_options(write_concern=RELAXED)
        self._keeps = keeps
        self._clock = clock
        self._number = wall_milliseconds()
        self._server: asyncio.Server | None = None

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep one mail; a repeat with the same Message-ID is kept once."""
        content = envelope.content
        raw = content if isinstance(content, bytes) else str(content or "").encode()
        mail = BytesHeaderParser(policy=default).parsebytes(raw)
        self._number += 1
        kept = {
            "number": self._number,
            "at": self._clock.now(),
            "to": ", ".join(envelope.rcpt_tos),
            "subject": str(mail["Subject"] or ""),
            "raw": Binary(raw),
        }
        key = f"{mail['Message-ID']} {kept['to']}"
        try:
            await self._caught.update_one({"_id": key}, {"$set": kept}, upsert=True)
            await self._forget()
        except PyMongoError as failure:
            log.warning("mail not kept", error=str(failure)[:120])
            return "451 4.3.0 cannot keep it now, try again"
        return "250 2.0.0 caught"

    async def _forget(self) -> None:
        if self._number % 50:
            return
        oldest = (
            await self._caught.find({}, {"number": 1})
            .sort("number", -1)
            .skip(self._keeps)
            .to_list(1)
        )
        if oldest:
            await self._caught.delete_many({"number": {"$lte": oldest[0]["number"]}})

    async def start(self, port: int) -> int:
        """Listen on loopback; returns the port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(
                self, hostname="localhost", data_size_limit=LARGEST_MAIL, enable_SMTPUTF8=True
            ),
            HOST,
            port,
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
