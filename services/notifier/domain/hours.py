"""Working hours: how long somebody had to react."""

from datetime import datetime, timedelta

from contracts.calendar import local_date
from contracts.plan import Alerts
from contracts.workdays import WorkDays
from services.notifier.domain.due import at_time


def after_working_hours(
    start: datetime, hours: int, alerts: Alerts, days: WorkDays
) -> datetime:
    """The moment at which so many working hours have passed since `start`."""
    left = timedelta(hours=hours)
    day = local_date(start)
    while True:
        begin, end = at_time(day, alerts.work_from), at_time(day, alerts.work_to)
        begin = max(begin, start)
        if days.is_working(day) and begin < end:
            if left <= end - begin:
                return begin + left
            left -= end - begin
        day += timedelta(days=1)
