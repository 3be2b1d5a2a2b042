"""Totals, ranks and award bands: exact at every boundary, nothing rounded up, equal totals share a rank."""

from fractions import Fraction
from typing import Any

import pytest

from contracts.plan import Award, Bloc, Part, Plan
from services.scoring.domain.standings import UnitRow, ranked
from services.scoring.leaderboard.words import zones
from tests.support.facts import (
    COMMUNES,
    DEPARTMENTS,
    HAMLET,
    Fields,
    claim,
    dossier,
    folded,
    line,
    little_plan,
    reference_plan,
    row_of,
)

UNITS = {"commune": COMMUNES[0], "department": DEPARTMENTS[0]}


def bloc_of(plan: Plan, code: str) -> Bloc:
    bloc = plan.bloc(code)
    assert bloc is not None
    return bloc


def judged_by(code: str, *parts: dict[str, Any]) -> Plan:
    """The little plan, one bloc judged by indicators `T0`, `T1` … of one part each; its awards stay."""
    plan = little_plan()
    bloc = bloc_of(plan, code)
    only = [
        bloc.indicators[0].model_copy(
            update={"code": f"T{n}", "parts": [Part.model_validate(part)]}
        )
        for n, part in enumerate(parts)
    ]
    blocs = [bloc.model_copy(update={"indicators": only})]
    return plan.model_copy(update={"blocs": blocs, "units": plan.units_of(code)})


def of_total(bloc: str, total: str) -> UnitRow:
    """The row of a unit that has exactly this total, by one figure over the bloc's whole scale."""
    scale = bloc_of(reference_plan(), bloc).scale
    exact = Fraction(total) / scale
    figure = claim(
        "figure.reported",
        unit=UNITS[bloc],
        indicator="T0",
        numerator=exact.numerator,
        denominator=exact.denominator,
    )
    plan = judged_by(bloc, {"points": scale, "measure": {"kind": "figure"}})
    return row_of(folded([figure], plan), unit=UNITS[bloc])


def within(award: Award, row: UnitRow) -> bool:
    """Whether a total is in an award's band, compared exactly."""
    total = Fraction(row.points, 10_000)
    return total >= Fraction(award.at_least) and (
        award.below is None or total < Fraction(award.below)
    )


@pytest.mark.parametrize(
    ("bloc", "total", "awards"),
    [
        ("commune", "200", {"first", "second", "third"}),
        ("commune", "180", {"first", "second", "third"}),
        ("commune", "179.9999", {"encouragement"}),
        ("commune", "160", {"encouragement"}),
        ("commune", "159.9999", set()),
        ("commune", "0", set()),
        ("department", "100", {"first", "second", "third"}),
        ("department", "85", {"first", "second", "third"}),
        ("department", "84.9999", {"encouragement"}),
        ("department", "70", {"encouragement"}),
        ("department", "69.9999", set()),
    ],
)
def test_award_bands_are_half_open_and_exact(bloc: str, total: str, awards: set[str]) -> None:
    row = of_total(bloc, total)
    assert row.points == int(Fraction(total) * 10_000)
    plan_awards = bloc_of(reference_plan(), bloc).awards
    assert {award.code for award in plan_awards if within(award, row)} == awards


@pytest.mark.parametrize(
    ("bloc", "total", "reached"),
    [
        ("commune", "180", [180, 160]),
        ("commune", "179.9999", [160]),
        ("commune", "160", [160]),
        ("commune", "159.9999", []),
        ("department", "85", [85, 70]),
        ("department", "84.9999", [70]),
        ("department", "70", [70]),
        ("department", "69.9999", []),
    ],
)
def test_the_lines_on_the_board_are_those_of_the_plan(
    bloc: str, total: str, reached: list[int]
) -> None:
    row = of_total(bloc, total)
    lines = [
        z.at_least for z in zones(bloc_of(reference_plan(), bloc)) if row.points >= z.at_least
    ]
    assert lines == [points * 10_000 for points in reached]


@pytest.mark.parametrize(
    ("numerator", "denominator", "points"),
    [
        (1_799_999_4, 2_000_000_0, 1_799_999),
        (1_799_999_49, 2_000_000_00, 1_799_999),
        (1_799_999_5, 2_000_000_0, 1_800_000),
    ],
)
def test_an_indicator_is_rounded_once_half_up_to_a_ten_thousandth(
    numerator: int, denominator: int, points: int
) -> None:
    """The only rounding there is; from then on totals are exact sums."""
    figure = claim(
        "figure.reported", indicator="T0", numerator=numerator, denominator=denominator
    )
    plan = judged_by("commune", {"points": 200, "measure": {"kind": "figure"}})
    assert row_of(folded([figure], plan)).points == points


def test_a_total_is_the_sum_of_rounded_points_and_not_the_rounded_sum() -> None:
    thirds = [{"points": p, "measure": {"kind": "figure"}} for p in (100, 50, 50)]
    figures = [
        claim("figure.reported", n, indicator=f"T{n}", numerator=1, denominator=3)
        for n in range(3)
    ]
    row = row_of(folded(figures, judged_by("commune", *thirds)))
    assert [points for points, _ in row.indicators.values()] == [333_333, 166_667, 166_667]
    assert row.points == 666_667


@pytest.mark.parametrize("unit", [*COMMUNES, *DEPARTMENTS, HAMLET])
@pytest.mark.parametrize("period", ["2023-07", "2023"])
def test_a_total_is_the_sum_of_its_indicators(unit: str, period: str) -> None:
    row = row_of(folded([dossier(n, unit=unit) for n in range(3)]), period, unit)
    assert row.points == sum(points for points, _ in row.indicators.values())
    assert row.verified_points == sum(points for _, points in row.indicators.values())


def test_tracked_indicators_are_shown_without_points() -> None:
    row = row_of(folded([dossier()]))
    assert row.counters["G1"] == (1, 1)
    assert row.indicators["G1"] == (0, 0)


def test_not_applicable_is_absent_and_not_zero() -> None:
    fold = folded([])
    handles, does_not = (row_of(fold, unit=unit) for unit in DEPARTMENTS)
    assert set(handles.indicators) - set(does_not.indicators) == {"P6", "P7", "P8", "P14"}
    assert set(does_not.counters) == set(does_not.indicators)


def all_that_is_asked(unit: str, month: str) -> list[Fields]:
    """Full marks in one month for a department that handles no procedures."""
    whole: Fields = {"unit": unit, "numerator": 9, "denominator": 9, "period": month}
    figures = [
        claim("figure.reported", f"{code}-{part}", indicator=code, part=part, **whole)
        for code, part in (
            ("P3", "main"),
            ("P4", "attendance"),
            ("P5", "main"),
            ("P9", "main"),
            ("P11", "main"),
            ("P13", "main"),
        )
    ]
    items = [
        claim(
            "item.recorded",
            f"{code}-{item}",
            unit=unit,
            indicator=code,
            item=item,
            on=f"{month}-02",
        )
        for code, item in (
            ("P1", "it-officer"),
            ("P1", "dx-plan"),
            ("P4", "members-assigned"),
            ("P10", "certificate-list"),
            ("P16", "model"),
        )
    ]
    return [
        *figures,
        *items,
        claim(
            "report.received", unit=unit, month=month, received_at=f"{month}-01T08:00:00+07:00"
        ),
        claim("activity.reported", unit=unit, month=month),
        claim("article.recorded", unit=unit, sent_on=f"{month}-03", published_on=None),
    ]


def test_rescaled_points_reach_exactly_the_scale_when_all_the_rest_is_full() -> None:
    unit = DEPARTMENTS[1]
    row = row_of(folded(all_that_is_asked(unit, "2023-07")), "2023-07", unit)
    assert row.points == 100 * 10_000
    assert row.verified_points == 100 * 10_000


def test_points_that_are_not_rescaled_stay_whole() -> None:
    unit = DEPARTMENTS[0]
    row = row_of(folded(all_that_is_asked(unit, "2023-07")), "2023-07", unit)
    out = ("P6", "P7", "P8", "P14")
    missing = sum(
        (i.points for i in bloc_of(reference_plan(), "department").scored if i.code in out),
        Fraction(),
    )
    assert row.points == (100 - missing) * 10_000


def test_a_fresh_board_has_a_row_for_every_unit_and_period() -> None:
    (standings,) = folded([], reference_plan()).standings.values()
    assert len(standings.rows) == len(reference_plan().units) * 11
    empty = standings.rows[COMMUNES[0], "2023"]
    assert (empty.points, empty.indicators["X23"]) == (60_000, (60_000, 60_000))


def test_only_rows_that_facts_touched_are_computed_again() -> None:
    fold = folded([])
    (standings,) = fold.standings.values()
    assert standings.refresh() == []
    fold.apply(line(dossier()))
    assert {(row.unit, row.period) for row in standings.refresh()} == {
        (COMMUNES[0], period) for period in ("2023-07", "2023-Q3", "2023")
    }


def test_a_refresh_in_pieces_ends_where_a_whole_one_does() -> None:
    whole, pieces = folded([]), folded([])
    for fold in (whole, pieces):
        for number in range(4):
            fold.apply(
                line(dossier(number, received_at=f"2023-0{6 + number}-05T08:00:00+07:00"))
            )
    (standings,) = pieces.standings.values()
    while standings.refresh(2):
        pass
    assert row_of(pieces, "2023") == row_of(whole, "2023")


@pytest.mark.parametrize(
    ("totals", "ranks"),
    [
        ({}, {}),
        ({"a": 5}, {"a": 1}),
        ({"a": 5, "b": 9, "c": 7}, {"b": 1, "c": 2, "a": 3}),
        ({"a": 9, "b": 9, "c": 7}, {"a": 1, "b": 1, "c": 3}),
        ({"a": 9, "b": 7, "c": 7, "d": 7, "e": 1}, {"a": 1, "b": 2, "c": 2, "d": 2, "e": 5}),
        ({"a": 0, "b": 0}, {"a": 1, "b": 1}),
        ({"a": 1_799_999, "b": 1_800_000}, {"b": 1, "a": 2}),
    ],
)
def test_equal_totals_share_a_rank_and_leave_a_gap(
    totals: dict[str, int], ranks: dict[str, int]
) -> None:
    assert ranked(totals.items()) == ranks
    assert ranked(reversed(totals.items())) == ranks
