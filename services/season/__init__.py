"""A simulated season of a plan: what a portal and its units would send, day by day.

Nobody in it is real. Units differ in temper: some begin well, some catch up, a few let dossiers
or a report run late, so that the board moves and every rule of the plan meets somebody.
"""

from collections.abc import Iterator
from datetime import timedelta

from contracts.plan import Plan
from services.season.claims import claims_of
from services.season.dossiers import dossiers_of
from services.season.players import Happening, moment, players_of

__all__ = ["Happening", "season"]

_DAYS_AFTER = 6
"""The office still verifies so many days after the last day."""


def season(plan: Plan, seed: int, dossiers: int = 6000) -> Iterator[Happening]:
    """About so many dossiers and all claims of a plan's units, in the order of their arrival.

    Pure: same plan, seed and number, same events.
    """
    players = players_of(plan, seed)
    told = [happening for player in players for happening in claims_of(player)]
    told += dossiers_of(plan, seed, players, dossiers)
    last = moment(plan.ends_on + timedelta(days=_DAYS_AFTER), 12)
    told = [(at, event) for at, event in told if at <= last]
    yield from sorted(told, key=lambda told: (told[0], told[1]["id"]))
