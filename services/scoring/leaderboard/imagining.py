"""What-if: figures from an address or a form, put through the rules in place of a unit's own."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from services.scoring.domain.awarding import Candidate, awards_of
from services.scoring.domain.rules import share
from services.scoring.domain.whatif import MOST, Move, Outcome, moved_points, outcome
from services.scoring.leaderboard.views import (
    Board,
    Explanation,
    IndicatorExplanation,
    PartExplanation,
)

_FIGURE = re.compile(r"\s*(\d{1,9})\s*(?:/\s*(\d{1,9})\s*)?")
MOST_MOVES = 60


@dataclass(frozen=True, slots=True)
class Fault:
    """A figure that cannot be taken: where, and why (`form`, `unknown`, `many`)."""

    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Imagined:
    """A unit as it stands and as it would stand."""

    before: Outcome
    after: Outcome
    moves: dict[tuple[str, str], Move]


def field_of(line: IndicatorExplanation, part: PartExplanation) -> str:
    """The name of a part in addresses and forms: `X8`, `X12.activity`."""
    alone = len(line.parts) == 1
    return line.indicator.code if alone else f"{line.indicator.code}.{part.part.code}"


def movable(
    found: Explanation,
) -> Iterable[tuple[str, IndicatorExplanation, PartExplanation]]:
    """(field, indicator, part) of everything that may be moved."""
    for line in found.indicators:
        if line.applies and not line.indicator.tracked_only:
            for part in line.parts:
                yield field_of(line, part), line, part


def read_moves(
    found: Explanation, wishes: Iterable[tuple[str, str]]
) -> tuple[dict[tuple[str, str], Move], list[Fault]]:
    """The wished figures, `800/1000` or only `800`, and what is wrong with the others.

    What stands today already is no move.
    """
    known = {name: (line, part) for name, line, part in movable(found)}
    moves: dict[tuple[str, str], Move] = {}
    faults = []
    for name, text in wishes:
        if not text.strip():
            continue
        matched = _FIGURE.fullmatch(text)
        if name not in known:
            faults.append(Fault(name, "unknown"))
        elif matched is None or len(moves) >= MOST_MOVES:
            faults.append(Fault(name, "form"))
        else:
            line, part = known[name]
            numerator = int(matched[1])
            denominator = part.denominator if matched[2] is None else int(matched[2])
            if (numerator, denominator) != (part.numerator, part.denominator):
                moves[line.indicator.code, part.part.code] = numerator, denominator
    return moves, faults


def imagine(
    found: Explanation, board: Board, moves: Mapping[tuple[str, str], Move]
) -> Imagined:
    """Points, rank and award as they are, and as they would be."""
    shares = {line.indicator.code: [p.exact for p in line.parts] for line in found.indicators}
    stands = {code: points for code, (points, _) in found.row.indicators.items()}
    candidates = candidates_of(board)
    unit = found.unit.code
    moved = moved_points(found.bloc, found.unit, shares, moves)
    return Imagined(
        outcome(found.bloc, candidates, unit, stands, {}),
        outcome(found.bloc, candidates, unit, stands, moved),
        dict(moves),
    )


def candidates_of(board: Board) -> list[Candidate]:
    """The units of a board as the awards see them."""
    return [Candidate(r.unit.code, r.points, r.eligible) for r in board.rows]


def awards_on(board: Board) -> dict[str, tuple[str, ...]]:
    """Unit -> awards that its place would bring."""
    return awards_of(board.bloc, candidates_of(board))


def share_then(part: PartExplanation, move: Move) -> Fraction:
    """The part of its points that a moved figure earns."""
    return share(part.part, *move)


__all__ = [
    "MOST",
    "Fault",
    "Imagined",
    "awards_on",
    "candidates_of",
    "field_of",
    "imagine",
    "movable",
    "read_moves",
    "share_then",
]
