"""The reference plan, as it ships: 167/KH-UBND of Phụng Hiệp district, 2023."""

from datetime import date
from decimal import Decimal

import pytest

from contracts.plan import Bloc, Distinct, Indicator, OverdueDossiers, Plan, Ratio
from tests.support.facts import reference_plan

DOSSIER = "dossier.recorded"


@pytest.fixture(scope="module", name="plan")
def _plan() -> Plan:
    return reference_plan()


def bloc_of(plan: Plan, code: str) -> Bloc:
    bloc = plan.bloc(code)
    assert bloc is not None
    return bloc


def line_of(plan: Plan, bloc: str, code: str) -> Indicator:
    indicator = bloc_of(plan, bloc).indicator(code)
    assert indicator is not None
    return indicator


def test_it_is_the_plan_of_june_to_december_2023(plan: Plan) -> None:
    assert (plan.id, plan.version, plan.decision) == ("phung-hiep-2023", 1, "167/KH-UBND")
    assert (plan.starts_on, plan.ends_on) == (date(2023, 6, 1), date(2023, 12, 31))
    assert (plan.valid_from, plan.valid_to) == (plan.starts_on, plan.ends_on)
    assert len(plan.months) == 7


def test_each_bloc_has_its_indicators_and_its_scale(plan: Plan) -> None:
    codes = {bloc.code: [i.code for i in bloc.scored] for bloc in plan.blocs}
    assert codes["commune"] == [f"X{n}" for n in range(1, 25)]
    assert codes["department"] == [f"P{n}" for n in range(1, 17)]
    assert codes["hamlet"] == ["H1", "H2", "H3"]
    sums = {bloc.code: sum(i.points for i in bloc.scored) for bloc in plan.blocs}
    assert sums == {"commune": 200, "department": 100, "hamlet": 100}
    assert sums == {bloc.code: bloc.scale for bloc in plan.blocs}


def test_the_five_general_criteria_are_only_tracked(plan: Plan) -> None:
    tracked = [i for bloc in plan.blocs for i in bloc.indicators if i.tracked_only]
    assert [i.code for i in tracked] == ["G1", "G2", "G3", "G4", "G5"]
    assert all(i.points == 0 and i in bloc_of(plan, "commune").indicators for i in tracked)


def test_points_are_marked_as_proposed(plan: Plan) -> None:
    for bloc in plan.blocs:
        assert bloc.points_are == "proposed"
        assert bloc.points_note is not None


def test_every_line_cites_the_plan(plan: Plan) -> None:
    clauses = [plan.reporting.clause, *(deadline.clause for deadline in plan.deadlines)]
    for bloc in plan.blocs:
        clauses += [line.clause for line in bloc.indicators]
        clauses += [award.clause for award in bloc.awards]
        clauses += [rule.clause for rule in bloc.exclusions]
    assert all(clause.startswith("167/KH-UBND, ") for clause in clauses)
    assert (
        line_of(plan, "commune", "X8").clause == "167/KH-UBND, tiêu chí 8 đối với xã, thị trấn"
    )


SYSTEM_FIGURES = {"X7", "X8", "X9", "X13", "X19", "X20", "X23", "P6", "P7", "P8", "P9", "P13"}
"""Lines for which the plan asks no evidence: a system knows them."""
SYSTEM_FIGURES |= {"P14", "G1", "G2", "G3", "G4"}
NAMES_PEOPLE = {"X4", "X5", "X6", "X10", "X12", "X17", "P4", "P5", "P10", "P12", "H1", "H2"}


def test_evidence_is_asked_of_every_claim_that_no_system_makes(plan: Plan) -> None:
    lines = [line for bloc in plan.blocs for line in bloc.indicators]
    assert {line.code for line in lines if not line.evidence} == SYSTEM_FIGURES
    named = {line.code for line in lines if any(e.personal_data for e in line.evidence)}
    assert named == NAMES_PEOPLE


PORTAL_FED = {
    "X7": (12, "1"),
    "X8": (15, "0.80"),
    "X13": (10, "1"),
    "X14": (12, "0.50"),
    "X15": (10, "0.80"),
    "X20": (8, "0.98"),
    "P6": (8, "1"),
    "P7": (10, "0.80"),
    "P8": (6, "1"),
    "P14": (6, "0.98"),
    "G1": (0, "1"),
}


def test_the_portal_feeds_these_lines_with_these_targets(plan: Plan) -> None:
    found = {}
    for bloc in plan.blocs:
        for line in bloc.indicators:
            part = line.parts[0]
            if getattr(part.measure, "of", None) == DOSSIER:
                assert part.score.kind == "proportional"
                assert part.over == "pool"
                found[line.code] = int(part.points), part.score.target
    assert found == {code: (n, Decimal(target)) for code, (n, target) in PORTAL_FED.items()}


def test_the_quota_of_online_dossiers_is_sixty_a_month(plan: Plan) -> None:
    measure = line_of(plan, "commune", "X13").parts[0].measure
    assert measure.kind == "count"
    assert (measure.quota_per_month, measure.where) == (60, {"channel": ["online"]})


@pytest.mark.parametrize(("bloc", "code"), [("commune", "X7"), ("department", "P6")])
def test_the_distinct_count_is_of_online_services(plan: Plan, bloc: str, code: str) -> None:
    measure = line_of(plan, bloc, code).parts[0].measure
    assert measure == Distinct(
        kind="distinct",
        where={"service_level": ["full", "partial"], "channel": ["online"]},
        offered_levels=["full", "partial"],
    )
    assert plan.offered("31399", ["full", "partial"]) == 32


def test_satisfaction_counts_the_two_kinds_words(plan: Plan) -> None:
    assert line_of(plan, "commune", "X20").parts[0].measure == Ratio(
        kind="ratio",
        where={"satisfaction": ["very_satisfied", "satisfied", "dissatisfied"]},
        numerator={"satisfaction": ["very_satisfied", "satisfied"]},
    )


def test_procedures_do_not_apply_to_unions_and_telecoms(plan: Plan) -> None:
    lines = bloc_of(plan, "department").indicators
    assert [i.code for i in lines if i.not_for] == ["P6", "P7", "P8", "P14"]
    spared = [u.name.vi for u in plan.units_of("department") if "no_procedures" in u.traits]
    assert {"Hội LHPN", "LĐLĐ", "VNPT", "Viettel", "Mobifone", "Ủy ban MTTQ"} <= set(spared)
    assert len(spared) == 10


def test_awards_stand_at_their_thresholds(plan: Plan) -> None:
    bands = {
        bloc.code: [
            (a.code, a.places, int(a.at_least), a.below and int(a.below)) for a in bloc.awards
        ]
        for bloc in plan.blocs
    }
    top = ("first", "second", "third")
    assert bands["commune"] == [
        *((code, 1, 180, None) for code in top),
        ("encouragement", 2, 160, 180),
    ]
    assert bands["department"] == [
        *((code, 1, 85, None) for code in top),
        ("encouragement", 0, 70, 85),
    ]
    assert bands["hamlet"] == []


def test_awards_cost_at_most_26_and_12_million(plan: Plan) -> None:
    cost = {b.code: sum(a.places * a.prize.money for a in b.awards) for b in plan.blocs}
    assert cost == {"commune": 26_000_000, "department": 12_000_000, "hamlet": 0}
    prizes = [a.prize for a in bloc_of(plan, "commune").awards]
    assert [p.bonus_points for p in prizes] == [10, 7, 6, 2]
    assert [p.individuals for p in prizes] == [10, 7, 5, 3]
    assert bloc_of(plan, "commune").other_units.individuals == 2


def test_exclusions_are_two_overdue_dossiers_or_three_days(plan: Plan) -> None:
    for code in ("commune", "department"):
        overdue, late = bloc_of(plan, code).exclusions
        assert isinstance(overdue, OverdueDossiers)
        assert (overdue.at_least, overdue.where) == (2, {"service_level": ["full", "partial"]})
        assert late.kind == "late_report"
        assert late.days == 3


def test_the_last_report_is_due_before_the_award_dossier(plan: Plan) -> None:
    due = {d.code: d.on for d in plan.deadlines}
    assert plan.report_due_on("2023-07") == date(2023, 7, 14)
    assert due["award-dossier"] == date(2024, 1, 5)
    assert plan.report_due_on("2023-12") < due["award-dossier"]


def test_what_the_plan_leaves_open_is_a_decision_item(plan: Plan) -> None:
    items = {b.code: {i.code: i.criteria for i in b.decision_items} for b in plan.blocs}
    assert items["commune"]["tie-at-boundary"] == ["X8", "X14", "X20"]
    assert set(items["commune"]) == {
        "tie-at-boundary",
        "fourth-above-threshold",
        "fewer-than-three",
        "excluded-units-individuals",
    }
    assert {"encouragement-without-prize", "ten-individuals"} <= set(items["department"])


def test_units_stand_by_code_and_hamlets_belong_to_communes(plan: Plan) -> None:
    assert [len(plan.units_of(b.code)) for b in plan.blocs] == [15, 20, 45]
    unit = plan.unit("31399")
    assert unit is not None
    assert unit.name.vi == "Xã Tân Bình"
    communes = {u.code for u in plan.units_of("commune")}
    for hamlet in plan.units_of("hamlet"):
        assert hamlet.parent in communes
        assert hamlet.code.startswith(f"{hamlet.parent}-H")


def test_the_catalogue_is_offered_by_everybody(plan: Plan) -> None:
    assert len(plan.catalogue) == 40
    assert all(p.units is None for p in plan.catalogue)
    assert sum(p.fee_due for p in plan.catalogue) == 26


def test_a_changed_copy_knows_its_own_units_and_months(plan: Plan) -> None:
    assert plan.unit("31399") is not None
    assert len(plan.units_of("commune")) == 15
    assert len(plan.months) == 7
    fewer = plan.model_copy(
        update={"units": plan.units_of("department"), "ends_on": date(2023, 9, 30)}
    )
    assert fewer.unit("31399") is None
    assert fewer.units_of("commune") == []
    assert len(fewer.months) == 4
    assert len(plan.units_of("commune")) == 15
