"""Whatever fits the OpenAPI document or a form, or nearly fits it, is answered: nothing makes the application fail."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings as trying

from services.app import openapi
from services.publishing import publish_directory
from services.runtime.auth import Keys, Role, issue
from services.runtime.embedded import Addresses
from tests.support import forms
from tests.support.databases import settings_apart
from tests.support.web import served

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("fuzz")]
FOLDER = Path(__file__).parents[2] / "deploy/plans/phung-hiep-2023"
CASES = 300
"""In all, shared by the operations."""
LEAST = 4
UNAVAILABLE = 503
"""An honest answer of what is not ready, or cannot write."""


def operations() -> list[Any]:
    """Every documented operation that ends by itself, and intake's forms; a document that is wrong fails here."""
    found: list[Any] = []
    for described in (openapi(), forms.document()):
        found += schemathesis.openapi.from_dict(described).get_all_operations()
    all_of_them = [result.ok() for result in found]
    return [operation for operation in all_of_them if not operation.path.endswith("/stream")]


OPERATIONS = operations()


@pytest.fixture(scope="module")
def address(
    databases: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """(where it is served, a token that may do everything)."""
    settings = settings_apart(databases, tmp_path_factory.mktemp("fuzz"))
    asyncio.run(publish_directory(settings, FOLDER))
    token = issue(Keys(settings.keys_dir).signing(), Role.ADMIN)
    with served(settings) as url:
        yield url, token


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: f"{o.method} {o.path}")
def test_nothing_makes_it_fail(operation: Any, address: tuple[str, str]) -> None:
    url, token = address

    @trying(
        max_examples=max(LEAST, CASES // len(OPERATIONS)),
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def attempt(case: Any) -> None:
        answer = case.call(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60
        )
        assert answer.status_code < 500 or answer.status_code == UNAVAILABLE, (
            answer.status_code,
            answer.text,
        )

    attempt()
