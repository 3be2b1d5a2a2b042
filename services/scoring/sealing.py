"""Writes a link of the hash chain over the journal after each local day, and recomputes the chain on demand."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

from pymongo.errors import PyMongoError

from contracts.streams import INDICATOR, PLAN
from services.runtime.clock import Clock, wall_milliseconds
from services.runtime.journal import Journal, id_at
from services.runtime.logging import get_logger
from services.runtime.mongo import Collection, Document
from services.scoring.domain.sealing import Link

log = get_logger(__name__)

TOPICS = (INDICATOR.name, PLAN.name)
MARGIN_MILLISECONDS = 10_000
"""Packs younger than this wait for the next close: a slow commit may still be under way."""
LOOKS_SECONDS = 5
PACKS_A_READ = 50


class Sealer:
    """Keeps the chain; several may run, the first one to write a day wins."""

    def __init__(self, journal: Journal, seals: Collection, clock: Clock) -> None:
        self._journal = journal
        self._seals = seals
        self._clock = clock

    async def run(self) -> None:
        """Seal each day that has ended, for ever."""
        while True:
            try:
                await self.seal_due()
            except PyMongoError as failure:
                log.warning("day not sealed", error=str(failure)[:120])
            await asyncio.sleep(LOOKS_SECONDS)

    async def seal_due(self) -> Document | None:
        """The link of yesterday, if it is not written yet; days on which nothing ran have none."""
        day = (self._clock.today() - timedelta(days=1)).isoformat()
        last = await self.last()
        if last is not None and last["_id"] >= day:
            return None
        since = "" if last is None else last["until"]
        until = id_at(wall_milliseconds() - MARGIN_MILLISECONDS)
        if since and until <= since:
            return None
        link = Link("" if last is None else last["hash"], day)
        await self._feed(link, since, until)
        stored: Document = {
            "_id": day,
            "since": since,
            "until": until,
            "packs": link.packs,
            "events": link.events,
            "hash": link.hash,
        }
        await self._seals.update_one({"_id": day}, {"$setOnInsert": stored}, upsert=True)
        return stored

    async def last(self) -> Document | None:
        """The newest link."""
        return await self._seals.find_one({}, sort=[("_id", -1)])

    async def _feed(self, link: Link, since: str, until: str) -> None:
        for topic in TOPICS:
            async for one in self._packs(topic, since, until):
                link.add(topic, one["_id"], bytes(one["body"]), one["count"])

    async def _packs(self, topic: str, since: str, until: str) -> AsyncIterator[Document]:
        wanted = {"_id": {"$gte": since, "$lt": until}}
        cursor = self._journal.collection(topic).find(wanted, batch_size=PACKS_A_READ)
        cursor = cursor.sort("_id", 1)
        while found := await cursor.to_list(PACKS_A_READ):
            for one in found:
                yield one

    async def check(self) -> tuple[int, list[str]]:
        """(links looked at, days whose link the journal no longer bears out)."""
        before, since, wrong, looked = "", "", [], 0
        async for stored in self._seals.find().sort("_id", 1):
            link = Link(before, stored["_id"])
            await self._feed(link, stored["since"], stored["until"])
            if link.hash != stored["hash"] or stored["since"] != since:
                wrong.append(stored["_id"])
            before, since, looked = stored["hash"], stored["until"], looked + 1
        return looked, wrong
