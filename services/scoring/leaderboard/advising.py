"""How far a unit is from what it wants, in the reader's words, with exact arithmetic."""

from dataclasses import dataclass
from fractions import Fraction

from contracts.calendar import local_date, month_of
from contracts.plan import Part
from services.runtime.web.i18n import Words
from services.scoring.domain import distance
from services.scoring.domain.distance import Figures, Neighbour, Step
from services.scoring.domain.rules import full_points
from services.scoring.leaderboard import words as sentences
from services.scoring.leaderboard.views import Board, Explanation, IndicatorExplanation

STEPS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Projection:
    """Where a total ends if things go on as they do."""

    points: int
    passed: Fraction
    """The part of the period that has passed."""


@dataclass(frozen=True, slots=True)
class Advice:
    """Everything about distance, as plain values."""

    thresholds: list[tuple[str, int]]
    """(decimal, what is lacking in ten-thousandths; zero or less: reached)."""
    above: Neighbour | None
    below: Neighbour | None
    room: list[tuple[str, int, int]]
    """(rule, how many, at how many the unit is excluded) this month."""
    month: str
    steps: list[Step]
    projection: Projection
    over: bool
    """Whether the competition has ended, so that nothing can be done any more."""


def advise(found: Explanation, board: Board) -> Advice:
    """How far the unit of an explanation is, on its board."""
    plan, today = found.plan, local_date(board.as_of)
    full = full_points(found.bloc, found.unit)
    lines = [line for line in found.indicators if line.applies and line.parts]
    figures = {line.indicator.code: _figures(line) for line in lines}
    scored = [line.indicator for line in lines if not line.indicator.tracked_only]
    passed = distance.elapsed(plan, found.period, today)
    possible = [
        step for i in scored for step in distance.steps(i, full[i.code], figures[i.code])
    ]
    ahead = [distance.projected(i, full[i.code], figures[i.code], passed) for i in scored]
    above, below = distance.neighbours(
        found.unit.code, [(r.unit.code, r.rank, r.points) for r in board.rows]
    )
    month = month_of(min(max(today, plan.starts_on), plan.ends_on))
    return Advice(
        [
            (f"{at}", lacking)
            for at, lacking in distance.thresholds(found.bloc, found.row.points)
        ],
        above,
        below,
        distance.room(found.bloc, found.row.near + found.row.exclusions, month),
        month,
        distance.cheapest(possible)[:STEPS_SHOWN],
        Projection(sum(ahead), passed),
        today > plan.ends_on,
    )


def _figures(line: IndicatorExplanation) -> list[Figures]:
    return [Figures(p.part, p.numerator, p.denominator, p.exact) for p in line.parts]


def threshold_sentence(lacking: int, words: Words) -> str:
    """How far a threshold is: `còn thiếu 12,34 điểm`."""
    if lacking > 0:
        return words.gettext(
            "còn thiếu %(points)s điểm", points=sentences.shortage(lacking, words)
        )
    return words.gettext("đã đạt, hơn %(points)s điểm", points=words.fixed(-lacking))


def room_sentence(count: int, limit: int, words: Words) -> str:
    """How near an exclusion is this month: `1 trên 2`."""
    if count >= limit:
        return words.gettext(
            "%(n)s trên %(limit)s: đã bị loại",
            n=words.number(count),
            limit=words.number(limit),
        )
    return words.gettext(
        "%(n)s trên %(limit)s, còn %(left)s nữa thì không được xét",
        n=words.number(count),
        limit=words.number(limit),
        left=words.number(limit - count),
    )


def step_sentence(step: Step, words: Words) -> str:
    """What to do, and what it brings: `thêm 12 hồ sơ … → 80/100 = 80,0 %: +0,80 điểm`."""
    label = sentences.in_language(step.part.name, words) + ": " if step.part.name else ""
    return label + words.gettext(
        "%(what)s \N{RIGHTWARDS ARROW} %(figure)s: +%(gain)s điểm",
        what=_what(step, words),
        figure=_figure(step, words),
        gain=words.fixed(step.gain),
    )


def _what(step: Step, words: Words) -> str:
    if step.kind == "list":
        return words.gettext("gửi danh sách")
    if step.kind == "turn":
        return words.plural("thêm %(n)s trong tổng số hiện có đạt yêu cầu", step.count)
    things = _things(step.part, step.count, words)
    return words.gettext("thêm %(n)s %(things)s", n=words.number(step.count), things=things)


def _things(part: Part, count: int, words: Words) -> str:
    measure = part.measure
    if measure.kind == "checklist":
        return words.plural("phần của danh mục", count)
    if measure.kind == "tally":
        return words.plural("sản phẩm hoặc mô hình được báo cáo", count)
    if measure.kind == "reports":
        return words.plural("báo cáo đúng hạn", count)
    kind = "distinct" if measure.kind == "distinct" else getattr(measure, "of", "")
    return {
        "distinct": words.plural("thủ tục có hồ sơ trực tuyến", count),
        "dossier.recorded": words.plural("hồ sơ đạt yêu cầu", count),
        "article.recorded": words.plural("tin bài được duyệt đã đăng", count),
        "bulletin.broadcast": words.plural("bản tin truyền thanh", count),
        "feedback.recorded": words.plural("phản ánh được trả lời đúng hạn", count),
    }.get(kind, words.plural("trường hợp được tính", count))


def _figure(step: Step, words: Words) -> str:
    if step.part.measure.kind == "deduction":
        return words.plural("%(n)s vụ việc", step.numerator)
    counters = f"{words.number(step.numerator)}/{words.number(step.denominator)}"
    return f"{counters} = {words.percent(step.numerator, step.denominator)}"
