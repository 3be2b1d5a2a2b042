"""What reports reads from the journal: published plans, closings, and the events of the workspace."""

from typing import Any

from contracts.events import PlanPublished
from contracts.evidence import parsed
from contracts.packages import PeriodFrozen
from services.reports.store import ReportsStore
from services.runtime.consuming import DeadLetters
from services.runtime.journal import Pack


class Handlers:
    """One function for each topic; a bad line becomes a dead letter and stops nobody."""

    def __init__(self, store: ReportsStore) -> None:
        self._store = store
        self.dead_letters = DeadLetters(store.dead_letters)

    async def on_plans(self, packs: list[Pack]) -> None:
        """Keep published versions."""
        for event in self._events(packs, PlanPublished.model_validate_json):
            await self._store.keep_plan(event.plan)

    async def on_freezes(self, packs: list[Pack]) -> None:
        """Keep closings."""
        for event in self._events(packs, PeriodFrozen.model_validate_json):
            await self._store.keep_frozen(event)

    async def on_submissions(self, packs: list[Pack]) -> None:
        """Keep what the workspace tells."""
        for pack in packs:
            for event in self._events([pack], parsed):
                named = {"plan": event.plan, "unit": event.unit, "month": event.month}
                line = event.model_dump_json().encode()
                await self._store.keep_submission(event.id, named, line, pack.accepted_at)

    def _events(self, packs: list[Pack], read: Any) -> list[Any]:  # noqa: ANN401 - one of three kinds
        found = []
        for pack in packs:
            for line in pack.lines:
                try:
                    found.append(read(line))
                except ValueError as error:
                    self.dead_letters.add("undecodable event", error, line, pack.id)
        return found
