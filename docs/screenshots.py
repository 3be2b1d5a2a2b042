"""Makes the pictures of the README from a running demonstration: `screenshots.py ADDRESS [OFFICER REVIEWER]`.

The last two are sign-in links that `make demo` printed; each works once.
"""  # noqa: INP001 - a script, no package

import secrets
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, StorageState, sync_playwright

IMAGES = Path(__file__).parent / "images"
MOST_BYTES = 300_000
UNIT = "/units/phung-hiep-2023/31399"
MAIL = "/alerts/previews/phung-hiep-2023"


class Picture(NamedTuple):
    """One page at one size."""

    name: str
    path: str
    width: int
    height: int
    language: str = "en"
    who: str = ""
    """*officer* or *reviewer*: taken when a link to sign in as one was given."""
    dark: bool = False


PICTURES = (
    Picture("board", "/?period=2023", 1280, 900),
    Picture("board-vi", "/?period=2023", 1280, 900, "vi"),
    Picture("board-phone", "/?period=2023", 360, 740),
    Picture("unit", UNIT, 1280, 900),
    Picture("unit-vi", UNIT, 1280, 900, "vi"),
    Picture("unit-phone", UNIT, 360, 740),
    Picture("wall", "/?display=wall&period=2023", 1280, 720, "vi"),
    Picture("submit", "/submit", 1280, 900, "vi", "officer"),
    Picture("submit-phone", "/submit", 360, 740, "vi", "officer"),
    Picture("review", "/review", 1280, 900, "vi", "reviewer"),
    Picture("alerts-phone", "/alerts", 360, 740, "vi", "officer"),
    Picture("mail", f"{MAIL}/overdue-excluded/html", 720, 680, "vi", "reviewer"),
    Picture("mail-phone", f"{MAIL}/report-late-2/html", 375, 740, "vi", "reviewer", dark=True),
)
ROLES = ("officer", "reviewer")


def signed_in(browser: Browser, link: str) -> StorageState:
    """Open a sign-in link, set a password, and keep the session."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(link)
    password = secrets.token_urlsafe(24)
    for field in page.locator("input[type=password]").all():
        field.fill(password)
    page.locator("form.sheet button").click()
    page.wait_for_load_state()
    kept = context.storage_state()
    context.close()
    return kept


def take(browser: Browser, base: str, picture: Picture, session: StorageState | None) -> Path:
    """Open the page, wait until it has settled, and keep what a reader sees first."""
    context = browser.new_context(
        viewport={"width": picture.width, "height": picture.height},
        locale=picture.language,
        reduced_motion="reduce",
        color_scheme="dark" if picture.dark else "light",
        storage_state=session,
    )
    page = context.new_page()
    page.goto(base + picture.path, wait_until="load")
    page.wait_for_timeout(1_500)  # the live stream has delivered its first snapshot
    target = IMAGES / f"{picture.name}.png"
    page.screenshot(path=target)
    context.close()
    return target


def main() -> None:
    """Take all pictures; refuse one that is too large for a README."""
    base, *links = sys.argv[1:] or ["http://127.0.0.1:8000"]
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        people = {
            role: signed_in(browser, link) for role, link in zip(ROLES, links, strict=False)
        }
        for picture in PICTURES:
            if picture.who and picture.who not in people:
                continue
            target = take(browser, base.rstrip("/"), picture, people.get(picture.who))
            size = target.stat().st_size
            if size > MOST_BYTES:
                sys.exit(f"{target} has {size:,} bytes; at most {MOST_BYTES:,} are wanted")
            sys.stdout.write(f"{target.name}  {size:,} bytes\n")
        browser.close()


if __name__ == "__main__":
    main()
