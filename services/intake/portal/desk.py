"""The standing office's desk: what waits and why, fixing a cause, and judging anew what waited for it."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from prometheus_client import Gauge

from contracts.events import PlanPublished
from services.intake.application import Intake
from services.intake.portal.application import PORTAL_WAITING, Receiver
from services.intake.portal.directory import Alias, AliasStore
from services.runtime.clock import wall_now
from services.runtime.journal import Pack
from services.runtime.logging import get_logger
from services.runtime.mongo import Collection, Database, Document

log = get_logger(__name__)

OLDEST = Gauge(
    "intake_quarantine_oldest_seconds", "Age of what has waited longest, in real seconds."
)
ALERT_DAYS = 3
MOST_CAUSES = 300
_CATALOGUE = "catalogue"


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that somebody must fix, and how much waits for it."""

    kind: str
    """`alias`, `unit`, `procedure`, `plan`, `indicator`, `dossier` or `broken`."""
    value: str
    waiting: int
    since: datetime
    sources: tuple[str, ...] = ()

    def with_(self, other: "Cause") -> "Cause":
        """Both together: merged dossiers and events may wait for the same."""
        return Cause(
            self.kind,
            self.value,
            self.waiting + other.waiting,
            min(self.since, other.since),
            tuple(sorted({*self.sources, *other.sources})),
        )

    @property
    def days(self) -> int:
        """For how many real days it has waited."""
        return (wall_now() - self.since).days


class Desk:
    """Fixes causes; everything that waits is in one of three collections and none of them expires."""

    def __init__(
        self, database: Database, intake: Intake, receiver: Receiver, aliases: AliasStore
    ) -> None:
        self._intake = intake
        self._receiver = receiver
        self._aliases = aliases
        self._quarantine: Collection = database["quarantine"]
        self._marks: Collection = database["marks"]
        self._closed: Collection = database["closed_faults"]
        self._followed = 0
        """Revision of the aliases whose consequences are told."""
        self._following = asyncio.Lock()
        """One at a time: what waited would otherwise be told by each that noticed the same alias."""

    async def on_plans(self, packs: list[Pack]) -> None:
        """Know newly published plans, and judge anew what they change."""
        for pack in packs:
            for line in pack.lines:
                self._receiver.known.add(PlanPublished.model_validate_json(line).plan)
        await self._intake.on_plans(packs)

    async def settle(self) -> None:
        """Judge anew what waits, and every dossier when the catalogue is another than at the last time."""
        await self._receiver.review({"waits": {"$gt": ""}})
        digest = self._catalogue_digest()
        mark = await self._marks.find_one({"_id": _CATALOGUE})
        if mark is None or mark["digest"] != digest:
            told = await self._receiver.review({"told": {"$gt": ""}})
            await self._marks.update_one(
                {"_id": _CATALOGUE}, {"$set": {"digest": digest}}, upsert=True
            )
            log.info("catalogue changed", events=told)

    def _catalogue_digest(self) -> str:
        catalogue = sorted(self._receiver.known.catalogue.items())
        content = [[code, one.model_dump(mode="json")] for code, one in catalogue]
        return hashlib.sha256(msgspec.json.encode(content)).hexdigest()

    async def load_aliases(self) -> None:
        """Know the aliases as they are now; what the last process that knew them left untold is still to be told."""
        self._followed = await self._aliases.followed()
        await self._know_aliases()

    async def _know_aliases(self) -> None:
        aliases = await self._aliases.known()
        self._receiver.known.aliases = self._intake.directory.aliases = aliases

    async def follow_aliases(self) -> int:
        """What waited for a new word is told now, and what was told otherwise is corrected; returns how many."""
        async with self._following:
            return await self._follow()

    async def _follow(self) -> int:
        revision = await self._aliases.revision()
        if revision == self._followed:
            return 0
        names = await self._aliases.keys_since(self._followed)
        await self._know_aliases()
        affected = self._receiver.known.aliases.affected(names)
        told = await self._receiver.review({"name": {"$in": affected}})
        told += await self._intake.move_explained(affected)
        for kind in ("alias", "unit"):
            waiting = {"$gte": f"{kind} ", "$lt": f"{kind}!"}
            told += await self._receiver.review({"waits": waiting})
        told += await self._intake.review_quarantine()
        await self._aliases.follow(revision)
        self._followed = revision
        log.info("aliases changed", aliases=len(names), events=told)
        return told

    async def add_aliases(self, aliases: Sequence[Alias], by: str) -> int:
        """Say which units some names mean; returns how many dossiers and events are told because of it."""
        async with self._following:
            await self._aliases.add(aliases, by)
            return await self._follow()

    def _waiting(self) -> tuple[tuple[Collection, str, Document], ...]:
        """(collection, where it keeps the cause, what of it waits)."""
        store = self._receiver.store
        return (
            (store.dossiers, "waits", {"waits": {"$gt": ""}}),
            (self._quarantine, "cause", {}),
            (store.faults, "cause", {}),
        )

    async def causes(self) -> list[Cause]:
        """What somebody must fix, what waits longest first; of each collection the causes that most wait for."""
        found: dict[tuple[str, str], Cause] = {}
        for place in self._waiting():
            for cause in await self._grouped(*place):
                known = found.get((cause.kind, cause.value))
                found[cause.kind, cause.value] = cause if known is None else known.with_(cause)
        return sorted(found.values(), key=lambda cause: cause.since)

    async def total(self) -> tuple[int, datetime | None]:
        """(how much waits, since when the oldest does)."""
        waiting, since = 0, []
        for collection, _, wanted in self._waiting():
            stages: list[Document] = [
                {"$match": wanted},
                {"$group": {"_id": None, "count": {"$sum": 1}, "since": {"$min": "$since"}}},
            ]
            async for one in collection.aggregate(stages):
                waiting += one["count"]
                since.append(one["since"])
        return waiting, min(since, default=None)

    async def measure(self) -> None:
        """Tell the metrics how much waits, and for how long."""
        waiting, since = await self.total()
        age = 0.0 if since is None else (wall_now() - since).total_seconds()
        PORTAL_WAITING.set(waiting)
        OLDEST.set(age)
        if age > ALERT_DAYS * 86_400:
            log.warning(
                "quarantine is not looked after", waiting=waiting, days=int(age / 86_400)
            )

    @staticmethod
    async def _grouped(collection: Collection, name: str, wanted: Document) -> list[Cause]:
        stages: list[Document] = [
            {"$match": wanted},
            {
                "$group": {
                    "_id": f"${name}",
                    "waiting": {"$sum": 1},
                    "since": {"$min": "$since"},
                    "sources": {"$addToSet": "$source"},
                }
            },
            {"$sort": {"waiting": -1, "_id": 1}},
            {"$limit": MOST_CAUSES},
        ]
        causes = []
        async for one in collection.aggregate(stages):
            kind, _, value = one["_id"].partition(" ")
            sources = tuple(sorted(one["sources"]))
            causes.append(Cause(kind, value, one["waiting"], one["since"], sources))
        return causes

    async def dossiers_of(self, kind: str, value: str, most: int = 100) -> list[Document]:
        """What waits for one cause: keys and since when; of broken items what could be read."""
        cause = f"{kind} {value}".strip()
        where: tuple[tuple[Collection, Document], ...] = (
            (self._receiver.store.dossiers, {"waits": cause}),
            (self._quarantine, {"cause": cause}),
            (self._receiver.store.faults, {"cause": cause}),
        )
        found: list[Document] = []
        for collection, wanted in where:
            shown = {"_id": 1, "since": 1, "dossier": 1, "source": 1, "reason": 1, "known": 1}
            cursor = collection.find(wanted, shown).sort("since", 1).limit(most - len(found))
            found += await cursor.to_list(None) if most > len(found) else []
        return found

    async def close_broken(self, value: str, by: str, reason: str) -> int:
        """Settle broken items that nobody will mend; they are kept beside, with who closed them and why."""
        wanted = {"cause": f"broken {value}"}
        closed = 0
        while found := await self._receiver.store.faults.find(wanted).limit(500).to_list(None):
            for one in found:
                one["closed"] = {"by": by, "why": reason, "at": wall_now()}
                await self._closed.replace_one({"_id": one["_id"]}, one, upsert=True)
            keys = [one["_id"] for one in found]
            await self._receiver.store.faults.delete_many({"_id": {"$in": keys}})
            closed += len(found)
        return closed
