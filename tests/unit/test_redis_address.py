"""The address of Redis names its kind, its members and its credentials, or says what was expected."""

import pytest
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster

from services.runtime.broker import broker, connect
from services.runtime.redis_address import Mode, RedisAddress, RedisAddressError
from services.runtime.settings import Settings


@pytest.mark.parametrize(
    "url", ["redis://host:1/0", "rediss://:word@host", "unix:///run/redis.sock"]
)
def test_one_server_is_handed_on_as_it_is(url: str) -> None:
    assert RedisAddress.parse(url) == RedisAddress(Mode.SINGLE, url)


def test_sentinels_have_a_name_and_a_port_of_their_own() -> None:
    at = RedisAddress.parse("redis+sentinel://me:w%40rd@a,b:5/thidua")
    assert (at.mode, at.members, at.name) == (Mode.SENTINEL, [("a", 26379), ("b", 5)], "thidua")
    assert at.credentials == {"username": "me", "password": "w@rd"}


def test_a_cluster_is_named_by_some_of_its_members() -> None:
    at = RedisAddress.parse("redis+cluster://:word@a,b:7001")
    assert (at.mode, at.members) == (Mode.CLUSTER, [("a", 6379), ("b", 7001)])
    assert at.credentials == {"password": "word"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis+sentinel://:secret@a:1", "expected a name after the last '/'"),
        ("redis+cluster://:secret@a:1/0", "expected nothing after the last '/'"),
        ("redis+cluster://:secret@a:one", "'a:one': expected host or host:port"),
        ("redis+cluster://:secret@a,,b", "'': expected host or host:port"),
        ("redis+sentinel:///thidua", "'': expected host or host:port"),
    ],
)
def test_a_wrong_address_is_refused_without_its_password(url: str, expected: str) -> None:
    with pytest.raises(RedisAddressError) as refused:
        RedisAddress.parse(url)
    assert expected in str(refused.value)
    assert "secret" not in str(refused.value)
    with pytest.raises(ValidationError) as unread:
        Settings(redis_url=url)
    assert expected in str(unread.value)
    assert "secret" not in str(unread.value)


@pytest.mark.parametrize(
    ("url", "kind", "named"),
    [
        ("redis://a:1/0", Redis, "RedisBroker"),
        ("redis+sentinel://a:1/thidua", Redis, "RedisSentinelBroker"),
        ("redis+cluster://a:1,b:2", RedisCluster, "RedisClusterBroker"),
    ],
)
async def test_each_kind_has_its_client_and_its_broker(
    url: str, kind: type, named: str
) -> None:
    settings = Settings(redis_url=url)
    assert type(connect(settings)) is kind
    assert type(broker(settings)).__name__ == named
