"""Time as a cause: dossiers fall overdue, days close, without any event."""

import asyncio
from datetime import date, timedelta

from pymongo.errors import PyMongoError

from contracts.calendar import month_of, periods_of
from services.runtime.logging import get_logger
from services.runtime.mongo import Document
from services.scoring.application import Scoring
from services.scoring.domain.standings import Standings, ranked
from services.scoring.store import ScoringStore

log = get_logger(__name__)
TICK_SECONDS = 0.2


async def tick(scoring: Scoring, store: ScoringStore) -> None:
    """Move the local date on when it changes; write down the day that ended first."""
    while True:
        await asyncio.sleep(TICK_SECONDS)
        if scoring.due:
            day = scoring.boards.today
            closing = [c for s in scoring.boards.standings.values() for c in closes_of(s, day)]
            scoring.advance()
            await _write(store, closing)


async def _write(store: ScoringStore, closing: list[Document]) -> None:
    try:
        for close in closing:
            await store.closes.replace_one({"_id": close["_id"]}, close, upsert=True)
    except PyMongoError as failure:
        log.warning("daily close not stored", error=str(failure)[:120])


def closes_of(standings: Standings, day: date) -> list[Document]:
    """Ranks and points of every unit at the end of a day, for the periods that the day belongs to."""
    plan = standings.tally.plan
    if not plan.starts_on <= day <= plan.ends_on + timedelta(days=1):
        return []
    periods = periods_of(month_of(min(day, plan.ends_on)))
    return [
        _close(standings, bloc.code, period, day) for bloc in plan.blocs for period in periods
    ]


def _close(standings: Standings, bloc: str, period: str, day: date) -> Document:
    plan = standings.tally.plan
    units = [unit.code for unit in plan.units_of(bloc)]
    rows = {unit: standings.rows.get((unit, period)) for unit in units}
    points = {unit: 0 if row is None else row.points for unit, row in rows.items()}
    ranks = ranked(points.items())
    board = f"{plan.id}|{bloc}|{period}"
    return {
        "_id": f"{board}|{day.isoformat()}",
        "board": board,
        "on": day.isoformat(),
        "units": {unit: [ranks[unit], points[unit]] for unit in units},
    }
