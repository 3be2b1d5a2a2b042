"""What was observed about each source, month by month, kept in intake's database."""

import asyncio

from pymongo import UpdateOne
from pymongo.errors import PyMongoError

from services.intake.portal.domain.quality import Tally
from services.runtime.logging import get_logger
from services.runtime.mongo import Collection, Database, Document, write_all

log = get_logger(__name__)
STORE_SECONDS = 1


class QualityStore:
    """Counts by source and month; a crash may cost what a second observed."""

    def __init__(self, database: Database) -> None:
        self._quality: Collection = database["quality"]

    async def store(self, tally: Tally) -> None:
        """Add what was observed since the last time; a failure keeps it for the next."""
        taken = tally.taken()
        writes = [
            UpdateOne(
                {"_id": f"{source} {month}"},
                {
                    "$set": {"source": source, "month": month},
                    "$inc": {name: count for name, count in counts.items() if count},
                },
                upsert=True,
            )
            for (source, month), counts in taken.items()
            if any(counts.values())
        ]
        try:
            await write_all(self._quality, writes)
        except PyMongoError:
            for key, counts in taken.items():
                tally.counts.setdefault(key, type(counts)()).update(counts)
            log.warning("observations could not be stored; they wait")

    async def keep_up(self, tally: Tally) -> None:
        """Store for ever."""
        while True:
            await asyncio.sleep(STORE_SECONDS)
            await self.store(tally)

    async def months(self, source: str | None = None) -> list[Document]:
        """The counts of a source (or of all), the latest month first."""
        wanted = {} if source is None else {"source": source}
        return (
            await self._quality.find(wanted).sort([("month", -1), ("source", 1)]).to_list(None)
        )
