"""The portal's statements at work: merge them into states, journal what changed, set aside what must wait."""

from collections import Counter as Count, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from prometheus_client import Counter, Gauge

from contracts.events import DossierRecorded
from contracts.streams import INDICATOR
from contracts.wire import fact_id, shard_of, to_line
from services.intake.portal.domain.canonical import Known, Waits, event_of, unit_of
from services.intake.portal.domain.merging import State, merge
from services.intake.portal.domain.messages import Fault, Message
from services.intake.portal.domain.quality import Tally, observe
from services.intake.portal.store import Dossier, DossierStore, twin_of
from services.runtime.clock import Clock, wall_now
from services.runtime.journal import Journal, JournalUnavailableError
from services.runtime.mongo import Document

TRIES = 8
STATEMENTS = Counter(
    "intake_portal_statements", "Statements about dossiers, by what became of them.", ["what"]
)
PORTAL_WAITING = Gauge("intake_portal_waiting", "Dossiers that wait for a cause to be fixed.")
TAKEN, REPEATED, WAITING, BROKEN = "taken", "repeated", "waiting", "broken"


@dataclass(slots=True)
class Outcome:
    """What became of one item."""

    what: str
    waits: Waits | None = None
    fault: Fault | None = None


@dataclass(slots=True)
class _Change:
    """One dossier in one request: what it was, what it is now, what is to be told."""

    before: Dossier
    after: Dossier
    event: DossierRecorded | None = None
    waits: Waits | None = None


@dataclass(slots=True)
class Receiver:
    """The way in for every statement about a dossier, whichever door it came through."""

    store: DossierStore
    journal: Journal
    clock: Clock
    shards: int
    known: Known = field(default_factory=Known)
    tally: Tally = field(default_factory=Tally)
    """What was observed about the senders since it was last stored."""
    broken: set[str] = field(default_factory=set)
    """Keys of dossiers of which a broken statement waits to be mended."""

    async def take(
        self,
        source: str,
        items: Sequence[Message | Fault],
        granted: frozenset[str] = frozenset(),
    ) -> list[Outcome]:
        """What became of each item; returns when all of it is durable.

        Where units are granted, statements about others are refused and not kept.

        Raises:
            JournalUnavailableError: nothing is promised; sending it all again is harmless.
        """
        if not granted:
            return await self._take(source, items)
        own = await self.own_units(source, items, granted)
        taken = iter(
            await self._take(source, [i for i, k in zip(items, own, strict=True) if k])
        )
        return [
            next(taken) if kept else Outcome(BROKEN, fault=_not_granted(item))
            for item, kept in zip(items, own, strict=True)
        ]

    async def own_units(
        self, source: str, items: Sequence[Message | Fault], granted: frozenset[str]
    ) -> list[bool]:
        """Whether each is about a granted unit: by what it says, and by what is known of its dossier."""
        codes = {item.dossier for item in items if isinstance(item, Message)}
        held = await self.store.find(source, codes)
        return [
            isinstance(item, Fault)
            or _is_own(_units_of(source, item, held.get(item.dossier), self.known), granted)
            for item in items
        ]

    async def _take(self, source: str, items: Sequence[Message | Fault]) -> list[Outcome]:
        messages: dict[str, list[Message]] = defaultdict(list)
        faults = [item for item in items if isinstance(item, Fault)]
        for item in items:
            if isinstance(item, Message):
                messages[item.dossier].append(item)
        if faults:
            await self.store.set_aside(source, faults)
            self.broken.update(f"{source} {fault.dossier}" for fault in faults if fault.dossier)
        changes = await self._merge(source, messages)
        if mended := self.broken & {f"{source} {code}" for code in messages}:
            await self.store.mended(mended)
            self.broken -= mended
        outcomes = [_outcome(item, changes) for item in items]
        self._measure(source, faults, outcomes)
        return outcomes

    async def _merge(
        self, source: str, messages: dict[str, list[Message]]
    ) -> dict[str, _Change]:
        """Merge, journal, then store; what another writer changed meanwhile is merged anew."""
        done: dict[str, _Change] = {}
        left = set(messages)
        for _ in range(TRIES):
            if not left:
                break
            held = await self.store.find(source, left)
            some = {
                code: self._change(held.get(code) or Dossier(source, code), messages[code])
                for code in sorted(left)
            }
            left = await self._settle(list(some.values()))
            done |= {code: change for code, change in some.items() if code not in left}
        if left:
            raise JournalUnavailableError("too many writers of one dossier")
        await self._observe(source, messages, done)
        return done

    def _change(self, before: Dossier, messages: Iterable[Message]) -> _Change:
        state = before.state
        for message in messages:
            state = merge(state, message)
        return self._judged(before, state)

    def _judged(self, before: Dossier, state: State) -> _Change:
        """What is to be told of a state, and stored."""
        found = event_of(before.source, before.code, state, self.known)
        if isinstance(found, Waits):
            since = before.since if before.waits == found.code else wall_now()
            after = replace(before, state=state, waits=found.code, since=since)
            return _Change(before, after, waits=found)
        if found.id == before.told:
            return _Change(before, replace(before, state=state, waits="", since=None))
        told = replace(state, version=found.version)
        after = replace(before, state=told, told=found.id, waits="", since=None)
        return _Change(before, after, found)

    async def _settle(self, changes: list[_Change]) -> set[str]:
        """Journal the events, then store the states: a crash in between is healed by the sender's repeat."""
        lines: dict[int, list[bytes]] = defaultdict(list)
        for change in changes:
            if change.event is not None:
                shard = 0 if self.shards == 1 else shard_of(fact_id(change.event), self.shards)
                lines[shard].append(to_line(change.event))
        for shard, some in lines.items():
            await self.journal.append(INDICATOR.name, shard, some, shards=self.shards)
        return await self.store.save([c.after for c in changes if c.after != c.before])

    async def recall(self) -> None:
        """Know which broken statements wait, whoever received them."""
        self.broken = await self.store.broken()

    def foresee(self, source: str, message: Message) -> Waits | None:
        """For what a statement would wait, were it made now; None: it would count."""
        found = event_of(source, message.dossier, merge(State(), message), self.known)
        return found if isinstance(found, Waits) else None

    async def review(self, wanted: Document) -> int:
        """Judge stored dossiers anew, oldest waiting first, after a cause was fixed; returns how many were told."""
        told = 0
        async for some in self.store.each(wanted):
            changes = [self._judged(dossier, dossier.state) for dossier in some]
            left = await self._settle(changes)
            told += sum(c.event is not None and c.after.code not in left for c in changes)
        return told

    async def _observe(
        self, source: str, messages: dict[str, list[Message]], done: dict[str, _Change]
    ) -> None:
        now = self.clock.now()
        new = {
            mark: change.after.key
            for change in done.values()
            if not change.before.state.known and (mark := twin_of(change.after)) is not None
        }
        twins = await self.store.twins(list(new)) if new else {}
        tally = self.tally.of(source, now)
        tally["twins"] += sum(
            any(key != own for key in twins.get(mark, ())) for mark, own in new.items()
        )
        for code, change in done.items():
            observe(tally, change.before.state, change.after.state, messages[code], now)

    def _measure(self, source: str, faults: list[Fault], outcomes: list[Outcome]) -> None:
        if faults:
            tally = self.tally.of(source, self.clock.now())
            tally["broken"] += len(faults)
        for what, count in Count(outcome.what for outcome in outcomes).items():
            STATEMENTS.labels(what).inc(count)


def _units_of(
    source: str, message: Message, before: Dossier | None, known: Known
) -> list[str | Waits]:
    held = [] if before is None or not before.state.known else [before.state.values()]
    said = [] if message.step else [message.fields]
    return [unit_of(source, fields, known) for fields in [*said, *held]]


def _is_own(units: list[str | Waits], granted: frozenset[str]) -> bool:
    return bool(units) and all(unit in granted for unit in units)


def _not_granted(item: Message | Fault) -> Fault:
    return Fault("", "other_unit", item.dossier, {})


def _outcome(item: Message | Fault, changes: dict[str, _Change]) -> Outcome:
    if isinstance(item, Fault):
        return Outcome(BROKEN, fault=item)
    change = changes[item.dossier]
    if change.waits is not None:
        return Outcome(WAITING, change.waits)
    return Outcome(REPEATED if item.digest in change.before.state.seen else TAKEN)
