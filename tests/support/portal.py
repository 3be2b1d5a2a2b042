"""Intake with its portal doors in one process, and invented messages as one-stop systems send them."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from contracts.events import DossierRecorded
from contracts.plan import Plan
from contracts.wire import from_line
from services.changing import moves_of, moves_of_alias, retelling
from services.intake.app import IntakeWeb
from services.intake.portal.directory import Alias
from services.publishing import publish
from services.runtime import mongo
from services.runtime.access.guard import Guard
from services.runtime.access.refusals import Refusals
from services.runtime.auth import Keys, Role, TokenVerifier, issue
from services.runtime.health import Health
from services.runtime.resources import Resources, resources
from services.runtime.settings import Settings
from services.scoring.asof import PastBoards
from services.scoring.leaderboard.pages import leaderboard_site
from services.scoring.shadow import ShadowRow, latest, shadow_standings
from tests.support.facts import reference_plan

ROOT = Path(__file__).parents[2]
PLAN = reference_plan()
SAMPLES: dict[str, Any] = json.loads(
    (Path(__file__).parent / "national_samples.json").read_text("utf-8")
)
NATIONAL = "/api/v1/portal/national"
DOSSIER: dict[str, Any] = SAMPLES["envelope_create"]["data"][0]
CODE: str = DOSSIER["MaHoSo"]
ALIASES = [
    Alias("*", f"UBND {unit.name.vi}", unit.code)
    for unit in PLAN.units
    if unit.bloc == "commune"
]


def dossier(**changes: Any) -> dict[str, Any]:
    """An item of the national payload."""
    return DOSSIER | changes


def steps(*times: str, status: str = "4", **changes: Any) -> dict[str, Any]:
    """An envelope of steps of the sample dossier."""
    envelope: dict[str, Any] = SAMPLES["steps"]
    one = envelope["data"][0] | {"TrangThai": status} | changes
    return envelope | {"data": [one | {"ThoiDiemXuLy": at} for at in times]}


@dataclass
class Portal:
    """A running intake and a sender."""

    own: Resources
    intake: IntakeWeb
    client: httpx.AsyncClient

    async def clear(self) -> None:
        """Forget everything that was sent."""
        database = mongo.database(self.own.client, self.own.settings, "intake")
        for name in (
            "dossiers",
            "faults",
            "quarantine",
            "explained",
            "aliases",
            "sources",
            "sheet_mappings",
        ):
            await database[name].delete_many({})
        await self.own.journal.collection("indicator").delete_many({})
        self.intake.portal.receiver.tally.taken()
        await self.intake.portal.trust.load()
        await self.intake.portal.desk.load_aliases()
        await self.intake.portal.desk.add_aliases(ALIASES, "test")

    async def send(self, content: Any, query: str = "", **headers: str) -> dict[str, Any]:
        """Post to the national door; the answer, which must be 200."""
        answer = await self.client.post(NATIONAL + query, json=content, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()  # type: ignore[no-any-return]

    async def lines(self) -> list[bytes]:
        """Every event in the journal."""
        return [
            line
            async for pack in self.own.journal.all_packs("indicator")
            for line in pack.lines
        ]

    async def events(self) -> list[DossierRecorded]:
        """Every event in the journal, decoded."""
        return [from_line(line) for line in await self.lines()]  # type: ignore[misc]

    async def now(self, code: str = CODE) -> DossierRecorded | None:
        """What holds of a dossier."""
        held = latest(await self.lines(), {PLAN.id}).values()
        return next((e for e in held if getattr(e, "dossier", "") == code), None)  # type: ignore[return-value]

    async def row(
        self, unit: str = "31399", period: str = "2023-07", today: date = date(2023, 7, 31)
    ) -> ShadowRow:
        """The totals of a unit, by the second calculator."""
        only = [found for found in PLAN.units if found.code == unit]
        plan = Plan.model_validate(PLAN.model_dump() | {"units": only})
        return shadow_standings(plan, await self.lines(), today)[unit, period]


@asynccontextmanager
async def portal(settings: Settings) -> AsyncIterator[Portal]:
    """A running intake that knows the reference plan, and a client with a token."""
    keys = Keys(settings.keys_dir)
    health = Health()
    async with AsyncExitStack() as stack:
        own = await stack.enter_async_context(resources(settings))
        past = stack.enter_context(PastBoards(settings, own.journal, retelling))
        await publish(own, PLAN)
        intake = IntakeWeb(own, Guard(TokenVerifier(keys.verifying())))
        app = FastAPI()
        intake.mount(
            app, partial(moves_of, past), partial(publish, own), partial(moves_of_alias, past)
        )
        Refusals(leaderboard_site()).mount(app)
        headers = {"Authorization": f"Bearer {issue(keys.signing(), Role.PORTAL)}"}
        transport = httpx.ASGITransport(app=app)
        async with (
            intake.running(health),
            httpx.AsyncClient(
                transport=transport, base_url="http://test", headers=headers, timeout=30
            ) as client,
        ):
            yield Portal(own, intake, client)
            await health.stop()
