"""Start here: one event from the portal's request to the leaderboard, through every part, nothing faked."""

import json
from collections.abc import AsyncIterator

import pytest

from contracts.events import DossierRecorded
from contracts.streams import BOARD, PLAN
from services.intake.application import Intake
from services.intake.domain.reading import DOSSIERS
from services.intake.store import IntakeStore
from services.publishing import publish
from services.runtime import mongo
from services.runtime.consuming import Consumer, DeadLetters
from services.runtime.health import Health
from services.runtime.resources import Resources, resources
from services.runtime.settings import Settings
from services.scoring.app import worker
from services.scoring.application import row_document
from services.scoring.asof import PastBoards
from services.scoring.domain.fold import Fold
from services.scoring.leaderboard.feed import Feed
from services.scoring.settings import ScoringSettings
from services.scoring.store import ScoringStore
from services.verifying import verify
from tests.support.facts import reference_plan
from tests.support.waiting import until

REFERENCE = reference_plan()


@pytest.fixture
async def own(settings: Settings) -> AsyncIterator[Resources]:
    """The clients of a web process, with the reference plan published."""
    async with resources(settings) as own:
        await publish(own, REFERENCE)
        yield own


async def following(own: Resources) -> tuple[Intake, Feed]:
    """Intake and the leaderboard, knowing the plan and listening to the bus."""
    intake = Intake(
        IntakeStore(mongo.database(own.client, own.settings, "intake")), own.journal, 1
    )
    store = ScoringStore(mongo.database(own.client, own.settings, "scoring"))
    feed = Feed(store, own.journal, own.clock, PastBoards(own.settings, own.journal))
    letters = DeadLetters(store.dead_letters)
    for handle in (intake.on_plans, feed.on_plans):
        await Consumer(own.journal, PLAN.name, [0], handle, letters, own.settings).catch_up()
    own.listen(own.journal.stream(BOARD.name, 0), feed.on_entries)
    await own.start_bus(Health())
    return intake, feed


async def test_a_dossier_of_the_portal_moves_its_unit_on_the_board(own: Resources) -> None:
    settings = ScoringSettings.model_validate(own.settings.model_dump())
    async with worker(settings, Health()):
        intake, feed = await following(own)
        await feed.load()
        before = feed.board(REFERENCE.id, "commune", "2023-07")
        assert before is not None
        assert before.rows[0].points == before.rows[-1].points

        body = json.dumps([DossierRecorded.example]).encode()
        read = DOSSIERS.read(body, "application/json", {}, 10)
        answer = await intake.accept(read, "portal")
        assert answer.accepted == 1

        def leads() -> bool:
            board = feed.board(REFERENCE.id, "commune", "2023-07")
            return board is not None and board.rows[0].unit.code == "31399"

        await until(leads)
        after = feed.board(REFERENCE.id, "commune", "2023-07")
        assert after is not None
        first = after.rows[0]
        assert (first.rank, after.rows[1].rank) == (1, 2)
        # One online dossier: all online (X8), paid online (X14), digitised (X15), satisfied (X20).
        assert {first.indicators[code][0] for code in ("X8", "X14", "X15", "X20")} == {
            150_000,
            120_000,
            100_000,
            80_000,
        }
        # One of thirty-two procedures offered online (X7), one of sixty dossiers asked for (X13).
        assert first.indicators["X7"][0] == 3_750
        assert first.indicators["X13"][0] == 1_667

        verdict = await verify(own, None)
        assert verdict.events == 1


async def test_rows_of_one_move_that_are_stored_bit_by_bit_all_come_without_the_bus(
    own: Resources,
) -> None:
    store = ScoringStore(mongo.database(own.client, own.settings, "scoring"))
    feed = Feed(store, own.journal, own.clock, PastBoards(own.settings, own.journal))
    letters = DeadLetters(store.dead_letters)
    await Consumer(own.journal, PLAN.name, [0], feed.on_plans, letters, own.settings).catch_up()
    fold = Fold(own.clock.today())
    fold.publish(REFERENCE)
    key = REFERENCE.id, REFERENCE.version
    fold.standings[key].refresh()
    rows = [row_document(key, r, 7) for r in list(fold.standings[key].rows.values())[:20]]

    async def beat(stored: int) -> None:
        now = own.clock.now()
        await store.write_mark("heartbeat", at=now, wall_ms=0, position=7, stored=stored)

    await store.write_standings(rows[:1])
    await beat(stored=6)
    for _ in range(10):  # however often it looks meanwhile
        await feed.load()
    await store.write_standings(rows[1:])
    await beat(stored=7)
    await feed.load()
    shown = {
        (row["period"], row["unit"])
        for row in rows
        if row["unit"] in feed.stored_rows((row["plan"], row["bloc"], row["period"]))
    }
    assert shown == {(row["period"], row["unit"]) for row in rows}
