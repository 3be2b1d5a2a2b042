"""The simulated season: every event is sound, every indicator is fed, the board moves."""

from collections import Counter
from datetime import UTC, date, datetime
from itertools import islice, pairwise

import pytest
from pydantic import TypeAdapter

from contracts.calendar import local_date
from contracts.events import IndicatorEvent
from contracts.plan import Plan
from contracts.wire import fact_id, to_event, to_line
from services.scoring.domain.fold import Fold
from services.scoring.domain.standings import UnitRow
from services.season import Happening, season
from tests.support.facts import reference_plan

EVENT: TypeAdapter[IndicatorEvent] = TypeAdapter(IndicatorEvent)


@pytest.fixture(scope="module", name="plan")
def _plan() -> Plan:
    return reference_plan()


@pytest.fixture(scope="module", name="told")
def _told(plan: Plan) -> list[Happening]:
    return list(season(plan, seed=1))


@pytest.fixture(scope="module", name="rows")
def _rows(plan: Plan, told: list[Happening]) -> list[UnitRow]:
    """The board of the year once everything has arrived."""
    fold = Fold(date(2023, 6, 1))
    fold.publish(plan)
    for _, event in told:
        fold.apply(to_line(to_event(event)))
    fold.advance(date(2024, 1, 6))
    (standings,) = fold.standings.values()
    standings.refresh()
    return [row for (_, period), row in standings.rows.items() if period == "2023"]


def test_the_same_seed_tells_the_same_season(plan: Plan) -> None:
    once, again = list(season(plan, 7, dossiers=50)), list(season(plan, 7, dossiers=50))
    assert once == again
    assert once != list(season(plan, 8, dossiers=50))


def test_every_event_keeps_the_contract(plan: Plan, told: list[Happening]) -> None:
    units = {unit.code for unit in plan.units}
    for _, event in told:
        assert to_event(event).unit in units
    for _, event in islice(told, 0, None, 20):
        EVENT.validate_python(event, strict=False)


def test_events_arrive_in_order_of_time_and_after_they_happened(
    plan: Plan, told: list[Happening]
) -> None:
    assert all(earlier <= later for (earlier, _), (later, _) in pairwise(told))
    assert told[0][0].tzinfo is not None
    assert local_date(told[0][0]) == plan.starts_on
    assert plan.ends_on < local_date(told[-1][0]) <= date(2024, 1, 6)
    assert all(datetime.fromisoformat(event["occurred_at"]) <= at for at, event in told)


def test_no_event_is_without_repeats_and_late_versions(told: list[Happening]) -> None:
    times = Counter((event["source"], event["id"]) for _, event in told)
    assert 0.02 < sum(n > 1 for n in times.values()) / len(times) < 0.08
    newest: dict[str, int] = {}
    late = 0
    for _, event in told:
        key = fact_id(to_event(event))
        late += event["version"] < newest.get(key, 0)
        newest[key] = max(event["version"], newest.get(key, 0))
    assert late > 100


def test_the_same_id_always_says_the_same(told: list[Happening]) -> None:
    said: dict[str, object] = {}
    for _, event in told:
        assert said.setdefault(event["id"], event) == event


def test_about_as_many_dossiers_as_asked(told: list[Happening]) -> None:
    dossiers = {event["dossier"] for _, event in told if event["type"] == "dossier.recorded"}
    assert 5900 < len(dossiers) <= 6000


def test_claims_are_declared_then_mostly_verified_and_some_rejected(
    told: list[Happening],
) -> None:
    last = {e["subject"]: e["state"] for _, e in told if "subject" in e and e["version"] > 1}
    states = Counter(last.values())
    assert states["verified"] > 0.9 * len(last)
    assert states["rejected"] > 0
    first = {e["state"] for _, e in told if "subject" in e and e["version"] == 1}
    assert first == {"declared"}


def test_every_indicator_of_every_bloc_is_fed(plan: Plan, rows: list[UnitRow]) -> None:
    fed = {(row.bloc, code) for row in rows for code, (n, _) in row.counters.items() if n}
    assert fed == {(bloc.code, i.code) for bloc in plan.blocs for i in bloc.indicators}


def test_units_spread_over_the_award_bands(rows: list[UnitRow]) -> None:
    points = sorted(row.points / 10_000 for row in rows if row.bloc == "commune")
    assert sum(total >= 180 for total in points) >= 3
    assert sum(160 <= total < 180 for total in points) >= 2
    assert sum(total < 160 for total in points) >= 3
    departments = [row.points / 10_000 for row in rows if row.bloc == "department"]
    assert min(departments) > 50
    assert sum(total >= 85 for total in departments) >= 3
    assert sum(70 <= total < 85 for total in departments) >= 3


@pytest.mark.parametrize("bloc", ["commune", "department"])
def test_two_units_break_promises_and_one_reports_three_days_late(
    rows: list[UnitRow], bloc: str
) -> None:
    found = [exclusion for row in rows if row.bloc == bloc for exclusion in row.exclusions]
    assert sorted((e.rule, e.count) for e in found) == [
        ("report-three-days-late", 4),
        ("two-overdue-dossiers", 2),
        ("two-overdue-dossiers", 3),
    ]


def test_one_overdue_dossier_alone_excludes_nobody(
    plan: Plan, told: list[Happening], rows: list[UnitRow]
) -> None:
    newest = {
        e["dossier"]: e
        for _, e in sorted(told, key=lambda t: t[1]["version"])
        if "dossier" in e
    }
    overdue = Counter(e["unit"] for e in newest.values() if _is_late(e))
    once = {unit for unit, times in overdue.items() if times == 1}
    assert once
    assert all(row.eligible for row in rows if row.unit in once)
    assert {unit.code for unit in plan.units} > once


def _is_late(event: dict[str, object]) -> bool:
    due, finished = event["due_at"], event["finished_at"]
    if not isinstance(due, str) or not isinstance(finished, str):
        return False
    moments = [datetime.fromisoformat(text).astimezone(UTC) for text in (due, finished)]
    return local_date(moments[1]) > local_date(moments[0])


def test_the_lead_changes_hands(plan: Plan, told: list[Happening]) -> None:
    fold = Fold(date(2023, 6, 1))
    fold.publish(plan)
    (standings,) = fold.standings.values()
    leaders, day = set(), date(2023, 6, 1)
    for at, event in told:
        fold.apply(to_line(to_event(event)))
        if (at.date() - day).days >= 15:
            day = at.date()
            standings.refresh()
            year = [
                r for r in standings.rows.values() if (r.bloc, r.period) == ("commune", "2023")
            ]
            leaders.add(max(year, key=lambda row: row.points).unit)
    assert len(leaders) >= 2
