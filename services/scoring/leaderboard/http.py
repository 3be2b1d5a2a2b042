"""The leaderboard over HTTP: standings, explanations, plans, and the live stream."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import Response, StreamingResponse
from prometheus_client import Gauge
from pydantic import AwareDatetime

from contracts.plan import Plan
from services.runtime.access.rules import all_of, everybody
from services.runtime.clock import monotonic_seconds
from services.scoring.domain.rules import UNIT_OF_POINTS
from services.scoring.leaderboard.feed import BoardKey, Feed, FutureError
from services.scoring.leaderboard.views import Board, Explanation, FactLine, Row

VIEWERS = Gauge("board_viewers", "Live streams open now.")
FUTURE = {
    "error": "future",
    "vi": "Thời điểm as_of chưa tới.",
    "en": "The instant as_of has not come yet.",
}
NOT_FOUND = {"error": "not_found", "vi": "Không có kế hoạch, khối, kỳ hoặc đơn vị này."}
BEAT_SECONDS = 1.0
REFRESH_SHARE = 0.25
"""Share of time that may go into encoding changes of one board."""
_encode = msgspec.json.Encoder().encode


def decimal(points: int) -> str:
    """Ten-thousandths as a decimal string with four decimals: `179.9960`."""
    return f"{points // UNIT_OF_POINTS}.{points % UNIT_OF_POINTS:04d}"


def row_json(row: Row) -> dict[str, Any]:
    """A row as the API shows it."""
    return {
        "rank": row.rank,
        "unit": row.unit.code,
        "name": row.unit.name.vi,
        "points": decimal(row.points),
        "verified_points": decimal(row.verified_points),
        "eligible": row.eligible,
        "exclusions": [
            {"rule": e.rule, "month": e.month, "facts": e.facts, "count": e.count}
            for e in row.exclusions
        ],
        "indicators": {code: decimal(pair[0]) for code, pair in row.indicators.items()},
        "counters": row.counters,
        "movement": row.movement,
    }


def board_json(board: Board) -> dict[str, Any]:
    """A board as the API shows it."""
    return {
        "plan": board.plan.id,
        "bloc": board.bloc.code,
        "period": board.period,
        "version": board.version,
        "as_of": board.as_of,
        "age_seconds": round(board.age_seconds, 1),
        "trouble": board.trouble,
        "official_at": board.official_at,
        "rows": [row_json(row) for row in board.rows],
    }


def _frame(event: str, number: str, content: Any) -> bytes:  # noqa: ANN401 - whatever is encodable
    return f"event: {event}\nid: {number}\ndata: ".encode() + _encode(content) + b"\n\n"


class Channel:
    """The live stream of one board: each frame is encoded once and goes to all its viewers."""

    def __init__(self, feed: Feed, key: BoardKey) -> None:
        self._feed = feed
        self._key = key
        self._viewers: set[asyncio.Queue[bytes | None]] = set()
        self._told = feed.position(key)
        self._ranks: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None

    def snapshot(self) -> bytes:
        """The whole board as one frame."""
        board = self._feed.board(*self._key)
        return b"" if board is None else _frame("snapshot", board.version, board_json(board))

    async def frames(self) -> AsyncIterator[bytes]:
        """A snapshot, then every change; a viewer that cannot follow is dropped and reconnects."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(256)
        self._viewers.add(queue)
        VIEWERS.inc()
        if self._task is None or self._task.done():
            self._told = self._feed.position(self._key)
            self._ranks = self._current_ranks()
            self._task = asyncio.create_task(self._broadcast())
        try:
            yield b"retry: %d\n" % random.randint(800, 2_500) + self.snapshot()  # noqa: S311
            while (frame := await queue.get()) is not None:
                yield frame
        finally:
            VIEWERS.dec()
            self._viewers.discard(queue)

    def _current_ranks(self) -> dict[str, int]:
        rules = self._feed.rules_for(self._key[0], self._key[2])
        return {} if rules is None else dict(self._feed.ranks(self._key, rules))

    async def _broadcast(self) -> None:
        while self._viewers:
            try:
                await asyncio.wait_for(self._feed.wait(), BEAT_SECONDS)
            except TimeoutError:
                self._send(self._beat())
                continue
            started = monotonic_seconds()
            change = self._change()
            if change is not None:
                self._send(change)
            spent = monotonic_seconds() - started
            await asyncio.sleep(spent * (1 - REFRESH_SHARE) / REFRESH_SHARE)

    def _beat(self) -> bytes:
        board = self._feed.board(*self._key)
        if board is None:
            return b": no board\n\n"
        beat = {
            "as_of": board.as_of,
            "age_seconds": round(board.age_seconds, 1),
            "trouble": board.trouble,
        }
        return _frame("beat", board.version, beat)

    def _change(self) -> bytes | None:
        position = self._feed.position(self._key)
        rules = self._feed.rules_for(self._key[0], self._key[2])
        if rules is None or position == self._told:
            return None
        ranks = self._feed.ranks(self._key, rules)
        changed = self._feed.moved_since(self._key, self._told)
        rows = [self._feed.row(self._key, rules, unit, ranks) for unit in changed]
        moved = {unit: rank for unit, rank in ranks.items() if self._ranks.get(unit) != rank}
        self._told, self._ranks = position, dict(ranks)
        content = {
            "version": f"0-{position}",
            "as_of": self._feed.as_of,
            "age_seconds": round(self._feed.age_seconds, 1),
            "rows": [row_json(row) for row in rows if row is not None],
            "ranks": moved,
        }
        return _frame("change", f"0-{position}", content)

    def _send(self, frame: bytes) -> None:
        for queue in list(self._viewers):
            try:
                queue.put_nowait(frame)
            except asyncio.QueueFull:
                self._viewers.discard(queue)
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(None)


def _json(content: Any, status: int = 200) -> Response:  # noqa: ANN401 - whatever is encodable
    return Response(_encode(content), status, media_type="application/json")


def standings_api(feed: Feed) -> APIRouter:
    """The routes below `/api/v1` that everybody may read."""
    api = APIRouter(prefix="/api/v1", tags=["leaderboard"])
    _add_standings(api, feed)
    _add_stream(api, feed)
    _add_rules(api, feed)
    return all_of(api, everybody())


def _add_standings(api: APIRouter, feed: Feed) -> None:
    @api.get("/standings/{plan}/{bloc}", summary="Ranked standings of a bloc in a period")
    async def standings(
        plan: str,
        bloc: str,
        period: Annotated[str | None, Query(examples=["2023", "2023-Q3", "2023-07"])] = None,
        as_of: AwareDatetime | None = None,
    ) -> Response:
        wanted = period or _year(feed.plan(plan))
        try:
            if as_of is None:
                board = feed.board(plan, bloc, wanted)
            else:
                board = await feed.board_as_of(plan, bloc, wanted, as_of)
        except FutureError:
            raise HTTPException(422, FUTURE) from None
        return _json(board_json(_found(board, "plan, bloc or period")))


def _add_stream(api: APIRouter, feed: Feed) -> None:
    channels: dict[BoardKey, Channel] = {}

    @api.get("/standings/{plan}/{bloc}/stream", summary="The same, live (server-sent events)")
    async def stream(plan: str, bloc: str, period: str | None = None) -> StreamingResponse:
        wanted = feed.board(plan, bloc, period or _year(feed.plan(plan)))
        board = _found(wanted, "plan, bloc or period")
        key = plan, bloc, board.period
        channel = channels.setdefault(key, Channel(feed, key))
        return StreamingResponse(
            channel.frames(),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )


def _add_rules(api: APIRouter, feed: Feed) -> None:
    @api.get("/plans", summary="The published plans")
    async def plans() -> Response:
        found = [
            {"id": p.id, "version": p.version, "title": p.title.model_dump()}
            for p in feed.plans()
        ]
        return _json(found)

    @api.get("/plans/{plan}", summary="The published rules")
    async def rules(plan: str) -> Response:
        found = _found(feed.plan(plan), "plan")
        return Response(found.model_dump_json(), media_type="application/json")

    @api.get("/units/{plan}/{unit}/explanation", summary="Why a unit has these points")
    async def explanation(
        plan: str,
        unit: str,
        period: str | None = None,
        indicator: str | None = None,
        page: str | None = None,
    ) -> Response:
        wanted = period or _year(feed.plan(plan))
        found = await feed.explain(plan, unit, wanted, indicator, page)
        return _json(explanation_json(_found(found, "plan, unit or period"), indicator))


_T = TypeVar("_T")


def _found(thing: _T | None, what: str) -> _T:
    if thing is None:
        raise HTTPException(404, NOT_FOUND | {"en": f"There is no such {what}."})
    return thing


def _year(plan: Plan | None) -> str:
    return "" if plan is None else f"{plan.ends_on.year}"


def explanation_json(found: Explanation, indicator: str | None) -> dict[str, Any]:
    """An explanation as the API shows it; with an indicator, only that one and its facts."""
    wanted = [i for i in found.indicators if indicator in (None, i.indicator.code)]
    return {
        "plan": found.plan.id,
        "plan_version": found.plan.version,
        "unit": found.unit.code,
        "period": found.period,
        "row": row_json(found.row),
        "facts_lag_seconds": round(found.facts_lag_seconds, 1),
        "indicators": [
            {
                "code": i.indicator.code,
                "name": i.indicator.name.model_dump(),
                "clause": i.indicator.clause,
                "target": i.indicator.target.model_dump(),
                "state": i.state,
                "points": decimal(i.points),
                "verified_points": decimal(i.verified_points),
                "maximum": i.maximum,
                "parts": [
                    {
                        "rule": p.part.model_dump(mode="json"),
                        "points": decimal(p.points),
                        "verified_points": decimal(p.verified_points),
                        "maximum": p.maximum,
                        "counters": [p.numerator, p.denominator],
                        "verified_counters": [p.verified_numerator, p.verified_denominator],
                    }
                    for p in i.parts
                ],
            }
            for i in wanted
        ],
        "facts": [_fact(f) for f in found.facts],
        "next_page": found.next_page,
    }


def _fact(line: FactLine) -> dict[str, Any]:
    return {
        "id": line.id,
        "type": line.type,
        "state": line.state,
        "month": line.month,
        "counts": line.counts,
        "fields": line.fields,
        "event": line.event,
    }
