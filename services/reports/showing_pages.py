"""What a package shows: its documents, what differs from another one, and the reveal for the award meeting."""

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from services.reports.comparing import compared
from services.reports.domain.figures import BlocFigures, Figures, in_order_of_places
from services.reports.http import WHO_SEES
from services.reports.pages import Desk
from services.runtime.access.rules import access


def showing_pages(desk: Desk) -> APIRouter:
    """The routes below `/packages/{key}` that only show."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    _add_documents(router, desk)
    _add_ceremony(router, desk)
    return router


def _add_documents(router: APIRouter, desk: Desk) -> None:
    @router.get("/packages/{key}/documents/{slug:path}", openapi_extra=access(*WHO_SEES))
    async def document_page(request: Request, key: str, slug: str) -> HTMLResponse:
        """One document, to read in the browser."""
        view = await desk.view(request, key)
        document = await desk.office.archives.document(view.package, slug)
        return desk.site.page(request, "document.html", view=view, document=document, slug=slug)

    @router.get("/packages/{key}/compare", openapi_extra=access(*WHO_SEES))
    async def compare_page(request: Request, key: str, other: str = "") -> HTMLResponse:
        """What differs between two packages."""
        view = await desk.view(request, key)
        store = desk.office.packages.store
        others = [p for p in await store.packages() if p.id != key and p.build.done]
        against = next((p for p in others if p.id == other), None)
        lines = []
        if against is not None and view.package.build.done:
            mine = await desk.office.archives.figures(view.package)
            theirs = await desk.office.archives.figures(against)
            lines = await asyncio.to_thread(compared, mine, theirs)
        return desk.site.page(
            request, "compare.html", view=view, others=others, against=against, lines=lines
        )


def _add_ceremony(router: APIRouter, desk: Desk) -> None:
    @router.get("/packages/{key}/ceremony", openapi_extra=access(*WHO_SEES))
    async def ceremony(request: Request, key: str, bloc: str = "") -> HTMLResponse:
        """The reveal, from last to first."""
        view = await desk.view(request, key)
        figures = await desk.office.archives.figures(view.package)
        chosen = _bloc(figures, bloc)
        return desk.site.page(
            request,
            "ceremony.html",
            view=view,
            chosen=chosen,
            lines=in_order_of_places(chosen),
            figures=figures,
        )


def _bloc(figures: Figures, code: str) -> BlocFigures:
    return next((bloc for bloc in figures.blocs if bloc.bloc.code == code), figures.blocs[0])
