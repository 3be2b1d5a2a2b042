"""Working days in Việt Nam: weekends, the national holidays of a maintained list, and a plan's own changes."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

_DAY = timedelta(days=1)
_FRIDAY = 4


@cache
def national_holidays(year: int) -> frozenset[date]:
    """Public holidays of a year, with the days that replace those on a weekend."""
    from holidays import country_holidays  # noqa: PLC0415 - slow, and not every process asks

    return frozenset(country_holidays("VN", years=year))


@dataclass(frozen=True, slots=True)
class WorkDays:
    """Which days are worked: the national ones, less `off`, and also those `worked` in exchange."""

    off: frozenset[date] = frozenset()
    worked: frozenset[date] = frozenset()

    def is_working(self, day: date) -> bool:
        """Whether offices are open."""
        if day in self.worked:
            return True
        return (
            day.weekday() <= _FRIDAY
            and day not in self.off
            and day not in national_holidays(day.year)
        )

    def before(self, day: date, count: int) -> date:
        """The working day that lies so many working days before a day; 0: the day itself."""
        while count:
            day -= _DAY
            count -= self.is_working(day)
        return day

    def at_or_after(self, day: date) -> date:
        """The day itself if it is worked, else the next one that is."""
        while not self.is_working(day):
            day += _DAY
        return day
