"""Documents that are told at once and stored behind that."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from services.runtime.clock import monotonic_seconds
from services.runtime.mongo import Document

AT_A_TIME = 100


class Behind:
    """What waits to be stored: of each key the newest document, in the order of their positions."""

    def __init__(self, write: Callable[[list[Document]], Awaitable[None]]) -> None:
        self._write = write
        self._waiting: dict[str, Document] = {}

    def put(self, documents: Iterable[Document]) -> None:
        """Documents with an `_id` and a `position`, which is higher than any before."""
        for document in documents:
            self._waiting.pop(document["_id"], None)
            self._waiting[document["_id"]] = document

    def stored_before(self, position: int) -> int:
        """Nothing that was last put at this position or below waits; `position`: the newest that was put."""
        waiting = next(iter(self._waiting.values()), None)
        return position if waiting is None else int(waiting["position"]) - 1

    async def store(self) -> None:
        """Store everything, in portions, at half of the time.

        Raises:
            PyMongoError: the rest waits on.
        """
        while self._waiting:
            some = list(self._waiting.values())[:AT_A_TIME]
            started = monotonic_seconds()
            await self._write(some)
            for document in some:
                if self._waiting.get(document["_id"]) is document:
                    del self._waiting[document["_id"]]
            await asyncio.sleep(monotonic_seconds() - started)
