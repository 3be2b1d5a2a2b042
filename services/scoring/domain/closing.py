"""Which periods are due to be closed, and as of which instant. Pure: a plan and a date in, instants out."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from contracts.calendar import all_periods, is_month, last_day_of, last_month_of, local_midnight
from contracts.plan import Plan, in_force


def last_day(plan: Plan, period: str) -> date | None:
    """The period's last day in the competition; None when it lies outside."""
    month = last_month_of(period, plan.months)
    return None if month is None else min(last_day_of(month), plan.ends_on)


def closes_at(plan: Plan, period: str) -> datetime | None:
    """The instant as of which the date closes a quarter or a year; None: by hand only, as every month.

    It is the midnight that ends the grace after the period's last day.
    """
    day = last_day(plan, period)
    if plan.closing is None or day is None or is_month(period):
        return None
    return local_midnight(day + timedelta(days=plan.closing.grace_days + 1))


def due(versions: Iterable[Plan], now: datetime) -> Iterator[tuple[Plan, str, datetime]]:
    """(version in force, period, instant) of every quarter and year of a plan whose time has come, earliest first."""
    known = list(versions)
    months = max(known, key=lambda plan: plan.version).months
    found = []
    for period in all_periods(months):
        plan = in_force(known, period)
        instant = closes_at(plan, period)
        if instant is not None and instant <= now:
            found.append((plan, period, instant))
    yield from sorted(found, key=lambda one: (one[2], len(one[1]) == len("2023"), one[1]))
