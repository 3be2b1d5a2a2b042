"""The law of merging: snapshots and steps in any order, repeated, end in one state."""

from dataclasses import replace
from typing import Any

from hypothesis import given, strategies as st

from services.intake.portal.domain.merging import REMEMBERED, State, merge, next_version
from services.intake.portal.domain.messages import Message

VALUES: dict[str, Any] = {
    "procedure": st.sampled_from(["2.000815", "2.000822"]),
    "agency": st.sampled_from(["UBND xã Tân Bình", "UBND xã Hòa An"]),
    "status": st.sampled_from(["accepted", "processing", "finished"]),
    "channel": st.sampled_from(["online", "counter", None]),
    "due_at": st.sampled_from([None, 1_000, 2_000]),
    "digitised": st.sampled_from([True, False, None]),
}
SNAPSHOT = st.fixed_dictionaries(
    {name: VALUES[name] for name in ("procedure", "agency", "status")},
    optional={name: VALUES[name] for name in ("channel", "due_at", "digitised")},
)
STEP = st.fixed_dictionaries({"status": VALUES["status"], "step_at": st.integers(1, 99)})


@st.composite
def histories(draw: st.DrawFn) -> list[Message]:
    """Statements about one dossier, each with a source time of its own."""
    times = draw(st.lists(st.integers(1, 10_000), unique=True, min_size=1, max_size=8))
    return [
        Message("H30-1", at, draw(STEP), step=True)
        if draw(st.booleans())
        else Message("H30-1", at, draw(SNAPSHOT))
        for at in times
    ]


def folded(messages: list[Message]) -> State:
    state = State()
    for message in messages:
        state = merge(state, message)
    return state


@given(histories(), st.data())
def test_any_order_with_repeats_ends_in_one_state(
    history: list[Message], data: st.DataObject
) -> None:
    repeats = data.draw(st.lists(st.sampled_from(history), max_size=6))
    mixed = data.draw(st.permutations([*history, *repeats]))
    assert folded(mixed).fields == folded(history).fields


@given(histories(), histories())
def test_a_repeat_changes_nothing_whatever_came_in_between(
    first: list[Message], then: list[Message]
) -> None:
    state = folded([*first, *then])
    for message in first:
        assert merge(state, message) is state


@given(histories(), st.randoms())
def test_every_change_gets_a_higher_version(history: list[Message], chance: Any) -> None:
    chance.shuffle(history)
    state, version = State(), 0
    for message in history:
        state = merge(state, message)
        state = replace(state, version=next_version(state))
        assert state.version > version
        version = state.version


def test_of_two_statements_about_the_same_instant_the_one_that_came_later_holds() -> None:
    wrong, right = (
        Message("d", 5, {"procedure": "p", "due_at": due}) for due in (1_000, 2_000)
    )
    for one, other in ((wrong, right), (right, wrong)):
        state = folded([one, other, one, one])
        assert state.value("due_at") == other.fields["due_at"]


def test_a_field_that_a_statement_lacks_keeps_what_an_older_one_said() -> None:
    state = folded([Message("d", 5, {"channel": "online"}), Message("d", 9, {"status": "x"})])
    assert state.value("channel") == "online"
    assert merge(state, Message("d", 10, {"channel": None})).value("channel") is None


def test_a_version_grows_on_from_the_source_time_even_if_the_states_were_lost() -> None:
    message = Message("d", 1_688_700_000_000, {"status": "processing"})
    first = next_version(merge(State(), message))
    later = Message("d", 1_688_700_001_000, {"status": "finished"})
    assert next_version(merge(State(), later)) > first


def test_a_state_remembers_only_so_many_repeats() -> None:
    state = folded([Message("d", n, {"status": str(n)}) for n in range(REMEMBERED + 5)])
    assert len(state.seen) == REMEMBERED
