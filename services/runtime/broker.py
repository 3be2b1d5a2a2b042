"""Redis clients and the FastStream broker are built here and nowhere else."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from faststream.message import StreamMessage
from faststream.redis import RedisBroker, StreamSub
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from services.runtime.settings import Settings

Entry = Mapping[bytes, bytes]
"""The fields of one stream entry, as they came."""
HandleEntries = Callable[[list[Entry]], Awaitable[None]]
_BLOCK_MILLISECONDS = 1_000
_ENTRIES_A_READ = 64


def connect(settings: Settings) -> Redis:
    """A client for pipelines of XADD; fails fast, because the journal makes every loss good."""
    return Redis.from_url(
        settings.redis_url,
        socket_connect_timeout=1,
        socket_timeout=1,
        retry=Retry(NoBackoff(), 0),
    )


def broker(settings: Settings) -> RedisBroker:
    """The FastStream broker; it dispatches whole batches and leaves decoding to the handler."""
    return RedisBroker(settings.redis_url, apply_types=False, logger=None)  # type: ignore[arg-type]


async def _parse(raw: Any) -> StreamMessage[Any]:  # noqa: ANN401 - FastStream's raw batch
    return StreamMessage(raw_message=raw, body=b"")


async def _decode(message: StreamMessage[Any]) -> list[Entry]:
    return list(message.raw_message["data"])


def read_stream(streams: RedisBroker, stream: str, handle: HandleEntries) -> Any:  # noqa: ANN401 - FastStream's subscriber
    """Subscribe to a stream without a consumer group, in batches, each entry left as it came.

    A group would stall on an interrupted batch and end at FLUSHALL; what is missed here is read from the journal.
    """
    subscriber = streams.subscriber(
        stream=StreamSub(
            stream,
            batch=True,
            max_records=_ENTRIES_A_READ,
            polling_interval=_BLOCK_MILLISECONDS,
            last_id="$",
        ),
        parser=_parse,
        decoder=_decode,
    )
    subscriber(handle)
    return subscriber


async def start_at_newest(redis: Redis, stream: str, subscriber: Any) -> None:  # noqa: ANN401
    """Fix the place from which a subscriber reads, so that nothing slips between two reads at `$`."""
    try:
        newest = await redis.xrevrange(stream, count=1)
    except RedisError:
        return
    subscriber.last_id = newest[0][0].decode() if newest else "0-0"  # type: ignore[union-attr]
