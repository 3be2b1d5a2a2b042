"""What-if equals what the fold says when the figures really come; awards and ranks at their boundaries."""

from fractions import Fraction

import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st

from contracts.plan import Bloc
from services.scoring.domain.awarding import Candidate, awards_of, undecided
from services.scoring.domain.counters import Counters
from services.scoring.domain.rules import all_parts
from services.scoring.domain.standings import part_share, ranked
from services.scoring.domain.whatif import moved_points, outcome
from tests.support.facts import (
    COMMUNES,
    DEPARTMENTS,
    Fields,
    folded,
    histories,
    little_plan,
    reference_plan,
)

PLAN = little_plan()
COMMUNE = next(b for b in PLAN.blocs if b.code == "commune")


def _parts(
    tally: Counters, unit: str, period: str
) -> dict[str, list[tuple[Fraction, int, int]]]:
    """Indicator -> (share, numerator, denominator) of each part."""
    return {
        indicator.code: [
            part_share(tally, rule, unit, period, verified=False) for rule in rules
        ]
        for indicator, rules in all_parts(tally.rules_of(unit))
    }


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    histories(),
    histories(),
    st.sampled_from((*COMMUNES, *DEPARTMENTS)),
    st.sampled_from(("2023", "2023-Q3", "2023-07")),
)
def test_moved_figures_earn_what_they_earn_when_they_really_come(
    before: list[Fields], later: list[Fields], unit: str, period: str
) -> None:
    (now,), (then,) = (
        folded(history).standings.values() for history in (before, [*before, *later])
    )
    found, bloc = PLAN.unit(unit), None
    assert found is not None
    bloc = PLAN.bloc(found.bloc)
    assert bloc is not None
    stands, comes = _parts(now.tally, unit, period), _parts(then.tally, unit, period)
    moves = {
        (indicator.code, part.code): comes[indicator.code][n][1:]
        for indicator in bloc.indicators
        for n, part in enumerate(indicator.parts)
        if all(p.over != "mean" for p in indicator.parts)
    }
    shares = {code: [share for share, _, _ in parts] for code, parts in stands.items()}
    moved = moved_points(bloc, found, shares, moves)
    row = then.rows[unit, period]
    assert moved == {code: row.indicators[code][0] for code in moved}
    assert moved


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(histories(), histories(), st.sampled_from((*COMMUNES, *DEPARTMENTS)))
def test_the_imagined_total_place_and_award_are_what_the_board_shows_when_it_has_come(
    before: list[Fields], later: list[Fields], unit: str
) -> None:
    coming = [fields | {"unit": unit} | _renamed(fields) for fields in later]
    (now,), (then,) = (
        folded(history).standings.values() for history in (before, [*before, *coming])
    )
    found = PLAN.unit(unit)
    assert found is not None
    bloc = PLAN.bloc(found.bloc)
    assert bloc is not None
    averaged = {
        i.code for i in bloc.indicators for part in i.parts if part.over == "mean"
    }  # a mean over months cannot be moved by one figure
    stands, comes = _parts(now.tally, unit, "2023"), _parts(then.tally, unit, "2023")
    moves = {
        (i.code, part.code): comes[i.code][n][1:]
        for i in bloc.indicators
        for n, part in enumerate(i.parts)
        if i.code not in averaged
    }
    shares = {code: [share for share, _, _ in parts] for code, parts in stands.items()}
    earned, earns = now.rows[unit, "2023"], then.rows[unit, "2023"]
    moved = moved_points(bloc, found, shares, moves)
    assume(all(earned.indicators.get(c) == earns.indicators.get(c) for c in averaged))
    imagined = outcome(
        bloc,
        [
            Candidate(
                u.code,
                now.rows[u.code, "2023"].points,
                (then if u.code == unit else now).rows[u.code, "2023"].eligible,
            )
            for u in PLAN.units
            if u.bloc == bloc.code
        ],
        unit,
        {code: points for code, (points, _) in earned.indicators.items()},
        moved,
    )
    real = [
        Candidate(u.code, row.points, row.eligible)
        for u in PLAN.units
        if u.bloc == bloc.code
        for row in (then.rows[u.code, "2023"],)
    ]
    ranks = ranked((one.unit, one.points) for one in real)
    assert imagined.points == earns.points
    assert imagined.rank == ranks[unit]
    assert imagined.award == awards_of(bloc, real).get(unit, ())


def _renamed(fields: Fields) -> Fields:
    """Names of facts that nobody had before: what comes takes nothing away from another unit."""
    name = "dossier" if "dossier" in fields else "subject"
    return {name: f"new-{fields[name]}"}


def test_a_part_that_averages_months_is_taken_as_even() -> None:
    unit = PLAN.unit(COMMUNES[0])
    assert unit is not None
    shares = {"X12": [Fraction(1), Fraction(0)]}
    half = moved_points(COMMUNE, unit, shares, {("X12", "activity"): (1, 2)})
    assert half == {"X12": 75_000}


def _candidate(unit: str, points: str, *, eligible: bool = True) -> Candidate:
    return Candidate(unit, int(Fraction(points) * 10_000), eligible)


@pytest.mark.parametrize(
    ("points", "award"),
    [
        ("180", ("first",)),
        ("179.9999", ("encouragement",)),
        ("160", ("encouragement",)),
        ("159.9999", ()),
    ],
)
def test_bands_are_half_open_and_exact(points: str, award: tuple[str, ...]) -> None:
    assert awards_of(COMMUNE, [_candidate("a", points)]).get("a", ()) == award


def test_places_go_by_rank_and_nobody_above_the_band_takes_an_encouragement() -> None:
    high = [_candidate(unit, f"{190 - n}") for n, unit in enumerate("abcd")]
    found = awards_of(COMMUNE, [*high, _candidate("e", "170"), _candidate("f", "169")])
    assert found == {
        "a": ("first",),
        "b": ("second",),
        "c": ("third",),
        "e": ("encouragement",),
        "f": ("encouragement",),
    }


def test_who_is_excluded_takes_no_place() -> None:
    found = awards_of(COMMUNE, [_candidate("a", "199", eligible=False), _candidate("b", "181")])
    assert found == {"b": ("first",)}


def test_a_tie_at_a_boundary_is_left_to_people() -> None:
    tied = [_candidate("a", "190"), _candidate("b", "185"), _candidate("c", "185")]
    found = awards_of(COMMUNE, tied)
    assert found == {"a": ("first",), "b": ("second", "third"), "c": ("second", "third")}
    assert undecided(found, COMMUNE) == {"b", "c"}
    last = [_candidate(u, "165") for u in "abc"]
    three_for_two = awards_of(COMMUNE, last)
    assert undecided(three_for_two, COMMUNE) == set("abc")
    assert undecided(awards_of(COMMUNE, last[:2]), COMMUNE) == set()


def test_a_bloc_without_awards_gives_none() -> None:
    hamlet: Bloc = next(b for b in reference_plan().blocs if b.code == "hamlet")
    assert awards_of(hamlet, [_candidate("a", "99")]) == {}


def test_a_moved_total_moves_ranks_and_names_the_others_that_change() -> None:
    candidates = [_candidate("a", "181"), _candidate("b", "150"), _candidate("c", "120")]
    found = outcome(COMMUNE, candidates, "c", {"X8": 1_200_000}, {"X8": 1_600_000})
    assert (found.points, found.rank, found.award) == (1_600_000, 2, ("encouragement",))
    assert found.others == {"b": 3}
    still = outcome(COMMUNE, candidates, "c", {"X8": 1_200_000}, {})
    assert (still.rank, still.award, still.others) == (3, (), {})
