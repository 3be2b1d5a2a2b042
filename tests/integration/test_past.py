"""Past boards on a real journal: exact at every stop, each folded once for all who ask, and bounded."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings as law, strategies as st

from contracts.calendar import local_date
from contracts.events import PlanPublished
from contracts.plan import Plan, in_force
from services.runtime.journal import Pack, id_at
from services.runtime.resources import Resources, resources
from services.runtime.settings import Settings
from services.scoring import asof
from services.scoring.asof import PastBoards, Retelling, Rows, Stop, refolded, rows_of
from services.scoring.leaderboard.comparing import day_of
from services.scoring.shadow import shadow_standings
from services.scoring.turns import MOST_PUBLIC, VISITS, BusyError, TooOftenError
from tests.support.facts import Fields, dossier, histories, lines, little_plan
from tests.support.waiting import until
from tests.unit.test_fold import next_version

pytestmark = pytest.mark.timeout(120)
VERSIONS = little_plan(), next_version(little_plan())
FIRST = datetime(2023, 7, 3, 16, 59, 58, tzinfo=UTC)
"""Two seconds before a local midnight."""
STEPS = st.sampled_from((0, 1, 1_000, 1_500, 86_400_000, 20 * 86_400_000))


@pytest.fixture
async def own(settings: Settings) -> AsyncIterator[Resources]:
    async with resources(settings) as own:
        yield own


@dataclass
class Told:
    """What a journal holds, pack after pack."""

    packs: list[Pack]

    def until(self, stop: Stop) -> list[Pack]:
        if stop.position is not None:
            return [pack for pack in self.packs if pack.id <= stop.position]
        return [pack for pack in self.packs if pack.accepted_at <= stop.at]

    async def write(self, own: Resources) -> None:
        for topic in ("plan", "indicator"):
            collection = own.journal.collection(topic)
            await collection.delete_many({})
            documents = [pack.document() for pack in self.packs if pack.topic == topic]
            if documents:
                await collection.insert_many(documents)


def published(plan: Plan) -> bytes:
    event = PlanPublished(id=f"v{plan.version}", published_at=FIRST, plan=plan)
    return event.model_dump_json().encode()


@st.composite
def journals(draw: st.DrawFn) -> Told:
    """Histories in packs, at instants that may be equal, with two plan versions published among them."""
    contents: list[tuple[str, list[bytes]]] = [
        ("indicator", lines(some)) for some in draw(st.lists(_some, min_size=2, max_size=6))
    ]
    for plan in VERSIONS:
        place = draw(st.integers(0, len(contents)))
        contents.insert(place, ("plan", [published(plan)]))
    at, packs = FIRST, []
    for number, (topic, content) in enumerate(contents):
        at += timedelta(milliseconds=draw(STEPS))
        name = id_at(1_700_000_000_000 + number) + "00" * 6
        packs.append(Pack(name, topic, 0, at, len(content), b"\n".join(content)))
    return Told(packs)


_some: st.SearchStrategy[list[Fields]] = histories(10).filter(bool)


@st.composite
def stops(draw: st.DrawFn, told: Told) -> Stop:
    """Behind a pack, or at an instant just before, at or after one."""
    pack = draw(st.sampled_from(told.packs))
    if draw(st.booleans()):
        return Stop(pack.accepted_at, pack.id)
    near = draw(st.sampled_from((-1, 0, 1, 86_400_000)))
    return Stop(pack.accepted_at + timedelta(milliseconds=near))


def recomputed(packs: Iterable[Pack], stop: Stop) -> dict[tuple[str, str, str], Any]:
    """What a rebuild by the shadow calculator says that reads these packs and no other."""
    packs = list(packs)
    plans: list[Plan] = [
        PlanPublished.model_validate_json(pack.body).plan
        for pack in packs
        if pack.topic == "plan"
    ]
    told = [line for pack in packs if pack.topic == "indicator" for line in pack.lines]
    found: dict[tuple[str, str, str], Any] = {}
    for plan in plans:
        rows = shadow_standings(plan, told, local_date(stop.at), [plan.id])
        for (unit, period), row in rows.items():
            if in_force(plans, period) is plan:
                found[plan.id, unit, period] = (
                    plan.version,
                    row.points,
                    row.verified_points,
                    row.indicators,
                    row.exclusions,
                )
    return found


def shown(rows: Rows) -> dict[tuple[str, str, str], Any]:
    return {
        (plan, unit, period): (
            row["version"],
            row["points"],
            row["verified_points"],
            row["indicators"],
            [(e["rule"], e["month"], tuple(e["facts"]), e["count"]) for e in row["exclusions"]],
        )
        for (plan, _, period), board in rows.items()
        for unit, row in board.items()
    }


@law(
    max_examples=15,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
    ],
)
@given(journals(), st.data())
async def test_a_past_board_equals_a_rebuild_that_stops_there(
    own: Resources, told: Told, data: st.DataObject
) -> None:
    await told.write(own)
    for _ in range(3):
        stop = data.draw(stops(told))
        rows = rows_of(await refolded(own, stop))
        assert shown(rows) == recomputed(told.until(stop), stop)


# --- bounded ---------------------------------------------------------------------------------


@pytest.fixture
async def told(own: Resources) -> Told:
    packs = [
        Pack(id_at(0) + "00" * 6, "plan", 0, FIRST, 1, published(VERSIONS[0])),
        *(
            Pack(
                id_at(n) + "00" * 6,
                "indicator",
                0,
                FIRST + timedelta(days=n),
                1,
                lines([dossier(n)])[0],
            )
            for n in range(1, 40)
        ),
    ]
    told = Told(packs)
    await told.write(own)
    return told


class Counted(PastBoards):
    """Counts rebuilds, holds them until a test lets them go, and does them here: a helper takes a second to start."""

    def __init__(self, own: Resources) -> None:
        super().__init__(own.settings, own.journal)
        self._own = own
        self.folded: list[Stop] = []
        self.goes_on = asyncio.Event()

    async def _in_helper(
        self, stop: Stop, candidate: Plan | None, retelling: Retelling | None
    ) -> Rows:
        self.folded.append(stop)
        await self.goes_on.wait()
        return rows_of(await refolded(self._own, stop, candidate, retelling))


@pytest.fixture
async def past(own: Resources, told: Told) -> AsyncIterator[Counted]:
    past = Counted(own)
    yield past
    past.goes_on.set()


async def test_whoever_asks_for_the_same_packs_and_day_gets_the_same_rebuild(
    past: Counted,
) -> None:
    noon = FIRST + timedelta(days=3, hours=5)
    asked = [
        asyncio.create_task(past.rows(noon + timedelta(minutes=n), visitor=f"{n % 3}"))
        for n in range(30)
    ]
    await until(lambda: bool(past.folded))
    past.goes_on.set()
    answers = await asyncio.gather(*asked)
    assert len(past.folded) == 1
    assert all(rows is answers[0] for rows in answers)
    assert await past.rows(noon + timedelta(hours=1), visitor="late") is answers[0]
    tomorrow = await past.rows(noon + timedelta(days=1), visitor="late")
    assert len(past.folded) == 2
    assert tomorrow != answers[0]


async def test_a_pack_that_arrives_late_makes_another_rebuild(
    past: Counted, own: Resources
) -> None:
    past.goes_on.set()
    noon = FIRST + timedelta(days=3, hours=5)
    before = await past.rows(noon)
    late = Pack(
        id_at(99) + "00" * 6,
        "indicator",
        0,
        noon - timedelta(hours=1),
        1,
        lines([dossier(99)])[0],
    )
    await own.journal.collection("indicator").insert_one(late.document())
    assert await past.rows(noon) != before


async def test_many_days_at_once_are_refused_and_staff_are_served(past: Counted) -> None:
    days = [FIRST + timedelta(days=n) for n in range(1, MOST_PUBLIC + 3)]
    asked = [
        asyncio.create_task(past.rows(day, visitor=f"{n}"))
        for n, day in enumerate(days[:MOST_PUBLIC])
    ]
    await until(lambda: bool(past.folded))
    await until(lambda: len(past._folding) == MOST_PUBLIC)
    with pytest.raises(BusyError):
        await past.rows(days[MOST_PUBLIC], visitor="one more")
    office = asyncio.create_task(past.rows(days[MOST_PUBLIC + 1]))
    await until(lambda: len(past._folding) == MOST_PUBLIC + 1)
    past.goes_on.set()
    await asyncio.gather(office, *asked)
    assert past.folded[1] == Stop(days[MOST_PUBLIC + 1])


async def test_one_address_may_ask_for_so_many_new_days_and_for_known_ones_always(
    past: Counted,
) -> None:
    past.goes_on.set()
    for n in range(VISITS):
        await past.rows(FIRST + timedelta(days=n), visitor="a")
    with pytest.raises(TooOftenError) as refused:
        await past.rows(FIRST + timedelta(days=VISITS), visitor="a")
    assert 0 < refused.value.retry_after <= 60
    await past.rows(FIRST + timedelta(days=1), visitor="a")
    await past.rows(FIRST + timedelta(days=VISITS), visitor="b")
    assert len(past.folded) == VISITS + 1


async def test_a_helper_that_was_ended_is_replaced_and_a_rebuild_that_fails_fails_once(
    own: Resources, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = FIRST + timedelta(days=1), FIRST + timedelta(days=2)
    with PastBoards(own.settings, own.journal) as past:
        with monkeypatch.context() as broken:
            broken.setattr(asof, "fold_until", None)
            with pytest.raises(TypeError):
                await past.rows(first)
        before = await past.rows(first)
        assert before == rows_of(await refolded(own, Stop(first)))
        assert past._pool is not None
        (helper,) = past._pool._processes
        os.kill(helper, signal.SIGKILL)
        assert await past.rows(second) == rows_of(await refolded(own, Stop(second)))


def test_the_last_day_of_all_calendars_is_no_day() -> None:
    assert day_of("9999-12-31") is None
    assert day_of("9999-12-30") is not None
