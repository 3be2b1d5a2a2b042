"""What a change of the catalogue does to the totals, told before it is done."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Move:
    """A unit's total of the year, before and after, in ten-thousandths of a point."""

    bloc: str
    unit: str
    name: str
    before: int
    after: int
