"""Telling on the bus: whatever a client raises while the bus is away, nobody who tells is held up or ended."""

from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError, RedisClusterException

from services.runtime import announcing
from services.runtime.announcing import PAUSE_SECONDS, Announcer


class Bus:
    """Counts what is told, and fails as it is asked to."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.told = 0

    async def xadd(self, *_: Any, **__: Any) -> None:
        """As the client's."""
        self.told += 1
        if self.fault is not None:
            raise self.fault


@pytest.mark.parametrize(
    "fault", [RedisConnectionError(), RedisClusterException("no member answers"), OSError()]
)
async def test_a_bus_that_is_away_is_no_error_and_is_left_alone_for_a_while(
    fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(announcing, "monotonic_seconds", lambda: now[0])
    bus = Bus()
    announcer: Any = Announcer(bus, "board")  # type: ignore[arg-type]
    bus.fault = fault
    await announcer.send(b"one")
    bus.fault = None
    await announcer.send(b"two")
    assert bus.told == 1
    now[0] += PAUSE_SECONDS
    await announcer.send(b"three")
    assert bus.told == 2
