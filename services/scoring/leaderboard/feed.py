"""The board in memory: loaded once, moved by the bus, repaired from the store, read by everybody."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from itertools import count

import msgspec
from prometheus_client import Counter, Gauge, Histogram
from pymongo.errors import PyMongoError

from contracts.calendar import local_date, month_of, months_of, periods_of
from contracts.events import BoardMoved, PlanPublished, Standing, UnitScored
from contracts.packages import PackagePublished, PeriodFrozen
from contracts.plan import Bloc, Plan, Unit, in_force
from contracts.wire import board_moved, standing
from services.runtime import tracing
from services.runtime.broker import Entry
from services.runtime.clock import Clock, wall_milliseconds
from services.runtime.journal import Journal, Pack
from services.runtime.logging import get_logger
from services.runtime.mongo import Document
from services.scoring.asof import PastBoards
from services.scoring.domain.standings import ranked
from services.scoring.leaderboard.explaining import Explainer
from services.scoring.leaderboard.history import History
from services.scoring.leaderboard.views import (
    AS_OF,
    Board,
    Close,
    Explanation,
    FutureError,
    Row,
)
from services.scoring.store import ScoringStore

log = get_logger(__name__)

FRESHNESS = Histogram(
    "scoring_freshness_seconds",
    "From accepted (in the journal's making) to on the board, of the oldest event of a move.",
    buckets=(0.001, 0.0025, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
BOARD_AGE = Gauge("board_age_seconds", "Seconds since scoring last gave a sign of life.")
REPAIRED = Counter("board_repaired_rows", "Rows that the bus did not bring and the store did.")

POLL_SECONDS = 0.5
SILENT_SECONDS = 3.0
"""Without a sign of life for so long, the board says that scoring stopped: five seconds are promised to the reader."""
TREND_DAYS = 30
TREND_DAYS_OF_MANY = 2
MANY_UNITS = 200
"""A bloc with more units shows no small curves: they would weigh more than the board."""
GAP_MILLISECONDS = 10_000
SWEEP_EVERY = 120
"""Each so many polls everything stored is looked through."""
CLOSES_EVERY = 3
BUS_SILENT_MILLISECONDS = 1_500
"""A silent bus: signs of life are then read from the store, soon enough that scoring is not blamed for it."""
RULES_KEPT = 10_000
BoardKey = tuple[str, str, str]
"""(plan, bloc, period)."""


class Feed:
    """Follows scoring and answers for pages and API; `wait` tells when a board changed."""

    def __init__(
        self, store: ScoringStore, journal: Journal, clock: Clock, past: PastBoards
    ) -> None:
        self._past = past
        self._store = store
        self._clock = clock
        self._versions: dict[str, dict[int, Plan]] = {}
        self._official: dict[tuple[str, str], datetime] = {}
        """(plan, period) -> when its package was published."""
        self._closed: dict[tuple[str, str], datetime] = {}
        """(plan, period) -> as of when it was closed."""
        self._rows: dict[BoardKey, dict[str, tuple[int, Standing]]] = {}
        self._position: dict[BoardKey, int] = {}
        self._closes: dict[BoardKey, list[Document]] = {}
        self._ranks: dict[BoardKey, tuple[int, dict[str, int]]] = {}
        self._closed_on: dict[BoardKey, date] = {}
        self._looked_at: set[BoardKey] = set()
        self._rules: dict[tuple[str, str], Plan | None] = {}
        self._stored = 0
        """Position up to which all rows were stored when they were last read from there."""
        self._told = 0
        """Position of the newest move that the bus brought."""
        self._gap_until_ms = 0
        self._as_of: datetime = clock.now()
        self._alive_ms = 0
        self._bus_ms = 0
        self._changed = asyncio.Event()
        self._explainer = Explainer(store)
        self._history = History(store, journal)

    # what arrives

    async def on_plans(self, packs: list[Pack]) -> None:
        """Plans as they are published."""
        for pack in packs:
            for line in pack.lines:
                plan = PlanPublished.model_validate_json(line).plan
                self._versions.setdefault(plan.id, {})[plan.version] = plan
        self._rules.clear()
        self.notify()

    async def on_packages(self, packs: list[Pack]) -> None:
        """Packages as they are published: the periods whose results are official."""
        for pack in packs:
            for line in pack.lines:
                with suppress(ValueError):  # another event of the topic
                    event = PackagePublished.model_validate_json(line)
                    self._official[event.plan, event.period] = event.at

    async def on_freezes(self, packs: list[Pack]) -> None:
        """Periods as they are closed; the first closing of one holds."""
        for pack in packs:
            for line in pack.lines:
                event = PeriodFrozen.model_validate_json(line)
                self._closed.setdefault((event.plan, event.period), event.at)

    def closed_at(self, plan: str, period: str) -> datetime | None:
        """As of when the period was closed; None while it is open."""
        return self._closed.get((plan, period))

    def official_at(self, plan: str, period: str) -> datetime | None:
        """When the period's award package was published; None while its results are not official."""
        return self._official.get((plan, period))

    async def on_entries(self, entries: list[Entry]) -> None:
        """Moves of the board from the bus; an entry that cannot be read is passed over, the store has its rows."""
        self._bus_ms = wall_milliseconds()
        for entry in entries:
            try:
                move = board_moved(entry[b"body"])
            except (KeyError, ValueError) as error:
                log.warning("board message passed over", error=type(error).__name__)
                continue
            traces = entry.get(b"traces", b"").decode("ascii", "replace").split()
            with tracing.follow("leaderboard.show", traces, rows=len(move.rows)):
                self._watch_order(move)
                self._take((move.position, row) for row in move.rows)
            self._sign_of_life(move.at, self._bus_ms)
            if move.accepted_at_ms:
                FRESHNESS.observe((wall_milliseconds() - move.accepted_at_ms) / 1_000)

    def _watch_order(self, move: BoardMoved) -> None:
        """Positions follow each other; after a gap the store is read for some seconds."""
        expected = self._told + 1 if move.rows else self._told
        if move.position > expected:
            self._gap_until_ms = wall_milliseconds() + GAP_MILLISECONDS
        self._told = max(self._told, move.position)

    def _sign_of_life(self, as_of: datetime, wall_ms: int) -> None:
        if wall_ms >= self._alive_ms:
            self._alive_ms, self._as_of = wall_ms, as_of

    def _take(self, rows: Iterable[tuple[int, Standing]]) -> int:
        taken = 0
        for position, row in rows:
            key = row.plan, row.bloc, row.period
            board = self._rows.setdefault(key, {})
            known = board.get(row.unit)
            if known is not None and known[0] >= position:
                continue
            board[row.unit] = position, row
            self._position[key] = max(self._position.get(key, 0), position)
            taken += 1
        if taken:
            self.notify()
        return taken

    def notify(self) -> None:
        """Wake everybody who waits for a change."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def load(self) -> None:
        """Everything stored, once, at start."""
        await self._repair()
        await self._load_closes()
        self._gap_until_ms = wall_milliseconds() + GAP_MILLISECONDS

    async def _repair(self) -> int:
        mark = await self._store.read_mark("heartbeat")  # before the rows that it speaks of
        rows = await self._store.standings_since(self._stored)
        taken = self._take((row["position"], standing(row)) for row in rows)
        if mark:
            self._stored = max(self._stored, mark.get("stored", 0))
            self._sign_of_life(mark["at"], mark["wall_ms"])
        return taken

    async def _sweep(self) -> int:
        """Look through everything stored: whatever went wrong before is put right by it."""
        taken = 0
        async for rows in self._store.all_standings():
            taken += self._take((row["position"], standing(row)) for row in rows)
        return taken

    async def _load_closes(self) -> None:
        """The daily closes of today's boards and of those that somebody looks at, once a day each."""
        day = local_date(self._as_of)
        for key in self._today(day) | self._looked_at:
            board = "|".join(key)
            if self._closed_on.get(key) == day:
                continue
            units = len(self._rows.get(key, {}))
            most = TREND_DAYS if units <= MANY_UNITS else TREND_DAYS_OF_MANY
            found = await self._store.closes_of(board, most)
            self._closes[key] = found
            yesterday = (day - timedelta(days=1)).isoformat()
            plan = self.plan(key[0])
            over = plan is None or day > plan.ends_on + timedelta(days=2)
            if over or (found and found[-1]["on"] >= yesterday):
                self._closed_on[key] = day

    def _today(self, day: date) -> set[BoardKey]:
        return {
            (plan.id, bloc.code, period)
            for plan in self.plans()
            for bloc in plan.blocs
            for period in periods_of(month_of(min(max(day, plan.starts_on), plan.ends_on)))
        }

    async def poll(self) -> None:
        """Read from the store what the bus did not bring, for ever; keep the daily closes fresh."""
        for number in count(1):
            await asyncio.sleep(POLL_SECONDS)
            BOARD_AGE.set(self.age_seconds)
            try:
                if self._may_have_missed:
                    REPAIRED.inc(await self._repair())
                if number % SWEEP_EVERY == 0:
                    REPAIRED.inc(await self._sweep())
                if number % CLOSES_EVERY == 0:
                    await self._load_closes()
            except PyMongoError as failure:
                log.warning("board cannot be repaired", error=str(failure)[:120])

    @property
    def _may_have_missed(self) -> bool:
        now = wall_milliseconds()
        return now < self._gap_until_ms or now - self._bus_ms > BUS_SILENT_MILLISECONDS

    # what is asked

    @property
    def age_seconds(self) -> float:
        """Seconds since scoring last gave a sign of life."""
        return (
            max(0.0, (wall_milliseconds() - self._alive_ms) / 1_000) if self._alive_ms else 1e6
        )

    def trouble(self) -> str | None:
        """None, or which part stopped."""
        if self.age_seconds > SILENT_SECONDS:
            return "scoring"
        if wall_milliseconds() - self._bus_ms > SILENT_SECONDS * 1_000:
            return "bus"
        return None

    @property
    def as_of(self) -> datetime:
        """Domain time of the last sign of life."""
        return self._as_of

    async def wait(self) -> None:
        """Until some board changed."""
        await self._changed.wait()

    def position(self, key: BoardKey) -> int:
        """Grows with every change of a board."""
        return self._position.get(key, 0)

    def plans(self) -> list[Plan]:
        """The published plans, the one that ends last first."""
        newest = [self._current(versions) for versions in self._versions.values()]
        return sorted(newest, key=lambda plan: (plan.ends_on, plan.id), reverse=True)

    def _current(self, versions: dict[int, Plan]) -> Plan:
        today = self._clock.today()
        valid = [p for p in versions.values() if p.valid_from <= today <= p.valid_to]
        return max(valid or versions.values(), key=lambda plan: plan.version)

    def plan(self, plan: str) -> Plan | None:
        """One plan, in the version now in force."""
        versions = self._versions.get(plan)
        return None if versions is None else self._current(versions)

    def versions(self, plan: str) -> dict[int, Plan]:
        """All published versions of a plan."""
        return self._versions.get(plan, {})

    def stored_rows(self, key: BoardKey) -> dict[str, Document]:
        """The rows of a board as they are stored: unit -> row."""
        return {u: msgspec.to_builtins(row) for u, (_, row) in self._rows.get(key, {}).items()}

    def rules_for(self, plan: str, period: str) -> Plan | None:
        """The version that judges a period; None when the plan or the period is unknown."""
        key = plan, period
        if key not in self._rules and plan in self._versions and len(self._rules) < RULES_KEPT:
            self._rules[key] = self._judge(self._versions[plan], period)
        return self._rules.get(key)

    @staticmethod
    def _judge(versions: dict[int, Plan], period: str) -> Plan | None:
        try:
            judge = in_force(versions.values(), period)
            known = months_of(period, judge.months)
        except ValueError:
            return None
        return judge if known else None

    def board(self, plan: str, bloc: str, period: str) -> Board | None:
        """The standings, ranked; units that no event touched yet stand there with zero points."""
        rules = self.rules_for(plan, period)
        found = None if rules is None else rules.bloc(bloc)
        if rules is None or found is None:
            return None
        key = plan, bloc, period
        self._looked_at.add(key)
        return Board(
            rules,
            found,
            period,
            f"0-{self.position(key)}",
            self._as_of,
            self.age_seconds,
            self.trouble(),
            self._ranked_rows(key, rules, found),
            official_at=self.official_at(plan, period),
            closed_at=self.closed_at(plan, period),
        )

    async def board_as_of(
        self,
        plan: str,
        bloc: str,
        period: str,
        instant: datetime,
        visitor: str | None = None,
    ) -> Board | None:
        """The standings as they stood at a past instant, folded anew; None as for `board`.

        Who reads here are staff: they come before visitors.
        """
        del visitor
        return await self.past_board(plan, bloc, period, instant)

    async def past_board(
        self,
        plan: str,
        bloc: str,
        period: str,
        instant: datetime,
        visitor: str | None = None,
    ) -> Board | None:
        """The same for a visitor's address, who comes after staff.

        Raises:
            FutureError: the instant has not come yet.
            BusyError: too many ask for the past at once, or this visitor too often.
        """
        if instant > self._clock.now():
            raise FutureError
        rules = self.rules_for(plan, period)
        found = None if rules is None else rules.bloc(bloc)
        if rules is None or found is None:
            return None
        rows = await self._past.rows(instant, visitor=visitor)
        past = rows.get((plan, bloc, period), {})
        judge = next((row["version"] for row in past.values()), rules.version)
        then = self._versions[plan].get(judge, rules)
        found = then.bloc(bloc) or found
        return Board(then, found, period, AS_OF, instant, 0.0, None, rows_of(then, found, past))

    def ranks(self, key: BoardKey, rules: Plan) -> dict[str, int]:
        """Unit -> rank; computed once for each change of the board."""
        position = self.position(key)
        known = self._ranks.get(key)
        if known is None or known[0] != position:
            rows = self._rows.get(key, {})
            units = rules.units_of(key[1])
            points = [(u.code, rows[u.code][1].points if u.code in rows else 0) for u in units]
            known = self._ranks[key] = (position, ranked(points))
        return known[1]

    def _ranked_rows(self, key: BoardKey, rules: Plan, bloc: Bloc) -> list[Row]:
        ranks = self.ranks(key, rules)
        rows = [self.row(key, rules, unit.code, ranks) for unit in rules.units_of(bloc.code)]
        return sorted((row for row in rows if row is not None), key=lambda row: row.rank)

    def row(self, key: BoardKey, rules: Plan, code: str, ranks: dict[str, int]) -> Row | None:
        """One unit's row; None when the plan has no such unit."""
        unit = rules.unit(code)
        if unit is None:
            return None
        known = self._rows.get(key, {}).get(code)
        stored = _UNTOUCHED if known is None else known[1]
        closes = self._closes.get(key, [])
        past = [close["units"][code] for close in closes if code in close["units"]]
        return _row(unit, stored, ranks, past)

    def moved_since(self, key: BoardKey, position: int) -> list[str]:
        """Units whose rows moved after a position."""
        return [u for u, (at, _) in self._rows.get(key, {}).items() if at > position]

    async def explain(
        self,
        plan: str,
        unit: str,
        period: str,
        indicator: str | None = None,
        page: str | None = None,
    ) -> Explanation | None:
        """What is behind a unit's points."""
        rules = self.rules_for(plan, period)
        found = None if rules is None else rules.unit(unit)
        if rules is None or found is None:
            return None
        key = plan, found.bloc, period
        row = self.row(key, rules, unit, self.ranks(key, rules))
        if row is None:
            return None
        return await self._explainer.explain(rules, row, period, indicator, page)

    async def changes(self, plan: str, unit: str, limit: int = 30) -> list[UnitScored]:
        """The latest changes of a unit's total, newest first, from the ledger."""
        return await self._history.changes(plan, unit, limit)

    async def changes_between(
        self, plan: str, units: Collection[str], after: datetime, until: datetime
    ) -> list[UnitScored]:
        """The changes of some units' totals in a span of time, oldest first."""
        return await self._history.between(plan, units, after, until)

    async def closes(self, plan: str, bloc: str, period: str) -> list[Close]:
        """The daily closes of a board, oldest first."""
        return await self._history.closes(plan, bloc, period)


_UNTOUCHED = Standing(
    plan="",
    bloc="",
    period="2000",
    unit="",
    points=0,
    verified_points=0,
    indicators={},
    counters={},
    eligible=True,
    exclusions=[],
)


def rows_of(rules: Plan, bloc: Bloc, stored: Mapping[str, Document]) -> list[Row]:
    """Ranked rows from rows as they are stored, without a past."""
    known = {unit: standing(row) for unit, row in stored.items()}
    units = rules.units_of(bloc.code)
    ranks = ranked((u.code, known.get(u.code, _UNTOUCHED).points) for u in units)
    rows = [_row(unit, known.get(unit.code, _UNTOUCHED), ranks, []) for unit in units]
    return sorted(rows, key=lambda row: row.rank)


def _row(unit: Unit, stored: Standing, ranks: dict[str, int], past: list[list[int]]) -> Row:
    rank = ranks.get(unit.code, 0)
    return Row(
        rank,
        unit,
        stored.points,
        stored.verified_points,
        stored.eligible,
        stored.exclusions,
        stored.indicators,
        stored.counters,
        past[-1][0] - rank if past else None,
        tuple(close[1] for close in past),
        tuple(stored.lifted),
        stored.near,
    )
