"""Parts of a run that are processes of their own: parameters in as JSON, a result out as JSON."""

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, ParamSpec, TypeVar

import msgspec


class BenchError(Exception):
    """The run is void; says why."""


P = ParamSpec("P")
R = TypeVar("R")


class Part(Generic[P, R]):
    """A function that its module also runs as a program."""

    def __init__(self, function: Callable[P, R]) -> None:
        self._function = function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._function(*args, **kwargs)

    @property
    def name(self) -> str:
        """By which it is called."""
        return self._function.__name__

    def run(self, parameters: dict[str, Any]) -> bytes:
        """The result as JSON."""
        return msgspec.json.encode(self._function(**parameters))  # type: ignore[call-arg]


part = Part


def main_of(*parts: Part[..., Any]) -> None:
    """Run the part named on the command line, with its parameters; the result goes to standard output."""
    _, name, parameters = sys.argv
    chosen = next(one for one in parts if one.name == name)
    result = chosen.run(msgspec.json.decode(parameters))
    sys.stdout.buffer.write(b"\n" + result + b"\n")
    sys.stdout.flush()


_begun: "set[Process]" = set()


class Process:
    """A running part."""

    def __init__(self, process: asyncio.subprocess.Process, module: str) -> None:
        self._process = process
        self._module = module
        _begun.add(self)

    async def prepared(self) -> None:
        """It says that it may begin."""
        output = self._process.stdout
        while output is not None and (line := await output.readline()):
            if line == b"prepared\n":
                return
        raise BenchError(f"{self._module} ended before it was prepared")

    def go(self) -> None:
        """Let it begin."""
        if self._process.stdin is not None:
            self._process.stdin.write(b"go\n")

    async def result(self) -> Any:
        """What it found out."""
        try:
            output, _ = await self._process.communicate()
        finally:
            self.kill()
        if self._process.returncode:
            raise BenchError(f"{self._module} failed (exit {self._process.returncode})")
        return msgspec.json.decode(output.strip().rsplit(b"\n", 1)[-1])

    def kill(self) -> None:
        """End it, if it has not ended."""
        _begun.discard(self)
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()


def kill_all() -> None:
    """End all parts that are still running."""
    for process in list(_begun):
        process.kill()


async def begin(module: str, function: str, **parameters: Any) -> Process:
    """Start a part of this package."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"tests.bench.{module}", function),
        msgspec.json.encode(parameters),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 30,
    )
    return Process(process, module)


async def run(module: str, function: str, **parameters: Any) -> Any:
    """Run a part of this package to its end."""
    return await (await begin(module, function, **parameters)).result()


def wait_for_go() -> None:
    """In a part: say that all is prepared, and wait for the word."""
    os.write(1, b"prepared\n")
    sys.stdin.readline()
