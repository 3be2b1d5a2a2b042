"""Signing in and looking after accounts, in a real browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect, sync_playwright

from services.publishing import publish_directory
from services.runtime.access.app import access_of
from services.runtime.auth import Role
from services.runtime.embedded import Addresses
from services.runtime.resources import resources
from services.runtime.settings import Settings
from tests.support.chromium import CHROMIUM, FLAGS
from tests.support.databases import settings_apart
from tests.support.people import Person, person_of, run_apart, sign_in
from tests.support.web import served

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.timeout(120),
    pytest.mark.xdist_group("people pages"),
]
PASSWORD = "một câu rất dễ nhớ"  # noqa: S105 - invented
PLAN = Path(__file__).parents[2] / "deploy/plans/phung-hiep-2023"


@pytest.fixture(scope="module")
def settings_here(databases: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    found = settings_apart(databases, tmp_path_factory.mktemp("people"))
    run_apart(publish_directory(found, PLAN))
    return found


@pytest.fixture(scope="module")
def address(settings_here: Settings) -> Iterator[str]:
    with served(settings_here) as url:
        yield url


@pytest.fixture
def admin(address: str, settings_here: Settings) -> Person:
    return person_of(settings_here, {Role.ADMIN: []}, name="Quản trị viên")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@contextmanager
def page_of(
    browser: Browser,
    address: str,
    person: Person | None = None,
    *,
    width: int = 1280,
    script: bool = True,
) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": width, "height": 800}, java_script_enabled=script, locale="vi-VN"
    )
    if person is not None:
        sign_in(context, address, person)
    complaints: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text))
    try:
        yield page
    finally:
        context.close()
    assert [text for text in complaints if "Failed to load resource" not in text] == []


def link_of(settings: Settings, login: str) -> str:
    """A new one-time link for an account."""

    async def make() -> str:
        async with resources(settings) as own:
            access = access_of(own)
            account = await access.by_login(login)
            assert account is not None
            return await access.make_link("operator", account.code)

    return run_apart(make())


def choose_password(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_label("Mật khẩu mới", exact=True).fill(PASSWORD)
    page.get_by_label("Gõ lại mật khẩu mới").fill(PASSWORD)
    page.get_by_role("button", name="Đặt mật khẩu và đăng nhập").click()
    expect(page.get_by_role("status")).to_contain_text("Mật khẩu mới đã có hiệu lực")


def sign_in_with(page: Page, password: str) -> None:
    page.get_by_label("Tên đăng nhập").fill("lan.tanbinh")
    page.get_by_label("Mật khẩu").fill(password)
    page.locator("main").get_by_role("button", name="Đăng nhập").click()


def invite(page: Page, address: str) -> str:
    """Make an account without roles; its link."""
    page.goto(f"{address}/people")
    page.get_by_role("link", name="Thêm người").click()
    page.get_by_label("Tên đăng nhập").fill("lan.tanbinh")
    page.get_by_label("Họ tên").fill("Nguyễn Thị Lan")
    page.get_by_role("button", name="Tạo tài khoản").click()
    return page.locator(".done code").inner_text()


def test_a_person_is_invited_signs_in_and_out_and_a_closed_account_is_closed(
    browser: Browser, address: str, admin: Person
) -> None:
    with (
        page_of(browser, address, admin) as office,
        page_of(browser, address, script=False) as own,
    ):
        choose_password(own, invite(office, address))
        expect(own.locator("header .person")).to_contain_text("Nguyễn Thị Lan")
        expect(own.locator("main")).to_contain_text("Chưa được giao quyền nào")

        office.goto(f"{address}/people")
        office.get_by_role("link", name="Nguyễn Thị Lan").click()
        office.locator("summary", has_text="Xã, thị trấn").click()
        office.get_by_label("Xã Tân Bình: Cán bộ báo cáo").check()
        office.get_by_label("Lý do thay đổi").fill("phân công tháng 7")
        office.get_by_role("button", name="Lưu thay đổi").click()
        expect(office.get_by_role("status")).to_contain_text("có hiệu lực ngay")
        own.reload()
        expect(own.locator("main")).to_contain_text("Cán bộ báo cáo: Xã Tân Bình")

        own.get_by_role("button", name="Đăng xuất").click()
        expect(own.locator("header .person")).to_have_text("Đăng nhập")
        own.goto(f"{address}/account")
        sign_in_with(own, "không phải thế")
        expect(own.get_by_role("alert")).to_contain_text("không đúng")
        sign_in_with(own, PASSWORD)
        expect(own).to_have_url(f"{address}/account")

        office.get_by_role("button", name="Khóa tài khoản").click()
        expect(office.locator("h1 .badge")).to_have_text("đã khóa")
        own.reload()
        expect(own).to_have_url(f"{address}/sign-in?next=%2Faccount")


def test_a_form_of_another_site_changes_nothing(
    browser: Browser, address: str, admin: Person
) -> None:
    form = f"<form method=post action={address}/sign-out><button>Win</button></form>"
    with page_of(browser, address, admin) as page:
        page.route(
            "http://evil.example/",
            lambda route: route.fulfill(body=form, content_type="text/html"),
        )
        page.goto("http://evil.example/")
        page.get_by_role("button").click()
        expect(page.locator("main")).to_contain_text("đến từ một trang khác")
        page.goto(f"{address}/account")
        expect(page).to_have_url(f"{address}/account")
        page.get_by_role("button", name="Đăng xuất").click()
        page.goto(f"{address}/account")
        expect(page).to_have_url(f"{address}/sign-in?next=%2Faccount")


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("path", ["/sign-in", "/welcome", "/account", "/people", "/people/new"])
def test_the_pages_fit_and_can_be_used_by_everybody(
    browser: Browser,
    address: str,
    admin: Person,
    settings_here: Settings,
    path: str,
    width: int,
) -> None:
    person = None if path == "/sign-in" else admin
    where = path
    if path == "/welcome":
        where += f"?code={link_of(settings_here, admin.account.login)}"
    with page_of(browser, address, person, width=width) as page:
        page.goto(address + where)
        for closed in page.locator("details").all():
            closed.locator("summary").click()
        overhang = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overhang <= 0
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
