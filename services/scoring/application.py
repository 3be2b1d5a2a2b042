"""Telling: standings follow from counters at once; the board is told, rows are stored, the ledger is written."""

import asyncio
from collections.abc import Callable

import msgspec
from prometheus_client import Counter
from pymongo.errors import PyMongoError

from contracts.streams import BOARD, STANDING
from services.runtime import tracing
from services.runtime.announcing import Announcer
from services.runtime.broker import Client
from services.runtime.clock import (
    Clock,
    monotonic_seconds,
    wall_milliseconds,
)
from services.runtime.journal import Journal, JournalUnavailableError
from services.runtime.logging import get_logger
from services.runtime.mongo import Document
from services.scoring.behind import Behind
from services.scoring.domain.fold import Boards, PlanKey
from services.scoring.domain.standings import UnitRow
from services.scoring.ledger import Ledger
from services.scoring.settings import ScoringSettings
from services.scoring.store import ScoringStore

log = get_logger(__name__)

MOVES = Counter("scoring_board_moves", "Times the board was told of changed rows.")

REFRESH_PAUSE_SECONDS = 0.001
"""Between two moves of the board; what comes meanwhile goes into the next one."""
FOLLOW_PAUSE_SECONDS = 0.1
"""Between two looks of a stand-by at what is dirty."""
HELD_BACK_SECONDS = 0.2
"""Between two looks at what holds the board back."""
_encode = msgspec.json.Encoder().encode


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


class Scoring:
    """The standings of one worker, and everything that follows from them."""

    def __init__(
        self,
        store: ScoringStore,
        journal: Journal,
        redis: Client,
        clock: Clock,
        settings: ScoringSettings,
        boards: Boards,
    ) -> None:
        self.boards = boards
        self.held_back: Callable[[], str | None] = lambda: None
        """Why nothing may be told just now, because it would be half of the truth; None: all is here."""
        self._store = store
        self._journal = journal
        self._bus = Announcer(redis, journal.stream(BOARD.name, 0))
        self._clock = clock
        self._settings = settings
        self._position = wall_milliseconds() * 1_000
        self._moved = asyncio.Event()
        self._oldest_ms = 0
        self._rows = Behind(store.write_standings)
        self._ledger = Ledger()
        self._causes_of_move = tracing.Causes()
        self._causes_of_ledger = tracing.Causes()

    def note(self, made_at_ms: int) -> None:
        """Counters moved because of what was accepted at that real millisecond."""
        self._causes_of_move.add(tracing.carried())
        self._causes_of_ledger.add(tracing.carried())
        if not self._oldest_ms:
            self._oldest_ms = made_at_ms
        self._moved.set()

    def plan_published(self) -> None:
        """A plan version came into force."""
        self._ledger.cause = "plan"
        self._moved.set()

    @property
    def due(self) -> bool:
        """The clock shows a later local date than the fold."""
        return self._clock.today() > self.boards.today

    async def settle(self) -> None:
        """After the catch-up: compute everything once, and compare with what the ledger last knew."""
        for row in await self._stored_rows():
            self._ledger.remember(row)
        for standings in self.boards.standings.values():
            standings.tally.mark_all()
        self._moved.set()
        while self._moved.is_set():
            self._moved.clear()
            await self._bus.send(self._move())
        await self._rows.store()

    async def _stored_rows(self) -> list[Document]:
        """The rows as they were last stored; what is told from now on has later positions than they."""
        rows = await self._store.standings_since(0)
        last = rows[-1]["position"] if rows else 0
        self._position = max(self._position, last, wall_milliseconds() * 1_000)
        return rows

    async def follow(self) -> None:
        """Stand by: keep all rows computed, for a share of the time, and tell nobody, for ever."""
        for standings in self.boards.standings.values():
            standings.tally.mark_all()
        share = self._settings.refresh_share
        while True:
            self.advance()
            started = monotonic_seconds()
            for standings in self.boards.standings.values():
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
        for key, standings in self.boards.standings.items():
            for row in standings.rows.values():
                document = row_document(key, row, 0)
                same = _encode(document) == stored.get(document["_id"])
                if not same and self.boards.judges(key, row.period):
                    changed.append(document | {"position": self._position})
                    self._ledger.note(key, [row])
        self._rows.put(changed)
        for at in range(0, len(changed), self._settings.refresh_rows):
            some = changed[at : at + self._settings.refresh_rows]
            await self._bus.send(self._message(some, 0))
        self._moved.set()

    async def tell_board(self) -> None:
        """Compute what is dirty and tell the board, for ever; never more than a share of the time."""
        share = self._settings.refresh_share
        while True:
            await self._moved.wait()
            if self.held_back() is not None:
                await asyncio.sleep(HELD_BACK_SECONDS)
                continue
            self._moved.clear()
            started = monotonic_seconds()
            with tracing.follow("scoring.tell_board", self._causes_of_move.take()):
                move = self._move()
                spent = monotonic_seconds() - started
                await self._bus.send(move)
            await asyncio.sleep(max(REFRESH_PAUSE_SECONDS, spent * (1 - share) / share))

    def _move(self) -> bytes:
        """Compute rows that are dirty; the message that tells of them."""
        oldest, self._oldest_ms = self._oldest_ms, 0
        rows: list[Document] = []
        for key, standings in self.boards.standings.items():
            computed = standings.refresh(self._settings.refresh_rows)
            moved = [row for row in computed if self.boards.judges(key, row.period)]
            if standings.tally.dirty:
                self._moved.set()
            rows.extend(row_document(key, row, self._position + 1) for row in moved)
            self._ledger.note(key, moved)
        self._position += bool(rows)
        self._rows.put(rows)
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

    async def heartbeat(self) -> None:
        """Tell the board each second that scoring lives, on the bus and in the store."""
        while True:
            if self.held_back() is not None:
                await asyncio.sleep(HELD_BACK_SECONDS)
                continue
            try:
                await self._store.write_mark(
                    "heartbeat",
                    at=self._clock.now(),
                    wall_ms=wall_milliseconds(),
                    position=self._position,
                    stored=self._rows.stored_before(self._position),
                )
            except PyMongoError as failure:
                log.warning("heartbeat not stored", error=str(failure)[:120])
            await self._bus.send(self._message([], 0))
            await asyncio.sleep(1)

    async def store_rows(self) -> None:
        """Store the rows that moved, each second, in small portions."""
        while True:
            await asyncio.sleep(1)
            try:
                await self._rows.store()
            except PyMongoError as failure:
                log.warning("rows not stored", error=str(failure)[:120])

    async def write_ledger(self) -> None:
        """Append the changes of the last second to the ledger."""
        while True:
            await asyncio.sleep(self._settings.ledger_seconds)
            lines, units = self._ledger.entries(self.boards, self._clock.now())
            if not lines:
                continue
            try:
                with tracing.follow("scoring.write_ledger", self._causes_of_ledger.take()):
                    await self._journal.append(STANDING.name, 0, lines, tuple(units))
            except JournalUnavailableError:
                log.warning("ledger waits for the journal")
                continue
            self._ledger.written(self.boards)

    def advance(self) -> bool:
        """Fold the clock; True when the local date changed."""
        if not self.boards.advance(self._clock.today()):
            return False
        self._ledger.cause = "clock"
        self._moved.set()
        return True
