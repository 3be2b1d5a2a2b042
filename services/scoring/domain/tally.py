"""Counters of one plan version: facts enter and leave, time passes, and what was touched is remembered."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from contracts.calendar import all_periods, last_month_of, local_date, month_of, periods_of
from contracts.events import ExclusionLifted
from contracts.plan import LateReport, OverdueDossiers, Plan
from services.scoring.domain.facts import ClaimFact, Dossier, Fact
from services.scoring.domain.overdue import Overdue
from services.scoring.domain.rules import (
    KEYED,
    NOTHING,
    BlocRules,
    Contribution,
    Keyed,
    PartRule,
    claim_month,
    lane,
)

CAUSES_KEPT = 20


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


class Tally:
    """The counters of one plan version.

    `today` only moves forward, by `advance`; the state is a pure function of the facts inside and of `today`.
    """

    def __init__(self, plan: Plan, today: date) -> None:
        self.plan = plan
        self.today = today
        self.months = plan.months
        self.periods = all_periods(self.months)
        self.rules = {bloc.code: BlocRules(plan, bloc) for bloc in plan.blocs}
        self._bloc = {unit.code: self.rules[unit.bloc] for unit in plan.units}
        self.cells: dict[tuple[str, str], Cell] = {}
        """(unit, month) -> counters; longer periods are pooled from their months."""
        self.overdue: dict[tuple[int, str, str], Overdue] = {}
        """(exclusion rule, unit, month) -> overdue dossiers."""
        self.reports: dict[tuple[str, str], dict[str, date]] = {}
        """(unit, month) -> report -> date of receipt."""
        self.lifted: dict[tuple[str, str, str], dict[str, str]] = {}
        """(unit, month, exclusion rule) -> lifting fact -> its reason."""
        self._falls_due: dict[date, dict[str, tuple[str, tuple[int, ...]]]] = {}
        self.dirty: dict[tuple[str, str], int] = {}
        """(unit, period) -> indicators touched, a bit each."""
        self._touched: dict[tuple[str, str], int] = {}
        """(unit, month) -> indicators touched by dossiers since the last `settle_touched`."""
        self.dirty_units: set[str] = set()
        """Units whose exclusions may have changed."""
        self.causes: dict[str, Causes] = {}
        self._spread = {m: self._later_periods(m) for m in self.months}

    def _later_periods(self, month: str) -> tuple[str, ...]:
        ends = {period: last_month_of(period, self.months) for period in self.periods}
        return tuple(p for p, end in ends.items() if end is not None and end >= month)

    def replace(self, key: str, old: Fact | None, new: Fact) -> None:
        """The fact was so, and is so now: its old contributions leave and its new ones enter."""
        if isinstance(new, Dossier):
            self._replace_dossier(key, old if isinstance(old, Dossier) else None, new)
            return
        if isinstance(old, ClaimFact):
            self._claim(key, old, -1)
        self._claim(key, new, 1)

    def _replace_dossier(self, key: str, old: Dossier | None, new: Dossier) -> None:
        leaving = NOTHING if old is None else self._contribution(old)
        entering = self._contribution(new)
        if old is not None and leaving.overdue_rules:
            self._promise(key, old, leaving.overdue_rules, -1)
        if entering.overdue_rules:
            self._promise(key, new, entering.overdue_rules, 1)
        if old is None:
            self._swap(key, new, NOTHING, entering)
        elif old.month == new.month and old.unit == new.unit:
            if leaving is not entering:
                self._swap(key, new, leaving, entering)
        else:
            self._swap(key, old, leaving, NOTHING)
            self._swap(key, new, NOTHING, entering)

    def _contribution(self, fact: Dossier) -> Contribution:
        rules = self._bloc.get(fact.unit)
        return NOTHING if rules is None else rules.of_dossier(fact.traits)

    def _swap(
        self, key: str, fact: Dossier, leaving: Contribution, entering: Contribution
    ) -> None:
        """In the fact's unit and month, take one contribution out and let another one in."""
        touched = leaving.touched | entering.touched
        month = fact.month
        if not touched or month not in self._spread:
            return
        place = fact.unit, month
        cell = self._cell(place)
        cell.verified += entering.lanes - leaving.lanes
        if leaving.keyed is not entering.keyed:
            for keyed in leaving.keyed:
                cell.verified_keys.add(keyed, -1)
            for keyed in entering.keyed:
                cell.verified_keys.add(keyed, 1)
        self._touched[place] = self._touched.get(place, 0) | touched
        if leaving.spreads or entering.spreads:
            self._touch(fact.unit, self._spread[month], touched)
        self._cause(fact.unit, key)

    def _cell(self, place: tuple[str, str]) -> Cell:
        cell = self.cells.get(place)
        if cell is None:
            cell = self.cells[place] = Cell()
        return cell

    def _claim(self, key: str, fact: ClaimFact, sign: int) -> None:
        event = fact.event
        rules = self._bloc.get(event.unit)
        month = claim_month(event, self.months)
        if rules is None or month is None or event.plan not in (None, self.plan.id):
            return
        if event.type == "report.received" and event.state != "rejected":
            self._report(key, event.unit, month, local_date(event.received_at), sign)
        if event.type == "exclusion.lifted":
            self._lift(key, event, month, sign)
            return
        added = rules.of_claim(event)
        if not added.touched:
            return
        cell = self._cell((event.unit, month))
        cell.claimed += sign * added.lanes
        if event.state == "verified":
            cell.verified += sign * added.lanes
        for keyed in added.keyed:
            cell.claimed_keys.add(keyed, sign)
            if event.state == "verified":
                cell.verified_keys.add(keyed, sign)
        later = self._spread[month] if added.spreads else periods_of(month)
        self._touch(event.unit, later, added.touched)
        self._cause(event.unit, key)

    def _touch(self, unit: str, periods: tuple[str, ...], touched: int) -> None:
        dirty = self.dirty
        for period in periods:
            slot = unit, period
            dirty[slot] = dirty.get(slot, 0) | touched

    def settle_touched(self) -> None:
        """Turn touched months into dirty periods; before `dirty` is read."""
        for (unit, month), touched in self._touched.items():
            self._touch(unit, periods_of(month), touched)
        self._touched.clear()

    def _cause(self, unit: str, key: str) -> None:
        causes = self.causes.get(unit)
        if causes is None:
            causes = self.causes[unit] = Causes()
        causes.add(key)

    def _report(self, key: str, unit: str, month: str, received: date, sign: int) -> None:
        reports = self.reports.setdefault((unit, month), {})
        if sign > 0:
            reports[key] = received
        else:
            reports.pop(key, None)
        self.dirty_units.add(unit)

    def _lift(self, key: str, event: ExclusionLifted, month: str, sign: int) -> None:
        """Only what the office decided counts."""
        if event.state != "verified":
            return
        lifting = self.lifted.setdefault((event.unit, month, event.rule), {})
        if sign > 0:
            lifting[key] = event.reason
        else:
            lifting.pop(key, None)
        self.dirty_units.add(event.unit)
        self._cause(event.unit, key)

    def _promise(self, key: str, fact: Dossier, rules: tuple[int, ...], sign: int) -> None:
        due = fact.due_on
        if due is None or month_of(due) not in self._spread:
            return
        if fact.finished_on is None and due >= self.today:
            waiting = self._falls_due.setdefault(due, {})
            if sign > 0:
                waiting[key] = fact.unit, rules
            else:
                waiting.pop(key, None)
        elif (fact.finished_on or self.today) > due:
            self._overdue(key, fact.unit, due, rules, sign)

    def _overdue(
        self, key: str, unit: str, due: date, rules: tuple[int, ...], sign: int
    ) -> None:
        for rule in rules:
            place = rule, unit, month_of(due)
            late = self.overdue.get(place)
            if late is None:
                late = self.overdue[place] = Overdue()
            if sign > 0:
                late.add(key)
            else:
                late.discard(key)
        self.dirty_units.add(unit)
        self._cause(unit, key)

    def advance(self, today: date) -> None:
        """Time passes: open dossiers fall overdue, missing reports grow late. Never goes back."""
        if today <= self.today:
            return
        for due in sorted(day for day in self._falls_due if day < today):
            for key, (unit, rules) in self._falls_due.pop(due).items():
                self._overdue(key, unit, due, rules, 1)
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

    def fill(self, facts: Iterable[tuple[str, Fact]]) -> None:
        """Let many facts enter, none of which is inside."""
        for key, fact in facts:
            self.replace(key, None, fact)


def exclusion_kinds(
    rules: BlocRules,
) -> tuple[list[tuple[int, OverdueDossiers]], list[LateReport]]:
    """The bloc's exclusion rules: those on dossiers with their number, and those on reports."""
    numbered = list(enumerate(rules.bloc.exclusions))
    dossiers = [(n, rule) for n, rule in numbered if isinstance(rule, OverdueDossiers)]
    return dossiers, [rule for _, rule in numbered if isinstance(rule, LateReport)]
