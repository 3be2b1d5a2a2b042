"""Intake at work: check what a door has read, append it to the journal, set aside what no plan knows."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta

import msgspec
from prometheus_client import Counter, Gauge

from contracts.events import AnyClaim, IndicatorEvent, PlanPublished
from contracts.plan import Plan
from contracts.streams import INDICATOR
from contracts.wire import content_hash, fact_id, from_line, shard_of, to_line
from services.intake.domain.names import Aliases, key_of
from services.intake.domain.reading import Read
from services.intake.domain.reasons import Reason, not_granted, unknown
from services.intake.store import Aside, Explained, IntakeStore
from services.runtime.journal import Journal, Pack
from services.runtime.logging import get_logger

log = get_logger(__name__)

ACCEPTED = Counter("intake_accepted", "Events accepted, repeats included.", ["door"])
QUARANTINED = Counter(
    "intake_quarantined", "Events set aside because no plan knows them.", ["door"]
)
REJECTED = Counter("intake_rejected", "Items that are no valid event.", ["door"])
WAITING = Gauge("intake_quarantine_waiting", "Events in quarantine.")

MOVED = "moved-"
"""Ids of events that were told anew under another unit begin so."""
_UNIT = ("đơn vị", "unit")
_PROCEDURE = ("thủ tục", "procedure")
_INDICATOR = ("tiêu chí", "indicator")
_PLAN = ("kế hoạch", "plan")


@dataclass(slots=True)
class Directory:
    """What the published plans know: units, procedures, indicators."""

    units: dict[str, set[str]] = field(default_factory=dict)
    """Unit -> plans in which it competes."""
    procedures: set[str] = field(default_factory=set)
    plans: set[str] = field(default_factory=set)
    indicators: set[tuple[str, str, str]] = field(default_factory=set)
    """(plan, unit, indicator)."""
    aliases: Aliases = field(default_factory=Aliases)
    """What people have said about codes and names that no plan has."""

    def add(self, plan: Plan) -> None:
        """Know everything that a plan names."""
        self.plans.add(plan.id)
        self.procedures.update(procedure.code for procedure in plan.catalogue)
        codes = {bloc.code: [i.code for i in bloc.indicators] for bloc in plan.blocs}
        for unit in plan.units:
            self.units.setdefault(unit.code, set()).add(plan.id)
            self.indicators.update((plan.id, unit.code, code) for code in codes[unit.bloc])

    def named(self, event: IndicatorEvent) -> IndicatorEvent:
        """The same event, with the unit that somebody has said its code means."""
        if event.unit in self.units:
            return event
        unit = self.aliases.unit(event.source, event.unit)
        if unit is None or unit not in self.units:
            return event
        return msgspec.structs.replace(event, unit=unit)  # type: ignore[type-var]

    def missing(self, event: IndicatorEvent) -> tuple[str, Reason] | None:
        """(cause, reason) when the event names something unknown; None when it may pass."""
        if event.unit not in self.units:
            return f"unit {event.unit}", unknown("unit", _UNIT, event.unit)
        if event.type == "dossier.recorded":
            if event.procedure in self.procedures:
                return None
            return f"procedure {event.procedure}", unknown(
                "procedure", _PROCEDURE, event.procedure
            )
        return self._missing_in_claim(event)

    def _missing_in_claim(self, event: AnyClaim) -> tuple[str, Reason] | None:
        if event.plan is not None and event.plan not in self.plans:
            return f"plan {event.plan}", unknown("plan", _PLAN, event.plan)
        code = getattr(event, "indicator", None)
        if code is None:
            return None
        plans = self.units[event.unit] if event.plan is None else {event.plan}
        if any((plan, event.unit, code) in self.indicators for plan in plans):
            return None
        return f"indicator {code}", unknown("indicator", _INDICATOR, code)


@dataclass(slots=True)
class Answer:
    """What became of each item of a request."""

    accepted: int = 0
    quarantined: list[tuple[int, Reason]] = field(default_factory=list)
    rejected: list[tuple[int, Reason]] = field(default_factory=list)


class Intake:
    """The only way into the journal for what others send."""

    def __init__(self, store: IntakeStore, journal: Journal, shards: int) -> None:
        self._store = store
        self._journal = journal
        self._shards = shards
        self.directory = Directory()

    async def on_plans(self, packs: list[Pack]) -> None:
        """Know a newly published plan, and let pass what waited for it."""
        for pack in packs:
            for line in pack.lines:
                self.directory.add(PlanPublished.model_validate_json(line).plan)
        await self.review_quarantine()

    async def accept(
        self, read: Read, door: str, granted: frozenset[str] = frozenset()
    ) -> Answer:
        """Append the events that may pass and set the others aside; returns when all of it is durable.

        Where units are granted, events of others are rejected.

        Raises:
            JournalUnavailableError: nothing is promised; sending it all again is harmless.
        """
        answer = Answer(rejected=read.rejected)
        aside: list[Aside] = []
        explained: list[IndicatorEvent] = []
        lines: dict[int, list[bytes]] = defaultdict(list)
        named, missing = self.directory.named, self.directory.missing
        for place, sent in enumerate(read.events):
            event = named(sent)
            if granted and event.unit not in granted:
                answer.rejected.append((read.index(place), not_granted(granted)))
                continue
            fault = missing(event)
            if fault is None:
                answer.accepted += 1
                if event is sent:
                    lines[self._shard(event)].append(to_line(event))
                else:
                    explained.append(sent)
            else:
                cause, reason = fault
                aside.append(Aside(to_line(sent), cause, reason.vi, sent.source, _key(sent)))
                answer.quarantined.append((read.index(place), reason))
        await self._store.set_aside(aside)
        await self._remember(explained)
        await self._tell(map(named, explained), lines)
        answer.rejected.sort(key=lambda one: one[0])
        if aside:
            WAITING.set(await self._store.count())
        for counter, count in (
            (ACCEPTED, answer.accepted),
            (QUARANTINED, len(aside)),
            (REJECTED, len(answer.rejected)),
        ):
            counter.labels(door).inc(count)
        return answer

    async def _tell(
        self, events: Iterable[IndicatorEvent], lines: dict[int, list[bytes]] | None = None
    ) -> None:
        """Append events to the journal, after the lines that are given."""
        lines = defaultdict(list) if lines is None else lines
        for event in events:
            lines[self._shard(event)].append(to_line(event))
        for shard, some in lines.items():
            await self._journal.append(INDICATOR.name, shard, some, shards=self._shards)

    async def _remember(self, sent: Sequence[IndicatorEvent]) -> None:
        """Keep events whose code an alias explains, as they were sent, before they are told.

        An alias that is changed meanwhile either is seen here, or finds them kept and moves them.
        """
        told: list[str] = []
        while told != (units := [self.directory.named(event).unit for event in sent]):
            told = units
            pairs = zip(sent, units, strict=True)
            await self._store.remember(_explained(event, unit) for event, unit in pairs)

    async def move_explained(self, names: Collection[str]) -> int:
        """Tell anew, under the unit that is meant now, what was told under another one; returns how many were.

        `names`: keys of the codes whose alias may have changed.
        """
        moved = 0
        async for found in self._store.explained_by(names):
            some = list(moved_under(self.directory, found))
            await self._tell(event for event, _ in some)
            await self._store.tell_moved(kept for _, kept in some)
            moved += len(some)
        return moved

    def _shard(self, event: IndicatorEvent) -> int:
        return 0 if self._shards == 1 else shard_of(fact_id(event), self._shards)

    async def review_quarantine(self) -> int:
        """Send on what may pass now, oldest first; returns how many did."""
        released = 0
        async for found in self._store.waiting():
            passing: dict[str, IndicatorEvent] = {}
            explained: list[IndicatorEvent] = []
            for stored in found:
                sent = from_line(bytes(stored["line"]))
                event = self.directory.named(sent)
                if self.directory.missing(event) is None:
                    passing[stored["_id"]] = sent
                    explained += [] if event is sent else [sent]
            await self._remember(explained)
            await self._tell(map(self.directory.named, passing.values()))
            await self._store.release(list(passing))
            released += len(passing)
        if released:
            log.info("released from quarantine", events=released)
        WAITING.set(await self._store.count())
        return released


def moved_under(
    directory: Directory, found: Iterable[Explained]
) -> Iterable[tuple[IndicatorEvent, Explained]]:
    """(event, as it is kept then) of those that mean another unit now.

    Its sender gave no new version: the event is the same one some microseconds later, so that it comes before what
    was told, and after everything that its sender says next.
    """
    for one in found:
        sent = from_line(one.line)
        event = directory.named(sent)
        if event.unit == one.unit or directory.missing(event) is not None:
            continue
        kept = replace(one, unit=event.unit, moved=one.moved + 1)
        later = sent.occurred_at + timedelta(microseconds=kept.moved)
        content = f"{one.order} {event.unit} {kept.moved}"
        number = MOVED + hashlib.sha256(content.encode()).hexdigest()[:24]
        changes = {"occurred_at": later, "id": number}
        yield msgspec.structs.replace(event, **changes), kept  # type: ignore[type-var]


def _explained(sent: IndicatorEvent, unit: str) -> Explained:
    line = to_line(sent)
    at = sent.occurred_at.astimezone(UTC).isoformat(timespec="microseconds")
    order = f"{sent.version:016d} {at} {content_hash(line):020d}"
    return Explained(fact_id(sent), sent.source, key_of(sent.unit), line, order, unit)


def _key(event: IndicatorEvent) -> str:
    return event.dossier if event.type == "dossier.recorded" else event.subject
