"""The rule of a part in one or two sentences, for people."""

from contracts.plan import Part, Score, Where
from services.runtime.web.i18n import Words
from services.scoring.leaderboard.vocabulary import plain, reworded, things
from services.scoring.leaderboard.words import capital


def rule_of(part: Part, words: Words) -> str:
    """How a part is counted and scored, in one or two sentences."""
    sentences = [_counted(part, words), _scored(part, words), _added_up(part, words)]
    if part.empty == "full":
        sentences.append(words.gettext("Không phát sinh thì tính đủ điểm."))
    return " ".join(sentence for sentence in sentences if sentence)


def _counted(part: Part, words: Words) -> str:  # noqa: C901, PLR0911, PLR0912 - one line for each kind of measure
    measure, _ = part.measure, words.gettext
    match measure.kind:
        case "ratio":
            return _(
                "%(counted)s, chia cho %(all)s.",
                counted=capital(_which(measure.of, measure.where | measure.numerator, words)),
                all=_which(measure.of, measure.where, words),
            )
        case "count":
            return _(
                "%(counted)s, so với mức %(quota)s mỗi tháng.",
                counted=capital(_which(measure.of, measure.where, words)),
                quota=words.number(measure.quota_per_month),
            )
        case "distinct":
            return _(
                "Số thủ tục có ít nhất một hồ sơ được tính (%(which)s), "
                "chia cho số thủ tục cung cấp ở mức %(levels)s.",
                which=_which(measure.of, measure.where, words),
                levels=_listed(
                    [plain(level, words) for level in measure.offered_levels], words
                ),
            )
        case "figure":
            return _("Số liệu báo cáo: phần đạt chia cho tổng số.")
        case "tally":
            return words.plural("Số lượng báo cáo, so với mức %(n)s.", measure.wanted)
        case "capped":
            return _(
                "%(counted)s, mỗi %(span)s tính tối đa %(cap)s.",
                counted=capital(_which(measure.of, measure.where, words)),
                span=plain(measure.per, words),
                cap=words.number(measure.cap),
            )
        case "activity":
            return words.plural(
                "Hồ sơ trực tuyến mỗi người nộp trong tháng, mỗi người tính tối đa %(n)s.",
                measure.cap,
            )
        case "accounts":
            return _("Số người có tài khoản, chia cho số người trong danh sách.")
        case "checklist":
            return words.plural("Đủ %(n)s mục của danh mục.", len(measure.items))
        case "deduction":
            return _(
                "Bắt đầu với đủ điểm; mỗi vụ việc trừ %(points)s điểm, không xuống dưới 0. "
                "Chưa gửi danh sách thì 0 điểm.",
                points=words.number(measure.per_incident),
            )
        case "reports":
            return _(
                "Báo cáo tháng đúng hạn tính đủ, trễ tính %(share)s, thiếu không tính.",
                share=words.share(measure.late_share),
            )


def _scored(part: Part, words: Words) -> str:
    if part.measure.kind == "deduction":
        return ""
    return score_of(part.score, words)


def score_of(score: Score, words: Words) -> str:
    """How points follow from the figure."""
    _ = words.gettext
    match score.kind:
        case "proportional":
            return _(
                "Đạt %(target)s được trọn điểm, thấp hơn tính theo tỷ lệ.",
                target=words.share(score.target),
            )
        case "all_or_nothing":
            return _(
                "Đạt %(target)s được trọn điểm, không đạt thì 0 điểm.",
                target=words.share(score.target),
            )
        case "bands":
            bands = [
                _(
                    "từ %(at_least)s được %(share)s số điểm",
                    at_least=words.share(band.at_least),
                    share=words.share(band.share),
                )
                for band in score.bands
            ]
            return capital("; ".join(bands)) + "."


def _added_up(part: Part, words: Words) -> str:
    """How months add up; the commonest way needs no words."""
    if part.over == "mean":
        return words.gettext("Lấy bình quân các tháng trong kỳ.")
    if part.over == "to_date":
        return words.gettext("Tính từ đầu đợt thi đua đến hết kỳ.")
    if part.over == "latest":
        return words.gettext("Lấy số liệu của tháng gần nhất có báo cáo.")
    return ""


def _which(kind: str, where: Where, words: Words) -> str:
    """`số hồ sơ nộp trực tuyến thuộc dịch vụ công toàn trình hoặc một phần`."""
    conditions = [reworded(name, values, words) for name, values in where.items()]
    return " ".join([things(kind, words), *(c for c in conditions if c)])


def _listed(names: list[str], words: Words) -> str:
    joiner = words.gettext(" hoặc ")
    return joiner.join(names)
