"""What units propose and the standing office collects: people, award dossiers, templates of documents."""

from datetime import date, datetime
from uuid import uuid4

from contracts.calendar import local_date
from contracts.plan import Plan, Unit
from services.reports.application import Packages
from services.reports.domain.figures import outcomes_of
from services.reports.domain.nominations import (
    Cockpit,
    NominationError,
    admitted,
    cockpit_of,
    largest_quota,
)
from services.reports.domain.record import PARTS, DossierPart, Nomination
from services.reports.domain.workflow import WorkflowError
from services.reports.render import docx
from services.runtime.auth import Principal, Role

UNITS = (Role.OFFICER, Role.HEAD)


class Collection:
    """Nominations and dossiers of one plan's period."""

    def __init__(self, packages: Packages) -> None:
        self._packages = packages
        self._store = packages.store

    async def plan(self, plan: str) -> Plan:
        """The newest version of a plan.

        Raises:
            NominationError: there is no such plan.
        """
        found = next((p for p in await self._store.newest_plans() if p.id == plan), None)
        if found is None:
            raise NominationError("no_such_unit", "plan")
        return found

    @staticmethod
    def units(plan: Plan, person: Principal) -> list[Unit]:
        """The units for which a person may propose somebody."""
        return [
            unit
            for unit in plan.units
            if (bloc := plan.bloc(unit.bloc))
            and largest_quota(bloc)
            and person.may_act_for(unit.code, *UNITS, Role.REVIEWER)
        ]

    async def seen(self, plan: str, period: str, person: Principal) -> list[Nomination]:
        """The nominations that a person may see: all, or those of the own units."""
        found = await self._store.nominations(plan, period)
        if person.has(Role.REVIEWER, Role.LEADER, Role.OBSERVER):
            return found
        return [one for one in found if person.may_act_for(one.unit, *UNITS)]

    async def _open(self, plan: str, period: str) -> None:
        """A package that was checked keeps its people."""
        package = await self._store.package(f"{plan}:{period}:1")
        if package is not None and package.state != "draft":
            raise WorkflowError("not_a_draft")

    async def nominate(self, plan: str, period: str, nomination: Nomination) -> Nomination:
        """Propose somebody.

        Raises:
            NominationError: it does not fit.
            WorkflowError: the period's package is checked.
        """
        await self._open(plan, period)
        rules = await self.plan(plan)
        new = nomination.model_copy(update={"id": uuid4().hex})
        taken = admitted(rules, new, await self._store.nominations(plan, period))
        await self._store.nominate(plan, period, taken)
        return taken

    async def judge(self, plan: str, period: str, key: str, state: str, reason: str) -> None:
        """Collect a nomination, or return it with a reason.

        Raises:
            NominationError: there is no such nomination.
            WorkflowError: no reason, or the period's package is checked.
        """
        await self._open(plan, period)
        known = await self._one(plan, period, key)
        if state == "returned" and len(reason.strip()) < 10:  # noqa: PLR2004 - a word is no reason
            raise WorkflowError("reason_missing")
        changed = known.model_copy(update={"state": state, "reason": reason.strip()})
        await self._store.nominate(plan, period, changed)

    async def withdraw(self, plan: str, period: str, key: str, person: Principal) -> None:
        """Take back one's own nomination before it was collected; its personal data go with it.

        Raises:
            NominationError: there is no such nomination of the person's units.
        """
        await self._open(plan, period)
        known = await self._one(plan, period, key)
        if known.state == "accepted" or not person.may_act_for(known.unit, *UNITS):
            raise NominationError("no_such_nomination", "")
        await self._store.withdraw(key)

    async def _one(self, plan: str, period: str, key: str) -> Nomination:
        found = await self._store.nominations(plan, period)
        known = next((one for one in found if one.id == key), None)
        if known is None:
            raise NominationError("no_such_nomination", "")
        return known

    async def quotas(self, plan: str, period: str) -> dict[str, int]:
        """Unit -> people that its award allows, or its bloc together; empty before the period is closed."""
        package = await self._store.package(f"{plan}:{period}:1")
        if package is None:
            return {}
        record = await self._packages.record(package)
        outcomes = outcomes_of(record)
        shared = {bloc.code: bloc.bloc_individuals for bloc in record.plan.blocs}
        return {
            unit.code: outcomes[unit.bloc].individuals.get(unit.code, 0) + shared[unit.bloc]
            for unit in record.plan.units
            if unit.bloc in outcomes
        }

    async def cockpits(
        self, plan: Plan, period: str, person: Principal, today: date
    ) -> list[Cockpit]:
        """The state of the award dossier of each unit that a person may see."""
        parts = await self._store.dossiers(plan.id)
        people = await self._store.nominations(plan.id, period)
        quotas = await self.quotas(plan.id, period)
        all_of_them = person.has(Role.REVIEWER, Role.LEADER, Role.OBSERVER)
        return [
            cockpit_of(
                plan,
                unit.code,
                parts.get(unit.code, {}),
                people,
                self._quota(plan, unit, quotas),
                today,
            )
            for unit in plan.units
            if (bloc := plan.bloc(unit.bloc)) and bloc.awards
            if all_of_them or person.may_act_for(unit.code, *UNITS)
        ]

    @staticmethod
    def _quota(plan: Plan, unit: Unit, quotas: dict[str, int]) -> int:
        bloc = plan.bloc(unit.bloc)
        return quotas.get(unit.code, 0) if quotas or bloc is None else largest_quota(bloc)

    async def receive(
        self, plan: Plan, unit: str, part: str, content: DossierPart | None, now: datetime
    ) -> None:
        """Note a document of a unit's dossier, or (None) that it is not there after all, and tell the others.

        Raises:
            NominationError: no award asks this unit for that document, or it is said to come in the future.
        """
        found = plan.unit(unit)
        bloc = None if found is None else plan.bloc(found.bloc)
        if bloc is None or not bloc.awards or part not in PARTS:
            raise NominationError("no_such_unit", "unit")
        if content is not None and content.received_on > local_date(now):
            raise NominationError("in_the_future", "received_on")
        await self._store.keep_part(plan.id, unit, part, content, now)
        await self._packages.announce_papers()

    async def use_template(self, document: str, content: bytes | None) -> None:
        """Use an office's own template after trying it; None: the shipped one again.

        Raises:
            TemplateUnfitError: it cannot be used.
        """
        if content is not None:
            docx.check(content)
        await self._store.keep_template(document, content)
