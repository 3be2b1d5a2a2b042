"""Closing periods: standings folded from the journal up to one instant, and published as one event that never changes.

A closing is first written down (which period, as of which instant, by whom: the first one holds), then made. All that
it says follows from that and from the journal, so a crash at any point, or a second worker, makes the same event.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from pymongo.errors import DuplicateKeyError, PyMongoError

from contracts.calendar import local_date, month_of, months_of
from contracts.events import PlanPublished, Standing
from contracts.evidence import AnySubmission, index_hash, index_of, parsed
from contracts.packages import (
    Adjustment,
    EvidencePosition,
    NearExclusion,
    PeriodFrozen,
    ThingShown,
)
from contracts.plan import Plan, in_force
from contracts.streams import FREEZE, INDICATOR, PLAN, SUBMISSION
from services.runtime.clock import Clock, wall_milliseconds
from services.runtime.helper import in_own_process
from services.runtime.journal import Journal, JournalUnavailableError
from services.runtime.logging import get_logger
from services.runtime.mongo import Collection, Document
from services.runtime.resources import resources
from services.runtime.settings import Settings
from services.scoring.application import row_document
from services.scoring.domain.closing import due, last_day
from services.scoring.domain.eligibility import counted
from services.scoring.domain.facts import ClaimFact
from services.scoring.domain.fold import Fold, UnknownPlanError

log = get_logger(__name__)
LOOK_SECONDS = 1.0
SETTLE_MILLISECONDS = 3_000
"""Real time between a closing's instant and its making, in which slow writes to the journal end."""
CLOCK_ACCOUNT = "clock"


class ClosingError(ValueError):
    """A period cannot be closed."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Closings:
    """The closings that were asked for, written down durably before anything else happens."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def ask(self, plan: str, period: str, at: datetime, cause: str, by: str) -> Document:
        """Write a closing down; who asks later gets the one that is there."""
        key = f"{plan}:{period}"
        asked: Document = {
            "_id": key,
            "plan": plan,
            "period": period,
            "at": at,
            "cause": cause,
            "by": by,
            "asked_ms": wall_milliseconds(),
            "frozen": None,
        }
        with suppress(DuplicateKeyError):
            await self._collection.insert_one(asked)
            log.info("closing asked for", plan=plan, period=period, cause=cause)
        return await self._collection.find_one({"_id": key}) or asked

    async def by_hand(
        self, versions: Mapping[int, Plan], period: str, now: datetime, by: str
    ) -> Document:
        """Close a period now, because somebody says so.

        Raises:
            ClosingError: the plan has no such period, or it still runs.
        """
        plan = self.check(versions, period, now)
        return await self.ask(plan.id, period, now, "hand", by)

    @staticmethod
    def check(versions: Mapping[int, Plan], period: str, now: datetime) -> Plan:
        """The version by which a period may be closed by hand.

        Raises:
            ClosingError: the plan has no such period, or it still runs.
        """
        try:
            plan = in_force(versions.values(), period)
            day = last_day(plan, period)
        except ValueError:  # not the form of a period
            raise ClosingError("no_such_period") from None
        if day is None:
            raise ClosingError("no_such_period")
        if local_date(now) <= day:
            raise ClosingError("period_runs")
        return plan

    async def waiting(self) -> list[Document]:
        """Those not made yet, in the order of their instants."""
        return await self._collection.find({"frozen": None}).sort("at", 1).to_list(None)

    async def of_plan(self, plan: str) -> list[Document]:
        """All of a plan, in the order of their instants."""
        return await self._collection.find({"plan": plan}).sort("at", 1).to_list(None)

    async def made(self, key: str, event: str) -> None:
        """It is in the journal."""
        await self._collection.update_one({"_id": key}, {"$set": {"frozen": event}})


class Freezer:
    """The worker's part: asks for what the date closes, and makes what was asked for."""

    def __init__(
        self, closings: Closings, journal: Journal, clock: Clock, settings: Settings
    ) -> None:
        self._closings = closings
        self._journal = journal
        self._clock = clock
        self._settings = settings
        self._read = (-1, -1)
        self._plans: dict[str, dict[int, Plan]] = {}
        self._known: set[str] = set()
        """Periods that are frozen."""

    async def keep(self) -> None:
        """Look each second, for ever; a failure is told and tried again."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except (PyMongoError, JournalUnavailableError) as failure:
                log.warning("closing put off", error=str(failure)[:120])

    async def look(self) -> None:
        """Ask for what is due; make what has had its time to settle."""
        await self._keep_up()
        now = self._clock.now()
        for versions in self._plans.values():
            for plan, period, instant in due(versions.values(), now):
                if f"{plan.id}:{period}" not in self._known:
                    await self._closings.ask(plan.id, period, instant, "date", CLOCK_ACCOUNT)
        for asked in await self._closings.waiting():
            if wall_milliseconds() >= asked["asked_ms"] + SETTLE_MILLISECONDS:
                await self._make(asked)

    async def _keep_up(self) -> None:
        """Read what was published and frozen, when there is more of it than there was."""
        plans, frozen_ones = map(self._journal.collection, (PLAN.name, FREEZE.name))
        there = (
            await plans.estimated_document_count(),
            await frozen_ones.estimated_document_count(),
        )
        if there != self._read:
            self._plans = await published(self._journal)
            known = await frozen_periods(self._journal)
            self._known = {f"{one.plan}:{one.period}" for one in known}
            self._read = there

    async def _make(self, asked: Document) -> None:
        event_id = f"{asked['_id']}:1"
        if event_id not in {one.id for one in await frozen_periods(self._journal)}:
            line = await in_own_process(freeze, self._settings, asked)
            await self._journal.append(FREEZE.name, 0, [line], (asked["plan"],))
            log.info("period frozen", plan=asked["plan"], period=asked["period"])
        await self._closings.made(asked["_id"], event_id)


def freeze(settings: Settings, asked: Document) -> bytes:
    """The event of a closing, as the journal has it; takes as long as a rebuild."""
    return asyncio.run(_freeze(settings, asked))


async def _freeze(settings: Settings, asked: Document) -> bytes:
    async with resources(settings) as own:
        event = await frozen(own.journal, asked)
    return event.model_dump_json().encode()


async def published(
    journal: Journal, until: datetime | None = None
) -> dict[str, dict[int, Plan]]:
    """Plan -> version -> rules, as published until an instant."""
    plans: dict[str, dict[int, Plan]] = {}
    async for pack in journal.all_packs(PLAN.name, until):
        for line in pack.lines:
            plan = PlanPublished.model_validate_json(line).plan
            plans.setdefault(plan.id, {})[plan.version] = plan
    return plans


async def frozen_periods(journal: Journal) -> list[PeriodFrozen]:
    """Everything that was frozen, each once."""
    found: dict[str, PeriodFrozen] = {}
    async for pack in journal.all_packs(FREEZE.name):
        for line in pack.lines:
            event = PeriodFrozen.model_validate_json(line)
            found.setdefault(event.id, event)
    return list(found.values())


async def frozen(journal: Journal, asked: Document) -> PeriodFrozen:
    """What a closing says: the fold of the packs accepted until its instant, and a hash over them."""
    plan_id, period, at = asked["plan"], asked["period"], asked["at"]
    fold = Fold(local_date(at))
    plans = await published(journal, at)
    if plan_id not in plans:
        plans[plan_id] = (await published(journal))[plan_id]
    for versions in plans.values():
        for plan in versions.values():
            fold.publish(plan)
    log_hash = hashlib.sha256()
    packs: list[str] = []
    events = 0
    async for pack in journal.all_packs(INDICATOR.name, at):
        log_hash.update(pack.id.encode() + b"\n" + pack.body + b"\n")
        packs = [packs[0] if packs else pack.id, pack.id]
        events += pack.count
        for line in pack.lines:
            with suppress(
                UnknownPlanError, ValueError, KeyError, OverflowError
            ):  # dead letters
                fold.apply(line)
    rows = rows_of(fold, plan_id)
    version = in_force(plans[plan_id].values(), period).version
    return PeriodFrozen(
        id=f"{plan_id}:{period}:1",
        plan=plan_id,
        plan_version=version,
        period=period,
        at=at,
        cause=asked["cause"],
        by=asked["by"],
        packs=packs,
        events=events,
        log_sha256=log_hash.hexdigest(),
        standings=[row for (_, of), row in sorted(rows.items()) if of == period],
        adjustments=_adjustments(rows, await frozen_periods(journal), asked),
        near=_near(fold, (plan_id, version), period),
        shown=_shown(fold, plans[plan_id][version], period),
        evidence=await _evidence(journal, plan_id, at),
    )


async def _evidence(journal: Journal, plan: str, at: datetime) -> EvidencePosition:
    """The index of evidence that the workspace's packs accepted until then lead to."""
    known: list[AnySubmission] = []
    async for pack in journal.all_packs(SUBMISSION.name, at):
        for line in pack.lines:
            with suppress(ValueError):  # a dead letter of whoever shows it
                known.append(parsed(line))
    mine = [event for event in known if event.plan == plan]
    index = index_of(mine, at)
    files = sum(len(one.files) for one in index)
    return EvidencePosition(events=len(mine), files=files, sha256=index_hash(index))


def _shown(fold: Fold, plan: Plan, period: str) -> list[ThingShown]:
    """Named things that count in the period, by unit, indicator and day."""
    months = months_of(period, plan.months)
    units = {unit.code for unit in plan.units}
    found = []
    for fact in fold.facts.values():
        event = fact.event if isinstance(fact, ClaimFact) else None
        if event is None or event.type != "item.recorded" or not event.name:
            continue
        counts = event.done and event.state != "rejected" and event.plan in (None, plan.id)
        if counts and event.unit in units and month_of(event.on) in months:
            found.append(
                ThingShown(
                    unit=event.unit,
                    indicator=event.indicator,
                    on=event.on,
                    name=event.name,
                    verified=event.state == "verified",
                )
            )
    return sorted(found, key=lambda one: (one.unit, one.indicator, one.on, one.name))


def rows_of(fold: Fold, plan: str) -> dict[tuple[str, str], Standing]:
    """(unit, period) -> row of a plan, each judged by the version in force."""
    rows = {}
    for key, standings in fold.standings.items():
        if key[0] != plan:
            continue
        for row in standings.refresh():
            if fold.judges(key, row.period):
                shown = Standing.model_validate(row_document(key, row, 0), strict=False)
                rows[row.unit, row.period] = shown
    return rows


def _near(fold: Fold, key: tuple[str, int], period: str) -> list[NearExclusion]:
    tally = fold.standings[key].tally
    wanted = months_of(period, tally.months)
    return [
        NearExclusion(
            unit=unit.code, rule=near.rule, month=near.month, count=near.amount, limit=limit
        )
        for unit in tally.plan.units
        for near, limit in counted(tally, unit.code)
        if near.month in wanted and near.amount < limit
    ]


def _adjustments(
    rows: Mapping[tuple[str, str], Standing], earlier: list[PeriodFrozen], asked: Document
) -> list[Adjustment]:
    """Rows of periods frozen before this one that would say something else by now."""
    found = []
    for event in sorted(earlier, key=lambda one: (one.at, one.id)):
        if event.plan != asked["plan"] or event.at >= asked["at"]:
            continue
        for old in event.standings:
            new = rows.get((old.unit, old.period))
            if new is None or (new.points, new.eligible) == (old.points, old.eligible):
                continue
            found.append(
                Adjustment(
                    period=old.period,
                    unit=old.unit,
                    points_before=old.points,
                    points_after=new.points,
                    eligible_before=old.eligible,
                    eligible_after=new.eligible,
                )
            )
    return found
