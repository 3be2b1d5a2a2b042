"""Who did what, when, from where and why: one hash-chained list of entries for each service, in its own database.

Entries are numbered without gaps, and each one's hash covers the one before, so that nothing in the middle can be
changed or taken out unseen. Number and hash of each entry also stand in the database `journal`, so that a tail that
was cut off is missed.
"""

import asyncio
import hashlib
import ipaddress
import json
from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from pymongo.errors import DuplicateKeyError

from services.runtime.clock import wall_now
from services.runtime.mongo import Client, Database, Document, neighbour, prefix_of
from services.runtime.settings import Settings

COLLECTION = "audit"
ANCHORS = "audit_anchors"
JOURNAL = "journal"
LONGEST_REASON = 2_000
SHOWN_FAULTS = 20
_FIRST = "0" * 64
_TRIES = 50
_came_from: ContextVar[str] = ContextVar("came_from", default="")

Detail = Mapping[str, str | int | bool]


class TellsTime(Protocol):
    """The domain's clock, or one that stands."""

    def now(self) -> datetime:
        """The domain's instant."""


class AuditBusyError(Exception):
    """Too many processes wrote at once; nothing was recorded."""


def set_origin(address: str) -> None:
    """Remember, for the request that is being answered, from which network it came; never the whole address."""
    _came_from.set(address)


def network_of(address: str) -> str:
    """The network of an address: enough to tell an office from elsewhere, too little to point at a person."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    bits = 24 if parsed.version == 4 else 48  # noqa: PLR2004 - IPv4
    return str(ipaddress.ip_network((parsed, bits), strict=False))


class Audit:
    """Append-only: there is no way to change or remove an entry."""

    def __init__(self, database: Database, clock: TellsTime) -> None:
        self._entries = database[COLLECTION]
        self._anchors = neighbour(database, JOURNAL)[ANCHORS]
        self._service = database.name[len(prefix_of(database)) :]
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()

    async def record(
        self,
        actor: str,
        action: str,
        subject: str,
        *,
        reason: str = "",
        detail: Detail | None = None,
    ) -> None:
        """Return when the entry is durable; call it before the change itself, so that no change lacks its entry.

        Actor and subject are codes, never names.
        """
        content: Document = {
            "at": _cut(self._clock.now()),
            "recorded_at": _cut(wall_now()),
            "actor": actor,
            "action": action,
            "subject": subject,
            "where": network_of(_came_from.get()),
            "reason": reason[:LONGEST_REASON],
            "detail": dict(detail or {}),
        }
        async with self._one_at_a_time:
            entry = await self._append(content)
        await self._anchors.insert_one(
            {
                "_id": anchor_id(self._service, entry["_id"]),
                "sequence": entry["_id"],
                "hash": entry["hash"],
            }
        )

    async def _append(self, content: Document) -> Document:
        """Take the next number; another process that was faster makes this one try the number after."""
        for _ in range(_TRIES):
            last = await self._entries.find_one({}, sort=[("_id", -1)])
            number, previous = (last["_id"], last["hash"]) if last else (0, _FIRST)
            entry = {"_id": number + 1, **content, "previous": previous}
            entry["hash"] = entry_hash(entry)
            try:
                await self._entries.insert_one(entry)
            except DuplicateKeyError:
                continue
            return entry
        raise AuditBusyError


def anchor_id(service: str, sequence: int) -> str:
    """The key of an anchor; keys of one service sort by sequence."""
    return f"{service}:{sequence:012d}"


def canonical(entry: Document) -> str:
    """An entry's content as the text that is hashed and exported."""
    said = {
        "sequence": entry["_id"],
        "at": entry["at"].isoformat(timespec="milliseconds"),
        "recorded_at": entry["recorded_at"].isoformat(timespec="milliseconds"),
        **{key: entry[key] for key in ("actor", "action", "subject", "where", "reason")},
        "detail": entry["detail"],
    }
    return json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def entry_hash(entry: Document) -> str:
    """SHA-256 over the previous hash and the content."""
    return hashlib.sha256(f"{entry['previous']}\n{canonical(entry)}".encode()).hexdigest()


@dataclass(slots=True)
class Verdict:
    """What a check of one service's entries found."""

    service: str
    entries: int = 0
    anchored: int = 0
    """The last number that has an anchor."""
    last_hash: str = _FIRST
    faults: list[str] = field(default_factory=list)


async def audited_services(client: Client, settings: Settings) -> list[str]:
    """The services that have entries, or had some according to the anchors."""
    prefix = settings.database_prefix
    found = set()
    for name in await client.list_database_names():
        if name.startswith(prefix) and COLLECTION in await client[name].list_collection_names():
            found.add(name[len(prefix) :])
    anchors = client[prefix + JOURNAL][ANCHORS]
    async for anchor in anchors.find({}, {"_id": 1}):
        found.add(anchor["_id"].partition(":")[0])
    return sorted(found)


async def read_entries(
    client: Client, settings: Settings, service: str
) -> AsyncIterator[Document]:
    """All entries of a service, in order."""
    database = client.get_database(settings.database_prefix + service)
    async for entry in database[COLLECTION].find({}).sort("_id", 1):
        yield entry | {key: entry[key].replace(tzinfo=UTC) for key in ("at", "recorded_at")}


async def verify(client: Client, settings: Settings, service: str) -> Verdict:
    """Recompute a service's chain and compare it with its anchors."""
    verdict = Verdict(service)
    anchors = client[settings.database_prefix + JOURNAL][ANCHORS]
    wanted = {"_id": {"$gte": f"{service}:", "$lt": f"{service};"}}
    known = {a["sequence"]: a["hash"] async for a in anchors.find(wanted)}
    async for entry in read_entries(client, settings, service):
        _check(verdict, entry, known.get(entry["_id"]))
    verdict.anchored = max(known, default=0)
    if verdict.anchored > verdict.entries:
        verdict.faults.append(
            f"the end is missing: {verdict.entries} entries, but entry {verdict.anchored} was written"
        )
    return verdict


def _check(verdict: Verdict, entry: Document, anchored: str | None) -> None:
    number, expected = entry["_id"], verdict.entries + 1
    if number != expected:
        verdict.faults.append(f"entry {expected} is missing; {number} follows")
    if entry["previous"] != verdict.last_hash:
        verdict.faults.append(f"entry {number} does not follow the entry before it")
    if entry["hash"] != entry_hash(entry):
        verdict.faults.append(f"entry {number} was changed")
    elif anchored is not None and anchored != entry["hash"]:
        verdict.faults.append(f"entry {number} is not the one that was written")
    verdict.entries, verdict.last_hash = number, entry["hash"]


def _cut(instant: datetime) -> datetime:
    """To the millisecond, as the database keeps it."""
    utc = instant.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)
