"""Imports of sheets: how far each is, what was wrong in it; what people said about headers. No content of cells."""

import secrets
from datetime import timedelta
from typing import Any

from services.runtime.clock import wall_now
from services.runtime.mongo import Collection, Database, Document

BEAT_SECONDS = 60
"""A running import that is silent for so long has been interrupted."""
FAULTS_KEPT = 200
JOBS_SHOWN = 20


class SheetStore:
    """Imports and header mappings, in intake's own database."""

    def __init__(self, database: Database) -> None:
        self.jobs: Collection = database["sheet_jobs"]
        self.mappings: Collection = database["sheet_mappings"]

    async def begin(self, **facts: Any) -> str:  # noqa: ANN401 - what a job is about
        """A new import."""
        job = secrets.token_hex(8)
        now = wall_now()
        counts = dict.fromkeys(("rows", "taken", "repeated", "waiting", "faulty"), 0)
        stored = {"_id": job, "state": "running", "at": now, "beat": now, **counts, **facts}
        await self.jobs.insert_one({**stored, "faults": [], "headers": [], "mapped": {}})
        return job

    async def tell(self, job: str, **progress: Any) -> None:  # noqa: ANN401 - its progress
        """How far an import is."""
        await self.jobs.update_one({"_id": job}, {"$set": {**progress, "beat": wall_now()}})

    async def job(self, job: str) -> Document | None:
        """One import, as it stands."""
        found = await self.jobs.find_one({"_id": job})
        return None if found is None else _alive(found)

    async def newest(self, by: str | None) -> list[Document]:
        """The latest imports, of one person or of all."""
        wanted = {} if by is None else {"by": by}
        found = self.jobs.find(wanted, {"faults": 0}).sort("at", -1).limit(JOBS_SHOWN)
        return [_alive(one) for one in await found.to_list(None)]

    async def mapping(self, source: str) -> dict[str, str]:
        """Header -> field, as people corrected it for a source; an empty field: the column says nothing."""
        found = await self.mappings.find_one({"_id": source})
        return {} if found is None else {pair[0]: pair[1] for pair in found["pairs"]}

    async def correct(self, source: str, pairs: dict[str, str]) -> None:
        """Keep what people said; what was said of other headers stays."""
        known = await self.mapping(source) | pairs
        await self.mappings.update_one(
            {"_id": source}, {"$set": {"pairs": [list(p) for p in known.items()]}}, upsert=True
        )


def _alive(job: Document) -> Document:
    silent = wall_now() - job["beat"] > timedelta(seconds=BEAT_SECONDS)
    return job | {"state": "interrupted"} if job["state"] == "running" and silent else job
