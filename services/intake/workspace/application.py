"""The workspace at work: read a report, take one step, keep it with its events in one write, tell the journal."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from prometheus_client import Counter
from pymongo.errors import PyMongoError

from contracts.calendar import LOCAL
from contracts.events import Event, PlanPublished
from contracts.plan import Plan, in_force
from contracts.streams import SUBMISSION
from contracts.wire import from_line, to_event, to_line
from services.intake.application import Intake
from services.intake.domain.reading import Read
from services.intake.workspace.domain.declaring import Place
from services.intake.workspace.domain.duties import Duty, duties_of, may_report
from services.intake.workspace.domain.report import (
    Entry,
    Outgoing,
    Report,
    ReportError,
    Step,
)
from services.intake.workspace.domain.review import reopened_events, risks_of
from services.intake.workspace.domain.submitting import save_entry, submit, withdraw
from services.intake.workspace.domain.values import Values
from services.intake.workspace.store import WorkspaceStore
from services.runtime.journal import Journal, JournalUnavailableError, Pack
from services.runtime.logging import get_logger
from services.runtime.mongo import Collection

log = get_logger(__name__)
STEPS = Counter("workspace_steps", "Steps of people that were kept.", ["step"])
TRIES = 8
DELIVER_SECONDS = 2


class TellsTime(Protocol):
    """The domain's clock, or one that stands."""

    def now(self) -> datetime:
        """The domain's instant."""

    def today(self) -> date:
        """The local date of that instant."""


class Records(Protocol):
    """The audit."""

    async def record(
        self,
        actor: str,
        action: str,
        subject: str,
        *,
        reason: str = "",
        detail: dict[str, str | int | bool] | None = None,
    ) -> None:
        """Return when the entry is durable."""


class UnknownPlaceError(LookupError):
    """There is no such plan, unit or month."""


class BusyError(Exception):
    """Too many people changed the same thing at once; trying again helps."""


class Plans:
    """The published plans, by id and version."""

    def __init__(self) -> None:
        self._versions: dict[str, dict[int, Plan]] = {}

    async def on_packs(self, packs: list[Pack]) -> None:
        """Know newly published plans."""
        for pack in packs:
            for line in pack.lines:
                plan = PlanPublished.model_validate_json(line).plan
                self._versions.setdefault(plan.id, {})[plan.version] = plan

    def ids(self) -> list[str]:
        """All plans, the latest first."""
        newest = {name: max(found) for name, found in self._versions.items()}
        return sorted(
            newest, key=lambda n: self._versions[n][newest[n]].starts_on, reverse=True
        )

    def at(self, plan: str, month: str) -> Plan:
        """The version that judges a month.

        Raises:
            UnknownPlaceError: there is no such plan, or the month is not part of it.
        """
        found = self._versions.get(plan)
        if not found:
            raise UnknownPlaceError(plan)
        chosen = in_force(found.values(), month)
        if month not in chosen.months:
            raise UnknownPlaceError(month)
        return chosen

    def newest(self, plan: str) -> Plan:
        """The highest version.

        Raises:
            UnknownPlaceError: there is no such plan.
        """
        found = self._versions.get(plan)
        if not found:
            raise UnknownPlaceError(plan)
        return found[max(found)]


@dataclass(frozen=True, slots=True)
class Act:
    """Who does what: for the audit, and for a step."""

    by: str
    action: str
    reason: str = ""


class Workspace:
    """Everything that people do with reports; points move only by the events that come of it."""

    def __init__(
        self,
        store: WorkspaceStore,
        intake: Intake,
        journal: Journal,
        clock: TellsTime,
        audit: Records,
    ) -> None:
        self.store = store
        self.clock = clock
        self.audit = audit
        self.plans = Plans()
        self._intake = intake
        self._journal = journal

    def place(self, plan: str, unit: str, month: str) -> Place:
        """Whose report it is.

        Raises:
            UnknownPlaceError: there is no such plan, unit or month.
        """
        found = self.plans.at(plan, month)
        if found.unit(unit) is None:
            raise UnknownPlaceError(unit)
        return Place(found, unit, month)

    def duties(self, place: Place) -> list[Duty]:
        """What the unit owes for the month."""
        unit = place.plan.unit(place.unit)
        return [] if unit is None else duties_of(place.plan, unit, place.month)

    def duty(self, place: Place, code: str) -> Duty:
        """One of them.

        Raises:
            UnknownPlaceError: the unit has no such indicator.
        """
        for duty in self.duties(place):
            if duty.indicator.code == code:
                return duty
        raise UnknownPlaceError(code)

    def step(self, by: str) -> Step:
        """Somebody does something now."""
        return Step(by, self.clock.now(), self.clock.today())

    async def report(self, place: Place) -> Report:
        """The report as it stands."""
        return await self.store.report(place.plan.id, place.unit, place.month)

    async def save_entry(
        self, place: Place, code: str, revision: int, values: Values, note: str
    ) -> Report:
        """Keep a draft of one indicator.

        Raises:
            ReportError: it is locked, or somebody else saved meanwhile.
        """
        return await self.save_entries(
            place, {code: Entry(values=values, note=note, revision=revision)}
        )

    async def save_entries(self, place: Place, entries: Mapping[str, Entry]) -> Report:
        """Keep drafts of several indicators, all or none; the revisions are those that were read.

        Raises:
            ReportError: one is locked, or somebody else saved it meanwhile.
        """
        duties = {code: self.duty(place, code) for code in entries}
        for code, duty in duties.items():
            if not duty.asked:
                raise ReportError("not_asked", code)
        self._check_open(place)

        def change(report: Report) -> tuple[Report, Outgoing]:
            for code, said in entries.items():
                report = save_entry(report, duties[code], said.revision, said.values, said.note)
            return report, Outgoing()

        return await self.change(place, change, None)

    def _check_open(self, place: Place) -> None:
        if not may_report(place.month, self.clock.today()):
            raise ReportError("too_early", place.month)

    async def submit(self, place: Place, by: str, declared_on: date | None = None) -> Report:
        """Hand the report in.

        Raises:
            ReportError: something must be mended first, or there is nothing new.
        """
        self._check_open(place)
        duties, step = self.duties(place), self.step(by)
        files = await self.store.attached(place.plan.id, place.unit, place.month)
        told = [file.told() for file in files]

        def change(report: Report) -> tuple[Report, Outgoing]:
            after, outgoing = submit(report, place, duties, told, step, declared_on)
            outgoing.submission += reopened_events(report, after, step)
            return after, outgoing

        after = await self.change(place, change, Act(by, "report.submit"))
        return await self._assess(place, after)

    async def _assess(self, place: Place, report: Report) -> Report:
        """Name the reasons for a close look; lost reasons are found again by the next look at the queue."""
        risks = await self.risks(place, report)
        items = {
            code: item.model_copy(update={"risks": risks.get(code, item.risks)})
            for code, item in report.items.items()
        }

        def change(now: Report) -> tuple[Report, Outgoing]:
            if now.versions != report.versions:
                return now, Outgoing()
            return now.model_copy(update={"items": now.items | items}), Outgoing()

        if items == report.items:
            return report
        return await self.change(place, change, None)

    async def risks(self, place: Place, report: Report) -> dict[str, list[Any]]:
        """Indicator -> why to look closely, for the items of the standing version."""
        reports = await self.store.reports_of(place.plan.id, place.unit)
        earlier = [r for r in reports if r.month < place.month]
        files = await self.store.attached(place.plan.id, place.unit, place.month)
        same = await self.store.same_content([file.sha256 for file in files])
        mine = {(f.sha256, f.indicator) for f in files}
        due = datetime.combine(
            place.plan.report_due_on(place.month), datetime.max.time(), tzinfo=LOCAL
        )
        found = {}
        for code, item in report.items.items():
            hashes = {sha for sha, indicator in mine if indicator == code}
            elsewhere = [
                f for f in same
                if f.sha256 in hashes
                and (f.unit, f.month, f.indicator) != (place.unit, place.month, code)
            ]  # fmt: skip
            past = [r.items[code] for r in earlier if code in r.items]
            mended = sum(
                d.what in ("corrected", "returned", "rejected") for i in past for d in i.history
            )
            before = past[-1] if past else None
            found[code] = risks_of(item, before, due, mended, len(elsewhere))
        return found

    async def withdraw(self, place: Place, by: str) -> Report:
        """Take the report back before its review begins.

        Raises:
            ReportError: nothing is handed in, or the review has begun.
        """
        duties, step = self.duties(place), self.step(by)

        def change(report: Report) -> tuple[Report, Outgoing]:
            return withdraw(report, place, duties, step)

        return await self.change(place, change, Act(by, "report.withdraw"))

    async def change(
        self,
        place: Place,
        step: Callable[[Report], tuple[Report, Outgoing]],
        act: Act | None,
    ) -> Report:
        """Take one step on the report: decide, record, keep with its events in one write, then tell the journal.

        Raises:
            ReportError: the report does not allow it now.
            BusyError: others were faster every time.
        """
        recorded = act is None
        for _ in range(TRIES):
            report = await self.report(place)
            after, outgoing = step(report)
            if after is report:
                return report
            if not recorded and act is not None:
                await self.audit.record(act.by, act.action, report.key, reason=act.reason)
                recorded = True
            letters = _letters(f"{report.key}:{report.revision + 1}", outgoing)
            if await self.store.save_report(after, letters):
                if act is not None:
                    STEPS.labels(act.action).inc()
                await self.deliver(self.store.reports, report.key, letters)
                return await self.report(place)
        raise BusyError(place.month)

    async def deliver(
        self, collection: Collection, key: str, letters: list[dict[str, Any]]
    ) -> None:
        """Bring kept events to the journal; what fails now is brought by `deliver_all`."""
        if not letters:
            return
        try:
            for letter in letters:
                events = [from_line(line.encode()) for line in letter["indicator"]]
                await self._intake.accept(Read(events), "workspace")
                lines = [line.encode() for line in letter["submission"]]
                await self._journal.append(SUBMISSION.name, 0, lines)
            await self.store.delivered(collection, key, [letter["id"] for letter in letters])
        except JournalUnavailableError:
            log.warning("events of the workspace wait for the journal", key=key)

    async def deliver_all(self) -> None:
        """Finish what a crash or an outage left: everything kept is told."""
        async for collection, found in self.store.undelivered():
            await self.deliver(collection, found["_id"], found["outbox"])

    async def keep_delivering(self) -> None:
        """For ever."""
        await repeat(self.deliver_all, DELIVER_SECONDS)


async def repeat(work: Callable[[], Awaitable[object]], seconds: float) -> None:
    """Do it for ever, with a pause; a database that is away is waited for."""
    while True:
        try:
            await work()
        except PyMongoError as error:
            log.warning("the database does not answer", error=str(error)[:120])
        await asyncio.sleep(seconds)


def _letters(key: str, outgoing: Outgoing) -> list[dict[str, Any]]:
    if not outgoing.indicator and not outgoing.submission:
        return []
    return [letter(key, outgoing)]


def letter(key: str, outgoing: Outgoing) -> dict[str, Any]:
    """Events as they are kept beside the decision that made them."""
    lines = [to_line(to_event(fields)).decode() for fields in outgoing.indicator]
    told = [_line(event) for event in outgoing.submission]
    return {"id": key, "indicator": lines, "submission": told}


def _line(event: Event) -> str:
    return event.model_dump_json(exclude_none=True)
