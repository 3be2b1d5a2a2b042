"""An upgrade loses and changes nothing: the packs of earlier releases give the standings that those releases gave."""

import base64
import gzip
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.plan import Plan
from services.runtime.consuming import from_entry
from services.runtime.journal import Pack, from_document
from services.scoring.shadow import shadow_standings
from tests.contract.record import FOLDER, PERIODS, standings
from tests.support.facts import ROOMY

RECORDS = sorted(FOLDER.glob("*.json.gz"))


@pytest.fixture(params=RECORDS, ids=lambda path: path.name.removesuffix(".json.gz"))
def record(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What a release recorded of itself."""
    path: Path = request.param
    found: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    return found


def packs_of(record: dict[str, Any]) -> list[Pack]:
    """Its packs, as today's journal reads them from the database."""
    return [
        from_document(
            "indicator",
            stored
            | {
                "at": datetime.fromisoformat(stored["at"]),
                "body": base64.b64decode(stored["body"]),
            },
        )
        for stored in record["packs"]
    ]


def lines_of(record: dict[str, Any]) -> list[bytes]:
    return [line for pack in packs_of(record) for line in pack.lines]


def test_there_is_a_record() -> None:
    assert [path.name for path in RECORDS] == ["0.2.0.json.gz"]


def test_todays_code_says_of_an_earlier_journal_what_its_release_said(
    record: dict[str, Any],
) -> None:
    plan = Plan.model_validate(record["plan"])
    assert standings(lines_of(record), plan) == record["standings"]
    assert any(points for points, _, _ in record["standings"].values())
    assert not all(eligible for _, _, eligible in record["standings"].values())


def test_so_does_the_second_calculator(record: dict[str, Any]) -> None:
    plan = Plan.model_validate(record["plan"])
    rows = shadow_standings(plan, lines_of(record), ROOMY, periods=PERIODS)
    found = {f"{unit}|{period}": row.points for (unit, period), row in rows.items()}
    assert found == {key: points for key, (points, _, _) in record["standings"].items()}


def test_while_both_run_each_reads_what_the_other_announces(record: dict[str, Any]) -> None:
    """In a rolling upgrade packs of both releases are on the bus: today's reader takes an old entry, and
    what today's writer adds stands in a field of its own, which the old reader passes over."""
    pack = packs_of(record)[0]
    entry = {key.encode(): _as_sent(value) for key, value in pack.entry().items()}
    assert set(entry) == {b"id", b"topic", b"shard", b"at", b"count", b"body"}
    assert from_entry(entry) == pack
    traced = from_entry(entry | {b"traces": b"00-1-2-01"})
    assert traced.body == pack.body


def _as_sent(value: bytes | str | int) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
