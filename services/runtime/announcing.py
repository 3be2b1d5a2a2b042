"""Telling on the bus what the store keeps too: at once where the bus is there; where it is away nobody waits for it."""

from redis.typing import EncodableT, FieldT

from services.runtime import tracing
from services.runtime.broker import AWAY, Client
from services.runtime.clock import monotonic_seconds

PAUSE_SECONDS = 2
"""After a failure the bus is left alone for so long, so that a hanging one holds nobody up."""
MESSAGES_KEPT = 1_000


class Announcer:
    """One stream of messages; whoever misses one finds its content in the store."""

    def __init__(self, redis: Client, stream: str) -> None:
        self._redis = redis
        self._stream = stream
        self._away_until = 0.0

    async def send(self, message: bytes) -> None:
        """Tell it, with what it came of where that is traced; a bus that is away is no error."""
        if monotonic_seconds() < self._away_until:
            return
        entry: dict[FieldT, EncodableT] = {"body": message}
        if traces := tracing.carried():
            entry["traces"] = " ".join(traces)
        try:
            await self._redis.xadd(self._stream, entry, maxlen=MESSAGES_KEPT, approximate=True)
        except AWAY:
            self._away_until = monotonic_seconds() + PAUSE_SECONDS
