"""The addresses of what is changed by drafts: shown first, applied by people."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from services.runtime.access.rules import access
from services.runtime.auth import Role

READERS = (Role.REVIEWER, Role.OBSERVER)
Page = Callable[..., Any]


def draft_router(address: str, whole: tuple[Page, Page], one: tuple[Page, Page]) -> APIRouter:
    """Of all that is known and of one draft: (its page, what is posted to it)."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    readers, changers = access(*READERS), access(Role.REVIEWER)
    for path, (read, change) in ((address, whole), (f"{address}/drafts/{{number}}", one)):
        router.add_api_route(path, read, methods=["GET"], openapi_extra=readers)
        router.add_api_route(path, change, methods=["POST"], openapi_extra=changers)
    return router
