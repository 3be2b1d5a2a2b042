"""Closing periods by hand: which of a plan's periods can be closed, and closing one, on record."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from contracts.calendar import all_periods, local_date
from contracts.plan import Plan, in_force
from services.runtime import mongo
from services.runtime.audit import Audit
from services.runtime.mongo import Document
from services.runtime.resources import Resources
from services.scoring.domain.closing import closes_at, last_day
from services.scoring.freezing import ClosingError, Closings, published

State = Literal["runs", "ended", "asked", "closed"]


@dataclass(frozen=True, slots=True)
class Closable:
    """One period of a plan, and how far it is from being closed."""

    period: str
    last_day: date
    state: State
    """*ended*: it may be closed by hand; *asked*: the worker is making the closing."""
    closes_at: datetime | None
    """The instant as of which its date closes it, or as of which it was closed."""
    cause: str = ""
    by: str = ""


class HandClosing:
    """What people may do about the periods of a plan."""

    def __init__(self, own: Resources) -> None:
        database = mongo.database(own.client, own.settings, "scoring")
        self._closings = Closings(database["closings"])
        self._audit = Audit(database, own.clock)
        self._journal, self._clock = own.journal, own.clock

    async def _versions(self, plan: str) -> dict[int, Plan]:
        versions = (await published(self._journal)).get(plan)
        if versions is None:
            raise ClosingError("no_such_plan")
        return versions

    async def closings(self, plan: str) -> list[Document]:
        """The closings that were asked for, in the order of their instants."""
        return await self._closings.of_plan(plan)

    async def periods(self, plan: str) -> list[Closable]:
        """Years, quarters and months in the order in which they end, the shorter first.

        Raises:
            ClosingError: there is no such plan.
        """
        versions = await self._versions(plan)
        asked = {one["period"]: one for one in await self._closings.of_plan(plan)}
        months = max(versions.values(), key=lambda one: one.version).months
        found = []
        for period in reversed(all_periods(months)):
            rules = in_force(versions.values(), period)
            day = last_day(rules, period)
            if day is not None:
                found.append(self._closable(rules, period, day, asked.get(period)))
        return sorted(found, key=lambda one: one.last_day)

    def _closable(self, plan: Plan, period: str, day: date, asked: Document | None) -> Closable:
        if asked is None:
            state: State = "runs" if local_date(self._clock.now()) <= day else "ended"
            return Closable(period, day, state, closes_at(plan, period))
        state = "asked" if asked["frozen"] is None else "closed"
        return Closable(period, day, state, asked["at"], asked["cause"], asked["by"])

    async def close(self, plan: str, period: str, by: str) -> Document:
        """Close a period that has ended, as of now; a repeat gives the closing that is there.

        Raises:
            ClosingError: there is no such plan or period, or it still runs.
        """
        versions, now = await self._versions(plan), self._clock.now()
        self._closings.check(versions, period, now)
        for asked in await self._closings.of_plan(plan):
            if asked["period"] == period:
                return asked
        await self._audit.record(by, "period.close", f"{plan}:{period}")
        return await self._closings.by_hand(versions, period, now, by)
