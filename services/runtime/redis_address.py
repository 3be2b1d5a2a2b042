"""Where Redis is, in one line: one server, a primary that Sentinel names, or a Cluster."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import unquote, urlsplit

PORT = 6379
SENTINEL_PORT = 26379


class Mode(StrEnum):
    """How the servers behind an address work together; the value is the scheme of the address."""

    SINGLE = "redis"
    SENTINEL = "redis+sentinel"
    CLUSTER = "redis+cluster"


class RedisAddressError(ValueError):
    """An address that names no servers; says what was expected. The password is not in the text."""


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """What an address says.

    - `redis://[user:password@]host[:port][/number]` (or `rediss://`, `unix://`): handed on as it is
    - `redis+sentinel://[user:password@]host[:port],host[:port],…/name`: the primary of that name
    - `redis+cluster://[user:password@]host[:port],host[:port],…`: some members, the others are found

    The credentials are those of the servers; sentinels are asked without.
    """

    mode: Mode
    url: str
    members: list[tuple[str, int]] = field(default_factory=list)
    name: str = ""
    """Of the set of servers that the sentinels watch."""
    credentials: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, url: str) -> "RedisAddress":
        """Read an address.

        Raises:
            RedisAddressError: a part is missing or wrong.
        """
        parts = urlsplit(url)
        if parts.scheme not in {Mode.SENTINEL, Mode.CLUSTER}:
            return cls(Mode.SINGLE, url)
        mode = Mode(parts.scheme)
        who, _, where = parts.netloc.rpartition("@")
        default = SENTINEL_PORT if mode is Mode.SENTINEL else PORT
        members = [_member(one, default) for one in where.split(",")]
        name = parts.path.strip("/")
        if bool(name) != (mode is Mode.SENTINEL):
            raise RedisAddressError(
                f"{mode}: expected {'a name' if mode is Mode.SENTINEL else 'nothing'} after the last '/'"
            )
        user, _, password = who.partition(":")
        given = {"username": unquote(user), "password": unquote(password)}
        return cls(mode, url, members, name, {k: v for k, v in given.items() if v})


def _member(text: str, default: int) -> tuple[str, int]:
    host, _, port = text.strip().partition(":")
    if not host or not (port or str(default)).isdecimal():
        raise RedisAddressError(f"'{text}': expected host or host:port")
    return host, int(port or default)
