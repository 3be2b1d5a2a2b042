"""Periods on their way to a package: what scoring says of them, and how one is closed by hand."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, Protocol

from contracts.calendar import is_month


class ClosingRefusedError(Exception):
    """A period cannot be closed; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Period:
    """A month, a quarter or a year of a plan."""

    code: str
    last_day: date
    state: Literal["runs", "ended", "asked", "closed"]
    """*ended*: it may be closed by hand; *asked*: the closing is being made."""
    closes_at: datetime | None
    """When its date closes it, or as of when it was closed."""
    cause: str

    @property
    def month(self) -> bool:
        """Months are closed by hand only and get no package."""
        return is_month(self.code)


class Closer(Protocol):
    """Whoever closes periods."""

    async def periods(self, plan: str) -> list[Period]:
        """The periods of a plan, in the order in which they end, the shorter first.

        Raises:
            ClosingRefusedError: there is no such plan.
        """

    async def close(self, plan: str, period: str, by: str) -> None:
        """Close one as of now; a repeat changes nothing.

        Raises:
            ClosingRefusedError: there is no such plan or period, or it still runs.
        """
