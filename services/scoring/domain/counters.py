"""Counters of one plan version: what standings are computed from, and what of it was touched."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

from contracts.calendar import all_periods, last_month_of
from contracts.plan import LateReport, OverdueDossiers, Plan
from services.scoring.domain.rules import KEYED, BlocRules, Keyed, PartRule, lane

CAUSES_KEPT = 20
Place = tuple[str, str]
"""(unit, month)."""


class Keys:
    """Counts that go by key, lane by lane; what enters can leave again, in any order."""

    __slots__ = ("_amounts", "_sums")

    def __init__(self) -> None:
        self._sums: dict[int, dict[Any, int]] = {}
        """Lane -> key -> the sum, of which a cap counts."""
        self._amounts: dict[int, dict[Any, dict[int, int]]] = {}
        """Lane -> key -> amount -> how often; the greatest amount counts."""

    def add(self, keyed: Keyed, sign: int) -> None:
        """Enter (+1) or take out (-1) one contribution."""
        lane, key, amount, cap = keyed
        if cap is None:
            amounts = self._amounts.setdefault(lane, {})
            _add(amounts.setdefault(key, {}), amount, sign)
            if not amounts[key]:
                del amounts[key]
        else:
            _add(self._sums.setdefault(lane, {}), key, sign * amount)

    def sums(self, lane: int) -> dict[Any, int]:
        """Key -> its sum."""
        return self._sums.get(lane, {})

    def entries(self) -> Iterator[Keyed]:
        """What makes the same counts when it is added: a sum as one capped amount, else the greatest amount alone."""
        for number, sums in self._sums.items():
            for key, amount in sums.items():
                yield Keyed(number, key, amount, 1)
        for number in self._amounts:
            for key, amount in self.greatest(number).items():
                yield Keyed(number, key, amount, None)

    def greatest(self, lane: int) -> dict[Any, int]:
        """Key -> its greatest amount."""
        return {key: max(a) for key, a in self._amounts.get(lane, {}).items()}


def _add(counts: dict[Any, int], key: object, amount: int) -> None:
    after = counts.get(key, 0) + amount
    if after:
        counts[key] = after
    else:
        del counts[key]


class Cell:
    """Counters of one unit in one month: of verified facts (all dossiers are), and of all claims."""

    __slots__ = ("claimed", "claimed_keys", "verified", "verified_keys")

    def __init__(self) -> None:
        self.verified = 0
        self.claimed = 0
        self.verified_keys = Keys()
        self.claimed_keys = Keys()


class Pool:
    """Counters of one unit over some months together: lanes add up, keyed counts unite."""

    __slots__ = ("_cells", "claimed", "verified")

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._cells = cells
        self.verified = sum(cell.verified for cell in cells)
        self.claimed = sum(cell.claimed for cell in cells)

    def numerator(self, rule: PartRule, *, verified: bool) -> int:
        """How much of a part there is."""
        verified = verified or rule.fed_by_dossiers
        if rule.part.measure.kind in KEYED:
            return self.keyed(rule.numerator_lane, rule.cap, verified=verified)
        return lane(self.verified if verified else self.claimed, rule.numerator_lane)

    def denominator(self, rule: PartRule, *, verified: bool) -> int:
        """Of how much, where facts make it."""
        verified = verified or rule.fed_by_dossiers
        if rule.part.measure.kind == "deduction":
            return self.keyed(rule.denominator_lane, None, verified=verified)
        return lane(self.verified if verified else self.claimed, rule.denominator_lane)

    def keyed(self, number: int, cap: int | None, *, verified: bool) -> int:
        """At most `cap` of each key together; without a cap the greatest amount of each key."""
        keys = [c.verified_keys if verified else c.claimed_keys for c in self._cells]
        if cap == 1:
            return len(set().union(*(k.sums(number) for k in keys)))
        united: dict[Any, int] = {}
        for part in keys:
            if cap is None:
                for key, amount in part.greatest(number).items():
                    united[key] = max(amount, united.get(key, 0))
            else:
                for key, amount in part.sums(number).items():
                    united[key] = min(cap, amount + united.get(key, 0))
        return sum(united.values())


@dataclass(slots=True)
class Causes:
    """Which facts touched a unit since the ledger was last written: the first ones, and how many."""

    facts: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, fact: str) -> None:
        """One more fact."""
        self.count += 1
        if len(self.facts) < CAUSES_KEPT:
            self.facts.append(fact)


class Late(Protocol):
    """Overdue dossiers of one unit in one month."""

    def __len__(self) -> int:
        """How many."""

    def first(self, most: int) -> list[str]:
        """The first of them by key."""


class Counters:
    """The counters of one plan version, whoever fills them; `today` only moves forward."""

    def __init__(self, plan: Plan, today: date) -> None:
        self.plan = plan
        self.today = today
        self.months = plan.months
        self.periods = all_periods(self.months)
        self.rules = {bloc.code: BlocRules(plan, bloc) for bloc in plan.blocs}
        self._bloc = {unit.code: self.rules[unit.bloc] for unit in plan.units}
        self.cells: dict[Place, Cell] = {}
        """(unit, month) -> counters; longer periods are pooled from their months."""
        self.reports: dict[Place, dict[str, date]] = {}
        """(unit, month) -> report -> date of receipt."""
        self.lifted: dict[tuple[str, str, str], dict[str, str]] = {}
        """(unit, month, exclusion rule) -> lifting fact -> its reason."""
        self.dirty: dict[tuple[str, str], int] = {}
        """(unit, period) -> indicators touched, a bit each."""
        self.dirty_units: set[str] = set()
        """Units whose exclusions may have changed."""
        self.causes: dict[str, Causes] = {}
        self._spread = {m: self._later_periods(m) for m in self.months}

    @property
    def overdue(self) -> Mapping[tuple[int, str, str], Late]:
        """(exclusion rule, unit, month) -> overdue dossiers."""
        raise NotImplementedError

    def _later_periods(self, month: str) -> tuple[str, ...]:
        ends = {period: last_month_of(period, self.months) for period in self.periods}
        return tuple(p for p, end in ends.items() if end is not None and end >= month)

    def _cell(self, place: Place) -> Cell:
        cell = self.cells.get(place)
        if cell is None:
            cell = self.cells[place] = Cell()
        return cell

    def _touch(self, unit: str, periods: tuple[str, ...], touched: int) -> None:
        dirty = self.dirty
        for period in periods:
            slot = unit, period
            dirty[slot] = dirty.get(slot, 0) | touched

    def _cause(self, unit: str, key: str) -> None:
        causes = self.causes.get(unit)
        if causes is None:
            causes = self.causes[unit] = Causes()
        causes.add(key)

    def settle_touched(self) -> None:
        """Make `dirty` complete; before it is read."""

    def advance(self, today: date) -> None:
        """Time passes: missing reports grow late. Never goes back."""
        if today <= self.today:
            return
        self.today = today
        owing = set(self.plan.reporting.blocs)
        self.dirty_units.update(u.code for u in self.plan.units if u.bloc in owing)

    def mark_all(self) -> None:
        """Everything is to be computed anew: at start and after a plan was published."""
        for unit in self.plan.units:
            everything = (1 << len(self.rules[unit.bloc].bloc.indicators)) - 1
            for period in self.periods:
                self.dirty[unit.code, period] = everything
            self.dirty_units.add(unit.code)

    def pool(self, unit: str, months: Iterable[str]) -> Pool:
        """The counters of a unit over some months; zeros where no fact touched it."""
        cells = self.cells
        return Pool([cells[unit, month] for month in months if (unit, month) in cells])

    def rules_of(self, unit: str) -> BlocRules:
        """The compiled rules of the unit's bloc."""
        return self._bloc[unit]


def exclusion_kinds(
    rules: BlocRules,
) -> tuple[list[tuple[int, OverdueDossiers]], list[LateReport]]:
    """The bloc's exclusion rules: those on dossiers with their number, and those on reports."""
    numbered = list(enumerate(rules.bloc.exclusions))
    dossiers = [(n, rule) for n, rule in numbered if isinstance(rule, OverdueDossiers)]
    return dossiers, [rule for _, rule in numbered if isinstance(rule, LateReport)]
