"""Which of several workers speaks: one holds the lease, the others fold along and take over when it lapses."""

import asyncio
import uuid
from contextlib import suppress
from datetime import UTC, datetime

from prometheus_client import Gauge
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError, PyMongoError

from services.runtime.logging import get_logger
from services.runtime.mongo import Collection

log = get_logger(__name__)
SPEAKS = Gauge("scoring_speaks", "1 when this worker tells the board, 0 when it stands by.")
RENEWALS = 4
"""How often a lease is renewed, or asked for, within its time."""
_KEY = "lease"
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class LeaseLostError(Exception):
    """Another worker speaks now; this one has to start anew, as a stand-by."""


class Lease:
    """One document that a majority has; the database's clock alone says when it lapses."""

    def __init__(self, marks: Collection, seconds: float) -> None:
        self._marks = marks
        self._milliseconds = round(seconds * 1_000)
        self._pause = seconds / RENEWALS
        self._me = uuid.uuid4().hex

    async def take(self) -> bool:
        """Take or renew it; False while another worker holds it."""
        with suppress(DuplicateKeyError):
            await self._marks.insert_one({"_id": _KEY, "holder": "", "until": _LONG_AGO})
        free = {
            "$or": [{"$eq": ["$holder", self._me]}, {"$lt": ["$until", "$$NOW"]}],
        }
        held = await self._marks.find_one_and_update(
            {"_id": _KEY, "$expr": free},
            [
                {
                    "$set": {
                        "holder": self._me,
                        "until": {"$add": ["$$NOW", self._milliseconds]},
                    }
                }
            ],
            return_document=ReturnDocument.AFTER,
        )
        SPEAKS.set(held is not None)
        return held is not None

    async def wait(self) -> None:
        """Return when this worker holds it."""
        while True:
            try:
                if await self.take():
                    return
            except PyMongoError as failure:
                log.warning("lease not asked for", error=str(failure)[:120])
            await asyncio.sleep(self._pause)

    async def keep(self) -> None:
        """Renew it for ever. While the database is away nobody else can take it either.

        Raises:
            LeaseLostError: another worker took it, because this one was silent for too long.
        """
        while True:
            await asyncio.sleep(self._pause)
            try:
                if not await self.take():
                    raise LeaseLostError("another worker speaks")
            except PyMongoError as failure:
                log.warning("lease not renewed", error=str(failure)[:120])

    async def release(self) -> None:
        """Let the next worker take it at once."""
        SPEAKS.set(0)
        with suppress(PyMongoError):
            await self._marks.update_one(
                {"_id": _KEY, "holder": self._me}, {"$set": {"until": _LONG_AGO}}
            )
