"""Boards, rows and explanations as the HTTP interface states them: points are decimal strings, nothing is rounded."""

from typing import Any

from services.scoring.domain.rules import UNIT_OF_POINTS
from services.scoring.leaderboard.views import Board, Explanation, FactLine, Row


def decimal(points: int) -> str:
    """Ten-thousandths as a decimal string with four decimals: `179.9960`."""
    whole, rest = divmod(abs(points), UNIT_OF_POINTS)
    return f"{'-' if points < 0 else ''}{whole}.{rest:04d}"


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
        "lifted": [
            {"rule": e.rule, "month": e.month, "count": e.count, "reason": e.reason}
            for e in row.lifted
        ],
        "indicators": {code: decimal(pair[0]) for code, pair in row.indicators.items()},
        "counters": row.counters,
        "near": [{"rule": e.rule, "month": e.month, "count": e.count} for e in row.near],
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
        **({} if board.frozen_at is None else {"frozen_at": board.frozen_at}),
        **({} if board.frozen_position is None else {"frozen_position": board.frozen_position}),
        **({} if board.official_at is None else {"official_at": board.official_at}),
        **({} if board.closed_at is None else {"closed_at": board.closed_at}),
        "rows": [row_json(row) for row in board.rows],
    }


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
