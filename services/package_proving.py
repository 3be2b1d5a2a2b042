"""Frozen standings against the journal: the shadow calculator recomputes them, the log hash is taken again."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar

from contracts.calendar import local_date, month_of
from contracts.events import PlanPublished
from contracts.packages import PackagePublished, PeriodFrozen
from contracts.plan import Plan
from contracts.streams import FREEZE, INDICATOR, PACKAGE, PLAN
from contracts.wire import from_line
from services.closing import Closer
from services.intake.portal.store import DossierStore
from services.intake.store import IntakeStore
from services.reports.domain.gate import Elsewhere
from services.reports.domain.record import Proof, Record
from services.reports.render.package import software
from services.runtime import mongo
from services.runtime.helper import in_own_process
from services.runtime.journal import Journal
from services.runtime.resources import Resources, resources
from services.runtime.settings import Settings
from services.scoring.shadow import ShadowRow, shadow_standings
from services.scoring.store import ScoringStore

SHOWN = 20
Read = TypeVar("Read")


async def prove(settings: Settings, frozen: PeriodFrozen) -> Proof:
    """Recompute in a process of its own."""
    return await in_own_process(_prove, settings, frozen)


def _prove(settings: Settings, frozen: PeriodFrozen) -> Proof:
    return asyncio.run(_proved(settings, frozen))


async def _proved(settings: Settings, frozen: PeriodFrozen) -> Proof:
    async with resources(settings) as own:
        found = await against_journal(own.journal, frozen)
    return Proof(differences=len(found), first=found[:SHOWN], software=software())


async def against_journal(journal: Journal, frozen: PeriodFrozen) -> list[str]:
    """What differs between a closing and what the journal says up to its instant; one sentence each."""
    plans = await _plans(journal)
    plan = plans.get((frozen.plan, frozen.plan_version))
    if plan is None:
        return [f"plan {frozen.plan} version {frozen.plan_version} was never published"]
    lines: list[bytes] = []
    log_hash = hashlib.sha256()
    packs: list[str] = []
    async for pack in journal.all_packs(INDICATOR.name, frozen.at):
        log_hash.update(pack.id.encode() + b"\n" + pack.body + b"\n")
        packs = [packs[0] if packs else pack.id, pack.id]
        lines += pack.lines
    found = []
    if (packs, len(lines), log_hash.hexdigest()) != (
        frozen.packs,
        frozen.events,
        frozen.log_sha256,
    ):
        found.append("the journal's packs up to the closing are not those that were frozen")
    rows = shadow_standings(
        plan, lines, local_date(frozen.at), {key for key, _ in plans}, [frozen.period]
    )
    return [*found, *_rows(frozen, rows)]


def _rows(frozen: PeriodFrozen, rows: dict[tuple[str, str], ShadowRow]) -> Iterator[str]:
    for row in frozen.standings:
        again = rows.get((row.unit, row.period))
        if again is None:
            yield f"{row.unit}: not in the plan"
            continue
        if (row.points, row.verified_points) != (again.points, again.verified_points):
            yield f"{row.unit}: points {row.points}, recomputed {again.points}"
        if row.indicators != again.indicators:
            yield f"{row.unit}: indicators differ when recomputed"
        excluded = [(e.rule, e.month, tuple(e.facts), e.count) for e in row.exclusions]
        if excluded != again.exclusions or row.eligible != (not again.exclusions):
            yield f"{row.unit}: exclusions differ when recomputed"


async def _plans(journal: Journal) -> dict[tuple[str, int], Plan]:
    found = {}
    async for pack in journal.all_packs(PLAN.name):
        for line in pack.lines:
            plan = PlanPublished.model_validate_json(line).plan
            found[plan.id, plan.version] = plan
    return found


async def against_system(journal: Journal, record: Record, sha256: str) -> list[str]:
    """What differs between a package and the system whose journal this is."""
    found = []
    published = (await _plans(journal)).get((record.plan.id, record.plan.version))
    if published != record.plan:
        found.append("data/plan.json: not the plan that was published")
    closings = [
        event async for event in _events(journal, FREEZE.name, PeriodFrozen.model_validate_json)
    ]
    if (
        next((event for event in closings if event.id == record.frozen.id), None)
        != record.frozen
    ):
        found.append("data/frozen.json: not what was frozen")
    official = [event async for event in _events(journal, PACKAGE.name, _published)]
    if any(
        e is not None and e.package == record.package and e.sha256 != sha256 for e in official
    ):
        found.append("the file is not the one that was published")
    return found + await against_journal(journal, record.frozen)


def _published(line: bytes) -> PackagePublished | None:
    try:
        return PackagePublished.model_validate_json(line)
    except ValueError:  # another event of the topic
        return None


async def _events(
    journal: Journal, topic: str, read: Callable[[bytes], Read]
) -> AsyncIterator[Read]:
    async for pack in journal.all_packs(topic):
        for line in pack.lines:
            yield read(line)


class Elsewheres:
    """What reports asks of intake and scoring: what is set aside that might belong to a period, and closing one."""

    def __init__(self, own: Resources) -> None:
        self.closer = Closer(own)
        intake = mongo.database(own.client, own.settings, "intake")
        self._quarantine = IntakeStore(intake)
        self._portal = DossierStore(intake)
        self._letters = [
            ScoringStore(mongo.database(own.client, own.settings, "scoring")).dead_letters,
            intake["dead_letters"],
        ]

    async def __call__(self, frozen: PeriodFrozen) -> Elsewhere:
        """Open dead letters (nobody can read to which period they belong), and quarantined events up to the closing."""
        letters = 0
        for collection in self._letters:
            letters += await collection.count_documents({"replayed_at": None})
        quarantined = 0
        async for some in self._quarantine.waiting():
            quarantined += sum(_might_count(bytes(one["line"]), frozen) for one in some)
        # What a portal sent in pieces and cannot be told yet: nobody knows to which period it belongs.
        quarantined += await self._portal.dossiers.count_documents({"waits": {"$gt": ""}})
        quarantined += await self._portal.faults.count_documents({})
        return Elsewhere(letters, quarantined)


def _might_count(line: bytes, frozen: PeriodFrozen) -> bool:
    """Whether an event that is set aside might have changed a period: it is this plan's, and not from after it."""
    try:
        event = from_line(line)
    except ValueError:
        return True
    if event.type != "dossier.recorded":
        return event.plan in (None, frozen.plan)
    return month_of(local_date(event.received_at)) <= month_of(local_date(frozen.at))
