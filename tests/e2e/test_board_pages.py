"""The pages around the board in a real browser: axe finds nothing, everything works by keyboard and by address."""

import csv
import io
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from openpyxl import load_workbook
from playwright.sync_api import Browser, expect

from tests.e2e.test_pages import (
    PLAN,
    UNIT,
    WALL,
    browser as browser,  # noqa: PLC0414 - the fixture
    live,
    opened,
    order,
)
from tests.support.chromium import CHROMIUM, press
from tests.support.sample_boards import SampleBoards, Stage, serving
from tests.support.sample_desks import Everybody, sample_desks

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.timeout(180),
]
ABOUT = f"/units/{PLAN}/{UNIT}"
OPEN = [
    "/",
    "/?as_of=2023-09-01",
    "/?bloc=department&period=2023-Q3",
    WALL,
    f"{ABOUT}?indicator=X8",
    f"{ABOUT}/what-if?X8=800/1000&X7=many",
    f"{ABOUT}/between",
    "/history",
    "/history?what=ranks",
    "/compare?start=2023-09-01&end=2023-09-10",
    "/play",
    f"/embed/{PLAN}/commune",
    f"/plans/{PLAN}",
]
STAFF = ["/staff", "/ceremony?shown=2", "/freeze", "/preview", "/preview/ab12", "/proof"]


@pytest.fixture(scope="module")
def stage() -> Stage:
    stage = Stage(SampleBoards())
    stage.guard = Everybody()
    key = Ed25519PrivateKey.generate().public_key()
    stage.more = lambda app, site: app.include_router(sample_desks(stage.source, site, key))
    return stage


@pytest.fixture(scope="module")
def address(stage: Stage) -> Iterator[str]:
    with serving(stage) as url:
        yield url


def faults(page: Any) -> list[str]:
    found = Axe().run(
        page,
        options={
            "resultTypes": ["violations"],
            "runOnly": [
                "wcag2a",
                "wcag2aa",
                "wcag21a",
                "wcag21aa",
                "wcag22aa",
                "best-practice",
            ],
        },
    )
    return [
        f"{v['id']}: {node['html'][:120]}"
        for v in found.response["violations"]
        for node in v["nodes"][:3]
    ]


@pytest.mark.parametrize(("lang", "scheme"), [("vi", "light"), ("en", "dark")])
def test_axe_finds_nothing_on_any_page(
    browser: Browser, address: str, lang: str, scheme: str
) -> None:
    said: dict[str, list[str]] = {}
    with opened(browser, address, locale="en-GB" if lang == "en" else "vi-VN") as seen:
        seen.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        for path in OPEN + STAFF:
            seen.page.goto(address + path)
            seen.page.evaluate(
                "document.querySelectorAll('details').forEach(d => d.open = true)"
            )
            if found := faults(seen.page):
                said[path] = found
    assert said == {}


@pytest.mark.parametrize("path", OPEN + STAFF)
def test_every_page_is_small_fits_a_phone_and_asks_nobody_else(
    browser: Browser, address: str, path: str
) -> None:
    width = 1280 if path == WALL else 360
    with opened(browser, address + path, width=width) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        seen.page.set_viewport_size({"width": 3840, "height": 2160})
        assert seen.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        answer = seen.page.request.get(address + path)
        assert len(answer.body()) <= 100_000
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert [url for url in seen.asked if not url.startswith(address)] == []
        ours = [c for c in seen.complaints if "422" not in c]
        assert ours == []


def test_english_pages_say_nothing_in_vietnamese(browser: Browser, address: str) -> None:
    kept = r"167/KH-UBND[^\n)]*|12/QĐ-UBND|Tiếng Việt|(Xã|Thị trấn|Phòng|Hội) [^\n]*"
    with opened(browser, address, locale="en-GB") as seen:
        for path in OPEN + STAFF:
            seen.page.goto(address + path)
            seen.page.evaluate(
                "document.querySelectorAll('details').forEach(d => d.open = true)"
            )
            said = re.sub(kept, "", seen.page.locator("main").inner_text())
            assert re.findall(r"đơn vị|hồ sơ|chưa có|điểm|hạng |ngày", said) == [], path


def test_a_trial_works_without_javascript_and_its_address_can_be_sent(
    browser: Browser, address: str
) -> None:
    with opened(browser, f"{address}{ABOUT}", script=False) as seen:
        page = seen.page
        page.get_by_role("link", name="Thử số liệu khác").click()
        page.get_by_label(re.compile("^X8 ")).fill("1450/1450")
        page.get_by_role("button", name="Tính thử").click()
        expect(page).to_have_url(re.compile("X8=1450%2F1450"))
        expect(page.locator(".outcome .delta")).to_contain_text("+")
        again = page.url
        page.goto(again)
        expect(page.get_by_label(re.compile("^X8 "))).to_have_value("1450/1450")
        page.get_by_label(re.compile("^X8 ")).fill("nhiều")
        page.get_by_role("button", name="Tính thử").click()
        expect(page.get_by_role("alert")).to_contain_text("X8: ghi 800/1000")
        expect(page.get_by_label(re.compile("^X8 "))).to_have_attribute("aria-invalid", "true")


def test_a_unit_says_how_far_it_is_and_why_it_moved(browser: Browser, address: str) -> None:
    with opened(browser, f"{address}{ABOUT}", script=False) as seen:
        page = seen.page
        distance = page.locator(".distance")
        expect(distance).to_contain_text("còn thiếu 27,94 điểm")
        expect(distance).to_contain_text("Hạng trên")
        expect(distance).to_contain_text("0 trên 2, còn 2 nữa")
        expect(distance).to_contain_text("Dự báo cuối kỳ")
        expect(page.locator(".first").first.locator("li")).to_have_count(5)
        page.get_by_role("link", name="Vì sao lên hoặc xuống hạng?").click()
        expect(page.get_by_role("heading", name="Đã vượt lên trên")).to_be_visible()
        expect(page.locator("main")).to_contain_text("Theo tiêu chí: X8")
        expect(page.locator("main .banner")).to_have_count(0)
        page.goto(f"{page.url.partition('?')[0]}?start=2023-09-01&end=2023-12-31")
        expect(page.locator("main .banner")).to_contain_text(
            "Không có số liệu cuối ngày 31/12/2023"
        )


def test_the_season_plays_by_button_and_by_keyboard_and_stands_still_when_wished(
    browser: Browser, address: str
) -> None:
    with opened(browser, f"{address}/play") as seen:
        page = seen.page
        slider, day = page.get_by_label("Ngày"), page.locator("#when")
        expect(day).to_have_text("11/09/2023")
        last = page.locator("#race .who").all_inner_texts()
        slider.press("ArrowLeft")
        expect(day).to_have_text("10/09/2023")
        assert page.locator("#race .who").all_inner_texts()[:2] == last[:2][::-1]
        slider.press("Home")
        expect(day).to_have_text("14/07/2023")
        page.get_by_role("button", name="Chạy").click()
        expect(day).not_to_have_text("14/07/2023")
        page.get_by_role("button", name="Dừng").click()
        expect(page.get_by_role("button", name="Chạy")).to_be_visible()
        running = page.evaluate("document.getAnimations().length")
        assert running == 0
    with opened(browser, f"{address}/play", script=False) as seen:
        expect(seen.page.get_by_role("table")).to_contain_text("31/08/2023")


def test_the_ceremony_goes_by_keyboard_from_the_last_award_to_the_first(
    browser: Browser, address: str
) -> None:
    with opened(browser, f"{address}/ceremony") as seen:
        page = seen.page
        expect(page.locator(".announced li")).to_contain_text("giải sẽ được công bố")
        press(page, "Space")
        expect(page.locator(".newest")).to_contain_text("Giải Khuyến khích")
        press(page, "ArrowRight")
        expect(page.locator(".announced li")).to_have_count(2)
        press(page, "ArrowLeft")
        expect(page.locator(".announced li")).to_have_count(1)
        page.wait_for_load_state()
        while page.locator("#forward").count():
            step = page.url
            page.keyboard.press("Space")
            page.wait_for_url(lambda url, step=step: url != step)  # type: ignore[misc]
        expect(page.locator(".newest")).to_contain_text("Giải Nhất")


def test_exports_read_back_are_the_board(browser: Browser, address: str) -> None:
    with opened(browser, address) as seen:
        page = seen.page
        live(page)
        shown = [
            (unit, points.replace(",", "."))
            for unit, points in zip(
                order(page), page.locator("#rows .points").all_inner_texts(), strict=True
            )
        ]
        raw = page.request.get(f"{address}/export.csv?bloc=commune").body()
        assert raw.startswith(b"\xef\xbb\xbf")
        rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
        read = [(r["Mã đơn vị"], Decimal(r["Điểm"])) for r in rows]
        assert [(u, f"{p:.4f}"[:-2]) for u, p in read] == shown
        assert all(
            Decimal(r["Điểm"]) == Decimal(r["Đã thẩm định"]) + Decimal(r["Chờ thẩm định"])
            for r in rows
        )
        book = load_workbook(io.BytesIO(page.request.get(f"{address}/export.xlsx").body()))
        lines = list(book.worksheets[0].values)
        assert [(line[2], Decimal(str(line[4]))) for line in lines[1:]] == read
        found = page.request.get(f"{address}/export.json").json()
        assert [(r["unit"], Decimal(r["points"])) for r in found["rows"]] == read
        past = page.request.get(f"{address}/export.json?as_of=2023-09-01").json()
        assert past["rows"][0]["points"] != found["rows"][0]["points"]
        assert page.request.get(f"{address}/export.csv?bloc=none").status == 404


def test_the_board_may_be_framed_where_the_setting_says_and_nowhere_else(
    browser: Browser, address: str
) -> None:
    with opened(browser, f"{address}/embed/{PLAN}/commune") as seen:
        page = seen.page
        live(page)
        expect(page.locator("#rows .row")).to_have_count(15)
        expect(page.locator("header.site")).to_be_hidden()
        framed = page.request.get(page.url).headers["content-security-policy"]
        plain = page.request.get(address).headers["content-security-policy"]
        assert "frame-ancestors 'self'" in framed
        assert "frame-ancestors 'none'" in plain


def test_every_state_of_the_board_has_a_code_to_scan(browser: Browser, address: str) -> None:
    with opened(browser, f"{address}/?period=2023-Q3") as seen:
        page = seen.page
        page.get_by_text("Chia sẻ, tải về, in").click()
        code = page.get_by_alt_text("Mã QR của trang này")
        expect(code).to_be_visible()
        assert "2023-Q3" in (code.get_attribute("src") or "")
        page.wait_for_function("document.querySelector('.sharing img').naturalWidth > 100")
        for wrong in ("https://example.com", "//example.com", "/" + "x" * 600):
            answer = page.request.get(f"{address}/qr.svg", params={"to": wrong})
            assert answer.status == 422


def test_paper_shows_the_table_and_nothing_to_press(browser: Browser, address: str) -> None:
    with opened(browser, address) as seen:
        page = seen.page
        page.emulate_media(media="print")
        for gone in (".picker", ".tabs", ".share", "header.site", "#age .said"):
            expect(page.locator(gone).first).to_be_hidden()
        code = page.locator(".paper img")
        expect(code).to_be_visible()
        code.scroll_into_view_if_needed()
        expect(code).to_have_js_property("complete", True)  # noqa: FBT003
        assert code.evaluate("e => e.naturalWidth") > 0
        expect(page.locator("#rows .row").first).to_be_visible()


def test_a_past_board_stands_still_and_leads_back(browser: Browser, address: str) -> None:
    with opened(browser, f"{address}/?as_of=2023-09-01") as seen:
        page = seen.page
        expect(page.locator(".banner")).to_contain_text("Bảng cuối ngày 01/09/2023")
        assert [url for url in seen.asked if "/stream" in url] == []
        page.get_by_role("link", name="Phòng, ban").click()
        expect(page).to_have_url(
            re.compile(r"bloc=department.*as_of=2023-09-01|as_of=2023-09-01.*bloc=department")
        )
        page.get_by_role("link", name="Xem số liệu mới nhất").click()
        live(page)
