"""What the templates show: a board or a unit as the pages need it, in the reader's words."""

from collections.abc import Iterable, Iterator
from typing import Literal
from urllib.parse import quote

from contracts.calendar import all_periods, local_date
from contracts.plan import Bloc, Plan
from services.runtime.web.collation import vietnamese_key
from services.runtime.web.i18n import Words
from services.scoring.leaderboard import words as sentences
from services.scoring.leaderboard.links import of_board, of_explanation, query
from services.scoring.leaderboard.views import (
    AS_OF,
    Board,
    Explanation,
    IndicatorExplanation,
    Row,
)
from services.scoring.leaderboard.words import Zone, zones

WALL_ROWS = 16
"""So many rows can be read from the back of a hall."""
_ADVICE_SHOWN = 3


def in_order(rows: Iterable[Row]) -> list[Row]:
    """By rank; equal ranks by name, as in a dictionary."""
    return sorted(rows, key=lambda row: (row.rank, vietnamese_key(row.unit.name.vi)))


class BoardView:
    """What the board's template shows, in the reader's words."""

    def __init__(
        self,
        board: Board,
        plans: list[Plan],
        words: Words,
        part: int = 1,
        *,
        public: bool = False,
    ) -> None:
        self.board, self.plans, self.words = board, plans, words
        self.zones = zones(board.bloc)
        self.scale = board.bloc.scale * sentences.UNIT_OF_POINTS
        self.annual = "-" not in board.period
        by_name = sorted(board.rows, key=lambda row: vietnamese_key(row.unit.name.vi))
        self.order = {row.unit.code: position for position, row in enumerate(by_name)}
        self.rows = in_order(board.rows)
        self.past = board.version == AS_OF
        self.public = public or board.frozen_at is not None
        """Whether the script must listen to what everybody sees, whoever looks on."""
        self.day = local_date(board.as_of)
        self.parts = max(1, -(-len(board.rows) // WALL_ROWS))
        self.part = min(max(1, part), self.parts)

    @property
    def lines(self) -> Iterator[Row | Zone]:
        """Rows by rank, and the line of each award zone beneath the last row that reaches it."""
        waiting = list(self.zones)
        for row in self.rows:
            while waiting and row.points < waiting[0].at_least:
                yield waiting.pop(0)
            yield row
        yield from waiting

    @property
    def wall_rows(self) -> list[Row]:
        """The rows of the part that a hall display shows now."""
        size = -(-len(self.rows) // self.parts)
        return self.rows[(self.part - 1) * size : self.part * size]

    @property
    def untouched(self) -> bool:
        """Whether no unit has a single point yet."""
        return bool(self.rows) and not any(row.points for row in self.rows)

    @property
    def eligible(self) -> int:
        """How many units are considered for an award."""
        return sum(row.eligible for row in self.rows)

    def zone_of(self, row: Row) -> int:
        """1 for the highest award zone, 2 for the next; 0: none, excluded, or not the year's board."""
        if not (row.eligible and self.annual):
            return 0
        reached = [
            n for n, z in enumerate(self.zones, 1) if z.prized and row.points >= z.at_least
        ]
        return reached[0] if reached else 0

    def zone_words(self, zone: Zone) -> str:
        """What the line of a zone says."""
        if not self.annual:
            return self.words.gettext("mức %(awards)s cuối năm", awards=zone.names(self.words))
        if not zone.prized:
            return self.words.gettext(
                "trở lên: %(awards)s (kế hoạch không quy định giải)",
                awards=zone.names(self.words),
            )
        return self.words.gettext("trở lên: xét %(awards)s", awards=zone.names(self.words))

    def address(self, path: str = "/", **more: str | None) -> str:
        """Another page about this board, or this one with something changed; the past stays the past."""
        if self.past:
            more.setdefault("as_of", self.day.isoformat())
        return of_board(self.board, path, **more)

    @property
    def stream(self) -> str:
        """Where the script follows the board; a past one stands still."""
        if self.past:
            return ""
        address = stream_address(self.board.plan, self.board.bloc, self.board.period)
        return f"{address}&public=true" if self.public else address

    @property
    def embed(self) -> str:
        """The board for a frame in another site."""
        plan, bloc = self.board.plan.id, self.board.bloc.code
        return query(f"/embed/{quote(plan)}/{quote(bloc)}", period=self.board.period)

    @property
    def next_wall(self) -> str:
        """What a hall display shows next: the next part, else the next bloc that has units."""
        if self.part < self.parts:
            return self.address(display="wall", part=str(self.part + 1))
        blocs = [b.code for b in self.board.plan.blocs if self.board.plan.units_of(b.code)]
        place = blocs.index(self.board.bloc.code) if self.board.bloc.code in blocs else -1
        return self.address(display="wall", bloc=blocs[(place + 1) % len(blocs)])

    @property
    def periods(self) -> list[tuple[str, list[str]]]:
        """(heading, periods) for the picker: years, quarters, months."""
        codes = all_periods(self.board.plan.months)
        _ = self.words.gettext
        return [
            (_("Cả năm"), [c for c in codes if "-" not in c]),
            (_("Quý"), [c for c in codes if "Q" in c]),
            (_("Tháng"), [c for c in codes if "-" in c and "Q" not in c]),
        ]

    @property
    def script(self) -> dict[str, object]:
        """What the script needs to know: where to listen, how to say what changes."""
        return {
            "stream": self.stream,
            "version": self.board.version,
            "scale": self.scale,
            "annual": self.annual,
            "zones": [{"at": z.at_least, "prized": z.prized} for z in self.zones],
            "next": self.next_wall,
            "rules": {
                rule.code: [
                    sentences.exclusion_form(rule.code, n, self.board.bloc, self.words)
                    for n in (1, 2)
                ]
                for rule in self.board.bloc.exclusions
            },
            **script_words(self.words),
        }


class UnitView:
    """What the unit's template shows, in the reader's words."""

    def __init__(
        self, found: Explanation, board: Board, words: Words, opened: str | None
    ) -> None:
        self.found, self.board, self.words, self.opened = found, board, words, opened
        self.scale = found.bloc.scale * sentences.UNIT_OF_POINTS
        self.names = {row.unit.code: row.unit.name for row in board.rows}

    def of_kind(
        self, kind: Literal["scored", "tracked", "not_applicable"]
    ) -> list[IndicatorExplanation]:
        """The indicators that carry points here, those only tracked, and those that do not apply."""
        return [line for line in self.found.indicators if _kind(line) == kind]

    @property
    def first_things(self) -> list[IndicatorExplanation]:
        """Where the most points are still to be won."""
        lines = [line for line in self.of_kind("scored") if self.lost(line) > 0]
        return sorted(lines, key=self.lost, reverse=True)[:_ADVICE_SHOWN]

    def lost(self, line: IndicatorExplanation) -> int:
        """Points of the indicator that the unit does not have yet."""
        return self.maximum(line) - line.points

    def maximum(self, line: IndicatorExplanation) -> int:
        """The most that the indicator can earn here."""
        return as_units(line.maximum)

    def address(self, beside: str = "", **more: str | None) -> str:
        """This page with another indicator or page of facts, or one beside it."""
        return of_explanation(self.found, beside, **more)

    @property
    def script(self) -> dict[str, object]:
        """What the script needs to know."""
        return {
            "stream": stream_address(self.found.plan, self.found.bloc, self.found.period),
            "unit": self.found.unit.code,
            "version": self.board.version,
            **script_words(self.words),
        }


def as_units(points: str) -> int:
    """A decimal string as ten-thousandths, cut."""
    whole, _, rest = points.partition(".")
    return int(whole) * sentences.UNIT_OF_POINTS + int(f"{rest:0<4}"[:4])


def stream_address(plan: Plan, bloc: Bloc, period: str) -> str:
    """Where the live rows of a board come from."""
    return (
        f"/api/v1/standings/{quote(plan.id)}/{quote(bloc.code)}/stream?period={quote(period)}"
    )


def script_words(words: Words) -> dict[str, object]:
    """The words of the scripts; `{…}` is filled in there."""
    _ = words.gettext
    return {
        "lang": words.lang,
        "troubles": {
            kind: sentences.trouble_in_words(kind, words)
            for kind in ("scoring", "bus", "network")
        },
        "words": {
            "connecting": _("Đang kết nối"),
            "now": _("Cập nhật vừa xong"),
            "seconds": _("Cập nhật {n} giây trước"),
            "minutes": _("Cập nhật {n} phút trước"),
            "hours": _("Cập nhật {n} giờ trước"),
            "back": _("Số liệu lại được cập nhật."),
            "up": _("tăng {n} bậc so với hôm qua"),
            "down": _("giảm {n} bậc so với hôm qua"),
            "level": _("giữ hạng so với hôm qua"),
            "eligible": _("Đủ điều kiện"),
            "excluded": _("Không xét thi đua"),
            "verified": _("đã thẩm định {n}"),
            "more": _("và {n} lý do khác"),
            "month": "{m}/{y}" if words.lang == "vi" else "{M} {y}",
            "announce_rank": _("{name} lên hạng {rank}."),
            "announce_points": _("{n} đơn vị có điểm mới."),
            "all_eligible": _("{n}/{all} đơn vị đủ điều kiện"),
        },
    }


def _kind(line: IndicatorExplanation) -> str:
    if not line.applies:
        return "not_applicable"
    return "tracked" if line.indicator.tracked_only else "scored"
