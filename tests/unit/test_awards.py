"""Places and prizes: every boundary of the plan, and a brute-force oracle for exclusions and ties at every position."""

from itertools import pairwise, permutations, product

import pytest
from hypothesis import given, strategies as st

from contracts.plan import Bloc
from services.reports.domain.awards import Outcome, derive
from services.reports.domain.decisions import Candidate, Choice
from services.reports.domain.recount import recount
from tests.support.facts import reference_plan

PLAN = reference_plan()
COMMUNES, DEPARTMENTS = PLAN.blocs[0], PLAN.blocs[1]
SLOTS = [
    (1_800_000, None, ["first", "second", "third"]),
    (1_600_000, 1_800_000, ["encouragement"] * 2),
]


def units(
    *totals: float | str, excluded: str = "", **indicators: dict[str, int]
) -> list[Candidate]:
    """Units a, b, c … with these totals."""
    return [
        Candidate(
            unit=chr(97 + n),
            points=round(float(total) * 10_000),
            eligible=chr(97 + n) not in excluded,
            indicators=indicators.get(chr(97 + n), {}),
        )
        for n, total in enumerate(totals)
    ]


def places(outcome: Outcome) -> dict[str, str]:
    return {place.unit: place.award for place in outcome.places}


def codes(outcome: Outcome) -> list[str]:
    return [item.code for item in outcome.open_items]


def test_places_follow_points_within_half_open_bands() -> None:
    outcome = derive(COMMUNES, units(190, 185, 180, "179.9999", 160, "159.9999"), {})
    assert places(outcome) == {
        "a": "first",
        "b": "second",
        "c": "third",
        "d": "encouragement",
        "e": "encouragement",
    }
    assert outcome.money == 26_000_000
    assert outcome.individuals == {"a": 10, "b": 7, "c": 5, "d": 3, "e": 3, "f": 2}
    assert codes(outcome) == []


def test_ties_at_exactly_180_are_a_question_about_prizes_and_never_sorted() -> None:
    tied = units(190, 180, 180, 170, b={"X8": 5, "X14": 1}, c={"X8": 5, "X14": 2})
    outcome = derive(COMMUNES, tied, {})
    (item,) = outcome.open_items
    assert (item.key, [c.unit for c in item.candidates]) == (
        "commune:tie-at-boundary:first:2",
        ["b", "c"],
    )
    assert outcome.contested == {item.key: ["second", "third"]}
    assert places(outcome) == {"a": "first", "d": "encouragement"}
    assert (item.criteria, item.suggested) == (["X8", "X14", "X20"], ["c", "b"])
    settled = derive(COMMUNES, tied, {item.key: Choice(choice="order", order=["b", "c"])})
    assert places(settled) == {"a": "first", "b": "second", "c": "third", "d": "encouragement"}
    assert {p.unit: p.item for p in settled.places}["b"] == item.key
    assert settled.open_items == []


def test_criteria_that_do_not_tell_all_apart_suggest_nothing() -> None:
    (item,) = derive(COMMUNES, units(190, 180, 180), {}).open_items
    assert item.suggested == []


def test_a_fourth_unit_above_180_has_no_prize_until_people_say_so() -> None:
    four = units(195, 190, 185, 181, 170, 165)
    outcome = derive(COMMUNES, four, {})
    (item,) = outcome.open_items
    assert (item.code, [c.unit for c in item.candidates]) == ("fourth-above-threshold", ["d"])
    assert "d" not in places(outcome)
    lower = derive(COMMUNES, four, {item.key: Choice(choice="lower")})
    assert places(lower)["d"] == "encouragement"
    assert (places(lower)["e"], "f" in places(lower)) == ("encouragement", False)
    none = derive(COMMUNES, four, {item.key: Choice(choice="none")})
    assert (places(none)["e"], places(none)["f"]) == ("encouragement", "encouragement")
    assert codes(none) == codes(lower) == []


def test_two_qualified_units_leave_the_third_prize_unawarded() -> None:
    outcome = derive(COMMUNES, units(190, 185, 150), {})
    assert outcome.unawarded == ["third", "encouragement", "encouragement"]
    assert codes(outcome) == ["fewer-than-three"]
    key = outcome.open_items[0].key
    settled = derive(COMMUNES, units(190, 185, 150), {key: Choice(choice="unawarded")})
    assert (places(settled), codes(settled)) == (places(outcome), [])


def test_the_excluded_first_place_moves_everybody_up_exactly_once() -> None:
    outcome = derive(COMMUNES, units(195, 190, 185, 181, excluded="a"), {})
    assert places(outcome) == {"b": "first", "c": "second", "d": "third"}
    assert outcome.ranks == {"b": 1, "c": 2, "d": 3}
    assert codes(outcome) == ["excluded-units-individuals"]
    key = outcome.open_items[0].key
    assert "a" not in outcome.individuals
    granted = derive(COMMUNES, units(195, excluded="a"), {key: Choice(choice="grant")})
    assert granted.individuals == {"a": 2}


def test_everybody_excluded_leaves_every_prize_unawarded() -> None:
    outcome = derive(COMMUNES, units(195, 190, excluded="ab"), {})
    assert (outcome.places, outcome.money) == ([], 0)
    assert outcome.unawarded == ["first", "second", "third", "encouragement", "encouragement"]
    assert codes(outcome) == ["fewer-than-three", "excluded-units-individuals"]


def test_the_band_without_a_prize_is_a_question_and_brings_no_money() -> None:
    some = units(90, 89, 88, 84, 70, "69.9999")
    outcome = derive(DEPARTMENTS, some, {})
    assert codes(outcome) == ["encouragement-without-prize", "ten-individuals"]
    assert places(outcome) == {"a": "first", "b": "second", "c": "third"}
    key = outcome.open_items[0].key
    titled = derive(DEPARTMENTS, some, {key: Choice(choice="title")})
    assert (places(titled)["d"], places(titled)["e"], titled.money) == (
        "encouragement",
    ) * 2 + (12_000_000,)
    assert "f" not in places(titled)


def test_an_answer_that_does_not_fit_leaves_the_question_open() -> None:
    tied = units(190, 180, 180)
    for choice in (
        Choice(choice="order", order=["b"]),
        Choice(choice="order", order=["b", "a"]),
        Choice(choice="none"),
    ):
        assert codes(derive(COMMUNES, tied, {"commune:tie-at-boundary:first:2": choice})) == [
            "tie-at-boundary"
        ]


def brute(candidates: list[Candidate]) -> dict[str, set[str | None]]:
    """For each considered unit every award it may get, over all orders that respect the points; nothing is clever."""
    possible: dict[str, set[str | None]] = {c.unit: set() for c in candidates if c.eligible}
    for low, high, awards in SLOTS:
        members = [
            c
            for c in candidates
            if c.eligible and low <= c.points and (high is None or c.points < high)
        ]
        for order in permutations(members):
            if any(x.points < y.points for x, y in pairwise(order)):
                continue
            for n, unit in enumerate(order):
                possible[unit.unit].add(awards[n] if n < len(awards) else None)
    return {unit: found or {None} for unit, found in possible.items()}


@pytest.mark.parametrize("excluded", ["", "a", "b", "c", "d", "e", "ab", "ce", "abcde"])
def test_exclusions_and_ties_at_every_position_agree_with_brute_force(excluded: str) -> None:
    for totals in product((190, 180, 179, 160, 159), repeat=5):
        check(units(*totals, excluded=excluded))


def check(candidates: list[Candidate]) -> None:
    outcome = derive(COMMUNES, candidates, {})
    given_ = places(outcome)
    tied = {
        c.unit for i in outcome.open_items if i.code == "tie-at-boundary" for c in i.candidates
    }
    for unit, awards in brute(candidates).items():
        assert (unit in tied) == (len(awards) > 1), (candidates, unit)
        if len(awards) == 1:
            assert {given_.get(unit)} == awards, (candidates, unit)
    assert not {c.unit for c in candidates if not c.eligible} & (given_.keys() | tied)


@given(
    st.lists(
        st.tuples(st.sampled_from([195, 185, 180, 170, 160, 100]), st.booleans()), max_size=8
    ),
    st.randoms(use_true_random=False),
)
def test_after_any_decisions_the_second_opinion_agrees(
    rows: list[tuple[int, bool]], luck: object
) -> None:
    bloc: Bloc = COMMUNES
    candidates = [
        Candidate(unit=f"u{n}", points=total * 10_000, eligible=good)
        for n, (total, good) in enumerate(rows)
    ]
    choices: dict[str, Choice] = {}
    while items := derive(bloc, candidates, choices).open_items:
        item = items[0]
        option = luck.choice(item.options)  # type: ignore[attr-defined]
        order = [c.unit for c in item.candidates] if option == "order" else []
        luck.shuffle(order)  # type: ignore[attr-defined]
        choices[item.key] = Choice(choice=option, order=order)
    outcome = derive(bloc, candidates, choices)
    again = recount(bloc, candidates, choices)
    assert again.places == places(outcome)
    assert again.money == outcome.money
    assert again.individuals == outcome.individuals
    shuffled = list(candidates)
    luck.shuffle(shuffled)  # type: ignore[attr-defined]
    assert derive(bloc, shuffled, choices) == outcome
