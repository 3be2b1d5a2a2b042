"""The browser of the tests that need one."""

import shutil

from playwright.sync_api import Page, expect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# An assertion passes as soon as it is true; the limit is for a machine that is slow or busy.
expect.set_options(timeout=15_000)


def press(page: Page, key: str) -> None:
    """A key for a page that a click or a key before has just opened: its script is there to hear it."""
    page.wait_for_load_state("domcontentloaded")
    page.keyboard.press(key)
