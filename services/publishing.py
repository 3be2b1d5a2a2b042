"""Publishes a plan version: into the journal, from where every service learns of it. Read-only from then on."""

from collections.abc import AsyncIterator
from pathlib import Path

from contracts.events import PlanPublished
from contracts.faults import Fault
from contracts.plan import Plan
from contracts.streams import PLAN
from services.plan_files import PlanFileError, read_plan
from services.runtime.resources import Resources, resources
from services.runtime.settings import Settings


class PlanConflictError(Exception):
    """A published version cannot be changed; `fault` says which."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


async def publish_directory(settings: Settings, path: Path) -> Plan:
    """Publish the plan of a folder: into the journal, to all services. The same content again changes nothing.

    Raises:
        PlanFileError: the files make no plan.
        PlanConflictError: this version was published with other content; a change needs a higher version.
    """
    plan = read_plan(path)
    async with resources(settings) as own:
        await publish(own, plan)
    return plan


async def published(own: Resources) -> AsyncIterator[Plan]:
    """Every plan version in the journal."""
    async for pack in own.journal.all_packs(PLAN.name):
        for line in pack.lines:
            yield PlanPublished.model_validate_json(line).plan


async def publish(own: Resources, plan: Plan) -> bool:
    """Append a plan version to the journal; False when it is there already."""
    async for known in published(own):
        if (known.id, known.version) != (plan.id, plan.version):
            continue
        if known == plan:
            return False
        raise PlanConflictError(
            Fault.of(
                "version {} of {} is published and read-only; give the changed plan version {}",
                plan.version,
                plan.id,
                plan.version + 1,
            )
        )
    event = PlanPublished(
        id=f"{plan.id}-{plan.version}", plan=plan, published_at=own.clock.now()
    )
    await own.journal.append(PLAN.name, 0, [event.model_dump_json().encode()])
    return True


__all__ = ["PlanConflictError", "PlanFileError", "publish", "publish_directory", "published"]
