"""The fold: lines of events in, facts and counters out. Any order, any number of times, the same result."""

from collections.abc import Iterable, Iterator
from datetime import date

from contracts.events import IndicatorEvent
from contracts.plan import Plan, in_force
from contracts.subtotals import Subtotal
from contracts.wire import content_hash, fact_id, from_line
from services.scoring.domain.counters import Counters, Place
from services.scoring.domain.facts import Fact, order_of, to_fact
from services.scoring.domain.slicing import WHOLE, Slice
from services.scoring.domain.standings import Standings
from services.scoring.domain.subtotals import Sum, subtotal_of
from services.scoring.domain.tally import Tally

PlanKey = tuple[str, int]
"""(plan, version)."""


class UnknownPlanError(ValueError):
    """The event is meant for a plan that nobody published."""


class Boards:
    """The standings of every plan version, whatever their counters come from."""

    def __init__(self, today: date) -> None:
        self.today = today
        self.standings: dict[tuple[str, int], Standings] = {}

    def publish(self, plan: Plan) -> bool:
        """Take a plan version into force; False when it is known already. Facts that are here enter it."""
        key = plan.id, plan.version
        if key in self.standings:
            return False
        counters = self._counters(plan)
        counters.mark_all()
        for standings in self.standings.values():
            if standings.tally.plan.id == plan.id:
                standings.tally.mark_all()
        self.standings[key] = Standings(counters)
        return True

    def _counters(self, plan: Plan) -> Counters:
        raise NotImplementedError

    def judges(self, key: tuple[str, int], period: str) -> bool:
        """Whether this plan version is the one in force for a period."""
        versions = [s.tally.plan for s in self.standings.values() if s.tally.plan.id == key[0]]
        return len(versions) == 1 or in_force(versions, period).version == key[1]

    def advance(self, today: date) -> bool:
        """Move the local date on; True when it changed."""
        if today <= self.today:
            return False
        self.today = today
        for standings in self.standings.values():
            standings.tally.advance(today)
        return True


class Fold(Boards):
    """All facts of a slice, and what follows from them."""

    def __init__(self, today: date, slice_: Slice = WHOLE) -> None:
        super().__init__(today)
        self.facts: dict[str, Fact] = {}
        self.folded = 0
        self.slice = slice_
        self._is_whole = slice_ == WHOLE
        self._tallies: list[Tally] = []
        self._plans: set[str | None] = {None}

    def _counters(self, plan: Plan) -> Tally:
        tally = Tally(plan, self.today)
        tally.fill(self.facts.items())
        tally.causes.clear()
        self._tallies.append(tally)
        self._plans.add(plan.id)
        return tally

    def apply(self, line: bytes) -> str | None:
        """Fold one line; returns the fact's id when its state changed.

        None when the line was old or a repeat, or its fact is in another slice.

        Raises:
            ValueError: the line is no indicator event.
            UnknownPlanError: it names a plan that is not here.
        """
        event = from_line(line)
        self.folded += 1
        key = fact_id(event)
        if not self._is_whole and not self.slice.holds(key):
            return None
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

    def forget_causes(self) -> None:
        """Somebody else has told by now what these facts moved."""
        for tally in self._tallies:
            tally.causes.clear()

    def clear(self) -> None:
        """Let go of everything at once: what was here at the start of a process the collector never looks at again."""
        self.facts.clear()
        self.standings.clear()
        self._tallies.clear()

    def moved(self) -> Iterator[tuple[PlanKey, Subtotal]]:
        """What to tell the sum: the counters that changed since the last call, in place of computing standings."""
        for key, tally in zip(self.standings, self._tallies, strict=True):
            for place in tally.moved():
                yield key, subtotal_of(tally, place, tally.causes.pop(place[0], None))

    def mark(self, places: Iterable[tuple[PlanKey, Place]]) -> None:
        """Let these be among what moved: others know something of them that may be no more."""
        known = dict(zip(self.standings, self._tallies, strict=True))
        for key, place in places:
            if key in known:
                known[key].mark(place)


class Sums(Boards):
    """The standings that follow from what all slices tell."""

    def __init__(self, today: date) -> None:
        super().__init__(today)
        self._sums: dict[PlanKey, Sum] = {}

    def _counters(self, plan: Plan) -> Sum:
        added = self._sums[plan.id, plan.version] = Sum(plan, self.today)
        return added

    def take(self, slice_: int, position: int, told: Subtotal) -> bool:
        """Put a slice's subtotal in the place of its former one; True when that changed anything."""
        known = self._sums.get((told.plan, told.version))
        return known is not None and known.take(slice_, position, told)
