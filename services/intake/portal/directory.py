"""Alias tables in intake's database: which name means which unit, for each source."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pymongo import UpdateOne

from services.intake.domain.names import Aliases, key_of
from services.runtime.clock import wall_now
from services.runtime.mongo import Collection, Database, write_all


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

    async def add(self, aliases: Iterable[Alias], by: str) -> None:
        """Keep some; the same again changes nothing but who said it last."""
        await write_all(
            self.aliases,
            [
                UpdateOne(
                    {"_id": f"{alias.source} {key_of(alias.name)}"},
                    {
                        "$set": {
                            "source": alias.source,
                            "name": alias.name,
                            "unit": alias.unit,
                            "by": by,
                            "at": wall_now(),
                        }
                    },
                    upsert=True,
                )
                for alias in aliases
            ],
        )

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

    async def keys_since(self, since: datetime | None) -> list[str]:
        """Keys of the names about which something was said since then."""
        wanted = {} if since is None else {"at": {"$gt": since}}
        found = self.aliases.find(wanted, {"name": 1})
        return [key_of(alias["name"]) for alias in await found.to_list(None)]

    async def newest(self) -> datetime | None:
        """When the last word was said."""
        found = await self.aliases.find_one({}, {"at": 1}, sort=[("at", -1)])
        return None if found is None else found["at"]
