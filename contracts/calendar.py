"""Local dates and the periods of a competition: months, quarters, years, ISO weeks."""

import re
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Annotated

from pydantic import StringConstraints

LOCAL = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")
"""Việt Nam keeps UTC+7 all year."""

_OFFSET = timedelta(hours=7)
PERIOD_PATTERN = r"^[0-9]{4}(-(0[1-9]|1[0-2])|-Q[1-4])?$"
MONTH_PATTERN = r"^[0-9]{4}-(0[1-9]|1[0-2])$"

PeriodCode = Annotated[str, StringConstraints(pattern=PERIOD_PATTERN)]
"""`2023`, `2023-Q3` or `2023-07`."""
MonthCode = Annotated[str, StringConstraints(pattern=MONTH_PATTERN)]
"""`2023-07`."""


def local_date(instant: datetime) -> date:
    """The date in Việt Nam at this aware instant."""
    if instant.utcoffset() == _OFFSET:
        return instant.date()
    try:
        return instant.astimezone(LOCAL).date()
    except OverflowError:
        return instant.date()


@lru_cache(maxsize=4096)
def month_of(day: date) -> str:
    """`2023-07` for any day of July 2023."""
    return f"{day.year:04d}-{day.month:02d}"


@lru_cache(maxsize=512)
def quarter_of(month: str) -> str:
    """`2023-Q3` for `2023-07`."""
    return f"{month[:4]}-Q{(int(month[5:]) + 2) // 3}"


@lru_cache(maxsize=512)
def months_between(first: date, last: date) -> tuple[str, ...]:
    """All calendar months from the one of `first` to the one of `last`, in order."""
    start, end = first.year * 12 + first.month - 1, last.year * 12 + last.month - 1
    return tuple(f"{n // 12:04d}-{n % 12 + 1:02d}" for n in range(start, end + 1))


@lru_cache(maxsize=4096)
def months_of(period: str, competition: tuple[str, ...]) -> tuple[str, ...]:
    """The competition's months that lie in the period, in order."""
    if not re.fullmatch(PERIOD_PATTERN, period):
        raise ValueError(f"not a period: {period!r}; write 2023, 2023-Q3 or 2023-07")
    if "Q" in period:
        return tuple(m for m in competition if quarter_of(m) == period)
    return tuple(m for m in competition if m.startswith(period))


@lru_cache(maxsize=512)
def periods_of(month: str) -> tuple[str, str, str]:
    """The month itself, its quarter, its year."""
    return month, quarter_of(month), month[:4]


@lru_cache(maxsize=512)
def all_periods(competition: tuple[str, ...]) -> tuple[str, ...]:
    """Years, then quarters, then months of the competition, each in order."""
    years = dict.fromkeys(m[:4] for m in competition)
    quarters = dict.fromkeys(quarter_of(m) for m in competition)
    return (*years, *quarters, *competition)


def is_year(period: str) -> bool:
    """Whether a period is a whole year: `2023`."""
    return period.isdigit()


@lru_cache(maxsize=512)
def is_month(period: str) -> bool:
    """Whether a period is a single month: `2023-07`."""
    return not is_year(period) and "Q" not in period


def last_month_of(period: str, competition: tuple[str, ...]) -> str | None:
    """The last month of the competition that lies in the period; None when none does."""
    months = months_of(period, competition)
    return months[-1] if months else None


@lru_cache(maxsize=4096)
def so_far(period: str, competition: tuple[str, ...]) -> tuple[str, ...]:
    """The competition's months up to the end of the period; none where it lies outside."""
    end = last_month_of(period, competition)
    return () if end is None else tuple(m for m in competition if m <= end)


def last_day_of(month: str) -> date:
    """The last day of a month such as `2023-07`."""
    year, number = int(month[:4]), int(month[5:])
    return date(year + number // 12, number % 12 + 1, 1) - timedelta(days=1)


@lru_cache(maxsize=4096)
def week_of(day: date) -> date:
    """The Monday of the ISO week that holds the day."""
    return day - timedelta(days=day.weekday())


@lru_cache(maxsize=4096)
def weeks_in(months: tuple[str, ...], starts_on: date, ends_on: date) -> int:
    """How many ISO weeks begin in these months and inside the competition."""
    if not months:
        return 0
    wanted = frozenset(months)
    monday = starts_on + timedelta(days=-starts_on.weekday() % 7)
    count = 0
    while monday <= ends_on:
        count += month_of(monday) in wanted
        monday += timedelta(days=7)
    return count


def local_midnight(day: date) -> datetime:
    """The instant at which the local day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=LOCAL)
