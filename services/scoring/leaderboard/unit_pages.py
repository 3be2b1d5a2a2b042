"""The pages about one unit: what it has and why, what it would have, and what happened between two days."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from contracts.events import UnitScored
from services.runtime.web.site import Site
from services.scoring.leaderboard.advising import advise
from services.scoring.leaderboard.audience import Audience
from services.scoring.leaderboard.comparing import Between, between, day_of, end_of
from services.scoring.leaderboard.failures import no_unit
from services.scoring.leaderboard.imagining import Fault, imagine, movable, read_moves
from services.scoring.leaderboard.links import default_period
from services.scoring.leaderboard.showing import UnitView
from services.scoring.leaderboard.views import Board, BoardSource, Close, Explanation

CHANGES_SHOWN = 30
CHANGES_READ = 200
"""Among so many the last change of each indicator is looked for."""
_NO_FIGURES = ("period", "lang")


def add_unit(router: APIRouter, audience: Audience[Any], site: Site) -> None:
    """`/units/{plan}/{unit}`."""

    @router.get("/units/{plan}/{unit}")
    async def unit_page(
        request: Request,
        plan: str,
        unit: str,
        period: str | None = None,
        indicator: str | None = None,
        page: str | None = None,
    ) -> HTMLResponse:
        """One unit: its total, and what made it."""
        source = await audience.source(request)
        found, board = await _explained(source, plan, unit, period, indicator, page)
        if found is None or board is None:
            return no_unit(site, request)
        changes = await source.changes(plan, unit, CHANGES_READ)
        return site.page(
            request,
            "unit.html",
            view=UnitView(found, board, site.words_for(request), indicator),
            found=found,
            advice=advise(found, board),
            changes=changes[:CHANGES_SHOWN],
            last=last_changes(changes),
        )


def add_what_if(router: APIRouter, audience: Audience[Any], site: Site) -> None:
    """`/units/{plan}/{unit}/what-if`."""

    @router.get("/units/{plan}/{unit}/what-if")
    async def what_if_page(
        request: Request, plan: str, unit: str, period: str | None = None
    ) -> HTMLResponse:
        """A form of all figures: what the total, the rank and the award would be with others."""
        source = await audience.source(request)
        found, board = await _explained(source, plan, unit, period)
        if found is None or board is None:
            return no_unit(site, request)
        wishes = {k: v for k, v in request.query_params.items() if k not in _NO_FIGURES}
        moves, faults = read_moves(found, wishes.items())
        form = WhatIf(found, board, wishes, faults)
        return site.page(
            request,
            "what_if.html",
            status=422 if faults else 200,
            form=form,
            found=found,
            imagined=imagine(found, board, moves),
            names={row.unit.code: row.unit for row in board.rows},
        )


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The form as it was sent."""

    found: Explanation
    board: Board
    wishes: dict[str, str]
    faults: list[Fault]

    @property
    def lines(self) -> list[tuple[str, object, object, str, bool]]:
        """(field, indicator, part, what was typed, whether it is wrong)."""
        wrong = {fault.field for fault in self.faults}
        return [
            (name, line, part, self.wishes.get(name, ""), name in wrong)
            for name, line, part in movable(self.found)
        ]

    @property
    def unknown(self) -> list[str]:
        """Names in the address that are no figure of this unit."""
        return [fault.field for fault in self.faults if fault.reason == "unknown"]


def add_between(router: APIRouter, audience: Audience[Any], site: Site) -> None:
    """`/units/{plan}/{unit}/between`."""

    @router.get("/units/{plan}/{unit}/between")
    async def between_page(
        request: Request, plan: str, unit: str, start: str = "", end: str = ""
    ) -> HTMLResponse:
        """Why a unit rose or fell between the evenings of two days: its own changes and others'."""
        source = await audience.source(request)
        known = source.plan(plan)
        found = None if known is None else known.unit(unit)
        if known is None or found is None:
            return no_unit(site, request)
        board = source.board(plan, found.bloc, default_period(known))
        if board is None:
            return no_unit(site, request)
        closes = await source.closes(plan, found.bloc, default_period(known))
        chosen = chosen_days(start, end, [close.on for close in closes])
        told: Between | None = None
        if chosen is not None:
            units = [row.unit.code for row in board.rows]
            after, until = end_of(chosen[0]), end_of(chosen[1])
            changes = await source.changes_between(plan, units, after, until)
            told = between(unit, closes, changes, *chosen)
        names = {row.unit.code: row.unit for row in board.rows}
        return site.page(
            request,
            "between.html",
            plan=known,
            unit=found,
            board=board,
            told=told,
            names=names,
            days=[close.on for close in closes],
            missing=_without_close((start, end), closes),
            asked=(start, end),
        )


def chosen_days(start: str, end: str, days: list[date]) -> tuple[date, date] | None:
    """Two different days of which there is a close, each the latest up to the day wished for.

    Without a wish the last two.
    """
    last = _latest(days, day_of(end) or date.max)
    if last is None:
        return None
    wished = day_of(start) or last - timedelta(days=1)
    first = _latest(days, wished)
    if first is None or first == last:
        return None
    return min(first, last), max(first, last)


def _without_close(asked: Iterable[str], closes: Iterable[Close]) -> list[date]:
    """Days that were asked for and of which there is no close."""
    wished = {day for text in asked if (day := day_of(text)) is not None}
    return sorted(wished - {close.on for close in closes})


def _latest(days: list[date], until: date) -> date | None:
    return max((day for day in days if day <= until), default=None)


def last_changes(changes: Iterable[UnitScored]) -> dict[str, UnitScored]:
    """Indicator -> the newest change that moved it; `changes` newest first."""
    found: dict[str, UnitScored] = {}
    for change in changes:
        for moved in change.changes:
            found.setdefault(moved.indicator, change)
    return found


async def _explained(
    source: BoardSource,
    plan: str,
    unit: str,
    period: str | None,
    indicator: str | None = None,
    page: str | None = None,
) -> tuple[Explanation | None, Board | None]:
    chosen = source.plan(plan)
    period = period or (default_period(chosen) if chosen else "")
    found = await source.explain(plan, unit, period, indicator or None, page or None)
    return found, None if found is None else source.board(plan, found.bloc.code, period)
