"""What workers tell that fold a slice of the facts each: counters, which the worker that sums adds up."""

from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from contracts.calendar import MonthCode
from contracts.events import Event, UnitCode

Lanes = Annotated[str, Field(pattern=r"^[0-9a-f]+$")]
"""All sums of a unit and month in one whole number, in hexadecimal: it is longer than a JSON number may be."""


class KeyedCount(Event):
    """A count that goes by key: a procedure, a week, an item."""

    lane: int
    key: str
    amount: int
    capped: bool
    """Amounts of a key add up; otherwise the greatest one counts."""


class LateDossiers(Event):
    """Overdue dossiers of a unit in a month, by one exclusion rule."""

    rule: int
    """Its place among the exclusions of the unit's bloc."""
    count: int
    first: list[str]
    """The first of them by key, at most twenty."""


class Subtotal(Event):
    """What the facts of one slice make of one unit in one month, under one plan version: a state, not a difference."""

    plan: str
    version: int
    unit: UnitCode
    month: MonthCode
    verified: Lanes
    claimed: Lanes
    verified_keys: list[KeyedCount]
    claimed_keys: list[KeyedCount]
    overdue: list[LateDossiers]
    reports: dict[str, Annotated[date, Field(strict=False)]]
    """Report -> local date of receipt."""
    lifted: dict[str, dict[str, str]]
    """Exclusion rule -> lifting fact -> its reason."""
    facts: list[str]
    """Those that moved the unit since it was last told of, at most twenty."""
    fact_count: int


class SubtotalsTold(Event):
    """Subtotals of a slice that moved, and a sign of life when none did.

    Producer: scoring worker of a slice. Consumers: the scoring worker that sums. Sent when facts moved counters,
    and each second. Not journaled: the same subtotals are in `scoring.subtotals`; a lost one is repaired from there
    within seconds. A lower `position` is older.
    """

    type: Literal["subtotals.told"] = "subtotals.told"
    slice: int
    slices: int
    """Into how many the facts are divided; the sum takes those of its own division only."""
    position: int
    """Grows with every message of a slice, also over its restarts."""
    accepted_at_ms: int
    """Real milliseconds at which the oldest event in it was accepted; 0 when none."""
    subtotals: list[Subtotal]

    example: ClassVar = {
        "type": "subtotals.told",
        "slice": 0,
        "slices": 4,
        "position": 41,
        "accepted_at_ms": 1688958903120,
        "subtotals": [
            {
                "plan": "phung-hiep-2023",
                "version": 1,
                "unit": "31399",
                "month": "2023-07",
                "verified": "1000000000001",
                "claimed": "0",
                "verified_keys": [{"lane": 4, "key": "1.001234", "amount": 2, "capped": True}],
                "claimed_keys": [],
                "overdue": [{"rule": 1, "count": 1, "first": ["dvc.haugiang H30-1"]}],
                "reports": {"workspace report.received 31399 2023-07": "2023-08-14"},
                "lifted": {},
                "facts": ["dvc.haugiang H30-1"],
                "fact_count": 1,
            }
        ],
    }
