"""Scoring on a real Redis and MongoDB: write-behind guards, start from facts, the ledger, the daily close."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from contracts.events import DossierRecorded, UnitScored
from contracts.wire import content_hash, fact_id, from_line, to_event, to_line
from services.publishing import publish
from services.runtime import mongo
from services.runtime.clock import wall_milliseconds
from services.runtime.consuming import DeadLetters
from services.runtime.health import Health
from services.runtime.resources import Resources, resources
from services.runtime.settings import Settings
from services.scoring.app import worker
from services.scoring.application import Scoring
from services.scoring.domain.facts import Fact, order_of, to_fact
from services.scoring.domain.fold import Fold
from services.scoring.folding import Folding
from services.scoring.lease import Lease, LeaseLostError
from services.scoring.settings import ScoringSettings
from services.scoring.store import FACTS_MARK, ScoringStore
from services.scoring.ticker import closes_of
from tests.support.facts import reference_plan
from tests.support.waiting import until

PLAN = reference_plan()
KEY = (PLAN.id, PLAN.version)


@pytest.fixture
async def own(settings: Settings) -> AsyncIterator[Resources]:
    async with resources(settings) as own:
        await publish(own, PLAN)
        yield own


def scoring_settings(settings: Settings, **changes: Any) -> ScoringSettings:
    return ScoringSettings.model_validate(settings.model_dump() | changes)


def line(dossier: str, version: Any = 1, **changes: Any) -> bytes:
    fields = DossierRecorded.example | {"dossier": dossier, "version": version} | changes
    return to_line(to_event(fields))


def facts_in(scoring: Scoring) -> dict[str, Fact]:
    assert isinstance(scoring.boards, Fold)
    return scoring.boards.facts


def total(scoring: Scoring, unit: str = "31399") -> int:
    row = scoring.boards.standings[KEY].rows.get((unit, "2023"))
    return -1 if row is None else row.points


async def test_an_older_state_never_replaces_a_newer_stored_one(own: Resources) -> None:
    store = ScoringStore(own.client[own.settings.database_prefix + "scoring"])
    await store.prepare()
    new, old = line("one", 2, channel="counter"), line("one", 1)
    for some in (new, old, new):
        event = from_line(some)
        order = order_of(event.version, event.occurred_at, content_hash(some))
        await store.write_facts({fact_id(event): (to_fact(event, order), some)})
    assert [lines async for lines in store.read_facts()] == [[new]]


async def test_a_restart_from_stored_facts_and_one_from_the_journal_alone_are_equal(
    own: Resources,
) -> None:
    settings = scoring_settings(own.settings)
    lines = [line(f"d{n}", unit=u) for n in range(40) for u in ("31399", "31402")]
    await own.journal.append("indicator", 0, lines)
    boards = []
    for forget in (False, False, True):
        if forget:
            await own.client.drop_database(own.settings.database_prefix + "scoring")
        async with worker(settings, Health()) as scoring:
            boards.append(
                {slot: row.points for slot, row in scoring.boards.standings[KEY].rows.items()}
            )
            store = ScoringStore(own.client[own.settings.database_prefix + "scoring"])

            async def stored(store: ScoringStore = store) -> bool:
                return await store.facts.count_documents({}) == 40

            await until(stored)
    assert boards[0] == boards[1] == boards[2]
    assert boards[0]["31399", "2023"] > 0


async def test_every_change_of_a_total_is_in_the_ledger_with_its_cause(own: Resources) -> None:
    async with worker(scoring_settings(own.settings), Health()) as scoring:

        async def changes(cause: str) -> list[UnitScored]:
            lines = [
                raw async for pack in own.journal.all_packs("standing") for raw in pack.lines
            ]
            found = [UnitScored.model_validate_json(raw) for raw in lines]
            return [c for c in found if (c.unit, c.cause) == ("31399", cause)]

        async def published() -> bool:
            return len(await changes("plan")) == 1

        await until(published)
        before = total(scoring)
        await own.journal.append("indicator", 0, [line("ledger")])

        async def written() -> bool:
            return len(await changes("event")) == 1

        await until(written)
        change = (await changes("event"))[0]
    assert change.facts == ["dvc.haugiang ledger"]
    assert (change.unit, change.before, change.cause) == ("31399", before, "event")
    assert change.after == total(scoring)
    assert sum(c.after - c.before for c in change.changes) == change.after - change.before


async def test_the_day_that_ended_is_closed_with_ranks_and_points(own: Resources) -> None:
    async with worker(scoring_settings(own.settings), Health()) as scoring:
        standings = scoring.boards.standings[KEY]
        closes = closes_of(standings, date(2023, 7, 31))
    assert {close["board"].split("|")[2] for close in closes} == {"2023-07", "2023-Q3", "2023"}
    communes = next(c for c in closes if c["board"].endswith("commune|2023"))
    assert set(communes["units"]) == {u.code for u in PLAN.units_of("commune")}
    assert closes_of(standings, date(2024, 2, 1)) == []


async def test_an_open_dossier_falls_overdue_when_the_simulated_day_ends(
    own: Resources,
) -> None:
    anchor = datetime.now(UTC)
    settings = scoring_settings(
        own.settings,
        clock_start="2023-07-10T23:59:00+07:00",
        clock_anchor=anchor.isoformat(),
        clock_rate=60,
    )
    opened = {"status": "processing", "finished_at": None}
    lines = [line(f"open{n}", **opened) for n in range(2)]
    await own.journal.append("indicator", 0, lines)
    async with worker(settings, Health()) as scoring:

        async def excluded() -> bool:
            row = scoring.boards.standings[KEY].rows["31399", "2023-07"]
            return any(e.rule.startswith("two-overdue") or e.count == 2 for e in row.exclusions)

        await until(excluded)
        row = scoring.boards.standings[KEY].rows["31399", "2023-07"]
    assert not row.eligible


async def test_a_stand_by_folds_along_and_speaks_when_the_other_worker_falls_silent(
    own: Resources,
) -> None:
    settings = scoring_settings(own.settings, lease_seconds=16)
    marks = own.client[own.settings.database_prefix + "scoring"]["marks"]
    rows = own.client[own.settings.database_prefix + "scoring"]["standings"]

    async def mark(name: str, field: str) -> Any:
        return (await marks.find_one({"_id": name}) or {})[field]

    async def spoken(points: int) -> bool:
        row = await rows.find_one({"unit": "31399", "period": "2023"})
        return row is not None and row["points"] == points

    first, second = Health(), Health()
    async with worker(settings, first) as leader, worker(settings, second) as standby:
        await own.journal.append("indicator", 0, [line("before")])

        async def both() -> bool:
            return "dvc.haugiang before" in facts_in(leader).keys() & facts_in(standby).keys()

        await until(both)
        await until(lambda: spoken(total(leader)))
        before = total(leader)
        holder = await mark("lease", "holder")
        beat = await mark("heartbeat", "position")
        await first.stop()  # no word of it: as if killed, and its time passes
        await marks.update_one(
            {"_id": "lease"}, {"$set": {"until": datetime(1970, 1, 1, tzinfo=UTC)}}
        )
        lines = [line(f"after{n}", channel="counter") for n in range(30)]
        await own.journal.append("indicator", 0, lines)

        async def taken_over() -> bool:
            spoke = await mark("heartbeat", "position") > beat
            return bool(spoke and await mark("lease", "holder") != holder)

        await until(taken_over)
        await until(lambda: spoken(total(standby)))
        assert total(standby) != before
        assert not second.troubles()
    async with worker(settings, Health()) as third:  # released: at once, nobody to wait for
        assert third.boards.standings[KEY].rows
        assert len(facts_in(third)) == 31


async def test_a_stand_by_forgets_whom_facts_moved_once_another_has_stored_them(
    own: Resources,
) -> None:
    """Or the first entry of the ledger after a take-over would name the facts of hours before."""
    settings = scoring_settings(own.settings, catch_up_margin_seconds=0.05)
    store = ScoringStore(mongo.database(own.client, own.settings, "scoring"))
    fold = Fold(own.clock.today())
    fold.publish(PLAN)
    letters = DeadLetters(store.dead_letters)
    folding = Folding(store, settings, fold, letters, lambda _: None)
    causes = fold.standings[KEY].tally.causes
    async with asyncio.TaskGroup() as group:
        standing_by = group.create_task(folding.forget_stored())
        await own.journal.append("indicator", 0, [line("d")])
        await folding.on_packs([pack async for pack in own.journal.all_packs("indicator")])
        assert causes["31399"].facts == ["dvc.haugiang d"]
        await store.write_mark(FACTS_MARK, until_ms=wall_milliseconds() + 60_000)
        await until(lambda: not causes)
        standing_by.cancel()
    assert list(fold.facts) == ["dvc.haugiang d"]


async def test_a_worker_that_lost_its_lease_is_told_and_its_rows_do_not_count(
    own: Resources,
) -> None:
    marks = mongo.database(own.client, own.settings, "scoring")["marks"]
    silent, other = Lease(marks, 0.4), Lease(marks, 2)
    assert await silent.take()
    assert not await other.take()
    await other.wait()
    with pytest.raises(LeaseLostError):
        await silent.keep()
    store = ScoringStore(own.client[own.settings.database_prefix + "scoring"])
    for position, points in ((5, 50), (9, 90), (7, 70), (9, 91)):
        await store.write_standings([{"_id": "row", "position": position, "points": points}])
    assert [(r["position"], r["points"]) for r in await store.standings_since(0)] == [(9, 90)]
