"""Nominations over HTTP."""

from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from services.reports.collecting import UNITS, Collection
from services.reports.domain.nominations import NominationError
from services.reports.domain.record import Category, Nomination
from services.reports.http import Office
from services.runtime.access.guard import Guard
from services.runtime.access.rules import access
from services.runtime.auth import Role

OVERSIGHT = (Role.REVIEWER, Role.LEADER, Role.OBSERVER)


class NewNomination(BaseModel):
    """A person whom a unit proposes."""

    model_config = ConfigDict(extra="forbid")

    unit: str = Field(max_length=64)
    name: str = Field(min_length=2, max_length=100)
    category: Category
    position: str = Field("", max_length=200)
    achievement: str = Field(min_length=10, max_length=1_000)
    votes_for: int = Field(ge=0, le=1_000)
    votes_total: int = Field(ge=1, le=1_000)


class Judgement(BaseModel):
    """Collected, or returned with a reason."""

    model_config = ConfigDict(extra="forbid")

    state: Literal["accepted", "returned"]
    reason: str = Field("", max_length=1_000)


def nominations_api(office: Office, collection: Collection, guard: Guard) -> APIRouter:
    """The routes below `/api/v1/nominations`."""
    router = APIRouter(prefix="/api/v1/nominations/{plan}/{period}", tags=["nominations"])

    @router.get("", openapi_extra=access(*UNITS, *OVERSIGHT))
    async def list_nominations(
        request: Request, plan: str, period: str
    ) -> list[dict[str, Any]]:
        """Those that one may see: all, or those of one's own units."""
        person = await guard.require(request, *UNITS, *OVERSIGHT)
        return [
            one.model_dump(mode="json") for one in await collection.seen(plan, period, person)
        ]

    @router.post("", status_code=201, openapi_extra=access(*UNITS, Role.REVIEWER))
    async def nominate(
        request: Request, plan: str, period: str, new: NewNomination
    ) -> dict[str, str]:
        """Propose somebody for a unit of one's own."""
        person = await guard.require(request, *UNITS, Role.REVIEWER)
        rules = await collection.plan(plan)
        if new.unit not in {unit.code for unit in collection.units(rules, person)}:
            raise NominationError("no_such_unit", "unit")
        await office.record(person.subject, "nominate", f"{plan}|{period}|{new.unit}")
        taken = await collection.nominate(
            plan, period, Nomination(id="new", **new.model_dump())
        )
        return {"id": taken.id}

    @router.post("/{key}/decision", openapi_extra=access(Role.REVIEWER))
    async def judge(
        request: Request, plan: str, period: str, key: str, judgement: Judgement
    ) -> dict[str, str]:
        """Collect a nomination, or return it with a reason."""
        person = await guard.require(request, Role.REVIEWER)
        await office.record(person.subject, f"nomination.{judgement.state}", key)
        await collection.judge(plan, period, key, judgement.state, judgement.reason)
        return {"id": key, "state": judgement.state}

    return router
