"""Fixtures that all tests share."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.support.databases import databases, settings

__all__ = ["databases", "settings"]
LONGEST_IN_A_NAME = 120


@pytest.fixture(scope="session", autouse=True)
def _a_dead_loop_fails_its_test() -> Iterator[None]:
    """A worker whose loop dies ends its process; here it is in the process of the tests."""

    def failed(*_: object) -> None:
        raise RuntimeError("a watched loop died: the log says which, and of what")

    before = signal.signal(signal.SIGTERM, failed)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What may take longest begins first: begun last, one test would keep the other workers waiting."""

    def limit(item: pytest.Item) -> float:
        mark = item.get_closest_marker("timeout")
        return float(mark.args[0]) if mark else 0.0

    items.sort(key=limit, reverse=True)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tests of a group share a running system; scattered over workers, each would start its own, unseen."""
    scattered = [
        item.nodeid
        for item in session.items
        if item.get_closest_marker("xdist_group") and "@" not in item.nodeid
    ]
    if "PYTEST_XDIST_WORKER" in os.environ and scattered:
        raise pytest.UsageError(f"groups are not in effect (--dist loadgroup): {scattered[0]}")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Long values are files and tokens, which each worker makes anew: the name must not hold them."""
    return argname if isinstance(val, str | bytes) and len(val) > LONGEST_IN_A_NAME else None
