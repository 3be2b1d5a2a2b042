"""Which place of work a page belongs to."""

import pytest

from services.runtime.web.navigation import Head, NavLink

LINKS = tuple(
    NavLink(href, href, href, ()) for href in ("/review", "/review/quarantine", "/re")
)


@pytest.mark.parametrize(
    ("page", "place"),
    [
        ("/review", "/review"),
        ("/review/sources", "/review"),
        ("/review/quarantine", "/review/quarantine"),
        ("/review/quarantine/cause", "/review/quarantine"),
        ("/reviews", None),
        ("/", None),
    ],
)
def test_a_page_belongs_to_the_innermost_place_alone(page: str, place: str | None) -> None:
    head = Head(links=LINKS, here=page)
    assert [link.href for link in LINKS if head.is_here(link)] == ([place] if place else [])
