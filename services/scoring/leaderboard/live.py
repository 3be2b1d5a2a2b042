"""The live stream of one board: each frame is encoded once, and the same bytes go to everybody.

A viewer is an index into a ring of frames. Viewers sit in groups that are woken one after the other, so that ten
thousand of them never hold the process up in one piece; who falls behind the ring is let go and reconnects.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import islice
from typing import Any, Protocol

import msgspec
from prometheus_client import Gauge
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from contracts.plan import Plan
from services.runtime.clock import monotonic_seconds
from services.scoring.leaderboard.forms import board_json, row_json
from services.scoring.leaderboard.views import Board, Row

VIEWERS = Gauge("board_viewers", "Live streams open now.")
BEAT_SECONDS = 1.0
CROWD = 2_000
"""From so many viewers on a beat comes every other second; what stopped is still said at once."""
TROUBLE_SECONDS = 0.25
REFRESH_SHARE = 0.25
"""Share of time that may go into encoding changes of one board; sending them may take half."""
RING = 256
GROUP = 200
SNAPSHOT_SECONDS = 0.25
"""A snapshot is used so long for all who come, as long as nothing moved."""
ALLOWED_SECONDS = 5.0
"""How soon a stream that is not for everybody ends when its viewer signs out or loses the role."""
BoardKey = tuple[str, str, str]
Allowed = Callable[[], Awaitable[bool]]
Viewer = asyncio.Task[Any] | None
_encode = msgspec.json.Encoder().encode
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class LiveBoards(Protocol):
    """What a stream needs to know of the boards."""

    def board(self, plan: str, bloc: str, period: str) -> Board | None:
        """A board as it stands."""

    def position(self, key: BoardKey) -> int:
        """Grows with every change of a board."""

    def rules_for(self, plan: str, period: str) -> Plan | None:
        """The version that judges a period."""

    def ranks(self, key: BoardKey, rules: Plan) -> dict[str, int]:
        """Unit -> rank."""

    def row(self, key: BoardKey, rules: Plan, code: str, ranks: dict[str, int]) -> Row | None:
        """One unit's row."""

    def moved_since(self, key: BoardKey, position: int) -> list[str]:
        """Units whose rows moved after a position."""

    def trouble(self) -> str | None:
        """None, or which part stopped."""

    async def wait(self) -> None:
        """Until some board changed."""


def frame(event: str, number: str, content: Any) -> bytes:  # noqa: ANN401 - whatever is encodable
    """One server-sent event."""
    return f"event: {event}\nid: {number}\ndata: ".encode() + _encode(content) + b"\n\n"


class Channel:
    """Encodes what changes on one board and wakes its viewers."""

    def __init__(self, boards: LiveBoards, key: BoardKey) -> None:
        self._boards = boards
        self._key = key
        self._ring: deque[bytes] = deque(maxlen=RING)
        self._next = 0
        """Number of the frame that comes next."""
        self._groups: list[_Group] = []
        self._viewers = 0
        self._told = boards.position(key)
        self._trouble = boards.trouble()
        self._ranks: dict[str, int] = {}
        self._snapshot: tuple[float, int, bytes] | None = None
        self._task: asyncio.Task[None] | None = None

    def enter(self) -> "_Group":
        """A place in a group that has room; the first viewer starts the broadcast."""
        group = next((g for g in reversed(self._groups) if g.size < GROUP), None)
        if group is None:
            group = _Group()
            self._groups.append(group)
        group.size += 1
        self._viewers += 1
        VIEWERS.inc()
        if self._task is None or self._task.done():
            self._told = self._boards.position(self._key)
            self._ranks = self._current_ranks()
            self._task = asyncio.create_task(self._broadcast())
        return group

    def leave(self, group: "_Group") -> None:
        """Give the place back."""
        group.size -= 1
        self._viewers -= 1
        VIEWERS.dec()
        if not group.size and group in self._groups:
            self._groups.remove(group)

    @property
    def next(self) -> int:
        """Number of the frame that comes next: who has just read a snapshot goes on from here."""
        return self._next

    def since(self, number: int) -> bytes | None:
        """All frames from a number on in one piece; None: it is no longer in the ring."""
        behind = self._next - number
        if behind > len(self._ring):
            return None
        return b"".join(islice(self._ring, len(self._ring) - behind, None))

    def snapshot(self) -> bytes:
        """The whole board as one frame; encoded once for all who come at about the same time."""
        position, now = self._boards.position(self._key), monotonic_seconds()
        known = self._snapshot
        if known and known[1] == position and now - known[0] < SNAPSHOT_SECONDS:
            return known[2]
        board = self._boards.board(*self._key)
        made = b"" if board is None else frame("snapshot", board.version, board_json(board))
        self._snapshot = now, position, made
        return made

    def _current_ranks(self) -> dict[str, int]:
        rules = self._boards.rules_for(self._key[0], self._key[2])
        return {} if rules is None else dict(self._boards.ranks(self._key, rules))

    async def _broadcast(self) -> None:
        beaten = monotonic_seconds()
        while self._viewers:
            if await self._changed(beaten):
                await self._tell()
            else:
                beaten = monotonic_seconds()
                await self._send(self._beat())

    async def _tell(self) -> None:
        """Send what changed; then rest, so that a storm moves the board less often instead of filling the process."""
        started = monotonic_seconds()
        made = self._change()
        encoded = monotonic_seconds() - started
        if made is not None:
            await self._send(made)
        sent = monotonic_seconds() - started - encoded
        await asyncio.sleep(encoded * (1 - REFRESH_SHARE) / REFRESH_SHARE + sent)

    async def _changed(self, beaten: float) -> bool:
        """True when the board changed; False when a beat is due, or what stopped is another thing."""
        pause = BEAT_SECONDS if self._viewers < CROWD else 2 * BEAT_SECONDS
        while self._boards.position(self._key) == self._told:
            left = beaten + pause - monotonic_seconds()
            if left <= 0 or self._boards.trouble() != self._trouble:
                return False
            with suppress(TimeoutError):
                await asyncio.wait_for(self._boards.wait(), min(left, TROUBLE_SECONDS))
        return True

    def _beat(self) -> bytes:
        self._trouble = self._boards.trouble()
        board = self._boards.board(*self._key)
        if board is None:
            return b": no board\n\n"
        beat = {
            "as_of": board.as_of,
            "age_seconds": round(board.age_seconds, 1),
            "trouble": board.trouble,
        }
        return frame("beat", board.version, beat)

    def _change(self) -> bytes | None:
        position = self._boards.position(self._key)
        rules = self._boards.rules_for(self._key[0], self._key[2])
        board = self._boards.board(*self._key)
        if rules is None or board is None or position == self._told:
            return None
        ranks = self._boards.ranks(self._key, rules)
        changed = self._boards.moved_since(self._key, self._told)
        rows = [self._boards.row(self._key, rules, unit, ranks) for unit in changed]
        moved = {unit: rank for unit, rank in ranks.items() if self._ranks.get(unit) != rank}
        self._told, self._ranks = position, dict(ranks)
        content = {
            "version": board.version,
            "as_of": board.as_of,
            "age_seconds": round(board.age_seconds, 1),
            "rows": [row_json(row) for row in rows if row is not None],
            "ranks": moved,
        }
        return frame("change", board.version, content)

    async def _send(self, made: bytes) -> None:
        self._ring.append(made)
        self._next += 1
        for group in list(self._groups):
            group.wake()
            await asyncio.sleep(0)


class _Group:
    """Viewers who are woken together."""

    def __init__(self) -> None:
        self.size = 0
        self._event = asyncio.Event()

    async def woken(self) -> None:
        await self._event.wait()

    def wake(self) -> None:
        self._event.set()
        self._event = asyncio.Event()


class EventStream(Response):
    """The answer to one viewer: a snapshot, then every frame, until the connection ends."""

    def __init__(self, channel: Channel, allowed: Allowed | None = None) -> None:
        self._channel = channel
        self._allowed = allowed
        """Asked now and then whether the viewer may still see it; None: everybody may."""
        self.background = None
        self.status_code = 200

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the viewer goes, may no longer see it, or has fallen behind the ring."""
        del scope
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        group = self._channel.enter()
        viewer = asyncio.current_task()
        gone = asyncio.ensure_future(_gone(receive, viewer))
        ends = [gone]
        if self._allowed is not None:
            ends.append(asyncio.ensure_future(_barred(self._allowed, viewer)))
        try:
            await self._follow(group, send)
        except asyncio.CancelledError:
            if not any(end.done() for end in ends):
                raise
        finally:
            for end in ends:
                end.cancel()
            self._channel.leave(group)
        if not gone.done():
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _follow(self, group: _Group, send: Send) -> None:
        channel = self._channel
        retry = b"retry: %d\n" % random.randint(500, 3_000)  # noqa: S311  # nosec B311  # only spreads reconnections
        at = channel.next
        await send(_body(retry + channel.snapshot()))
        while True:
            if at == channel.next:
                await group.woken()
            chunk = channel.since(at)
            if chunk is None:
                break
            at = channel.next
            if chunk:
                await send(_body(chunk))


def _body(chunk: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": chunk, "more_body": True}


async def _gone(receive: Receive, viewer: Viewer) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    _end(viewer)


async def _barred(allowed: Allowed, viewer: Viewer) -> None:
    while await allowed():  # noqa: ASYNC110 - a right is looked up, not announced
        await asyncio.sleep(ALLOWED_SECONDS)
    _end(viewer)


def _end(viewer: Viewer) -> None:
    if viewer is not None:
        viewer.cancel()
