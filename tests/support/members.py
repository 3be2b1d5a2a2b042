"""Several members of each database, as a large installation runs them: real servers, one machine."""

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from redis.cluster import ClusterNode
from redis.sentinel import Sentinel

from services.runtime import binaries
from services.runtime.datafolder import free_port
from tests.support.waiting import wait_until

HOST = "127.0.0.1"
START_SECONDS = 40
PRIMARY_NAME = "thidua"


@dataclass(slots=True)
class Members:
    """The servers of one installation by their ports; everything ends with `end`."""

    folder: Path
    processes: dict[int, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, binary: str, *words: str) -> int:
        """Start one on a free port, in a folder of its own."""
        port = free_port()
        home = self.folder / f"{binary}-{port}"
        home.mkdir(parents=True)
        with (home / "log").open("wb") as log:
            self.processes[port] = subprocess.Popen(
                [
                    str(binaries.find(binary).path),
                    *(word.format(port=port, home=home) for word in words),
                ],
                cwd=home,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return port

    def kill(self, port: int) -> None:
        """End one without a word, as a machine that loses its power."""
        self.processes[port].send_signal(signal.SIGKILL)
        self.processes[port].wait()

    def end(self) -> None:
        """End all."""
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()


@contextlib.contextmanager
def members(folder: Path) -> Iterator[Members]:
    """What is started in the block ends with it."""
    found = Members(folder)
    try:
        yield found
    finally:
        found.end()


def replica_set(of: Members) -> str:
    """Three members of MongoDB that elect a primary within two seconds; the address of all."""
    ports = [
        of.start(
            "mongod", "--bind_ip", HOST, "--port", "{port}", "--nounixsocket", "--replSet", "rs0",
            "--dbpath", "{home}", "--oplogSize", "64", "--wiredTigerCacheSizeGB", "0.25",
            "--setParameter", "diagnosticDataCollectionEnabled=false",
        )
        for _ in range(3)
    ]  # fmt: skip
    config = {
        "_id": "rs0",
        "members": [{"_id": n, "host": f"{HOST}:{port}"} for n, port in enumerate(ports)],
        "settings": {"electionTimeoutMillis": 2_000, "heartbeatIntervalMillis": 500},
    }
    with contextlib.ExitStack() as open_ones:
        first, *others = [open_ones.enter_context(_mongo(port)) for port in ports]
        for member in (first, *others):
            _answers(lambda m=member: m.admin.command("ping"))
        first.admin.command("replSetInitiate", config)
    url = f"mongodb://{','.join(f'{HOST}:{port}' for port in ports)}/?replicaSet=rs0"
    _answers(lambda: mongo_primary(url))
    return url


def _mongo(port: int) -> "MongoClient[dict[str, Any]]":
    return MongoClient(HOST, port, directConnection=True)


def mongo_primary(url: str) -> int:
    """The port of the member that takes writes now."""
    client: MongoClient[dict[str, Any]]
    with MongoClient(url, serverSelectionTimeoutMS=1_000) as client:
        client.admin.command("ping")
        address = client.primary
    if address is None:
        raise PyMongoError("no primary")
    return address[1]


def _redis(of: Members, *words: str) -> int:
    return of.start(
        "redis-server", "--bind", HOST, "--port", "{port}", "--dir", "{home}", "--save", "",
        "--appendonly", "no", *words,
    )  # fmt: skip


def sentinels(of: Members) -> str:
    """A primary of Redis, its replica, and three sentinels; their address."""
    primary = _redis(of)
    _redis(of, "--replicaof", HOST, str(primary), "--repl-diskless-sync-delay", "0")
    with redis.Redis(HOST, primary) as client:
        _answers(lambda: _at_least(1, client.info("replication")["connected_slaves"]))
    ports = []
    for number in range(3):
        conf = of.folder / f"sentinel-{number}.conf"
        conf.write_text(
            f"sentinel monitor {PRIMARY_NAME} {HOST} {primary} 2\n"
            f"sentinel down-after-milliseconds {PRIMARY_NAME} 1000\n"
            f"sentinel failover-timeout {PRIMARY_NAME} 4000\n"
        )
        ports.append(
            of.start(
                "redis-server", str(conf), "--sentinel", "--bind", HOST, "--port", "{port}"
            )
        )
    for port in ports:
        with redis.Redis(HOST, port) as client:
            _answers(lambda c=client: _sees_all(c))
    return f"redis+sentinel://{','.join(f'{HOST}:{port}' for port in ports)}/{PRIMARY_NAME}"


def _sees_all(sentinel: "redis.Redis") -> None:
    """It knows the replica and the other two."""
    state: dict[str, Any] = sentinel.sentinel_master(PRIMARY_NAME)  # type: ignore[assignment]
    _at_least(1, state["num-slaves"])
    _at_least(2, state["num-other-sentinels"])


def redis_cluster(of: Members) -> str:
    """Three primaries of a Cluster with a replica each; its address."""
    words = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1500", "--cluster-port")
    among_them = [free_port() for _ in range(6)]
    ports = [_redis(of, *words, str(port)) for port in among_them]
    nodes: list[Any] = [redis.Redis(HOST, port, decode_responses=True) for port in ports]
    for number, node in enumerate(nodes):
        _answers(node.ping)
        node.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
    for number, node in enumerate(nodes[:3]):
        first, last = 16384 * number // 3, 16384 * (number + 1) // 3 - 1
        node.execute_command("CLUSTER ADDSLOTSRANGE", first, last)
    for port, among in zip(ports[1:], among_them[1:], strict=True):
        nodes[0].execute_command("CLUSTER MEET", HOST, port, among)
    for node in nodes:
        _answers(lambda n=node: _at_least(6, _known(n)))
    for primary, replica in zip(nodes[:3], nodes[3:], strict=True):
        name = primary.execute_command("CLUSTER MYID")
        _answers(lambda r=replica, n=name: r.execute_command("CLUSTER REPLICATE", n))
    for node in nodes:
        _answers(lambda n=node: _at_least(1, _is_whole(n)))
        node.close()
    return f"redis+cluster://{','.join(f'{HOST}:{port}' for port in ports)}"


def _known(node: Any) -> int:
    return int(node.cluster("info")["cluster_known_nodes"])


def _is_whole(node: Any) -> bool:
    """It sees every slot served, and has copied its primary if it has one."""
    state = node.info("replication")
    copied = state["role"] == "master" or state["master_link_status"] == "up"
    return bool(copied and node.cluster("info")["cluster_state"] == "ok")


class _NotYetError(Exception):
    """To be asked again."""


def _at_least(wanted: int, found: int) -> None:
    if found < wanted:
        raise _NotYetError(f"{found} of {wanted}")


def _answers(ask: Any) -> None:
    def answered() -> bool:
        try:
            ask()
        except (redis.RedisError, PyMongoError, _NotYetError):
            return False
        return True

    wait_until(answered, START_SECONDS, lambda: "the members do not come together")


def stream_primary(url: str, stream: str) -> int:
    """The port of the Redis that takes writes to a stream now."""
    where = [one.split(":") for one in url.split("//")[1].split("/", maxsplit=1)[0].split(",")]
    ports = [int(port) for _, port in where]
    if url.startswith("redis+sentinel"):
        sentinel: Any = Sentinel([(HOST, port) for port in ports], socket_timeout=1)  # type: ignore[no-untyped-call]
        return int(sentinel.discover_master(PRIMARY_NAME)[1])
    nodes = [ClusterNode(HOST, port) for port in ports]  # type: ignore[no-untyped-call]
    with redis.RedisCluster(startup_nodes=nodes) as cluster:
        return int(cluster.get_node_from_key(stream).port)
