"""Compare the locked packages with the advisories that are known today. `python audit.py LOCK REPORT`.

Exit 0: every package was asked about and none has a known fault. 1: a package has. 2: nobody can tell, because the
advisory service could not be reached or does not know a package; pip-audit alone calls that a success.
"""  # noqa: INP001 - a script

import json
import subprocess  # nosec B404  # runs pip-audit
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

CLEAN, FAULTY, UNKNOWN = 0, 1, 2
SHOWN = 5
"""Names of packages in one sentence."""
Package = dict[str, Any]


def ask(lock: Path, report: Path) -> str:
    """Have pip-audit write its report; what it said."""
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    said = subprocess.run(  # noqa: S603  # nosec B603  # arguments of our own
        [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--requirement", lock,
         "--format", "json", "--output", report, "--progress-spinner", "off"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return said.stderr.strip()


def judge(packages: Iterable[Package], tell: Callable[[str], object]) -> int:
    """Say what is known of the packages, and return the exit code for it."""
    packages = list(packages)
    faulty = [package for package in packages if package.get("vulns")]
    unasked = [package["name"] for package in packages if "skip_reason" in package]
    for package in faulty:
        for fault in package["vulns"]:
            mended = ", ".join(fault["fix_versions"]) or "no version yet"
            tell(f"{package['name']} {package['version']}: {fault['id']}; mended in {mended}")
    if unasked:
        names = ", ".join(unasked[:SHOWN]) + (" …" if len(unasked) > SHOWN else "")
        tell(
            f"NOT AUDITED: no advisories could be had for {len(unasked)} of {len(packages)} packages: {names}"
        )
    if faulty:
        return FAULTY
    if unasked or not packages:
        return UNKNOWN
    tell(f"{len(packages)} packages audited, no known fault")
    return CLEAN


def main(lock: Path, report: Path) -> int:
    """Ask and judge."""
    said = ask(lock, report)
    if not report.exists():
        print(said.splitlines()[-1] if said else "pip-audit said nothing")  # noqa: T201
        print("NOT AUDITED: the advisory service could not be asked. Run it where it can.")  # noqa: T201
        return UNKNOWN
    return judge(json.loads(report.read_text("utf-8"))["dependencies"], print)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
