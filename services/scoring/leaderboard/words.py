"""What the board says in sentences: rules, exclusions, what is missing, distances. Vietnamese first, English too."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from math import ceil

from contracts.events import Exclusion, UnitScored
from contracts.plan import Award, Bloc, Score
from services.runtime.web.i18n import Words
from services.scoring.leaderboard.views import FactLine, IndicatorExplanation, PartExplanation
from services.scoring.leaderboard.vocabulary import (
    field_in_words,
    thing,
)

UNIT_OF_POINTS = 10_000
_CENT = 100
"""Ten-thousandths in the last decimal that people see."""


def shortage(units: int, words: Words) -> str:
    """Points that are still missing, never understated: 40 ten-thousandths are `0,01`."""
    return words.fixed(-(-units // _CENT) * _CENT)


def exclusion_reason(exclusion: Exclusion, bloc: Bloc, words: Words) -> str:
    """Why a unit is not considered, in a few words: `3 hồ sơ trễ hẹn, tháng 7/2023`."""
    month = words.month(exclusion.month)
    return exclusion_form(exclusion.rule, exclusion.count, bloc, words) % {
        "n": words.number(exclusion.count),
        "month": month,
    }


def exclusion_form(rule: str, count: int, bloc: Bloc, words: Words) -> str:
    """The same for any month and number: `%(n)s` and `%(month)s` are left open."""
    kinds = {entry.code: entry.kind for entry in bloc.exclusions}
    blanks = {"n": "%(n)s", "month": "%(month)s"}
    match kinds.get(rule):
        case "overdue_dossiers":
            return words.plural("%(n)s hồ sơ trễ hẹn, tháng %(month)s", count, **blanks)
        case "late_report":
            return words.plural("báo cáo tháng %(month)s trễ %(n)s ngày", count, **blanks)
        case _:
            return f"{rule.replace('%', '%%')} (%(n)s), %(month)s"


def rule_name(exclusion: Exclusion, bloc: Bloc, words: Words) -> tuple[str, str]:
    """The exclusion rule's own name, and its clause."""
    for rule in bloc.exclusions:
        if rule.code == exclusion.rule:
            return in_language(rule.name, words), rule.clause
    return exclusion.rule, ""


def rule_title(rule: str, bloc: Bloc, words: Words) -> str:
    """An exclusion rule's own name."""
    names = {entry.code: in_language(entry.name, words) for entry in bloc.exclusions}
    return names.get(rule, rule)


def award_names(codes: Iterable[str], bloc: Bloc, words: Words) -> str:
    """The awards that a place brings: one, or those among which people decide; a dash for none."""
    names = {award.code: in_language(award.name, words) for award in bloc.awards}
    said = words.gettext(" hoặc ").join(names.get(code, code) for code in codes)
    return said or words.gettext("chưa có giải")


def in_language(text: object, words: Words) -> str:
    """The plan's own words in the reader's language."""
    return str(getattr(text, words.lang))


class Zone:
    """Awards that begin at the same total: where a line crosses the board."""

    def __init__(self, awards: list[Award]) -> None:
        self.awards = awards
        self.at_least = int(Fraction(awards[0].at_least) * UNIT_OF_POINTS)
        self.prized = any(award.places for award in awards)

    def threshold(self, words: Words) -> str:
        """`180`."""
        return words.decimal(self.awards[0].at_least)

    def names(self, words: Words) -> str:
        """`Giải Nhất, Giải Nhì, Giải Ba`."""
        return ", ".join(in_language(award.name, words) for award in self.awards)


def zones(bloc: Bloc) -> list[Zone]:
    """The award zones of a bloc, the highest first."""
    levels = sorted({award.at_least for award in bloc.awards}, reverse=True)
    return [Zone([a for a in bloc.awards if a.at_least == level]) for level in levels]


def distance(points: int, bloc: Bloc, words: Words) -> str:
    """How far the next threshold is, in one sentence; empty when the bloc has none."""
    found = zones(bloc)
    ahead = [zone for zone in found if zone.at_least > points]
    if ahead:
        nearest = ahead[-1]
        return words.gettext(
            "Còn thiếu %(points)s điểm để đạt mức %(threshold)s (%(awards)s).",
            points=shortage(nearest.at_least - points, words),
            threshold=nearest.threshold(words),
            awards=nearest.names(words),
        )
    if not found:
        return ""
    return words.gettext(
        "Đã vượt mức cao nhất, %(threshold)s điểm (%(awards)s): hơn %(points)s điểm.",
        points=words.fixed(points - found[0].at_least),
        threshold=found[0].threshold(words),
        awards=found[0].names(words),
    )


def prize_of(award: Award, words: Words) -> str:
    """What an award brings: `10.000.000 đ, +10 điểm …`."""
    prize, said = award.prize, []
    if prize.money:
        said.append(f"{words.number(prize.money)} đ")
    if prize.bonus_points:
        said.append(
            words.gettext("+%(n)s điểm kinh tế \N{EN DASH} xã hội", n=prize.bonus_points)
        )
    if prize.individuals:
        said.append(words.plural("giấy khen cho %(n)s cá nhân", prize.individuals))
    return ", ".join(said) or words.gettext("kế hoạch không quy định giải")


def traits_of(traits: list[str], words: Words) -> str:
    """Kinds of units in words: `không giải quyết thủ tục hành chính`."""
    known = {"no_procedures": words.gettext("không giải quyết thủ tục hành chính")}
    return ", ".join(known.get(trait, trait) for trait in traits)


def state_of(state: str, words: Words) -> tuple[str, str]:
    """(sign, word) of an indicator's or a fact's state."""
    _ = words.gettext
    return {
        "not_applicable": ("\N{EN DASH}", _("Không áp dụng")),
        "missing": ("○", _("Chưa có số liệu")),
        "declared": ("◐", _("Tự chấm, chờ thẩm định")),
        "verified": ("●", _("Đã thẩm định")),
        "rejected": ("✕", _("Không được chấp nhận")),
    }.get(state, ("·", state))


def missing(line: IndicatorExplanation, words: Words) -> list[str]:
    """What a unit still has to do for full points, one sentence each; empty when nothing."""
    if not line.applies:
        return []
    if line.state == "missing":
        return list(_no_figures(line, words))
    found = [sentence for part in line.parts for sentence in _part_missing(part, words)]
    waiting = line.points - line.verified_points
    if waiting > 0:
        found.append(
            words.gettext("%(points)s điểm còn chờ thẩm định.", points=words.fixed(waiting))
        )
    return found


def _no_figures(line: IndicatorExplanation, words: Words) -> Iterator[str]:
    yield words.gettext("Chưa có số liệu nào trong kỳ này.")
    if line.indicator.evidence:
        yield words.gettext(
            "Cần gửi: %(evidence)s.",
            evidence="; ".join(in_language(e.name, words) for e in line.indicator.evidence),
        )


def _part_missing(part: PartExplanation, words: Words) -> Iterator[str]:
    label = f"{in_language(part.part.name, words)}: " if part.part.name else ""
    sentence = _shortfall(part, words)
    if sentence:
        yield label + sentence if not label else label + sentence[0].lower() + sentence[1:]


def _shortfall(part: PartExplanation, words: Words) -> str:  # noqa: PLR0911 - one line for each case
    measure = part.part.measure
    if measure.kind == "deduction":
        return _deducted(part, words)
    if part.denominator == 0:
        full = part.part.empty == "full"
        return "" if full else words.gettext("Chưa phát sinh trong kỳ, nên chưa có điểm.")
    short = _wanted(part) - part.numerator
    if short <= 0:
        return ""
    if measure.kind == "ratio":
        return _of_ratio(part, words)
    if measure.kind == "checklist":
        return words.plural("Còn thiếu %(n)s phần của danh mục.", short)
    if measure.kind in ("distinct", "count"):
        return words.plural(
            "Cần thêm %(n)s %(things)s để đủ điểm.",
            short,
            things=thing(measure.kind, short, words),
        )
    return words.gettext(
        "Đạt %(reached)s, cần %(target)s để đủ điểm.",
        reached=words.percent(part.numerator, part.denominator),
        target=words.share(_target(part.part.score)),
    )


def _of_ratio(part: PartExplanation, words: Words) -> str:
    """Each new one counts above and below the line, so a ratio of 100 % cannot be mended by adding."""
    target = Fraction(_target(part.part.score))
    if target >= 1:
        return words.plural("%(n)s trường hợp chưa đạt.", part.denominator - part.numerator)
    more = ceil((target * part.denominator - part.numerator) / (1 - target))
    return words.plural(
        "Cần thêm %(n)s %(things)s để đủ điểm.", more, things=thing("ratio", more, words)
    )


def _deducted(part: PartExplanation, words: Words) -> str:
    if part.denominator == 0:
        return words.gettext("Chưa gửi danh sách, nên tính 0 điểm.")
    if part.numerator:
        return words.plural("Bị trừ điểm vì %(n)s vụ việc.", part.numerator)
    return ""


def _target(score: Score) -> Decimal:
    return score.bands[-1].at_least if score.kind == "bands" else score.target


def _wanted(part: PartExplanation) -> int:
    """The least numerator that earns full points with today's denominator."""
    return ceil(Fraction(_target(part.part.score)) * part.denominator)


def figure(part: PartExplanation, words: Words) -> str:
    """The figure as counters: `812/1.450 = 56,0 %`."""
    if part.part.measure.kind == "deduction":
        return words.plural("%(n)s vụ việc", part.numerator)
    counters = f"{words.number(part.numerator)}/{words.number(part.denominator)}"
    if part.denominator == 0:
        return words.gettext("%(counters)s, chưa có gì để chia", counters=counters)
    return f"{counters} = {words.percent(part.numerator, part.denominator)}"


def odd_figure(part: PartExplanation, words: Words) -> str:
    """What is unusual about the counters, and therefore said aloud; mostly empty."""
    if (
        part.part.measure.kind in ("deduction", "capped", "tally", "count")
        or not part.denominator
    ):
        return ""
    if part.numerator > part.denominator:
        return words.gettext("Số đạt lớn hơn tổng số: không được thêm điểm, cần kiểm tra.")
    if part.part.measure.kind in ("ratio", "figure") and part.denominator < _SMALL:
        return words.gettext("Tổng số rất nhỏ: một trường hợp làm tỷ lệ đổi nhiều.")
    return ""


_SMALL = 5


def fact_fields(fact: FactLine, words: Words) -> str:
    """What the sender said, as words: `Kênh: trực tuyến · Trạng thái: đã trả kết quả`."""
    said = [(name, value) for name, value in fact.fields.items() if name not in _SAID_ELSEWHERE]
    return " · ".join(field_in_words(name, value, words) for name, value in said)


_SAID_ELSEWHERE = frozenset({"dossier", "indicator", "part"})


def cause_of(change: UnitScored, words: Words) -> str:
    """Why a total changed: facts, time, or a new version of the plan."""
    if change.cause == "clock" and not change.fact_count:
        return words.gettext("đến hạn theo thời gian")
    if change.cause == "plan":
        return words.gettext("phiên bản %(version)s của kế hoạch", version=change.plan_version)
    return words.plural("%(n)s dữ kiện mới", change.fact_count)


def trouble_in_words(trouble: str, words: Words) -> str:
    """What stopped, what that means for the reader, what happens next."""
    _ = words.gettext
    return {
        "scoring": _(
            "Bộ tính điểm đang ngừng. Bảng giữ số liệu cuối cùng và sẽ tự cập nhật khi hoạt động lại."
        ),
        "bus": _("Đường truyền nội bộ đang gián đoạn. Bảng vẫn cập nhật nhưng chậm vài giây."),
        "network": _(
            "Mất kết nối với máy chủ. Bảng đang giữ số liệu cuối cùng và tự kết nối lại."
        ),
    }.get(trouble, trouble)


def capital(text: str) -> str:
    """The text with its first letter in upper case; the rest as it is."""
    return text[:1].upper() + text[1:]
