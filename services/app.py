"""One origin: the web faces of all services in one process. `python -m services.app`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, cast

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from services.changing import candidate_of, moves_of, moves_of_alias, publisher, retelling
from services.intake.app import IntakeWeb
from services.intake.http import INDICATOR_EVENTS, PORTAL_EVENTS, Endpoint, doors
from services.intake.portal.http import LOGIN, NATIONAL, documented
from services.intake.sheets.http import sheet_api
from services.intake.workspace.app import WorkspaceWeb, workspace_routes
from services.intake.workspace.pages import workspace_site
from services.intake.workspace.refusals import answer_refusals as answer_workspace_refusals
from services.notifier.app import NotifierWeb
from services.notifier.http import alerts_api
from services.notifier.reading import Ledger
from services.package_proving import Elsewheres, prove
from services.points import BoardPoints
from services.publishing import publish
from services.reports.collecting import Collection
from services.reports.collecting_http import nominations_api
from services.reports.http import Office, packages_api
from services.reports.pages import reports_site
from services.reports.web import ReportsWeb, answer_refusals as answer_package_refusals
from services.runtime import metrics, tracing
from services.runtime.access.app import AccessWeb
from services.runtime.access.application import Access
from services.runtime.access.entrance import Entrance
from services.runtime.access.guard import Guard
from services.runtime.access.http import access_api
from services.runtime.access.pages import access_site
from services.runtime.access.refusals import Refusals
from services.runtime.access.rules import everybody
from services.runtime.auth import AuthError, Role, TokenVerifier, bearer
from services.runtime.health import Health
from services.runtime.keys import Keys, PublicKeys
from services.runtime.logging import configure, get_logger
from services.runtime.process import serve, settle
from services.runtime.resources import Resources, resources
from services.runtime.settings import Settings, from_environment
from services.runtime.web.compression import compressed
from services.runtime.web.headers import SafeHeaders, add_missing
from services.runtime.web.navigation import Navigation, NavLink
from services.runtime.web.site import Site, answer_errors_with_pages
from services.scoring.asof import PastBoards
from services.scoring.closing_http import closing_api
from services.scoring.leaderboard.app import LeaderboardWeb
from services.scoring.leaderboard.audience import Audience
from services.scoring.leaderboard.feed import Feed
from services.scoring.leaderboard.http import standings_api
from services.scoring.leaderboard.pages import leaderboard_site

log = get_logger(__name__)
NAME = "Thi Đua"
_UNITS = (Role.OFFICER, Role.HEAD)
_STANDING = (Role.REVIEWER, Role.OBSERVER)
_OVERSIGHT = (Role.REVIEWER, Role.OBSERVER, Role.LEADER)
LINKS = (
    NavLink("/submit", "Báo cáo tháng", "Monthly report", _UNITS),
    NavLink("/review", "Thẩm định", "Review", (Role.REVIEWER,)),
    NavLink("/review/quarantine", "Hồ sơ đang chờ", "Waiting dossiers", _STANDING),
    NavLink("/sheets", "Nhập tệp", "Import a sheet", (*_UNITS, Role.REVIEWER)),
    NavLink("/alerts", "Cảnh báo", "Alerts", (*_UNITS, *_OVERSIGHT)),
    NavLink("/packages", "Hồ sơ khen thưởng", "Award packages", _OVERSIGHT),
    NavLink("/staff", "Bảng nghiệp vụ", "Staff board", (*_UNITS, *_OVERSIGHT)),
    NavLink("/people", "Tài khoản người dùng", "People", (Role.ADMIN,)),
)
"""Places of work in the head of every page; those without a route are not shown."""
DESCRIPTION = """Thi Đua: events of an emulation movement in, exact unit totals and a live leaderboard out."""


_READS = frozenset({"GET", "HEAD", "OPTIONS"})


def _place(scope: Scope) -> str:
    """What a request is about, without the codes of its path: some of them open doors."""
    parts = scope["path"].strip("/").split("/")
    return f"{scope['method']} /{'/'.join(parts[:4] if parts[0] == 'api' else parts[:1])}"


class WorkerReadiness:
    """Whether the workers that this process was told of are ready, asked each second."""

    def __init__(self, urls: tuple[str, ...]) -> None:
        self._urls = urls
        self._troubles: dict[str, str] = dict.fromkeys(urls, "not asked yet")

    def watched_by(self, health: Health) -> None:
        """Ask, if there is anybody to be asked."""
        if self._urls:
            health.watch("workers", self.ask())

    async def ask(self) -> None:
        """Ask for ever."""
        async with httpx.AsyncClient(timeout=2) as client:
            while True:
                for url in self._urls:
                    self._troubles[url] = await self._one(client, url)
                await asyncio.sleep(1 if not self.trouble() else 0.1)

    @staticmethod
    async def _one(client: httpx.AsyncClient, url: str) -> str:
        try:
            answer = await client.get(f"{url}/readyz")
        except httpx.HTTPError:
            return "does not answer"
        return "" if answer.status_code == 200 else answer.text[:200]  # noqa: PLR2004

    def trouble(self) -> str | None:
        """None when all workers are ready."""
        return next((f"{url}: {why}" for url, why in self._troubles.items() if why), None)


class Front:
    """Stands before FastAPI: what is posted to a door with a token goes straight to it.

    That halves the cost of a single event. Everything else comes in through the entrance.
    """

    def __init__(self, app: FastAPI, refusals: Refusals) -> None:
        self.app = app
        self.entrance = Entrance(app, refusals.answer)
        self._inside = SafeHeaders(compressed(self.entrance))
        self._refusals = refusals
        refusals.mount(app)
        self.doors: dict[str, Endpoint] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what may change something is traced, where anything is."""
        if tracing.is_on() and scope["type"] == "http" and scope["method"] not in _READS:
            with tracing.begin(_place(scope), Headers(scope=scope).get("traceparent")):
                await self._answer(scope, receive, send)
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        posted = scope["type"] == "http" and scope["method"] == "POST"
        door = self.doors.get(scope["path"]) if posted else None
        request = Request(scope, receive) if door else None
        if door is None or request is None or bearer(request) is None:
            await self._inside(scope, receive, send)
            return
        try:
            response = await door(request)
        except AuthError as error:
            response = await self._refusals.answer(request, error)
        except Exception:
            log.exception("a door failed", path=scope["path"])
            response = JSONResponse({"error": "internal"}, 500)
        add_missing(response.headers)
        await response(scope, receive, send)


def create_app(settings: Settings) -> Front:
    """All web faces on one origin."""
    health, site, packages_site = Health(), leaderboard_site(), reports_site(NAME)
    workers = WorkerReadiness(settings.worker_urls)
    health.check("workers", workers.trouble)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            own = await stack.enter_async_context(resources(settings))
            past = stack.enter_context(PastBoards(settings, own.journal, retelling))
            verifier = TokenVerifier(PublicKeys(Keys(settings.keys_dir)))
            people = AccessWeb(own, verifier, access_site(NAME))
            intake = IntakeWeb(own, people.guard)
            board = LeaderboardWeb(
                own, site, people.guard, past, (candidate_of, publisher(own))
            )
            desk = WorkspaceWeb(
                own, intake.intake, people.guard, BoardPoints(board.feed), workspace_site()
            )
            people.units = board.units
            front.doors = intake.endpoints
            front.entrance.find_session = people.access.find_session
            intake.mount(
                app,
                partial(moves_of, past),
                partial(publish, own),
                partial(moves_of_alias, past),
            )
            alerts = NotifierWeb(own, people.guard)
            reports = ReportsWeb(
                own, packages_site, people.guard, Elsewheres(own), partial(prove, settings)
            )
            for pages in (people, board, alerts, desk, reports):
                pages.mount(app)
            for face in (people, intake, board, alerts, desk, reports):
                await stack.enter_async_context(face.running(health))
            app.state.navigation = Navigation(app, LINKS)
            await _open(own, health, workers)
            yield
            await health.stop()

    app = _empty_app(lifespan)
    front = Front(app, Refusals(site))
    _operations(app, health)
    _answer_errors(app, site, packages_site)
    return front


async def _open(own: Resources, health: Health, workers: WorkerReadiness) -> None:
    """Everything is wired: listen to the bus, watch the workers."""
    await own.start_bus(health)
    workers.watched_by(health)
    settle()


def _answer_errors(app: FastAPI, site: Site, packages_site: Site) -> None:
    answer_errors_with_pages(app, site)
    answer_workspace_refusals(app, site)
    answer_package_refusals(app, packages_site)


def _empty_app(lifespan: Any = None) -> FastAPI:  # noqa: ANN401 - what FastAPI takes
    return FastAPI(
        title=NAME,
        description=DESCRIPTION,
        version="0.1.0",
        lifespan=lifespan,
        docs_url=None,  # its page would load scripts from elsewhere; the document itself stays
        redoc_url=None,
    )


def openapi() -> dict[str, Any]:
    """The OpenAPI document of all faces, without starting anything."""
    app = _empty_app()
    app.include_router(doors(dict.fromkeys((PORTAL_EVENTS, INDICATOR_EVENTS), _not_running)))
    app.include_router(documented(dict.fromkeys((NATIONAL, LOGIN), _not_running)))
    app.include_router(sheet_api(None, None))
    app.include_router(standings_api(Audience(cast("Feed", None))))
    for routes in workspace_routes():
        app.include_router(routes)
    office, guard = cast("Office", None), cast("Guard", None)
    app.include_router(access_api(cast("Access", None), guard))
    app.include_router(alerts_api(cast("Ledger", None), guard))
    app.include_router(closing_api(cast("Resources", None), guard))
    app.include_router(packages_api(office, guard))
    app.include_router(nominations_api(office, cast("Collection", None), guard))
    _operations(app, Health())
    return app.openapi()


async def _not_running(_: Request) -> Response:
    return Response(status_code=503)


def _operations(app: FastAPI, health: Health) -> None:
    @app.get("/healthz", tags=["operations"], openapi_extra=everybody())
    async def healthz() -> dict[str, bool]:
        return {"alive": True}

    @app.get("/readyz", tags=["operations"], openapi_extra=everybody())
    async def readyz() -> Response:
        troubles = health.troubles()
        return JSONResponse(troubles or {"ready": True}, 503 if troubles else 200)

    @app.get("/metrics", tags=["operations"], openapi_extra=everybody())
    async def measured() -> Response:
        return metrics.exposition()


def main() -> None:
    """Run the web process until it is told to stop."""
    settings = from_environment(Settings)
    configure(settings.log_level, "web")
    tracing.configure(settings, "web")
    serve(create_app(settings), settings)


if __name__ == "__main__":
    main()
