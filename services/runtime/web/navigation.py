"""Which links the head of a page offers to whom; the composition root says which there are."""

from collections.abc import Iterable
from dataclasses import dataclass

from fastapi import FastAPI, Request
from starlette.routing import BaseRoute, Match

from services.runtime.auth import Principal, Role
from services.runtime.web.formats import Lang

PERSON = "thidua.person"
"""Where a connection's scope keeps whom the entrance found."""


@dataclass(frozen=True, slots=True)
class NavLink:
    """A place that some people work at."""

    href: str
    vi: str
    en: str
    roles: tuple[Role, ...]

    def text(self, lang: Lang) -> str:
        """Its name in the reader's language."""
        return self.vi if lang == "vi" else self.en


@dataclass(frozen=True, slots=True)
class Head:
    """What the head of one page offers."""

    person: Principal | None = None
    links: tuple[NavLink, ...] = ()
    has_accounts: bool = False
    """Whether people can sign in here at all."""
    here: str = "/"

    def is_here(self, link: NavLink) -> bool:
        """Whether the page belongs to a link's place, and to none within that."""
        return link.href == max(filter(self._leads_here, self._places), key=len, default="")

    @property
    def _places(self) -> Iterable[str]:
        return (link.href for link in self.links)

    def _leads_here(self, place: str) -> bool:
        return self.here == place or self.here.startswith(place + "/")


class Navigation:
    """The links of one application."""

    def __init__(self, app: FastAPI, links: Iterable[NavLink]) -> None:
        self._links = tuple(link for link in links if _exists(app.routes, link.href))

    def head(self, request: Request) -> Head:
        """What the head of this page offers to who asks for it."""
        person: Principal | None = request.scope.get(PERSON)
        links = tuple(link for link in self._links if person and person.has(*link.roles))
        return Head(person, links, has_accounts=True, here=request.url.path)


def head_of(request: Request) -> Head:
    """The same, for an application that may have no navigation."""
    app = request.scope.get("app")
    navigation = getattr(getattr(app, "state", None), "navigation", None)
    if not isinstance(navigation, Navigation):
        return Head()
    return navigation.head(request)


def _exists(routes: Iterable[BaseRoute], path: str) -> bool:
    scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": []}
    return any(route.matches(scope)[0] is Match.FULL for route in routes)
