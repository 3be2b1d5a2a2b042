"""The live stream: encoded once, in order, never older after newer; who falls behind is let go."""

import asyncio
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from contracts.plan import Plan
from services.scoring.leaderboard import live
from services.scoring.leaderboard.live import Allowed, BoardKey, Channel, EventStream
from services.scoring.leaderboard.views import Board, Row
from tests.support.sample_boards import SampleBoards
from tests.support.waiting import until

KEY: BoardKey = ("phung-hiep-2023", "commune", "2023")


class Boards:
    """Sample boards that tell when they moved."""

    def __init__(self) -> None:
        self.sample = SampleBoards()
        self.moves = 0
        self.made = 0
        self.stopped: str | None = None
        self._changed = asyncio.Event()

    def move(self, unit: str) -> None:
        self.moves += 1
        self.sample.boosts[unit] = self.sample.boosts.get(unit, 0) + 1_000
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def board(self, plan: str, bloc: str, period: str) -> Board | None:
        self.made += 1
        found = self.sample.board(plan, bloc, period)
        version = f"0-{self.moves}"
        return found and replace(found, version=version, trouble=self.stopped)

    def position(self, key: BoardKey) -> int:
        return self.moves

    def rules_for(self, plan: str, period: str) -> Plan | None:
        return self.sample.plan_now

    def _rows(self) -> dict[str, Row]:
        board = self.sample.board(*KEY)
        assert board is not None
        return {row.unit.code: row for row in board.rows}

    def ranks(self, key: BoardKey, rules: Plan) -> dict[str, int]:
        return {unit: row.rank for unit, row in self._rows().items()}

    def row(self, key: BoardKey, rules: Plan, code: str, ranks: dict[str, int]) -> Row | None:
        return self._rows()[code]

    def moved_since(self, key: BoardKey, position: int) -> list[str]:
        return list(self.sample.boosts)

    def trouble(self) -> str | None:
        return self.stopped

    async def wait(self) -> None:
        await self._changed.wait()


class Viewer:
    """One connection: what it was sent, frame by frame."""

    def __init__(self, channel: Channel, allowed: Allowed | None = None) -> None:
        self.frames: list[tuple[str, dict[str, Any]]] = []
        self.ended = False
        self._rest = b""
        self._gone = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()
        self.task = asyncio.create_task(
            EventStream(channel, allowed)({"type": "http"}, self._receive, self._send)
        )

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        await self._open.wait()
        if message["type"] != "http.response.body":
            return
        self.ended = not message["more_body"]
        *whole, self._rest = (self._rest + message["body"]).split(b"\n\n")
        for one in whole:
            said = dict(line.split(b": ", 1) for line in one.split(b"\n"))
            if b"data" in said:
                self.frames.append(
                    (said[b"event"].decode(), msgspec.json.decode(said[b"data"]))
                )

    def stall(self) -> None:
        self._open.clear()

    def go_on(self) -> None:
        self._open.set()

    async def leave(self) -> None:
        self._gone.set()
        await asyncio.gather(self.task, return_exceptions=True)

    @property
    def versions(self) -> list[int]:
        return [int(f["version"].split("-")[1]) for _, f in self.frames if "version" in f]


async def test_a_crowd_gets_one_encoding_and_nobody_sees_an_older_state_later() -> None:
    boards = Boards()
    channel = Channel(boards, KEY)
    viewers = [Viewer(channel) for _ in range(250)]
    await until(lambda: all(v.frames for v in viewers))
    assert boards.made < 20
    for n in range(3):
        boards.move("31399" if n % 2 else "31402")
        await until(lambda: all(v.versions[-1] == boards.moves for v in viewers))
    for viewer in viewers:
        assert viewer.frames[0][0] == "snapshot"
        assert viewer.versions == sorted(viewer.versions)
    last = viewers[0].frames[-1][1]["rows"]
    now = boards.row(KEY, boards.sample.plan_now, "31399", {})
    assert now is not None
    told = {row["unit"]: row["points"] for row in last}
    assert told["31399"] == f"{now.points // 10_000}.{now.points % 10_000:04d}"
    for viewer in viewers:
        await viewer.leave()
    assert all(viewer.task.done() for viewer in viewers)


async def test_who_comes_in_the_middle_begins_with_a_snapshot_as_new_as_any_frame() -> None:
    boards = Boards()
    channel = Channel(boards, KEY)
    first = Viewer(channel)
    await until(lambda: bool(first.frames))
    boards.move("31399")
    late = Viewer(channel)
    await until(lambda: bool(late.frames) and late.versions[-1] == 1)
    assert late.frames[0][0] == "snapshot"
    boards.move("31402")
    await until(lambda: late.versions[-1] == 2 and first.versions[-1] == 2)
    assert late.versions == sorted(late.versions)
    for viewer in (first, late):
        await viewer.leave()


async def test_who_falls_behind_the_ring_is_let_go_and_stops_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "RING", 4)
    boards = Boards()
    channel = Channel(boards, KEY)
    quick, slow = Viewer(channel), Viewer(channel)
    await until(lambda: bool(quick.frames) and bool(slow.frames))
    slow.stall()
    for n in range(6):
        boards.move("31399")
        await until(lambda n=n: quick.versions[-1] == n + 1)  # type: ignore[misc]
    slow.go_on()
    await until(slow.task.done)
    assert slow.ended
    assert not quick.ended
    await quick.leave()


async def test_what_stopped_is_said_before_the_next_beat_is_due() -> None:
    boards = Boards()
    viewer = Viewer(Channel(boards, KEY))
    await until(lambda: bool(viewer.frames))
    boards.stopped = "scoring"
    await until(lambda: viewer.frames[-1][1]["trouble"] == "scoring")
    assert viewer.frames[-1][0] == "beat"
    boards.stopped = None
    await until(lambda: viewer.frames[-1][1]["trouble"] is None)
    await viewer.leave()


async def test_a_board_that_does_not_tell_what_stopped_still_beats_once_a_second() -> None:
    class Frozen(Boards):
        def board(self, plan: str, bloc: str, period: str) -> Board | None:
            found = super().board(plan, bloc, period)
            return found and replace(found, trouble=None)

    boards = Frozen()
    viewer = Viewer(Channel(boards, KEY))
    await until(lambda: bool(viewer.frames))
    boards.stopped = "bus"
    await until(lambda: [kind for kind, _ in viewer.frames].count("beat") >= 3)
    assert boards.made < 10
    await viewer.leave()


async def test_a_stream_that_is_not_for_everybody_ends_when_its_viewer_may_no_longer_see_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "ALLOWED_SECONDS", 0.01)
    boards = Boards()
    channel = Channel(boards, KEY)
    staff = {"binh", "lan"}

    async def binh() -> bool:
        return "binh" in staff

    async def lan() -> bool:
        return "lan" in staff

    public, first, second = Viewer(channel), Viewer(channel, binh), Viewer(channel, lan)
    await until(lambda: bool(public.frames and first.frames and second.frames))
    staff.remove("binh")
    await until(lambda: first.ended)
    boards.move("31399")
    await until(lambda: 1 in public.versions and 1 in second.versions)
    assert 1 not in first.versions
    assert not public.ended
    assert not second.ended
    await asyncio.gather(public.leave(), first.leave(), second.leave())
