"""Facts enter and leave the counters of one plan version, and time passes."""

from collections.abc import Iterable
from datetime import date

from contracts.calendar import local_date, month_of, periods_of
from contracts.events import ExclusionLifted
from contracts.plan import Plan
from services.scoring.domain.counters import Counters, Place
from services.scoring.domain.facts import ClaimFact, Dossier, Fact
from services.scoring.domain.overdue import Overdue
from services.scoring.domain.rules import NOTHING, Contribution, claim_month


class Tally(Counters):
    """The counters that facts make; the state is a pure function of the facts inside and of `today`."""

    def __init__(self, plan: Plan, today: date) -> None:
        super().__init__(plan, today)
        self._late: dict[tuple[int, str, str], Overdue] = {}
        self._falls_due: dict[date, dict[str, tuple[str, tuple[int, ...]]]] = {}
        self._touched: dict[Place, int] = {}
        """(unit, month) -> indicators touched by dossiers since the last `settle_touched`."""
        self._moved: set[Place] = set()
        """Where anything else has changed since the last `moved`."""

    @property
    def overdue(self) -> dict[tuple[int, str, str], Overdue]:
        """(exclusion rule, unit, month) -> overdue dossiers."""
        return self._late

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

    def _claim(self, key: str, fact: ClaimFact, sign: int) -> None:
        event = fact.event
        rules = self._bloc.get(event.unit)
        month = claim_month(event, self.months)
        if rules is None or month is None or event.plan not in (None, self.plan.id):
            return
        self._moved.add((event.unit, month))
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

    def settle_touched(self) -> None:
        """Turn touched months into dirty periods; before `dirty` is read."""
        for (unit, month), touched in self._touched.items():
            self._touch(unit, periods_of(month), touched)
        self._touched.clear()

    def moved(self) -> set[Place]:
        """Where counters may have changed since the last call; for whoever tells of them instead of reading `dirty`."""
        found = self._moved | self._touched.keys()
        self._moved.clear()
        self._touched.clear()
        self.dirty.clear()
        self.dirty_units.clear()
        return found

    def mark(self, place: Place) -> None:
        """Let it be among those that moved, if the plan knows it."""
        unit, month = place
        if unit in self._bloc and month in self._spread:
            self._moved.add(place)

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
            late = self._late.get(place)
            if late is None:
                late = self._late[place] = Overdue()
            if sign > 0:
                late.add(key)
            else:
                late.discard(key)
        self._moved.add((unit, month_of(due)))
        self.dirty_units.add(unit)
        self._cause(unit, key)

    def advance(self, today: date) -> None:
        """Time passes: open dossiers fall overdue, missing reports grow late. Never goes back."""
        if today <= self.today:
            return
        for due in sorted(day for day in self._falls_due if day < today):
            for key, (unit, rules) in self._falls_due.pop(due).items():
                self._overdue(key, unit, due, rules, 1)
        super().advance(today)

    def fill(self, facts: Iterable[tuple[str, Fact]]) -> None:
        """Let many facts enter, none of which is inside."""
        for key, fact in facts:
            self.replace(key, None, fact)
