"""The pages of staff with invented freezes and previews behind them, for somebody who may do everything."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from services.runtime.access.guard import Guard
from services.runtime.audit import Audit
from services.runtime.auth import Principal, Role
from services.runtime.clock import Clock
from services.runtime.journal import Pack
from services.runtime.web.site import Site
from services.scoring.domain.awarding import awards_of
from services.scoring.leaderboard.audience import Audience
from services.scoring.leaderboard.freezing import Freezes
from services.scoring.leaderboard.imagining import candidates_of
from services.scoring.leaderboard.preview import Effect, Preview, Previews
from services.scoring.leaderboard.preview_pages import PreviewDesk
from services.scoring.leaderboard.proof_pages import add_proof
from services.scoring.leaderboard.staff_pages import FreezeDesk
from tests.support.sample_boards import NOW, SampleBoards

ADMIN = Principal("admin-1", {Role.ADMIN: frozenset()}, datetime.max.replace(tzinfo=UTC))


class Everybody(Guard):
    """Takes every request for an administrator's."""

    def __init__(self) -> None:
        pass

    async def principal(self, request: Any) -> Principal | None:
        return ADMIN

    async def require(self, request: Any, *roles: Role) -> Principal:
        return ADMIN


class NoFreezes:
    """No board is frozen."""

    def of(self, plan: str, bloc: str) -> None:
        return None

    async def positions(self) -> list[Pack]:
        return [
            Pack(f"01893a5b{n:03x}" + "ab" * 6, "indicator", 0, NOW, n + 1, b"")
            for n in range(3, 0, -1)
        ]


class OnePreview:
    """A change under which two awards change hands."""

    def __init__(self, source: SampleBoards) -> None:
        plan = source.plan_now.model_copy(update={"version": 2})
        board = source.board(plan.id, "commune", "2023")
        assert board is not None
        awards = awards_of(board.bloc, candidates_of(board))
        effects = [
            Effect(
                r.unit.code,
                "commune",
                (r.rank, r.points, awards.get(r.unit.code, ())),
                (r.rank, r.points - 1_000 * r.rank, () if r.rank == 1 else ("first",)),
            )
            for r in board.rows
        ]
        effects += [replace(e, period="2023-Q3") for e in effects[:3]]
        self.preview = Preview("ab12", plan, NOW, "officer-1", "open", "", "", effects)

    async def find(self, number: str) -> Preview | None:
        return self.preview if number == "ab12" else None

    async def latest(self, most: int = 20) -> list[Preview]:
        return [self.preview]


class Links:
    """Two links of a chain, as the store has them."""

    def find(self) -> "Links":
        return self

    def sort(self, *_: Any) -> "Links":
        return self

    async def to_list(self, _: int) -> list[dict[str, Any]]:
        return [
            {
                "_id": f"{(NOW - timedelta(days=n)).date()}",
                "packs": 3,
                "events": 1_234,
                "hash": f"{n}" * 64,
                "until": f"01893a5b{n:03x}",
            }
            for n in (1, 2)
        ]


def sample_desks(source: SampleBoards, site: Site, key: Any) -> APIRouter:
    """Freezing, previews and proof."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    audience = Audience(source, None, Everybody())
    audit, clock = cast("Audit", None), Clock()
    FreezeDesk(audience, site, cast("Freezes", NoFreezes()), audit, clock).add(router)
    previews = cast("Previews", OnePreview(source))

    def read(current: Any, files: Any) -> list[str]:
        return ["plan.yaml, line 3: found 'ration', expected 'ratio'"]

    async def publish(_: Any) -> None:
        return None

    PreviewDesk(audience, site, previews, audit, (read, publish)).add(router)
    add_proof(router, audience, site, cast("Any", Links()), key)
    return router
