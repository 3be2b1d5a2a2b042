"""What the board says in sentences, in both languages."""

from decimal import Decimal

import pytest

from contracts.events import Exclusion
from contracts.plan import AllOrNothing, Band, Bands, Bloc, Figure, Part, Proportional, Ratio
from services.scoring.leaderboard import drawing, rule_words, words as sentences
from services.scoring.leaderboard.forms import decimal
from services.scoring.leaderboard.pages import leaderboard_site
from services.scoring.leaderboard.showing import as_units
from services.scoring.leaderboard.views import FactLine, IndicatorExplanation, PartExplanation
from tests.support.facts import reference_plan

PLAN = reference_plan()
SITE = leaderboard_site()
VI, EN = SITE.words["vi"], SITE.words["en"]


def _bloc(code: str = "commune") -> Bloc:
    found = PLAN.bloc(code)
    assert found is not None
    return found


def _part(code: str, number: int = 0) -> Part:
    indicator = _bloc("commune" if code.startswith("X") else "department").indicator(code)
    assert indicator is not None
    return indicator.parts[number]


def _earned(part: Part, numerator: int, denominator: int) -> PartExplanation:
    return PartExplanation(part, 0, 0, f"{part.points}", numerator, denominator, 0, denominator)


def _line(
    code: str, numerator: int, denominator: int, state: str = "verified"
) -> IndicatorExplanation:
    indicator = _bloc().indicator(code)
    assert indicator is not None
    parts = [_earned(part, numerator, denominator) for part in indicator.parts]
    return IndicatorExplanation(
        indicator, state != "not_applicable", 0, 0, "15.0000", state, parts
    )


def test_the_rule_of_a_ratio_names_what_counts_what_it_is_divided_by_and_the_target() -> None:
    assert rule_words.rule_of(_part("X8"), VI) == (
        "Số hồ sơ của dịch vụ công toàn trình hoặc một phần nộp trực tuyến, "
        "chia cho số hồ sơ của dịch vụ công toàn trình hoặc một phần. "
        "Đạt 80\N{NO-BREAK SPACE}% được trọn điểm, thấp hơn tính theo tỷ lệ."
    )
    assert rule_words.rule_of(_part("X8"), EN).startswith(
        "Dossiers of full or partial online services filed online, divided by dossiers of"
    )


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("X1", "Đủ 6 mục của danh mục."),
        ("X2", "trễ tính 50\N{NO-BREAK SPACE}%"),
        ("X7", "chia cho số thủ tục cung cấp ở mức toàn trình hoặc một phần"),
        ("X10", "mỗi vụ việc trừ 1 điểm"),
        ("X13", "so với mức 60 mỗi tháng"),
        ("X18", "không đạt thì 0 điểm"),
        ("X20", "được đánh giá hài lòng hoặc rất hài lòng, chia cho số hồ sơ có đánh giá"),
        ("X21", "mỗi tuần tính tối đa 1"),
        ("X22", "Số tin bài được duyệt đã đăng, mỗi tháng tính tối đa 3"),
        ("X23", "Không phát sinh thì tính đủ điểm"),
    ],
)
def test_each_kind_of_rule_is_said_in_words(code: str, said: str) -> None:
    assert said in rule_words.rule_of(_part(code), VI)


def test_every_rule_of_the_plan_can_be_said_in_both_languages_without_a_raw_code() -> None:
    for bloc in PLAN.blocs:
        for indicator in bloc.indicators:
            for part in indicator.parts:
                for words in (VI, EN):
                    said = rule_words.rule_of(part, words)
                    assert said[0].isupper()
                    assert not {"_", "{", "%("} & set(said), said
                    assert ".recorded" not in said


def test_bands_are_listed_from_the_lowest() -> None:
    bands = [
        Band(at_least=Decimal(0), share=Decimal(0)),
        Band(at_least=Decimal("0.5"), share=Decimal(1)),
    ]
    assert rule_words.score_of(Bands(kind="bands", bands=bands), EN) == (
        "From 0\N{NO-BREAK SPACE}% on, 0\N{NO-BREAK SPACE}% of the points; "
        "from 50\N{NO-BREAK SPACE}% on, 100\N{NO-BREAK SPACE}% of the points."
    )


def test_a_rule_with_words_that_nobody_foresaw_is_still_shown() -> None:
    part = Part(points=Decimal(1), measure=Ratio(kind="ratio", numerator={"colour": ["red"]}))
    assert "(colour: red)" in rule_words.rule_of(part, VI)


@pytest.mark.parametrize(
    ("rule", "count", "vi", "en"),
    [
        (
            "two-overdue-dossiers",
            3,
            "3 hồ sơ trễ hẹn, tháng 7/2023",
            "3 overdue dossiers, Jul 2023",
        ),
        (
            "two-overdue-dossiers",
            1,
            "1 hồ sơ trễ hẹn, tháng 7/2023",
            "1 overdue dossier, Jul 2023",
        ),
        (
            "report-three-days-late",
            4,
            "báo cáo tháng 7/2023 trễ 4 ngày",
            "report for Jul 2023 4 days late",
        ),
        ("50%-rule", 2, "50%-rule (2), 7/2023", "50%-rule (2), Jul 2023"),
    ],
)
def test_exclusions_say_how_many_and_when(rule: str, count: int, vi: str, en: str) -> None:
    exclusion = Exclusion(rule=rule, month="2023-07", facts=[], count=count)
    assert sentences.exclusion_reason(exclusion, _bloc(), VI) == vi
    assert sentences.exclusion_reason(exclusion, _bloc(), EN) == en


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (1_799_999, "Còn thiếu 0,01 điểm để đạt mức 180 (Giải Nhất, Giải Nhì, Giải Ba)."),
        (1_599_999, "Còn thiếu 0,01 điểm để đạt mức 160 (Giải Khuyến khích)."),
        (1_600_000, "Còn thiếu 20,00 điểm để đạt mức 180 (Giải Nhất, Giải Nhì, Giải Ba)."),
        (
            1_800_000,
            "Đã vượt mức cao nhất, 180 điểm (Giải Nhất, Giải Nhì, Giải Ba): hơn 0,00 điểm.",
        ),
    ],
)
def test_the_distance_is_never_understated(points: int, said: str) -> None:
    assert sentences.distance(points, _bloc(), VI) == said


def test_a_bloc_without_awards_has_no_distance_and_no_lines() -> None:
    assert sentences.distance(10, _bloc("hamlet"), VI) == ""
    assert sentences.zones(_bloc("hamlet")) == []


def test_zones_follow_the_plan_and_know_where_no_prize_is_defined() -> None:
    found = sentences.zones(_bloc("department"))
    assert [(zone.at_least, zone.prized) for zone in found] == [
        (850_000, True),
        (700_000, False),
    ]


@pytest.mark.parametrize(
    ("code", "numerator", "denominator", "said"),
    [
        ("X8", 79, 100, ["Cần thêm 5 trường hợp được tính để đủ điểm."]),
        ("X23", 9, 10, ["1 trường hợp chưa đạt."]),
        ("X8", 80, 100, []),
        ("X8", 0, 0, ["Chưa phát sinh trong kỳ, nên chưa có điểm."]),
        ("X23", 0, 0, []),
        ("X1", 4, 6, ["Còn thiếu 2 phần của danh mục."]),
        ("X10", 0, 0, ["Chưa gửi danh sách, nên tính 0 điểm."]),
        ("X10", 2, 1, ["Bị trừ điểm vì 2 vụ việc."]),
        ("X10", 0, 1, []),
        ("X6", 1, 2, ["Đạt 50,0\N{NO-BREAK SPACE}%, cần 80\N{NO-BREAK SPACE}% để đủ điểm."]),
    ],
)
def test_what_is_missing_is_said_with_numbers(
    code: str, numerator: int, denominator: int, said: list[str]
) -> None:
    assert sentences.missing(_line(code, numerator, denominator), VI) == said


def test_missing_is_not_zero_and_not_applicable_asks_for_nothing() -> None:
    first, *asked = sentences.missing(_line("X5", 0, 0, "missing"), VI)
    assert first == "Chưa có số liệu nào trong kỳ này."
    assert asked
    assert asked[0].startswith("Cần gửi: ")
    assert sentences.missing(_line("X5", 0, 0, "not_applicable"), VI) == []


def test_states_have_a_sign_and_a_word_of_their_own() -> None:
    states = [
        sentences.state_of(s, VI) for s in ("not_applicable", "missing", "declared", "verified")
    ]
    assert len({sign for sign, _ in states}) == len({word for _, word in states}) == 4


def test_odd_figures_are_said_aloud() -> None:
    figure = Part(points=Decimal(1), measure=Figure(kind="figure"))
    assert "lớn hơn tổng số" in sentences.odd_figure(_earned(figure, 11, 10), VI)
    assert "rất nhỏ" in sentences.odd_figure(_earned(figure, 1, 2), VI)
    assert sentences.odd_figure(_earned(figure, 9, 10), VI) == ""
    assert (
        sentences.figure(_earned(figure, 812, 1450), VI)
        == "812/1.450 = 56,0\N{NO-BREAK SPACE}%"
    )
    assert sentences.figure(_earned(figure, 3, 0), VI) == "3/0, chưa có gì để chia"


def test_scores_say_their_target() -> None:
    assert "100" in rule_words.score_of(Proportional(kind="proportional"), VI)
    assert "else none" in rule_words.score_of(AllOrNothing(kind="all_or_nothing"), EN)


def test_facts_are_told_with_labels_and_local_dates() -> None:
    fields = {
        "dossier": "H30",
        "channel": "online",
        "due_at": "2023-07-10 17:00:00+07:00",
        "on": "2023-07-11",
        "month": "2023-07",
        "numerator": "1450",
        "received_at": "?",
    }
    fact = FactLine(
        "dvc H30", "dossier.recorded", "verified", "2023-07", {"main": 1}, fields, "e1"
    )
    assert sentences.fact_fields(fact, VI) == (
        "Kênh: trực tuyến · Hẹn trả: 17:00:00, 10/07/2023 · Ngày: 11/07/2023 · "
        "Tháng: Tháng 7/2023 · Phần đạt: 1.450 · Tiếp nhận: ?"
    )


def test_prizes_are_listed_or_said_to_be_undefined() -> None:
    first, *_, last = _bloc().awards
    assert sentences.prize_of(first, VI).startswith("10.000.000 đ, +10 điểm")
    assert sentences.prize_of(last, EN).endswith("certificates of merit for 3 individuals")
    assert sentences.prize_of(_bloc("department").awards[-1], EN) == "the plan defines no prize"


def test_lengths_are_cut_so_that_a_bar_never_touches_a_tick_too_early() -> None:
    assert drawing.length(1_799_999, 2_000_000) == "89.999%"
    assert drawing.length(1_800_000, 2_000_000) == "90.000%"
    assert (drawing.length(-1, 10), drawing.length(11, 10), drawing.length(1, 0)) == (
        "0.000%",
        "100.000%",
        "0%",
    )
    assert drawing.curve([5]) == []
    assert drawing.curve([0, 20_000])[0] == (3.0, 25.0)
    assert as_units("15.5") == 155_000


@pytest.mark.parametrize(
    ("points", "text"),
    [(0, "0.0000"), (1_799_960, "179.9960"), (-643, "-0.0643"), (-19_357, "-1.9357")],
)
def test_points_are_written_exactly_below_zero_too(points: int, text: str) -> None:
    assert decimal(points) == text
