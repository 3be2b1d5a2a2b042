"""How often a password may be guessed: counted for each login and each address, in the database, in real time."""

import hashlib
import math
from datetime import timedelta

from pymongo import ReturnDocument

from services.runtime.clock import wall_now
from services.runtime.mongo import Collection, Database

WINDOW = timedelta(minutes=15)
TRIES_A_LOGIN = 10
TRIES_AN_ADDRESS = 60
"""More, because a whole office may share one address."""


class ThrottledError(Exception):
    """Too many failures; says after how many seconds to come back."""

    def __init__(self, retry_after: int, *, is_first: bool) -> None:
        super().__init__(f"too many failures; again in {retry_after} s")
        self.retry_after = retry_after
        self.is_first = is_first
        """Whether this try was the one too many: the only one that is worth an entry in the audit."""


class Throttle:
    """Counts a try before it is made, so that many at once do not slip through."""

    def __init__(self, database: Database) -> None:
        self._counts: Collection = database["sign_in_tries"]

    async def prepare(self) -> None:
        """Create the index that forgets."""
        await self._counts.create_index("ends_at", expireAfterSeconds=0)

    async def enter(self, login: str, address: str) -> None:
        """Count one try.

        Raises:
            ThrottledError: it may not be made.
        """
        over = [
            await self._count(_key("login", login), TRIES_A_LOGIN),
            await self._count(_key("address", address), TRIES_AN_ADDRESS),
        ]
        waits = [seconds for beyond, seconds in over if beyond > 0]
        if waits:
            first = any(beyond == 1 for beyond, _ in over)
            raise ThrottledError(max(waits), is_first=first)

    async def succeeded(self, login: str, address: str) -> None:
        """A good sign-in is no failure."""
        await self._counts.delete_one({"_id": _key("login", login)})
        await self._counts.update_one(
            {"_id": _key("address", address), "count": {"$gt": 0}}, {"$inc": {"count": -1}}
        )

    async def _count(self, key: str, most: int) -> tuple[int, int]:
        """(how many tries beyond the most, seconds until they are forgotten)."""
        now = wall_now()
        await self._counts.delete_one({"_id": key, "ends_at": {"$lte": now}})
        found = await self._counts.find_one_and_update(
            {"_id": key},
            {"$inc": {"count": 1}, "$setOnInsert": {"ends_at": now + WINDOW}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        seconds = math.ceil((found["ends_at"] - now).total_seconds())
        return found["count"] - most, max(1, seconds)


def _key(kind: str, value: str) -> str:
    """What is tried may be anything, even a password typed into the wrong field: only its hash is kept."""
    return f"{kind}:{hashlib.sha256(value.encode()).hexdigest()[:32]}"
