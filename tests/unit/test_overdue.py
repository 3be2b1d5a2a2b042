"""The overdue dossiers of a unit are the same set as a plain one, and its first ones are those of a sorted list."""

from hypothesis import given, strategies as st

from services.scoring.domain.overdue import AT_HAND, Overdue

KEPT = 20


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["add", "discard"]), st.integers(0, 40)),
            st.just(("look", 0)),
        ),
        max_size=200,
    )
)
def test_the_first_ones_are_those_of_a_sorted_list(steps: list[tuple[str, int]]) -> None:
    late, plain = Overdue(), set[str]()
    for what, number in steps:
        key = f"{number:02}"
        if what == "add":
            late.add(key)
            plain.add(key)
        elif what == "discard":
            late.discard(key)
            plain.discard(key)
        else:
            assert late.first(KEPT) == sorted(plain)[:KEPT]
    assert (len(late), late.first(KEPT)) == (len(plain), sorted(plain)[:KEPT])


def test_more_than_are_at_hand_come_and_go_in_any_order() -> None:
    late = Overdue()
    keys = [f"{n * 7919 % 10_007:05}" for n in range(3 * AT_HAND)]
    for key in keys:
        late.add(key)
    for gone, key in enumerate(sorted(keys)):
        assert late.first(KEPT) == sorted(keys)[gone : gone + KEPT]
        late.discard(key)
    assert (len(late), late.first(KEPT)) == (0, [])
