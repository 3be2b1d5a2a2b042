"""Record what a release says of a small journal: `python -m tests.contract.record VERSION`, once, by its own code.

The record is never rewritten: later code must read the same packs and say the same of them.
"""

import base64
import gzip
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from contracts.wire import to_event, to_line
from services.plan_files import read_plan
from services.runtime.journal import Pack
from services.scoring.domain.fold import Fold
from tests.support import facts, workload

FOLDER = Path(__file__).parent / "recorded"
PERIODS = ("2023", "2023-Q3", "2023-07")
LINES_A_PACK = 40


def journal_lines() -> Iterator[bytes]:
    """Dossiers with corrections and late versions, and every kind of claim in each state."""
    for fields in workload.stream(400, 167, 15, 2023, 0.05, 0.08):
        yield to_line(to_event(dict(fields)))
    states = ("declared", "verified", "rejected")
    for kind in facts.KINDS:
        for number, state in enumerate(states, 1):
            unit = facts.COMMUNES[number % 2]
            yield facts.line(facts.claim(kind, f"{unit}:{number}", unit=unit, state=state))


def packs(lines: list[bytes]) -> Iterator[dict[str, Any]]:
    """The lines as the journal stores them."""
    start = datetime(2023, 7, 1, tzinfo=UTC)
    for place in range(0, len(lines), LINES_A_PACK):
        some = lines[place : place + LINES_A_PACK]
        at = start + timedelta(hours=place)
        number = f"{int(at.timestamp() * 1000):011x}{place:012x}"
        stored = Pack(number, "indicator", 0, at, len(some), b"\n".join(some)).document()
        yield stored | {"at": at.isoformat(), "body": base64.b64encode(stored["body"]).decode()}


def standings(lines: list[bytes], plan: Any) -> dict[str, list[Any]]:
    """What the fold says: unit and period -> points, verified points, eligible."""
    fold = Fold(facts.ROOMY)
    fold.publish(plan)
    for line in lines:
        fold.apply(line)
    (found,) = fold.standings.values()
    found.refresh()
    return {
        f"{unit}|{period}": [row.points, row.verified_points, row.eligible]
        for (unit, period), row in sorted(found.rows.items())
        if period in PERIODS
    }


def main(version: str) -> None:
    """Write the record of a version; refuse to write it twice."""
    target = FOLDER / f"{version}.json.gz"
    if target.exists():
        sys.exit(f"{target} is recorded already")
    plan = read_plan(facts.FOLDER)
    lines = list(journal_lines())
    record = {
        "version": version,
        "plan": plan.model_dump(mode="json"),
        "packs": list(packs(lines)),
        "standings": standings(lines, plan),
    }
    FOLDER.mkdir(exist_ok=True)
    content = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
    target.write_bytes(gzip.compress(content, mtime=0))


if __name__ == "__main__":
    main(sys.argv[1])
