"""Alias tables in intake's database: which name means which unit, for each source."""

from collections.abc import Iterable
from dataclasses import dataclass

from pymongo import ReturnDocument, UpdateOne

from services.intake.domain.names import Aliases, key_of
from services.runtime.clock import wall_now
from services.runtime.mongo import Collection, Database, Document, Session

_SAID, _FOLLOWED = "aliases", "aliases followed"


@dataclass(frozen=True, slots=True)
class Alias:
    """A name of a unit as one source writes it."""

    source: str
    name: str
    unit: str


class AliasStore:
    """What people have said about names; the latest word holds."""

    def __init__(self, database: Database) -> None:
        self.aliases: Collection = database["aliases"]
        self._marks: Collection = database["marks"]

    async def add(self, aliases: Iterable[Alias], by: str) -> None:
        """Keep all or, on an error, none; the same again changes nothing but who said it last."""
        said, at = list(aliases), wall_now()

        async def keep(session: Session) -> None:
            mark = await self._marks.find_one_and_update(
                {"_id": _SAID},
                {"$inc": {"revision": 1}},
                upsert=True,
                return_document=ReturnDocument.AFTER,
                session=session,
            )
            told = {"by": by, "at": at, "revision": mark["revision"]}
            await self.aliases.bulk_write([_kept(one, told) for one in said], session=session)

        if said:
            async with await self._marks.database.client.start_session() as session:
                await session.with_transaction(keep, write_concern=self.aliases.write_concern)

    async def listed(self) -> list[Alias]:
        """All of them, by source and name."""
        found = self.aliases.find({}).sort("_id", 1)
        return [Alias(a["source"], a["name"], a["unit"]) for a in await found.to_list(None)]

    async def find(self, source: str, name: str) -> Alias | None:
        """What was said about a name for a source; nothing that was said for others."""
        a = await self.aliases.find_one({"_id": f"{source} {key_of(name)}"})
        return None if a is None else Alias(a["source"], a["name"], a["unit"])

    async def known(self) -> Aliases:
        """All of them, ready to be asked."""
        aliases = Aliases()
        for alias in await self.listed():
            aliases.add(alias.source, alias.name, alias.unit)
        return aliases

    async def revision(self) -> int:
        """How often something was said; what is read after it holds at least all of that."""
        return await self._mark(_SAID)

    async def keys_since(self, revision: int) -> list[str]:
        """Keys of the names about which something was said after that revision."""
        found = self.aliases.find({"revision": {"$gt": revision}}, {"name": 1})
        return [key_of(alias["name"]) for alias in await found.to_list(None)]

    async def followed(self) -> int:
        """The revision whose consequences are told."""
        return await self._mark(_FOLLOWED)

    async def follow(self, revision: int) -> None:
        """The consequences of what was said up to a revision are told."""
        await self._marks.update_one(
            {"_id": _FOLLOWED}, {"$max": {"revision": revision}}, upsert=True
        )

    async def _mark(self, name: str) -> int:
        mark = await self._marks.find_one({"_id": name})
        return int(mark["revision"]) if mark else 0


def _kept(alias: Alias, told: Document) -> UpdateOne:
    content = {"source": alias.source, "name": alias.name, "unit": alias.unit} | told
    return UpdateOne(
        {"_id": f"{alias.source} {key_of(alias.name)}"}, {"$set": content}, upsert=True
    )
