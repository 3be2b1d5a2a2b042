"""The documentation site builds without a warning, asks nobody else for anything, and none of its links is dead."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
FETCHED = {("link", "href"), ("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src")}  # fmt: skip
"""What a browser fetches by itself."""
PEOPLE = ("officer", "standing-office", "head", "leader", "public", "sender", "operator", "engineer")  # fmt: skip


class Page(HTMLParser):
    """Links, fetched things and anchors of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif tag == "a" and name == "href" and value:
                self.links.append(value)
            elif (tag, name) in FETCHED and value:
                self.fetched.append(value)


@pytest.fixture(scope="module", name="site")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    made = subprocess.run(
        [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet",
         "-b", "html", "-c", ROOT / "docs/site", ROOT / "docs", folder],
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture(scope="module", name="pages")
def _pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html") if "_static" not in path.parts}


def dead(path: Path, page: Page, pages: dict[Path, Page]) -> Iterator[str]:
    """Links that lead nowhere inside the site."""
    for link in page.links:
        if re.match(r"[a-z]+:", link):
            continue
        target, _, fragment = link.partition("#")
        found = (path.parent / unquote(target)).resolve() if target else path
        if not found.exists() or (
            fragment and found in pages and unquote(fragment) not in pages[found].anchors
        ):
            yield link


def test_no_link_is_dead_and_nothing_comes_from_elsewhere(pages: dict[Path, Page]) -> None:
    assert len(pages) > 30
    for path, page in pages.items():
        assert list(dead(path, page, pages)) == [], path
        assert [u for u in page.fetched if re.match(r"(https?:)?//", u)] == [], path


def test_styles_and_scripts_fetch_nothing_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.css"):
        assert not re.search(
            r"(@import|url\()\s*['\"]?(https?:)?//", path.read_text("utf-8")
        ), path


def test_there_is_a_tutorial_for_each_kind_of_user(pages: dict[Path, Page], site: Path) -> None:
    for person in PEOPLE:
        assert site / "tutorials" / f"{person}.html" in pages


def test_the_reference_names_every_operation_and_every_event(site: Path) -> None:
    def said(name: str) -> str:
        text = (site / "reference" / f"{name}.html").read_text("utf-8")
        return re.sub(r"<[^>]+>", "", text)

    operations = json.loads((ROOT / "docs/openapi.json").read_text("utf-8"))["paths"]
    shown = said("http")
    for path, verbs in operations.items():
        for verb in verbs:
            assert f"{verb.upper()} {path}" in shown
    channels = json.loads((ROOT / "docs/asyncapi.json").read_text("utf-8"))["channels"]
    shown = said("events")
    assert [name for name in channels if name not in shown] == []
