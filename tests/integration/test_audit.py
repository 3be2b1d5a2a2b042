"""The audit: append-only, chained, anchored; whatever is done to it shows."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.runtime import mongo
from services.runtime.audit import (
    Audit,
    audited_services,
    canonical,
    network_of,
    read_entries,
    set_origin,
    verify,
)
from services.runtime.clock import FrozenClock
from services.runtime.mongo import Collection
from services.runtime.resources import Resources, resources
from services.runtime.settings import Settings

CLOCK = FrozenClock(datetime(2023, 7, 15, 1, 2, 3, 456_789, tzinfo=UTC))


@pytest.fixture
async def own(settings: Settings) -> AsyncIterator[Resources]:
    async with resources(settings) as own:
        yield own


def audit(own: Resources, service: str = "some") -> Audit:
    return Audit(mongo.database(own.client, own.settings, service), CLOCK)


def entries(own: Resources, service: str = "some") -> Collection:
    found: Collection = own.client[own.settings.database_prefix + service]["audit"]
    return found


async def faults(own: Resources) -> list[str]:
    return (await verify(own.client, own.settings, "some")).faults


async def test_an_entry_says_who_did_what_when_from_where_and_why(own: Resources) -> None:
    set_origin("203.0.113.77")
    await audit(own).record(
        "a1", "item.returned", "s/9", reason="thiếu tệp", detail={"n": 3, "late": True}
    )
    (entry,) = [e async for e in read_entries(own.client, own.settings, "some")]
    said = json.loads(canonical(entry))
    assert said.pop("recorded_at") > "2026"
    assert said == {
        "sequence": 1,
        "at": "2023-07-15T01:02:03.456+00:00",
        "actor": "a1",
        "action": "item.returned",
        "subject": "s/9",
        "where": "203.0.113.0/24",
        "reason": "thiếu tệp",
        "detail": {"n": 3, "late": True},
    }


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("testclient", ""),
        ("", ""),
    ],
)
def test_of_an_address_only_the_network_is_kept(address: str, network: str) -> None:
    assert network_of(address) == network


async def test_many_writers_at_once_leave_no_gap(own: Resources) -> None:
    writers = [audit(own) for _ in range(3)]
    await asyncio.gather(*(w.record("a", "did", f"{n}") for n in range(12) for w in writers))
    verdict = await verify(own.client, own.settings, "some")
    assert (verdict.entries, verdict.anchored, verdict.faults) == (36, 36, [])


@pytest.mark.parametrize(
    ("mischief", "found"),
    [
        (("update_one", {"_id": 3}, {"$set": {"reason": "other"}}), "entry 3 was changed"),
        (("update_one", {"_id": 3}, {"$set": {"detail.n": 4}}), "entry 3 was changed"),
        (("delete_one", {"_id": 3}), "entry 3 is missing; 4 follows"),
        (
            ("delete_many", {"_id": {"$gt": 3}}),
            "the end is missing: 3 entries, but entry 5 was written",
        ),
        (("delete_many", {}), "the end is missing: 0 entries, but entry 5 was written"),
    ],
)
async def test_what_was_changed_or_taken_out_is_found(
    own: Resources, mischief: tuple[Any, ...], found: str
) -> None:
    own_audit = audit(own)
    for n in range(5):
        await own_audit.record("a", "did", "s", detail={"n": n})
    assert await faults(own) == []
    verb, *words = mischief
    await getattr(entries(own), verb)(*words)
    assert found in await faults(own)


async def test_a_chain_that_was_rewritten_with_good_hashes_contradicts_its_anchors(
    own: Resources,
) -> None:
    for n in range(3):
        await audit(own).record("a", "did", "s", detail={"n": n})
    await entries(own).delete_many({})
    forger = audit(own)
    forger._anchors = own.client[own.settings.database_prefix + "elsewhere"]["anchors"]
    for n in range(3):
        await forger.record("a", "did", "s", detail={"n": n + 7})
    assert await faults(own) == [
        f"entry {n} is not the one that was written" for n in (1, 2, 3)
    ]


async def test_a_service_whose_entries_are_gone_is_still_asked_for(own: Resources) -> None:
    await audit(own, "one").record("a", "did", "s")
    await audit(own, "two").record("a", "did", "s")
    await entries(own, "two").drop()
    assert await audited_services(own.client, own.settings) == ["one", "two"]


def test_entries_can_only_be_added() -> None:
    assert [name for name in vars(Audit) if not name.startswith("_")] == ["record"]


def test_only_the_application_that_audits_touches_the_stores_of_accounts() -> None:
    sources = [*(Path(__file__).parents[2] / "services").rglob("*.py")]
    assert sources
    touching = {
        path.name
        for path in sources
        if re.search(r"\b(AccountStore|SessionStore)\(", path.read_text("utf-8"))
    }
    assert touching == {"application.py"}
