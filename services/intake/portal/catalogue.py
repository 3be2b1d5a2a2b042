"""Changing the catalogue: a draft, what it would move, and then a new plan version through the publishing path."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import date, datetime, timedelta

from contracts.plan import Plan, Procedure
from services.intake.portal.domain.canonical import Known
from services.intake.portal.domain.catalogue import Difference, Reading, drafted, merged
from services.intake.portal.moves import Move
from services.runtime.clock import Clock, wall_now
from services.runtime.logging import get_logger
from services.runtime.mongo import Collection, Database, Document

log = get_logger(__name__)
PreviewPlan = Callable[[Plan, datetime], Awaitable[list[Move]]]
PublishPlan = Callable[[Plan], Awaitable[object]]


LONGEST_PREVIEW = timedelta(minutes=15)
"""A draft that is computed for longer was interrupted."""


class DraftError(Exception):
    """A draft cannot be made or applied; `faults` says why."""

    def __init__(self, code: str, faults: list[str] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.faults = faults or []


class CatalogueDesk:
    """Drafts of the catalogue. The plan that carries it stays the only truth: applying is publishing."""

    def __init__(
        self,
        database: Database,
        known: Known,
        clock: Clock,
        preview: PreviewPlan,
        publish: PublishPlan,
    ) -> None:
        self._drafts: Collection = database["catalogue_drafts"]
        self._known = known
        self._clock = clock
        self._preview = preview
        self._publish = publish
        self._previewing: set[asyncio.Task[None]] = set()

    async def draft(self, plan_id: str, read: Reading, since: date | None, by: str) -> str:
        """Keep what a file says as a draft, and begin to compute what it would move.

        Raises:
            DraftError: lines are faulty, nothing changes, or the plan would not pass the linter.
        """
        plan = self._known.plans[plan_id]
        if read.faults:
            raise DraftError("faulty")
        catalogue, differences = merged(plan, read.procedures, since)
        if not differences:
            raise DraftError("nothing")
        plan, faults = drafted(plan, catalogue)
        if faults:
            raise DraftError("lint", faults)
        number = secrets.token_hex(6)
        await self._drafts.insert_one(
            {
                "_id": number,
                "plan": plan_id,
                "base": plan.version - 1,
                "since": None if since is None else since.isoformat(),
                "by": by,
                "at": wall_now(),
                "state": "computing",
                "catalogue": [one.model_dump(mode="json") for one in catalogue],
                "codes": [difference.code for difference in differences],
                "moves": [],
            }
        )
        task = asyncio.create_task(self._compute(number, plan))
        self._previewing.add(task)
        task.add_done_callback(self._previewing.discard)
        return number

    async def _compute(self, number: str, plan: Plan) -> None:
        try:
            moves = await self._preview(plan, self._clock.now())
        except Exception:
            log.exception("preview failed", draft=number)
            await self._tell(number, state="failed")
            return
        await self._tell(number, state="ready", moves=[asdict(move) for move in moves])

    async def _tell(self, number: str, **facts: object) -> None:
        await self._drafts.update_one({"_id": number}, {"$set": facts})

    async def stop(self) -> None:
        """Forget what is being computed."""
        for task in self._previewing:
            task.cancel()

    async def find(self, number: str) -> Document | None:
        """A draft, with what it would move."""
        found = await self._drafts.find_one({"_id": number})
        return None if found is None else _alive(found)

    async def newest(self) -> list[Document]:
        """The latest drafts."""
        found = self._drafts.find({}, {"catalogue": 0}).sort("at", -1).limit(10)
        return [_alive(one) for one in await found.to_list(None)]

    def differences(self, draft: Document) -> list[Difference]:
        """What changes, procedure by procedure, against the version that the draft was made from."""
        plan = self._known.plans.get(draft["plan"])
        held = {} if plan is None else {one.code: one for one in plan.catalogue}
        new = {one["code"]: Procedure.model_validate(one) for one in draft["catalogue"]}
        return [Difference(code, held.get(code), new[code]) for code in draft["codes"]]

    async def apply(self, number: str) -> Plan:
        """Publish the plan version of a draft.

        Raises:
            DraftError: it is not there, not ready, was applied, or the plan has changed since.
        """
        draft = await self.find(number)
        if draft is None or draft["state"] != "ready":
            raise DraftError("not_ready")
        plan = self._known.plans[draft["plan"]]
        if plan.version != draft["base"]:
            raise DraftError("changed")
        catalogue = [Procedure.model_validate(one) for one in draft["catalogue"]]
        plan, _ = drafted(plan, catalogue)
        await self._publish(plan)
        await self._tell(number, state="applied")
        return plan


def _alive(draft: Document) -> Document:
    overdue = wall_now() - draft["at"] > LONGEST_PREVIEW
    return draft | {"state": "failed"} if draft["state"] == "computing" and overdue else draft
