"""Load clients, each kind a process of its own: batches, single posts, and posts that a viewer waits for."""

import asyncio
import os
import time
from collections import defaultdict, deque
from collections.abc import Coroutine, Iterator
from typing import Any

import msgspec
import uvloop

from tests.bench.client import Connection, EventStream, post
from tests.bench.parts import main_of, part, wait_for_go
from tests.bench.plain import lines_of

PATH = "/api/v1/portal/events"
ACCEPTED = 202
ONLINE = "X13"
FRESH_EVENTS_LINGER_SECONDS = 5


class _Answer(msgspec.Struct):
    accepted: int


class _Row(msgspec.Struct):
    unit: str
    counters: dict[str, tuple[int, int]]


class _Change(msgspec.Struct):
    rows: list[_Row]


_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_change = msgspec.json.Decoder(_Change).decode


def quantiles(seconds: list[float]) -> dict[str, float]:
    """Median, 95th, 99th percentile and maximum, in milliseconds."""
    ordered = sorted(seconds) or [float("nan")]
    at = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: ordered[int((len(ordered) - 1) * q)] * 1_000 for name, q in at.items()}


def _run(work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    result = uvloop.run(work)
    return result | {"client_cpu_seconds": time.process_time()}


def _check(status: int, body: bytes) -> int:
    if status != ACCEPTED:
        raise RuntimeError(f"answer {status}: {body[:300]!r}")
    return _decode_answer(body).accepted


@part
def batches(port: int, token: str, path: str, size: int, clients: int) -> dict[str, Any]:
    """Send a whole file in batches, as fast as the clients get their answers."""
    return _run(_batches(port, token, path, size, clients))


async def _batches(port: int, token: str, path: str, size: int, clients: int) -> dict[str, Any]:
    lines = lines_of(path)
    requests = deque(
        post(PATH, token, b"[" + b",".join(lines[at : at + size]) + b"]")
        for at in range(0, len(lines), size)
    )
    del lines
    connections = [await Connection.open(port) for _ in range(clients)]
    taken: list[float] = []
    accepted = 0

    async def one(connection: Connection) -> None:
        nonlocal accepted
        while requests:
            began = time.monotonic()
            count = _check(*await connection.send(requests.popleft()))
            accepted += count
            taken.append(time.monotonic() - began)

    wait_for_go()
    cpu, began = time.process_time(), time.monotonic()
    await asyncio.gather(*map(one, connections))
    return {
        "began": began,
        "seconds": time.monotonic() - began,
        "accepted": accepted,
        "sending_cpu_seconds": time.process_time() - cpu,
        "batch_ms": quantiles(taken),
    }


def _dossier(unit: str, procedure: str, number: int, run: str) -> bytes:
    """An online dossier that nobody has seen yet, and not overdue: one more in its unit's X13."""
    return (
        f'{{"source":"dvc.bench","type":"dossier.recorded","dossier":"{run}-{number}",'
        f'"unit":"{unit}","procedure":"{procedure}","status":"accepted","channel":"online",'
        f'"service_level":"full","received_at":"2023-07-05T08:30:00+07:00",'
        f'"due_at":"2026-01-15T17:00:00+07:00","finished_at":null,"fee_due":true,'
        f'"paid_online":null,"digitised":null,"satisfaction":null,"id":"{run}-{number}",'
        f'"version":1,"occurred_at":"2023-07-05T08:30:00+07:00"}}'
    ).encode()


@part
def singles(
    *, port: int, token: str, units: list[str], procedure: str, seconds: float, clients: int
) -> dict[str, Any]:
    """Single posts by many clients, each waiting for its answer, for some seconds."""
    run = f"single-{os.getpid()}"
    requests = (
        post(PATH, token, _dossier(units[n % len(units)], procedure, n, run))
        for n in range(int(20_000 * seconds))
    )
    return _run(_singles(port, iter(list(requests)), seconds, clients))


async def _singles(
    port: int, requests: Iterator[bytes], seconds: float, clients: int
) -> dict[str, Any]:
    connections = [await Connection.open(port) for _ in range(clients)]
    taken: list[float] = []
    wait_for_go()
    started = time.monotonic()

    async def one(connection: Connection) -> None:
        while (began := time.monotonic()) < started + seconds:
            _check(*await connection.send(next(requests)))
            taken.append(time.monotonic() - began)

    await asyncio.gather(*map(one, connections))
    rate = len(taken) / (time.monotonic() - started)
    return {"events": len(taken), "posts_per_second": rate, "answer_ms": quantiles(taken)}


class _Watch:
    """Pairs each event sent with the moment at which the viewer's board counts it."""

    def __init__(self) -> None:
        self.sent: defaultdict[str, list[float]] = defaultdict(list)
        self.seen: defaultdict[str, int] = defaultdict(int)
        self.base: dict[str, int] = {}
        self.waited: list[float] = []
        self.messages = 0
        self.ready = asyncio.Event()

    def take(self, message: bytes) -> None:
        """A message of the stream: a snapshot first, then changes."""
        now = time.monotonic()
        fields = dict(line.partition(b": ")[::2] for line in message.split(b"\n"))
        if fields.get(b"event") not in (b"snapshot", b"change"):
            return
        change = _decode_change(fields[b"data"])
        self.messages += 1
        for row in change.rows:
            count = row.counters.get(ONLINE, (0, 0))[0]
            if not self.ready.is_set():
                self.base[row.unit] = count
                continue
            fresh = count - self.base.get(row.unit, 0)
            known = self.seen[row.unit]
            if fresh > known:
                self.waited.extend(now - at for at in self.sent[row.unit][known:fresh])
                self.seen[row.unit] = fresh
        if fields[b"event"] == b"snapshot":
            self.ready.set()


@part
def freshness(  # noqa: PLR0913 - parameters of a run
    *,
    port: int,
    token: str,
    board: str,
    units: list[str],
    procedure: str,
    rate: int,
    seconds: float,
    clients: int,
) -> dict[str, Any]:
    """Single posts on a fixed schedule; how long until a viewer of the live stream sees each one."""
    run = f"fresh-{os.getpid()}"
    requests = [
        (units[n % len(units)], _dossier(units[n % len(units)], procedure, n, run))
        for n in range(int(rate * seconds))
    ]
    prepared = [(unit, post(PATH, token, body)) for unit, body in requests]
    return _run(_freshness(port, f"/api/v1/standings/{board}/stream", prepared, rate, clients))


async def _freshness(
    port: int, board: str, requests: list[tuple[str, bytes]], rate: int, clients: int
) -> dict[str, Any]:
    watch = _Watch()
    await EventStream.open(port, board, watch.take)
    await asyncio.wait_for(watch.ready.wait(), 20)
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    answered: list[float] = []

    async def one(connection: Connection) -> None:
        while True:
            at, request = await waiting.get()
            _check(*await connection.send(request))
            answered.append(time.monotonic() - at)

    connections = [await Connection.open(port) for _ in range(clients)]
    senders = [asyncio.create_task(one(connection)) for connection in connections]
    wait_for_go()
    late = await _send_on_time(requests, rate, watch, waiting)
    limit = time.monotonic() + FRESH_EVENTS_LINGER_SECONDS
    while len(watch.waited) < len(requests) and time.monotonic() < limit:
        _raise_failure(senders)
        await asyncio.sleep(0.05)
    for sender in senders:
        sender.cancel()
    return {
        "sent": len(requests),
        "seen": len(watch.waited),
        "messages": watch.messages,
        "rate": rate,
        "freshness_ms": quantiles(watch.waited),
        "answer_ms": quantiles(answered),
        "schedule_late_ms": quantiles(late),
    }


async def _send_on_time(
    requests: list[tuple[str, bytes]],
    rate: int,
    watch: _Watch,
    waiting: asyncio.Queue[tuple[float, bytes]],
) -> list[float]:
    """Queue each request at its time; its clock starts there, also when no connection is free."""
    late = []
    started = time.monotonic()
    for n, (unit, request) in enumerate(requests):
        due = started + n / rate
        while (pause := due - time.monotonic()) > 0:
            await asyncio.sleep(pause)
        now = time.monotonic()
        late.append(now - due)
        watch.sent[unit].append(now)
        waiting.put_nowait((now, request))
    return late


def _raise_failure(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done():
            task.result()


if __name__ == "__main__":
    main_of(batches, singles, freshness)
