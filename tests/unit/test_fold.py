"""The projection law for standings: any order, any number of times, in pieces or at once, the same bytes."""

import json
from collections.abc import Iterable
from datetime import date

from hypothesis import HealthCheck, given, settings, strategies as st

from contracts.plan import Count, Plan
from contracts.wire import fact_id, from_line, shard_of
from services.scoring.domain.fold import Boards, Fold, UnknownPlanError
from services.scoring.domain.standings import UnitRow
from services.scoring.shadow import ShadowRow, shadow_standings
from tests.support.facts import (
    COMMUNES,
    DEPARTMENTS,
    Fields,
    claim,
    dossier,
    folded,
    histories,
    line,
    lines,
    little_plan,
    retold,
    row_of,
    todays,
)

law = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TODAY = date(2023, 10, 20)


def row_content(row: UnitRow) -> list[object]:
    """Everything of a row, in the order in which it is kept."""
    return [
        [row.unit, row.bloc, row.period, row.points, row.verified_points, row.eligible],
        list(row.indicators.items()),
        list(row.counters.items()),
        [[e.rule, e.month, e.facts, e.count] for e in row.exclusions],
        [[e.rule, e.month, e.facts, e.count, e.reason] for e in row.lifted],
    ]


def board(fold: Boards) -> bytes:
    """All rows of all plan versions, as bytes."""
    whole: list[object] = []
    for key, standings in sorted(fold.standings.items()):
        standings.refresh()
        rows = [row_content(row) for _, row in sorted(standings.rows.items())]
        whole.append([key, rows])
    return json.dumps(whole, ensure_ascii=False).encode()


def opened(plan: Plan | None, today: date) -> Fold:
    fold = Fold(today)
    if plan is not None:
        fold.publish(plan)
    return fold


def apply_all(fold: Fold, told: Iterable[bytes]) -> list[bytes]:
    """Fold the lines; returns those that wait for a plan, as a dead-letter collection would hold them."""
    waiting = []
    for text in told:
        try:
            fold.apply(text)
        except UnknownPlanError:
            waiting.append(text)
    return waiting


def rebuilt(told: Iterable[bytes], today: date = TODAY) -> bytes:
    fold = opened(little_plan(), today)
    apply_all(fold, told)
    return board(fold)


@law
@given(histories(), todays, st.data())
def test_any_order_with_repeats_gives_the_same_bytes(
    history: list[Fields], today: date, data: st.DataObject
) -> None:
    told = lines(history)
    again = data.draw(retold(told))
    fold = opened(little_plan(), today)
    looks = data.draw(st.sets(st.integers(0, max(len(again) - 1, 0)), max_size=4))
    for place, text in enumerate(again):
        fold.apply(text)
        if place in looks:
            board(fold)
    assert board(fold) == rebuilt(told, today)


@law
@given(histories(), todays, st.data())
def test_any_numbers_of_shards_give_the_same_bytes_also_when_the_number_changes(
    history: list[Fields], today: date, data: st.DataObject
) -> None:
    told = lines(history)
    fold = opened(little_plan(), today)
    cut = data.draw(st.integers(0, len(told)))
    for part, shards in ((told[:cut], 3), (told[cut:], data.draw(st.integers(1, 64)))):
        packs: dict[int, list[bytes]] = {}
        for text in part:
            packs.setdefault(shard_of(fact_id(from_line(text)), shards), []).append(text)
        for shard in data.draw(st.permutations(sorted(packs))):
            apply_all(fold, packs[shard])
    assert board(fold) == rebuilt(told, today)


@law
@given(histories(), todays, todays, st.data())
def test_the_date_may_move_on_in_the_middle(
    history: list[Fields], one: date, other: date, data: st.DataObject
) -> None:
    first, last = sorted((one, other))
    told = data.draw(retold(lines(history)))
    middle = data.draw(st.integers(0, len(told)))
    fold = opened(little_plan(), first)
    apply_all(fold, told[:middle])
    board(fold)
    fold.advance(last)
    apply_all(fold, told[middle:])
    assert board(fold) == rebuilt(told, last)


def next_version(plan: Plan) -> Plan:
    """A second version from October on that asks for twice the online dossiers."""

    def doubled(measure: object) -> object:
        if not isinstance(measure, Count):
            return measure
        return measure.model_copy(update={"quota_per_month": 2 * measure.quota_per_month})

    blocs = [
        bloc.model_copy(
            update={
                "indicators": [
                    i.model_copy(
                        update={
                            "parts": [
                                p.model_copy(update={"measure": doubled(p.measure)})
                                for p in i.parts
                            ]
                        }
                    )
                    for i in bloc.indicators
                ]
            }
        )
        for bloc in plan.blocs
    ]
    return plan.model_copy(
        update={"version": 2, "valid_from": date(2023, 10, 1), "blocs": blocs}
    )


@law
@given(histories(), st.data())
def test_a_plan_may_be_published_before_after_or_among_the_events(
    history: list[Fields], data: st.DataObject
) -> None:
    told = lines(history)
    early, plans = opened(None, TODAY), (little_plan(), next_version(little_plan()))
    for plan in plans:
        early.publish(plan)
    apply_all(early, told)

    late = opened(None, TODAY)
    places = sorted(data.draw(st.integers(0, len(told))) for _ in plans)
    waiting = apply_all(late, told[: places[0]])
    late.publish(plans[0])
    waiting += apply_all(late, told[places[0] : places[1]])
    board(late)
    late.publish(plans[1])
    apply_all(late, told[places[1] :])
    assert apply_all(late, waiting) == []
    assert board(late) == board(early)


@law
@given(histories(), todays, st.data())
def test_start_from_the_winning_facts_alone_gives_the_same_bytes(
    history: list[Fields], today: date, data: st.DataObject
) -> None:
    told = data.draw(retold(lines(history)))
    fold = opened(little_plan(), today)
    stored: dict[str, bytes] = {}
    for text in told:
        key = fold.apply(text)
        if key is not None:
            stored[key] = text
    again = opened(little_plan(), today)
    again.load(stored.values())
    assert board(again) == board(fold)


def plain(row: UnitRow | ShadowRow) -> list[object]:
    """What the fold and the shadow calculator must agree on."""
    exclusions = [
        tuple(e) if isinstance(e, tuple) else (e.rule, e.month, tuple(e.facts), e.count)
        for e in row.exclusions
    ]
    return [
        row.points,
        row.verified_points,
        sorted(row.indicators.items()),
        sorted(row.counters.items()),
        exclusions,
    ]


@law
@given(histories(60), todays, st.data())
def test_the_fold_equals_the_shadow_calculator(
    history: list[Fields], today: date, data: st.DataObject
) -> None:
    told = lines(history)
    fold = opened(little_plan(), today)
    apply_all(fold, data.draw(retold(told)))
    board(fold)
    (standings,) = fold.standings.values()
    shadow = shadow_standings(little_plan(), told, today)
    assert set(shadow) == set(standings.rows)
    for slot, row in standings.rows.items():
        assert plain(row) == plain(shadow[slot]), slot


def test_a_dossier_that_moves_to_another_unit_leaves_the_first() -> None:
    here, there = COMMUNES
    moved = dossier(version=2, unit=there)
    for order in ([dossier(), moved], [moved, dossier()]):
        fold = folded(order)
        assert row_of(fold, unit=here).counters["X13"] == (0, 60)
        assert row_of(fold, unit=there).counters["X13"] == (1, 60)


def test_a_dossier_that_moves_to_another_month_leaves_the_first() -> None:
    moved = dossier(version=2, received_at="2023-08-01T00:00:00+07:00")
    for order in ([dossier(), moved], [moved, dossier()]):
        fold = folded(order)
        assert row_of(fold, "2023-07").counters["X13"] == (0, 60)
        assert row_of(fold, "2023-08").counters["X13"] == (1, 60)
        assert row_of(fold, "2023").counters["X13"] == (1, 420)


def test_of_equal_versions_the_later_moment_wins_in_every_order() -> None:
    early = dossier(channel="counter", occurred_at="2023-07-05T08:30:00+07:00")
    late = dossier(channel="online", occurred_at="2023-07-05T01:30:00.000001Z")
    for order in ([early, late], [late, early]):
        assert row_of(folded(order)).counters["X8"] == (1, 1)


def test_of_equal_versions_and_moments_one_content_wins_in_every_order() -> None:
    one, other = dossier(channel="counter"), dossier(channel="online")
    assert board(folded([one, other])) == board(folded([other, one]))


def test_the_id_of_an_event_breaks_no_tie() -> None:
    fold = folded([dossier()])
    assert fold.apply(line(dossier() | {"id": "another"})) is None


def test_a_department_and_a_commune_keep_their_facts_apart() -> None:
    fold = folded([dossier(1), dossier(2, unit=DEPARTMENTS[0])])
    assert row_of(fold).counters["X13"] == (1, 60)
    assert row_of(fold, unit=DEPARTMENTS[0]).counters["P8"] == (1, 20)


def test_an_event_for_a_plan_that_nobody_published_is_told_and_not_kept() -> None:
    fold = folded([])
    assert apply_all(fold, [line(claim("figure.reported", plan="other"))]) != []
    assert fold.facts == {}
    assert apply_all(fold, [line(claim("figure.reported", plan="phung-hiep-2023"))]) == []
    assert len(fold.facts) == 1


def test_a_moment_at_the_end_of_all_calendars_can_be_put_right() -> None:
    fold = folded([])
    wrong = claim("report.received", received_at="9999-12-31T23:59:59Z")
    fold.apply(line(wrong))
    fold.apply(line(claim("report.received", version=2)))
    assert board(fold) == board(folded([claim("report.received", version=2)]))
    assert shadow_standings(little_plan(), lines([wrong]), TODAY)


def test_a_dossier_is_never_taken_for_a_claim_of_the_same_name() -> None:
    """A dossier may be named like the key of a claim; both count."""
    named = dossier(dossier="bulletin.broadcast 1")
    heard = claim("bulletin.broadcast", 1, source=named["source"])
    for order in ([named, heard], [heard, named]):
        row = row_of(folded(order))
        assert row.counters["X13"][0] == 1
        assert row.counters["X21"][0] == 1
