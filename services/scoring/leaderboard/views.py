"""What the leaderboard shows: one board, one row, one explanation. Points are whole ten-thousandths."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from typing import Protocol

from contracts.events import Exclusion, UnitScored
from contracts.plan import Bloc, Indicator, Part, Plan, Unit
from services.scoring.domain.rules import share

AS_OF = "as-of"
"""Version of a board of a past instant: it never changes again."""


@dataclass(frozen=True, slots=True)
class Row:
    """One unit's line on a board."""

    rank: int
    unit: Unit
    points: int
    verified_points: int
    eligible: bool
    exclusions: list[Exclusion]
    indicators: dict[str, tuple[int, int]]
    """Code -> (points, verified points); not applicable ones are absent."""
    counters: dict[str, tuple[int, int]]
    """Code -> (numerator, denominator) of the first part."""
    movement: int | None = None
    """Ranks won (+) or lost (-) since the last daily close; None: no close yet."""
    trend: tuple[int, ...] = ()
    """Points at the latest daily closes, oldest first, at most thirty."""
    lifted: tuple[Exclusion, ...] = ()
    """Exclusions that would hold, had they not been lifted."""
    near: list[Exclusion] = field(default_factory=list)
    """What counts towards an exclusion and does not reach it yet."""

    @property
    def pending(self) -> int:
        """Points that wait for verification."""
        return self.points - self.verified_points


@dataclass(frozen=True, slots=True)
class Board:
    """The standings of one bloc in one period, and how fresh they are."""

    plan: Plan
    bloc: Bloc
    period: str
    version: str
    """`epoch-position`; changes with every change."""
    as_of: datetime
    age_seconds: float
    trouble: str | None
    """None, or which part stopped: `scoring`, `bus`."""
    rows: list[Row] = field(default_factory=list)
    frozen_at: datetime | None = None
    """Since when the public sees this and nothing newer; None: it is live, or as of a past instant."""
    frozen_position: str | None = None
    """The last pack of the journal that counts, where it was frozen at a position."""
    official_at: datetime | None = None
    """When the period's award package was published."""
    closed_at: datetime | None = None
    """As of when the period was closed: awards follow from the standings of that instant."""


@dataclass(frozen=True, slots=True)
class Close:
    """A board at the end of a day."""

    on: date
    units: dict[str, tuple[int, int]]
    """Unit -> (rank, points)."""


@dataclass(frozen=True, slots=True)
class PartExplanation:
    """What one part of an indicator earned, and from which counters."""

    part: Part
    points: int
    verified_points: int
    maximum: str
    """Decimal string, rescaled for units to which other indicators do not apply."""
    numerator: int
    denominator: int
    verified_numerator: int
    verified_denominator: int
    share: Fraction | None = None
    """The exact part of its points; None: it follows from the counters alone."""

    @property
    def exact(self) -> Fraction:
        """The exact part of its points."""
        if self.share is not None:
            return self.share
        return share(self.part, self.numerator, self.denominator)


@dataclass(frozen=True, slots=True)
class FactLine:
    """One fact behind an indicator."""

    id: str
    type: str
    state: str
    """declared, verified or rejected; dossiers are always verified."""
    month: str
    counts: dict[str, int]
    """Part code -> what it adds to the numerator (dossiers: 1 counted there, 0 only in the denominator)."""
    fields: dict[str, str]
    """What the sender said, without ids: status, channel, numerator …"""
    event: str
    """Id of the event that last changed it."""


@dataclass(frozen=True, slots=True)
class IndicatorExplanation:
    """One indicator of one unit in one period."""

    indicator: Indicator
    applies: bool
    points: int
    verified_points: int
    maximum: str
    state: str
    """not_applicable, missing (no fact at all), declared (something waits for verification) or verified."""
    parts: list[PartExplanation]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything behind one unit's total."""

    plan: Plan
    bloc: Bloc
    unit: Unit
    period: str
    row: Row
    indicators: list[IndicatorExplanation]
    facts: list[FactLine]
    """Facts behind the one indicator asked for, at most a page."""
    next_page: str | None
    facts_lag_seconds: float
    """How far the stored facts are behind the board."""


class BoardSource(Protocol):
    """Where the pages and the HTTP interface read from; always from memory, but for facts and history."""

    def plans(self) -> list[Plan]:
        """The published plans, newest first, in the version now in force."""

    def plan(self, plan: str) -> Plan | None:
        """One of them."""

    def board(self, plan: str, bloc: str, period: str) -> Board | None:
        """The standings; None when there is no such plan, bloc or period."""

    async def explain(
        self,
        plan: str,
        unit: str,
        period: str,
        indicator: str | None = None,
        page: str | None = None,
    ) -> Explanation | None:
        """What is behind a unit's points."""

    async def changes(self, plan: str, unit: str, limit: int = 30) -> list[UnitScored]:
        """The latest changes of a unit's total, newest first."""

    async def changes_between(
        self, plan: str, units: Collection[str], after: datetime, until: datetime
    ) -> list[UnitScored]:
        """The changes of some units' totals in a span of time, oldest first."""

    async def closes(self, plan: str, bloc: str, period: str) -> list[Close]:
        """The daily closes of a board, oldest first."""

    async def board_as_of(
        self,
        plan: str,
        bloc: str,
        period: str,
        instant: datetime,
        visitor: str | None = None,
    ) -> Board | None:
        """The standings as they stood at a past instant; None as for `board`.

        Raises:
            FutureError: the instant has not come yet.
            BusyError: too many past instants are asked for at once, or too many from one address.
        """


class FutureError(ValueError):
    """Standings of an instant that has not come yet."""
