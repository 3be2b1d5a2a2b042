"""Correcting an alias: how much was told under it, what its correction would move, and then moving it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

from contracts.plan import Plan
from services.intake.application import Directory, moved_under
from services.intake.domain.names import key_of
from services.intake.portal.desk import Desk
from services.intake.portal.directory import Alias, AliasStore
from services.intake.portal.domain.canonical import Known, unit_of
from services.intake.portal.drafts import DraftError, Drafts
from services.intake.portal.moves import Move
from services.intake.portal.store import DossierStore
from services.intake.store import IntakeStore
from services.runtime.clock import Clock
from services.runtime.mongo import Database

PreviewAlias = Callable[[Sequence[Plan], Alias, datetime], Awaitable[list[Move]]]


class RenamingDesk:
    """Drafts of corrected aliases; applying one tells anew what it moves."""

    def __init__(
        self,
        database: Database,
        desk: Desk,
        known: Known,
        directory: Directory,
        clock: Clock,
        preview: PreviewAlias,
    ) -> None:
        self._desk = desk
        self._known = known
        self._directory = directory
        self._clock = clock
        self._preview = preview
        self._events = IntakeStore(database)
        self._dossiers = DossierStore(database)
        self.aliases = AliasStore(database)
        self.drafts = Drafts(database["alias_drafts"])

    async def draft(self, said: Alias, by: str) -> str:
        """Keep a correction as a draft, and begin to compute what it would move.

        Raises:
            DraftError: there is no such alias, no such unit, or it means that unit already.
        """
        held = await self.aliases.find(said.source, said.name)
        if held is None or said.unit not in self._known.agencies:
            raise DraftError("unit")
        if held.unit == said.unit:
            raise DraftError("same")

        async def moves() -> list[Move]:
            await self.drafts.tell(number, dossiers=await self.concerned(said))
            plans = list(self._known.plans.values())
            return await self._preview(plans, said, self._clock.now())

        number = await self.drafts.begin(
            by,
            moves,
            source=held.source,
            name=held.name,
            before=held.unit,
            after=said.unit,
            dossiers=0,
        )
        return number

    async def concerned(self, said: Alias) -> int:
        """How many dossiers and events would be told under another unit."""
        aliases = self._known.aliases.but(said.source, said.name, said.unit)
        known = replace(self._known, aliases=aliases)
        directory = replace(self._directory, aliases=aliases)
        names = aliases.affected([key_of(said.name)])
        count = 0
        async for some in self._dossiers.each({"name": {"$in": names}, "told": {"$gt": ""}}):
            for one in some:
                fields = one.state.values()
                before = unit_of(one.source, fields, self._known)
                count += unit_of(one.source, fields, known) != before
        async for kept in self._events.explained_by(names):
            count += sum(1 for _ in moved_under(directory, kept))
        return count

    async def apply(self, number: str, by: str) -> int:
        """Say what a draft says; returns how many dossiers and events are told anew.

        Raises:
            DraftError: it is not there, not ready, was applied, or something else was said meanwhile.
        """
        draft = await self.drafts.ready(number)
        held = await self.aliases.find(draft["source"], draft["name"])
        if held is None or held.unit != draft["before"]:
            raise DraftError("said")
        said = Alias(draft["source"], draft["name"], draft["after"])
        told = await self._desk.add_aliases([said], by)
        await self.drafts.tell(number, state="applied", told=told)
        return told
