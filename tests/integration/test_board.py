"""The board's web face on real databases: the past, freezing, previews, the chain over the journal, the signed copy."""

import asyncio
import hashlib
import html
import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from typer.testing import CliRunner

from contracts.calendar import local_date
from contracts.plan import Procedure
from contracts.wire import to_event, to_line
from services.app import Front
from services.changing import moves_of, retelling
from services.intake.portal.domain.canonical import DERIVED
from services.proving import proof_commands
from services.publishing import publish
from services.runtime import mongo
from services.runtime.access.app import access_of
from services.runtime.access.application import OPERATOR
from services.runtime.auth import Keys, Role
from services.runtime.clock import wall_milliseconds
from services.runtime.health import Health
from services.runtime.journal import id_at
from services.runtime.resources import Resources, resources
from services.runtime.settings import Settings
from services.scoring import sealing, turns
from services.scoring.app import worker
from services.scoring.application import Scoring
from services.scoring.asof import PastBoards
from services.scoring.leaderboard import live
from services.scoring.leaderboard.pages import copy_page, leaderboard_site
from services.scoring.leaderboard.proof import (
    HTML,
    JSON,
    KEY,
    PublicCopy,
    is_signed,
)
from services.scoring.sealing import Sealer
from services.scoring.settings import ScoringSettings
from services.scoring.store import ScoringStore
from tests.support.facts import dossier, reference_plan
from tests.support.people import client_in, make_person
from tests.support.sample_boards import SampleBoards
from tests.support.waiting import PATIENCE_SECONDS, until
from tests.support.web import started

pytestmark = pytest.mark.timeout(120)
FOLDER = Path(__file__).parents[2] / "deploy/plans/phung-hiep-2023"
PLAN = reference_plan()
BOARD = f"/api/v1/standings/{PLAN.id}/commune"
UNIT = "31399"
HTML_ACCEPTED = {"accept": "text/html"}


@pytest.fixture
async def own(settings: Settings) -> AsyncIterator[Resources]:
    async with resources(settings) as own:
        await publish(own, PLAN)
        yield own


def line(number: int, **changed: Any) -> bytes:
    return to_line(to_event(dossier(number, **changed)))


@pytest.fixture
async def scoring(own: Resources) -> AsyncIterator[Scoring]:
    settings = ScoringSettings.model_validate(own.settings.model_dump())
    async with worker(settings, Health()) as scoring:
        yield scoring


@pytest.fixture
async def web(own: Resources, scoring: Scoring) -> AsyncIterator[Front]:
    await own.journal.append("indicator", 0, [line(n) for n in range(5)])
    async with started(own.settings) as front, client_in(front) as public:

        async def shown() -> bool:
            return await points(public) > 0

        await until(shown)
        yield front


async def points(client: httpx.AsyncClient, unit: str = UNIT) -> float:
    rows = (await client.get(BOARD)).json()["rows"]
    return next((float(r["indicators"].get("X13", 0)) for r in rows if r["unit"] == unit), 0)


# --- the past ----------------------------------------------------------------------------


async def test_a_past_board_is_a_page_an_export_and_an_answer_and_the_future_is_none(
    web: Front,
) -> None:
    async with client_in(web) as public:
        today = local_date(datetime.fromisoformat((await public.get(BOARD)).json()["as_of"]))
        yesterday, tomorrow = today - timedelta(days=1), today + timedelta(days=1)
        page = await public.get(f"/?as_of={yesterday}", headers=HTML_ACCEPTED)
        assert (page.status_code, "tính lại từ sổ cái" in page.text) == (200, True)
        for wrong in (tomorrow, "12/09/2023"):
            refused = await public.get(f"/?as_of={wrong}", headers=HTML_ACCEPTED)
            assert refused.status_code == 422
        compared = await public.get(f"/compare?start={yesterday}&end={today}")
        assert "X13" in compared.text
        assert (await public.get(f"/compare?start={today}&end={tomorrow}")).status_code == 422


async def test_who_asks_for_too_many_past_days_is_told_when_to_come_back(
    web: Front, own: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    staff = await make_person(own, {Role.OBSERVER: []})
    async with client_in(web) as public, client_in(web, staff) as office:
        today = local_date(datetime.fromisoformat((await public.get(BOARD)).json()["as_of"]))
        days = [today - timedelta(days=n) for n in range(1, 5)]
        monkeypatch.setattr(turns, "VISITS", 1)
        assert (await public.get(f"/?as_of={days[0]}")).status_code == 200
        page = await public.get(
            f"/compare?start={days[0]}&end={days[1]}", headers=HTML_ACCEPTED
        )
        assert (page.status_code, "Đã xem quá nhiều ngày quá khứ" in page.text) == (429, True)
        assert 0 < int(page.headers["retry-after"]) <= 60
        instant = f"{days[1]}T12:00:00%2B07:00"
        told = await public.get(f"{BOARD}?as_of={instant}")
        assert (told.status_code, told.json()["error"]) == (429, "too_often")
        assert (await public.get(f"/?as_of={days[0]}")).status_code == 200
        monkeypatch.setattr(turns, "MOST_PUBLIC", 0)
        page = await public.get(f"/?as_of={days[2]}", headers=HTML_ACCEPTED)
        assert (page.status_code, "Đang có nhiều người" in page.text) == (503, True)
        file = await public.get(f"/export.json?as_of={days[2]}")
        assert (file.status_code, file.json()["error"]) == (503, "busy")
        assert file.headers["retry-after"] == "10"
        assert (await office.get(f"/?as_of={days[2]}")).status_code == 200
        assert (await public.get(f"/?as_of={days[2]}")).status_code == 200


async def test_pages_of_the_past_say_so_while_no_day_has_ended(web: Front) -> None:
    said = {
        "/play": "Chưa đủ ngày để chạy lại",
        "/history": "Chưa đủ ngày để vẽ",
        f"/units/{PLAN.id}/{UNIT}/between": "Hãy quay lại sau ngày mai",
    }
    async with client_in(web) as public:
        for path, words in said.items():
            page = await public.get(path, headers=HTML_ACCEPTED)
            assert (page.status_code, words in page.text) == (200, True)


async def test_what_if_equals_what_happens_when_the_dossiers_really_come(
    web: Front, own: Resources
) -> None:
    async with client_in(web) as public:
        asked = f"/api/v1/units/{PLAN.id}/{UNIT}/what-if"
        imagined = (await public.get(f"{asked}?X13=15&X8=15/15")).json()
        assert imagined["moved"] == {"X13": [15, 420], "X8": [15, 15]}
        await own.journal.append("indicator", 0, [line(n) for n in range(5, 15)])

        async def come() -> bool:
            rows = (await public.get(BOARD)).json()["rows"]
            row = next(r for r in rows if r["unit"] == UNIT)
            return bool(row["counters"]["X13"][0] == 15)

        await until(come)
        rows = (await public.get(BOARD)).json()["rows"]
        row = next(r for r in rows if r["unit"] == UNIT)
        assert row["points"] == imagined["after"]["points"]
        assert row["rank"] == imagined["after"]["rank"]
        refused = await public.get(f"{asked}?X13=many&X99=1")
        assert refused.status_code == 422
        assert {f["field"] for f in refused.json()["fields"]} == {"X13", "X99"}


# --- freezing ----------------------------------------------------------------------------

PUBLIC = (
    BOARD,
    f"{BOARD}?period=2023-Q3",
    f"{BOARD}/closes",
    "/",
    "/?display=wall",
    f"/embed/{PLAN.id}/commune",
    "/export.csv",
    "/export.json",
    f"/units/{PLAN.id}/{UNIT}",
    f"/units/{PLAN.id}/{UNIT}?indicator=X13",
    f"/units/{PLAN.id}/{UNIT}/what-if?X13=30",
    f"/api/v1/units/{PLAN.id}/{UNIT}/explanation?indicator=X13",
    "/history",
)


async def everything(client: httpx.AsyncClient) -> dict[str, bytes]:
    return {path: (await client.get(path)).content for path in PUBLIC}


async def first_frame(client: httpx.AsyncClient, front: Front) -> bytes:
    """The snapshot of the live stream; the connection is closed then."""
    done = asyncio.Event()
    received = await stream(client, front, done, done.set)
    return received[0].split(b"\n", 1)[1]


async def stream(
    client: httpx.AsyncClient,
    front: Front,
    done: asyncio.Event,
    on_frame: Callable[[], object],
) -> list[bytes]:
    """What the live stream sent until it ended, or until the viewer was done."""
    received: list[bytes] = []

    async def receive() -> dict[str, Any]:
        await done.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body" and message["body"]:
            received.append(message["body"])
            on_frame()

    scope = {
        "type": "http",
        "method": "GET",
        "path": f"{BOARD}/stream",
        "query_string": b"",
        "headers": [(k.encode(), v.encode()) for k, v in client.headers.items()],
        "http_version": "1.1",
        "scheme": "http",
        "server": ("test", 80),
        "client": ("127.0.0.1", 1),
        "root_path": "",
        "state": {},
    }
    async with asyncio.timeout(PATIENCE_SECONDS):
        await front(scope, receive, send)
    return received


async def test_the_stream_of_staff_ends_when_they_lose_the_role_or_sign_out(
    web: Front, own: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "ALLOWED_SECONDS", 0.05)
    access = access_of(own)
    for end in ("role", "session"):
        staff = await make_person(own, {Role.REVIEWER: []})
        async with client_in(web, staff) as office, client_in(web) as public:
            await office.post("/freeze", data={"act": "freeze", "reason": "Chờ lễ công bố"})
            seen = asyncio.Event()
            watching = asyncio.create_task(stream(office, web, asyncio.Event(), seen.set))
            await asyncio.wait_for(seen.wait(), PATIENCE_SECONDS)
            if end == "role":
                await access.change(OPERATOR, staff.code, {"grants": {Role.OFFICER: [UNIT]}})
            else:
                await access.sign_out(staff.secret)
            await asyncio.wait_for(watching, PATIENCE_SECONDS)
            assert await first_frame(public, web)


async def test_a_frozen_board_never_changes_by_a_byte_for_the_public_and_staff_see_the_live_one(
    web: Front, own: Resources
) -> None:
    staff = await make_person(own, {Role.REVIEWER: []})
    async with client_in(web) as public, client_in(web, staff) as office:
        refused = await public.post("/freeze", data={"act": "freeze", "reason": "x"})
        assert refused.status_code == 401
        nameless = await office.post("/freeze", data={"act": "freeze", "reason": ""})
        assert (nameless.status_code, "Ghi lý do" in nameless.text) == (422, True)
        done = await office.post(
            "/freeze", data={"act": "freeze", "reason": "Chờ lễ công bố 31/12"}
        )
        assert done.status_code == 303
        before, streamed = await everything(public), await first_frame(public, web)
        was = await points(public)
        await own.journal.append("indicator", 0, [line(n) for n in range(5, 40)])

        async def live() -> bool:
            return await points(office) > was

        await until(live)
        assert await everything(public) == before
        assert await first_frame(public, web) == streamed
        assert await first_frame(office, web) != streamed
        banner = (await office.get("/", headers=HTML_ACCEPTED)).text
        assert "Anh/chị đang xem số liệu trực tiếp" in banner
        assert "Bảng đang niêm phong" in before["/"].decode()
        twice = await office.post("/freeze", data={"act": "freeze", "reason": "again"})
        assert (twice.status_code, "đã đổi trạng thái" in twice.text) == (422, True)
        thawed = await office.post("/freeze", data={"act": "thaw", "reason": "Đã công bố"})
        assert thawed.status_code == 303
        assert await points(public) == await points(office) > was
    audit = own.client[f"{own.settings.database_prefix}scoring"]["audit"]
    acts = [(one["action"], one["actor"]) async for one in audit.find().sort("_id", 1)]
    assert acts == [("board.freeze", staff.code), ("board.thaw", staff.code)]


async def test_a_board_freezes_by_itself_when_its_time_has_come(
    web: Front, own: Resources
) -> None:
    staff = await make_person(own, {Role.LEADER: []})
    async with client_in(web) as public, client_in(web, staff) as office:
        at = (own.clock.now() + timedelta(seconds=2)).isoformat()
        planned = await office.post(
            "/freeze", data={"act": "freeze", "reason": "theo lịch", "at": at}
        )
        assert planned.status_code == 303
        assert "Sẽ niêm phong" in (await office.get("/freeze")).text

        async def frozen() -> bool:
            return "frozen_at" in (await public.get(BOARD)).json()

        await until(frozen)
        was = (await public.get(BOARD)).content
        await own.journal.append("indicator", 0, [line(n) for n in range(5, 40)])

        async def live() -> bool:
            return bool((await office.get(BOARD)).json()["rows"] != json.loads(was)["rows"])

        await until(live)
        assert (await public.get(BOARD)).content == was


async def test_a_board_freezes_behind_a_pack_of_the_journal(web: Front, own: Resources) -> None:
    staff = await make_person(own, {Role.LEADER: []})
    async with client_in(web) as public, client_in(web, staff) as office:
        was = await points(public)
        (first,) = await own.journal.latest("indicator", 1)
        await own.journal.append("indicator", 0, [line(n) for n in range(5, 40)])

        async def risen() -> bool:
            return await points(public) > was

        await until(risen)
        (newest, *_) = await own.journal.latest("indicator", 1)
        assert newest.id in (await office.get("/freeze")).text
        asked = {"act": "freeze", "reason": "đúng số liệu đã trình"}
        both = {"position": first.id, "at": "2023-12-31T17:00"}
        for wrong, said in (
            ({"position": "here"}, "không có vị trí này"),
            ({"position": "0" * 11}, "không có vị trí này"),
            ({"position": "f" * 23}, "không có vị trí này"),
            (both, "không ghi cả hai"),
        ):
            refused = await office.post("/freeze", data=asked | wrong)
            assert (refused.status_code, said in refused.text) == (422, True)
        assert await points(public) > was
        done = await office.post("/freeze", data=asked | {"position": first.id})
        assert done.status_code == 303
        assert await points(public) == was
        shown = (await public.get(BOARD)).json()
        assert shown["frozen_position"] == first.id
        assert datetime.fromisoformat(shown["frozen_at"]) == first.accepted_at
        assert first.id in (await public.get("/", headers=HTML_ACCEPTED)).text
        before, live = await everything(public), await points(office)
        await own.journal.append("indicator", 0, [line(n) for n in range(40, 50)])

        async def moved() -> bool:
            return await points(office) > live

        await until(moved)
        assert await everything(public) == before
    audit = own.client[f"{own.settings.database_prefix}scoring"]["audit"]
    (entry,) = [one async for one in audit.find()]
    assert (entry["action"], entry["detail"]["position"]) == ("board.freeze", first.id)


async def test_of_two_who_freeze_at_once_one_is_refused_and_one_snapshot_holds(
    web: Front, own: Resources
) -> None:
    staff = await make_person(own, {Role.LEADER: []})
    async with client_in(web, staff) as office:
        asked = {"act": "freeze", "reason": "cùng lúc"}
        answers = await asyncio.gather(*[office.post("/freeze", data=asked) for _ in range(3)])
        assert sorted(answer.status_code for answer in answers) == [303, 422, 422]
        store = ScoringStore(mongo.database(own.client, own.settings, "scoring"))
        (kept,) = [one async for one in store.freezes.find()]
        assert set(await store.frozen.distinct("of")) == {kept["snapshot"]}
        await office.post("/freeze", data={"act": "thaw", "reason": "xong"})
        assert await store.frozen.count_documents({}) == 0


async def test_officers_see_columns_but_neither_freeze_nor_preview(
    web: Front, own: Resources
) -> None:
    officer = await make_person(own, {Role.OFFICER: [UNIT]})
    async with client_in(web, officer) as client, client_in(web) as public:
        staff = await client.get("/staff")
        assert (staff.status_code, "Chờ thẩm định" in staff.text) == (200, True)
        for path in ("/freeze", "/preview", "/ceremony"):
            assert (await client.get(path)).status_code == 403
        for path in ("/staff", "/freeze", "/preview", "/ceremony"):
            assert (await public.get(path)).status_code == 401


# --- a change of the rules ---------------------------------------------------------------


def doubled_quota() -> bytes:
    blocs = PLAN.model_dump(mode="json")["blocs"]
    for bloc in blocs:
        for indicator in bloc["indicators"]:
            if indicator["code"] == "X13":
                indicator["parts"][0]["measure"]["quota_per_month"] = 6
    return json.dumps({"blocs": blocs}).encode()


async def test_what_is_wrong_with_a_plan_is_said_in_the_readers_language(
    web: Front, own: Resources
) -> None:
    staff = await make_person(own, {Role.REVIEWER: []})
    async with client_in(web, staff) as office:
        broken = {"files": ("p.json", b'{"units": 1}')}
        wrong = await office.post("/preview", files=broken)
        assert (wrong.status_code, "p.json, units: gặp 1, cần một danh sách" in wrong.text) == (
            422,
            True,
        )
        english = {"accept-language": "en"}
        wrong = await office.post("/preview", files=broken, headers=english)
        assert "p.json, units: found 1, expected a list" in wrong.text
        none = await office.post("/preview", files={"files": ("p.txt", b"x")})
        assert none.status_code == 422
        assert "p.txt: không phải tệp .yaml, .yml, .json" in none.text


SAID = {
    "vi": [
        "ngày kết thúc (ends_on) 2023-05-01 trước ngày bắt đầu (starts_on) 2023-06-01",
        "đơn vị 31393 lặp lại",
        "commune: tổng điểm là 200, thang điểm là 190",
        "commune: X1: không dẫn điều khoản nào của kế hoạch",
        "commune: X13: phần main: where: dossier.recorded không có trường 'chanel'; các trường có: ",
        "commune: điều kiện không xét thi đua two-overdue-dossiers: không dẫn điều khoản nào",
    ],
    "en": [
        "ends_on 2023-05-01 is before starts_on 2023-06-01",
        "unit 31393 is listed twice",
        "commune: points sum to 200, the scale is 190",
        "commune: X1: cites no clause",
        "commune: X13: part main: where: dossier.recorded has no field 'chanel'; it has ",
        "commune: exclusion two-overdue-dossiers: cites no clause",
    ],
}


def full_of_faults() -> bytes:
    """A plan with a fault of each kind that a person would make."""
    content = PLAN.model_dump(mode="json", include={"blocs", "units"})
    commune = content["blocs"][0]
    commune["scale"] = 190
    commune["indicators"][0]["clause"] = commune["exclusions"][0]["clause"] = " "
    x13 = next(i for i in commune["indicators"] if i["code"] == "X13")
    x13["parts"][0]["measure"]["where"] = {"chanel": ["online"]}
    units = [*content["units"], content["units"][0]]
    return json.dumps(content | {"units": units, "ends_on": "2023-05-01"}).encode()


async def test_every_fault_of_a_plan_is_said_at_once_in_the_readers_language(
    web: Front, own: Resources
) -> None:
    staff = await make_person(own, {Role.REVIEWER: []})
    async with client_in(web, staff) as office:
        for lang, sentences in SAID.items():
            shown = await office.post(
                "/preview",
                files={"files": ("p.json", full_of_faults())},
                headers={"accept-language": lang},
            )
            said = html.unescape(shown.text)
            assert shown.status_code == 422
            assert [sentence for sentence in sentences if sentence not in said] == []


async def test_a_change_is_previewed_for_every_unit_and_published_with_number_and_reason(
    web: Front, own: Resources
) -> None:
    staff = await make_person(own, {Role.REVIEWER: []})
    async with client_in(web, staff) as office:
        was = await points(office)
        made = await office.post("/preview", files={"files": ("p.json", doubled_quota())})
        assert made.status_code == 303
        address = made.headers["location"]
        shown = (await office.get(address)).text
        assert "Xã Tân Bình" in shown
        assert "phiên bản 2" in shown
        assert "Quý III/2023: 1 đơn vị đổi điểm hoặc hạng." in shown
        assert "Tháng 7/2023: 1 đơn vị đổi điểm hoặc hạng." in shown
        assert "Tháng 6/2023" not in shown
        assert await points(office) == was
        lacking = await office.post(address, data={"act": "publish", "reason": "sửa mức"})
        assert (lacking.status_code, "Ghi số quyết định" in lacking.text) == (422, True)
        decided = {"act": "publish", "reason": "sửa mức", "decision": "12/QĐ-UBND"}
        assert (await office.post(address, data=decided)).status_code == 303

        async def in_force() -> bool:
            return await points(office) == pytest.approx(was * 10, rel=0.01)

        await until(in_force)
        again = await office.post(address, data=decided)
        assert (again.status_code, "đã được quyết định" in again.text) == (422, True)
    audit = own.client[f"{own.settings.database_prefix}scoring"]["audit"]
    (entry,) = [one async for one in audit.find()]
    assert (entry["action"], entry["detail"]["decision"]) == ("plan.published", "12/QĐ-UBND")


async def test_a_version_that_another_took_meanwhile_is_refused_and_the_audit_says_so(
    web: Front, own: Resources
) -> None:
    staff = await make_person(own, {Role.REVIEWER: []})
    decided = {"act": "publish", "reason": "sửa mức", "decision": "12/QĐ-UBND"}
    async with client_in(web, staff) as office:
        other = json.dumps({"decision": "13/QĐ-UBND"}).encode()
        first, late = [
            (await office.post("/preview", files={"files": ("p.json", content)})).headers[
                "location"
            ]
            for content in (doubled_quota(), other)
        ]
        assert (await office.post(first, data=decided)).status_code == 303
        refused = await office.post(late, data=decided)
        conflict = (
            f"phiên bản 2 của {PLAN.id} đã công bố nên không sửa được; hãy đặt phiên bản 3"
        )
        assert (refused.status_code, conflict in refused.text) == (422, True)
    audit = own.client[f"{own.settings.database_prefix}scoring"]["audit"]
    acts = [one["action"] async for one in audit.find().sort("_id", 1)]
    assert acts == ["plan.published", "plan.published", "plan.refused"]


async def test_a_discarded_change_changes_nothing(web: Front, own: Resources) -> None:
    staff = await make_person(own, {Role.REVIEWER: []})
    async with client_in(web, staff) as office:
        catalogue = [p.model_dump(mode="json") for p in PLAN.catalogue[1:]]
        content = json.dumps({"catalogue": catalogue}).encode()
        made = await office.post("/preview", files={"files": ("catalogue.json", content)})
        address = made.headers["location"]
        dropped = await office.post(address, data={"act": "discard", "reason": "nhầm"})
        assert dropped.status_code == 303
        plan: dict[str, Any] = (await office.get(f"/api/v1/plans/{PLAN.id}")).json()
        assert plan["version"] == 1
        assert "đã bỏ" in (await office.get(address)).text.lower()


async def test_a_changed_catalogue_is_previewed_with_dossiers_as_they_will_be_told(
    web: Front, own: Resources
) -> None:
    staff = await make_person(own, {Role.REVIEWER: []})
    told = {"fee_due": False, "paid_online": True, "procedure": PLAN.catalogue[0].code}
    await own.journal.append(
        "indicator", 0, [line(9_001, id="sent", **told), line(9_002, id=f"{DERIVED}1", **told)]
    )
    catalogue = [p.model_dump(mode="json") for p in PLAN.catalogue]
    catalogue[0] |= {"fee_due": True}
    content = json.dumps({"catalogue": catalogue}).encode()
    async with client_in(web, staff) as office:
        made = await office.post("/preview", files={"files": ("catalogue.json", content)})
    number = made.headers["location"].rpartition("/")[2]
    database = mongo.database(own.client, own.settings, "scoring")
    stored = await database["previews"].find_one({"_id": number})
    assert stored is not None
    moved = [effect for effect in stored["effects"] if effect[3] != effect[6]]
    points_of = {
        period: (unit, before, after) for unit, _, _, before, _, _, after, _, period in moved
    }
    assert {period: unit for period, (unit, _, _) in points_of.items()} == dict.fromkeys(
        ("2023", "2023-Q3", "2023-07"), UNIT
    )
    changed = PLAN.model_copy(
        update={"version": 2, "catalogue": [Procedure.model_validate(p) for p in catalogue]}
    )
    with PastBoards(own.settings, own.journal, retelling) as past:
        moves = await moves_of(past, changed, stored["at"])
    assert [(m.unit, m.before, m.after) for m in moves] == [points_of["2023"]]
    assert moves[0].after > moves[0].before, (
        "the fee of the one that is told anew is paid online"
    )


# --- proof -------------------------------------------------------------------------------


async def test_each_day_that_ends_is_chained_and_a_changed_pack_breaks_the_chain(
    own: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "MARGIN_MILLISECONDS", 0)
    store = ScoringStore(mongo.database(own.client, own.settings, "scoring"))

    class Days:
        day = local_date(own.clock.now())

        def today(self) -> Any:
            return self.day

    days = Days()
    sealer = Sealer(own.journal, store.seals, days)  # type: ignore[arg-type]
    for n in range(3):
        await own.journal.append("indicator", 0, [line(n)])

        async def later(made: str = id_at(wall_milliseconds())) -> bool:
            return id_at(wall_milliseconds()) > made

        await until(later)
        assert await sealer.seal_due() is not None
        assert await sealer.seal_due() is None
        days.day += timedelta(days=1)
    links = [one async for one in store.seals.find().sort("_id", 1)]
    assert [one["events"] for one in links] == [2, 1, 1]
    assert await sealer.check() == (3, [])
    packs = own.journal.collection("indicator")
    pack = await packs.find_one({}, sort=[("_id", 1)])
    assert pack is not None
    forged = bytes(pack["body"]).replace(b"online", b"postal")
    await packs.update_one({"_id": pack["_id"]}, {"$set": {"body": forged}})
    looked, wrong = await sealer.check()
    assert (looked, wrong[0]) == (3, links[0]["_id"])


async def test_the_signed_copy_says_what_the_board_says_and_a_forged_one_is_found(
    own: Resources, tmp_path: Path
) -> None:
    store = ScoringStore(mongo.database(own.client, own.settings, "scoring"))
    sealer = Sealer(own.journal, store.seals, own.clock)
    key = Keys(own.settings.keys_dir).signing()
    boards = SampleBoards()
    folder = tmp_path / "public"
    await PublicCopy(folder, boards, sealer, key, copy_page(leaderboard_site())).write()
    content = msgspec.json.decode((folder / JSON).read_bytes())
    board = boards.board(PLAN.id, "commune", "2023")
    assert board is not None
    assert [(r["unit"], r["rank"]) for r in content["boards"][0]["rows"]] == [
        (r.unit.code, r.rank) for r in board.rows
    ]
    assert board.rows[0].unit.name.vi in (folder / HTML).read_text()
    command = CliRunner()
    for name in (JSON, HTML):
        good = command.invoke(proof_commands, ["verify", str(folder / name)])
        assert (good.exit_code, "ok" in good.output) == (0, True)
    page = folder / HTML
    page.write_text(page.read_text().replace(board.rows[0].unit.name.vi, "Xã Khác"))
    forged = command.invoke(proof_commands, ["verify", str(page)])
    assert (forged.exit_code, "FORGED" in forged.output) == (1, True)
    assert not is_signed(key.public_key(), page.read_bytes(), b"no signature")
    assert (folder / KEY).read_bytes().startswith(b"-----BEGIN PUBLIC KEY-----")


async def test_proof_states_the_hash_of_the_very_rules_that_are_served(web: Front) -> None:
    async with client_in(web) as public:
        said = (await public.get("/proof.json")).json()
        rules = (await public.get(f"/api/v1/plans/{PLAN.id}")).content
        assert said["plans"] == [
            {"id": PLAN.id, "version": 1, "sha256": hashlib.sha256(rules).hexdigest()}
        ]
        assert said["plans"][0]["sha256"] in (await public.get("/proof")).text
