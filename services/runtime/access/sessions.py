"""Sessions of people who signed in: a random secret in a cookie, of which only the hash is kept."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.runtime.clock import wall_now
from services.runtime.mongo import Collection, Database, Document
from services.runtime.settings import Settings

TOUCH_SECONDS = 60
"""How exactly the last use is known."""


def new_secret() -> str:
    """A secret that nobody guesses."""
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """What is kept of a secret: it is random and long, so a plain hash cannot be turned round."""
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in that has not ended."""

    id: str
    account: str
    made_at: datetime
    used_at: datetime
    ends_at: datetime
    """At the latest."""
    device: str
    network: str


class SessionStore:
    """The collection `sessions`; lifetimes run in real time."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._sessions: Collection = database["sessions"]
        self._idle = timedelta(hours=settings.session_idle_hours)
        self._longest = timedelta(hours=settings.session_hours)

    async def prepare(self) -> None:
        """Create the indexes; harmless when they are there."""
        await self._sessions.create_index("account")
        await self._sessions.create_index("ends_at", expireAfterSeconds=0)

    async def start(self, account: str, device: str, network: str) -> str:
        """Keep a new one; its secret is known to the caller alone."""
        secret, now = new_secret(), wall_now()
        await self._sessions.insert_one(
            {
                "_id": hash_of(secret),
                "account": account,
                "made_at": now,
                "used_at": now,
                "ends_at": now + self._longest,
                "device": device,
                "network": network,
            }
        )
        return secret

    async def find(self, secret: str) -> Session | None:
        """The session of a secret, unless it has ended; notes that it was used."""
        now = wall_now()
        stored = await self._sessions.find_one({"_id": hash_of(secret), **self._alive(now)})
        if stored is None:
            return None
        if now - stored["used_at"] > timedelta(seconds=TOUCH_SECONDS):
            await self._sessions.update_one({"_id": stored["_id"]}, {"$set": {"used_at": now}})
        return _session(stored)

    async def of(self, account: str) -> list[Session]:
        """An account's sessions, the last used first."""
        wanted = {"account": account, **self._alive(wall_now())}
        found = await self._sessions.find(wanted).sort("used_at", -1).to_list(None)
        return [_session(stored) for stored in found]

    async def end(self, account: str, session: str) -> bool:
        """End one; False when the account has no such session."""
        ended = await self._sessions.delete_one({"_id": session, "account": account})
        return ended.deleted_count == 1

    async def end_all(self, account: str, but: str | None = None) -> int:
        """End all sessions of an account, but one if it is named; how many there were."""
        ended = await self._sessions.delete_many({"account": account, "_id": {"$ne": but}})
        return ended.deleted_count

    def _alive(self, now: datetime) -> Document:
        return {"ends_at": {"$gt": now}, "used_at": {"$gt": now - self._idle}}


def _session(stored: Document) -> Session:
    return Session(
        stored["_id"],
        stored["account"],
        stored["made_at"],
        stored["used_at"],
        stored["ends_at"],
        stored["device"],
        stored["network"],
    )
