"""Imports of sheets, the catalogue, and fetching from a portal, on real databases and a real HTTP server."""

import io
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from openpyxl import Workbook

from contracts.calendar import LOCAL
from services.intake.portal.domain.catalogue import from_items
from services.intake.portal.drafts import DraftError
from services.intake.portal.pull import Api, PullStore
from services.runtime import mongo
from services.runtime.auth import Keys, Role, issue
from services.runtime.clock import FrozenClock, wall_now
from services.runtime.embedded import Addresses
from tests.support.databases import settings_apart
from tests.support.far_portal import FakePortal, far_portal
from tests.support.portal import PLAN, SAMPLES, Portal, dossier, portal
from tests.support.waiting import until
from tests.unit.test_sheets import windows_1258

pytestmark = pytest.mark.asyncio(loop_scope="module")
SHEET = "/api/v1/portal/sheet"
HEADERS = (
    "Mã hồ sơ", "Chủ hồ sơ", "Mã thủ tục", "Đơn vị xử lý", "Trạng thái", "Hình thức nộp",
    "Ngày tiếp nhận", "Ngày hẹn trả",
)  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    databases: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Portal]:
    async with portal(settings_apart(databases, tmp_path_factory.mktemp("portal"))) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def door(running: Portal) -> Portal:
    await running.clear()
    return running


def row(number: int, agency: str = "UBND xã Tân Bình", **changes: str) -> list[str]:
    fields = {
        "status": "Đang xử lý", "channel": "Trực tuyến", "received": "05/07/2023 08:30:00"
    } | changes  # fmt: skip
    code = f"H30.99.01-230705-{number:04}"
    said = fields["status"], fields["channel"], fields["received"]
    return [code, "NGƯỜI MẪU", "2.000815", agency, *said, "10/07/2023"]


def xlsx(*rows: list[str]) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["BÁO CÁO HỒ SƠ"])
    sheet.append(HEADERS)
    for cells in rows:
        sheet.append(cells)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


async def imported(
    door: Portal, file: bytes, query: str = "", token: str | None = None
) -> dict[str, Any]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    started = await door.client.post(SHEET + query, content=file, headers=headers)
    assert started.status_code == 202, started.text
    await door.intake.sheets.wait()
    status = await door.client.get(started.json()["status"], headers=headers)
    return status.json()  # type: ignore[no-any-return]


async def test_an_export_counts_and_an_overlapping_one_changes_only_what_is_new(
    door: Portal,
) -> None:
    first = await imported(door, xlsx(*(row(n) for n in range(8))))
    assert (first["state"], first["rows"], first["taken"]) == ("done", 8, 8)
    assert (await door.row()).counters["X8"] == (8, 8)
    lines = len(await door.lines())
    later = [row(n) for n in range(4, 10)]
    later[0][4] = "Đã trả kết quả"
    second = await imported(door, xlsx(*later))
    assert (second["taken"], second["repeated"]) == (3, 3)
    assert len(await door.lines()) == lines + 3


async def test_a_dry_run_tells_each_wrong_cell_and_writes_nothing(door: Portal) -> None:
    file = xlsx(row(1), row(2, channel="Bồ câu"), row(3, received="?"), row(4, "UBND xã Lạ"))
    found = await imported(door, file, "?dry_run=true")
    assert (found["rows"], found["taken"], found["waiting"], found["faulty_rows"]) == (
        4,
        1,
        1,
        2,
    )
    cells = [(f["column"], f["row"], f["field"]) for f in found["faults"]]
    assert cells == [("F", 4, "channel"), ("G", 5, "received_at")]
    assert await door.lines() == []
    assert await door.intake.portal.desk.causes() == []


async def test_a_sheet_and_the_national_door_mean_the_same_dossier(door: Portal) -> None:
    await door.send(SAMPLES["envelope_update_finished_paid"])
    found = await imported(door, xlsx(row(12, status="Đang xử lý")))
    assert found["taken"] == 1
    held = await door.now()
    assert held is not None
    assert held.status == "returned", "the sheet is older"
    assert (await door.row()).counters["X8"] == (1, 1)


async def test_an_officer_imports_for_the_own_unit_only(door: Portal) -> None:
    key = Keys(door.own.settings.keys_dir).signing()
    officer = issue(key, Role.OFFICER, ["31402"])
    await door.send([dossier()])
    stolen = row(12, "UBND xã Bình Thành")
    found = await imported(
        door, xlsx(row(1), row(2, "UBND xã Bình Thành"), stolen), token=officer
    )
    assert (found["taken"], found["faulty_rows"]) == (1, 2)
    assert (await door.row("31402")).counters["X8"] == (1, 1)
    assert (await door.row("31399")).counters["X8"] == (1, 1)
    refused = await door.client.post(
        SHEET + "?unit=31399", content=b"x", headers={"Authorization": f"Bearer {officer}"}
    )
    assert (refused.status_code, refused.json()["error"]) == (404, "unknown_unit")


async def test_an_import_is_seen_by_who_began_it_and_by_the_standing_office(
    door: Portal,
) -> None:
    key = Keys(door.own.settings.keys_dir).signing()
    started = await door.client.post(SHEET, content=xlsx(row(1)))
    await door.intake.sheets.wait()
    for role, status in ((Role.OFFICER, 404), (Role.REVIEWER, 200), (Role.VIEWER, 403)):
        headers = {"Authorization": f"Bearer {issue(key, role)}"}
        seen = await door.client.get(started.json()["status"], headers=headers)
        assert seen.status_code == status


async def test_headers_that_nobody_knows_are_explained_once_for_a_source(door: Portal) -> None:
    headers = "Ký hiệu;Người nộp;Mã TTHC;Nơi làm;Tình trạng;Vào lúc"
    lines = [
        f"H30.99.01-230712-{n:04};NGƯỜI MẪU;2.000815;UBND xã Tân Bình;Đang xử lý;12/07/2023"
        for n in range(3)
    ]
    file = windows_1258("\r\n".join(["DANH SÁCH", headers, *lines]))
    first = await imported(door, file)
    assert (first["state"], first["reason"]) == ("failed", "columns")
    assert first["missing"] == ["dossier", "received_at", "agency"]
    key = Keys(door.own.settings.keys_dir).signing()
    office = {"Authorization": f"Bearer {issue(key, Role.REVIEWER)}"}
    page = f"/sheets/{first['job']}"
    shown = await door.client.get(page, headers=office)
    assert "Nơi làm" in shown.text
    assert "NGƯỜI MẪU" not in shown.text
    said = {"column-0": "dossier", "column-3": "agency", "column-5": "received_at"}
    assert (await door.client.post(page, data=said, headers=office)).status_code == 303
    again = await imported(door, file)
    assert (again["state"], again["taken"]) == ("done", 3)
    assert (await door.row()).counters["X8"] == (0, 3)
    named = await imported(door, b"Anh A;Anh B\nx;y\n")
    assert (named["state"], named["reason"]) == ("failed", "headers")
    shown = await door.client.get(f"/sheets/{named['job']}", headers=office)
    assert "Không nhận ra hàng tiêu đề" in shown.text
    assert "Anh A" not in shown.text


def changed(**changes: Any) -> Any:
    item = {"code": "2.000815", "title": "", "level": "full", "fee_due": "1"} | changes
    return from_items([item], frozenset())


async def drafted(door: Portal, read: Any, since: date | None = None) -> dict[str, Any]:
    desk = door.intake.portal.catalogue
    number = await desk.draft(PLAN.id, read, since, "test")

    async def computed() -> dict[str, Any] | None:
        found = await desk.drafts.find(number)
        return found if found and found["state"] != "computing" else None

    draft: dict[str, Any] = await until(computed)
    return draft


async def test_a_correction_shows_what_moves_and_then_moves_it(
    databases: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = settings_apart(databases, tmp_path_factory.mktemp("catalogue"))
    async with portal(settings) as door:
        await door.clear()
        august = {"MaHoSo": "H30.99.01-230801-0001", "NgayTiepNhan": "20230801080000"}
        await door.send([dossier(DuocThanhToanTrucTuyen="1"), dossier(**august)])
        assert (await door.row()).counters["X14"] == (0, 0)
        draft = await drafted(door, changed(), date(2023, 8, 1))
        assert draft["state"] == "ready"
        assert draft["moves"] == [], (
            "the August dossier is not paid online, and none was counted"
        )
        await door.send(
            [
                dossier(
                    MaHoSo="H30.99.01-230705-0002",
                    MaTTHC="9.000002",
                    DonViXuLy="UBND xã Bình Thành",
                )
            ]
        )
        new = await drafted(door, changed(code="9.000002", title="Thủ tục mới", fee_due="0"))
        assert "31402" in [m["unit"] for m in new["moves"]], "what waits for it would count"
        draft = await drafted(door, changed())
        assert [m["unit"] for m in draft["moves"]] == ["31399"]
        assert draft["moves"][0]["after"] > draft["moves"][0]["before"]
        plan = await door.intake.portal.catalogue.apply(draft["_id"])
        assert plan.version == PLAN.version + 1

        async def counted() -> bool:
            return (await door.row()).counters["X14"] == (1, 1)

        await until(counted)
        with pytest.raises(DraftError):
            await door.intake.portal.catalogue.apply(draft["_id"])


async def test_a_draft_whose_preview_was_interrupted_says_so(door: Portal) -> None:
    desk = door.intake.portal.catalogue
    database = mongo.database(door.own.client, door.own.settings, "intake")
    for age, state in ((timedelta(), "computing"), (timedelta(hours=1), "failed")):
        draft = {"_id": state, "state": "computing", "at": wall_now() - age}
        await database["catalogue_drafts"].insert_one(draft)
        found = await desk.drafts.find(state)
        assert found is not None
        assert found["state"] == state


@pytest.mark.parametrize(
    ("read", "code"),
    [
        (lambda: changed(fee_due="0", title=""), "nothing"),
        (lambda: changed(level="?"), "faulty"),
    ],
)
async def test_a_draft_that_is_none_says_why(door: Portal, read: Any, code: str) -> None:
    with pytest.raises(DraftError) as refused:
        await door.intake.portal.catalogue.draft(PLAN.id, read(), None, "test")
    assert refused.value.code == code


@pytest_asyncio.fixture(loop_scope="module")
async def far() -> AsyncIterator[tuple[FakePortal, str]]:
    async with far_portal() as found:
        yield found


async def test_a_portal_is_fetched_page_by_page_with_overlap_and_picks_up_what_came_late(
    door: Portal, far: tuple[FakePortal, str]
) -> None:
    fake, url = far
    api = Api(url, "Bearer of-the-portal", overlap_seconds=3_600)
    puller = door.intake.portal.puller
    real = door.intake.portal.receiver.clock
    at = FrozenClock(datetime(2023, 7, 6, 12, tzinfo=LOCAL))
    door.intake.portal.receiver.clock = at  # type: ignore[assignment]
    try:
        fake.items = [
            (f"2023070{n}080000", dossier(MaHoSo=f"H30.99.01-230705-{n:04}"))
            for n in range(1, 6)
        ]
        await puller.try_once("far", api)
        assert (await door.row()).counters["X8"] == (5, 5)
        assert [q["trang"] for q in fake.asked] == ["1", "2", "3", "4"]
        assert fake.asked[0]["tuNgay"] == "20230531230000", "the first day, less the overlap"
        fake.items.append(("20230706113000", dossier(MaHoSo="H30.99.01-230706-0100")))
        at.instant += timedelta(minutes=10)
        fake.asked.clear()
        await puller.try_once("far", api)
        assert fake.asked[0]["tuNgay"] == "20230706110000"
        assert (await door.row()).counters["X8"] == (6, 6), "committed late, within the overlap"
    finally:
        door.intake.portal.receiver.clock = real


async def test_a_portal_that_fails_is_asked_again_later_from_the_same_place(
    door: Portal, far: tuple[FakePortal, str]
) -> None:
    fake, url = far
    fake.pages = False
    fake.items = [("20230705080000", dossier())]
    api = Api(url, "Bearer of-the-portal", every_seconds=10)
    puller = door.intake.portal.puller
    database = mongo.database(door.own.client, door.own.settings, "intake")
    fake.failures = [
        web.Response(status=503, headers={"Retry-After": "900"}),
        web.Response(text="<html>"),
        web.Response(status=302, headers={"Location": "http://127.0.0.1:9/"}),
    ]
    for failures, why in ((1, "HTTP 302"), (2, "no payload: json"), (3, "HTTP 503")):
        await puller.try_once("weak", api)
        told = next(p for p in await PullStore(database).all() if p["_id"] == "weak")
        assert (told["failures"], told["error"]) == (failures, why)
    assert await PullStore(database).cursor("weak") is None
    assert await door.lines() == []
    await puller.try_once("weak", api)
    told = next(p for p in await PullStore(database).all() if p["_id"] == "weak")
    assert (told["failures"], told["error"], told["items"]) == (0, "", 1)
    assert (await door.now()) is not None
