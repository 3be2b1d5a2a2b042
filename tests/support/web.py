"""The whole web application in this process, on real databases."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.app import Front, create_app
from services.runtime.settings import Settings


@asynccontextmanager
async def started(settings: Settings) -> AsyncIterator[Front]:
    """The application, from its start to its end."""
    front = create_app(settings)
    async with front.app.router.lifespan_context(front.app):
        yield front
