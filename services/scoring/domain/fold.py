"""The fold: lines of events in, facts and counters out. Any order, any number of times, the same result."""

from collections.abc import Iterable
from datetime import date

from contracts.events import IndicatorEvent
from contracts.plan import Plan, in_force
from contracts.wire import content_hash, fact_id, from_line
from services.scoring.domain.facts import Fact, order_of, to_fact
from services.scoring.domain.standings import Standings
from services.scoring.domain.tally import Tally


class UnknownPlanError(ValueError):
    """The event is meant for a plan that nobody published."""


class Fold:
    """All facts of the shards read here, and the standings of every plan version that follow from them."""

    def __init__(self, today: date) -> None:
        self.today = today
        self.facts: dict[str, Fact] = {}
        self.standings: dict[tuple[str, int], Standings] = {}
        self._tallies: list[Tally] = []
        self._plans: set[str | None] = {None}
        self.folded = 0

    def publish(self, plan: Plan) -> bool:
        """Take a plan version into force; False when it is known already. Facts that are here enter it."""
        key = plan.id, plan.version
        if key in self.standings:
            return False
        tally = Tally(plan, self.today)
        tally.fill(self.facts.items())
        tally.causes.clear()
        tally.mark_all()
        for standings in self.standings.values():
            if standings.tally.plan.id == plan.id:
                standings.tally.mark_all()
        self._tallies.append(tally)
        self.standings[key] = Standings(tally)
        self._plans.add(plan.id)
        return True

    def judges(self, key: tuple[str, int], period: str) -> bool:
        """Whether this plan version is the one in force for a period."""
        versions = [s.tally.plan for s in self.standings.values() if s.tally.plan.id == key[0]]
        return len(versions) == 1 or in_force(versions, period).version == key[1]

    def apply(self, line: bytes) -> str | None:
        """Fold one line; returns the fact's id when its state changed, None when the line was old or a repeat.

        Raises:
            ValueError: the line is no indicator event.
            UnknownPlanError: it names a plan that is not here.
        """
        event = from_line(line)
        self.folded += 1
        key = fact_id(event)
        old = self.facts.get(key)
        order = order_of(event.version, event.occurred_at, content_hash(line))
        if old is not None and old.order >= order:
            return None
        self._check_plan(event)
        new = to_fact(event, order)
        self.facts[key] = new
        for tally in self._tallies:
            tally.replace(key, old, new)
        return key

    def _check_plan(self, event: IndicatorEvent) -> None:
        if event.type != "dossier.recorded" and event.plan not in self._plans:
            raise UnknownPlanError(f"no plan {event.plan!r} is published")

    def load(self, lines: Iterable[bytes]) -> None:
        """Take in stored facts, one line each, at start."""
        for line in lines:
            self.apply(line)

    def advance(self, today: date) -> bool:
        """Move the local date on; True when it changed."""
        if today <= self.today:
            return False
        self.today = today
        for tally in self._tallies:
            tally.advance(today)
        return True
