"""Costly looks into the past: one at a time, staff first, nobody takes every turn."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from services.scoring import turns
from services.scoring.turns import (
    MOST_PUBLIC,
    MOST_WAITING,
    VISIT_SECONDS,
    VISITS,
    BusyError,
    TooOftenError,
    Turn,
    Turns,
)

STAFF = None


class Hall:
    """A queue, a clock that a test moves, and who was served."""

    def __init__(self, clock: list[float]) -> None:
        self.turns = Turns()
        self.clock = clock
        self.served: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []
        self._goes_on: dict[str, asyncio.Event] = {}

    def come(self, name: str, visitor: str | None) -> Turn:
        turn = self.turns.enter(visitor)
        self._goes_on[name] = asyncio.Event()
        self.tasks.append(asyncio.create_task(self._stay(name, turn)))
        return turn

    async def _stay(self, name: str, turn: Turn) -> None:
        async with self.turns.take(turn):
            self.served.append(name)
            await self._goes_on[name].wait()

    async def leave(self, name: str, seconds: float = 0) -> None:
        self.clock[0] += seconds
        self._goes_on[name].set()
        await settled()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
async def hall(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hall]:
    clock = [1_000.0]
    monkeypatch.setattr(turns, "monotonic_seconds", lambda: clock[0])
    hall = Hall(clock)
    yield hall
    for task in hall.tasks:
        task.cancel()
    await asyncio.gather(*hall.tasks, return_exceptions=True)


async def test_one_is_served_at_a_time_and_staff_come_before_who_waits(hall: Hall) -> None:
    hall.come("first", "a")
    await settled()
    hall.come("second", "b")
    hall.come("office", STAFF)
    await settled()
    assert hall.served == ["first"]
    await hall.leave("first")
    assert hall.served == ["first", "office"]
    await hall.leave("office")
    assert hall.served == ["first", "office", "second"]


async def test_after_a_long_turn_the_public_rests_as_long_and_staff_do_not(hall: Hall) -> None:
    called: list[tuple[float, Callable[[], None]]] = []
    loop = asyncio.get_running_loop()
    monkey = pytest.MonkeyPatch()
    monkey.setattr(loop, "call_later", lambda after, what: called.append((after, what)))
    try:
        hall.come("first", "a")
        await settled()
        hall.come("second", "b")
        await hall.leave("first", seconds=3)
        assert hall.served == ["first"]
        hall.come("office", STAFF)
        await settled()
        assert hall.served == ["first", "office"]
        await hall.leave("office")
        after, what = called[-1]
        assert after == pytest.approx(3)
        hall.clock[0] += after
        what()
        await settled()
        assert hall.served == ["first", "office", "second"]
    finally:
        monkey.undo()


async def test_who_waits_with_staff_is_no_longer_the_public(hall: Hall) -> None:
    hall.come("first", "a")
    await settled()
    hall.come("second", "b")
    hall.come("third", "c").promote()
    await hall.leave("first")
    assert hall.served == ["first", "third"]


async def test_more_than_the_most_are_refused_and_staff_always_find_room(hall: Hall) -> None:
    for n in range(MOST_PUBLIC):
        hall.come(f"{n}", f"address {n}")
    with pytest.raises(BusyError) as refused:
        hall.turns.enter("one more")
    assert not isinstance(refused.value, TooOftenError)
    for n in range(MOST_WAITING - MOST_PUBLIC):
        hall.come(f"office {n}", STAFF)
    with pytest.raises(BusyError):
        hall.turns.enter(STAFF)


async def test_who_gives_up_leaves_the_queue(hall: Hall) -> None:
    for name in ("first", "second", "third"):
        hall.come(name, name)
    await settled()
    hall.tasks[1].cancel()
    await settled()
    await hall.leave("first")
    assert hall.served == ["first", "third"]


async def test_one_address_is_served_so_often_a_minute_and_others_go_on(hall: Hall) -> None:
    for n in range(VISITS):
        hall.come(f"{n}", "a")
        await settled()
        await hall.leave(f"{n}")
        hall.clock[0] += 1
    with pytest.raises(TooOftenError) as refused:
        hall.turns.enter("a")
    assert refused.value.retry_after == VISIT_SECONDS - VISITS + 1
    hall.come("other", "b")
    await settled()
    await hall.leave("other")
    hall.clock[0] += refused.value.retry_after
    hall.come("again", "a")
    await settled()
    assert hall.served[-2:] == ["other", "again"]
