"""Workers share slices equally, whoever comes or goes; as few as possible change hands."""

from hypothesis import given, strategies as st

from services.scoring.domain.slicing import shares

some_workers = st.sets(st.integers(0, 20), min_size=1, max_size=12)
any_division = given(
    st.integers(1, 64), some_workers, st.dictionaries(st.integers(0, 63), st.integers(0, 20))
)


def loads(shared: dict[int, int], workers: set[int]) -> list[int]:
    """Slices of each worker, fewest first."""
    return sorted(sum(w == worker for w in shared.values()) for worker in workers)


@any_division
def test_every_slice_has_one_worker_and_no_worker_more_than_one_above_another(
    slices: int, workers: set[int], holders: dict[int, int]
) -> None:
    shared = shares(slices, workers, holders)
    assert sorted(shared) == list(range(slices))
    found = loads(shared, workers)
    assert sum(found) == slices
    assert found[-1] - found[0] <= 1


@any_division
def test_no_slice_moves_that_need_not(
    slices: int, workers: set[int], holders: dict[int, int]
) -> None:
    shared = shares(slices, workers, holders)
    most, more = -(-slices // len(workers)), slices % len(workers) or len(workers)
    held = {w: [n for n in range(slices) if holders.get(n) == w] for w in workers}
    above = sorted((max(0, len(one) - (most - 1)) for one in held.values()), reverse=True)
    must = sum(above) - sum(1 for one in above[:more] if one)
    moved = [n for n in range(slices) if holders.get(n) in workers and holders[n] != shared[n]]
    assert len(moved) == must


@given(st.integers(1, 64), some_workers, st.integers(0, 5))
def test_while_slices_change_hands_one_after_the_other_nobody_changes_his_mind(
    slices: int, workers: set[int], seed: int
) -> None:
    holders = shares(slices, sorted(workers)[: 1 + seed % len(workers)], {})
    goal = shares(slices, workers, holders)
    for number in sorted(goal, key=lambda n: (n * 7 + seed) % 64):
        holders[number] = goal[number]
        assert shares(slices, workers, holders) == goal


def test_as_many_workers_as_slices_have_the_one_of_their_ordinal() -> None:
    assert shares(3, [2, 0, 1], {}) == {0: 0, 1: 1, 2: 2}
    assert shares(2, [0, 1, 2], {}) == {0: 0, 1: 1}, "one too many waits"
    assert shares(4, [], {0: 1}) == {}
