"""One line of JSON for each run: which machine, which commit, what was measured; so that a regression is seen."""

import subprocess
from pathlib import Path
from typing import Any

import msgspec

from tests.bench.report import lines

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
    figures = {line.name.strip(): line.value.strip() for line in lines(found)}
    missed = [line.name.strip() for line in lines(found) if line.met is False]
    machine = {name: found[name] for name in MACHINE if name in found}
    return machine | {
        "commit": commit(),
        "figures": figures,
        "missed": missed,
        "void": found["void"],
    }


def append(path: Path, found: Result) -> None:
    """Add the line of a run."""
    with path.open("ab") as file:
        file.write(msgspec.json.encode(entry(found)) + b"\n")
