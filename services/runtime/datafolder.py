"""The folder that holds everything one machine's system keeps: who runs on it, where, and at which clock."""

import fcntl
import json
import secrets
import shutil
import socket
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ValidationError

from services.runtime.clock import Clock, wall_now
from services.runtime.settings import Settings

LEAST_FREE_BYTES = 200_000_000
PORTS = range(20_000, 32_000)
"""Below the ports that the kernel hands to outgoing connections: those would block a restart."""


class DataFolderError(Exception):
    """The folder cannot be used; says why and what to do."""


class Run(BaseModel):
    """What runs on a folder, as `run.json` tells the commands."""

    pid: int
    port: int
    address: str
    mongo_url: str
    redis_url: str
    clock_start: AwareDatetime | None = None
    clock_anchor: AwareDatetime | None = None
    clock_rate: float = 1.0
    clock_until: AwareDatetime | None = None
    workers: dict[str, str] = {}
    """Name of each worker -> its base address (health, metrics)."""


class _Simulation(BaseModel):
    clock_start: AwareDatetime
    clock_anchor: AwareDatetime
    clock_rate: float = 1.0
    clock_until: AwareDatetime | None = None


def prepare(data: Path) -> None:
    """Make the folder and see that it can be written.

    Raises:
        DataFolderError: it cannot, or the disk is nearly full.
    """
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        write(data / ".writable", "")
        (data / ".writable").unlink()
    except OSError as error:
        raise DataFolderError(
            f"the data folder {data} cannot be written ({error.strerror}): "
            "make it writable, or choose another with --data"
        ) from None
    if free_bytes(data) < LEAST_FREE_BYTES:
        raise DataFolderError(
            f"only {free_bytes(data) // 1_000_000} MB are free on the disk of {data}; "
            f"{LEAST_FREE_BYTES // 1_000_000} MB are needed: free some, or choose another "
            "disk with --data"
        )


def free_bytes(data: Path) -> int:
    """Free space on the folder's disk."""
    return shutil.disk_usage(data).free


def write(path: Path, text: str) -> None:
    """Replace a small file as a whole: readers see the old or the new one."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def hold(data: Path) -> Iterator[None]:
    """Keep others off the folder; the kernel lets go of it when this process ends in any way.

    Raises:
        DataFolderError: another process has it, or it cannot be used.
    """
    prepare(data)
    with (data / "up.lock").open("w") as lock:
        if not _locked(lock.fileno(), fcntl.LOCK_EX, 5):  # `running` holds it for a moment
            raise DataFolderError(_taken(data))
        (data / "run.json").unlink(missing_ok=True)
        try:
            yield
        finally:
            (data / "run.json").unlink(missing_ok=True)


def _locked(descriptor: int, kind: int, tries: int = 1) -> bool:
    for _ in range(tries):
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return True
        time.sleep(0.02)
    return False


def _taken(data: Path) -> str:
    run = _read_run(data)
    who = f"process {run.pid}, {run.address}" if run else "it is just starting or stopping"
    return (
        f"the data folder {data} is in use by another `thidua` ({who}): "
        "use that one, stop it first, or choose another folder with --data"
    )


def running(data: Path) -> Run | None:
    """What runs on the folder now, if anything does."""
    run = _read_run(data)
    if run is None:
        return None
    with suppress(OSError), (data / "up.lock").open() as lock:
        return None if _locked(lock.fileno(), fcntl.LOCK_SH) else run
    return None


def _read_run(data: Path) -> Run | None:
    with suppress(OSError, ValidationError):
        return Run.model_validate_json((data / "run.json").read_bytes())
    return None


def write_run(data: Path, run: Run) -> None:
    """Tell the other commands what runs."""
    write(data / "run.json", run.model_dump_json(indent=1))


def stored_clock(data: Path) -> Clock:
    """The clock that this folder's systems share: a simulated one goes on even while nothing runs."""
    path = data / "clock.json"
    if not path.exists():
        return Clock()
    try:
        kept = _Simulation.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise DataFolderError(
            f"{path} cannot be understood: delete it to use the real time"
        ) from None
    return Clock(kept.clock_start, kept.clock_anchor, kept.clock_rate, kept.clock_until)


def store_clock(data: Path, clock: Clock) -> None:
    """Keep a simulated clock for every later run; the real time needs no keeping."""
    if clock.start is None or clock.anchor is None:
        (data / "clock.json").unlink(missing_ok=True)
        return
    kept = _Simulation(
        clock_start=clock.start,
        clock_anchor=clock.anchor,
        clock_rate=clock.rate,
        clock_until=clock.until,
    )
    write(data / "clock.json", kept.model_dump_json(indent=1))


def settings_for(data: Path, run: Run | None = None) -> Settings:
    """The settings of a command that works on this folder: keys, clock, and the running databases."""
    clock = stored_clock(data)
    update: dict[str, object] = {"keys_dir": data / "keys"}
    if clock.start is not None:
        update |= {
            "clock_start": clock.start,
            "clock_anchor": clock.anchor,
            "clock_rate": clock.rate,
            "clock_until": clock.until,
        }
    if run is not None:
        update |= {"mongo_url": run.mongo_url, "redis_url": run.redis_url, "port": run.port}
    return Settings().model_copy(update=update)


def moved_clock(
    clock: Clock,
    start: "AwareDatetime | None",
    rate: float | None,
    until: "AwareDatetime | None" = None,
    delay: float = 0,
) -> Clock:
    """A clock that from now on shows `start` (or goes on) at `rate` (or the rate it had), up to `until`.

    It stands still for `delay` real seconds first.
    """
    if start is None and rate is None:
        return clock
    anchor = wall_now() + timedelta(seconds=delay)
    return Clock(start or clock.now(), anchor, clock.rate if rate is None else rate, until)


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A loopback port that nobody uses at this moment."""
    while True:
        port = secrets.choice(PORTS)
        if is_free(port):
            return port


def free_ports(number: int, besides: Collection[int]) -> list[int]:
    """So many of them, each another, for servers that start together with those at `besides`."""
    found: list[int] = []
    while len(found) < number:
        port = free_port()
        if port not in (*found, *besides):
            found.append(port)
    return found


def port_for(data: Path, server: str, *, anew: bool = False) -> int:
    """The port that a server had on this folder, or a new one if that is taken; kept for the next time."""
    path = data / "ports.json"
    ports: dict[str, int] = {}
    with suppress(OSError, ValueError):
        ports = json.loads(path.read_text())
    port = ports.get(server)
    if anew or not isinstance(port, int) or not is_free(port):
        ports[server] = port = free_port()
        write(path, json.dumps(ports))
    return port
