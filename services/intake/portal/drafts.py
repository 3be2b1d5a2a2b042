"""Proposed changes: kept, computed in the background what they would move, and told when they are applied."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import timedelta

from services.intake.portal.moves import Move
from services.runtime.clock import wall_now
from services.runtime.logging import get_logger
from services.runtime.mongo import Collection, Document

log = get_logger(__name__)
LONGEST_PREVIEW = timedelta(minutes=15)
"""A draft that is computed for longer was interrupted."""
SHOWN = 10


class DraftError(Exception):
    """A draft cannot be made or applied; `faults` says why."""

    def __init__(self, code: str, faults: Sequence[str] = ()) -> None:
        super().__init__(code)
        self.code = code
        self.faults = faults


Moving = Callable[[], Awaitable[list[Move]]]


class Drafts:
    """Drafts of one kind of change."""

    def __init__(self, stored: Collection) -> None:
        self._stored = stored
        self._previewing: set[asyncio.Task[None]] = set()

    async def begin(self, by: str, moves: Moving, **facts: object) -> str:
        """Keep a draft, and begin to compute what it would move."""
        number = secrets.token_hex(6)
        kept = {"_id": number, "by": by, "at": wall_now(), "state": "computing", "moves": []}
        await self._stored.insert_one(kept | facts)
        task = asyncio.create_task(self._compute(number, moves))
        self._previewing.add(task)
        task.add_done_callback(self._previewing.discard)
        return number

    async def _compute(self, number: str, moves: Moving) -> None:
        try:
            found = await moves()
        except Exception:
            log.exception("preview failed", draft=number)
            await self.tell(number, state="failed")
            return
        await self.tell(number, state="ready", moves=[asdict(move) for move in found])

    async def tell(self, number: str, **facts: object) -> None:
        """Something more is known about a draft."""
        await self._stored.update_one({"_id": number}, {"$set": facts})

    async def stop(self) -> None:
        """Forget what is being computed."""
        for task in self._previewing:
            task.cancel()

    async def find(self, number: str) -> Document | None:
        """A draft, with what it would move."""
        found = await self._stored.find_one({"_id": number})
        return None if found is None else _alive(found)

    async def ready(self, number: str) -> Document:
        """A draft that can be applied.

        Raises:
            DraftError: it is not there, not ready, or was applied.
        """
        found = await self.find(number)
        if found is None or found["state"] != "ready":
            raise DraftError("not_ready")
        return found

    async def newest(self) -> list[Document]:
        """The latest drafts."""
        found = self._stored.find({}, {"catalogue": 0}).sort("at", -1).limit(SHOWN)
        return [_alive(one) for one in await found.to_list(None)]


def _alive(draft: Document) -> Document:
    overdue = wall_now() - draft["at"] > LONGEST_PREVIEW
    return draft | {"state": "failed"} if draft["state"] == "computing" and overdue else draft
