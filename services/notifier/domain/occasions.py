"""What somebody should be told: one occasion, under a natural key, so that it is told once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Blank = str | int | list[str]
"""A value as the picture has it: codes, ISO dates, ten-thousandths; put into words when a mail is written."""
Fate = Literal["raised", "overslept", "before_start"]
"""*overslept*: a later stage of the same thing is due already, so this one is only written down.
*before_start*: it came true before the notifier first ran on this journal."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """Something that happened or falls due, for one unit."""

    id: str
    """`rule|plan|unit|subject`; `~2` at its end when it came true again after a retraction."""
    rule: str
    plan: str
    unit: str
    """Empty when it is about the whole plan."""
    at: datetime
    """When it came true, in domain time."""
    severity: Literal["notice", "warning", "exclusion"]
    thread: str = ""
    """What it hangs on (an owed thing, a month's exclusions): looked at again when that changes; empty: never."""
    month: str = ""
    blanks: Mapping[str, Blank] = field(default_factory=dict)
    fate: Fate = "raised"
    cause: str = ""
    """The event that states it; empty when it follows from what is owed."""


def occasion_id(rule: str, plan: str, unit: str, subject: str) -> str:
    """The natural key."""
    return f"{rule}|{plan}|{unit}|{subject}"


def again(number: str) -> str:
    """The key of the same occasion when it comes true once more."""
    base, _, times = number.rpartition("~")
    return f"{base}~{int(times) + 1}" if base and times.isdigit() else f"{number}~2"
