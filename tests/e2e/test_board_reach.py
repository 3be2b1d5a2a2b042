"""The board for every reader: what a screen reader is given, what the keyboard reaches, that nothing jumps."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from playwright.sync_api import Browser, Page, expect

from tests.e2e.test_board_pages import ABOUT, OPEN, STAFF
from tests.e2e.test_pages import (
    WALL,
    browser as browser,  # noqa: PLC0414 - the fixture
    live,
    opened,
    order,
)
from tests.support.chromium import CHROMIUM
from tests.support.sample_boards import SampleBoards, Stage, serving
from tests.support.sample_desks import Everybody, sample_desks

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.timeout(180),
]
WATCH = """
window.shifts = [];
window.watched = (entries) => {
  for (const entry of entries) {
    window.shifts.push([entry.value, entry.sources.map(({ node }) =>
      node?.closest?.("tr") ? "row" : `${node?.nodeName}.${node?.className}#${node?.id}`)]);
  }
};
window.watching = new PerformanceObserver((list) => window.watched(list.getEntries()));
window.watching.observe({ type: "layout-shift", buffered: true });
window.reached = [];
document.addEventListener("focusin", ({ target }) => {
  const outlined = [target, target.closest(".row")].some((e) => {
    const style = e && getComputedStyle(e);
    return style && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  });
  window.reached.push([Number(target.dataset.stop), outlined]);
});
"""
"""Collects from the first paint on every layout shift (how much, of what), and all that gets the focus (visibly?)."""
SHIFTS = """async () => {
  for (const _ of [1, 2, 3]) await new Promise(requestAnimationFrame);
  window.watched(window.watching.takeRecords());
  return window.shifts;
}"""
FOCUSABLE = """() => [...document.querySelectorAll(
  'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]')]
  .filter((e) => e.checkVisibility({ visibilityProperty: true }) && !e.disabled
    && !(e.type === "radio" && !e.checked))
  .map((e, n) => (e.dataset.stop = n)).length"""


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


@pytest.fixture(autouse=True)
def _as_it_was(stage: Stage) -> None:
    """Each test finds the figures of the seed, in whatever order they run."""
    stage.source.boosts.clear()
    stage.source.trouble = None


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """One window for all pages that are only looked at."""
    context = browser.new_context(locale="vi-VN", reduced_motion="reduce")
    page = context.new_page()
    page.add_init_script(WATCH)
    yield page
    context.close()


def shown(page: Page, url: str, width: int = 1280) -> None:
    """Go to a page and wait until it is up to date."""
    page.set_viewport_size({"width": width, "height": 1080 if width == 1920 else 800})
    page.goto(url)
    if page.locator("#age").count():
        live(page)
    if page.locator("#rows .row").count() and page.locator("#age").count():
        taken = page.locator("#rows .state[data-said]")
        expect(taken).to_have_count(page.locator("#rows .row").count())


def shifts(page: Page) -> list[tuple[float, list[str]]]:
    found: list[tuple[float, list[str]]] = page.evaluate(SHIFTS)
    return found


# --- what a screen reader is given -----------------------------------------------------------


class Heard:
    """The accessibility tree as Chromium hands it to a screen reader."""

    def __init__(self, page: Page) -> None:
        session = page.context.new_cdp_session(page)
        session.send("Accessibility.enable")
        found = session.send("Accessibility.getFullAXTree")["nodes"]
        self.nodes: dict[str, dict[str, Any]] = {n["nodeId"]: n for n in found}

    def of_role(self, *roles: str) -> list[dict[str, Any]]:
        """In the order in which they are read."""
        root = next(n for n in self.nodes.values() if role(n) == "RootWebArea")
        return self.inside(root, *roles)

    def inside(self, node: dict[str, Any], *roles: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for child in node.get("childIds", []):
            if child in self.nodes:
                below = self.nodes[child]
                if not below["ignored"] and role(below) in roles:
                    found.append(below)
                found += self.inside(below, *roles)
        return found

    def text(self, node: dict[str, Any]) -> str:
        return " ".join(name(n) for n in self.inside(node, "StaticText")).strip()


def role(node: dict[str, Any]) -> str:
    return str(node.get("role", {}).get("value", ""))


def name(node: dict[str, Any]) -> str:
    return str(node.get("name", {}).get("value", ""))


def trait(node: dict[str, Any], wanted: str) -> Any:
    return next(
        (p["value"].get("value") for p in node.get("properties", []) if p["name"] == wanted),
        None,
    )


def test_a_screen_reader_is_given_a_table_with_named_columns_and_rows(
    page: Page, address: str
) -> None:
    shown(page, address)
    heard = Heard(page)
    (table,) = heard.of_role("table")
    assert name(table) == "Xã, thị trấn, Năm 2023"
    columns = [name(n) for n in heard.inside(table, "columnheader")]
    assert columns == [
        "Hạng",
        "Thay đổi hạng so với hôm qua",
        "Đơn vị",
        "trên 200",
        "Điểm",
        "Xét thi đua",
        "Gần đây",
    ]
    rows = [r for r in heard.inside(table, "row") if heard.inside(r, "rowheader")]
    assert len(rows) == 15
    (unit,) = heard.inside(rows[0], "rowheader")
    assert name(unit) == "Xã Hòa Mỹ"
    for row in rows:
        cells = [name(n) or heard.text(n) for n in heard.inside(row, "cell")]
        assert cells[0].isdecimal()
        assert "hôm qua" in cells[1]
        assert cells[2].startswith("đã thẩm định ")
        assert re.fullmatch(r"\d+,\d\d", cells[3])
        assert cells[4].startswith(("Đủ điều kiện", "Không xét thi đua"))
        assert re.match(r"Điểm các ngày gần đây: từ [\d,]+ đến [\d,]+", cells[5])
    landmarks = {role(n) for n in heard.nodes.values()}
    assert landmarks >= {"banner", "main", "navigation", "contentinfo"}


@pytest.mark.parametrize("path", OPEN + STAFF)
def test_a_page_appears_without_a_jump_and_everything_that_acts_has_a_name_and_a_role(
    page: Page, address: str, path: str
) -> None:
    for width in (1920 if path == WALL else 360, 1280):
        shown(page, address + path, width)
        assert shifts(page) == []
    heard = Heard(page)
    acting = heard.of_role("link", "button", "combobox", "textbox", "slider", "Date")
    assert acting or path == WALL
    assert [n for n in acting if not name(n).strip()] == []
    assert [n for n in heard.of_role("image", "img") if not name(n).strip()] == []
    headings = [(trait(n, "level"), name(n)) for n in heard.of_role("heading")]
    assert [title for level, title in headings if level == 1 and title.strip()]
    levels = [int(level) for level, _ in headings]
    assert all(below <= above + 1 for above, below in zip([0, *levels], levels, strict=False))


def test_changes_are_said_politely_and_the_age_is_not_said_every_second(
    browser: Browser, address: str, stage: Stage
) -> None:
    with opened(browser, address) as seen:
        page = seen.page
        live(page)
        spoken = [n for n in Heard(page).nodes.values() if trait(n, "live")]
        assert [(role(n), trait(n, "live"), trait(n, "atomic")) for n in spoken] == [
            ("status", "polite", True)
        ]
        page.evaluate(
            """() => {
              window.heard = [];
              const line = document.getElementById("announcer");
              new MutationObserver(() => window.heard.push(line.textContent))
                .observe(line, { childList: true, characterData: true, subtree: true });
            }"""
        )
        climber, other = order(page)[6], order(page)[9]
        called = page.locator(f'[data-unit="{climber}"] .name').inner_text()
        stage.boost(climber, 900_000)
        expect(page.locator("#announcer")).to_have_text(f"{called} lên hạng 1.")
        stage.boost(other, 1)
        stage.source.trouble = "scoring"
        expect(page.locator("#announcer")).to_contain_text("Bộ tính điểm đang ngừng")
        stage.source.trouble = None
        expect(page.locator("#announcer")).to_have_text("Số liệu lại được cập nhật.")
        said = page.evaluate("window.heard")
        assert len(said) == 3


# --- the keyboard ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", OPEN + STAFF)
def test_the_keyboard_reaches_everything_in_order_visibly_and_gets_out_again(
    page: Page, address: str, path: str
) -> None:
    shown(page, address + path)
    stops: int = page.evaluate(FOCUSABLE)
    reached: list[tuple[int, bool]] = []
    for _ in range(5):  # a date is several stops within
        if len(reached) >= stops:
            break
        for _ in range(stops + 2):
            page.keyboard.press("Tab")
        reached = page.evaluate("window.reached")
    assert [stop for stop, _ in reached[:stops]] == list(range(stops))
    assert [stop for stop, outlined in reached if not outlined] == []


# --- nothing jumps ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "width"), [("/", 360), ("/", 1280), (WALL, 1280), (WALL, 1920), (ABOUT, 360)]
)
def test_nothing_jumps_when_figures_or_their_age_change(
    page: Page, address: str, stage: Stage, path: str, width: int
) -> None:
    try:
        shown(page, address + path, width)
        page.evaluate("window.shifts = []")
        unit = ABOUT.rsplit("/", 1)[1] if path == ABOUT else order(page)[0]
        value = page.locator("#total" if path == ABOUT else f'[data-unit="{unit}"] .points')
        was = value.inner_text()
        stage.boost(unit, 100)
        expect(value).not_to_have_text(was)
        stage.source.trouble = "scoring"
        expect(page.locator("#age.warn")).to_be_visible()
        assert shifts(page) == []
    finally:
        stage.source.trouble = None


def test_when_a_rank_changes_only_rows_move(
    browser: Browser, address: str, stage: Stage
) -> None:
    with opened(browser, "about:blank", motion="full") as seen:
        page = seen.page
        page.add_init_script(WATCH)
        shown(page, address)
        below = page.locator(".legend").bounding_box()
        stage.boost(order(page)[8], 2_000_000)
        expect(page.locator("#rows .row").first).to_have_attribute("data-rank", "1")
        page.wait_for_function("document.getAnimations().length === 0")
        moved = {node for _, nodes in shifts(page) for node in nodes}
        assert moved <= {"row"}
        assert page.locator(".legend").bounding_box() == below
