"""The leaderboard over HTTP: standings, explanations, what-if, history, plans, and the live stream."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import Response
from pydantic import AwareDatetime

from contracts.plan import Plan
from services.runtime.access.rules import all_of, everybody
from services.scoring.leaderboard.audience import Audience, visitor_of
from services.scoring.leaderboard.forms import board_json, decimal, explanation_json
from services.scoring.leaderboard.imagining import Imagined, field_of, imagine, read_moves
from services.scoring.leaderboard.live import BoardKey, Channel, EventStream, LiveBoards
from services.scoring.leaderboard.views import Explanation, FutureError
from services.scoring.turns import BusyError, TooOftenError

FUTURE = {
    "error": "future",
    "vi": "Thời điểm as_of chưa tới.",
    "en": "The instant as_of has not come yet.",
}
BUSY = {
    "error": "busy",
    "vi": "Đang có nhiều yêu cầu xem số liệu quá khứ. Hãy thử lại sau ít giây.",
    "en": "Too many past instants are asked for at once. Try again in some seconds.",
}
TOO_OFTEN = {
    "error": "too_often",
    "vi": "Địa chỉ này đã hỏi quá nhiều thời điểm quá khứ. Hãy thử lại sau.",
    "en": "This address asked for too many past instants. Try again later.",
}
WRONG_FIGURE = {
    "error": "figure",
    "vi": "Số liệu giả định phải có dạng 800/1000 hoặc 800, cho một tiêu chí của đơn vị.",
    "en": "A figure must look like 800/1000 or 800, and be for an indicator of the unit.",
}
NOT_FOUND = {"error": "not_found", "vi": "Không có kế hoạch, khối, kỳ hoặc đơn vị này."}
_encode = msgspec.json.Encoder().encode


def _json(content: Any, status: int = 200) -> Response:  # noqa: ANN401 - whatever is encodable
    return Response(_encode(content), status, media_type="application/json")


def standings_api(audience: Audience[Any]) -> APIRouter:
    """The routes below `/api/v1` that everybody may read."""
    api = APIRouter(prefix="/api/v1", tags=["leaderboard"])
    _add_standings(api, audience)
    _add_stream(api, audience)
    _add_closes(api, audience)
    _add_rules(api, audience)
    _add_units(api, audience)
    return all_of(api, everybody())


def _add_standings(api: APIRouter, audience: Audience[Any]) -> None:
    @api.get("/standings/{plan}/{bloc}", summary="Ranked standings of a bloc in a period")
    async def standings(
        request: Request,
        plan: str,
        bloc: str,
        period: Annotated[str | None, Query(examples=["2023", "2023-Q3", "2023-07"])] = None,
        as_of: AwareDatetime | None = None,
    ) -> Response:
        source = await audience.source(request)
        wanted = period or _year(source.plan(plan))
        if as_of is None:
            board = source.board(plan, bloc, wanted)
        else:
            with refusals():
                board = await source.board_as_of(plan, bloc, wanted, as_of, visitor_of(request))
        return _json(board_json(_found(board, "plan, bloc or period")))


@contextmanager
def refusals() -> Iterator[None]:
    """Around a question for the past: what cannot be answered, as HTTP says it.

    Raises:
        HTTPException: the instant has not come yet, or too many ask for the past.
    """
    try:
        yield
    except FutureError:
        raise HTTPException(422, FUTURE) from None
    except TooOftenError as refused:
        raise HTTPException(429, TOO_OFTEN, retry_after(refused)) from None
    except BusyError as refused:
        raise HTTPException(503, BUSY, retry_after(refused)) from None


def retry_after(refused: BusyError) -> dict[str, str]:
    """When to come back, as a header."""
    return {"Retry-After": f"{refused.retry_after}"}


def _add_stream(api: APIRouter, audience: Audience[Any]) -> None:
    channels: dict[tuple[bool, BoardKey], Channel] = {}

    @api.get("/standings/{plan}/{bloc}/stream", summary="The same, live (server-sent events)")
    async def stream(
        request: Request,
        plan: str,
        bloc: str,
        period: str | None = None,
        public: bool = False,  # noqa: FBT001, FBT002 - a parameter of the address
    ) -> EventStream:
        """With `public`, what everybody sees, whoever asks."""
        source = audience.public if public else await audience.source(request)
        staff = source is not audience.public
        board = _found(
            source.board(plan, bloc, period or _year(source.plan(plan))), "plan, bloc or period"
        )
        key = plan, bloc, board.period
        boards: LiveBoards = source  # type: ignore[assignment]
        channel = channels.setdefault((staff, key), Channel(boards, key))
        return EventStream(channel, partial(audience.may_go_on, request) if staff else None)


def _add_closes(api: APIRouter, audience: Audience[Any]) -> None:
    @api.get(
        "/standings/{plan}/{bloc}/closes", summary="Ranks and points at the end of each day"
    )
    async def closes(
        request: Request, plan: str, bloc: str, period: str | None = None
    ) -> Response:
        source = await audience.source(request)
        wanted = period or _year(source.plan(plan))
        board = _found(source.board(plan, bloc, wanted), "plan, bloc or period")
        kept = await source.closes(plan, bloc, wanted)
        return _json(
            {
                "plan": plan,
                "bloc": bloc,
                "period": wanted,
                "units": {row.unit.code: row.unit.name.vi for row in board.rows},
                "days": [
                    {
                        "on": close.on,
                        "units": {
                            unit: {"rank": rank, "points": decimal(points)}
                            for unit, (rank, points) in close.units.items()
                        },
                    }
                    for close in kept
                ],
            }
        )


def _add_rules(api: APIRouter, audience: Audience[Any]) -> None:
    @api.get("/plans", summary="The published plans")
    async def plans() -> Response:
        found = [
            {"id": p.id, "version": p.version, "title": p.title.model_dump()}
            for p in audience.public.plans()
        ]
        return _json(found)

    @api.get("/plans/{plan}", summary="The published rules")
    async def rules(plan: str) -> Response:
        found = _found(audience.public.plan(plan), "plan")
        return Response(found.model_dump_json(), media_type="application/json")


def _add_units(api: APIRouter, audience: Audience[Any]) -> None:
    @api.get("/units/{plan}/{unit}/explanation", summary="Why a unit has these points")
    async def explanation(
        request: Request,
        plan: str,
        unit: str,
        period: str | None = None,
        indicator: str | None = None,
        page: str | None = None,
    ) -> Response:
        source = await audience.source(request)
        wanted = period or _year(source.plan(plan))
        found = await source.explain(plan, unit, wanted, indicator, page)
        return _json(explanation_json(_found(found, "plan, unit or period"), indicator))

    @api.get(
        "/units/{plan}/{unit}/what-if",
        summary="Points, rank and award with other figures, such as `?X8=800/1000`",
    )
    async def what_if(
        request: Request, plan: str, unit: str, period: str | None = None
    ) -> Response:
        source = await audience.source(request)
        wanted = period or _year(source.plan(plan))
        found = _found(await source.explain(plan, unit, wanted), "plan, unit or period")
        board = _found(source.board(plan, found.bloc.code, wanted), "plan, unit or period")
        wishes = [
            w for w in request.query_params.multi_items() if w[0] not in ("period", "lang")
        ]
        moves, faults = read_moves(found, wishes)
        if faults:
            fields = [{"field": f.field, "reason": f.reason} for f in faults]
            return _json(WRONG_FIGURE | {"fields": fields}, 422)
        return _json(imagined_json(found, imagine(found, board, moves)))


def imagined_json(found: Explanation, imagined: Imagined) -> dict[str, Any]:
    """A what-if as the API shows it."""
    names = {
        (line.indicator.code, part.part.code): field_of(line, part)
        for line in found.indicators
        for part in line.parts
    }
    return {
        "plan": found.plan.id,
        "plan_version": found.plan.version,
        "unit": found.unit.code,
        "period": found.period,
        "moved": {names[key]: list(move) for key, move in imagined.moves.items()},
        **{
            when: {
                "points": decimal(one.points),
                "rank": one.rank,
                "awards": list(one.award),
                "indicators": {
                    code: decimal(points) for code, points in one.indicators.items()
                },
            }
            for when, one in (("before", imagined.before), ("after", imagined.after))
        },
        "other_ranks": imagined.after.others,
    }


_T = TypeVar("_T")


def _found(thing: _T | None, what: str) -> _T:
    if thing is None:
        raise HTTPException(404, NOT_FOUND | {"en": f"There is no such {what}."})
    return thing


def _year(plan: Plan | None) -> str:
    return "" if plan is None else f"{plan.ends_on.year}"
