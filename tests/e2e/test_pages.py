"""The leaderboard's pages in a real browser, against invented standings and a stream that the test directs."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.support.chromium import CHROMIUM, FLAGS
from tests.support.sample_boards import SampleBoards, Stage, board_object, serving

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.timeout(120),
]
UNIT = "31399"
PLAN = "phung-hiep-2023"
WALL = "/?display=wall"
PAGES = [
    "/",
    "/?bloc=hamlet",
    WALL,
    f"/units/{PLAN}/{UNIT}?indicator=X8",
    f"/plans/{PLAN}",
]


@dataclass
class Opened:
    """A page, what it asked for, and what it complained about."""

    page: Page
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def stage() -> Stage:
    return Stage(SampleBoards())


@pytest.fixture
def address(stage: Stage) -> Iterator[str]:
    with serving(stage) as url:
        yield url


@contextmanager
def opened(
    browser: Browser,
    url: str,
    *,
    width: int = 1280,
    script: bool = True,
    locale: str = "vi-VN",
    motion: str = "reduce",
) -> Iterator[Opened]:
    context: BrowserContext = browser.new_context(
        viewport={"width": width, "height": 800},
        java_script_enabled=script,
        locale=locale,
        reduced_motion="reduce" if motion == "reduce" else "no-preference",
    )
    page = context.new_page()
    seen = Opened(page)
    page.on("request", lambda request: seen.asked.append(request.url))
    page.on("console", lambda message: seen.complaints.append(message.text))
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.goto(url)
    try:
        yield seen
    finally:
        context.close()


def live(page: Page) -> None:
    """Wait until the stream's snapshot has arrived."""
    expect(page.locator("#age.live")).to_be_visible()


def order(page: Page) -> list[str]:
    units: list[str] = page.locator("#rows .row").evaluate_all(
        "rows => rows.map(r => r.dataset.unit)"
    )
    return units


def test_without_javascript_the_board_is_whole(
    browser: Browser, address: str, stage: Stage
) -> None:
    board = stage.source.board(PLAN, "commune", "2023")
    assert board is not None
    with opened(browser, address, script=False) as seen:
        rows = seen.page.locator("#rows .row")
        expect(rows).to_have_count(15)
        expect(rows.first).to_contain_text("185,61")
        expect(rows.first).to_contain_text("Xã Hòa Mỹ")
        expect(seen.page.locator(".cut")).to_have_count(2)
        expect(seen.page.locator(".cut").first).to_contain_text("180 trở lên: xét Giải Nhất")
        widths = seen.page.locator(".gauge .pending").evaluate_all(
            "all => all.map(r => r.getAttribute('width'))"
        )
        assert widths[0] == f"{board.rows[0].points // 20 / 1000:.3f}%"
        seen.page.get_by_label("Kỳ").select_option("2023-Q3")
        seen.page.get_by_role("button", name="Xem").click()
        expect(seen.page).to_have_url(re.compile("period=2023-Q3"))


def test_a_change_moves_the_row_and_leaves_the_others(
    browser: Browser, address: str, stage: Stage
) -> None:
    with opened(browser, address, motion="full") as seen:
        page = seen.page
        live(page)
        before = order(page)
        climber = before[8]
        stage.boost(climber, 500_000)
        row = page.locator(f'[data-unit="{climber}"]')
        expect(row.locator(".rank")).to_have_text("1")
        expect(row.locator(".points")).to_have_text(re.compile(r"^20\d,\d\d$"))
        assert order(page) == [climber, *(u for u in before if u != climber)]
        expect(row).to_have_attribute("data-place", "1")
        expect(page.locator("#announcer")).to_contain_text("lên hạng 1")
        others = page.locator("#rows .row .rank").all_inner_texts()
        assert [int(rank) for rank in others] == list(range(1, 16))
        assert seen.complaints == []


def test_the_award_line_moves_under_the_row_that_crosses_it(
    browser: Browser, address: str, stage: Stage
) -> None:
    with opened(browser, address) as seen:
        page = seen.page
        live(page)
        above = "#rows > tr:has(~ .cut[data-at='1800000'])"
        expect(page.locator(above)).to_have_count(3)
        stage.boost(order(page)[3], 100_000)
        expect(page.locator(above)).to_have_count(4)


def test_an_older_frame_changes_nothing_and_a_snapshot_always_does(
    browser: Browser, address: str, stage: Stage
) -> None:
    with opened(browser, address) as seen:
        page = seen.page
        live(page)
        board = stage.source.board(PLAN, "commune", "2023")
        assert board is not None
        whole = board_object(board)
        first = whole["rows"][0]
        points = page.locator(f'[data-unit="{first["unit"]}"] .points')
        was = points.inner_text()
        stage.send(
            "change",
            {
                **whole,
                "version": "018b2f0e5c3a-40",
                "rows": [{**first, "points": "1.0000"}],
                "ranks": {},
            },
        )
        stage.send("snapshot", {**whole, "version": "018b2f0e5c3a-39"})
        expect(points).to_have_text(was)
        stage.send(
            "snapshot", {**whole, "rows": [{**first, "points": "179.9960"}, *whole["rows"][1:]]}
        )
        expect(points).to_have_text("179,99")


def test_a_change_of_another_epoch_asks_for_a_fresh_snapshot(
    browser: Browser, address: str, stage: Stage
) -> None:
    with opened(browser, address) as seen:
        live(seen.page)
        streams = [url for url in seen.asked if "/stream" in url]
        with seen.page.expect_request(lambda request: "/stream" in request.url):
            stage.send("change", {"version": "ffff-1", "rows": [], "ranks": {}})
        assert len(streams) == 1


def test_eligibility_and_movement_follow_the_stream(
    browser: Browser, address: str, stage: Stage
) -> None:
    with opened(browser, address) as seen:
        live(seen.page)
        board = stage.source.board(PLAN, "commune", "2023")
        assert board is not None
        row = board_object(board)["rows"][0]
        causes = [
            {"rule": "two-overdue-dossiers", "month": f"2023-0{m}", "count": 2, "facts": []}
            for m in (6, 7, 8)
        ]
        changed = {**row, "eligible": False, "exclusions": causes, "movement": -4}
        stage.send("change", {"version": "018b2f0e5c3a-42", "rows": [changed], "ranks": {}})
        line = seen.page.locator(f'[data-unit="{row["unit"]}"]')
        expect(line.locator(".state")).to_contain_text("Không xét thi đua")
        expect(line.locator(".state")).to_contain_text(
            "2 hồ sơ trễ hẹn, tháng 6/2023; 2 hồ sơ trễ hẹn, tháng 7/2023; và 1 lý do khác"
        )
        expect(line.locator(".move")).to_contain_text("▼4")
        expect(line).not_to_have_attribute("data-place", "1")
        expect(seen.page.locator("#tally")).to_have_text("9/15 đơn vị đủ điều kiện")


def test_the_board_says_what_stopped_and_that_it_is_back(
    browser: Browser, address: str, stage: Stage
) -> None:
    with opened(browser, address) as seen:
        age = seen.page.locator("#age")
        live(seen.page)
        stage.source.trouble = "scoring"
        expect(age).to_contain_text("Bộ tính điểm đang ngừng")
        stage.source.trouble = None
        expect(age.locator(".stopped")).to_be_hidden()
        stage.beating = False
        expect(age).to_contain_text("Mất kết nối với máy chủ")
        stage.beating = True
        expect(age.locator(".stopped")).to_be_hidden()
        expect(age).to_contain_text("Cập nhật")


def test_a_unit_page_refreshes_itself_and_keeps_what_is_open(
    browser: Browser, address: str, stage: Stage
) -> None:
    with opened(browser, f"{address}/units/{PLAN}/{UNIT}") as seen:
        page = seen.page
        live(page)
        expect(page.locator("#total")).to_have_text("132,06")
        page.locator("#s-X9").click()
        stage.boost(UNIT, 10_000)
        expect(page.locator("#total")).to_have_text("133,06")
        expect(page.locator("#X9")).to_have_attribute("open", "")
        expect(page.locator("#s-X9")).to_be_focused()
        assert seen.complaints == []


def test_an_indicator_leads_to_its_facts(browser: Browser, address: str) -> None:
    with opened(browser, f"{address}/units/{PLAN}/{UNIT}", script=False) as seen:
        page = seen.page
        page.locator("#s-X8").click()
        page.locator("#X8").get_by_role("link", name="Xem các dữ kiện").click()
        expect(page.locator("#X8 tbody tr")).to_have_count(20)
        page.get_by_role("link", name="Trang sau").click()
        expect(page.locator("#X8 tbody tr").first).to_contain_text("0020")


@pytest.mark.parametrize(
    ("path", "width"),
    [
        (path, width)
        for path in PAGES
        for width in (360, 800, 1280)
        if path != WALL or width == 1280
    ],
)
def test_nothing_scrolls_sideways(
    browser: Browser, address: str, path: str, width: int
) -> None:
    with opened(browser, address + path, width=width) as seen:
        wider = seen.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wider <= 0


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_small_ask_nobody_else_and_break_no_policy(
    browser: Browser, address: str, path: str
) -> None:
    with opened(browser, address + path) as seen:
        if "/plans/" not in path:
            live(seen.page)
        answer = seen.page.request.get(address + path)
        assert len(answer.body()) <= 100_000
        assert answer.headers["content-security-policy"].startswith("default-src 'self'")
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert [url for url in seen.asked if not url.startswith(address)] == []
        assert seen.complaints == []


def test_static_files_may_be_kept_for_ever_because_their_address_changes(
    browser: Browser, address: str
) -> None:
    with opened(browser, address) as seen:
        style = next(url for url in seen.asked if url.endswith("style.css"))
        kept = seen.page.request.get(style)
        assert "immutable" in kept.headers["cache-control"]
        old = seen.page.request.get(re.sub(r"/[0-9a-f]{12}/", "/000000000000/", style))
        assert (old.status, old.headers["cache-control"]) == (200, "no-cache")
        again = seen.page.request.get(style, headers={"if-none-match": kept.headers["etag"]})
        assert again.status == 304
        assert seen.page.request.get(f"{style}.missing").status == 404


def test_the_keyboard_reaches_everything(browser: Browser, address: str) -> None:
    with opened(browser, address) as seen:
        page = seen.page
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Tới nội dung chính")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        reached = []
        for _ in range(11):  # a date is four stops: day, month, year, and the calendar
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.textContent.trim()"))
        assert reached[:3] == [
            "Xã, thị trấn",
            "Phòng, ban, ngành, Mặt trận, đoàn thể, viễn thông",
            "Ấp",
        ]
        assert reached[8:] == ["Xã Hòa Mỹ", "Thị trấn Búng Tàu", "Xã Phụng Hiệp"]
        outline = page.evaluate(
            "getComputedStyle(document.activeElement.closest('.row')).outlineStyle"
        )
        assert outline == "solid"
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Xã Phụng Hiệp")


def test_english_is_a_full_second_language_and_is_remembered(
    browser: Browser, address: str
) -> None:
    with opened(browser, f"{address}/?bloc=department") as seen:
        page = seen.page
        page.get_by_role("link", name="English").click()
        expect(page.locator("html")).to_have_attribute("lang", "en")
        expect(page.get_by_role("columnheader", name="Eligibility")).to_be_visible()
        expect(page.locator("#rows .row").first).to_contain_text("89.14")
        live(page)
        expect(page.locator("#age")).to_contain_text("Updated")
        for path in (
            "/",
            f"/units/{PLAN}/{UNIT}?indicator=X8",
            f"/plans/{PLAN}",
            "/?display=wall",
        ):
            page.goto(address + path)
            expect(page.locator("html")).to_have_attribute("lang", "en")
            said = page.locator("body").inner_text()
            assert (
                re.findall(r"đơn vị|hồ sơ|chưa có|tiêu chí(?! \d)|điểm", _without_names(said))
                == []
            )


def _without_names(text: str) -> str:
    """Clauses cite the decision in its own language, and the language link names itself."""
    return re.sub(r"167/KH-UBND[^\n)]*|Tiếng Việt", "", text)


def test_a_browser_that_wishes_english_gets_english(browser: Browser, address: str) -> None:
    with opened(browser, address, locale="en-GB") as seen:
        expect(seen.page.locator("html")).to_have_attribute("lang", "en")


def test_a_wall_shows_one_part_and_names_what_comes_next(
    browser: Browser, address: str
) -> None:
    with opened(browser, f"{address}/?display=wall&bloc=department", width=1920) as seen:
        page = seen.page
        live(page)
        shown = page.locator("#rows .row:visible")
        expect(shown).to_have_count(10)
        words = page.locator("#settings").text_content() or ""
        assert "display=wall" in words
        assert "part=2" in words
        last = shown.last.bounding_box()
        assert last is not None
        assert last["y"] + last["height"] <= 800


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/?bloc=nobody", "Không có bảng này"),
        ("/?period=1999", "Không có bảng này"),
        ("/?plan=none", "Không có bảng này"),
        (f"/units/{PLAN}/none", "Không có đơn vị này"),
        ("/units/none/none", "Không có đơn vị này"),
        ("/plans/none", "Không có bảng này"),
        ("/nowhere", "Không có trang này"),
    ],
)
def test_wrong_addresses_get_a_page_that_says_what_to_do(
    browser: Browser, address: str, path: str, said: str
) -> None:
    with opened(browser, address) as seen:
        answer = seen.page.goto(address + path)
        assert answer is not None
        assert answer.status == 404
        expect(seen.page.get_by_role("heading", level=1)).to_have_text(said)
        seen.page.get_by_role("link", name="Về trang chủ").click()
        expect(seen.page.locator("#rows .row")).to_have_count(15)


def test_programs_get_json_where_people_get_pages(browser: Browser, address: str) -> None:
    with opened(browser, address) as seen:
        answer = seen.page.request.get(
            f"{address}/api/v1/nowhere", headers={"accept": "text/html"}
        )
        assert (answer.status, answer.json()) == (404, {"detail": "Not Found"})


def test_an_empty_board_says_so_and_a_starting_one_too(
    browser: Browser, address: str, stage: Stage
) -> None:
    stage.source.empty = True
    with opened(browser, address) as seen:
        expect(seen.page.get_by_role("heading", level=2)).to_have_text(
            "Chưa có số liệu trong kỳ này"
        )
        stage.source.trouble = "scoring"
        seen.page.reload()
        expect(seen.page.get_by_role("heading", level=2)).to_have_text("Đang đọc lại số liệu")
        stage.source.empty, stage.source.trouble = False, None
        seen.page.reload()
        expect(seen.page.locator("#rows .row")).to_have_count(15)
