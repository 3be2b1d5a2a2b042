"""What reports reads from the journal: published plans, closings, and the events of the workspace."""

from typing import Any

from contracts.events import PlanPublished
from contracts.packages import PeriodFrozen
from services.reports.domain.evidence import parsed
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
        found = [
            (
                {"id": event.id, "plan": event.plan, "unit": event.unit, "month": event.month},
                event,
            )
            for event in self._events(packs, parsed)
        ]
        lines = [(named, event.model_dump_json().encode()) for named, event in found]
        await self._store.keep_submissions(lines)

    def _events(self, packs: list[Pack], read: Any) -> list[Any]:  # noqa: ANN401 - one of three kinds
        found = []
        for pack in packs:
            for line in pack.lines:
                try:
                    found.append(read(line))
                except ValueError as error:
                    self.dead_letters.add("undecodable event", error, line, pack.id)
        return found
