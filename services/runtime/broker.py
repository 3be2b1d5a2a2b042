"""Redis clients and the FastStream broker are built here only: for one server, behind Sentinel, in a Cluster."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from faststream.message import StreamMessage
from faststream.redis import RedisBroker, RedisClusterBroker, RedisSentinelBroker, StreamSub
from redis._parsers.commands import AsyncCommandsParser
from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError

from services.runtime.redis_address import Mode, RedisAddress
from services.runtime.settings import Settings

Client = Redis | RedisCluster

Entry = Mapping[bytes, bytes]
"""The fields of one stream entry, as they came."""
HandleEntries = Callable[[list[Entry]], Awaitable[None]]
AWAY = (RedisError, RedisClusterException, OSError)
"""What a client raises when the bus cannot be had now; what a Cluster raises is not always a `RedisError`."""
_BLOCK_MILLISECONDS = 1_000
_ENTRIES_A_READ = 64


def connect(settings: Settings) -> Client:
    """A client for pipelines of XADD; fails fast, because the journal makes every loss good."""
    fast: dict[str, Any] = {
        "socket_connect_timeout": 1,
        "socket_timeout": 1,
        "retry": Retry(NoBackoff(), 0),
    }
    at = RedisAddress.parse(settings.redis_url)
    match at.mode:
        case Mode.SINGLE:
            return Redis.from_url(at.url, **fast)
        case Mode.SENTINEL:
            sentinel = Sentinel(  # type: ignore[no-untyped-call]
                at.members, sentinel_kwargs=fast, **fast, **at.credentials
            )
            return sentinel.master_for(at.name)  # type: ignore[no-any-return]
        case Mode.CLUSTER:
            nodes = [ClusterNode(host, port) for host, port in at.members]
            # a pipeline asks who serves a slot now only before it tries again
            again = {"retry": Retry(NoBackoff(), 1)}
            return RedisCluster(startup_nodes=nodes, **fast | again, **at.credentials)


def broker(settings: Settings) -> RedisBroker:
    """The FastStream broker; it dispatches whole batches and leaves decoding to the handler."""
    at = RedisAddress.parse(settings.redis_url)
    plain: dict[str, Any] = {"apply_types": False, "logger": None}
    match at.mode:
        case Mode.SINGLE:
            return RedisBroker(at.url, **plain)
        case Mode.SENTINEL:
            return RedisSentinelBroker(
                sentinels=at.members, sentinel_master_name=at.name,
                sentinel_kwargs={"socket_connect_timeout": 1, "socket_timeout": 1},
                **plain, **at.credentials,
            )  # fmt: skip
        case Mode.CLUSTER:
            (host, port), *others = at.members
            return RedisClusterBroker(
                f"redis://{host}:{port}", startup_nodes=others, **plain, **at.credentials
            )


class _KnownKeys(AsyncCommandsParser):
    """Which key an XREAD reads; the client would ask one member for it, the same for ever, also a dead one."""

    async def get_keys(self, *args: Any) -> Any:  # noqa: ANN401 - redis-py's
        if args[0] != "XREAD":
            return await super().get_keys(*args)
        keys_and_ids = args[args.index(b"STREAMS") + 1 :]
        return keys_and_ids[: len(keys_and_ids) // 2]


async def start(streams: RedisBroker) -> None:
    """Connect and start to read.

    Raises:
        Exception: whatever the client raises when the bus cannot be had now.
    """
    client: Any = await streams.connect()
    if isinstance(client, RedisCluster) and type(client.commands_parser) is not _KnownKeys:
        client.commands_parser = _KnownKeys()
    await streams.start()


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


async def start_at_newest(redis: Client, stream: str, subscriber: Any) -> None:  # noqa: ANN401
    """Fix the place from which a subscriber reads, so that nothing slips between two reads at `$`."""
    try:
        newest = await redis.xrevrange(stream, count=1)
    except AWAY:
        return
    subscriber.last_id = newest[0][0].decode() if newest else "0-0"  # type: ignore[union-attr]
