"""Redis and MongoDB for one machine, and the processes that need them, under one parent, in one folder."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from services.runtime import binaries
from services.runtime.datafolder import hold, is_free, port_for
from services.runtime.settings import Settings
from services.runtime.supervisor import AppProcess, Child, Children, tell

if TYPE_CHECKING:
    from services.runtime import mongo

HOST = "127.0.0.1"
REPLICA_SET = "rs0"
LONGEST_LOG_BYTES = 20_000_000
RECOVERY_SECONDS = 300
"""After a kill under load MongoDB reads its journal back first."""
TRIES = 3
APPS_STOP_SECONDS = 2.4
DATABASES_STOP_SECONDS = 2.2
_POLL_SECONDS = 0.01
_NOT_YET_INITIALIZED = 94
_EXECUTABLES = {"redis": "redis-server", "mongod": "mongod"}
_MUTED = '"s":"I"'
"""What marks a line of mongod as mere information."""


Ready = Callable[[Child, int], Coroutine[None, None, None]]
"""Returns when the server that a child runs on a port is ready."""


class DatabaseStartError(Exception):
    """A database server does not start; says what it said."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the databases are."""

    mongo_url: str
    redis_url: str


@asynccontextmanager
async def embedded_databases(data: Path) -> AsyncIterator[Addresses]:
    """The databases of a folder on which nothing else runs, for as long as the block lasts.

    Raises:
        DataFolderError, BinaryMissingError, DatabaseStartError: what is in the way.
    """
    with hold(data):
        async with Children(data, "databases", DATABASES_STOP_SECONDS) as children:
            yield await start_databases(data, children)


async def run(
    data: Path,
    apps: Callable[[Addresses], Sequence[AppProcess]],
    when_started: Callable[[Addresses], Awaitable[None]],
) -> None:
    """Run databases and apps until SIGINT, SIGTERM or SIGHUP; `when_started` runs beside them once.

    All end within 5 s: the apps first, then what they write to.

    Raises:
        DataFolderError, BinaryMissingError, DatabaseStartError: what is in the way.
    """
    with hold(data):
        work = asyncio.create_task(_run(data, apps, when_started))
        stopped = False

        def stop() -> None:
            nonlocal stopped
            if not stopped:
                stopped = True
                tell("thidua", "stopping")
                work.cancel()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stop)
        try:
            await work
        except asyncio.CancelledError:
            if not stopped:
                raise
        tell("thidua", "stopped")


async def _run(
    data: Path,
    apps: Callable[[Addresses], Sequence[AppProcess]],
    when_started: Callable[[Addresses], Awaitable[None]],
) -> None:
    async with (
        Children(data, "databases", DATABASES_STOP_SECONDS) as databases,
        Children(data, "apps", APPS_STOP_SECONDS) as processes,
    ):
        addresses = await start_databases(data, databases)
        for program in apps(addresses):
            await processes.start(program)
        await when_started(addresses)
        await asyncio.Event().wait()


async def start_databases(data: Path, children: Children) -> Addresses:
    """Start what the settings do not name: `MONGO_URL` and `REDIS_URL` mean servers of one's own."""
    given = Settings()
    named = given.model_fields_set
    (data / "log").mkdir(exist_ok=True)
    redis_url, mongo_url = given.redis_url, given.mongo_url
    if "redis_url" not in named:
        port = await _start("redis", data, children, _redis, _redis_is_ready)
        redis_url = f"redis://{HOST}:{port}/0"
    if "mongo_url" not in named:
        port = await _start("mongod", data, children, _mongod, _mongod_is_ready)
        mongo_url = f"mongodb://{HOST}:{port}/?replicaSet={REPLICA_SET}"
    return Addresses(mongo_url, redis_url)


async def _start(
    name: str,
    data: Path,
    children: Children,
    command: Callable[[Path, int], list[str]],
    ready: Ready,
) -> int:
    """Start a server and return its port, which is the one that it had before if that is still free."""
    (data / name).mkdir(exist_ok=True, mode=0o700)
    log = data / "log" / f"{name}.log"
    if log.exists() and log.stat().st_size > LONGEST_LOG_BYTES:
        log.replace(log.with_suffix(".log.old"))
    for attempt in range(TRIES):
        port = port_for(data, name, anew=attempt > 0)
        program = AppProcess(
            name, command(data, port), orphan_signal=signal.SIGTERM, muted=_MUTED
        )
        try:
            child = await children.start(program)
        except OSError as error:
            raise binaries.BinaryMissingError(
                _EXECUTABLES[name], f"at {program.argv[0]} does not run ({error.strerror})"
            ) from None
        if await _comes_up(child, port, ready):
            return port
        await children.drop(child)
        if is_free(port):
            break
    raise DatabaseStartError(f"{name} does not start; its log {log} ends with:\n{_tail(log)}")


async def _comes_up(child: Child, port: int, ready: Ready) -> bool:
    """Whether the server becomes ready before its process ends."""
    up, down = asyncio.create_task(ready(child, port)), asyncio.create_task(child.ended())
    try:
        await asyncio.wait(
            {up, down}, timeout=RECOVERY_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        if up.done():
            await up
        return up.done()
    finally:
        up.cancel()
        down.cancel()
        await asyncio.gather(up, down, return_exceptions=True)


def _tail(log: Path) -> str:
    with suppress(OSError):
        lines = log.read_text(errors="replace").splitlines()
        telling = [line for line in lines[-50:] if '"s":"F"' in line or '"s":"E"' in line]
        return "\n".join(line[:400] for line in (telling or lines)[-3:])
    return "(no log)"


def _redis(data: Path, port: int) -> list[str]:
    folder = data / "redis"
    return [
        str(binaries.find("redis-server").path),
        *("--bind", HOST, "--port", str(port), "--protected-mode", "yes"),
        *("--dir", str(folder.resolve()), "--daemonize", "no"),
        *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        *("--maxmemory-policy", "noeviction"),
        *("--logfile", str((data / "log" / "redis.log").resolve())),
    ]


async def _redis_is_ready(child: Child, port: int) -> None:
    """Return when our own Redis (not another that took the port) has loaded its data."""
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                writer.write(b"INFO\r\nPING\r\n")
                said = await asyncio.wait_for(reader.readuntil(b"+PONG\r\n"), 1)
                if f"process_id:{child.pid}\r\n".encode() in said:
                    return
            except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                pass
            finally:
                writer.close()
        await asyncio.sleep(_POLL_SECONDS)


def _mongod(data: Path, port: int) -> list[str]:
    return [
        str(binaries.find("mongod").path),
        *("--bind_ip", HOST, "--port", str(port), "--nounixsocket"),
        *("--replSet", REPLICA_SET, "--oplogSize", "256"),
        *("--dbpath", str((data / "mongod").resolve())),
        *("--logpath", str((data / "log" / "mongod.log").resolve()), "--logappend", "--quiet"),
        *("--slowms", "5000"),
        *("--wiredTigerCacheSizeGB", "0.5", "--syncdelay", "15"),
        *("--wiredTigerEngineConfigString", "log=(file_max=16MB,prealloc=false)"),
        *("--networkMessageCompressors", "snappy,zstd"),
        *("--setParameter", "minSnapshotHistoryWindowInSeconds=0"),
        *("--setParameter", "diagnosticDataCollectionEnabled=false"),
    ]


async def _mongod_is_ready(child: Child, port: int) -> None:
    """Return when our own mongod is the primary of its replica set of one.

    It is slow to answer (tens of seconds) when a program that answers nobody sits on its former port.
    """
    from pymongo.errors import ConnectionFailure  # noqa: PLC0415 - slow imports, while mongod starts

    from services.runtime import mongo  # noqa: PLC0415

    while not await _listens(port):  # noqa: ASYNC110 - another process, which sends no event
        await asyncio.sleep(_POLL_SECONDS)
    url = f"mongodb://{HOST}:{port}/?directConnection=true"
    client = mongo.connect(Settings().model_copy(update={"mongo_url": url}))
    try:
        while not await _is_primary(client.admin, child, f"{HOST}:{port}", ConnectionFailure):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)
    finally:
        client.close()


async def _is_primary(
    admin: "mongo.Database", child: Child, host: str, unreachable: type[Exception]
) -> bool:
    """Whether it takes writes; sees to it that it will."""
    try:
        status = await admin.command("serverStatus")
        if status["pid"] != child.pid:  # another server took the port: ours is about to end
            return False
        hello = await admin.command("hello")
        if hello.get("isWritablePrimary") and hello.get("me") == host:
            return True
        await _ensure_replica_set(admin, host)
    except unreachable:
        pass
    return False


async def _listens(port: int) -> bool:
    with suppress(OSError):
        _, writer = await asyncio.open_connection(HOST, port)
        writer.close()
        return True
    return False


async def _ensure_replica_set(admin: "mongo.Database", host: str) -> None:
    """Make the set, or tell it that its only member has moved to another port."""
    from pymongo.errors import OperationFailure  # noqa: PLC0415

    try:
        config = (await admin.command("replSetGetConfig"))["config"]
    except OperationFailure as failure:
        if failure.code != _NOT_YET_INITIALIZED:
            raise
        members = [{"_id": 0, "host": host}]
        await admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members})
        return
    if config["members"][0]["host"] != host:
        config["members"][0]["host"] = host
        config["version"] += 1
        await admin.command({"replSetReconfig": config, "force": True})
