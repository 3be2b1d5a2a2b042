"""Closing a period on a real journal: exact, once, and never changed by what arrives later."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI

from contracts.calendar import all_periods, local_midnight
from contracts.events import DossierRecorded, ItemRecorded
from contracts.evidence import index_hash, index_of
from contracts.packages import PeriodFrozen
from contracts.submissions import SubmissionMade
from contracts.wire import to_event, to_line
from services.publishing import publish
from services.runtime import mongo
from services.runtime.access.guard import Guard
from services.runtime.access.refusals import Refusals
from services.runtime.auth import Keys, Role, TokenVerifier, issue
from services.runtime.clock import FrozenClock
from services.runtime.journal import Journal
from services.runtime.resources import Resources, resources
from services.runtime.settings import Settings
from services.scoring import freezing
from services.scoring.closing import HandClosing
from services.scoring.closing_http import closing_api
from services.scoring.domain.closing import closes_at, due
from services.scoring.freezing import Closings, Freezer, frozen_periods
from services.scoring.leaderboard.pages import leaderboard_site
from tests.support.facts import reference_plan

PLAN = reference_plan()
Q3_CLOSES = datetime.fromisoformat("2023-10-08T00:00:00+07:00")


@pytest.fixture
async def clock() -> FrozenClock:
    return FrozenClock(datetime(2023, 9, 20, tzinfo=UTC))


@pytest.fixture
async def own(settings: Settings, clock: FrozenClock) -> AsyncIterator[Resources]:
    async with resources(settings) as own:
        own.clock = own.journal._clock = clock  # type: ignore[assignment]
        await publish(own, PLAN)
        yield own


def closings_of(own: Resources) -> Closings:
    return Closings(mongo.database(own.client, own.settings, "scoring")["closings"])


@pytest.fixture
def freezer(own: Resources, monkeypatch: pytest.MonkeyPatch) -> Freezer:
    monkeypatch.setattr(freezing, "SETTLE_MILLISECONDS", 0)
    return Freezer(closings_of(own), own.journal, own.clock, own.settings)


async def tell(own: Resources, dossier: str, version: int = 1, **changes: object) -> None:
    fields = DossierRecorded.example | {"dossier": dossier, "version": version} | changes
    await own.journal.append("indicator", 0, [to_line(to_event(fields))])


async def stored(own: Resources) -> list[bytes]:
    return [line async for pack in own.journal.all_packs("freeze") for line in pack.lines]


async def states(own: Resources) -> dict[str, str]:
    return {one.period: one.state for one in await HandClosing(own).periods(PLAN.id)}


def points(event: PeriodFrozen, unit: str = "31399") -> int:
    return next(row.points for row in event.standings if row.unit == unit)


def test_a_quarter_closes_at_the_midnight_that_ends_its_grace() -> None:
    assert closes_at(PLAN, "2023-Q3") == Q3_CLOSES
    assert closes_at(PLAN, "2023") == local_midnight(PLAN.ends_on + timedelta(days=8))
    assert closes_at(PLAN.model_copy(update={"closing": None}), "2023-Q3") is None
    before = Q3_CLOSES - timedelta(seconds=1)
    assert [period for _, period, _ in due([PLAN], before)] == ["2023-Q2"]
    assert [period for _, period, _ in due([PLAN], Q3_CLOSES)] == ["2023-Q2", "2023-Q3"]


async def test_the_date_closes_a_quarter_once_and_later_events_change_no_byte(
    own: Resources, freezer: Freezer, clock: FrozenClock
) -> None:
    await tell(own, "counted")
    await freezer.look()
    assert {e.period for e in await frozen_periods(own.journal)} == {"2023-Q2"}
    clock.instant = Q3_CLOSES + timedelta(hours=1)
    await tell(own, "too late")
    await freezer.look()
    before = await stored(own)
    event = next(e for e in await frozen_periods(own.journal) if e.period == "2023-Q3")
    assert (event.at, event.cause, event.by, event.events) == (Q3_CLOSES, "date", "clock", 1)
    assert points(event) > 0
    assert {row.period for row in event.standings} == {"2023-Q3"}
    await tell(own, "counted", version=2, channel="counter")
    await freezer.look()
    assert await stored(own) == before


async def test_a_look_reads_the_journal_only_when_there_is_more(
    own: Resources, freezer: Freezer, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = 0
    read = freezing.frozen_periods

    async def counted(journal: Journal) -> list[PeriodFrozen]:
        nonlocal reads
        reads += 1
        return await read(journal)

    await freezer.look()
    monkeypatch.setattr(freezing, "frozen_periods", counted)
    for _ in range(3):
        await freezer.look()
    assert reads == 1, "the second quarter was frozen meanwhile"
    await publish(own, PLAN.model_copy(update={"version": PLAN.version + 1}))
    await freezer.look()
    assert reads == 2


def product(number: int, **changes: object) -> bytes:
    fields = {
        "indicator": "G5", "item": f"p{number}", "subject": f"p{number}", "id": f"p{number}",
        "on": "2023-09-02", "name": f"Mô hình {number}", "unit": "31402",
    }  # fmt: skip
    return to_line(to_event(ItemRecorded.example | fields | changes))


async def test_a_closing_names_products_and_takes_the_index_of_evidence(
    own: Resources, freezer: Freezer, clock: FrozenClock
) -> None:
    lines = [
        product(1),
        product(2, state="declared", unit="31399"),
        product(3, state="rejected"),
        product(4, on="2023-06-20"),
        product(5, name="Tên cũ"),
        product(5, name="Tên mới", version=3),
        product(6, name=None),
    ]
    await own.journal.append("indicator", 0, lines)
    file = {"id": "f1", "indicator": "X5", "sha256": "a" * 64, "size": 9, "media_type": "x/y"}
    fields = SubmissionMade.example | {"evidence": [file]}
    made = SubmissionMade.model_validate_json(json.dumps(fields))
    await own.journal.append("submission", 0, [made.model_dump_json().encode()])
    clock.instant = Q3_CLOSES + timedelta(hours=1)
    late = made.model_copy(update={"id": "late", "version": 2, "evidence": []})
    await own.journal.append("submission", 0, [late.model_dump_json().encode()])
    await freezer.look()
    event = next(e for e in await frozen_periods(own.journal) if e.period == "2023-Q3")
    assert [(one.unit, one.name, one.verified) for one in event.shown] == [
        ("31399", "Mô hình 2", False),
        ("31402", "Mô hình 1", True),
        ("31402", "Tên mới", True),
    ]
    index = index_of([made], Q3_CLOSES)
    assert [len(one.files) for one in index] == [1]
    taken = {"events": 1, "files": 1, "sha256": index_hash(index)}
    assert event.evidence is not None
    assert event.evidence.model_dump() == taken


async def test_a_crash_after_the_append_makes_the_same_event_and_no_second_one(
    own: Resources, freezer: Freezer, clock: FrozenClock
) -> None:
    await tell(own, "counted")
    clock.instant = Q3_CLOSES
    await freezer.look()
    database = mongo.database(own.client, own.settings, "scoring")
    before = await stored(own)
    asked = await database["closings"].find_one({"period": "2023-Q3"})
    assert asked is not None
    again = await freezing.frozen(own.journal, asked)
    assert again.model_dump_json().encode() in before
    await database["closings"].update_many({}, {"$set": {"frozen": None}})
    await freezer.look()
    assert await stored(own) == before
    assert await closings_of(own).waiting() == []


async def test_a_correction_after_the_closing_is_an_adjustment_of_the_next_one(
    own: Resources, freezer: Freezer, clock: FrozenClock
) -> None:
    await tell(own, "counted")
    clock.instant = Q3_CLOSES
    await freezer.look()
    await tell(own, "counted", version=2, channel="counter")
    clock.instant = local_midnight(PLAN.ends_on + timedelta(days=8))
    await tell(own, "after")
    await freezer.look()
    events = {e.period: e for e in await frozen_periods(own.journal)}
    found = {(a.period, a.unit): a for a in events["2023"].adjustments}
    change = found["2023-Q3", "31399"]
    assert change.points_before == points(events["2023-Q3"])
    assert change.points_after < change.points_before
    assert events["2023-Q3"].adjustments == []


async def test_periods_are_listed_as_they_end_and_months_are_never_closed_by_their_date(
    own: Resources,
) -> None:
    ended = ["2023-06", "2023-Q2", "2023-07", "2023-08"]
    found = await states(own)
    assert found == dict.fromkeys(all_periods(PLAN.months), "runs") | dict.fromkeys(
        ended, "ended"
    )
    assert list(found)[:4] == ended
    assert closes_at(PLAN, "2023-08") is None


async def test_a_reviewer_closes_a_period_by_hand_when_it_has_ended(
    own: Resources, freezer: Freezer, clock: FrozenClock, settings: Settings
) -> None:
    keys = Keys(settings.keys_dir)
    app = FastAPI()
    app.include_router(closing_api(own, Guard(TokenVerifier(keys.verifying()))))
    Refusals(leaderboard_site()).mount(app)
    reviewer, officer = (
        {"Authorization": f"Bearer {issue(keys.signing(), role)}"}
        for role in (Role.REVIEWER, Role.OFFICER)
    )
    address = f"/api/v1/closings/{PLAN.id}"
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:

        async def ask(period: str, who: dict[str, str]) -> httpx.Response:
            return await client.post(f"{address}/{period}", headers=who)

        assert (await ask("2023-08", officer)).status_code == 403
        assert (await ask("2023-Q3", reviewer)).json()["error"] == "period_runs"
        assert (await ask("2022-08", reviewer)).json()["error"] == "no_such_period"
        assert (await ask("summer", reviewer)).status_code == 404
        assert (await states(own))["2023-08"] == "ended"
        assert (await client.post("/api/v1/closings/none/2023", headers=reviewer)).json()[
            "error"
        ] == "no_such_plan"
        answer = await ask("2023-08", reviewer)
        assert (answer.status_code, answer.json()["cause"]) == (202, "hand")
        first = answer.json()
        clock.instant += timedelta(hours=1)
        assert (await ask("2023-08", reviewer)).json() == first
        await freezer.look()
        listed = (await client.get(address, headers=reviewer)).json()
    closed = {period for period, state in (await states(own)).items() if state == "closed"}
    assert closed == {"2023-Q2", "2023-08"}
    audit = mongo.database(own.client, own.settings, "scoring")["audit"]
    told = [(one["action"], one["subject"]) async for one in audit.find({})]
    assert told == [("period.close", f"{PLAN.id}:2023-08")]
    assert [(one["period"], bool(one["frozen"])) for one in listed] == [
        ("2023-Q2", True),
        ("2023-08", True),
    ]
    event = next(e for e in await frozen_periods(own.journal) if e.period == "2023-08")
    assert event.at.isoformat() == first["at"].replace("Z", "+00:00")
