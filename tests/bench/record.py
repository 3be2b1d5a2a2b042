"""One line of JSON for each run: which machine, which commit, what was measured; so that a regression is seen."""

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from tests.bench.report import Line, lines

Result = dict[str, Any]
ROOT = Path(__file__).parents[2]
MACHINE = ("at", "cores", "memory_gb", "python", "platform", "load_before", "quick", "seconds")


def commit(root: Path = ROOT) -> str:
    """The commit that was measured, with a plus sign when files differ from it; empty outside a checkout."""
    try:
        said = [
            _git(root, "rev-parse", "--short=12", "HEAD"),
            _git(root, "status", "--porcelain"),
        ]
    except (OSError, subprocess.CalledProcessError):
        return ""
    return said[0] + ("+" if said[1] else "")


def _git(root: Path, *words: str) -> str:
    return subprocess.run(
        ["git", *words],  # noqa: S607 - the developer's own
        cwd=root, capture_output=True, text=True, check=True, timeout=20,
    ).stdout.strip()  # fmt: skip


def entry(found: Result) -> Result:
    """What is kept of a run: figures as the table shows them, and which of them missed their aim."""
    named = list(_named(lines(found)))
    figures = {name: line.value.strip() for name, line in named}
    missed = [name for name, line in named if line.met is False]
    machine = {name: found[name] for name in MACHINE if name in found}
    return machine | {
        "commit": commit(),
        "figures": figures,
        "missed": missed,
        "void": found["void"],
    }


def _named(table: Iterable[Line]) -> Iterator[tuple[str, Line]]:
    """Each line by a name of its own: what is set in belongs to the line above it."""
    above = ""
    for line in table:
        name = line.name.strip()
        if line.name.startswith(" "):
            yield f"{above}: {name}", line
        else:
            above = name
            yield name, line


def append(path: Path, found: Result) -> None:
    """Add the line of a run."""
    with path.open("ab") as file:
        file.write(msgspec.json.encode(entry(found)) + b"\n")
