"""Changing the catalogue: a draft, what it would move, and then a new plan version through the publishing path."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from functools import partial

from contracts.plan import Plan, Procedure
from services.intake.portal.domain.canonical import Known
from services.intake.portal.domain.catalogue import Difference, Reading, drafted, merged
from services.intake.portal.drafts import DraftError, Drafts
from services.intake.portal.moves import Move
from services.runtime.clock import Clock
from services.runtime.mongo import Database, Document

PreviewPlan = Callable[[Plan, datetime], Awaitable[list[Move]]]
PublishPlan = Callable[[Plan], Awaitable[object]]


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
        self.drafts = Drafts(database["catalogue_drafts"])
        self._known = known
        self._clock = clock
        self._preview = preview
        self._publish = publish

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
        return await self.drafts.begin(
            by,
            partial(self._preview, plan, self._clock.now()),
            plan=plan_id,
            base=plan.version - 1,
            since=None if since is None else since.isoformat(),
            catalogue=[one.model_dump(mode="json") for one in catalogue],
            codes=[difference.code for difference in differences],
        )

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
        draft = await self.drafts.ready(number)
        plan = self._known.plans[draft["plan"]]
        if plan.version != draft["base"]:
            raise DraftError("changed")
        catalogue = [Procedure.model_validate(one) for one in draft["catalogue"]]
        plan, _ = drafted(plan, catalogue)
        await self._publish(plan)
        await self.drafts.tell(number, state="applied")
        return plan
