"""Figures of runs are kept, one line each."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.bench.record import append, commit
from tests.bench.report import lines

FOUND: dict[str, Any] = {
    "at": "2026-11-25T04:00:00+00:00", "cores": 2, "memory_gb": 24.0, "python": "3.11.7", "platform": "Linux",
    "load_before": [0.1, 0.2, 0.3], "quick": True, "seconds": 60, "void": {},
    "freshness": {
        "rate": 100,
        "freshness_ms": {"p50": 4.0, "p95": 9.0, "p99": 40.0},
        "answer_ms": {"p50": 1.0, "p99": 2.0},
    },
    "singles": {"posts_per_second": 5.0, "answer_ms": {"p50": 1.0, "p99": 2.0}},
}  # fmt: skip


def test_each_run_adds_a_line_with_machine_commit_figures_and_what_missed_its_aim(
    tmp_path: Path,
) -> None:
    append(tmp_path / "runs.jsonl", FOUND)
    append(tmp_path / "runs.jsonl", FOUND)
    first, second = map(json.loads, (tmp_path / "runs.jsonl").read_text().splitlines())
    assert first == second
    assert first["cores"] == 2
    assert first["figures"]["freshness at 100/s p50, ms"] == "4.00"
    assert first["missed"] == ["freshness at 100/s p50, ms: p99, ms"]
    assert len(first["figures"]) == len(list(lines(FOUND))), "no figure takes another's place"


def test_the_commit_says_when_files_differ_from_it(tmp_path: Path) -> None:
    assert commit(tmp_path) == ""
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run([*git, *words], cwd=tmp_path, check=True, capture_output=True)
    clean = commit(tmp_path)
    (tmp_path / "file").write_text("changed")
    assert len(clean) == 12
    assert commit(tmp_path) == f"{clean}+"
