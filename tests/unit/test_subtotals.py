"""The law of divided facts: any slices, whatever the order in which they tell, sum up to the bytes of one fold."""

from datetime import date
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given, strategies as st

from contracts.subtotals import Subtotal
from contracts.wire import SUBTOTAL, fact_id, from_line, shard_of
from services.scoring.domain.fold import Fold, Sums
from services.scoring.domain.slicing import WHOLE, Slice
from tests.support.facts import (
    COMMUNES,
    Fields,
    dossier,
    histories,
    line,
    lines,
    little_plan,
    retold,
    todays,
)
from tests.unit.test_fold import TODAY, apply_all, board, law, next_version, opened, rebuilt


class Told(NamedTuple):
    """One message of a slice."""

    slice: int
    position: int
    body: bytes

    def to(self, sums: Sums) -> bool:
        """As the worker that sums takes it from the bus."""
        subtotal = msgspec.json.decode(self.body, type=SUBTOTAL)
        return sums.take(self.slice, self.position, subtotal)  # type: ignore[arg-type]


class Telling:
    """A slice at work: it folds and tells."""

    def __init__(self, number: int, of: int, today: date) -> None:
        self.fold = Fold(today, Slice(number, of))
        self.fold.publish(little_plan())
        self._position = 0

    def tell(self) -> list[Told]:
        """What moved since it last told."""
        self._position += 1
        return [
            Told(self.fold.slice.number, self._position, msgspec.json.encode(subtotal))
            for _, subtotal in self.fold.moved()
        ]


def summing(today: date = TODAY) -> Sums:
    sums = Sums(today)
    sums.publish(little_plan())
    return sums


@law
@given(histories(), todays, st.integers(1, 5), st.data())
def test_the_sum_of_any_slices_is_the_fold_of_all(
    history: list[Fields], today: date, of: int, data: st.DataObject
) -> None:
    told = lines(history)
    messages: list[Told] = []
    for number in range(of):
        slice_ = Telling(number, of, today)
        again = data.draw(retold(told))
        looks = data.draw(st.sets(st.integers(0, max(len(again) - 1, 0)), max_size=3))
        for place, text in enumerate(again):
            slice_.fold.apply(text)
            if place in looks:
                messages += slice_.tell()
        messages += slice_.tell()
    sums = summing(today)
    looks = data.draw(st.sets(st.integers(0, max(len(messages) - 1, 0)), max_size=3))
    shuffled = data.draw(st.permutations(messages))
    for place, message in enumerate(shuffled):
        message.to(sums)
        if place in looks:
            board(sums)
    assert not any(message.to(sums) for message in shuffled), "told again changes nothing"
    assert board(sums) == rebuilt(told, today)


@law
@given(histories(), todays, todays, st.data())
def test_days_pass_in_slices_and_sum_each_by_itself(
    history: list[Fields], one: date, other: date, data: st.DataObject
) -> None:
    first, last = sorted((one, other))
    told = data.draw(retold(lines(history)))
    middle = data.draw(st.integers(0, len(told)))
    sums = summing(first)
    slices = [Telling(number, 3, first) for number in range(3)]
    for slice_ in slices:
        apply_all(slice_.fold, told[:middle])
        for message in slice_.tell():
            message.to(sums)
    board(sums)
    for step in data.draw(st.permutations([*slices, None])):
        if step is None:
            sums.advance(last)
            continue
        step.fold.advance(last)
        apply_all(step.fold, told[middle:])
        for message in step.tell():
            message.to(sums)
    assert board(sums) == rebuilt(told, last)


@law
@given(histories(), st.data())
def test_a_plan_published_later_is_summed_like_one_that_was_there(
    history: list[Fields], data: st.DataObject
) -> None:
    newer = next_version(little_plan())
    whole = opened(little_plan(), TODAY)
    apply_all(whole, lines(history))
    whole.publish(newer)
    sums = summing()
    sums.publish(newer)
    for number in data.draw(st.permutations(range(3))):
        slice_ = Telling(number, 3, TODAY)
        apply_all(slice_.fold, lines(history))
        for message in slice_.tell():
            message.to(sums)
        slice_.fold.publish(newer)
        for message in slice_.tell():
            message.to(sums)
    assert board(sums) == board(whole)


def test_a_fact_that_left_while_its_slice_was_away_leaves_the_sum() -> None:
    first, second = COMMUNES[:2]
    away = Telling(0, 1, TODAY)
    away.fold.apply(line(dossier(unit=first, version=1)))
    sums = summing()
    (was,) = away.tell()
    assert was.to(sums)
    again = Telling(0, 1, TODAY)
    again._position = 7
    again.fold.apply(line(dossier(unit=second, version=2)))
    stored = msgspec.json.decode(was.body)
    again.fold.mark([((stored["plan"], stored["version"]), (stored["unit"], stored["month"]))])
    for message in again.tell():
        message.to(sums)
    assert board(sums) == rebuilt([line(dossier(unit=second, version=2))])


def test_what_moved_a_unit_is_named_in_the_sum() -> None:
    slice_ = Telling(0, 1, TODAY)
    for number in range(25):
        slice_.fold.apply(line(dossier(number)))
    sums = summing()
    for message in slice_.tell():
        message.to(sums)
    (standings,) = sums.standings.values()
    (causes,) = standings.tally.causes.values()
    assert (len(causes.facts), causes.count) == (20, 25)


def test_a_sum_knows_only_what_its_plan_has() -> None:
    subtotal: Subtotal = next(iter(_of_one_dossier()))
    sums = Sums(TODAY)
    assert not sums.take(0, 1, subtotal), "no plan is published"
    sums.publish(little_plan())
    assert sums.take(0, 1, subtotal)


def _of_one_dossier() -> list[Subtotal]:
    slice_ = Telling(0, 1, TODAY)
    slice_.fold.apply(line(dossier()))
    return [subtotal for _, subtotal in slice_.fold.moved()]


@pytest.mark.parametrize("of", [1, 2, 3, 4, 7])
def test_every_fact_is_in_one_slice_and_a_shard_passed_over_has_none_of_it(of: int) -> None:
    ids = [fact_id(from_line(line(dossier(number)))) for number in range(200)]
    slices = [Slice(number, of) for number in range(of)]
    assert all(sum(slice_.holds(fact) for slice_ in slices) == 1 for fact in ids)
    for shards in range(13):
        for slice_ in slices:
            passed = {s for s in range(max(1, shards)) if slice_.passes_over(s, shards)}
            held = {shard_of(fact, shards) for fact in ids if shards and slice_.holds(fact)}
            assert not passed & held
            kept = shards // of if shards and shards % of == 0 else max(1, shards)
            assert len(passed) == max(1, shards) - kept
    assert not WHOLE.passes_over(0, 1)
