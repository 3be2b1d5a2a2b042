"""Who plays in a simulated season: units, their tempers, and the chance that drives them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any

from contracts.calendar import LOCAL
from contracts.plan import Bloc, Indicator, Plan, Unit

Content = dict[str, Any]
Happening = tuple[datetime, Content]
"""When an event reaches intake, and the event."""

_BEST, _WORST = 0.99, 0.63
_REPEATED, _DELAYED = 0.04, 0.04
_REPORTS_FOUR_DAYS_LATE = 6
"""The place of the unit that does, counted from 0 at the best."""


@dataclass(frozen=True, slots=True)
class Player:
    """One unit and its temper."""

    plan: Plan
    bloc: Bloc
    unit: Unit
    seed: int
    start: float
    """How much of its duty it does at first, 0 to 1."""
    growth: float
    """How much more of it at the end."""
    overdue: dict[str, int]
    """Month -> dossiers whose promise it breaks."""
    late_reports: dict[str, int]
    """Month -> days."""

    def luck(self, what: object) -> Random:
        """Chance of its own for each thing, so that one more thing changes no other."""
        return chance(self.seed, self.unit.code, what)

    def rate(self, what: str, month: str) -> float:
        """How well it does something in a month, 0 to 1."""
        months = self.plan.months
        progress = months.index(month) / max(1, len(months) - 1)
        bent = self.luck(("bent", what)).uniform(-0.08, 0.06)
        return min(1.0, max(0.0, self.start + self.growth * progress + bent))


def chance(*parts: object) -> Random:
    """Chance that depends on these words only."""
    return Random("/".join(map(str, parts)))  # noqa: S311  # nosec B311  # a sample, not a secret


def happens(luck: Random, share: float) -> bool:
    """Something that happens in so large a share of cases."""
    return luck.random() < share


def moment(day: date, hour: float) -> datetime:
    """A local instant."""
    return datetime.combine(day, time(), LOCAL) + timedelta(seconds=round(hour * 3600))


def working_hour(luck: Random, day: date) -> datetime:
    """A moment of the working day."""
    return moment(day, luck.uniform(7.5, 16.5))


def later(luck: Random, at: datetime, least: float, most: float) -> datetime:
    """A moment so many days later, in whole seconds."""
    return at + timedelta(seconds=round(luck.uniform(least, most) * 86_400))


def players_of(plan: Plan, seed: int) -> list[Player]:
    """All units of the plan with their tempers."""
    return [player for bloc in plan.blocs for player in _players_of_bloc(plan, bloc, seed)]


def _players_of_bloc(plan: Plan, bloc: Bloc, seed: int) -> Iterator[Player]:
    """The units of a bloc, from the best to the worst."""
    units = plan.units_of(bloc.code)
    luck = chance(seed, bloc.code)
    luck.shuffle(units)
    handling = [unit for unit in units if handles(bloc, unit)]
    for place, unit in enumerate(units):
        level = _BEST - (_BEST - _WORST) * place / max(1, len(units) - 1)
        growth = luck.uniform(-0.12, 0.45)
        broken = _broken(plan.months, handling.index(unit)) if unit in handling else {}
        late = _late_reports(plan, bloc, place, luck)
        yield Player(plan, bloc, unit, seed, level - growth * 0.55, growth, broken, late)


def _broken(months: tuple[str, ...], place: int) -> dict[str, int]:
    """Overdue dossiers by month: of one of the best, of one behind it, of one in the middle."""
    middle, late = months[len(months) // 2], months[-2:][0]
    return {1: {middle: 2}, 4: {late: 1}, 8: {late: 3}}.get(place, {})


def _late_reports(plan: Plan, bloc: Bloc, place: int, luck: Random) -> dict[str, int]:
    """Days late by month: one unit of the bloc four days, others a day or two now and then."""
    if bloc.code not in plan.reporting.blocs:
        return {}
    share = 0.02 + 0.012 * place
    late = {m: luck.choice([1, 1, 2]) for m in plan.months if happens(luck, share)}
    return late | ({plan.months[-3:][0]: 4} if place == _REPORTS_FOUR_DAYS_LATE else {})


def handles(bloc: Bloc, unit: Unit) -> bool:
    """Whether dossiers of this unit feed any indicator that applies to it."""
    return any(
        getattr(part.measure, "of", None) == "dossier.recorded"
        for indicator in applying(bloc, unit)
        for part in indicator.parts
    )


def applying(bloc: Bloc, unit: Unit) -> list[Indicator]:
    """The indicators that apply to the unit."""
    return [i for i in bloc.indicators if not set(i.not_for) & set(unit.traits)]


def transported(
    told: list[Happening], luck: Random, delayed: int | None = None
) -> Iterator[Happening]:
    """What a network makes of it: exact repeats, and older versions after newer ones.

    Only the first `delayed` versions may come late: others keep an exclusion away.
    """
    most = len(told) - 1 if delayed is None else min(delayed, len(told) - 1)
    for n, (at, event) in enumerate(told):
        arrives = at
        if n < most and happens(luck, _DELAYED):
            arrives = later(luck, told[n + 1][0], 0.01, 0.5)
        yield arrives, event
        if happens(luck, _REPEATED):
            yield later(luck, arrives, 0.001, 1), event
