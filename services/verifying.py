"""`thidua verify`: recompute everything from the journal with the shadow calculator, and compare."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import httpx

from contracts.calendar import all_periods
from contracts.events import PlanPublished
from contracts.plan import Plan, in_force
from contracts.streams import INDICATOR, PLAN
from services.runtime.journal import Journal
from services.runtime.mongo import Document
from services.runtime.resources import Resources
from services.scoring.app import fold_of_next_start
from services.scoring.asof import rows_of
from services.scoring.shadow import ShadowRow, shadow_standings

ATTEMPTS = 5
PAUSE_SECONDS = 1.5
RowKey = tuple[str, str, str]
"""(plan, unit, period)."""
Comparable = tuple[str, str, dict[str, str], list[tuple[str, str, tuple[str, ...], int]]]


@dataclass(slots=True)
class Verdict:
    """What a comparison found."""

    rows: int = 0
    events: int = 0
    differences: list[str] = field(default_factory=list)


def decimal(points: int) -> str:
    """Ten-thousandths as the API writes them."""
    return f"{points // 10_000}.{points % 10_000:04d}"


async def verify(
    own: Resources, address: str | None, say: Callable[[str], None] = lambda _: None
) -> Verdict:
    """Compare the standings with the shadow calculator's: the live ones, or what the next start would show.

    Events that arrive meanwhile are no difference: it looks again, a few times.
    """
    verdict = Verdict()
    for attempt in range(ATTEMPTS):
        plans, lines = await _read(own.journal)
        say(f"{len(lines):,} events read from the journal")
        live, today = await _standings(own, address, plans)
        want = _expected(plans, lines, today)
        verdict = Verdict(len(want), len(lines), list(_differences(want, live)))
        if not verdict.differences:
            return verdict
        if attempt + 1 < ATTEMPTS:
            say(f"{len(verdict.differences)} differences; looking again")
            await asyncio.sleep(PAUSE_SECONDS)
    return verdict


async def _read(journal: Journal) -> tuple[dict[str, list[Plan]], list[bytes]]:
    plans: dict[str, list[Plan]] = {}
    async for pack in journal.all_packs(PLAN.name):
        for line in pack.lines:
            plan = PlanPublished.model_validate_json(line).plan
            plans.setdefault(plan.id, []).append(plan)
    return plans, [line async for line in _lines(journal)]


async def _lines(journal: Journal) -> AsyncIterator[bytes]:
    async for pack in journal.all_packs(INDICATOR.name):
        for line in pack.lines:
            yield line


async def _standings(
    own: Resources, address: str | None, plans: dict[str, list[Plan]]
) -> tuple[dict[RowKey, Comparable], date]:
    if address is not None:
        return await _live(address, plans), own.clock.today()
    fold = await fold_of_next_start(own)
    return {
        (plan, unit, period): _stored(row)
        for (plan, _, period), rows in rows_of(fold).items()
        for unit, row in rows.items()
    }, fold.today


async def _live(address: str, plans: dict[str, list[Plan]]) -> dict[RowKey, Comparable]:
    rows: dict[RowKey, Comparable] = {}
    async with httpx.AsyncClient(base_url=address, timeout=30) as client:
        for name, versions in plans.items():
            newest = max(versions, key=lambda plan: plan.version)
            for period in all_periods(newest.months):
                for bloc in in_force(versions, period).blocs:
                    url = f"/api/v1/standings/{name}/{bloc.code}"
                    answer = await client.get(url, params={"period": period})
                    answer.raise_for_status()
                    for row in answer.json()["rows"]:
                        rows[name, row["unit"], period] = _shown(row)
    return rows


def _shown(row: dict[str, Any]) -> Comparable:
    excluded = [_exclusion(e) for e in row["exclusions"]]
    return row["points"], row["verified_points"], row["indicators"], excluded


def _stored(row: Document) -> Comparable:
    indicators = {code: decimal(pair[0]) for code, pair in row["indicators"].items()}
    excluded = [_exclusion(e) for e in row["exclusions"]]
    return decimal(row["points"]), decimal(row["verified_points"]), indicators, excluded


def _exclusion(found: dict[str, Any]) -> tuple[str, str, tuple[str, ...], int]:
    return found["rule"], found["month"], tuple(found["facts"]), found["count"]


def _expected(
    plans: dict[str, list[Plan]], lines: list[bytes], today: date
) -> dict[RowKey, Comparable]:
    want: dict[RowKey, Comparable] = {}
    for name, versions in plans.items():
        for plan in versions:
            rows = shadow_standings(plan, lines, today, plans.keys())
            for (unit, period), row in rows.items():
                if in_force(versions, period) is plan:
                    want[name, unit, period] = _computed(row)
    return want


def _computed(row: ShadowRow) -> Comparable:
    indicators = {code: decimal(pair[0]) for code, pair in row.indicators.items()}
    return decimal(row.points), decimal(row.verified_points), indicators, row.exclusions


def _differences(
    want: dict[RowKey, Comparable], live: dict[RowKey, Comparable]
) -> Iterator[str]:
    for key, expected in want.items():
        place = " ".join(key)
        shown = live.get(key)
        if shown is None:
            yield f"{place}: not on the board"
            continue
        for name, a, b in zip(
            ("points", "verified points"), expected[:2], shown[:2], strict=True
        ):
            if a != b:
                yield f"{place}: {name} {b}, recomputed {a}"
        for code in sorted(expected[2].keys() | shown[2].keys()):
            if expected[2].get(code) != shown[2].get(code):
                yield f"{place}: {code} {shown[2].get(code)}, recomputed {expected[2].get(code)}"
        if expected[3] != shown[3]:
            yield f"{place}: exclusions {shown[3]}, recomputed {expected[3]}"
