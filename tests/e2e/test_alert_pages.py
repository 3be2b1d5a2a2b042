"""The alert pages in a real browser: at every width, without scripts, nothing from elsewhere, for everybody."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect, sync_playwright

from services.notifier.domain.occasions import Occasion
from services.notifier.domain.watch import Findings
from services.notifier.store import NotifierStore
from services.notifier.wiring import open_store
from services.publishing import publish
from services.runtime.auth import Keys, Role, issue
from services.runtime.embedded import Addresses
from services.runtime.resources import resources
from services.runtime.settings import Settings
from tests.support.chromium import CHROMIUM, FLAGS
from tests.support.databases import settings_apart
from tests.support.notifying import PLAN, local, of_units
from tests.support.people import run_apart
from tests.support.web import served

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.timeout(180),
    pytest.mark.xdist_group("alert pages"),
]
UNIT = "31399"
PAGES = (
    "/alerts/ledger",
    "/alerts/previews?rule=overdue-excluded",
    "/alerts/silences?faults=reason+ends",
    "/alerts/service",
    "/mail",
)


async def _furnish(settings: Settings) -> None:
    async with resources(settings) as own:
        await publish(own, PLAN)
        store = open_store(own)
        await store.contacts.insert_many(of_units([UNIT]))
        await store.mark("catcher", used=True)
        await _alert(store)


async def _alert(store: NotifierStore) -> None:
    at = local("2023-06-16", "07:00")
    key = f"overdue-excluded|{PLAN.id}|{UNIT}|2023-06:two-overdue-dossiers"
    blanks: dict[str, Any] = {
        "month": "2023-06", "count": 2, "limit": 2, "rule": "two-overdue-dossiers",
        "dossiers": ["dvc.haugiang H1", "dvc.haugiang H2"],
    }  # fmt: skip
    occasion = Occasion(
        key, "overdue-excluded", PLAN.id, UNIT, at, "exclusion", "", "2023-06", blanks
    )
    await store.write_findings(Findings([occasion]), at)
    notice = {
        "_id": f"{key}|p|alert", "occasion": key, "person": "p", "contact": f"h-{UNIT}",
        "role": "head", "rule": "overdue-excluded", "plan": PLAN.id, "unit": UNIT,
        "month": "2023-06", "severity": "exclusion", "form": "alert", "at": at, "made_at": at,
        "ready_at": at, "state": "waiting", "reason": "quiet_hours", "digest": False, "level": 0,
        "mail": None,
    }  # fmt: skip
    await store.add_notices([notice])


@pytest.fixture(scope="module")
def here(databases: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    clock = {"clock_start": local("2023-06-16", "09:00"), "clock_anchor": local("2123-01-01")}
    found = settings_apart(databases, tmp_path_factory.mktemp("alerts")).model_copy(
        update=clock
    )
    run_apart(_furnish(found))
    return found


@pytest.fixture(scope="module")
def address(here: Settings) -> Iterator[str]:
    with served(here) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


def headers(settings: Settings, role: Role, *units: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {issue(Keys(settings.keys_dir).signing(), role, units)}"}


def watched(page: Page) -> tuple[list[str], list[str]]:
    """What a page asks for from now on, and what it complains about."""
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda said: complaints.append(said.text))
    return asked, complaints


def test_pages_fit_every_width_ask_nobody_else_and_are_for_everybody(
    browser: Browser, address: str, here: Settings
) -> None:
    for width in (360, 1280):
        context = browser.new_context(
            viewport={"width": width, "height": 800},
            extra_http_headers=headers(here, Role.REVIEWER),
            locale="vi-VN",
        )
        page = context.new_page()
        asked, complaints = watched(page)
        for path in PAGES:
            page.goto(address + path)
            expect(page.locator("h1")).to_be_visible()
            wide = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
            assert not wide, (path, width)
            if width == 360:
                found = Axe().run(page, options={"iframes": False})
                assert found.violations_count == 0, (path, found.generate_report()[:1500])
        assert [url for url in asked if not url.startswith(address)] == []
        assert complaints == []
        context.close()


def test_without_scripts_a_head_takes_up_an_alert_by_keyboard(
    browser: Browser, address: str, here: Settings
) -> None:
    context = browser.new_context(
        java_script_enabled=False,
        extra_http_headers=headers(here, Role.HEAD, UNIT),
        locale="vi-VN",
    )
    page = context.new_page()
    page.goto(address + "/alerts")
    card = page.locator(".alert-card")
    expect(card).to_contain_text("Xã Tân Bình: không xét thi đua vì 2 hồ sơ trễ hẹn")
    expect(card).to_contain_text("Căn cứ: 167/KH-UBND")
    card.get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".empty")).to_contain_text("Không có việc nào đang chờ")
    context.close()
