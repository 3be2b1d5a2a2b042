"""The packages of a running web process: who may do what, the way to published over HTTP, the pages in Chromium."""

import asyncio
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from playwright.sync_api import Page, expect, sync_playwright

from contracts.plan import Plan
from services.app import create_app
from services.publishing import publish
from services.reports.app import store_of
from services.reports.application import Packages
from services.reports.building import Builder
from services.reports.domain import vietnamese as vn
from services.reports.domain.record import Proof
from services.reports.handlers import Handlers
from services.reports.render.signing import signed_pdf
from services.runtime.auth import Role
from services.runtime.consuming import Consumer
from services.runtime.embedded import Addresses
from services.runtime.resources import resources
from services.runtime.settings import Settings
from tests.support.certificates import OWNER, PASSWORD, make_certificate
from tests.support.chromium import CHROMIUM, FLAGS
from tests.support.packages import PLAN, frozen_period
from tests.support.people import Person, client_of, make_person, sign_in
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(180)
FEW = frozenset(u.code for b in PLAN.blocs for u in PLAN.units_of(b.code)[:4])
SMALL = Plan.model_validate(
    PLAN.model_dump() | {"units": [u.model_dump() for u in PLAN.units if u.code in FEW]}
)
TIED = {"31393": 1_850_000, "31396": 1_850_000, "31399": 1_810_000, "31402": 1_950_000}
YEAR = frozen_period("2023", SMALL, totals=TIED)
QUARTER = frozen_period("2023-Q3", SMALL)
API = f"/api/v1/packages/{YEAR.id}"
PAGE = f"/packages/{YEAR.id}"
PEOPLE = "/api/v1/nominations/phung-hiep-2023/2023"
HTML = {"Accept": "text/html"}
ANSWER = {
    "reason": "Theo ý kiến thống nhất của Hội đồng.",
    "present": [{"name": "Người Mẫu", "office": "Phòng mẫu"}],
}


@dataclass
class Running:
    """A web process with two packages, and people."""

    base: str
    people: dict[str, Person]
    settings: Settings

    def client(self, who: str | None = None) -> httpx.Client:
        return client_of(self.base, self.people[who] if who else None)


async def _prepare(settings: Settings) -> dict[str, Person]:
    async with resources(settings) as own:
        await publish(own, SMALL)
        for event in (QUARTER, YEAR):
            await own.journal.append("freeze", 0, [event.model_dump_json().encode()])
        store = store_of(own)
        await store.prepare()
        handlers = Handlers(store)
        for topic, handle in (("plan", handlers.on_plans), ("freeze", handlers.on_freezes)):
            consumer = Consumer(
                own.journal, topic, [0], handle, handlers.dead_letters, settings
            )
            await consumer.catch_up()
        for event in (QUARTER, YEAR):
            await store.keep_proof(event.id, Proof(differences=0, software="0"))
        await Packages(store, own.journal, own.clock).begin()
        grants = {
            "reviewer": {Role.REVIEWER: []},
            "second": {Role.REVIEWER: []},
            "leader": {Role.LEADER: []},
            "observer": {Role.OBSERVER: []},
            "officer": {Role.OFFICER: ["31399"]},
        }
        return {who: await make_person(own, grant) for who, grant in grants.items()}  # type: ignore[arg-type]


async def _build(settings: Settings) -> None:
    async with resources(settings) as own:
        await Builder(Packages(store_of(own), own.journal, own.clock)).look()


@contextmanager
def _served(settings: Settings) -> Iterator[str]:
    config = uvicorn.Config(create_app(settings), port=0, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)


@contextmanager
def _program(settings: Settings) -> Iterator[Running]:
    settings = settings.model_copy(
        update={
            "clock_start": datetime(2024, 1, 9, tzinfo=UTC),
            "clock_anchor": datetime.now(UTC),
        }
    )
    people = asyncio.run(_prepare(settings))
    with _served(settings) as base:
        yield Running(base, people, settings)


@pytest.fixture
def fresh(settings: Settings) -> Iterator[Running]:
    """One for a test that changes the packages for good."""
    with _program(settings) as running:
        yield running


@pytest.fixture(scope="module")
def running(
    databases: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """One for all tests that leave the packages drafts; their archives are built."""
    mark = f"t{uuid.uuid4().hex[:10]}"
    update = {
        "mongo_url": databases.mongo_url,
        "redis_url": databases.redis_url,
        "database_prefix": f"{mark}_",
        "stream_prefix": f"{mark}:",
        "keys_dir": tmp_path_factory.mktemp("keys"),
    }
    with _program(Settings().model_copy(update=update)) as running:
        asyncio.run(_build(running.settings))
        yield running


def settle(running: Running) -> None:
    """Everything open is answered over HTTP, each answer confirmed by another account."""
    with running.client("reviewer") as reviewer, running.client("second") as second:
        person = {
            "unit": "D01", "name": "Nguyễn Thị Mẫu", "category": "official", "votes_for": 3,
            "achievement": "Thành tích mẫu của bản thử.", "votes_total": 3,
        }  # fmt: skip
        made = reviewer.post(PEOPLE, json=person)
        number = made.raise_for_status().json()["id"]
        judged = reviewer.post(
            f"/api/v1/nominations/phung-hiep-2023/2023/{number}/decision",
            json={"state": "accepted"},
        )
        assert judged.status_code == 200
        while items := [i for i in reviewer.get(API).json()["items"] if not i["settled"]]:
            item = items[0]
            order = {"order": [c["unit"] for c in item["candidates"]], "people": [number]}
            body: dict[str, Any] = {"key": item["key"], "choice": item["options"][0], **ANSWER}
            body["order"] = order.get(item["options"][0], [])
            assert reviewer.post(f"{API}/decisions", json=body).status_code == 201
            same = reviewer.post(f"{API}/decisions/{item['key']}/confirm")
            assert same.json()["error"] == "same_person"
            assert second.post(f"{API}/decisions/{item['key']}/confirm").status_code == 200


def test_only_the_right_people_see_and_check_a_package(running: Running) -> None:
    with running.client() as nobody, running.client("officer") as officer:
        assert nobody.get(API).status_code == 401
        assert officer.get(API).status_code == 403
    with running.client("observer") as observer, running.client("reviewer") as reviewer:
        assert observer.get(API).status_code == 200
        assert observer.post(f"{API}/check").status_code == 403
        refused = reviewer.post(f"{API}/check")
        assert (refused.status_code, refused.json()["error"]) == (409, "provisional")
        assert [finding["code"] for finding in refused.json()["findings"]] == ["open_items"]
        page = reviewer.post(f"{PAGE}/steps/check", headers=HTML)
        assert page.status_code == 409
        assert "vấn đề chờ quyết định" in page.text
        assert reviewer.get("/api/v1/packages/none:2023:1").status_code == 404


def _signed_copies(leader: httpx.Client, tmp_path: Path) -> None:
    """A signed copy is kept only when it is intact and of this document."""
    pytest.importorskip("pyhanko")
    certificate = make_certificate(tmp_path)
    letter = leader.get(f"{API}/files/02-to-trinh.pdf").content
    minutes = leader.get(f"{API}/files/03-bien-ban-hop-xet.pdf").content
    good = signed_pdf(letter, certificate, PASSWORD)
    broken = good[:400] + bytes([good[400] ^ 1]) + good[401:]

    def bring(content: bytes) -> httpx.Response:
        form = {"document": "02-to-trinh"}
        file = {"file": ("ky.pdf", content)}
        return leader.post(f"{PAGE}/signed", data=form, files=file, headers=HTML)

    for content, words in (
        (letter, "không phải là PDF có chữ ký số"),
        (b"no file", "không phải là PDF có chữ ký số"),
        (broken, "đã bị sửa sau khi ký"),
        (signed_pdf(minutes, certificate, PASSWORD), "không phải của văn bản này"),
    ):
        refused = bring(content)
        assert (refused.status_code, words in refused.text) == (422, True), words
    assert OWNER not in leader.get(PAGE, headers=HTML).text
    assert bring(good).status_code == 303
    page = leader.get(PAGE, headers=HTML).text
    assert OWNER in page
    assert "chữ ký nguyên vẹn" in page
    assert leader.get(f"{PAGE}/signed/02-to-trinh").content == good
    assert leader.get(f"{PAGE}/signed/01-bao-cao-tong-hop", headers=HTML).status_code == 404


def test_a_package_is_published_over_http_and_the_board_says_so(
    fresh: Running, tmp_path: Path
) -> None:
    running = fresh
    settle(running)
    with running.client("reviewer") as reviewer, running.client("leader") as leader:
        assert reviewer.post(f"{API}/check").json()["state"] == "checked"
        assert reviewer.post(f"{API}/sign").status_code == 403
        assert leader.post(f"{API}/sign").json()["error"] == "not_built"
        back = leader.post(f"{API}/return", json={"reason": "Sai ngày văn bản trên tờ trình."})
        assert back.json()["state"] == "draft"
        assert reviewer.post(f"{API}/check").json()["state"] == "checked"
        asyncio.run(_build(running.settings))
        assert leader.post(f"{API}/sign").json()["state"] == "signed"
        assert leader.post(f"{API}/publish").json()["state"] == "published"
        late = leader.post(f"{API}/return", json={"reason": "Quá muộn để trả lại."})
        assert late.status_code == 409
        assert leader.get(f"{API}/archive").headers["content-type"] == "application/zip"
        board: dict[str, Any] = {}
        closed = reviewer.get("/?period=2023-Q3", headers=HTML).text
        assert "hồ sơ khen thưởng chưa công bố" in closed

        def is_official() -> bool:
            answer = reviewer.get("/api/v1/standings/phung-hiep-2023/commune?period=2023")
            board.update(answer.json())
            return board["official_at"] is not None

        wait_until(is_official)
        assert datetime.fromisoformat(board["closed_at"]) == YEAR.at
        _signed_copies(leader, tmp_path)
        text = reviewer.get("/?period=2023", headers=HTML).text
        assert "hồ sơ khen thưởng chưa công bố" not in text
        assert "Kết quả chính thức của kỳ này đã công bố" in text


def test_the_standing_office_closes_a_period_where_it_looks_for_packages(
    running: Running,
) -> None:
    page = f"/packages/closings/{SMALL.id}/2023-Q2"
    with running.client("observer") as observer, running.client("reviewer") as reviewer:
        assert page not in observer.get("/packages", headers=HTML).text
        assert observer.get(page, headers=HTML).status_code == 403
        assert observer.post(page, data={"confirmed": "1"}, headers=HTML).status_code == 403
        assert f'href="{page}"' in reviewer.get("/packages", headers=HTML).text
        asked = reviewer.get(page, headers=HTML)
        assert "Kỳ đã chốt không mở lại và không sửa được." in asked.text
        refused = reviewer.post(page, headers=HTML)
        assert (refused.status_code, "Hãy đánh dấu ô xác nhận" in refused.text) == (422, True)
        month = page.replace("2023-Q2", "2023-06")
        assert f'href="{month}"' in reviewer.get("/packages", headers=HTML).text
        assert "Tháng không có hồ sơ khen thưởng" in reviewer.get(month, headers=HTML).text
        assert "Tháng không có hồ sơ khen thưởng" not in asked.text
        elsewhere = {**HTML, "Origin": "https://elsewhere.invalid"}
        foreign = reviewer.post(page, data={"confirmed": "1"}, headers=elsewhere)
        assert foreign.status_code == 403
        for unknown, why in (
            (f"/packages/closings/{SMALL.id}/2022-Q2", "Kế hoạch không có kỳ này."),
            ("/packages/closings/none/2023-Q2", "Không có kế hoạch này."),
        ):
            answer = reviewer.post(unknown, data={"confirmed": "1"}, headers=HTML)
            assert (answer.status_code, why in answer.text) == (404, True)
        assert reviewer.get(f"/api/v1/closings/{SMALL.id}").json() == []
        done = reviewer.post(page, data={"confirmed": "1"}, headers=HTML)
        assert (done.status_code, done.headers["location"]) == (303, "/packages#closing")
        assert "Đang chốt" in reviewer.get("/packages", headers=HTML).text
        (closing,) = reviewer.get(f"/api/v1/closings/{SMALL.id}").json()
        assert (closing["period"], closing["cause"]) == ("2023-Q2", "hand")
        assert closing["by"] == running.people["reviewer"].code
        assert reviewer.get(page, headers=HTML).status_code == 303


def test_units_propose_their_own_people_and_see_nobody_elses(running: Running) -> None:
    page = "/packages/nominations/phung-hiep-2023/2023"
    person = {
        "unit": "31399", "name": "Trần Thị Mẫu", "category": "resident", "position": "",
        "achievement": "Vận động cả ấp dùng dịch vụ công.", "votes_for": "4", "votes_total": "5",
    }  # fmt: skip
    html = {"Accept": "text/html"}
    with running.client("officer") as officer, running.client("reviewer") as reviewer:
        assert officer.post(page, data=person, headers=html).status_code == 303
        twice = officer.post(page, data=person, headers=html)
        assert twice.status_code == 422
        assert "đã có trong danh sách" in twice.text
        many = officer.post(
            page, data=person | {"name": "Lê Mẫu", "votes_for": "9"}, headers=html
        )
        assert "Số phiếu tán thành lớn hơn" in many.text
        assert 'value="Lê Mẫu"' in many.text
        other = officer.post(page, data=person | {"unit": "31393"}, headers=html)
        assert other.status_code == 422
        made = reviewer.post(
            page, data=person | {"unit": "31393", "name": "Phạm Văn Thử"}, headers=html
        )
        assert made.status_code == 303
        assert "Phạm Văn Thử" not in officer.get(page, headers=html).text
        assert "Phạm Văn Thử" in reviewer.get(page, headers=html).text


def test_the_office_notes_the_papers_of_an_award_dossier_and_takes_a_note_back(
    running: Running,
) -> None:
    html = {"Accept": "text/html"}
    with running.client("officer") as officer, running.client("reviewer") as reviewer:
        dossier = {
            "unit": "31399",
            "part": "letter",
            "number": "12/TTr",
            "signed_by": "Chủ tịch",
            "received_on": "2024-01-04",
        }
        cockpit = "/packages/dossiers/phung-hiep-2023/2023"
        assert reviewer.post(cockpit, data=dossier, headers=html).status_code == 303
        assert "12/TTr" in officer.get(cockpit, headers=html).text
        assert officer.post(cockpit, data=dossier, headers=html).status_code == 403
        future = dossier | {"part": "list", "received_on": "2024-02-01"}
        refused = reviewer.post(cockpit, data=future, headers=html)
        assert refused.status_code == 422
        assert "Ngày nhận không được sau hôm nay" in refused.text
        back = {"unit": "31399", "part": "letter", "action": "take_back"}
        assert "Bỏ ghi nhận" not in officer.get(cockpit, headers=html).text
        assert officer.post(cockpit, data=back, headers=html).status_code == 403
        assert "12/TTr" in reviewer.get(cockpit, headers=html).text
        assert reviewer.post(cockpit, data=back, headers=html).status_code == 303
        assert "12/TTr" not in reviewer.get(cockpit, headers=html).text
        assert "Đã quá hạn nộp hồ sơ 4 ngày" in reviewer.get(cockpit, headers=html).text


def test_a_template_of_the_office_is_tried_before_it_is_used(running: Running) -> None:
    page = "/packages/templates"
    with running.client("reviewer") as reviewer:

        def upload(content: bytes) -> int:
            file = {"file": ("own.docx", content)}
            return reviewer.post(
                page, data={"document": "*"}, files=file, headers=HTML
            ).status_code

        shipped = reviewer.get(f"{page}/shipped.docx").content
        assert (upload(b"no file"), upload(b"0" * (3 << 20)), upload(shipped)) == (
            422,
            413,
            303,
        )
        assert "Dùng lại mẫu kèm theo" in reviewer.get(page, headers=HTML).text


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_page_shows_how_far_the_archive_is_and_loads_itself_again_when_it_is_there(
    fresh: Running,
) -> None:
    with fresh.client("observer") as observer:
        told = observer.get(f"{PAGE}/progress").raise_for_status().json()
        assert (told["ready"], told["error"]) == (False, "")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(locale="vi-VN")
        sign_in(context, fresh.base, fresh.people["reviewer"])
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(fresh.base + PAGE)
        expect(page.locator("#progress")).to_be_visible()
        building = threading.Thread(target=lambda: asyncio.run(_build(fresh.settings)))
        building.start()
        expect(page.locator("#progress")).to_have_count(0, timeout=60_000)
        expect(page.locator(f'a[href="{API}/archive"]').first).to_be_visible()
        building.join(60)
        assert complaints == []
        browser.close()


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_question_is_settled_in_the_browser_and_the_reveal_works_by_keyboard(
    running: Running,
) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for width in (1280, 360):
            context = browser.new_context(
                viewport={"width": width, "height": 800}, locale="vi-VN"
            )
            sign_in(context, running.base, running.people["reviewer"])
            page = context.new_page()
            complaints: list[str] = []
            page.on("console", lambda message: complaints.append(message.text))  # noqa: B023
            for path in (
                "/packages", PAGE, f"{PAGE}/documents/01-bao-cao-tong-hop", f"{PAGE}/compare?other={QUARTER.id}",
                f"{PAGE}/items/commune:tie-at-boundary:first:1", "/packages/nominations/phung-hiep-2023/2023",
                "/packages/dossiers/phung-hiep-2023/2023", "/packages/templates", f"{PAGE}/ceremony",
                f"/packages/closings/{SMALL.id}/2023-Q4",
            ):  # fmt: skip
                answer = page.goto(running.base + path)
                assert answer is not None
                assert answer.status == 200, path
                wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
                assert not wide, (path, width)
            assert complaints == []
            context.close()
        context = browser.new_context(locale="vi-VN", java_script_enabled=False)
        sign_in(context, running.base, running.people["reviewer"])
        _settle_in_browser(context.new_page(), running)
        context = browser.new_context(locale="vi-VN")
        sign_in(context, running.base, running.people["reviewer"])
        _reveal(context.new_page(), running)
        browser.close()


def _settle_in_browser(page: Page, running: Running) -> None:
    page.goto(f"{running.base}{PAGE}/items/commune:tie-at-boundary:first:1")
    page.get_by_label("Lý do").fill("ngắn")
    page.locator("form.decide").evaluate("form => form.noValidate = true")
    page.get_by_role("button", name="Ghi quyết định").click()
    expect(page.get_by_role("alert")).to_contain_text("ít nhất 10 ký tự")
    page.get_by_label("Thị trấn Kinh Cùng").fill("2")
    page.get_by_label("Thị trấn Cây Dương").fill("1")
    page.get_by_label("Lý do").fill("Cây Dương có tỷ lệ hồ sơ trực tuyến cao hơn.")
    page.get_by_label("Họ và tên 1").fill("Người Mẫu Một")
    page.get_by_label("Chức vụ, cơ quan 1").fill("Phòng Nội vụ")
    page.get_by_role("button", name="Ghi quyết định").click()
    expect(page.locator("main")).to_contain_text("chờ người thứ hai xác nhận")


def _reveal(page: Page, running: Running) -> None:
    page.goto(f"{running.base}{PAGE}/ceremony")
    hidden = page.locator("#reveal li.hidden")
    expect(page.locator("#reveal li").last).to_contain_text("Không xét thi đua")
    expect(page.locator("#reveal .place")).to_have_text(["1", "1", "3", vn.DASH])
    expect(hidden).to_have_count(4)
    page.keyboard.press("ArrowDown")
    expect(hidden).to_have_count(3)
    expect(page.locator("#reveal li").last).to_have_class(re.compile(r"\bnewest\b"))
    page.keyboard.press("Space")
    page.keyboard.press("ArrowUp")
    expect(hidden).to_have_count(3)
