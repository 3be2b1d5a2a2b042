"""Invented frozen periods and records of the reference plan, for tests of packages."""

from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any

from contracts.events import Exclusion, Standing
from contracts.packages import Adjustment, NearExclusion, PeriodFrozen, ThingShown
from contracts.plan import Bloc, Plan, Unit
from services.reports.domain.record import Nomination, Proof, Record
from tests.support.facts import reference_plan

ROOT = Path(__file__).resolve().parents[2]
PLAN = reference_plan()
NO_EVENTS = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def frozen_period(
    period: str = "2023",
    plan: Plan = PLAN,
    *,
    totals: dict[str, int] | None = None,
    excluded: tuple[str, ...] = ("31402",),
    seed: int = 3,
) -> PeriodFrozen:
    """A closing with invented standings; `totals`: unit -> ten-thousandths, the others follow from the seed."""
    rows = [
        _row(bloc, unit, period, totals or {}, excluded, seed)
        for bloc in plan.blocs
        for unit in plan.units_of(bloc.code)
    ]
    return PeriodFrozen(
        id=f"{plan.id}:{period}:1",
        plan=plan.id,
        plan_version=plan.version,
        period=period,
        at=datetime(2024, 1, 7, 17, 0, tzinfo=UTC)
        if period == "2023"
        else datetime(2023, 10, 7, 17, 0, tzinfo=UTC),
        cause="date",
        by="clock",
        packs=[],
        events=0,
        log_sha256=NO_EVENTS,
        standings=rows,
        adjustments=[
            Adjustment(
                period="2023-Q3",
                unit="31399",
                points_before=1_700_000,
                points_after=1_690_000,
                eligible_before=True,
                eligible_after=True,
            )
        ]
        if period == "2023" and plan is PLAN
        else [],
        shown=[
            ThingShown(
                unit="31393", indicator="G5", on=date(2023, 8, 4), name=name, verified=good
            )
            for name, good in (
                ("Chợ không dùng tiền mặt", True),
                ("Bản đồ số & du lịch", False),
            )
        ]
        if plan.id == PLAN.id and period != "2023"
        else [],
        near=[
            NearExclusion(
                unit="31405", rule="two-overdue-dossiers", month="2023-08", count=1, limit=2
            )
        ]
        if plan is PLAN
        else [],
    )


def _row(
    bloc: Bloc,
    unit: Unit,
    period: str,
    totals: dict[str, int],
    excluded: tuple[str, ...],
    seed: int,
) -> Standing:
    luck = Random(f"{seed} {unit.code} {period}")
    level = luck.triangular(0.5, 1.0, 0.9)
    indicators = {}
    for indicator in bloc.indicators:
        if set(indicator.not_for) & set(unit.traits):
            continue
        full = int(indicator.points * 10_000)
        earned = min(full, max(0, int(full * luck.gauss(level, 0.05))))
        indicators[indicator.code] = (earned, earned)
    points = totals.get(unit.code, sum(pair[0] for pair in indicators.values()))
    _spread(indicators, points)
    out = unit.code in excluded
    found = [
        Exclusion(
            rule="two-overdue-dossiers",
            month="2023-07",
            facts=["dvc.sample A-1", "dvc.sample A-2"],
            count=2,
        )
    ]
    return Standing(
        plan="phung-hiep-2023",
        bloc=bloc.code,
        period=period,
        unit=unit.code,
        points=points,
        verified_points=points,
        indicators=indicators,
        counters={code: (luck.randrange(400), 400) for code in indicators},
        eligible=not out,
        exclusions=found if out else [],
    )


def _spread(indicators: dict[str, tuple[int, int]], total: int) -> None:
    """Make the indicators add up to a wanted total."""
    first = next(iter(indicators))
    rest = total - sum(pair[0] for pair in indicators.values()) + indicators[first][0]
    indicators[first] = rest, rest


def nomination(number: int, name: str, unit: str = "31399", **changes: Any) -> Nomination:
    """A person who does not exist."""
    fields: dict[str, Any] = {
        "id": f"n{number}",
        "unit": unit,
        "name": name,
        "category": "official",
        "position": "Công chức Văn phòng",
        "achievement": "Hướng dẫn người dân nộp hồ sơ trực tuyến tại nhà văn hóa ấp.",
        "votes_for": 11,
        "votes_total": 12,
        "state": "accepted",
    }
    return Nomination(**fields | changes)


def record_of(frozen: PeriodFrozen, plan: Plan = PLAN, **changes: Any) -> Record:
    """A record that is otherwise complete."""
    fields: dict[str, Any] = {
        "package": frozen.id,
        "frozen": frozen,
        "plan": plan,
        "dated": date(2024, 1, 9) if frozen.period == "2023" else date(2023, 10, 9),
        "proof": Proof(differences=0, software="0.1.0"),
        "nominations": [
            nomination(1, "Nguyễn Thị Mẫu"),
            nomination(2, "Đặng Văn Ví Dụ"),
            nomination(3, "Trần Thị Ánh"),
        ],
    }
    return Record(**fields | changes)
