"""Periods on their way to a package: what scoring says of them, and how one is closed by hand."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, Protocol


class ClosingRefusedError(Exception):
    """A period cannot be closed; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Period:
    """A quarter or a year of a plan."""

    code: str
    last_day: date
    state: Literal["runs", "ended", "asked", "closed"]
    """*ended*: it may be closed by hand; *asked*: the closing is being made."""
    closes_at: datetime | None
    """When its date closes it, or as of when it was closed."""
    cause: str


class Closer(Protocol):
    """Whoever closes periods."""

    async def periods(self, plan: str) -> list[Period]:
        """Quarters and years of a plan, in the order in which they end.

        Raises:
            ClosingRefusedError: there is no such plan.
        """

    async def close(self, plan: str, period: str, by: str) -> None:
        """Close one as of now; a repeat changes nothing.

        Raises:
            ClosingRefusedError: there is no such plan or period, or it still runs.
        """
