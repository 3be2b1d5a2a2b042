"""Keeps child processes alive: starts them, passes on what they say, restarts them, ends them in order."""

import asyncio
import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from services.runtime.datafolder import LEAST_FREE_BYTES, free_bytes, write

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
STEADY_SECONDS = 10.0
"""A child that lived this long starts again without a growing pause."""
OPEN_FILES = 65_536
_LOOK_SECONDS = 0.05
_LONGEST_LINE = 1 << 20
_SET_DEATH_SIGNAL = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class AppProcess:
    """A process to keep alive."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    """What is added to this process's own environment."""
    orphan_signal: signal.Signals = signal.SIGKILL
    """What the kernel sends it when this process dies without a word (Linux)."""
    muted: str | None = None
    """Lines of its output that hold this are not passed on."""


def tell(name: str, text: str) -> None:
    """A line for the operator, marked with who says it; stdout stays free for results."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{name:<15} | {text}\n")
        sys.stderr.flush()


class Child:
    """One process and its successors."""

    def __init__(self, program: AppProcess, changed: Callable[[], None], data: Path) -> None:
        self.program = program
        self._changed = changed
        self._data = data
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it lives."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Start it, and keep it alive from now on."""
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep(), name=self.program.name)

    async def ended(self) -> None:
        """Wait until the process that runs now has ended."""
        if self._process is not None:
            await _end_of(self._process)

    async def stop(self, seconds: float) -> None:
        """Ask it to end; after so many seconds end it."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(_end_of(process), seconds)
            except TimeoutError:
                tell(self.program.name, f"did not stop within {seconds:g} s, killed")
            self._kill_group()
            await process.wait()
        if self._reader is not None:
            await asyncio.wait([self._reader], timeout=0.2)
            self._reader.cancel()

    async def _spawn(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *self.program.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=_LONGEST_LINE,
            env={**os.environ, **self.program.env},  # noqa: TID251 - handed on, not read
            process_group=0,  # Ctrl-C reaches only this process, which then stops all in order
            preexec_fn=_before_exec(self.program.orphan_signal, os.getpid()),
        )
        self._reader = asyncio.create_task(self._pass_on(self._process))
        self._changed()

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE_SECONDS
        while True:
            began = loop.time()
            await self.ended()
            self._kill_group()
            if loop.time() - began > STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            tell("thidua", self._obituary(pause))
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            with contextlib.suppress(OSError):  # no memory for a process: try again
                await self._spawn()

    def _obituary(self, pause: float) -> str:
        code = self._process.returncode if self._process is not None else None
        text = f"{self.program.name} died (exit {code}), restarting in {pause:g} s"
        with contextlib.suppress(OSError):
            if (free := free_bytes(self._data)) < LEAST_FREE_BYTES:
                text += f"; the disk is almost full ({free // 1_000_000} MB free)"
        return text

    def _kill_group(self) -> None:
        """End what the process may have left behind."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _pass_on(self, process: asyncio.subprocess.Process) -> None:
        output = process.stdout
        while output is not None:
            try:
                line = await output.readline()
            except ValueError:  # longer than the limit: its beginning is dropped
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip()
            if self.program.muted is None or self.program.muted not in text:
                tell(self.program.name, text)


async def _end_of(process: asyncio.subprocess.Process) -> None:
    """Wait for the process alone; its own `wait` goes on while helpers that outlive it hold its output."""
    while process.returncode is None:  # noqa: ASYNC110 - asyncio tells of it in no other way
        await asyncio.sleep(_LOOK_SECONDS)


def _before_exec(orphan_signal: signal.Signals, parent: int) -> Callable[[], None]:
    """What a child does to itself first: more open files, and die when the parent does."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)

    def prepare() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
        if _libc is not None:
            _libc.prctl(_SET_DEATH_SIGNAL, int(orphan_signal))
            if os.getppid() != parent:
                os._exit(1)

    return prepare


class Children:
    """Processes that start together and are ended together when the block ends."""

    def __init__(self, data: Path, label: str, stop_seconds: float) -> None:
        self._data = data
        self._record = data / f"children-{label}.json"
        self._stop_seconds = stop_seconds
        self._children: list[Child] = []

    async def __aenter__(self) -> Self:
        """End what a killed predecessor left running."""
        await asyncio.to_thread(_end_orphans, self._record)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all at once, by force after the time allowed."""
        await asyncio.gather(*(child.stop(self._stop_seconds) for child in self._children))
        self._record.unlink(missing_ok=True)

    async def start(self, program: AppProcess) -> Child:
        """Start one more."""
        child = Child(program, self._changed, self._data)
        self._children.append(child)
        await child.start()
        return child

    async def drop(self, child: Child) -> None:
        """End one before the others."""
        self._children.remove(child)
        await child.stop(self._stop_seconds)

    def _changed(self) -> None:
        """Note the living, for a successor that has to end them."""
        living = [
            {"pid": child.pid, "started": _started(child.pid), "name": child.program.name}
            for child in self._children
            if child.pid is not None
        ]
        with contextlib.suppress(OSError):
            write(self._record, json.dumps(living))


def _started(pid: int) -> float | None:
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).create_time()
    return None


def _end_orphans(record: Path) -> None:
    """End the processes that a killed predecessor noted; an id that was given away since is left alone."""
    orphans = []
    with contextlib.suppress(OSError, ValueError):
        for one in json.loads(record.read_text()):
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(one["pid"])
                if one["started"] and abs(process.create_time() - one["started"]) < 1:
                    orphans.append(process)
                    tell("thidua", f"ending {one['name']} ({one['pid']}) of a killed run")
    for end in (psutil.Process.terminate, psutil.Process.kill):
        for process in orphans:
            with contextlib.suppress(psutil.Error):
                end(process)
        _, orphans = psutil.wait_procs(orphans, timeout=10)
