"""Distances and steps: exact arithmetic, and each step brings what it says when it is taken."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from contracts.events import Exclusion
from contracts.plan import Bloc, Indicator
from services.scoring.domain import distance
from services.scoring.domain.distance import Figures
from services.scoring.domain.rules import full_points, share
from services.scoring.domain.whatif import indicator_points
from services.scoring.leaderboard import advising
from services.scoring.leaderboard.pages import leaderboard_site
from tests.support.facts import COMMUNES, dossier, folded, little_plan, row_of

PLAN = little_plan()
COMMUNE: Bloc = next(b for b in PLAN.blocs if b.code == "commune")
UNIT = PLAN.unit(COMMUNES[0])
assert UNIT is not None
FULL = full_points(COMMUNE, UNIT)
VI, EN = (leaderboard_site().words[lang] for lang in ("vi", "en"))


def _indicator(code: str) -> Indicator:
    found = COMMUNE.indicator(code)
    assert found is not None
    return found


def _figures(code: str, numerator: int, denominator: int, number: int = 0) -> Figures:
    part = _indicator(code).parts[number]
    return Figures(part, numerator, denominator, share(part, numerator, denominator))


def _step(code: str, numerator: int, denominator: int) -> distance.Step:
    (found,) = distance.steps(
        _indicator(code), FULL[code], [_figures(code, numerator, denominator)]
    )
    return found


def test_new_dossiers_stand_above_and_below_the_line() -> None:
    step = _step("X8", 40, 60)
    assert (step.kind, step.count, step.numerator, step.denominator) == ("new", 40, 80, 100)
    assert step.full
    assert step.gain == 150_000 - 125_000


@given(st.integers(0, 400), st.integers(1, 400))
def test_one_dossier_fewer_would_not_reach_the_target(numerator: int, denominator: int) -> None:
    numerator = min(numerator, denominator)
    figures = _figures("X8", numerator, denominator)
    found = distance.steps(_indicator("X8"), FULL["X8"], [figures])
    if figures.share == 1:
        assert found == []
        return
    (step,) = found
    assert Fraction(step.numerator, step.denominator) >= Fraction("0.8")
    assert Fraction(step.numerator - 1, step.denominator - 1) < Fraction("0.8")


def test_a_step_brings_exactly_what_it_says_when_the_dossiers_come() -> None:
    now = [dossier(n, channel="online" if n <= 2 else "counter") for n in range(1, 7)]
    row = row_of(folded(now), "2023")
    step = _step("X8", *row.counters["X8"])
    came = [*now, *(dossier(n, channel="online") for n in range(100, 100 + step.count))]
    then = row_of(folded(came), "2023")
    assert then.indicators["X8"][0] - row.indicators["X8"][0] == step.gain
    assert then.counters["X8"] == (step.numerator, step.denominator)


@pytest.mark.parametrize(
    ("code", "numerator", "denominator", "kind", "count"),
    [
        ("X7", 20, 32, "new", 12),
        ("X6", 185, 334, "turn", 83),
        ("X13", 31, 420, "new", 389),
        ("X21", 19, 30, "each", 1),
        ("X1", 5, 6, "new", 1),
        ("X10", 0, 0, "list", 1),
        ("X18", 1, 2, "new", 1),
        ("X23", 9, 10, "new", distance.TRIED_FOR_A_WHOLE),
        ("X14", 0, 0, "new", 1),
    ],
)
def test_each_kind_of_rule_has_its_step(
    code: str, numerator: int, denominator: int, kind: str, count: int
) -> None:
    step = _step(code, numerator, denominator)
    assert (step.kind, step.count) == (kind, count)
    assert step.gain > 0


def test_what_is_full_or_cannot_be_mended_has_no_step() -> None:
    for code, numerator, denominator in (("X8", 80, 100), ("X10", 2, 1), ("X23", 0, 0)):
        figures = _figures(code, numerator, denominator)
        assert distance.steps(_indicator(code), FULL[code], [figures]) == []


def test_the_cheapest_step_comes_first() -> None:
    found = distance.cheapest([_step("X13", 31, 420), _step("X1", 5, 6), _step("X7", 20, 32)])
    assert [step.indicator.code for step in found] == ["X1", "X7", "X13"]


def test_thresholds_are_exact_and_the_lowest_comes_first() -> None:
    assert distance.thresholds(COMMUNE, 1_799_999) == [
        (Decimal(160), -199_999),
        (Decimal(180), 1),
    ]


def test_neighbours_are_the_nearest_other_totals() -> None:
    table = [("a", 1, 500), ("b", 2, 400), ("c", 2, 400), ("d", 4, 100)]
    above, below = distance.neighbours("b", table)
    assert above == distance.Neighbour("a", 1, 100)
    assert below == distance.Neighbour("d", 4, 300)
    assert distance.neighbours("a", table)[0] is None
    assert distance.neighbours("d", table)[1] is None


def test_one_overdue_dossier_of_two_is_shown_before_it_excludes() -> None:
    late = dossier(1, due_at="2023-07-10T17:00:00+07:00", status="processing")
    row = row_of(folded([late], today=date(2023, 7, 12)), "2023")
    assert "two-overdue-dossiers" not in {e.rule for e in row.exclusions}
    near = [e for e in row.near if e.rule == "two-overdue-dossiers"]
    assert [(e.month, e.count) for e in near] == [("2023-07", 1)]
    room = distance.room(COMMUNE, row.near, "2023-07")
    assert room[0] == ("two-overdue-dossiers", 1, 2)
    second = dossier(2, due_at="2023-07-10T17:00:00+07:00", status="processing")
    both = row_of(folded([late, second], today=date(2023, 7, 12)), "2023")
    assert "two-overdue-dossiers" in {e.rule for e in both.exclusions}
    assert [e for e in both.near if e.rule == "two-overdue-dossiers"] == []


def test_room_counts_only_the_month_asked_for() -> None:
    near = [Exclusion(rule="two-overdue-dossiers", month="2023-06", facts=[], count=1)]
    assert distance.room(COMMUNE, near, "2023-07")[0] == ("two-overdue-dossiers", 0, 2)


@pytest.mark.parametrize(
    ("today", "passed"),
    [
        (date(2023, 5, 31), Fraction(0)),
        (date(2023, 7, 1), Fraction(1, 31)),
        (date(2023, 7, 31), Fraction(1)),
        (date(2023, 9, 1), Fraction(1)),
    ],
)
def test_the_part_of_a_period_that_has_passed(today: date, passed: Fraction) -> None:
    assert distance.elapsed(PLAN, "2023-07", today) == passed


def test_a_projection_lets_ratios_stand_and_lets_what_accrues_go_on() -> None:
    half = Fraction(1, 2)

    def ahead(code: str, numerator: int, denominator: int) -> tuple[int, int]:
        figures = [_figures(code, numerator, denominator)]
        now = indicator_points(_indicator(code), FULL[code], [f.share for f in figures])
        return now, distance.projected(_indicator(code), FULL[code], figures, half)

    assert ahead("X8", 40, 100) == (75_000, 75_000)
    assert ahead("X21", 10, 30) == (20_000, 40_000)
    assert ahead("X21", 20, 30) == (40_000, 60_000)
    assert ahead("X5", 1, 4) == (25_000, 25_000)


def test_a_step_is_said_with_its_arithmetic_in_both_languages() -> None:
    said = advising.step_sentence(_step("X8", 40, 60), VI)
    assert said == ("thêm 40 hồ sơ đạt yêu cầu → 80/100 = 80,0\N{NO-BREAK SPACE}%: +2,50 điểm")
    assert advising.step_sentence(_step("X21", 19, 30), EN) == (
        "1 more radio bulletin → 20/30 = 66.6\N{NO-BREAK SPACE}%: +0.20 points"
    )
