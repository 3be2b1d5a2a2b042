"""Fetches from portals that only offer an API to ask: with a cursor that overlaps, back-off, and jitter."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx
from prometheus_client import Counter
from pymongo.errors import PyMongoError

from contracts.calendar import LOCAL
from services.intake.http import MOST_BYTES
from services.intake.portal.application import Receiver
from services.intake.portal.domain.dialects import milliseconds
from services.intake.portal.domain.envelopes import EnvelopeError, opened
from services.intake.portal.domain.national import read_item
from services.runtime.clock import monotonic_seconds, wall_now
from services.runtime.journal import JournalUnavailableError
from services.runtime.logging import get_logger
from services.runtime.mongo import Collection, Database, Document

log = get_logger(__name__)
PULLS = Counter("intake_pulls", "Fetches from portals, by how they ended.", ["source", "how"])
LONGEST_WAIT_SECONDS = 3_600
LOOK_SECONDS = 1
TIMEOUT_SECONDS = 30
MOST_PAGES = 2_000
FORMS = {"compact": "%Y%m%d%H%M%S", "iso": "%Y-%m-%dT%H:%M:%S+07:00", "date": "%d/%m/%Y"}


class PullError(Exception):
    """A fetch failed and is tried again later; `code` says why, in words without content."""

    def __init__(self, code: str, wait_seconds: int = 0) -> None:
        super().__init__(code)
        self.code = code
        self.wait_seconds = wait_seconds


@dataclass(frozen=True, slots=True)
class Api:
    """How one portal is asked."""

    url: str
    authorization: str = ""
    since_name: str = "tuNgay"
    until_name: str = "denNgay"
    page_name: str = "trang"
    form: str = "compact"
    every_seconds: int = 300
    overlap_seconds: int = 3_600
    """So far behind the cursor is asked again: portals commit late, and repeats change nothing."""


def waits_after(api: Api, failures: int, chance: float) -> float:
    """Seconds until the next fetch: the interval, doubled for each failure up to an hour, give or take a tenth."""
    doubled = api.every_seconds << min(failures, 20)
    plain = min(doubled, max(LONGEST_WAIT_SECONDS, api.every_seconds))
    return plain * (0.9 + 0.2 * chance)


class PullStore:
    """Cursors, in intake's own database."""

    def __init__(self, database: Database) -> None:
        self._sources: Collection = database["sources"]
        self._pulls: Collection = database["pulls"]

    async def apis(self) -> dict[str, Api]:
        """The portals to ask, by source."""
        wanted = {"pull": {"$exists": True}, "disabled": {"$ne": True}}
        found = await self._sources.find(wanted, {"pull": 1}).to_list(None)
        return {one["_id"]: Api(**one["pull"]) for one in found}

    async def set_api(self, source: str, api: Api) -> None:
        """Ask this portal from now on."""
        values = {name: getattr(api, name) for name in Api.__slots__}
        await self._sources.update_one({"_id": source}, {"$set": {"pull": values}}, upsert=True)

    async def cursor(self, source: str) -> datetime | None:
        """Up to when everything was fetched."""
        found = await self._pulls.find_one({"_id": source})
        return None if found is None else found.get("cursor")

    async def tell(self, source: str, **facts: object) -> None:
        """How the last fetch ended."""
        await self._pulls.update_one({"_id": source}, {"$set": facts}, upsert=True)

    async def all(self) -> list[Document]:
        """How the last fetches ended."""
        return await self._pulls.find({}).sort("_id", 1).to_list(None)


@dataclass(slots=True)
class _Due:
    at: float
    failures: int = 0


@dataclass(slots=True)
class Puller:
    """Asks all portals, each at its own pace."""

    store: PullStore
    receiver: Receiver
    client: httpx.AsyncClient
    _due: dict[str, _Due] = field(default_factory=dict)

    async def keep_up(self) -> None:
        """Fetch for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                apis = await self.store.apis()
            except PyMongoError:
                continue
            for source, api in apis.items():
                due = self._due.setdefault(source, _Due(0))
                if due.at <= monotonic_seconds():
                    await self.try_once(source, api)

    async def try_once(self, source: str, api: Api) -> None:
        """Fetch once, and decide when to fetch again."""
        due = self._due.setdefault(source, _Due(0))
        wait = 0.0
        try:
            items = await self.fetch(source, api)
        except (PullError, httpx.HTTPError, JournalUnavailableError, PyMongoError) as error:
            due.failures += 1
            code = error.code if isinstance(error, PullError) else type(error).__name__
            wait = error.wait_seconds if isinstance(error, PullError) else 0
            PULLS.labels(source, "failed").inc()
            log.warning(
                "portal could not be fetched", source=source, why=code, tries=due.failures
            )
            await self.store.tell(
                source, failures=due.failures, error=code, tried_at=wall_now()
            )
        else:
            due.failures = 0
            PULLS.labels(source, "fetched").inc()
            facts = {"failures": 0, "error": "", "items": items, "tried_at": wall_now()}
            await self.store.tell(source, **facts)
        chance = random.random()  # noqa: S311  # nosec B311  # so that sources do not march in step
        due.at = monotonic_seconds() + max(wait, waits_after(api, due.failures, chance))

    async def fetch(self, source: str, api: Api) -> int:
        """Everything since the cursor, less the overlap; then the cursor moves. Returns how many items came.

        Raises:
            PullError: the portal did not answer as it should; the cursor stays.
        """
        until = self.receiver.clock.now()
        cursor = await self.store.cursor(source) or self._beginning(until)
        since = cursor - timedelta(seconds=api.overlap_seconds)
        count = 0
        async for body in self._pages(api, since, until):
            count += await self._take(source, body)
        await self.store.tell(source, cursor=until)
        return count

    def _beginning(self, now: datetime) -> datetime:
        """The first day of the earliest competition."""
        starts = [plan.starts_on for plan in self.receiver.known.plans.values()]
        first = min(starts, default=now.astimezone(LOCAL).date())
        return datetime.combine(first, datetime.min.time(), LOCAL)

    async def _pages(self, api: Api, since: datetime, until: datetime) -> AsyncIterator[bytes]:
        before = b""
        for page in range(1, MOST_PAGES + 1):
            body = await self._ask(api, since, until, page)
            digest = hashlib.sha256(body).digest()
            if digest == before:  # a portal that knows no pages
                return
            before = digest
            if not _items(body):
                return
            yield body
        raise PullError("too many pages")

    async def _ask(self, api: Api, since: datetime, until: datetime, page: int) -> bytes:
        form = FORMS[api.form]
        query = {
            api.since_name: since.astimezone(LOCAL).strftime(form),
            api.until_name: until.astimezone(LOCAL).strftime(form),
            api.page_name: str(page),
        }
        headers = {"Authorization": api.authorization} if api.authorization else {}
        async with self.client.stream("GET", api.url, params=query, headers=headers) as answer:
            if answer.status_code != httpx.codes.OK:
                wait = answer.headers.get("retry-after", "0")
                raise PullError(
                    f"HTTP {answer.status_code}", int(wait) if wait.isdecimal() else 0
                )
            chunks, size = [], 0
            async for chunk in answer.aiter_bytes():
                size += len(chunk)
                if size > MOST_BYTES:
                    raise PullError("the answer is too large")
                chunks.append(chunk)
        return b"".join(chunks)

    async def _take(self, source: str, body: bytes) -> int:
        envelope = opened(body, {})
        now = milliseconds(self.receiver.clock.now())
        items = [read_item(item, envelope.service, now) for item in envelope.items]
        await self.receiver.take(source, items)
        return len(items)


def _items(body: bytes) -> list[object]:
    try:
        envelope = opened(body, {})
    except EnvelopeError as error:
        raise PullError(f"no payload: {error.code}") from None
    return envelope.items


def client() -> httpx.AsyncClient:
    """What asks; redirects are not followed, so that a portal cannot send us elsewhere."""
    return httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False)
