"""Lets the pages of award packages close periods: reports asks, scoring does it."""

from services.reports.domain.closing import ClosingRefusedError, Period
from services.runtime.resources import Resources
from services.scoring.closing import HandClosing
from services.scoring.freezing import ClosingError


class Closer:
    """The periods of a plan as scoring knows them."""

    def __init__(self, own: Resources) -> None:
        self._closing = HandClosing(own)

    async def periods(self, plan: str) -> list[Period]:
        """All of them, in the order in which they end, the shorter first.

        Raises:
            ClosingRefusedError: there is no such plan.
        """
        try:
            found = await self._closing.periods(plan)
        except ClosingError as error:
            raise ClosingRefusedError(error.code) from None
        return [
            Period(one.period, one.last_day, one.state, one.closes_at, one.cause)
            for one in found
        ]

    async def close(self, plan: str, period: str, by: str) -> None:
        """Close one as of now.

        Raises:
            ClosingRefusedError: there is no such plan or period, or it still runs.
        """
        try:
            await self._closing.close(plan, period, by)
        except ClosingError as error:
            raise ClosingRefusedError(error.code) from None
