"""A change of the rules against live data: every unit before and after, then published or discarded."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.calendar import all_periods
from contracts.faults import Fault
from contracts.plan import Plan
from services.runtime.clock import Clock
from services.runtime.mongo import Collection, Document
from services.scoring.asof import PastBoards, Rows
from services.scoring.domain.awarding import Candidate, awards_of
from services.scoring.domain.standings import ranked
from services.scoring.leaderboard.links import default_period

Publish = Callable[[Plan], Awaitable[Fault | None]]
"""Publishes a plan version; the sentence that says why not, or None."""
ReadCandidate = Callable[[Plan, dict[str, bytes]], Plan | Sequence[str]]
"""(the rules in force, files by name) -> the changed rules, or every fault as a sentence."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One unit before and after: (rank, points, awards)."""

    unit: str
    bloc: str
    before: tuple[int, int, tuple[str, ...]]
    after: tuple[int, int, tuple[str, ...]]
    period: str = ""
    """The year, a quarter or a month; empty in previews of before periods were compared: the year."""

    @property
    def moved(self) -> bool:
        """Whether anything changes for the unit."""
        return self.before != self.after

    @property
    def award_moved(self) -> bool:
        """Whether an award changes hands."""
        return self.before[2] != self.after[2]


class Previews:
    """Previews as they are stored: the changed rules, their effect, and what was decided."""

    def __init__(self, stored: Collection, past: PastBoards, clock: Clock) -> None:
        self._stored = stored
        self._past = past
        self._clock = clock

    async def make(self, current: Plan, candidate: Plan, by: str) -> str:
        """Fold everything under both; returns the preview's id.

        Raises:
            BusyError: too many past instants are folded already.
        """
        now = self._clock.now()
        before = await self._past.rows(now)
        after = await self._past.rows(now, candidate)
        number = secrets.token_hex(8)
        effects = [
            effect
            for bloc in candidate.blocs
            for period in all_periods(candidate.months)
            for effect in effects_of(current, candidate, (bloc.code, period), before, after)
            if effect.moved or period == default_period(candidate)
        ]
        stored: Document = {
            "_id": number,
            "plan": candidate.id,
            "version": candidate.version,
            "content": candidate.model_dump_json(),
            "at": now,
            "by": by,
            "state": "open",
            "effects": [
                [
                    e.unit,
                    e.bloc,
                    *e.before[:2],
                    list(e.before[2]),
                    *e.after[:2],
                    list(e.after[2]),
                    e.period,
                ]
                for e in effects
            ],
        }
        await self._stored.insert_one(stored)
        return number

    async def find(self, number: str) -> "Preview | None":
        """One preview."""
        stored = await self._stored.find_one({"_id": number})
        return None if stored is None else _preview(stored)

    async def latest(self, most: int = 20) -> "list[Preview]":
        """The newest ones."""
        found = await self._stored.find().sort("at", -1).to_list(most)
        return [_preview(stored) for stored in found]

    async def decide(
        self, number: str, state: str, decision: str, reason: str, by: str
    ) -> None:
        """Write down what was decided; the first decision holds."""
        decided = {"state": state, "decision": decision, "reason": reason, "decided_by": by}
        await self._stored.update_one({"_id": number, "state": "open"}, {"$set": decided})


@dataclass(frozen=True, slots=True)
class Preview:
    """A stored preview."""

    id: str
    plan: Plan
    at: datetime
    by: str
    state: str
    """open, published or discarded."""
    decision: str
    reason: str
    effects: list[Effect]

    def of_period(self, bloc: str, period: str) -> list[Effect]:
        """The units of a bloc in a period; of quarters and months only those that move."""
        year = default_period(self.plan)
        return [e for e in self.effects if (e.bloc, e.period or year) == (bloc, period)]

    @property
    def year(self) -> str:
        """The period that awards follow from."""
        return default_period(self.plan)

    def parts_moved(self, bloc: str) -> list[str]:
        """Quarters and months of a bloc in which something moves."""
        moved = {e.period for e in self.effects if e.bloc == bloc and e.period}
        return [p for p in all_periods(self.plan.months) if p in moved - {self.year}]


def _preview(stored: Document) -> Preview:
    return Preview(
        stored["_id"],
        Plan.model_validate_json(stored["content"]),
        stored["at"],
        stored["by"],
        stored["state"],
        stored.get("decision", ""),
        stored.get("reason", ""),
        [
            Effect(e[0], e[1], (e[2], e[3], tuple(e[4])), (e[5], e[6], tuple(e[7])), *e[8:])
            for e in stored["effects"]
        ],
    )


def effects_of(
    current: Plan, candidate: Plan, place: tuple[str, str], before: Rows, after: Rows
) -> list[Effect]:
    """Every unit of a (bloc, period) under the rules in force and under the changed ones, in the order after."""
    bloc, period = place
    old = _standing(current, place, before)
    new = _standing(candidate, place, after)
    nothing = 0, 0, ()
    found = [
        Effect(unit, bloc, old.get(unit, nothing), new.get(unit, nothing), period)
        for unit in dict.fromkeys([*new, *old])
    ]
    return sorted(found, key=lambda e: (e.after[0] == 0, e.after[0], e.unit))


def _standing(
    plan: Plan, place: tuple[str, str], rows: Rows
) -> dict[str, tuple[int, int, tuple[str, ...]]]:
    bloc, period = place
    found = plan.bloc(bloc)
    if found is None:
        return {}
    stored = rows.get((plan.id, bloc, period), {})
    candidates = [
        Candidate(
            unit.code,
            stored[unit.code]["points"] if unit.code in stored else 0,
            stored[unit.code]["eligible"] if unit.code in stored else True,
        )
        for unit in plan.units_of(bloc)
    ]
    ranks = ranked((c.unit, c.points) for c in candidates)
    awards = awards_of(found, candidates) if period == default_period(plan) else {}
    return {c.unit: (ranks[c.unit], c.points, awards.get(c.unit, ())) for c in candidates}
