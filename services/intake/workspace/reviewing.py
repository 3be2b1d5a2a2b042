"""The standing office's desk: what waits, in which order, and the decisions on it."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.plan import Plan, Unit
from services.intake.workspace.application import Act, UnknownPlaceError, Workspace
from services.intake.workspace.domain.declaring import Place
from services.intake.workspace.domain.duties import Duty
from services.intake.workspace.domain.report import (
    DECIDED,
    UNDECIDED,
    Item,
    Outgoing,
    Report,
    ReportError,
    Step,
)
from services.intake.workspace.domain.review import Ruling, decide
from services.runtime.auth import Principal, Role

MOST_AT_ONCE = 200
DECIDED_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Listed:
    """One item in the queue, or among those decided last."""

    plan: Plan
    unit: Unit
    month: str
    duty: Duty
    item: Item
    waited: timedelta

    @property
    def key(self) -> str:
        """Its address: plan, unit, month, indicator."""
        return f"{self.plan.id}/{self.unit.code}/{self.month}/{self.duty.indicator.code}"


def own_units(principal: Principal) -> frozenset[str]:
    """The units whose claims somebody must not review: their own, and those for which they report."""
    reporting = [principal.grants.get(role, frozenset()) for role in (Role.OFFICER, Role.HEAD)]
    return principal.belongs_to.union(*reporting)


class Desk:
    """Reviews, for the people of the standing office."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    async def queue(self, principal: Principal, *, unit: str = "") -> list[Listed]:
        """What waits and may be decided by somebody: riskiest first, then oldest."""
        now, own = self.workspace.clock.now(), own_units(principal)
        found: list[Listed] = []
        for report in await self.workspace.store.waiting_reports():
            if report.unit in own or (unit and report.unit != unit):
                continue
            listed = self._items_of(report, now)
            found += [one for one in listed if one.item.state in UNDECIDED]
        return sorted(found, key=lambda w: (-w.item.risk, w.item.since, w.key))

    async def decided(self, *, unit: str = "") -> list[Listed]:
        """What was decided last, newest first: a few, to look at again or to take back."""
        reports = await self.workspace.store.decided_reports(unit, DECIDED_SHOWN)
        found = [
            listed
            for report in reports
            for listed in self._items_of(report, self.workspace.clock.now())
            if listed.item.state in DECIDED
        ]
        return sorted(found, key=lambda one: one.item.last.at, reverse=True)[:DECIDED_SHOWN]

    def _items_of(self, report: Report, now: datetime) -> Iterable[Listed]:
        try:
            place = self.workspace.place(report.plan, report.unit, report.month)
        except UnknownPlaceError:
            return
        unit = place.plan.unit(report.unit)
        for duty in self.workspace.duties(place):
            item = report.items.get(duty.indicator.code)
            if unit is not None and item is not None:
                yield Listed(place.plan, unit, report.month, duty, item, now - item.since)

    async def decide(
        self, place: Place, code: str, ruling: Ruling, principal: Principal
    ) -> Report:
        """Decide on one item.

        Raises:
            ReportError: it is the reviewer's own unit, or the report does not allow it now.
        """
        if place.unit in own_units(principal):
            raise ReportError("own_unit", place.unit)
        duty, step = self.workspace.duty(place, code), self.workspace.step(principal.subject)

        def change(report: Report) -> tuple[Report, Outgoing]:
            return decide(report, place, duty, ruling, step)

        action = f"item.{ruling.verdict}.{code}"
        return await self.workspace.change(
            place, change, Act(principal.subject, action, ruling.reason)
        )

    async def accept_all(
        self, wanted: list[tuple[Place, str, int]], principal: Principal
    ) -> list[tuple[str, str]]:
        """Accept many items as claimed; returns (key, code) of those that could not be accepted."""
        refused = []
        for place, code, version in wanted[:MOST_AT_ONCE]:
            try:
                await self.decide(place, code, Ruling("accepted", version), principal)
            except ReportError as error:
                refused.append((f"{place.unit}/{place.month}/{code}", error.code))
        return refused

    async def draw(self, principal: Principal, count: int, seed: int) -> list[Listed]:
        """A random sample of the queue, and a record of how it was drawn: the same seed draws the same again."""
        waiting = sorted(await self.queue(principal), key=lambda w: w.key)
        drawn = random.Random(seed).sample(waiting, min(count, len(waiting)))  # noqa: S311  # nosec B311  # repeatable on purpose
        at = self.workspace.clock.now()
        keys = [w.key for w in drawn]
        await self.workspace.audit.record(
            principal.subject,
            "review.sample",
            f"seed {seed}",
            detail={"drawn": len(keys), "of": len(waiting)},
        )
        await self.workspace.store.samples.insert_one(
            {
                "seed": seed,
                "at": at.isoformat(),
                "by": principal.subject,
                "of": [w.key for w in waiting],
                "drawn": keys,
            }
        )
        return drawn


def longest_wait(report: Report, step: Step) -> timedelta | None:
    """How long the oldest undecided item of a report has waited; None when nothing waits."""
    since = [item.since for item in report.items.values() if item.state in UNDECIDED]
    return step.at - min(since) if since else None
