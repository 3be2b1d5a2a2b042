"""A month walked in a real browser: an officer reports, the office decides, the board moves."""

import io
import re
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from openpyxl import load_workbook
from playwright.sync_api import (
    Browser,
    Page,
    Request,
    Route,
    expect,
    sync_playwright,
)

from services.runtime.auth import Role
from services.runtime.datafolder import free_port
from tests.support.chromium import CHROMIUM, FLAGS, press
from tests.support.people import Person, person_of, sign_in
from tests.support.system import PLAN, System
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.timeout(240),
    pytest.mark.xdist_group("workspace-system"),
]
UNIT, OTHER, MONTH = "31399", "31402", "2023-09"
SUBMIT = f"/submit/{PLAN}/{UNIT}/{MONTH}"
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def png(colour: int) -> bytes:
    """A small picture of one grey."""

    def piece(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data).to_bytes(4)
        return len(data).to_bytes(4) + kind + data + check

    head = (120).to_bytes(4) + (80).to_bytes(4) + bytes((8, 0, 0, 0, 0))
    lines = (b"\0" + bytes([colour]) * 120) * 80
    body = piece(b"IHDR", head) + piece(b"IDAT", zlib.compress(lines)) + piece(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    found = System(tmp_path_factory.mktemp("workspace"), free_port())
    try:
        found.start("--clock-start", "2023-09-13T10:00")
        yield found
    finally:
        found.end()


def made(system: System, grants: dict[Role, list[str]], **words: Any) -> Person:
    """In a thread of its own: the browser's loop runs in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(person_of, system.data, grants, **words).result()


@pytest.fixture(scope="module")
def officer(system: System) -> Person:
    return made(system, {Role.OFFICER: [UNIT]}, belongs_to=[UNIT], name="Cán bộ Mẫu")


@pytest.fixture(scope="module")
def reviewer(system: System) -> Person:
    return made(system, {Role.REVIEWER: []}, name="Người thẩm định Mẫu")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@contextmanager
def seen_by(
    browser: Browser, system: System, person: Person, *, script: bool = True, width: int = 1280
) -> Iterator[Page]:
    """A page of somebody who is signed in; what the browser complains about fails the test."""
    context = browser.new_context(
        base_url=system.base,
        viewport={"width": width, "height": 900},
        java_script_enabled=script,
        locale="vi-VN",
        accept_downloads=True,
    )
    sign_in(context, system.base, person)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        yield page
        assert complaints == []
    finally:
        context.close()


def opened(page: Page, code: str) -> None:
    """Unfold one indicator."""
    block = page.locator(f"#{code}")
    if block.get_attribute("open") is None:
        block.locator("> summary").click()


def saved(page: Page, code: str) -> None:
    expect(page.locator(f"#{code} .saved")).to_contain_text("Đã lưu nháp")


def points(system: System, unit: str = UNIT) -> tuple[str, str, str]:
    row = next(r for r in system.standings(period=MONTH)["rows"] if r["unit"] == unit)
    return row["indicators"]["X5"], row["points"], row["verified_points"]


def fill_figure(page: Page, code: str, top: str, bottom: str) -> None:
    opened(page, code)
    page.locator(f"#{code}-main-numerator").fill(top)
    page.locator(f"#{code}-main-denominator").fill(bottom)
    saved(page, code)


def explain(page: Page, code: str, note: str) -> None:
    opened(page, code)
    page.locator(f"#note-{code}").fill(note)
    saved(page, code)


VIEWER_SECONDS = 5
WATCH_VIEWER = "addEventListener('blur', () => { window.viewerCame = true; });"


def viewer_loaded(page: Page) -> None:
    """The browser's PDF viewer has loaded, and has taken the keyboard if it is one that does."""
    end = time.monotonic() + VIEWER_SECONDS
    while not page.evaluate("window.viewerCame === true") and time.monotonic() < end:
        page.wait_for_timeout(50)
    expect(page.locator("iframe:focus")).to_have_count(0)


def test_a_month_from_draft_to_board(  # noqa: PLR0915 - one story, told to its end
    browser: Browser, system: System, officer: Person, reviewer: Person
) -> None:
    before = points(system)
    with seen_by(browser, system, officer) as page:
        page.goto("/submit")
        expect(page).to_have_url(re.compile(SUBMIT))
        expect(page.get_by_role("heading", level=1)).to_have_text("Báo cáo tháng 9/2023")
        expect(page.locator(".due")).to_contain_text("còn 1 ngày")

        page.get_by_role("button", name="Gửi báo cáo tháng 9/2023").click()
        expect(page.locator("#errors")).to_contain_text("chỗ cần bổ sung trước khi gửi")
        expect(page.locator("#errors li").first).to_contain_text("Thiếu minh chứng")

        fill_figure(page, "X5", "812", "1.450")
        expect(page.locator("#X5 [data-share]")).to_have_text("56 %")
        opened(page, "X5")
        page.locator("#file-X5").set_input_files(
            {"name": "danh sách.pdf", "mimeType": "application/pdf", "buffer": PDF}
        )
        expect(page.locator("#files-X5 .files")).to_contain_text("danh sách.pdf")
        expect(page.locator("#files-X5 .files")).to_contain_text("dữ liệu cá nhân")
        page.locator("#file-X5").set_input_files(
            {"name": "trang.pdf", "mimeType": "application/pdf", "buffer": b"<html></html>"}
        )
        expect(page.locator("#files-X5 .uploading")).to_contain_text("Không nhận loại tệp này")
        fill_figure(page, "X9", "45", "50")
        opened(page, "X21")
        page.get_by_label("Ngày phát sóng, dòng 1").fill("2023-09-05")
        page.locator("#note-X21").fill("Bản tin lưu tại đài.")
        saved(page, "X21")
        opened(page, "X2")
        page.locator("#file-X2").set_input_files(
            {"name": "bao-cao.png", "mimeType": "image/png", "buffer": png(200)}
        )
        expect(page.locator("#files-X2 .files")).to_contain_text("bao-cao.png")
        for code in ("X4", "X6", "X11", "X12", "X17", "G2", "G3", "G4"):
            explain(page, code, "Tháng này không phát sinh.")
        page.goto(SUBMIT)
        expect(page.locator("#X5-main-denominator")).to_have_value("1450")
        page.get_by_role("button", name="Gửi báo cáo tháng 9/2023").click()
        expect(page.locator(".status-bar")).to_contain_text("Đã gửi bản 1")
        expect(page.locator(".wait")).to_contain_text(
            "Tài liệu của đơn vị đã chờ thẩm định 0 ngày"
        )
        opened(page, "X5")
        expect(page.locator("#X5-main-numerator")).not_to_be_editable()
    wait_until(lambda: points(system)[0] == "5.6000")
    assert points(system)[2] == before[2]

    with seen_by(browser, system, reviewer) as page:
        page.add_init_script(WATCH_VIEWER)
        page.goto("/review")
        expect(page.locator(".queue tbody tr")).to_have_count(4)
        page.keyboard.press("j")
        page.get_by_role("link", name=re.compile("^X5 Xã Tân Bình")).click()
        expect(page.locator(".claim").first).to_contain_text("812/1.450 = 56,0")
        expect(page.locator(".shown iframe")).to_have_count(1)
        page.locator("h1").click()
        press(page, "r")
        viewer_loaded(page)
        expect(page.locator("#reason")).to_be_focused()
        page.keyboard.type("Danh sách thiếu ấp Mỹ Lợi.")
        expect(page.locator("#reason")).to_have_value("Danh sách thiếu ấp Mỹ Lợi.")
        page.get_by_role("button", name="Trả lại để bổ sung").click()
        expect(page).not_to_have_url(re.compile("/X5$"))
        page.goto(f"/review/{PLAN}/{UNIT}/{MONTH}/X21")
        expect(page.locator("section").first).to_contain_text("05/09/2023")
        expect(page.locator(".correction input[type=date]").first).to_have_value("2023-09-05")
        page.goto("/review")
        for box in page.locator(".queue input[type=checkbox]").all():
            box.check()
        page.get_by_role("button", name="Chấp nhận các mục đã chọn").click()
        expect(page.get_by_role("heading", name="Không còn mục nào chờ")).to_be_visible()
    wait_until(lambda: points(system)[0] == "0.0000")

    with seen_by(browser, system, officer) as page:
        page.goto(SUBMIT)
        block = page.locator("#X5")
        expect(block).to_have_attribute("open", "")
        expect(block.locator(".notice")).to_contain_text("Danh sách thiếu ấp Mỹ Lợi.")
        page.locator("#X5-main-numerator").fill("725")
        saved(page, "X5")
        page.get_by_role("button", name="Gửi báo cáo tháng 9/2023").click()
        expect(page.locator(".status-bar")).to_contain_text("Đã gửi bản 2")
        page.get_by_role("link", name="Bản 1").click()
        expect(page.locator(".claim").first).to_be_visible()
        expect(page.locator("main")).to_contain_text("812/1.450")
    wait_until(lambda: points(system)[0] == "5.0000")

    with seen_by(browser, system, reviewer) as page:
        page.add_init_script(WATCH_VIEWER)
        page.goto("/review")
        page.get_by_role("link", name=re.compile("^X5")).click()
        expect(page.locator(".history li")).to_have_count(3)
        page.locator("h1").click()
        viewer_loaded(page)
        press(page, "a")
        expect(page).to_have_url(re.compile("/review$"))
        latest = page.get_by_role("region", name="Quyết định gần đây")
        latest.get_by_role("link", name=re.compile("^X5 Xã Tân Bình")).click()
        page.get_by_label("Lý do mở lại").fill("Chấp nhận nhầm bản.")
        page.get_by_role("button", name="Mở lại để quyết định lại").click()
        expect(page.locator(".masthead")).to_contain_text("được mở lại")
        expect(page.locator(".history")).to_contain_text("Chấp nhận nhầm bản.")
        page.get_by_role("button", name="Chấp nhận A").click()
        expect(page).to_have_url(re.compile("/review$"))
    # X2 in time: 10, X5: 5, X9: 7.2, X21 one week of four: 1.5; X23 stands at full marks without feedback.
    wait_until(lambda: points(system)[2] == "29.7000")
    with seen_by(browser, system, officer) as page:
        page.goto(f"/units/{PLAN}/{UNIT}?period={MONTH}&indicator=X5")
        expect(page.locator("#X5")).to_contain_text("725")
        expect(page.locator("#X5 summary .is").first).to_contain_text("Đã thẩm định")
    assert system.verify().returncode == 0


def test_a_lost_connection_loses_no_typed_figure(
    browser: Browser, system: System, officer: Person
) -> None:
    address = f"/submit/{PLAN}/{UNIT}/2023-08"
    with seen_by(browser, system, officer) as page:
        page.goto(address)
        opened(page, "X9")
        page.context.set_offline(True)
        page.locator("#X9-main-numerator").fill("17")
        page.locator("#X9-main-denominator").fill("20")
        expect(page.locator("#X9 .saved")).to_contain_text("Mất kết nối")
        page.context.set_offline(False)
        saved(page, "X9")
        page.context.set_offline(True)
        page.locator("#X9-main-numerator").fill("18")
        expect(page.locator("#X9 .saved")).to_contain_text("Mất kết nối")
        page.context.set_offline(False)
        page.goto("/")
        page.goto(address)
        expect(page.locator("#X9-main-numerator")).to_have_value("18")

        def is_kept() -> bool:
            answer = httpx.get(
                f"{system.base}/api/v1/submissions/{PLAN}/{UNIT}/2023-08",
                headers=officer.headers(system.base),
                timeout=60,
            )
            kept = answer.json()["entries"]["X9"]["values"]["main"]
            return bool(kept == {"numerator": 18, "denominator": 20})

        wait_until(is_kept)


def test_saved_is_said_only_of_what_was_typed_last(
    browser: Browser, system: System, officer: Person
) -> None:
    held: list[Route] = []
    with seen_by(browser, system, officer) as page:
        page.goto(f"/submit/{PLAN}/{UNIT}/2023-06")
        opened(page, "X4")
        page.route(lambda _: True, lambda route: _hold(route, held))
        with page.expect_request(_is_save):
            page.locator("#X4-main-numerator").fill("1")
        page.locator("#X4-main-denominator").fill("2")
        with page.expect_request(_is_save):
            held[0].continue_()
        expect(page.locator("#X4 .saved")).to_have_text("Đang lưu…")
        held[1].continue_()
        saved(page, "X4")


def _is_save(request: Request) -> bool:
    return request.method == "POST"


def _hold(route: Route, held: list[Route]) -> None:
    if _is_save(route.request):
        held.append(route)
    else:
        route.continue_()


def test_two_tabs_are_told_apart(browser: Browser, system: System, officer: Person) -> None:
    address = f"/submit/{PLAN}/{UNIT}/2023-07"
    with seen_by(browser, system, officer) as one, seen_by(browser, system, officer) as two:
        for page in (one, two):
            page.goto(address)
            opened(page, "X9")
        fill_figure(one, "X9", "1", "2")
        two.locator("#X9-main-numerator").fill("9")
        expect(two.locator("#X9 .saved")).to_contain_text("vừa được lưu ở một cửa sổ")
        two.get_by_role("button", name="Lấy bản mới").click()
        expect(two.locator("#X9-main-numerator")).to_have_value("1")


def test_without_javascript_everything_can_be_done(
    browser: Browser, system: System, officer: Person
) -> None:
    address = f"/submit/{PLAN}/{UNIT}/2023-06"
    with seen_by(browser, system, officer, script=False) as page:
        page.goto(address)
        opened(page, "X9")
        page.locator("#X9-main-numerator").fill("mười")
        page.locator("#X9-main-denominator").fill("20")
        page.locator("#X9").get_by_role("button", name="Lưu nháp").click()
        expect(page.locator("#X9-main-numerator-fault")).to_contain_text("Cần số nguyên")
        expect(page.locator("#X9-main-numerator")).to_have_value("mười")
        page.locator("#X9-main-numerator").fill("10")
        page.locator("#X9").get_by_role("button", name="Lưu nháp").click()
        expect(page.locator("#X9-main-numerator")).to_have_value("10")
        opened(page, "X2")
        page.locator("#file-X2").set_input_files(
            {"name": "báo cáo.png", "mimeType": "image/png", "buffer": png(90)}
        )
        page.locator("#files-X2").get_by_role("button", name="Tải lên").click()
        expect(page.locator("#files-X2 .files")).to_contain_text("báo cáo.png")
        opened(page, "X2")
        page.locator("#files-X2").get_by_role("button", name="Gỡ").click()
        expect(page.locator("#files-X2 .files li")).to_have_count(0)


def test_a_sheet_is_tried_before_it_is_saved(
    browser: Browser, system: System, officer: Person, tmp_path: Path
) -> None:
    address = f"/submit/{PLAN}/{UNIT}/2023-07"
    with seen_by(browser, system, officer) as page:
        page.goto(f"{address}/sheet")
        with page.expect_download() as waited:
            page.get_by_role("link", name="Tải mẫu Excel").click()
        book = load_workbook(io.BytesIO(waited.value.path().read_bytes()))
        sheet = book["So lieu"]
        at = {(r[2].value, r[3].value): r[0].row or 0 for r in sheet.iter_rows(min_row=4)}
        sheet.cell(at["X5", "main"], 6, "nhiều")
        sheet.cell(at["X5", "main"], 7, 1450)
        bad = tmp_path / "bad.xlsx"
        book.save(bad)
        page.locator("#file").set_input_files(bad)
        page.get_by_role("button", name="Kiểm tra trước").click()
        row = page.locator("tbody tr")
        expect(row).to_have_count(1)
        expect(row).to_contain_text(f"So lieu!F{at['X5', 'main']}")
        expect(row).to_contain_text("nhiều")
        sheet.cell(at["X5", "main"], 6, 812)
        good = tmp_path / "good.xlsx"
        book.save(good)
        page.locator("#file").set_input_files(good)
        page.get_by_role("button", name="Kiểm tra trước").click()
        expect(page.locator(".notice")).to_contain_text("1 mục sẽ thay đổi")
        page.get_by_role("button", name="Lưu các thay đổi này làm nháp").click()
        expect(page.locator("#X5-main-numerator")).to_have_value("812")


def test_other_peoples_things_look_as_if_they_were_not_there(
    system: System, officer: Person
) -> None:
    stranger = made(system, {Role.OFFICER: [OTHER]}, belongs_to=[OTHER])
    base = system.base
    put = httpx.put(
        f"{base}/api/v1/evidence/{PLAN}/{UNIT}/2023-07/X5",
        params={"name": "a.pdf"},
        content=PDF,
        headers=officer.headers(base),
        timeout=60,
    )
    assert put.status_code == 201
    file = f"/api/v1/evidence/{put.json()['id']}"
    mine = httpx.get(base + file, headers=officer.headers(base), timeout=60)
    assert (mine.status_code, mine.content) == (200, PDF)
    assert mine.headers["content-disposition"].startswith("attachment;")
    assert mine.headers["x-content-type-options"] == "nosniff"
    shown = httpx.get(f"{base}{file}/view", headers=officer.headers(base), timeout=60)
    assert shown.headers["content-type"] == "application/pdf"
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    for path in (
        file,
        f"{file}/view",
        f"/api/v1/submissions/{PLAN}/{UNIT}/2023-07",
        f"/submit/{PLAN}/{UNIT}/2023-07",
    ):
        answer = httpx.get(base + path, headers=stranger.headers(base), timeout=60)
        assert answer.status_code == 404, path
    assert (
        httpx.delete(base + file, headers=stranger.headers(base), timeout=60).status_code == 404
    )
    assert httpx.get(base + file, timeout=60).status_code == 401
    too_large = httpx.put(
        f"{base}/api/v1/evidence/{PLAN}/{UNIT}/2023-07/X5",
        params={"name": "a.pdf"},
        content=PDF + b"0" * (51 << 20),
        headers=officer.headers(base),
        timeout=60,
    )
    assert (too_large.status_code, too_large.json()["error"]) == (413, "too_large")


@pytest.mark.parametrize("width", [360, 1280])
def test_pages_fit_and_speak_english_too(
    browser: Browser, system: System, officer: Person, reviewer: Person, width: int
) -> None:
    for person, path in (
        (officer, SUBMIT),
        (officer, f"{SUBMIT}/sheet"),
        (reviewer, "/review"),
        (reviewer, "/review/appeals"),
        (reviewer, f"/review/{PLAN}/{UNIT}/{MONTH}/X5"),
    ):
        with seen_by(browser, system, person, width=width) as page:
            page.goto(path)
            wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wider <= 0, path
            page.goto(f"{path}?lang=en")
            expect(page.locator("html")).to_have_attribute("lang", "en")
            said = page.locator("main").inner_text()
            assert re.findall(r"đơn vị|Hạn nộp|minh chứng|thẩm định|Lưu nháp", said) == [], path
