"""Intake at work: check what a door has read, append it to the journal, set aside what no plan knows."""

import zlib
from collections import defaultdict
from dataclasses import dataclass, field

import msgspec
from prometheus_client import Counter, Gauge

from contracts.events import AnyClaim, IndicatorEvent, PlanPublished
from contracts.plan import Plan
from contracts.streams import INDICATOR
from contracts.wire import fact_id, from_line, to_line
from services.intake.domain.names import Aliases
from services.intake.domain.reading import Read
from services.intake.domain.reasons import Reason, not_granted, unknown
from services.intake.store import Aside, IntakeStore
from services.runtime.journal import Journal, Pack
from services.runtime.logging import get_logger

log = get_logger(__name__)

ACCEPTED = Counter("intake_accepted", "Events accepted, repeats included.", ["door"])
QUARANTINED = Counter(
    "intake_quarantined", "Events set aside because no plan knows them.", ["door"]
)
REJECTED = Counter("intake_rejected", "Items that are no valid event.", ["door"])
WAITING = Gauge("intake_quarantine_waiting", "Events in quarantine.")

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
        lines: dict[int, list[bytes]] = defaultdict(list)
        named, missing = self.directory.named, self.directory.missing
        for place, sent in enumerate(read.events):
            event = named(sent)
            if granted and event.unit not in granted:
                answer.rejected.append((read.index(place), not_granted(granted)))
                continue
            fault = missing(event)
            if fault is None:
                lines[self._shard(event)].append(to_line(event))
                answer.accepted += 1
            else:
                cause, reason = fault
                aside.append(Aside(to_line(sent), cause, reason.vi, sent.source, _key(sent)))
                answer.quarantined.append((read.index(place), reason))
        await self._store.set_aside(aside)
        for shard, some in lines.items():
            await self._journal.append(INDICATOR.name, shard, some)
        answer.rejected.sort(key=lambda one: one[0])
        ACCEPTED.labels(door).inc(answer.accepted)
        if aside:
            QUARANTINED.labels(door).inc(len(aside))
            WAITING.set(await self._store.count())
        if answer.rejected:
            REJECTED.labels(door).inc(len(answer.rejected))
        return answer

    def _shard(self, event: IndicatorEvent) -> int:
        return 0 if self._shards == 1 else shard_of(fact_id(event), self._shards)

    async def review_quarantine(self) -> int:
        """Send on what may pass now, oldest first; returns how many did."""
        released = 0
        async for found in self._store.waiting():
            passing: list[str] = []
            lines: dict[int, list[bytes]] = defaultdict(list)
            for stored in found:
                event = self.directory.named(from_line(bytes(stored["line"])))
                if self.directory.missing(event) is None:
                    passing.append(stored["_id"])
                    lines[self._shard(event)].append(to_line(event))
            for shard, some in lines.items():
                await self._journal.append(INDICATOR.name, shard, some)
            await self._store.release(passing)
            released += len(passing)
        if released:
            log.info("released from quarantine", events=released)
        WAITING.set(await self._store.count())
        return released


def _key(event: IndicatorEvent) -> str:
    return event.dossier if event.type == "dossier.recorded" else event.subject


def shard_of(fact: str, shards: int) -> int:
    """The shard in which all versions of a fact meet."""
    return zlib.crc32(fact.encode()) % shards
