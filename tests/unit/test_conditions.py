"""Thresholds with a margin, targets, award places, the lead: at every boundary."""

from datetime import datetime
from fractions import Fraction
from itertools import count

import pytest

from contracts.events import Change, UnitScored
from contracts.plan import Award
from services.notifier.domain.conditions import (
    Total,
    crossed,
    full_points,
    in_units,
    leaders,
    places,
    thresholds_of,
)
from services.notifier.domain.occasions import again
from services.notifier.domain.picture import Picture
from services.notifier.domain.watch import Watch
from tests.support.notifying import PLAN, local, present

COMMUNE = present(PLAN.bloc("commune"))
DEPARTMENT = present(PLAN.bloc("department"))
UNIT = "31399"
_numbers = count()


@pytest.mark.parametrize(
    ("above", "points", "now"),
    [
        (False, 1_599_999, False),
        (False, 1_600_000, True),
        (True, 1_599_999, True),
        (True, 1_595_000, True),
        (True, 1_594_999, False),
        (False, 1_599_000, False),
    ],
)
def test_a_value_at_the_edge_does_not_chatter(*, above: bool, points: int, now: bool) -> None:
    assert crossed(above, points, 1_600_000, 5_000) is now


def test_thresholds_are_where_award_bands_begin() -> None:
    assert thresholds_of(COMMUNE) == [1_600_000, 1_800_000]
    assert thresholds_of(DEPARTMENT) == [700_000, 850_000]


def test_full_points_are_rescaled_where_indicators_do_not_apply() -> None:
    whole, part = PLAN.unit("D02"), PLAN.unit("D11")
    assert whole is not None
    assert part is not None
    all_of_them, some = full_points(DEPARTMENT, whole), full_points(DEPARTMENT, part)
    assert sum(all_of_them.values()) == 1_000_000
    assert abs(sum(some.values()) - 1_000_000) <= len(some)
    assert set(all_of_them) - set(some) == {"P6", "P7", "P8", "P14"}
    assert in_units(Fraction(1, 3)) == 3_333


def _totals(*points: int, excluded: tuple[int, ...] = ()) -> list[Total]:
    return [Total(f"u{n}", p * 10_000, n not in excluded) for n, p in enumerate(points)]


def test_places_move_up_past_the_excluded() -> None:
    best = places(COMMUNE, _totals(199, 190, 185, 181, 170, 165, 161))
    assert best == {
        "u0": "first", "u1": "second", "u2": "third", "u4": "encouragement", "u5": "encouragement"
    }  # fmt: skip
    without = places(COMMUNE, _totals(199, 190, 185, 181, 170, 165, 161, excluded=(0, 4)))
    assert without == {
        "u1": "first", "u2": "second", "u3": "third", "u5": "encouragement", "u6": "encouragement"
    }  # fmt: skip


def test_nobody_below_a_band_has_its_place() -> None:
    one = [Total("a", 1_799_999, eligible=True), Total("b", 1_599_999, eligible=True)]
    assert places(COMMUNE, one) == {"a": "encouragement"}
    assert places(COMMUNE, [Total("a", 1_800_000, eligible=True)]) == {"a": "first"}


def test_a_tie_at_the_last_place_leaves_all_of_them_in_it() -> None:
    assert places(COMMUNE, _totals(170, 165, 165, 161)) == dict.fromkeys(
        ("u0", "u1", "u2"), "encouragement"
    )
    assert all(isinstance(award, Award) for award in COMMUNE.awards)


def test_the_leaders_are_the_eligible_with_most_points() -> None:
    assert leaders(_totals(5, 9, 9, 10, excluded=(3,))) == ("u1", "u2")
    assert leaders(_totals(0, 0)) == ()


class Scores:
    """A watch whose totals a test moves."""

    def __init__(self) -> None:
        self.watch = Watch(Picture())
        self.watch.publish(PLAN, local("2023-06-01"))
        self.watch.tick(local("2023-06-01", "07:00"))

    def score(
        self,
        points: str,
        moment: datetime,
        unit: str = UNIT,
        *,
        eligible: bool = True,
        **indicators: int,
    ) -> list[str]:
        """The rules of the alerts that a total brings, at once or at the look of the day."""
        after = in_units(Fraction(points))
        bloc = PLAN.unit(unit)
        assert bloc is not None
        event = UnitScored.model_validate(
            UnitScored.example
            | {
                "id": f"s{next(_numbers):05}",
                "unit": unit,
                "bloc": bloc.bloc,
                "at": moment,
                "after": after,
                "eligible": eligible,
                "changes": [
                    Change(indicator=code, before=0, after=value).model_dump()
                    for code, value in indicators.items()
                ],
            }
        )
        self.watch.picture.score(event)
        return [
            o.rule
            for o in self.watch.tick(moment).occasions
            if o.unit == unit and o.rule in RULES
        ]


RULES = {
    "threshold-up", "threshold-down", "below-target", "place-entered", "place-left", "lead-lost"
}  # fmt: skip


def test_thresholds_are_told_up_and_down_once_a_day_at_most() -> None:
    scores = Scores()
    day = local("2023-09-12", "06:00")
    assert scores.score("159.9999", day) == []
    assert scores.score("160.0000", day) == ["threshold-up"]
    assert scores.score("159.9999", day) == []
    assert scores.score("159.4999", day) == ["threshold-down"]
    assert scores.score("160", day) == []  # the same occasion of the same day
    tomorrow = local("2023-09-13", "06:00")
    assert scores.score("159", tomorrow) == ["threshold-down"]
    assert scores.score("160", tomorrow) == ["threshold-up"]


def test_an_older_total_that_arrives_late_changes_nothing() -> None:
    scores = Scores()
    new, old = local("2023-09-12", "06:00"), local("2023-09-11", "06:00")
    assert scores.score("161", new) == ["threshold-up"]
    assert scores.score("100", old) == []


def test_an_indicator_that_falls_below_its_target_is_told_after_it_was_met() -> None:
    scores = Scores()
    day = local("2023-09-12", "06:00")
    unit = PLAN.unit(UNIT)
    assert unit is not None
    full = full_points(COMMUNE, unit)["X8"]
    assert scores.score("50", day, X8=full - 1) == []
    assert scores.score("51", day, X8=full) == []
    assert scores.score("50.9", day, X8=full - 2_000) == []
    assert scores.score("50.8", day, X8=full - 2_001) == ["below-target"]


def test_places_and_the_lead_are_compared_once_a_day() -> None:
    scores = Scores()
    rival = "31402"
    assert scores.score("185", local("2023-12-27", "06:00")) == ["threshold-up", "threshold-up"]
    assert scores.score("185", local("2023-12-27", "07:00")) == ["place-entered"]
    scores.score("190", local("2023-12-27", "08:00"), unit=rival)
    assert scores.score("185", local("2023-12-27", "09:00")) == []
    assert scores.score("185", local("2023-12-28", "07:00")) == ["place-entered", "lead-lost"]


def test_a_lead_lost_earlier_in_the_competition_is_not_told() -> None:
    scores = Scores()
    scores.score("185", local("2023-12-20", "07:00"))
    scores.score("190", local("2023-12-20", "08:00"), unit="31402")
    assert "lead-lost" not in scores.score("185", local("2023-12-21", "07:00"))


def test_an_exclusion_takes_the_place() -> None:
    scores = Scores()
    scores.score("185", local("2023-09-12", "07:00"))
    assert scores.score("185", local("2023-09-13", "07:00"), eligible=False) == ["place-left"]


def test_a_plan_that_is_met_for_the_first_time_tells_nothing_of_the_past() -> None:
    watch = Watch(Picture())
    watch.publish(PLAN, local("2023-06-01"))
    event = UnitScored.example | {"after": 1_850_000, "at": local("2023-09-01")}
    watch.picture.score(UnitScored.model_validate(event))
    first = watch.tick(local("2023-09-12", "08:00"))
    assert not [o for o in first.occasions if o.rule in RULES]
    assert first.levels[f"threshold|{PLAN.id}|{UNIT}|1800000"] == "above"
    lower = event | {"after": 1_700_000, "at": local("2023-09-12", "09:00"), "id": "later"}
    watch.picture.score(UnitScored.model_validate(lower))
    assert "threshold-down" in {
        o.rule for o in watch.tick(local("2023-09-12", "10:00")).occasions
    }


def test_an_occasion_that_comes_true_again_has_a_key_of_its_own() -> None:
    assert again("a|b") == "a|b~2"
    assert again(again("a|b")) == "a|b~3"
