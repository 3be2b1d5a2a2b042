"""A real Redis and a real MongoDB for the tests of one worker, and settings that share nothing."""

import tempfile
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.runtime.embedded import Addresses, embedded_databases
from services.runtime.settings import Settings


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def databases() -> AsyncIterator[Addresses]:
    """Started once for each worker, when a test first needs them."""
    with tempfile.TemporaryDirectory(prefix="thidua-", ignore_cleanup_errors=True) as folder:
        async with embedded_databases(Path(folder)) as addresses:
            yield addresses


@pytest.fixture
def settings(databases: Addresses, tmp_path: Path) -> Settings:
    """Settings with databases, streams and keys of their own."""
    return settings_apart(databases, tmp_path)


def settings_apart(databases: Addresses, folder: Path, **changes: Any) -> Settings:
    """The same, for what several tests share."""
    mark = f"t{uuid.uuid4().hex[:10]}"
    update = {
        "mongo_url": databases.mongo_url,
        "redis_url": databases.redis_url,
        "database_prefix": f"{mark}_",
        "stream_prefix": f"{mark}:",
        "keys_dir": folder / "keys",
        **changes,
    }
    return Settings().model_copy(update=update)
