"""Exclusions, at each boundary: overdue dossiers of a month, monthly reports days late, and what a period looks at."""

from datetime import date, timedelta

import pytest

from contracts.events import Exclusion
from services.scoring.domain.fold import Fold
from tests.support.facts import (
    COMMUNES,
    DEPARTMENTS,
    FIRST_DAY,
    HAMLET,
    ROOMY,
    Fields,
    claim,
    dossier,
    folded,
    line,
    reference_plan,
    row_of,
)

OVERDUE, LATE = "two-overdue-dossiers", "report-three-days-late"
UNIT = COMMUNES[0]


def promised(number: int, **changed: object) -> Fields:
    """A dossier promised for 2023-07-10 and finished a day late."""
    late = {"due_at": "2023-07-10T17:00:00+07:00", "finished_at": "2023-07-11T08:00:00+07:00"}
    return dossier(number, **{"status": "returned", **late, **changed})


def found(fold: Fold, rule: str, period: str = "2023", unit: str = UNIT) -> list[Exclusion]:
    return [e for e in row_of(fold, period, unit).exclusions if e.rule == rule]


def in_time(unit: str = UNIT) -> list[Fields]:
    """All monthly reports, received on the last day in time."""
    return [
        claim(
            "report.received",
            f"{unit}-{m}",
            unit=unit,
            month=m,
            received_at=f"{m}-14T23:59:59+07:00",
        )
        for m in reference_plan().months
    ]


def test_one_overdue_dossier_in_a_month_excludes_nobody() -> None:
    fold = folded([promised(1), *in_time()])
    assert row_of(fold, "2023").exclusions == []
    assert row_of(fold, "2023").eligible


def test_a_second_overdue_dossier_in_a_month_excludes_the_unit() -> None:
    fold = folded([promised(1), promised(2), *in_time()])
    (exclusion,) = row_of(fold, "2023").exclusions
    facts = ["dvc.haugiang H30-1", "dvc.haugiang H30-2"]
    assert exclusion == Exclusion(rule=OVERDUE, month="2023-07", facts=facts, count=2)
    assert not row_of(fold, "2023").eligible


def test_two_overdue_dossiers_in_two_months_exclude_nobody() -> None:
    august = {"due_at": "2023-08-01T00:00:00+07:00", "finished_at": "2023-08-02T00:00:00+07:00"}
    assert found(folded([promised(1), promised(2, **august)]), OVERDUE) == []


def test_an_exclusion_changes_no_score() -> None:
    clean = {"finished_at": "2023-07-10T23:59:59+07:00"}
    late, punctual = (
        folded([promised(1), promised(2)]),
        folded([promised(1, **clean), promised(2, **clean)]),
    )
    assert found(late, OVERDUE) != []
    assert found(punctual, OVERDUE) == []
    assert row_of(late).indicators == row_of(punctual).indicators


@pytest.mark.parametrize(
    ("finished_at", "excluded"),
    [
        ("2023-07-10T23:59:59+07:00", False),
        ("2023-07-10T16:59:59Z", False),
        ("2023-07-11T00:00:00+07:00", True),
        ("2023-07-10T17:00:00Z", True),
    ],
)
def test_overdue_is_judged_by_local_dates_not_times(
    finished_at: str, *, excluded: bool
) -> None:
    fold = folded([promised(n, finished_at=finished_at) for n in (1, 2)])
    assert bool(found(fold, OVERDUE)) is excluded


@pytest.mark.parametrize(
    ("today", "excluded"),
    [(date(2023, 7, 9), False), (date(2023, 7, 10), False), (date(2023, 7, 11), True)],
)
def test_an_open_dossier_falls_overdue_the_day_after_its_promise(
    today: date, *, excluded: bool
) -> None:
    fold = folded([promised(n, finished_at=None) for n in (1, 2)], today=today)
    assert bool(found(fold, OVERDUE)) is excluded


def test_time_alone_makes_an_open_dossier_overdue() -> None:
    fold = folded([promised(n, finished_at=None) for n in (1, 2)], today=date(2023, 7, 10))
    assert found(fold, OVERDUE) == []
    assert fold.advance(date(2023, 7, 11))
    assert found(fold, OVERDUE)[0].count == 2


def test_a_promise_that_was_moved_lifts_the_exclusion() -> None:
    fold = folded([promised(n, finished_at=None) for n in (1, 2)], today=date(2023, 7, 20))
    assert found(fold, OVERDUE) != []
    moved = promised(2, version=2, due_at="2023-07-20T17:00:00+07:00", finished_at=None)
    fold.apply(line(moved))
    assert found(fold, OVERDUE) == []
    fold.advance(date(2023, 7, 21))
    assert found(fold, OVERDUE) != []


def test_an_early_finish_takes_a_waiting_dossier_out_for_good() -> None:
    fold = folded([promised(n, finished_at=None) for n in (1, 2)], today=date(2023, 7, 1))
    fold.apply(line(promised(2, version=2, finished_at="2023-07-09T08:00:00+07:00")))
    fold.advance(ROOMY)
    assert found(fold, OVERDUE) == []


@pytest.mark.parametrize("status", ["registered", "refused", "withdrawn"])
def test_a_dossier_not_accepted_is_never_overdue(status: str) -> None:
    assert found(folded([promised(1), promised(2, status="suspended")]), OVERDUE) != []
    assert found(folded([promised(1), promised(2, status=status)]), OVERDUE) == []


@pytest.mark.parametrize(
    ("level", "procedure", "excluded"),
    [
        ("full", "2.000815", True),
        ("partial", "2.000815", True),
        ("information", "2.000815", False),
        (None, "2.000815", True),
        (None, "2.000843", False),
        (None, "0.000000", False),
    ],
)
def test_only_online_services_count_and_the_catalogue_knows_their_level(
    level: str | None, procedure: str, *, excluded: bool
) -> None:
    fold = folded([promised(n, service_level=level, procedure=procedure) for n in (1, 2)])
    assert bool(found(fold, OVERDUE)) is excluded


def test_it_counts_in_the_month_of_the_promise_not_of_receipt() -> None:
    june = {"received_at": "2023-05-02T08:00:00+07:00", "due_at": "2023-06-30T23:00:00+07:00"}
    fold = folded([promised(1, **june), promised(2, **june)])
    assert [e.month for e in found(fold, OVERDUE)] == ["2023-06"]
    assert row_of(fold, "2023-06").counters["X8"] == (0, 0)


@pytest.mark.parametrize(
    ("due_at", "month"),
    [
        ("2023-05-31T23:59:59+07:00", None),
        ("2023-05-31T17:00:00Z", "2023-06"),
        ("2023-12-31T16:59:59Z", "2023-12"),
        ("2024-01-01T00:00:00+07:00", None),
    ],
)
def test_promises_outside_the_competition_do_not_count(due_at: str, month: str | None) -> None:
    events = [
        promised(n, due_at=due_at, finished_at="2024-02-01T08:00:00+07:00") for n in (1, 2)
    ]
    assert [e.month for e in found(folded(events), OVERDUE)] == (
        [] if month is None else [month]
    )


def test_twenty_causes_are_named_and_all_are_counted() -> None:
    (exclusion,) = found(folded([promised(n) for n in range(25)]), OVERDUE)
    assert exclusion.count == 25
    assert exclusion.facts == sorted(f"dvc.haugiang H30-{n}" for n in range(25))[:20]


@pytest.mark.parametrize(
    ("received_at", "days"),
    [
        ("2023-07-01T08:00:00+07:00", None),
        ("2023-07-14T23:59:59+07:00", None),
        ("2023-07-15T00:00:00+07:00", None),
        ("2023-07-16T23:59:59+07:00", None),
        ("2023-07-16T16:59:59Z", None),
        ("2023-07-17T00:00:00+07:00", 3),
        ("2023-07-16T17:00:00Z", 3),
        ("2023-08-01T08:00:00+07:00", 18),
    ],
)
def test_a_report_received_three_days_late_excludes(received_at: str, days: int | None) -> None:
    """The last day in time is the 14th: one, two, then three days late."""
    reports = [r for r in in_time() if r["month"] != "2023-07"]
    late = claim("report.received", "july", month="2023-07", received_at=received_at)
    assert [e.count for e in found(folded([*reports, late]), LATE)] == (
        [] if days is None else [days]
    )
    if days is not None:
        (exclusion,) = found(folded([*reports, late]), LATE)
        assert exclusion.facts == ["thidua.office report.received july"]
        assert exclusion.month == "2023-07"


@pytest.mark.parametrize(
    ("today", "count"), [(14, None), (15, None), (16, None), (17, 3), (18, 4)]
)
def test_a_report_still_missing_excludes_from_the_third_day_on(
    today: int, count: int | None
) -> None:
    reports = [r for r in in_time() if r["month"] == "2023-06"]
    fold = folded(reports, today=date(2023, 7, today))
    assert [e.count for e in found(fold, LATE)] == ([] if count is None else [count])
    assert all(e.facts == [] for e in found(fold, LATE))


def test_a_missing_report_grows_late_by_the_clock_alone() -> None:
    fold = folded([], today=FIRST_DAY)
    assert found(fold, LATE) == []
    fold.advance(date(2023, 6, 16))
    assert found(fold, LATE) == []
    fold.advance(date(2023, 6, 17))
    assert [(e.month, e.count) for e in found(fold, LATE)] == [("2023-06", 3)]


def test_of_several_reports_for_a_month_the_first_decides() -> None:
    reports = [r for r in in_time() if r["month"] != "2023-07"]
    late = claim(
        "report.received", "late", month="2023-07", received_at="2023-07-20T08:00:00+07:00"
    )
    early = claim(
        "report.received", "early", month="2023-07", received_at="2023-07-13T08:00:00+07:00"
    )
    assert found(folded([*reports, late, early]), LATE) == []
    assert found(folded([*reports, late]), LATE) != []


def test_a_rejected_report_is_missing_and_a_declared_one_is_not() -> None:
    declared = [r | {"state": "declared"} for r in in_time()]
    assert found(folded(declared), LATE) == []
    july = next(r for r in declared if r["month"] == "2023-07")
    fold = folded([*declared, july | {"version": 2, "state": "rejected"}])
    assert [e.month for e in found(fold, LATE)] == ["2023-07"]


def test_hamlets_owe_no_report_and_departments_do() -> None:
    fold = folded([])
    assert found(fold, LATE, unit=HAMLET) == []
    assert len(found(fold, LATE, unit=DEPARTMENTS[0])) == 7


def test_a_quarter_looks_at_its_months_and_the_year_at_all() -> None:
    fold = folded([promised(1), promised(2), *in_time()])
    seen = {
        p: bool(row_of(fold, p).exclusions)
        for p in ("2023-06", "2023-07", "2023-Q2", "2023-Q3", "2023-Q4", "2023")
    }
    assert seen == {
        "2023-06": False,
        "2023-07": True,
        "2023-Q2": False,
        "2023-Q3": True,
        "2023-Q4": False,
        "2023": True,
    }


def test_december_may_still_fall_late_after_the_competition() -> None:
    reports = [r for r in in_time() if r["month"] != "2023-12"]
    last = reference_plan().report_due_on("2023-12")
    assert found(folded(reports, today=last + timedelta(days=2)), LATE) == []
    assert found(folded(reports, today=last + timedelta(days=3)), LATE) != []


def lifted(state: str = "verified", **changed: object) -> Fields:
    return claim("exclusion.lifted", state=state, **changed)


def test_a_lifted_exclusion_no_longer_excludes_and_stays_visible_with_its_reason() -> None:
    late = [promised(1), promised(2), *in_time()]
    assert not row_of(folded(late), "2023-07").eligible
    row = row_of(folded([lifted(), *late]), "2023-07")
    assert row.eligible
    assert [(e.rule, e.count, e.reason) for e in row.lifted] == [
        ("two-overdue-dossiers", 2, "portal-outage")
    ]
    assert row.exclusions == []


@pytest.mark.parametrize(
    "claimed",
    [
        lifted("declared"),
        lifted("rejected", version=2),
        lifted(month="2023-08"),
        lifted(rule="report-three-days-late"),
        lifted(unit=COMMUNES[1]),
    ],
    ids=["declared only", "taken back", "another month", "another rule", "another unit"],
)
def test_what_was_not_decided_for_this_exclusion_lifts_nothing(claimed: Fields) -> None:
    late = [promised(1), promised(2), *in_time()]
    assert row_of(folded([*late, lifted()]), "2023-07").eligible
    before = [lifted()] if claimed["state"] == "rejected" else []
    assert not row_of(folded([*late, *before, claimed]), "2023-07").eligible
