"""The board in a browser while parts of the real program stand still: it says which, and ends right."""

import signal
import time
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, expect

from contracts.events import DossierRecorded
from services.runtime.datafolder import free_port
from tests.e2e.test_pages import (
    browser as browser,  # noqa: PLC0414 - the fixture
    live,
    opened,
)
from tests.support.chromium import CHROMIUM
from tests.support.system import System
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.timeout(240),
    pytest.mark.xdist_group("program"),
]
UNIT = "31408"
PROMISED_SECONDS = 5.0
"""From the stop to the words on the page."""
WATCH = """() => {
  const line = document.querySelector("#age .stopped");
  window.said = [];
  new MutationObserver(() => window.said.push([Date.now(), line.textContent]))
    .observe(line, { childList: true, characterData: true, subtree: true });
}"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("honest") / "data", free_port())
    try:
        system.start()
        yield system
    finally:
        for part in ("web", "worker", "redis"):
            system.kill(part, signal.SIGCONT)
        system.end()


def send(program: System, number: int) -> None:
    event = DossierRecorded.example | {"unit": UNIT, "dossier": f"honest-{number}"}
    headers = {"Authorization": f"Bearer {program.token()}"}
    answer = httpx.post(
        f"{program.base}/api/v1/portal/events", json=event, headers=headers, timeout=60
    )
    assert answer.status_code == 202


def shown(program: System) -> str:
    rows = program.standings()["rows"]
    points = next(row["points"] for row in rows if row["unit"] == UNIT)
    whole, _, rest = points.partition(".")
    return f"{whole},{rest[:2]}"


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("worker", "Bộ tính điểm đang ngừng"),
        ("redis", "Đường truyền nội bộ đang gián đoạn"),
        ("web", "Mất kết nối với máy chủ"),
    ],
)
def test_what_stands_still_is_named_and_the_board_ends_right(
    browser: Browser, program: System, part: str, said: str
) -> None:
    with opened(browser, program.base) as seen:
        age = seen.page.locator("#age")
        points = seen.page.locator(f'[data-unit="{UNIT}"] .points')
        live(seen.page)
        was, version = points.inner_text(), program.standings()["version"]
        seen.page.evaluate(WATCH)
        stopped = time.time()
        program.kill(part, signal.SIGSTOP)
        try:
            expect(age).to_contain_text(said)
            assert points.inner_text() == was
            expect(seen.page.locator("#announcer")).to_contain_text(said)
            told = seen.page.evaluate("window.said")
            took = min(at / 1_000 for at, words in told if said in words) - stopped
            assert took <= PROMISED_SECONDS
        finally:
            program.kill(part, signal.SIGCONT)
        send(program, hash(part) % 1_000_000)
        wait_until(lambda: program.standings()["version"] != version)
        expect(age.locator(".stopped")).to_be_hidden(timeout=40_000)
        wait_until(lambda: points.inner_text() == shown(program))
