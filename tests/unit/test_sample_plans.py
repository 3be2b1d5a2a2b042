"""The two other plans that ship, of different kinds: they pass the linter, and a handful of events score as by hand."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from contracts.plan import Plan
from contracts.plan_lint import lint
from services.plan_files import read_plan
from services.scoring.domain.fold import Fold
from services.scoring.shadow import shadow_standings
from tests.support.facts import ROOMY, Fields, claim, dossier, folded, lines, row_of

PLANS = Path(__file__).parents[2] / "deploy" / "plans"
EVERY = sorted(path.name for path in PLANS.iterdir() if path.is_dir())


@cache
def plan(name: str) -> Plan:
    return read_plan(PLANS / name)


def points(fold: Fold, unit: str, period: str) -> dict[str, int]:
    """Points of each indicator and their `total`, in ten-thousandths."""
    row = row_of(fold, period, unit)
    return {code: found[0] for code, found in row.indicators.items()} | {"total": row.points}


@pytest.mark.parametrize("name", EVERY)
def test_every_plan_that_ships_may_be_published(name: str) -> None:
    assert lint(plan(name)) == []
    assert plan(name).id == name


def test_they_are_of_three_different_kinds() -> None:
    kinds = {
        name: {
            (part.measure.kind, part.score.kind)
            for bloc in plan(name).blocs
            for line in bloc.indicators
            for part in line.parts
        }
        for name in EVERY
    }
    assert len(EVERY) == 3
    assert ("figure", "all_or_nothing") in kinds["bo-mau-2026"]
    assert {kind for kind, _ in kinds["truong-hoc-mau-2026"]} >= {
        "tally",
        "deduction",
        "capped",
    }


def report(unit: str, month: str, day: int) -> Fields:
    received = f"{month}-{day:02}T09:00:00+07:00"
    return claim(
        "report.received", f"{unit}:{month}", unit=unit, month=month, received_at=received
    )


def figure(unit: str, code: str, numerator: int, denominator: int, period: str) -> Fields:
    return claim(
        "figure.reported", f"{unit}:{code}", unit=unit, indicator=code, period=period,
        numerator=numerator, denominator=denominator,
    )  # fmt: skip


def item(unit: str, code: str, name: str) -> Fields:
    return claim(
        "item.recorded", f"{unit}:{code}:{name}", unit=unit, indicator=code, item=name,
        done=True, on="2026-02-10",
    )  # fmt: skip


def filed(number: int, **changed: Any) -> Fields:
    day = {
        "received_at": "2026-02-10T08:30:00+07:00",
        "occurred_at": "2026-02-10T08:30:00+07:00",
    }
    return dossier(number, **({"unit": "C01", "procedure": "1.900001"} | day | changed))


def test_an_agency_of_the_ministry_in_the_first_quarter() -> None:
    told = [
        filed(1, digitised=True, fee_due=True, paid_online=True),
        filed(2, digitised=True, fee_due=True, paid_online=False),
        filed(3, digitised=False, fee_due=False),
        filed(4, digitised=False, fee_due=False, channel="counter"),
        report("C01", "2026-01", 25),
        report("C01", "2026-02", 26),
        figure("C01", "C6", 18, 20, "2026-03"),
    ]
    fold = folded(told, plan("bo-mau-2026"))
    assert points(fold, "C01", "2026-Q1") == {
        "C1": 75_000,  # January on time, February a day late, March missing: 1.5 of 3, of 15
        "C2": 208_333,  # 3 of 4 online over 90 %: 0.8333…, of 25
        "C3": 100_000,  # 2 of 4, of 20
        "C4": 125_000,  # 1 of 2 over 60 %: 0.8333…, of 15
        "C5": 100_000,  # nobody was asked
        "C6": 75_000,  # 90 %: the middle band, half of 15
        "total": 683_333,
    }


def test_departments_of_the_ministry_with_and_without_drafts_of_law() -> None:
    told = [
        figure("V02", "T2", 19, 20, "2026-03"),
        figure("V02", "T3", 3, 4, "2026-03"),
        figure("V02", "T4", 979, 1000, "2026-03"),
        item("V02", "T5", "plan"),
        figure("V05", "T2", 19, 20, "2026-03") | {"id": "other"},
    ]
    fold = folded(told, plan("bo-mau-2026"))
    assert points(fold, "V02", "2026-Q1") == {
        "T1": 0,
        "T2": 300_000,  # exactly 95 %
        "T3": 150_000,  # 75 %, of 20
        "T4": 0,  # 97.9 %: all or nothing
        "T5": 50_000,  # one thing of three, of 15
        "total": 500_000,
    }
    # 30 of the 80 points that apply: 37.5 of 100.
    assert points(fold, "V05", "2026-Q1")["total"] == 375_000
    assert "T3" not in points(fold, "V05", "2026-Q1")


def article(number: int, on: str) -> Fields:
    return claim(
        "article.recorded", f"TH01:{number}", unit="TH01", sent_on=on, published_on=on
    )  # fmt: skip


def feedback(number: int, answered: str) -> Fields:
    return claim(
        "feedback.recorded", f"TH01:{number}", unit="TH01",
        received_on="2026-02-03", due_on="2026-02-10", answered_on=answered,
    )  # fmt: skip


SCHOOL = [
    item("TH01", "S1", "plan"),
    figure("TH01", "S2", 450, 500, "2026-03"),
    figure("TH01", "S3", 60, 100, "2026-03"),
    figure("TH01", "S4", 27, 30, "2026-03"),
    *[article(n, f"2026-01-{n + 10}") for n in range(3)],
    article(4, "2026-02-11"),
    claim("tally.reported", "TH01:S6", unit="TH01", indicator="S6", period="2026-03", value=2),
    item("TH01", "S7", "safety-list"),
    claim("incident.recorded", "TH01:1", unit="TH01", indicator="S7", on="2026-02-19"),
    feedback(1, "2026-02-10"),
    feedback(2, "2026-02-11"),
    figure("TH05", "S2", 300, 300, "2026-03"),
]


def test_a_school_in_the_first_quarter() -> None:
    fold = folded(SCHOOL, plan("truong-hoc-mau-2026"))
    assert points(fold, "TH01", "2026-Q1") == {
        "S1": 50_000,  # weight 2 of 4, of 10
        "S2": 180_000,  # 90 %, of 20
        "S3": 112_500,  # 60 % over 80 %, of 15
        "S4": 150_000,  # exactly 90 %
        "S5": 50_000,  # January 3, of which 2 count, February 1: 3 of 6, of 10
        "S6": 66_667,  # 2 of 3, of 10, half up
        "S7": 80_000,  # the list was sent; one incident
        "S8": 50_000,  # one of two in time
        "total": 739_167,
    }


def test_a_school_that_collects_no_money_is_judged_by_the_rest() -> None:
    found = points(folded(SCHOOL, plan("truong-hoc-mau-2026")), "TH05", "2026-Q1")
    # 85 points apply: 20 and the 10 for no feedback, each times 100/85.
    assert found["S2"] == 235_294
    assert found["S8"] == 117_647
    assert found["total"] == 352_941
    assert "S3" not in found


def test_the_second_calculator_says_the_same() -> None:
    rows = shadow_standings(plan("truong-hoc-mau-2026"), lines(SCHOOL), ROOMY)
    fold = folded(SCHOOL, plan("truong-hoc-mau-2026"))
    for unit in ("TH01", "TH02", "TH05"):
        assert rows[unit, "2026-Q1"].points == points(fold, unit, "2026-Q1")["total"]
