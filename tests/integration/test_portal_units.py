"""Units at the doors: tokens for some only, and codes that no plan has until somebody says what they mean."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from contracts.events import DossierRecorded, FigureReported
from services.intake.domain.names import key_of
from services.intake.http import INDICATOR_EVENTS, PORTAL_EVENTS
from services.intake.portal import directory
from services.intake.portal.directory import Alias, AliasStore
from services.intake.portal.drafts import DraftError
from services.runtime import mongo
from services.runtime.auth import Keys, Role, issue
from services.runtime.clock import wall_now
from services.runtime.embedded import Addresses
from services.runtime.journal import JournalUnavailableError
from tests.support.databases import settings_apart
from tests.support.portal import NATIONAL, Portal, dossier, portal, steps
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")
OWN, OTHER = "31399", "31402"
JSON = {"Content-Type": "application/json"}
ENVELOPE = {
    "specversion": "1.0",
    "source": "dvc.haugiang",
    "id": "e1",
    "type": "dossier.recorded",
}
BINARY = JSON | {f"ce-{name}": value for name, value in ENVELOPE.items()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    databases: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Portal]:
    async with portal(settings_apart(databases, tmp_path_factory.mktemp("units"))) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def door(running: Portal) -> Portal:
    await running.clear()
    return running


def event(unit: str, number: int = 1, **changes: Any) -> dict[str, Any]:
    """A canonical dossier event."""
    return DossierRecorded.example | {"unit": unit, "dossier": f"H30-{number}"} | changes


async def post(
    door: Portal, path: str, body: Any, headers: dict[str, str] = JSON, *units: str
) -> httpx.Response:
    """With a token that is limited to some units."""
    key = Keys(door.own.settings.keys_dir).signing()
    token = {"Authorization": f"Bearer {issue(key, Role.PORTAL, units)}"}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    english = {"Accept-Language": "en"}
    return await door.client.post(path, content=content, headers=headers | token | english)


def one(content: dict[str, Any]) -> Any:
    return content


def enveloped(content: dict[str, Any]) -> dict[str, Any]:
    return ENVELOPE | {"data": content}


@pytest.mark.parametrize(
    ("headers", "form"),
    [
        (JSON, one),
        (JSON, lambda content: [content]),
        ({"Content-Type": "application/x-ndjson"}, one),
        (BINARY, one),
        ({"Content-Type": "application/cloudevents+json"}, enveloped),
        ({"Content-Type": "application/cloudevents-batch+json"}, lambda c: [enveloped(c)]),
    ],
    ids=["single", "array", "ndjson", "binary", "structured", "batched"],
)
async def test_a_limited_token_sends_for_its_units_alone_in_every_form(
    door: Portal, headers: dict[str, str], form: Any
) -> None:
    refused = await post(door, PORTAL_EVENTS, form(event(OTHER)), headers, OWN)
    assert (refused.status_code, refused.json()) == (
        422,
        {
            "accepted": 0,
            "quarantined": 0,
            "rejected": [
                {
                    "index": 0,
                    "field": "unit",
                    "reason": "unit: these credentials may only send for the units 31399",
                }
            ],
        },
    )
    assert await door.lines() == []
    taken = await post(door, PORTAL_EVENTS, form(event(OWN)), headers, OWN)
    assert (taken.status_code, taken.json()["accepted"]) == (202, 1)
    assert [one.unit for one in await door.events()] == [OWN]


async def test_of_a_batch_only_the_events_of_other_units_are_rejected(door: Portal) -> None:
    events = [event(OWN, 1), event(OTHER, 2), event(OWN, 3, channel="fax"), event("99999", 4)]
    body = [*events, event(OWN, 5)]
    answer = await post(door, PORTAL_EVENTS, body, JSON, OWN, "31405")
    told = answer.json()
    assert (answer.status_code, told["accepted"], told["quarantined"]) == (202, 2, 0)
    assert [(r["index"], r["field"]) for r in told["rejected"]] == [
        (1, "unit"),
        (2, "channel"),
        (3, "unit"),
    ]
    assert "31399, 31405" in told["rejected"][0]["reason"]
    unlimited = (await post(door, PORTAL_EVENTS, body)).json()
    assert (unlimited["accepted"], unlimited["quarantined"]) == (3, 1)


async def test_claims_too(door: Portal) -> None:
    claims = [FigureReported.example | {"unit": unit, "subject": unit} for unit in (OTHER, OWN)]
    told = (await post(door, INDICATOR_EVENTS, claims, JSON, OWN)).json()
    assert (told["accepted"], [r["index"] for r in told["rejected"]]) == (1, [0])
    assert (await post(door, INDICATOR_EVENTS, claims)).json()["accepted"] == 2


async def test_at_the_national_door_a_limited_token_takes_no_dossier_of_another_unit(
    door: Portal,
) -> None:
    items = [
        dossier(MaHoSo=f"H30.99.01-230705-00{n:02}", DonViXuLy=name)
        for n, name in enumerate(("UBND xã Tân Bình", "UBND xã Bình Thành", "UBND xã Lạ"))
    ]
    told = (await post(door, NATIONAL, items, JSON, OWN)).json()
    assert [item["error_code"] for item in told["data"]] == ["0", "1", "1"]
    assert told["data"][1]["message"] == "belongs to another unit, for which you may not send"
    assert await door.intake.portal.desk.causes() == [], "what is refused is not kept"
    await post(door, NATIONAL, items[1:2])
    mine = [items[1] | {"DonViXuLy": "UBND xã Tân Bình"}]
    taken_over = (await post(door, NATIONAL, mine, JSON, OWN)).json()
    assert taken_over["error_code"] == "1"
    held = await door.now(items[1]["MaHoSo"])
    assert held is not None
    assert held.unit == OTHER
    for number, code in (("00", "0"), ("01", "1"), ("55", "1")):
        step = steps("20230708090000", status="5", MaHoSo=f"H30.99.01-230705-00{number}")
        assert (await post(door, NATIONAL, step, JSON, OWN)).json()["error_code"] == code, step


async def test_a_code_that_no_plan_has_waits_until_somebody_says_which_unit_it_means(
    door: Portal,
) -> None:
    desk = door.intake.portal.desk
    told = (await post(door, PORTAL_EVENTS, [event("H30.31399")])).json()
    assert (told["accepted"], told["quarantined"]) == (0, 1)
    (cause,) = await desk.causes()
    assert (cause.kind, cause.value, cause.sources) == ("unit", "H30.31399", ("dvc.haugiang",))
    known = door.intake.portal.receiver.known
    likely = known.aliases.suggest(cause.value, known.agencies)
    assert [(s.unit, s.why) for s in likely] == [(OWN, "code")]
    assert await door.lines() == [], "a suggestion is no decision"
    assert await desk.add_aliases([Alias("other.source", cause.value, OWN)], "test") == 0
    assert await desk.add_aliases([Alias("dvc.haugiang", cause.value, OWN)], "test") == 1
    assert [one.unit for one in await door.events()] == [OWN]
    assert await desk.causes() == []
    again = (await post(door, PORTAL_EVENTS, [event("h30.31399", 2)], JSON, OWN)).json()
    assert (again["accepted"], again["rejected"]) == (1, [])
    assert {one.unit for one in await door.events()} == {OWN}


async def test_what_several_notice_at_once_is_told_once(door: Portal) -> None:
    desk = door.intake.portal.desk
    await post(door, PORTAL_EVENTS, [event("H30.31399", n) for n in range(1, 9)])
    await said_elsewhere(door).add([Alias("*", "H30.31399", OWN)], "another process")
    told = await asyncio.gather(*(desk.follow_aliases() for _ in range(4)))
    assert sum(told) == len(await door.lines()) == 8


async def test_a_word_said_in_the_same_millisecond_is_heard_too(
    door: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, now = door.intake.portal.desk, wall_now()
    monkeypatch.setattr(directory, "wall_now", lambda: now)
    await post(door, PORTAL_EVENTS, [event("H30.31399", 1), event("H30.31402", 2)])
    store = said_elsewhere(door)
    for code in ("H30.31399", "H30.31402"):
        await store.add([Alias("*", code, OWN)], "another process")
        assert await desk.follow_aliases() == 1


async def test_what_was_not_told_of_a_word_is_told_later_also_by_the_next_process(
    door: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = door.intake.portal.desk
    await desk.add_aliases([Alias("*", "UBND xã Lạ", OTHER)], "test")
    await door.send([dossier(DonViXuLy="UBND xã Lạ")])

    async def away(*_: object) -> int:
        raise JournalUnavailableError

    with monkeypatch.context() as broken:
        broken.setattr(type(door.intake.portal.receiver), "review", away)
        with pytest.raises(JournalUnavailableError):
            await desk.add_aliases([Alias("*", "UBND xã Lạ", OWN)], "test")
    await desk.load_aliases()
    assert await desk.follow_aliases() > 0
    assert [one.unit for one in await door.events()][-1] == OWN
    assert await desk.follow_aliases() == 0


async def test_what_several_say_at_once_is_all_kept_each_under_a_revision(door: Portal) -> None:
    store = said_elsewhere(door)
    await store.aliases.drop()
    await store.aliases.database["marks"].delete_many({})
    codes = [f"H30.{number}" for number in range(8)]
    await asyncio.gather(*(store.add([Alias("*", code, OWN)], "test") for code in codes))
    assert await store.revision() == len(codes)
    assert sorted(await store.keys_since(0)) == sorted(map(key_of, codes))
    assert len(await store.keys_since(len(codes) - 1)) == 1


async def test_names_are_said_all_or_none(door: Portal) -> None:
    store = said_elsewhere(door)
    before = await store.listed(), await store.revision()
    with pytest.raises(UnicodeEncodeError):
        await store.add([Alias("*", "UBND xã Lạ", OWN), Alias("*", "xã", "\ud800")], "test")
    assert (await store.listed(), await store.revision()) == before


def said_elsewhere(door: Portal) -> AliasStore:
    """Where another process says what names mean."""
    return AliasStore(mongo.database(door.own.client, door.own.settings, "intake"))


async def test_what_waits_for_the_same_at_two_doors_is_one_cause(door: Portal) -> None:
    await post(door, PORTAL_EVENTS, [event(OWN, procedure="9.000003")])
    await post(door, NATIONAL, [dossier(MaTTHC="9.000003")])
    (cause,) = await door.intake.portal.desk.causes()
    assert (cause.value, cause.waiting) == ("9.000003", 2)
    assert cause.sources == ("dvc.haugiang", "dvc.quocgia")
    shown = await door.intake.portal.desk.dossiers_of(cause.kind, cause.value)
    assert {one["dossier"] for one in shown} == {"H30-1", dossier()["MaHoSo"]}


async def test_a_claim_waits_for_the_same_word(door: Portal) -> None:
    claim = FigureReported.example | {"unit": "TB"}
    assert (await post(door, INDICATOR_EVENTS, claim)).json()["quarantined"] == 1
    await door.intake.portal.desk.add_aliases([Alias("*", "tb", OWN)], "test")
    assert [one.unit for one in await door.events()] == [OWN]


async def test_a_wrong_alias_of_a_code_that_is_corrected_moves_what_was_told_under_it(
    door: Portal,
) -> None:
    desk = door.intake.portal.desk
    await desk.add_aliases([Alias("*", "TB", OTHER)], "test")
    claim = FigureReported.example | {"unit": "tb", "indicator": "X5", "period": "2023-07"}
    sent = [event("TB", version=1), event("TB", version=3, channel="counter")]
    for one in sent:
        assert (await post(door, PORTAL_EVENTS, [one])).json()["accepted"] == 1
    await post(door, INDICATOR_EVENTS, claim)

    async def counted(unit: str) -> tuple[tuple[int, int], tuple[int, int]]:
        counters = (await door.row(unit)).counters
        return counters["X8"], counters["X5"]

    assert await counted(OTHER) == ((0, 1), (812, 1450))
    assert await desk.add_aliases([Alias("*", "TB", OWN)], "test") == 2
    assert (await counted(OTHER), await counted(OWN)) == (
        ((0, 0), (0, 0)),
        ((0, 1), (812, 1450)),
    )
    await post(door, PORTAL_EVENTS, sent)
    assert await counted(OWN) == ((0, 1), (812, 1450)), "repeats and older ones move nothing"
    assert await desk.add_aliases([Alias("*", "TB", OWN)], "test") == 0, "said again"
    await post(door, PORTAL_EVENTS, [event("TB", version=4)])
    assert await counted(OWN) == ((1, 1), (812, 1450)), "the sender's next word holds"
    assert await desk.add_aliases([Alias("*", "TB", OTHER)], "test") == 2
    assert await counted(OTHER) == ((1, 1), (812, 1450)), "there and back"
    assert await counted(OWN) == ((0, 0), (0, 0))


async def test_a_code_explained_while_it_waited_moves_with_its_alias_too(door: Portal) -> None:
    desk = door.intake.portal.desk
    assert (await post(door, PORTAL_EVENTS, [event("TB")])).json()["quarantined"] == 1
    assert await desk.add_aliases([Alias("dvc.haugiang", "TB", OTHER)], "test") == 1
    assert await desk.add_aliases([Alias("dvc.haugiang", "TB", OWN)], "test") == 1
    assert (await door.row(OTHER)).counters["X8"] == (0, 0)
    assert (await door.row(OWN)).counters["X8"] == (1, 1)


async def test_a_name_written_without_marks_moves_with_the_alias_that_it_met(
    door: Portal,
) -> None:
    desk = door.intake.portal.desk
    await desk.add_aliases([Alias("*", "Một cửa Mỹ Lạ", OTHER)], "test")
    await post(door, NATIONAL, [dossier(DonViXuLy="MOT CUA MY LA")])
    assert (await door.row(OTHER)).counters["X8"] == (1, 1)
    assert await desk.add_aliases([Alias("*", "Một cửa Mỹ Lạ", OWN)], "test") == 1
    assert (await door.row(OWN)).counters["X8"] == (1, 1)


async def test_a_correction_that_is_none_says_why_and_moves_nothing(door: Portal) -> None:
    desk, renaming = door.intake.portal.desk, door.intake.portal.renaming
    await desk.add_aliases([Alias("*", "TB", OTHER)], "test")
    await post(door, PORTAL_EVENTS, [event("TB")])
    for said, code in (
        (Alias("*", "TB", OTHER), "same"),
        (Alias("*", "TB", "99999"), "unit"),
        (Alias("other.source", "TB", OWN), "unit"),
    ):
        with pytest.raises(DraftError) as refused:
            await renaming.draft(said, "test")
        assert refused.value.code == code
    number = await renaming.draft(Alias("*", "tb", OWN), "test")

    async def computed() -> dict[str, Any] | None:
        draft = await renaming.drafts.find(number)
        return draft if draft and draft["state"] != "computing" else None

    found = await until(computed)
    assert (found["state"], found["dossiers"]) == ("ready", 1)
    moves = {m["unit"]: m["after"] - m["before"] for m in found["moves"]}
    assert moves.keys() == {OWN, OTHER}
    assert moves[OWN] > 0 > moves[OTHER]
    await desk.add_aliases([Alias("*", "TB", "31405")], "somebody else")
    with pytest.raises(DraftError) as overtaken:
        await renaming.apply(number, "test")
    assert overtaken.value.code == "said"
    assert (await door.row(OWN)).counters["X8"] == (0, 0)
    assert (await door.row("31405")).counters["X8"] == (1, 1)
