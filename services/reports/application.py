"""Packages at work: drafts from closings, decisions of people, the gate, the way to published."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any, Protocol

from contracts.calendar import is_month, is_year, local_date, months_of, quarter_of
from contracts.evidence import UnitEvidence, evidence_of, open_appeals, parsed, reviews_of
from contracts.packages import (
    PackageChecked,
    PackagePublished,
    PackageReturned,
    PeriodFrozen,
)
from contracts.plan import Plan
from contracts.streams import PACKAGE
from services.reports.domain import decisions as deciding, workflow
from services.reports.domain.closing import Closer
from services.reports.domain.decisions import Decision, Item
from services.reports.domain.figures import outcomes_of
from services.reports.domain.gate import Elsewhere, findings, unsettled
from services.reports.domain.record import Finding, Record, Signatures
from services.reports.domain.workflow import Package, WorkflowError
from services.reports.store import ReportsStore
from services.runtime.clock import Clock
from services.runtime.journal import Journal

Told = PackageChecked | PackageReturned | PackagePublished
AskElsewhere = Callable[[PeriodFrozen], Awaitable[Elsewhere]]
"""What other services know of a period: given by whoever wires the services together."""


class Neighbours(Protocol):
    """All that the web face asks of other services."""

    @property
    def closer(self) -> Closer:
        """Who closes periods."""

    async def __call__(self, frozen: PeriodFrozen) -> Elsewhere:
        """What is set aside that might belong to a closed period."""


QUARTER = len("2023-Q3")


class NoSuchPackageError(LookupError):
    """There is no package with this id."""


class Packages:
    """What people and the worker do with packages."""

    def __init__(
        self,
        store: ReportsStore,
        journal: Journal,
        clock: Clock,
        ask: AskElsewhere | None = None,
    ) -> None:
        self.store = store
        self._journal = journal
        self._clock = clock
        self._ask = ask

    async def begin(self) -> None:
        """A draft for each quarter and year that was closed."""
        known = {package.id for package in await self.store.packages()}
        for key in await self.store.frozen_ids():
            event = None if key in known else await self.store.frozen(key)
            if event is None or is_month(event.period):
                continue
            if await self.store.plan(event.plan, event.plan_version) is None:
                continue
            await self.store.begin(
                Package(
                    id=event.id,
                    plan=event.plan,
                    period=event.period,
                    frozen=event.id,
                    dated=local_date(event.at),
                )
            )

    async def get(self, key: str) -> Package:
        """A package.

        Raises:
            NoSuchPackageError: there is none.
        """
        package = await self.store.package(key)
        if package is None:
            raise NoSuchPackageError(key)
        return package

    async def record(self, package: Package) -> Record:
        """Everything that a package is made from, as it stands now."""
        frozen = await self.store.frozen(package.frozen)
        plan = (
            None if frozen is None else await self.store.plan(frozen.plan, frozen.plan_version)
        )
        if frozen is None or plan is None:
            raise NoSuchPackageError(package.id)
        return Record(
            package=package.id,
            frozen=frozen,
            plan=plan,
            previous=await self._previous(frozen),
            decisions=await self.store.decisions(package.id),
            nominations=await self.store.nominations(package.plan, package.period),
            dossiers=await self.store.dossiers(package.plan) if is_year(package.period) else {},
            evidence=await self._evidence(frozen),
            gate=package.gate,
            proof=await self.store.proof(frozen.id),
            official=package.official,
            dated=package.dated,
            signatures=package.signatures,
            options=package.options,
        )

    async def _previous(self, frozen: PeriodFrozen) -> PeriodFrozen | None:
        """The quarter before, as it was frozen."""
        if "Q" not in frozen.period:
            return None
        year, number = int(frozen.period[:4]), int(frozen.period[-1])
        month = f"{year}-{number * 3 - 3:02d}" if number > 1 else f"{year - 1}-12"
        return await self.store.frozen(f"{frozen.plan}:{quarter_of(month)}:1")

    async def _evidence(self, frozen: PeriodFrozen) -> list[UnitEvidence]:
        return [
            evidence_of(unit, map(parsed, lines), frozen.at)
            async for unit, lines in self.store.submissions(frozen.plan, frozen.at)
        ]

    async def look(self, package: Package, record: Record) -> list[Finding]:
        """What is in the way now."""
        reviews, appeals = await self._claims(package.plan)
        elsewhere = None if self._ask is None else await self._ask(record.frozen)
        return findings(record, reviews, appeals, elsewhere)

    async def _claims(self, plan: str) -> tuple[dict[str, str], list[str]]:
        """(`<unit>:<month>:<indicator>` -> last decision, `<unit>:<month>` of open appeals), as known now."""
        reviews: dict[str, str] = {}
        appeals: list[str] = []
        async for unit, lines in self.store.submissions(plan):
            events = [parsed(line) for line in lines]
            reviews |= {f"{unit}:{key}": state for key, state in reviews_of(events).items()}
            appeals += open_appeals(events)
        return reviews, appeals

    async def undecided(self, plan: Plan, period: str) -> list[Finding]:
        """Claims and appeals that a closing now would take as they stand: not decided yet."""
        return unsettled(months_of(period, plan.months), *await self._claims(plan.id))

    async def refresh(self, key: str) -> Package:
        """Look at the gate and have the archive built anew; of a package that is checked, only one that failed."""
        package = await self.get(key)
        if package.official:
            return await self.store.save(workflow.repeated(package))
        gate = await self.look(package, await self.record(package))
        return await self.store.save(workflow.changed(package, gate=gate))

    async def describe(
        self, key: str, dated: date, signatures: Signatures, options: list[str]
    ) -> Package:
        """Fill in what stands on the documents."""
        package = await self.get(key)
        return await self.store.save(
            workflow.changed(package, dated=dated, signatures=signatures, options=options)
        )

    # questions that people settle

    async def item(self, package: Package, item: str) -> Item | None:
        """An open or settled question of a package."""
        outcomes = outcomes_of(await self.record(package))
        return next((i for o in outcomes.values() for i in o.items if i.key == item), None)

    async def decide(self, key: str, decision: Decision) -> None:
        """Put an answer on record; it counts once a second person has confirmed it.

        Raises:
            DecisionError: there is no such question, or the answer does not fit it.
            WorkflowError: the package is no draft.
        """
        package = await self._draft(key)
        found = await self.item(package, decision.key)
        taken = deciding.decided(found, decision)
        if decision.choice.choice == "people":
            await self._check_people(package, found, decision)
        await self.store.decide(package.id, taken)
        await self.store.save(workflow.changed(package))

    async def _check_people(
        self, package: Package, item: Item | None, decision: Decision
    ) -> None:
        """People chosen for a bloc are of its units, accepted, and no more than the plan says."""
        record = await self.record(package)
        bloc = None if item is None else record.plan.bloc(item.bloc)
        units = {unit.code for unit in record.plan.units_of("" if item is None else item.bloc)}
        known = {
            person.id
            for person in record.nominations
            if person.state == "accepted" and person.unit in units
        }
        most = 0 if bloc is None else bloc.bloc_individuals
        if len(decision.choice.order) > most or not set(decision.choice.order) <= known:
            raise deciding.DecisionError("does_not_fit")

    async def confirm(self, key: str, item: str, by: str) -> None:
        """Confirm an answer as the second person.

        Raises:
            DecisionError: nothing waits for it, or it is one's own.
            WorkflowError: the package is no draft.
        """
        package = await self._draft(key)
        waiting = {
            decision.key: decision for decision in await self.store.decisions(package.id)
        }
        sealed = deciding.confirmed(waiting.get(item), by, self._clock.now())
        await self.store.decide(package.id, sealed)
        await self.store.save(workflow.changed(package))

    async def undecide(self, key: str, item: str) -> None:
        """Take an answer back, so that another can be given."""
        package = await self._draft(key)
        await self.store.undecide(package.id, item)
        await self.store.save(workflow.changed(package))

    async def _draft(self, key: str) -> Package:
        package = await self.get(key)
        if package.state != "draft":
            raise WorkflowError("not_a_draft")
        return package

    # the way to published

    async def check(self, key: str, by: str) -> Package:
        """Declare it complete; refused with the list of what is in the way."""
        package = await self.get(key)
        gate = await self.look(package, await self.record(package))
        return await self._stored(workflow.check(package, by, self._clock.now(), gate))

    async def sign(self, key: str, by: str) -> Package:
        """Sign it."""
        return await self._stored(workflow.sign(await self.get(key), by, self._clock.now()))

    async def publish(self, key: str, by: str) -> Package:
        """Make it official."""
        return await self._stored(workflow.publish(await self.get(key), by, self._clock.now()))

    async def send_back(self, key: str, by: str, reason: str) -> Package:
        """Return it, with a reason."""
        package = await self.get(key)
        return await self._stored(workflow.send_back(package, by, self._clock.now(), reason))

    async def _stored(self, package: Package) -> Package:
        stored = await self.store.save(package)
        await self.announce(stored)
        return stored

    async def announce_papers(self) -> None:
        """Tell the others of award dossiers that changed; a crash before this is made good by the worker."""
        for papers in await self.store.untold_papers():
            line = papers.recorded().model_dump_json().encode()
            await self._journal.append(PACKAGE.name, 0, [line], (papers.plan,))
            await self.store.told_papers(papers)

    async def announce(self, package: Package) -> None:
        """Tell the others what is not told yet; a crash before this is made good by the worker."""
        for event in _events(package):
            if event.id not in package.announced:
                line = event.model_dump_json().encode()
                await self._journal.append(PACKAGE.name, 0, [line], (package.plan,))
                await self.store.announced(package.id, event.id)


def _events(package: Package) -> list[Told]:
    """What the steps of a package tell the others; each has an id of its own, so that a repeat is the same event."""
    found: list[Told] = []
    checks = returns = 0
    common: dict[str, Any] = {
        "package": package.id,
        "plan": package.plan,
        "period": package.period,
    }
    for step in package.history:
        stated = common | {"at": step.at, "by": step.by}
        if step.action == "checked":
            checks += 1
            found.append(PackageChecked(id=f"{package.id}:checked:{checks}", **stated))
        elif step.action == "returned":
            returns += 1
            found.append(
                PackageReturned(
                    id=f"{package.id}:returned:{returns}",
                    checked=f"{package.id}:checked:{checks}",
                    **stated,
                )
            )
        elif step.action == "published":
            found.append(
                PackagePublished(
                    id=f"{package.id}:published",
                    frozen=package.frozen,
                    sha256=package.build.sha256,
                    **stated,
                )
            )
    return found
