"""Local dates, months, quarters, weeks: at every edge."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from contracts.calendar import (
    LOCAL,
    all_periods,
    last_day_of,
    last_month_of,
    local_date,
    local_midnight,
    month_of,
    months_between,
    months_of,
    periods_of,
    quarter_of,
    week_of,
    weeks_in,
)

STARTS, ENDS = date(2023, 6, 1), date(2023, 12, 31)
MONTHS = months_between(STARTS, ENDS)


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2023-06-30T23:59:59+07:00", date(2023, 6, 30)),
        ("2023-06-30T23:59:59.999999+07:00", date(2023, 6, 30)),
        ("2023-07-01T00:00:00+07:00", date(2023, 7, 1)),
        ("2023-06-30T16:59:59+00:00", date(2023, 6, 30)),
        ("2023-06-30T17:00:00+00:00", date(2023, 7, 1)),
        ("2023-06-30T17:00:00Z", date(2023, 7, 1)),
        ("2023-07-01T06:59:59+14:00", date(2023, 6, 30)),
        ("2023-07-01T07:00:00+14:00", date(2023, 7, 1)),
        ("2023-06-30T05:00:00-12:00", date(2023, 7, 1)),
        ("2023-12-31T17:00:00Z", date(2024, 1, 1)),
    ],
)
def test_the_local_date_changes_at_midnight_in_viet_nam(written: str, day: date) -> None:
    assert local_date(datetime.fromisoformat(written)) == day


def test_another_zone_with_the_same_offset_has_the_same_date() -> None:
    bangkok = timezone(timedelta(hours=7), "Asia/Bangkok")
    assert local_date(datetime(2023, 7, 1, tzinfo=bangkok)) == date(2023, 7, 1)


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("9999-12-31T16:59:59Z", date(9999, 12, 31)),
        ("9999-12-31T23:59:59Z", date(9999, 12, 31)),
        ("0001-01-01T00:00:00+14:00", date(1, 1, 1)),
    ],
)
def test_a_moment_at_the_end_of_all_calendars_has_a_date(written: str, day: date) -> None:
    assert local_date(datetime.fromisoformat(written)) == day


def test_local_midnight_is_the_first_moment_of_the_day() -> None:
    midnight = local_midnight(date(2023, 7, 1))
    assert midnight == datetime(2023, 6, 30, 17, tzinfo=UTC)
    assert local_date(midnight) == date(2023, 7, 1)
    assert local_date(midnight - timedelta(microseconds=1)) == date(2023, 6, 30)
    assert LOCAL.utcoffset(None) == timedelta(hours=7)


def test_months_run_from_the_first_days_to_the_last_ones() -> None:
    assert tuple(f"2023-{n:02d}" for n in range(6, 13)) == MONTHS
    assert months_between(date(2023, 11, 30), date(2024, 2, 1)) == (
        "2023-11",
        "2023-12",
        "2024-01",
        "2024-02",
    )
    assert months_between(date(2023, 7, 31), date(2023, 7, 1)) == ("2023-07",)
    assert months_between(date(2023, 8, 1), date(2023, 7, 31)) == ()


@pytest.mark.parametrize(
    ("month", "quarter"),
    [
        ("2023-01", "2023-Q1"),
        ("2023-03", "2023-Q1"),
        ("2023-04", "2023-Q2"),
        ("2023-12", "2023-Q4"),
    ],
)
def test_a_month_has_its_quarter(month: str, quarter: str) -> None:
    assert quarter_of(month) == quarter
    assert periods_of(month) == (month, quarter, "2023")


@pytest.mark.parametrize(
    ("period", "months"),
    [
        ("2023", MONTHS),
        ("2022", ()),
        ("2024", ()),
        ("2023-Q1", ()),
        ("2023-Q2", ("2023-06",)),
        ("2023-Q3", ("2023-07", "2023-08", "2023-09")),
        ("2023-Q4", ("2023-10", "2023-11", "2023-12")),
        ("2023-06", ("2023-06",)),
        ("2023-05", ()),
        ("2024-01", ()),
    ],
)
def test_a_period_has_the_months_that_the_competition_has(
    period: str, months: tuple[str, ...]
) -> None:
    assert months_of(period, MONTHS) == months
    assert last_month_of(period, MONTHS) == (months[-1] if months else None)


@pytest.mark.parametrize(
    "wrong", ["", "2023-13", "2023-00", "2023-Q5", "2023-Q0", "23", "2023-7", "2023-Q3\n"]
)
def test_what_is_no_period_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="not a period"):
        months_of(wrong, MONTHS)


def test_all_periods_are_years_then_quarters_then_months() -> None:
    assert all_periods(MONTHS) == ("2023", "2023-Q2", "2023-Q3", "2023-Q4", *MONTHS)
    over_new_year = months_between(date(2023, 12, 1), date(2024, 1, 31))
    assert all_periods(over_new_year) == (
        "2023",
        "2024",
        "2023-Q4",
        "2024-Q1",
        "2023-12",
        "2024-01",
    )


@pytest.mark.parametrize(
    ("month", "day"),
    [("2023-02", 28), ("2024-02", 29), ("2023-06", 30), ("2023-07", 31), ("2023-12", 31)],
)
def test_a_month_has_its_last_day(month: str, day: int) -> None:
    last = last_day_of(month)
    assert (month_of(last), last.day) == (month, day)
    assert month_of(last + timedelta(days=1)) != month


@pytest.mark.parametrize(
    ("day", "monday"),
    [
        (date(2023, 7, 2), date(2023, 6, 26)),
        (date(2023, 7, 3), date(2023, 7, 3)),
        (date(2023, 7, 9), date(2023, 7, 3)),
        (date(2024, 1, 1), date(2024, 1, 1)),
        (date(2023, 12, 31), date(2023, 12, 25)),
    ],
)
def test_a_week_runs_from_monday_to_sunday(day: date, monday: date) -> None:
    assert week_of(day) == monday


@pytest.mark.parametrize(
    ("months", "weeks"),
    [
        (("2023-06",), 4),
        (("2023-07",), 5),
        (("2023-08",), 4),
        (("2023-07", "2023-08", "2023-09"), 13),
        (("2023-12",), 4),
        (MONTHS, 30),
        ((), 0),
    ],
)
def test_weeks_are_those_that_begin_in_the_period(months: tuple[str, ...], weeks: int) -> None:
    """The competition's first Monday is 2023-06-05, its last one 2023-12-25."""
    assert weeks_in(months, STARTS, ENDS) == weeks


def test_a_competition_that_begins_on_a_monday_counts_that_week() -> None:
    assert weeks_in(("2023-07",), date(2023, 7, 3), date(2023, 7, 3)) == 1
    assert weeks_in(("2023-07",), date(2023, 7, 4), date(2023, 7, 9)) == 0
