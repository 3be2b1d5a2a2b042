"""What a slice tells of one unit in one month, and the sum of what all slices tell."""

from collections.abc import Iterable, Mapping
from datetime import date
from heapq import merge
from itertools import islice
from typing import TypeVar, cast

import msgspec

from contracts.calendar import periods_of
from contracts.plan import Plan
from contracts.subtotals import KeyedCount, Subtotal
from contracts.wire import KEYED_COUNT, LATE, SUBTOTAL
from services.scoring.domain.counters import CAUSES_KEPT, Causes, Cell, Counters, Keys, Place
from services.scoring.domain.rules import LANE_BITS, Keyed
from services.scoring.domain.tally import Tally

V = TypeVar("V")


def subtotal_of(tally: Tally, place: Place, causes: Causes | None) -> Subtotal:
    """What the facts in a tally make of a unit and month."""
    unit, month = place
    cell = tally.cells.get(place) or Cell()
    lifted: dict[str, dict[str, str]] = {}
    late = []
    for number, rule in enumerate(tally.rules_of(unit).bloc.exclusions):
        if lifting := tally.lifted.get((unit, month, rule.code)):
            lifted[rule.code] = dict(lifting)
        if overdue := tally.overdue.get((number, unit, month)):
            late.append(LATE(rule=number, count=len(overdue), first=overdue.first(CAUSES_KEPT)))
    made = SUBTOTAL(
        plan=tally.plan.id,
        version=tally.plan.version,
        unit=unit,
        month=month,
        verified=f"{cell.verified:x}",
        claimed=f"{cell.claimed:x}",
        verified_keys=_keyed(cell.verified_keys),
        claimed_keys=_keyed(cell.claimed_keys),
        overdue=late,
        reports=dict(tally.reports.get(place, {})),
        lifted=lifted,
        facts=causes.facts if causes else [],
        fact_count=causes.count if causes else 0,
    )
    return cast("Subtotal", made)


def _keyed(keys: Keys) -> list[msgspec.Struct]:
    return [
        KEYED_COUNT(lane=lane, key=str(key), amount=amount, capped=cap is not None)
        for lane, key, amount, cap in keys.entries()
    ]


class LateSum:
    """Overdue dossiers of one unit in one month: how many in each slice, and its first ones by key."""

    __slots__ = ("_slices",)

    def __init__(self) -> None:
        self._slices: dict[int, tuple[int, list[str]]] = {}

    def put(self, slice_: int, count: int, first: list[str]) -> None:
        """What a slice has now."""
        self._slices[slice_] = count, first

    def __len__(self) -> int:
        return sum(count for count, _ in self._slices.values())

    def first(self, most: int) -> list[str]:
        """The first ones in order; never more than a slice tells of."""
        return list(islice(merge(*(first for _, first in self._slices.values())), most))


class Sum(Counters):
    """Counters that slices tell of: the newest subtotal of each holds, in whatever order they come."""

    def __init__(self, plan: Plan, today: date) -> None:
        super().__init__(plan, today)
        self._late: dict[tuple[int, str, str], LateSum] = {}
        self._known: dict[tuple[int, Place], tuple[int, Subtotal]] = {}
        """(slice, place) -> (position, the newest subtotal)."""
        self._of_lane = {
            code: {
                lane: (rule.bit, rule.part.over in {"to_date", "latest"})
                for rule in rules.parts
                for lane in (rule.numerator_lane, rule.denominator_lane)
            }
            for code, rules in self.rules.items()
        }

    @property
    def overdue(self) -> dict[tuple[int, str, str], LateSum]:
        """(exclusion rule, unit, month) -> overdue dossiers."""
        return self._late

    def take(self, slice_: int, position: int, new: Subtotal) -> bool:
        """Put a slice's subtotal in the place of its former one; True when that changed anything."""
        place = new.unit, new.month
        known, old = self._known.get((slice_, place)) or (-1, _empty(new))
        if position <= known:
            return False
        self._known[slice_, place] = position, new
        lanes = self._exchange_counts(place, old, new)
        excludes = self._exchange_grounds(slice_, place, old, new)
        if lanes:
            self._touch_lanes(new.unit, new.month, lanes)
        if excludes:
            self.dirty_units.add(new.unit)
        if lanes or excludes:
            self._add_causes(new)
        return bool(lanes) or excludes

    def _exchange_counts(self, place: Place, old: Subtotal, new: Subtotal) -> set[int]:
        """Returns the lanes that changed."""
        changed: set[int] = set()
        cell = self._cell(place)
        for kind, keys in (
            ("verified", cell.verified_keys),
            ("claimed", cell.claimed_keys),
        ):
            before, now = int(getattr(old, kind), 16), int(getattr(new, kind), 16)
            if before != now:
                setattr(cell, kind, getattr(cell, kind) + now - before)
                changed |= set(_lanes(before ^ now))
            leaving = set(_entries(getattr(old, f"{kind}_keys")))
            entering = set(_entries(getattr(new, f"{kind}_keys")))
            for keyed in leaving - entering:
                keys.add(keyed, -1)
            for keyed in entering - leaving:
                keys.add(keyed, 1)
            changed |= {keyed.lane for keyed in leaving ^ entering}
        return changed

    def _exchange_grounds(
        self, slice_: int, place: Place, old: Subtotal, new: Subtotal
    ) -> bool:
        """What exclusions are judged by; returns whether it changed."""
        if (old.overdue, old.reports, old.lifted) == (new.overdue, new.reports, new.lifted):
            return False
        unit, month = place
        for late in old.overdue:
            self._late[late.rule, unit, month].put(slice_, 0, [])
        for late in new.overdue:
            known = self._late.setdefault((late.rule, unit, month), LateSum())
            known.put(slice_, late.count, late.first)
        _exchange(self.reports.setdefault(place, {}), old.reports, new.reports)
        for rule in old.lifted.keys() | new.lifted.keys():
            lifting = self.lifted.setdefault((unit, month, rule), {})
            _exchange(lifting, old.lifted.get(rule, {}), new.lifted.get(rule, {}))
        return True

    def _touch_lanes(self, unit: str, month: str, lanes: Iterable[int]) -> None:
        of_lane = self._of_lane[self.rules_of(unit).bloc.code]
        for lane in lanes:
            bit, spreads = of_lane[lane]
            self._touch(unit, self._spread[month] if spreads else periods_of(month), bit)

    def _add_causes(self, new: Subtotal) -> None:
        for fact in new.facts:
            self._cause(new.unit, fact)
        if new.fact_count > len(new.facts):
            self.causes[new.unit].count += new.fact_count - len(new.facts)


def _empty(like: Subtotal) -> Subtotal:
    """What a slice has told that told nothing yet."""
    return cast(
        "Subtotal",
        SUBTOTAL(
            plan=like.plan, version=like.version, unit=like.unit, month=like.month,
            verified="0", claimed="0", verified_keys=[], claimed_keys=[],
            overdue=[], reports={}, lifted={}, facts=[], fact_count=0,
        ),
    )  # fmt: skip


def _entries(keys: Iterable[KeyedCount]) -> Iterable[Keyed]:
    for one in keys:
        yield Keyed(one.lane, one.key, one.amount, 1 if one.capped else None)


def _lanes(changed: int) -> Iterable[int]:
    """The lanes in which a bit is set."""
    while changed:
        lane = ((changed & -changed).bit_length() - 1) // LANE_BITS
        yield lane
        changed >>= (lane + 1) * LANE_BITS
        changed <<= (lane + 1) * LANE_BITS


def _exchange(into: dict[str, V], old: Mapping[str, V], new: Mapping[str, V]) -> None:
    for key in old:
        into.pop(key, None)
    into.update(new)
