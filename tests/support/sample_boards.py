"""A `BoardSource` with invented standings of the reference plan, a scripted stream, and a server for both."""

import asyncio
import json
import random
import socket
import threading
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from contracts.calendar import all_periods
from contracts.events import Change, Exclusion, UnitScored
from contracts.plan import Bloc, Indicator, Part, Plan, Unit
from services.runtime.access.guard import Guard
from services.runtime.web.compression import compressed
from services.runtime.web.site import Site, answer_errors_with_pages
from services.scoring.domain.standings import ranked
from services.scoring.leaderboard.audience import Audience
from services.scoring.leaderboard.pages import leaderboard_site, pages
from services.scoring.leaderboard.views import (
    AS_OF,
    Board,
    Close,
    Explanation,
    FactLine,
    FutureError,
    IndicatorExplanation,
    PartExplanation,
    Row,
)
from tests.support.facts import reference_plan
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2023, 9, 12, 3, 15, 3, tzinfo=UTC)
_PAGE = 20
DAYS = 60
"""Daily closes that there are."""


@dataclass
class SampleBoards:
    """Standings that a test can change; every number follows from the seed."""

    plan_now: Plan = field(default_factory=reference_plan)
    seed: int = 7
    trouble: str | None = None
    empty: bool = False
    position: int = 41
    boosts: dict[str, int] = field(default_factory=dict)
    """Unit -> ten-thousandths added by a test."""
    ledger: dict[str, list[UnitScored]] = field(default_factory=dict)

    def plans(self) -> list[Plan]:
        return [self.plan_now]

    def plan(self, plan: str) -> Plan | None:
        return self.plan_now if plan == self.plan_now.id else None

    def board(self, plan: str, bloc: str, period: str) -> Board | None:
        found = self.plan_now.bloc(bloc)
        if plan != self.plan_now.id or found is None:
            return None
        if period not in all_periods(self.plan_now.months):
            return None
        rows = [] if self.empty else self._ranked(found)
        version = f"018b2f0e5c3a-{self.position}"
        return Board(self.plan_now, found, period, version, NOW, 3.2, self.trouble, rows)

    async def explain(
        self,
        plan: str,
        unit: str,
        period: str,
        indicator: str | None = None,
        page: str | None = None,
    ) -> Explanation | None:
        found = self.plan_now.unit(unit)
        board = None if found is None else self.board(plan, found.bloc, period)
        if found is None or board is None or not board.rows:
            return None
        row = next(r for r in board.rows if r.unit.code == unit)
        lines = [self._line(i, row, board.bloc) for i in board.bloc.indicators]
        facts = _facts(indicator, int(page or 0)) if indicator else []
        more = str(int(page or 0) + 1) if indicator and int(page or 0) < 2 else None
        return Explanation(
            self.plan_now, board.bloc, found, period, row, lines, facts, more, 0.4
        )

    async def changes(self, plan: str, unit: str, limit: int = 30) -> list[UnitScored]:
        return self.ledger.get(unit, _history(plan, unit))[:limit]

    async def changes_between(
        self, plan: str, units: Collection[str], after: datetime, until: datetime
    ) -> list[UnitScored]:
        told = [c for unit in units for c in self.ledger.get(unit, _history(plan, unit))]
        return sorted((c for c in told if after < c.at <= until), key=lambda c: c.at)

    async def closes(self, plan: str, bloc: str, period: str) -> list[Close]:
        board = self.board(plan, bloc, period)
        return [] if board is None else [_close(board, n) for n in range(DAYS)]

    async def board_as_of(
        self,
        plan: str,
        bloc: str,
        period: str,
        instant: datetime,
        visitor: str | None = None,
    ) -> Board | None:
        if instant > NOW:
            raise FutureError
        board = self.board(plan, bloc, period)
        if board is None:
            return None
        days = (NOW - instant).days + 1
        rows = [
            replace(r, points=r.points - days * 1_000, movement=None, trend=())
            for r in board.rows
        ]
        return replace(board, version=AS_OF, as_of=instant, rows=rows)

    def _ranked(self, bloc: Bloc) -> list[Row]:
        rows = [self._row(unit, bloc) for unit in self.plan_now.units_of(bloc.code)]
        totals = sorted((row.points for row in rows), reverse=True)
        ranked = [replace(row, rank=totals.index(row.points) + 1) for row in rows]
        return sorted(ranked, key=lambda row: row.rank)

    def _row(self, unit: Unit, bloc: Bloc) -> Row:
        dice = random.Random(f"{self.seed} {unit.code}")
        level = dice.triangular(0.45, 0.99, 0.86)
        indicators = {}
        for indicator in bloc.scored:
            if set(indicator.not_for) & set(unit.traits):
                continue
            full = int(indicator.points * 10_000)
            earned = int(full * min(1.0, max(0.0, dice.gauss(level, 0.14))))
            pending = dice.choice((0, 0, 0, earned // 3))
            indicators[indicator.code] = (earned, earned - pending)
        points = sum(p for p, _ in indicators.values()) + self.boosts.get(unit.code, 0)
        verified = sum(v for _, v in indicators.values()) + self.boosts.get(unit.code, 0)
        exclusions = _exclusions(dice, bloc)
        return Row(
            rank=0,
            unit=unit,
            points=points,
            verified_points=verified,
            eligible=not exclusions,
            exclusions=exclusions,
            indicators=indicators,
            counters={code: (dice.randrange(400), 400) for code in indicators},
            movement=dice.choice((None, 0, 0, 0, 1, 2, -1, -3)),
            trend=_trend(dice, points),
        )

    def _line(self, indicator: Indicator, row: Row, bloc: Bloc) -> IndicatorExplanation:
        applies = not set(indicator.not_for) & set(row.unit.traits)
        points, verified = row.indicators.get(indicator.code, (0, 0))
        state = "verified" if points == verified else "declared"
        if indicator.tracked_only or points == 0:
            state = "missing"
        if not applies:
            state = "not_applicable"
        full = int(indicator.points * 10_000) or 1
        parts = [
            _part(part, Fraction(points, full), Fraction(verified, full))
            for part in indicator.parts
        ]
        maximum = f"{float(indicator.points):.4f}"
        return IndicatorExplanation(indicator, applies, points, verified, maximum, state, parts)


def _close(board: Board, number: int) -> Close:
    """A board some days ago: every unit a little lower, two of them in each other's place."""
    day = NOW.date() - timedelta(days=DAYS - number)
    points = {r.unit.code: r.points * (DAYS + number) // (2 * DAYS) for r in board.rows}
    units = list(points)
    if number < DAYS - 1 and len(units) > 1:
        points[units[0]], points[units[1]] = points[units[1]], points[units[0]]
    return Close(day, {u: (rank, points[u]) for u, rank in ranked(points.items()).items()})


def _exclusions(dice: random.Random, bloc: Bloc) -> list[Exclusion]:
    if not bloc.exclusions or dice.random() > 0.25:
        return []
    found = [
        Exclusion(
            rule="two-overdue-dossiers",
            month="2023-07",
            facts=["dvc.haugiang H30.99.01-230705-0012"],
            count=3,
        )
    ]
    if dice.random() < 0.5:
        found.append(
            Exclusion(rule="report-three-days-late", month="2023-08", facts=[], count=4)
        )
    return found


def _trend(dice: random.Random, points: int) -> tuple[int, ...]:
    steps = [dice.random() for _ in range(24)]
    total, reached, run = sum(steps), 0.0, []
    for step in steps:
        reached += step
        run.append(int(points * (0.6 + 0.4 * reached / total)))
    return tuple(run)


def _part(part: Part, earned: Fraction, verified: Fraction) -> PartExplanation:
    denominator = {"checklist": 6, "tally": 2, "deduction": 1}.get(part.measure.kind, 1450)
    maximum = Fraction(part.points)
    target = Fraction(getattr(part.score, "target", 1))
    return PartExplanation(
        part=part,
        points=int(maximum * earned * 10_000),
        verified_points=int(maximum * verified * 10_000),
        maximum=f"{float(maximum):.4f}",
        numerator=int(denominator * earned * target),
        denominator=denominator,
        verified_numerator=int(denominator * verified * target),
        verified_denominator=denominator,
    )


def _facts(indicator: str, page: int) -> list[FactLine]:
    return [
        FactLine(
            id=f"dvc.haugiang H30.99.01-2307{n % 28 + 1:02d}-{page * _PAGE + n:04d}",
            type="dossier.recorded",
            state="verified",
            month="2023-07",
            counts={"main": n % 3 > 0},
            fields={
                "channel": "online" if n % 3 else "counter",
                "status": "returned",
                "service_level": "full",
            },
            event=f"{indicator}-{n}",
        )
        for n in range(_PAGE)
    ]


def _history(plan: str, unit: str) -> list[UnitScored]:
    return [
        UnitScored(
            id=f"{unit}-{n}",
            plan=plan,
            plan_version=1,
            bloc="commune",
            unit=unit,
            period="2023",
            at=NOW - timedelta(hours=5 * n),
            before=1_500_000 - 12_500 * n,
            after=1_512_500 - 12_500 * n - (20_000 if n == 2 else 0),
            verified_before=0,
            verified_after=0,
            changes=[
                Change(
                    indicator="X8", before=112_500, after=125_000 - (20_000 if n == 2 else 0)
                )
            ],
            eligible=True,
            facts=["dvc.haugiang H30.99.01-230705-0012"],
            fact_count=n + 1,
            cause="clock" if n == 2 else "event",
        )
        for n in range(6)
    ]


def row_object(row: Row) -> dict[str, Any]:
    """A row as the HTTP interface states it."""
    return {
        "rank": row.rank,
        "unit": row.unit.code,
        "name": row.unit.name.vi,
        "points": _decimal(row.points),
        "verified_points": _decimal(row.verified_points),
        "eligible": row.eligible,
        "exclusions": [e.model_dump() for e in row.exclusions],
        "indicators": {code: _decimal(p) for code, (p, _) in row.indicators.items()},
        "counters": {code: list(pair) for code, pair in row.counters.items()},
        "movement": row.movement,
    }


def board_object(board: Board) -> dict[str, Any]:
    """A board as the HTTP interface states it."""
    return {
        "plan": board.plan.id,
        "bloc": board.bloc.code,
        "period": board.period,
        "version": board.version,
        "as_of": board.as_of.isoformat(),
        "age_seconds": board.age_seconds,
        "trouble": board.trouble,
        "rows": [row_object(row) for row in board.rows],
    }


def _decimal(units: int) -> str:
    return f"{units // 10_000}.{units % 10_000:04d}"


class Stage:
    """The frames that a test sends to whoever listens, and whether the stream beats."""

    def __init__(self, source: SampleBoards) -> None:
        self.source = source
        self.beating = True
        self.guard: Guard | None = None
        self.more: Callable[[FastAPI, Site], None] = lambda _app, _site: None
        """Adds what a test needs beside the pages."""
        self.listeners: list[tuple[asyncio.AbstractEventLoop, asyncio.Queue[str]]] = []
        self.opened = 0

    def send(self, event: str, data: dict[str, Any]) -> None:
        """Give every listener one frame, from any thread."""
        frame = _frame(event, data)
        for loop, queue in list(self.listeners):
            loop.call_soon_threadsafe(queue.put_nowait, frame)

    def boost(self, unit: str, points: int, bloc: str = "commune") -> None:
        """Raise a unit's total (ten-thousandths) and tell everybody what changed."""
        before = self._ranks(bloc)
        self.source.boosts[unit] = self.source.boosts.get(unit, 0) + points
        self.source.position += 1
        board = self.source.board(self.source.plan_now.id, bloc, "2023")
        assert board is not None
        after = {row.unit.code: row.rank for row in board.rows}
        self.send(
            "change",
            {
                "version": board.version,
                "as_of": board.as_of.isoformat(),
                "rows": [row_object(r) for r in board.rows if r.unit.code == unit],
                "ranks": {u: r for u, r in after.items() if before[u] != r},
            },
        )

    def _ranks(self, bloc: str) -> dict[str, int]:
        board = self.source.board(self.source.plan_now.id, bloc, "2023")
        assert board is not None
        return {row.unit.code: row.rank for row in board.rows}

    async def stream(self, request: Request, bloc: str, period: str) -> AsyncIterator[str]:
        """A snapshot, then what the test sends, with a beat about each second."""
        queue: asyncio.Queue[str] = asyncio.Queue()
        entry = (asyncio.get_running_loop(), queue)
        self.listeners.append(entry)
        self.opened += 1
        board = self.source.board(self.source.plan_now.id, bloc, period)
        assert board is not None
        try:
            yield _frame("snapshot", board_object(board))
            while not await request.is_disconnected():
                try:
                    yield await asyncio.wait_for(queue.get(), 0.5)
                except TimeoutError:
                    if self.beating:
                        yield _frame("beat", self._beat())
        finally:
            self.listeners.remove(entry)

    def _beat(self) -> dict[str, Any]:
        return {"as_of": NOW.isoformat(), "age_seconds": 0.4, "trouble": self.source.trouble}


def _frame(event: str, data: dict[str, Any]) -> str:
    identity = f"id: {data['version']}\n" if "version" in data else ""
    return f"event: {event}\n{identity}data: {json.dumps(data)}\n\n"


def sample_app(stage: Stage) -> FastAPI:
    """The pages with the scripted stream behind them."""
    app = FastAPI()
    site = leaderboard_site()
    app.include_router(pages(Audience(stage.source, None, stage.guard), site))
    answer_errors_with_pages(app, site)
    stage.more(app, site)

    @app.get("/api/v1/standings/{plan}/{bloc}/stream")
    async def stream(request: Request, plan: str, bloc: str, period: str) -> StreamingResponse:
        return StreamingResponse(
            stage.stream(request, bloc, period), media_type="text/event-stream"
        )

    return app


@contextmanager
def serving(stage: Stage, port: int = 0) -> Iterator[str]:
    """The address of the running pages."""
    listener = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(
        compressed(sample_app(stage)),
        log_level="error",
        timeout_graceful_shutdown=1,
        lifespan="off",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
