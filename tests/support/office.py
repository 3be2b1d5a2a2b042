"""A workspace on a real MongoDB for tests: its clock stands until it is moved, its audit is a list."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from contracts.calendar import LOCAL
from contracts.plan import Plan
from contracts.streams import PLAN
from contracts.submissions import (
    AppealDecided,
    AppealLodged,
    ItemReviewed,
    SubmissionMade,
    SubmissionWithdrawn,
)
from services.intake.application import Intake
from services.intake.store import IntakeStore
from services.intake.workspace.application import Workspace
from services.intake.workspace.domain.values import PartValues, Values
from services.intake.workspace.reviewing import Desk
from services.intake.workspace.store import WorkspaceStore
from services.publishing import publish
from services.runtime import mongo
from services.runtime.clock import FrozenClock
from services.runtime.consuming import Consumer, DeadLetters
from services.runtime.resources import Resources, resources
from services.runtime.settings import Settings
from services.scoring.domain.fold import Fold
from services.scoring.domain.standings import UnitRow
from tests.support.facts import little_plan

_EVENTS = {
    model.model_fields["type"].default: model
    for model in (
        SubmissionMade,
        SubmissionWithdrawn,
        ItemReviewed,
        AppealLodged,
        AppealDecided,
    )
}


@dataclass
class Ledger:
    """The audit, in memory."""

    entries: list[tuple[str, str, str]] = field(default_factory=list)

    async def record(
        self,
        actor: str,
        action: str,
        subject: str,
        *,
        reason: str = "",
        detail: dict[str, str | int | bool] | None = None,
    ) -> None:
        """Keep it."""
        self.entries.append((actor, action, subject))


@dataclass
class Office:
    """Everything that a test of the workspace needs."""

    own: Resources
    intake: Intake
    workspace: Workspace
    desk: Desk
    clock: FrozenClock
    audit: Ledger
    plan: Plan

    def at(self, when: str) -> None:
        """Move the clock to a local moment, `2023-09-13T10:00`."""
        self.clock.instant = datetime.fromisoformat(when).replace(tzinfo=LOCAL)

    async def lines(self, topic: str) -> list[bytes]:
        """Everything that the journal holds of a topic."""
        return [line async for pack in self.own.journal.all_packs(topic) for line in pack.lines]

    async def told(self) -> list[Any]:
        """The events of the workspace."""
        found = []
        for line in await self.lines("submission"):
            kind = line.split(b'"type":"', 1)[1].split(b'"', 1)[0].decode()
            found.append(_EVENTS[kind].model_validate_json(line))
        return found

    async def row(self, unit: str, period: str, today: date | None = None) -> UnitRow:
        """What the fold makes of the whole journal."""
        fold = Fold(today or self.clock.today())
        fold.publish(self.plan)
        for line in await self.lines("indicator"):
            fold.apply(line)
        (standings,) = fold.standings.values()
        standings.refresh()
        return standings.rows[unit, period]


@asynccontextmanager
async def office(settings: Settings, when: str) -> AsyncIterator[Office]:
    """A workspace that knows the reference plan, on a day."""
    plan = little_plan()
    async with resources(settings) as own:
        await publish(own, plan)
        database = mongo.database(own.client, own.settings, "intake")
        intake = Intake(IntakeStore(database), own.journal, 1)
        store = WorkspaceStore(database)
        await store.prepare()
        clock = FrozenClock(datetime.fromisoformat(when).replace(tzinfo=LOCAL))
        audit = Ledger()
        workspace = Workspace(store, intake, own.journal, clock, audit)
        letters = DeadLetters(database["dead_letters"])
        for handle in (intake.on_plans, workspace.plans.on_packs):
            await Consumer(own.journal, PLAN.name, [0], handle, letters, settings).catch_up()
        yield Office(own, intake, workspace, Desk(workspace), clock, audit, plan)


def values(**parts: dict[str, Any]) -> Values:
    """`values(main={"numerator": 1, "denominator": 2})`."""
    return {code: PartValues.model_validate(part) for code, part in parts.items()}
