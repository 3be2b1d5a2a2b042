"""Fixtures that all tests share."""

import signal
from collections.abc import Iterator

import pytest

from tests.support.databases import databases, settings

__all__ = ["databases", "settings"]


@pytest.fixture(scope="session", autouse=True)
def _a_dead_loop_fails_its_test() -> Iterator[None]:
    """A worker whose loop dies ends its process; here it is in the process of the tests."""

    def failed(*_: object) -> None:
        raise RuntimeError("a watched loop died: the log says which, and of what")

    before = signal.signal(signal.SIGTERM, failed)
    yield
    signal.signal(signal.SIGTERM, before)
