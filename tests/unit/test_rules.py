"""Every kind of rule at its boundaries: what facts add, how counters become points, how months add up."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from contracts.plan import Bloc, Indicator, Part, Plan, Score, Unit
from services.scoring.domain.rules import (
    applies,
    exclusion_month,
    lane,
    rescaling,
    rounded,
    scored,
    share,
)
from tests.support.facts import (
    COMMUNES,
    DEPARTMENTS,
    Events,
    Fields,
    claim,
    dossier,
    folded,
    line,
    little_plan,
    reference_plan,
    row_of,
)

UNIT = COMMUNES[0]
MONDAYS_OF_JULY = ("2023-07-03", "2023-07-10", "2023-07-17", "2023-07-24", "2023-07-31")


def counted(
    events: Events, code: str, period: str = "2023-07", unit: str = UNIT
) -> tuple[int, int]:
    """(numerator, denominator) of an indicator of the reference plan."""
    return row_of(folded(events), period, unit).counters[code]


def points(events: Events, code: str, period: str = "2023-07", unit: str = UNIT) -> int:
    """Points of an indicator of the reference plan, in ten-thousandths."""
    return row_of(folded(events), period, unit).indicators[code][0]


def many(count: int, first: int = 1, **changed: object) -> list[Fields]:
    return [dossier(first + n, **changed) for n in range(count)]


# --- how counters become points ---------------------------------------------------------------


def part_of(**changed: Any) -> Part:
    content = {"points": 10, "measure": {"kind": "figure"}} | changed
    return Part.model_validate(content)


def score_of(**content: Any) -> Score:
    return part_of(score=content).score


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        (Fraction(0), Fraction(0)),
        (Fraction(4, 10), Fraction(1, 2)),
        (Fraction(79_999, 100_000), Fraction(79_999, 80_000)),
        (Fraction(8, 10), Fraction(1)),
        (Fraction(1), Fraction(1)),
        (Fraction(5), Fraction(1)),
    ],
)
def test_proportional_is_full_at_the_target_and_never_more(
    figure: Fraction, expected: Fraction
) -> None:
    assert scored(score_of(kind="proportional", target="0.80"), figure) == expected


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        (Fraction(0), Fraction(0)),
        (Fraction(499_999, 1_000_000), Fraction(0)),
        (Fraction(1, 2), Fraction(4, 10)),
        (Fraction(799_999, 1_000_000), Fraction(4, 10)),
        (Fraction(8, 10), Fraction(1)),
        (Fraction(3, 2), Fraction(1)),
    ],
)
def test_a_band_begins_at_its_figure(figure: Fraction, expected: Fraction) -> None:
    bands = [
        {"at_least": "0", "share": "0"},
        {"at_least": "0.5", "share": "0.4"},
        {"at_least": "0.8", "share": "1"},
    ]
    assert scored(score_of(kind="bands", bands=bands), figure) == expected


def test_below_the_first_band_there_is_nothing() -> None:
    bands = [{"at_least": "0.5", "share": "1"}]
    assert scored(score_of(kind="bands", bands=bands), Fraction(4, 10)) == 0


@pytest.mark.parametrize(
    ("figure", "expected"),
    [(Fraction(0), 0), (Fraction(999, 1000), 0), (Fraction(1), 1), (Fraction(2), 1)],
)
def test_all_or_nothing_is_nothing_below_the_target(figure: Fraction, expected: int) -> None:
    assert scored(score_of(kind="all_or_nothing"), figure) == expected


def test_an_empty_denominator_is_nothing_or_everything_as_the_plan_says() -> None:
    assert share(part_of(), 0, 0) == 0
    assert share(part_of(), 5, 0) == 0
    assert share(part_of(empty="full"), 0, 0) == 1
    assert share(part_of(empty="full"), 0, 3) == 0


@pytest.mark.parametrize(
    ("incidents", "listed", "expected"),
    [
        (0, 1, Fraction(1)),
        (1, 1, Fraction(4, 5)),
        (5, 1, Fraction(0)),
        (6, 1, Fraction(0)),
        (0, 0, Fraction(0)),
        (1, 0, Fraction(0)),
    ],
)
def test_a_deduction_starts_full_ends_at_nothing_and_needs_its_list(
    incidents: int, listed: int, expected: Fraction
) -> None:
    measure = {"kind": "deduction", "per_incident": 1, "list_item": "list"}
    assert share(part_of(points=5, measure=measure), incidents, listed) == expected


@pytest.mark.parametrize(
    ("exact", "ten_thousandths"),
    [
        (Fraction(0), 0),
        (Fraction(49_999, 1_000_000_000), 0),
        (Fraction(1, 20_000), 1),
        (Fraction(14_999, 100_000_000), 1),
        (Fraction(3, 20_000), 2),
        (Fraction(2, 3), 6667),
        (Fraction(1, 3), 3333),
        (Fraction(1_799_999, 10_000), 1_799_999),
    ],
)
def test_points_are_rounded_half_up_to_a_ten_thousandth(
    exact: Fraction, ten_thousandths: int
) -> None:
    assert rounded(exact) == ten_thousandths


def test_lanes_stand_side_by_side() -> None:
    lanes = 7 + (9 << 48) + (11 << 96)
    assert [lane(lanes, n) for n in range(4)] == [7, 9, 11, 0]


def test_a_promise_counts_in_its_month_if_the_competition_has_it() -> None:
    months = reference_plan().months
    assert exclusion_month(date(2023, 12, 31), months) == "2023-12"
    assert exclusion_month(date(2024, 1, 1), months) is None


# --- not applicable ---------------------------------------------------------------------------


def unit_of(plan: Plan, code: str) -> tuple[Unit, Bloc]:
    unit = plan.unit(code)
    assert unit is not None
    bloc = plan.bloc(unit.bloc)
    assert bloc is not None
    return unit, bloc


def test_what_does_not_apply_is_left_out_and_the_rest_is_rescaled_to_the_scale() -> None:
    unit, bloc = unit_of(reference_plan(), DEPARTMENTS[1])
    out = {i.code for i in bloc.scored if not applies(i, unit)}
    assert out == {"P6", "P7", "P8", "P14"}
    left = sum((i.points for i in bloc.scored if i.code not in out), Fraction())
    assert rescaling(bloc, unit) == Fraction(100) / left
    assert left * rescaling(bloc, unit) == bloc.scale


def test_a_unit_to_which_all_applies_is_not_rescaled() -> None:
    for code in (DEPARTMENTS[0], UNIT):
        unit, bloc = unit_of(reference_plan(), code)
        assert rescaling(bloc, unit) == 1


# --- dossiers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("received_at", "month"),
    [
        ("2023-06-30T23:59:59+07:00", "2023-06"),
        ("2023-06-30T16:59:59Z", "2023-06"),
        ("2023-06-30T17:00:00Z", "2023-07"),
        ("2023-07-01T00:00:00+07:00", "2023-07"),
    ],
)
def test_a_dossier_changes_month_at_local_midnight(received_at: str, month: str) -> None:
    told = [dossier(received_at=received_at)]
    other = {"2023-06": "2023-07", "2023-07": "2023-06"}[month]
    assert counted(told, "X13", month) == (1, 60)
    assert counted(told, "X13", other) == (0, 60)


@pytest.mark.parametrize(
    "received_at", ["2023-05-31T23:59:59+07:00", "2024-01-01T00:00:00+07:00"]
)
def test_a_dossier_outside_the_competition_counts_nowhere(received_at: str) -> None:
    assert counted([dossier(received_at=received_at)], "X13", "2023") == (0, 420)


@pytest.mark.parametrize(
    ("online", "counter", "ten_thousandths"),
    [(0, 0, 0), (0, 5, 0), (2, 3, 75_000), (4, 1, 150_000), (5, 0, 150_000), (1, 2, 62_500)],
)
def test_x8_is_full_at_eighty_percent_and_proportional_below(
    online: int, counter: int, ten_thousandths: int
) -> None:
    told = [*many(online), *many(counter, 100, channel="counter")]
    assert counted(told, "X8") == (online, online + counter)
    assert points(told, "X8") == ten_thousandths


def test_x8_leaves_out_services_for_information() -> None:
    told = [dossier(1), dossier(2, service_level="information", channel="counter")]
    assert counted(told, "X8") == (1, 1)
    assert counted(told, "G1") == (1, 2)


def test_a_missing_service_level_comes_from_the_catalogue() -> None:
    told = [
        dossier(n, service_level=None, procedure=p)
        for n, p in enumerate(("2.000815", "2.000843", "0.0"))
    ]
    assert counted(told, "X8") == (1, 1)


def test_x7_counts_procedures_not_dossiers() -> None:
    told = [
        dossier(1),
        dossier(2),
        dossier(3, procedure="2.000822"),
        dossier(4, channel="counter", procedure="2.000829"),
    ]
    offered = reference_plan().offered(UNIT, ["full", "partial"])
    assert counted(told, "X7") == (2, offered)
    assert points(told, "X7") == rounded(Fraction(12 * 2, offered))


def test_x7_goes_back_down_when_the_only_dossier_is_withdrawn() -> None:
    told = [dossier(1), dossier(2, procedure="2.000822")]
    assert counted(told, "X7")[0] == 2
    told += [dossier(2, version=2, procedure="2.000822", status="withdrawn")]
    assert counted(told, "X7")[0] == 1
    told += [dossier(2, version=3, procedure="2.000822", status="processing")]
    assert counted(told, "X7")[0] == 2


def test_x7_stays_while_another_dossier_of_the_procedure_is_left() -> None:
    told = [dossier(1), dossier(2), dossier(2, version=2, status="withdrawn")]
    assert counted(told, "X7")[0] == 1


def test_x7_pools_the_set_and_not_the_sum() -> None:
    august = "2023-08-05T08:30:00+07:00"
    told = [
        dossier(1),
        dossier(2, received_at=august),
        dossier(3, received_at=august, procedure="2.000822"),
    ]
    assert counted(told, "X7", "2023-07")[0] == 1
    assert counted(told, "X7", "2023-08")[0] == 2
    assert counted(told, "X7", "2023-Q3")[0] == 2


@pytest.mark.parametrize(
    ("number", "ten_thousandths"),
    [(0, 0), (1, 1667), (59, 98_333), (60, 100_000), (61, 100_000)],
)
def test_x13_asks_for_sixty_online_dossiers_a_month(number: int, ten_thousandths: int) -> None:
    assert counted(many(number), "X13") == (number, 60)
    assert points(many(number), "X13") == ten_thousandths


@pytest.mark.parametrize(
    ("period", "quota"), [("2023-07", 60), ("2023-Q3", 180), ("2023-Q2", 60), ("2023", 420)]
)
def test_x13_asks_for_as_many_months_as_the_period_has(period: str, quota: int) -> None:
    assert counted([dossier()], "X13", period) == (int(period != "2023-Q2"), quota)


def test_x14_counts_only_dossiers_known_to_be_fee_bearing() -> None:
    flags = [(True, True), (True, False), (True, None), (False, True), (None, True)]
    told = [dossier(n, fee_due=due, paid_online=paid) for n, (due, paid) in enumerate(flags)]
    assert counted(told, "X14") == (1, 3)
    assert points(told, "X14") == 80_000


def test_x14_is_full_at_fifty_percent() -> None:
    told = [dossier(n, fee_due=True, paid_online=n == 1) for n in (1, 2)]
    assert points(told, "X14") == 120_000


def test_x15_and_x20_leave_out_what_is_not_known() -> None:
    told = [
        dossier(1, digitised=True, satisfaction="dissatisfied"),
        dossier(2, digitised=False),
        dossier(3, satisfaction="very_satisfied"),
    ]
    assert counted(told, "X15") == (1, 2)
    assert counted(told, "X20") == (1, 2)


@pytest.mark.parametrize(
    ("status", "counts"),
    [
        ("registered", 0),
        ("refused", 0),
        ("withdrawn", 0),
        ("accepted", 1),
        ("suspended", 1),
        ("returned", 1),
    ],
)
def test_a_dossier_not_accepted_is_in_no_ratio(status: str, counts: int) -> None:
    assert counted([dossier(status=status)], "X8") == (counts, counts)


def test_dossiers_are_verified_as_they_are() -> None:
    row = row_of(folded([dossier()]))
    assert row.indicators["X8"] == (150_000, 150_000)


# --- claims -----------------------------------------------------------------------------------


def figure(code: str, numerator: int, denominator: int, **changed: object) -> Fields:
    fields = {"indicator": code, "numerator": numerator, "denominator": denominator}
    subject = f"{code}-{changed.get('period')}-{changed.get('part')}"
    return claim("figure.reported", subject, **fields | changed)


@pytest.mark.parametrize(
    ("numerator", "denominator", "ten_thousandths"),
    [(0, 0, 0), (5, 0, 0), (0, 5, 0), (1, 2, 40_000), (7, 7, 80_000), (9, 7, 80_000)],
)
def test_a_figure_above_a_hundred_percent_or_over_nothing_is_shown_as_it_is(
    numerator: int, denominator: int, ten_thousandths: int
) -> None:
    told = [figure("X9", numerator, denominator)]
    assert counted(told, "X9") == (numerator, denominator)
    assert points(told, "X9") == ten_thousandths


def test_declared_counts_as_declared_and_verified_as_both_and_rejected_as_none() -> None:
    seen = {}
    for state in ("declared", "verified", "rejected"):
        seen[state] = row_of(folded([figure("X9", 1, 2, state=state)])).indicators["X9"]
    assert seen == {"declared": (40_000, 0), "verified": (40_000, 40_000), "rejected": (0, 0)}


def test_pooled_figures_add_up_over_the_months() -> None:
    told = [figure("X9", 1, 2, period="2023-07"), figure("X9", 0, 6, period="2023-08")]
    assert counted(told, "X9", "2023-Q3") == (1, 8)
    assert points(told, "X9", "2023-Q3") == 10_000


def test_a_figure_of_a_quarter_belongs_to_its_last_month() -> None:
    told = [figure("X9", 1, 2, period="2023-Q3")]
    assert [counted(told, "X9", p) for p in ("2023-07", "2023-09", "2023-Q3", "2023")] == [
        (0, 0),
        (1, 2),
        (1, 2),
        (1, 2),
    ]


def test_the_latest_figure_counts_and_stays_until_a_newer_one() -> None:
    told = [figure("X5", 1, 2, period="2023-07"), figure("X5", 3, 4, period="2023-09")]
    seen = {
        p: counted(told, "X5", p)
        for p in ("2023-06", "2023-07", "2023-08", "2023-09", "2023-12", "2023-Q3", "2023")
    }
    assert seen == {
        "2023-06": (0, 0),
        "2023-07": (1, 2),
        "2023-08": (1, 2),
        "2023-09": (3, 4),
        "2023-12": (3, 4),
        "2023-Q3": (3, 4),
        "2023": (3, 4),
    }


def test_the_latest_verified_figure_may_be_an_older_one() -> None:
    told = [
        figure("X5", 1, 2, period="2023-07"),
        figure("X5", 1, 1, period="2023-08", state="declared"),
    ]
    assert row_of(folded(told), "2023-08").indicators["X5"] == (100_000, 50_000)


@pytest.mark.parametrize(
    ("value", "ten_thousandths"), [(0, 0), (1, 0), (2, 60_000), (3, 60_000)]
)
def test_x18_is_all_at_two_products_and_nothing_at_one(
    value: int, ten_thousandths: int
) -> None:
    told = [claim("tally.reported", value=value)]
    assert counted(told, "X18") == (value, 2)
    assert points(told, "X18") == ten_thousandths


def test_x18_goes_back_when_the_last_tally_is_zero() -> None:
    told = [
        claim("tally.reported", 1, value=2),
        claim("tally.reported", 2, value=0, period="2023-08"),
    ]
    assert points(told, "X18", "2023-07") == 60_000
    assert points(told, "X18", "2023-08") == 0


def bulletins(*days: str, **changed: object) -> list[Fields]:
    return [claim("bulletin.broadcast", n, on=on, **changed) for n, on in enumerate(days)]


def test_x21_five_bulletins_in_one_week_are_one_good_week() -> None:
    one_week = bulletins("2023-07-10", "2023-07-11", "2023-07-12", "2023-07-13", "2023-07-16")
    assert counted(one_week, "X21") == (1, 5)
    assert points(one_week, "X21") == 12_000
    assert counted(bulletins(*MONDAYS_OF_JULY), "X21") == (5, 5)
    assert points(bulletins(*MONDAYS_OF_JULY), "X21") == 60_000


def test_x21_a_week_belongs_to_the_month_of_its_monday() -> None:
    told = bulletins("2023-08-06", "2023-07-02")
    assert counted(told, "X21", "2023-07") == (1, 5)
    assert counted(told, "X21", "2023-06") == (1, 4)
    assert counted(told, "X21", "2023-08") == (0, 4)
    assert counted(told, "X21", "2023-Q3") == (1, 13)


def test_x21_a_week_that_began_before_the_competition_is_nobodys() -> None:
    assert counted(bulletins("2023-06-04"), "X21", "2023") == (0, 30)
    assert counted(bulletins("2023-06-05"), "X21", "2023") == (1, 30)
    assert counted(bulletins("2023-12-31"), "X21", "2023") == (1, 30)
    assert counted(bulletins("2024-01-01"), "X21", "2023") == (0, 30)


def articles(number: int, **changed: object) -> list[Fields]:
    return [claim("article.recorded", n, **changed) for n in range(number)]


@pytest.mark.parametrize(("number", "numerator"), [(0, 0), (1, 1), (3, 3), (4, 3), (9, 3)])
def test_x22_counts_three_articles_a_month_at_most(number: int, numerator: int) -> None:
    assert counted(articles(number), "X22") == (numerator, 3)


@pytest.mark.parametrize(
    "changed",
    [
        {"approved": False},
        {"published_on": None},
        {"approved": False, "published_on": None},
        {"state": "rejected"},
    ],
)
def test_x22_wants_articles_both_approved_and_published(changed: Fields) -> None:
    assert counted(articles(1), "X22") == (1, 3)
    assert counted(articles(1, **changed), "X22") == (0, 3)


def test_x22_takes_the_month_of_publication() -> None:
    told = articles(1, sent_on="2023-07-31", published_on="2023-08-01")
    assert counted(told, "X22", "2023-07") == (0, 3)
    assert counted(told, "X22", "2023-08") == (1, 3)


def test_x22_a_rich_month_does_not_help_a_poor_one() -> None:
    assert counted(articles(9), "X22", "2023-Q3") == (3, 9)


def test_p15_counts_one_article_a_month_that_was_sent() -> None:
    sent = articles(2, unit=DEPARTMENTS[0], approved=False, published_on=None)
    assert counted(sent, "P15", unit=DEPARTMENTS[0]) == (1, 1)
    assert counted(sent, "P15", "2023-Q3", DEPARTMENTS[0]) == (1, 3)
    assert points(sent, "P15", unit=DEPARTMENTS[0]) == 40_000


def report(month: str, day: str, **changed: object) -> Fields:
    return claim(
        "report.received",
        f"{month}-{day}",
        month=month,
        received_at=f"{day}T12:00:00+07:00",
        **changed,
    )


@pytest.mark.parametrize(
    ("received_at", "ten_thousandths"),
    [
        ("2023-07-14T23:59:59+07:00", 100_000),
        ("2023-07-14T16:59:59Z", 100_000),
        ("2023-07-15T00:00:00+07:00", 50_000),
        ("2023-07-14T17:00:00Z", 50_000),
        ("2023-09-01T00:00:00+07:00", 50_000),
        (None, 0),
    ],
)
def test_x2_is_full_on_time_half_when_late_and_nothing_when_missing(
    received_at: str | None, ten_thousandths: int
) -> None:
    told = [] if received_at is None else [claim("report.received", received_at=received_at)]
    assert points(told, "X2") == ten_thousandths


def test_x2_takes_the_better_of_two_reports_for_one_month() -> None:
    late, early = report("2023-07", "2023-07-20"), report("2023-07", "2023-07-10")
    assert points([late], "X2") == 50_000
    assert points([late, early], "X2") == 100_000
    assert points([late, early | {"version": 2, "state": "rejected"}], "X2") == 50_000


def test_x2_averages_over_the_months_of_the_period() -> None:
    told = [report("2023-07", "2023-07-10"), report("2023-08", "2023-08-20")]
    assert counted(told, "X2", "2023-Q3") == (3, 6)
    assert points(told, "X2", "2023-Q3") == 50_000


def test_p2_is_judged_alike() -> None:
    told = [report("2023-07", "2023-07-15", unit=DEPARTMENTS[0])]
    assert points(told, "P2", unit=DEPARTMENTS[0]) == 40_000


def feedback(number: int, **changed: object) -> Fields:
    return claim("feedback.recorded", number, **changed)


def test_x23_is_full_when_no_feedback_was_received() -> None:
    assert counted([], "X23") == (0, 0)
    assert points([], "X23") == 60_000
    assert row_of(folded([])).indicators["X23"] == (60_000, 60_000)


@pytest.mark.parametrize(
    ("answered_on", "ten_thousandths"),
    [(None, 0), ("2023-07-09", 60_000), ("2023-07-10", 60_000), ("2023-07-11", 0)],
)
def test_x23_an_answer_is_on_time_up_to_its_due_date(
    answered_on: str | None, ten_thousandths: int
) -> None:
    assert points([feedback(1, answered_on=answered_on)], "X23") == ten_thousandths


def test_x23_rejected_feedback_leaves_the_ratio() -> None:
    told = [feedback(1), feedback(2, answered_on="2023-07-05")]
    assert counted(told, "X23") == (1, 2)
    assert counted([*told, feedback(1, version=2, state="rejected")], "X23") == (1, 1)


def roster(month: str, *people: tuple[bool, int]) -> list[Fields]:
    return [
        claim(
            "activity.reported",
            f"{month}-{n}",
            month=month,
            person=f"NV-{n}",
            account=account,
            dossiers=filed,
        )
        for n, (account, filed) in enumerate(people)
    ]


@pytest.mark.parametrize(
    ("people", "ten_thousandths"),
    [
        ((), 0),
        (((True, 3),), 100_000),
        (((True, 0),), 50_000),
        (((False, 3),), 50_000),
        (((True, 9), (False, 0)), 50_000),
        (((True, 1), (True, 2)), 75_000),
        (((True, 1), (False, 0), (False, 0)), 16_667 + 5_556),
    ],
)
def test_x12_is_half_for_accounts_and_half_for_three_dossiers_each(
    people: tuple[tuple[bool, int], ...], ten_thousandths: int
) -> None:
    assert abs(points(roster("2023-07", *people), "X12") - ten_thousandths) <= 1


def test_x12_is_rounded_once_over_both_parts() -> None:
    people = ((True, 1), (False, 0), (False, 0))
    exact = 5 * Fraction(1, 3) + 5 * Fraction(1, 9)
    assert points(roster("2023-07", *people), "X12") == rounded(exact)


def test_x12_takes_the_latest_roster_and_the_mean_of_the_months() -> None:
    told = [*roster("2023-07", (True, 3), (True, 3)), *roster("2023-08", (True, 0), (False, 0))]
    assert points(told, "X12", "2023-08") == 25_000
    assert points(told, "X12", "2023-09") == 25_000
    assert points(told, "X12", "2023-Q3") == 25_000 + rounded(Fraction(5, 3))


def item(code: str, name: str, **changed: object) -> Fields:
    return claim("item.recorded", f"{code}-{name}", indicator=code, item=name, **changed)


def test_x1_counts_each_document_once_and_from_its_date_on() -> None:
    told = [item("X1", "dx-plan"), item("X1", "it-officer", on="2023-08-01")]
    told += [claim("item.recorded", "again", indicator="X1", item="dx-plan")]
    seen = [
        counted(told, "X1", p) for p in ("2023-06", "2023-07", "2023-08", "2023-12", "2023")
    ]
    assert seen == [(0, 6), (1, 6), (2, 6), (2, 6), (2, 6)]
    assert points(told, "X1", "2023") == 40_000


def test_x1_loses_what_is_no_longer_there_or_was_never_asked_for() -> None:
    told = [item("X1", "dx-plan"), item("X1", "poem")]
    assert counted(told, "X1") == (1, 6)
    assert counted([*told, item("X1", "dx-plan", version=2, done=False)], "X1") == (0, 6)


def test_x3_weighs_its_items() -> None:
    assert points([item("X3", "report")], "X3") == 30_000
    assert points([item("X3", "quantified")], "X3") == 20_000


def test_x16_is_all_or_nothing() -> None:
    assert points([], "X16") == 0
    assert points([item("X16", "zalo-oa")], "X16") == 50_000


def incidents(number: int, **changed: object) -> list[Fields]:
    return [claim("incident.recorded", n, **changed) for n in range(number)]


@pytest.mark.parametrize(
    ("number", "ten_thousandths"), [(0, 50_000), (1, 40_000), (4, 10_000), (5, 0), (6, 0)]
)
def test_x10_loses_a_point_an_incident_down_to_nothing(
    number: int, ten_thousandths: int
) -> None:
    told = [item("X10", "certificate-list"), *incidents(number)]
    assert points(told, "X10") == ten_thousandths
    assert counted(told, "X10") == (number, 1)


@pytest.mark.parametrize("number", [0, 1, 6])
def test_x10_is_nothing_without_the_list(number: int) -> None:
    assert points(incidents(number), "X10") == 0
    other = item("X10", "another-list")
    assert points([*incidents(number), other], "X10") == 0


def test_x10_two_lists_are_one_list_and_a_withdrawn_incident_is_none() -> None:
    told = [item("X10", "certificate-list"), item("X10", "certificate-list") | {"subject": "2"}]
    assert counted(told, "X10") == (0, 1)
    told += [*incidents(2), claim("incident.recorded", 1, version=2, state="rejected")]
    assert points(told, "X10") == 40_000


def test_x10_counts_from_the_start_to_the_end_of_the_period() -> None:
    told = [item("X10", "certificate-list", on="2023-06-05"), *incidents(1, on="2023-08-01")]
    seen = [
        points(told, "X10", p) for p in ("2023-06", "2023-07", "2023-08", "2023-12", "2023-Q3")
    ]
    assert seen == [50_000, 50_000, 40_000, 40_000, 40_000]


def test_a_declared_incident_costs_declared_points_at_once_and_verified_ones_later() -> None:
    told = [item("X10", "certificate-list"), *incidents(1, state="declared")]
    assert row_of(folded(told)).indicators["X10"] == (40_000, 50_000)


def test_g5_counts_one_product_a_quarter() -> None:
    told = [claim("item.recorded", n, indicator="G5", item=f"p{n}") for n in range(3)]
    assert counted(told, "G5", "2023-Q3") == (1, 1)
    assert counted(told, "G5", "2023") == (1, 3)
    assert points(told, "G5", "2023") == 0


def test_p4_adds_its_two_parts() -> None:
    office = DEPARTMENTS[0]
    assigned = claim("item.recorded", indicator="P4", item="members-assigned", unit=office)
    attended = figure("P4", 1, 2, part="attendance", unit=office)
    assert points([assigned], "P4", unit=office) == 20_000
    assert points([attended], "P4", unit=office) == 30_000
    assert points([assigned, attended], "P4", unit=office) == 50_000
    assert points([figure("P4", 1, 2, part="main", unit=office)], "P4", unit=office) == 0


def test_a_claim_of_another_plan_counts_not_here() -> None:
    assert counted([figure("X9", 1, 2, plan="phung-hiep-2023")], "X9") == (1, 2)
    fold = folded([])
    fold.publish(little_plan().model_copy(update={"id": "other"}))
    fold.apply(line(figure("X9", 1, 2, plan="other")))
    seen = {}
    for (plan, _), standings in fold.standings.items():
        standings.refresh()
        seen[plan] = standings.rows[UNIT, "2023-07"].counters["X9"]
    assert seen == {"phung-hiep-2023": (0, 0), "other": (1, 2)}


# --- how months add up, for every `over` --------------------------------------------------------


def with_part(**part: Any) -> Plan:
    """The little plan, its communes judged by one indicator `T` alone."""
    plan = little_plan()
    bloc = plan.bloc("commune")
    assert bloc is not None
    content = {"points": bloc.scale, "measure": {"kind": "figure"}} | part
    only = bloc.indicators[8].model_copy(
        update={"code": "T", "parts": [Part.model_validate(content)]}
    )
    assert isinstance(only, Indicator)
    blocs = [bloc.model_copy(update={"indicators": [only]})]
    units = plan.units_of("commune")
    return plan.model_copy(update={"blocs": blocs, "units": units})


TOLD = [figure("T", 1, 4, period="2023-06"), figure("T", 3, 4, period="2023-08")]


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ("pool", {"2023-06": "0.25", "2023-07": "0", "2023-Q3": "0.75", "2023": "0.5"}),
        ("mean", {"2023-06": "0.25", "2023-07": "0", "2023-Q3": "0.25", "2023": "1/7"}),
        ("to_date", {"2023-06": "0.25", "2023-07": "0.25", "2023-Q3": "0.5", "2023": "0.5"}),
        ("latest", {"2023-06": "0.25", "2023-07": "0.25", "2023-Q3": "0.75", "2023": "0.75"}),
    ],
)
def test_months_add_up_as_the_plan_says(over: str, expected: dict[str, str]) -> None:
    fold = folded(TOLD, with_part(over=over))
    seen = {period: row_of(fold, period).points for period in expected}
    assert seen == {p: rounded(200 * Fraction(s)) for p, s in expected.items()}


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        ({"kind": "proportional", "target": "0.5"}, 200),
        ({"kind": "all_or_nothing", "target": "0.51"}, 0),
        ({"kind": "all_or_nothing", "target": "0.5"}, 200),
        (
            {
                "kind": "bands",
                "bands": [
                    {"at_least": 0, "share": "0.1"},
                    {"at_least": "0.5", "share": "0.6"},
                    {"at_least": "0.51", "share": 1},
                ],
            },
            120,
        ),
    ],
)
@pytest.mark.parametrize("over", ["pool", "to_date"])
def test_every_kind_of_score_works_on_every_kind_of_sum(
    score: Fields, expected: int, over: str
) -> None:
    fold = folded(TOLD, with_part(over=over, score=score))
    assert row_of(fold, "2023").points == expected * 10_000


def test_the_mean_takes_full_marks_for_empty_months_where_the_plan_says_so() -> None:
    fold = folded(TOLD, with_part(over="mean", empty="full"))
    mean = (Fraction(1, 4) + Fraction(3, 4) + 5) / 7
    assert row_of(fold, "2023").points == rounded(200 * mean)


def test_a_distinct_count_may_run_to_date() -> None:
    measure = {"kind": "distinct", "where": {}, "offered_levels": ["full", "partial"]}
    told = [
        dossier(1, received_at="2023-06-05T08:00:00+07:00"),
        dossier(2),
        dossier(3, procedure="2.000822"),
    ]
    fold = folded(told, with_part(over="to_date", measure=measure))
    assert [row_of(fold, p).counters["T"][0] for p in ("2023-06", "2023-07", "2023-12")] == [
        1,
        2,
        2,
    ]


def test_reports_may_run_to_date() -> None:
    measure = {"kind": "reports", "late_share": "0.5"}
    told = [report("2023-06", "2023-06-10"), report("2023-07", "2023-07-20")]
    fold = folded(told, with_part(over="to_date", measure=measure))
    assert [row_of(fold, p).counters["T"] for p in ("2023-06", "2023-07", "2023-08")] == [
        (2, 2),
        (3, 4),
        (3, 6),
    ]


def test_a_count_of_claims_has_its_quota() -> None:
    measure = {
        "kind": "count",
        "of": "article.recorded",
        "where": {"approved": [True]},
        "quota_per_month": 4,
    }
    fold = folded([*articles(2), *articles(2, approved=False)], with_part(measure=measure))
    assert row_of(fold).counters["T"][1] == 4


def test_a_tracked_deduction_without_points_is_shown_and_stops_nobody() -> None:
    measure = {"kind": "deduction", "per_incident": 1, "list_item": "list"}
    part = Part.model_validate({"points": Decimal(0), "measure": measure, "over": "to_date"})
    assert 0 <= share(part, 1, 1) <= 1
