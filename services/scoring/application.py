"""Scoring at work: packs are folded at once; the board is told, the ledger written and facts stored behind them."""

import asyncio
from collections.abc import Callable

import msgspec
from prometheus_client import Counter, Gauge
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError
from redis.typing import EncodableT, FieldT

from contracts.events import PlanPublished
from contracts.plan import Plan
from contracts.streams import BOARD, STANDING
from services.runtime import tracing
from services.runtime.broker import Client
from services.runtime.clock import (
    Clock,
    monotonic_seconds,
    wall_milliseconds,
)
from services.runtime.consuming import DeadLetters
from services.runtime.journal import Journal, JournalUnavailableError, Pack
from services.runtime.logging import get_logger
from services.runtime.mongo import Document
from services.scoring.domain.facts import Fact
from services.scoring.domain.fold import Fold, UnknownPlanError
from services.scoring.domain.standings import UnitRow
from services.scoring.ledger import Ledger
from services.scoring.settings import ScoringSettings
from services.scoring.store import ScoringStore

log = get_logger(__name__)

EVENTS = Counter("scoring_events", "Lines folded, repeats included.")
PACKS = Counter("scoring_packs", "Packs folded.")
FACTS = Gauge("scoring_facts", "Facts in memory.")
MOVES = Counter("scoring_board_moves", "Times the board was told of changed rows.")
BEHIND = Gauge("scoring_write_behind_facts", "Facts that wait to be stored.")
BEHIND_SECONDS = Gauge(
    "scoring_write_behind_seconds", "Age of the oldest fact that waits to be stored."
)

BUS_PAUSE_SECONDS = 2
"""After a failure the bus is left alone for so long, so that a hanging one holds nobody up."""
ROWS_A_WRITE = 100
REFRESH_PAUSE_SECONDS = 0.001
"""Between two moves of the board; what comes meanwhile goes into the next one."""
FOLLOW_PAUSE_SECONDS = 0.1
"""Between two looks of a stand-by at what is dirty."""
BUSY_SECONDS = 0.1
"""A pack within this time: facts are stored at a share of the time only."""
_encode = msgspec.json.Encoder().encode
PlanKey = tuple[str, int]


def row_id(plan: PlanKey, unit: str, period: str) -> str:
    """The key of a stored row."""
    return f"{plan[0]}|{period}|{unit}"


def row_document(plan: PlanKey, row: UnitRow, position: int) -> Document:
    """A row as the board is told and as it is stored."""
    return {
        "_id": row_id(plan, row.unit, row.period),
        "position": position,
        "plan": plan[0],
        "version": plan[1],
        "bloc": row.bloc,
        "period": row.period,
        "unit": row.unit,
        "points": row.points,
        "verified_points": row.verified_points,
        "indicators": dict(row.indicators),
        "counters": dict(row.counters),
        "eligible": row.eligible,
        "exclusions": [exclusion.model_dump() for exclusion in row.exclusions],
        "lifted": [exclusion.model_dump() for exclusion in row.lifted],
        "near": [exclusion.model_dump() for exclusion in row.near],
    }


def _entry(message: bytes) -> dict[FieldT, EncodableT]:
    """A move of the board as the bus carries it, with what it came of, where that is traced."""
    traces = tracing.carried()
    return {"body": message, "traces": " ".join(traces)} if traces else {"body": message}


class Scoring:
    """One worker: the fold and everything that follows from it."""

    def __init__(
        self,
        store: ScoringStore,
        journal: Journal,
        redis: Client,
        clock: Clock,
        settings: ScoringSettings,
    ) -> None:
        self._store = store
        self._journal = journal
        self._redis = redis
        self._clock = clock
        self._settings = settings
        self.dead_letters = DeadLetters(store.dead_letters)
        self.fold = Fold(clock.today())
        self.written_until_ms = 0
        self._position = wall_milliseconds() * 1_000
        self._moved = asyncio.Event()
        self._oldest_ms = 0
        self._unstored: dict[str, tuple[Fact, bytes]] = {}
        self._unstored_since = 0.0
        self._stale_rows: dict[str, Document] = {}
        self._last_pack = 0.0
        self._ledger = Ledger()
        self._bus_away_until = 0.0
        self._causes_of_move = tracing.Causes()
        self._causes_of_ledger = tracing.Causes()

    async def on_packs(self, packs: list[Pack]) -> None:
        """Fold packs; a bad line becomes a dead letter and stops nobody."""
        for pack in packs:
            with tracing.follow("scoring.fold", pack.traces, events=pack.count):
                self._fold_pack(pack)
                self._causes_of_move.add(tracing.carried())
                self._causes_of_ledger.add(tracing.carried())
            if not self._oldest_ms:
                self._oldest_ms = pack.made_at_ms
            self._moved.set()
            if len(packs) > 1:
                await asyncio.sleep(0)
        FACTS.set(len(self.fold.facts))

    def _fold_pack(self, pack: Pack) -> None:
        PACKS.inc()
        EVENTS.inc(pack.count)
        self._last_pack = monotonic_seconds()
        if not self._unstored:
            self._unstored_since = self._last_pack
        facts, apply, unstored = self.fold.facts, self.fold.apply, self._unstored
        for line in pack.lines:
            try:
                key = apply(line)
            except UnknownPlanError as error:
                self.dead_letters.add("unknown plan", error, line, pack.id)
            except (ValueError, KeyError, OverflowError) as error:
                self.dead_letters.add("undecodable event", error, line, pack.id)
            else:
                if key is not None:
                    unstored[key] = facts[key], line

    async def on_plans(self, packs: list[Pack]) -> None:
        """Take published plan versions into force."""
        for pack in packs:
            for line in pack.lines:
                try:
                    plan = PlanPublished.model_validate_json(line).plan
                except ValueError as error:
                    self.dead_letters.add("undecodable event", error, line, pack.id)
                    continue
                self._publish(plan)

    def _publish(self, plan: Plan) -> None:
        if self.fold.publish(plan):
            log.info("plan in force", plan=plan.id, version=plan.version)
            self._ledger.cause = "plan"
            self._moved.set()

    @property
    def due(self) -> bool:
        """The clock shows a later local date than the fold."""
        return self._clock.today() > self.fold.today

    async def load(self) -> int:
        """Load the stored facts; returns the low-water mark to catch up from, in real milliseconds."""
        started = monotonic_seconds()
        mark = await self._store.read_mark("facts")
        async for lines in self._store.read_facts():
            self.fold.load(lines)
        took = monotonic_seconds() - started
        log.info("facts loaded", facts=len(self.fold.facts), seconds=round(took, 2))
        return int(mark.get("until_ms", 0))

    async def settle(self) -> None:
        """After the catch-up: compute everything once, and compare with what the ledger last knew."""
        for row in await self._stored_rows():
            self._ledger.remember(row)
        for standings in self.fold.standings.values():
            standings.tally.mark_all()
        self._moved.set()
        while self._moved.is_set():
            self._moved.clear()
            await self._send(self._move())
        await self._store_rows()

    async def _stored_rows(self) -> list[Document]:
        """The rows as they were last stored; what is told from now on has later positions than they."""
        rows = await self._store.standings_since(0)
        last = rows[-1]["position"] if rows else 0
        self._position = max(self._position, last, wall_milliseconds() * 1_000)
        return rows

    async def follow(self) -> None:
        """Stand by: keep all rows computed, for a share of the time, and tell nobody, for ever."""
        for standings in self.fold.standings.values():
            standings.tally.mark_all()
        share = self._settings.refresh_share
        while True:
            self.advance()
            started = monotonic_seconds()
            for standings in self.fold.standings.values():
                standings.refresh(self._settings.refresh_rows)
            spent = monotonic_seconds() - started
            await asyncio.sleep(max(FOLLOW_PAUSE_SECONDS, spent * (1 - share) / share))

    async def take_over(self) -> None:
        """Speak in the place of another worker: tell what differs from the rows that it stored."""
        self._oldest_ms = 0
        self._ledger.cause = "event"
        stored: dict[str, bytes] = {}
        for known in await self._stored_rows():
            self._ledger.remember(known)
            stored[known["_id"]] = _encode(known | {"position": 0})
        changed: list[Document] = []
        self._position += 1
        for key, standings in self.fold.standings.items():
            for row in standings.rows.values():
                document = row_document(key, row, 0)
                same = _encode(document) == stored.get(document["_id"])
                if not same and self.fold.judges(key, row.period):
                    changed.append(document | {"position": self._position})
                    self._ledger.note(key, [row])
        self._stale_rows |= {row["_id"]: row for row in changed}
        for at in range(0, len(changed), self._settings.refresh_rows):
            some = changed[at : at + self._settings.refresh_rows]
            await self._send(self._message(some, 0))
        self._moved.set()

    async def tell_board(self) -> None:
        """Compute what is dirty and tell the board, for ever; never more than a share of the time."""
        share = self._settings.refresh_share
        while True:
            await self._moved.wait()
            self._moved.clear()
            started = monotonic_seconds()
            with tracing.follow("scoring.tell_board", self._causes_of_move.take()):
                move = self._move()
                spent = monotonic_seconds() - started
                await self._send(move)
            await asyncio.sleep(max(REFRESH_PAUSE_SECONDS, spent * (1 - share) / share))

    def _move(self) -> bytes:
        """Compute rows that are dirty; the message that tells of them."""
        oldest, self._oldest_ms = self._oldest_ms, 0
        rows: list[Document] = []
        for key, standings in self.fold.standings.items():
            computed = standings.refresh(self._settings.refresh_rows)
            moved = [row for row in computed if self.fold.judges(key, row.period)]
            if standings.tally.dirty:
                self._moved.set()
            rows.extend(row_document(key, row, self._position + 1) for row in moved)
            self._ledger.note(key, moved)
        self._position += bool(rows)
        for row in rows:
            self._stale_rows.pop(row["_id"], None)  # stored in the order of their positions
            self._stale_rows[row["_id"]] = row
        if self._moved.is_set():
            self._oldest_ms = min(oldest, self._oldest_ms) if self._oldest_ms else oldest
        MOVES.inc()
        return self._message(rows, oldest)

    def _message(self, rows: list[Document], oldest_ms: int) -> bytes:
        return _encode(
            {
                "type": "board.moved",
                "position": self._position,
                "at": self._clock.now(),
                "accepted_at_ms": oldest_ms,
                "rows": rows,
            }
        )

    async def _send(self, message: bytes) -> None:
        if monotonic_seconds() < self._bus_away_until:
            return
        try:
            await self._redis.xadd(
                self._journal.stream(BOARD.name, 0),
                _entry(message),
                maxlen=1_000,
                approximate=True,
            )
        except (RedisError, OSError):
            # The rows are stored every second; the board finds them there.
            self._bus_away_until = monotonic_seconds() + BUS_PAUSE_SECONDS

    async def heartbeat(self) -> None:
        """Tell the board each second that scoring lives, on the bus and in the store."""
        while True:
            try:
                await self._store.write_mark(
                    "heartbeat",
                    at=self._clock.now(),
                    wall_ms=wall_milliseconds(),
                    position=self._position,
                )
            except PyMongoError as failure:
                log.warning("heartbeat not stored", error=str(failure)[:120])
            await self._send(self._message([], 0))
            await asyncio.sleep(1)

    async def store_rows(self) -> None:
        """Store the rows that moved, each second, in small portions."""
        while True:
            await asyncio.sleep(1)
            try:
                await self._store_rows()
            except PyMongoError as failure:
                log.warning("rows not stored", error=str(failure)[:120])

    async def _store_rows(self) -> None:
        while self._stale_rows:
            some = dict(list(self._stale_rows.items())[:ROWS_A_WRITE])
            started = monotonic_seconds()
            await self._store.write_standings(list(some.values()))
            for key, row in some.items():
                if self._stale_rows.get(key) is row:
                    del self._stale_rows[key]
            await asyncio.sleep(monotonic_seconds() - started)

    async def forget_stored(self) -> None:
        """While another worker speaks: let go of the facts that it has stored; in the end the rest waits here."""
        margin = round(self._settings.catch_up_margin_seconds * 1_000)
        kept: dict[str, tuple[Fact, bytes]] = {}
        since = wall_milliseconds()
        try:
            while True:
                await asyncio.sleep(1)
                try:
                    mark = await self._store.read_mark("facts")
                except PyMongoError:
                    continue
                if int(mark.get("until_ms", 0)) > since + margin:
                    kept, self._unstored = self._unstored, {}
                    since = wall_milliseconds()
        finally:
            self._unstored = kept | self._unstored

    async def store_facts(self, known_until_ms: Callable[[], int]) -> None:
        """Store changed facts in the background, many versions of one as one write; then move the mark."""
        while True:
            await asyncio.sleep(0.2)
            waiting, self._unstored = self._unstored, {}
            until = known_until_ms()
            await self._store_all(waiting)
            if until > self.written_until_ms:
                await self._move_mark(until)

    async def _store_all(self, waiting: dict[str, tuple[Fact, bytes]]) -> None:
        share = self._settings.write_behind_share
        keys = list(waiting)
        for at in range(0, len(keys), self._settings.write_behind_facts):
            BEHIND.set(len(keys) - at + len(self._unstored))
            BEHIND_SECONDS.set(max(0.0, monotonic_seconds() - self._unstored_since))
            some = {k: waiting[k] for k in keys[at : at + self._settings.write_behind_facts]}
            started = monotonic_seconds()
            await self._store_some(some)
            busy = monotonic_seconds() - self._last_pack < BUSY_SECONDS
            spent = monotonic_seconds() - started
            await asyncio.sleep(spent * (1 - share) / share if busy else 0)
        BEHIND.set(len(self._unstored))
        if not self._unstored:
            BEHIND_SECONDS.set(0)

    async def _store_some(self, some: dict[str, tuple[Fact, bytes]]) -> None:
        while True:
            try:
                await self._store.write_facts(some)
            except PyMongoError as failure:
                log.warning("facts not stored", error=str(failure)[:120])
                await asyncio.sleep(1)
            else:
                return

    async def _move_mark(self, until: int) -> None:
        try:
            await self._store.write_mark("facts", until_ms=until)
        except PyMongoError:
            return
        self.written_until_ms = until

    async def write_ledger(self) -> None:
        """Append the changes of the last second to the ledger."""
        while True:
            await asyncio.sleep(self._settings.ledger_seconds)
            lines, units = self._ledger.entries(self.fold, self._clock.now())
            if not lines:
                continue
            try:
                with tracing.follow("scoring.write_ledger", self._causes_of_ledger.take()):
                    await self._journal.append(STANDING.name, 0, lines, tuple(units))
            except JournalUnavailableError:
                log.warning("ledger waits for the journal")
                continue
            self._ledger.written(self.fold)

    def advance(self) -> bool:
        """Fold the clock; True when the local date changed."""
        if not self.fold.advance(self._clock.today()):
            return False
        self._ledger.cause = "clock"
        self._moved.set()
        return True
