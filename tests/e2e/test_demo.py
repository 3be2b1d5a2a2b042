"""`make demo` as somebody runs it who tries the program: a season on a board, and it goes on when a part dies."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from services.runtime.datafolder import free_port
from tests.support.system import ROOT, command

pytestmark = [pytest.mark.timeout(420), pytest.mark.xdist_group("programs")]


def kill_web(parent: int) -> None:
    """The web process below `parent` dies without a word."""
    for child in psutil.Process(parent).children(recursive=True):
        if "services.app" in child.cmdline():
            child.send_signal(signal.SIGKILL)


def test_the_demonstration_replays_a_season_though_its_web_process_is_killed(
    tmp_path: Path,
) -> None:
    data = tmp_path / "demo"
    words = ["--port", str(free_port()), "--seconds", "8", "--dossiers", "300", "--no-stay"]
    demo = subprocess.Popen(
        [sys.executable, "-m", "services.cli", "demo", "--data", str(data), *words],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    said, killed = [], False
    with demo:
        for line in demo.stdout or ():
            said.append(line.rstrip())
            if not killed and re.search(r"\b[2-5]\d%", line):
                killed = True
                kill_web(demo.pid)
    assert demo.returncode == 0, "\n".join(said)
    assert killed, "\n".join(said)
    assert any("web died" in line for line in said)
    assert any("100%" in line for line in said)
    assert any("Where to look" in line for line in said)
    verdict = command("verify", "--data", str(data), timeout=120)
    assert verdict.stdout.splitlines()[-1].startswith("0 differences"), verdict.stdout


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    refused = command("demo", "--data", str(tmp_path))
    assert refused.returncode == 1
    assert "holds something else" in refused.stderr
    assert (tmp_path / "mine.txt").read_text() == "mine"
