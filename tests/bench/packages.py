"""A national package: 3,321 units, built into a file; how long it takes, and how much memory."""

import resource
import tempfile
from pathlib import Path
from typing import Any

from contracts.plan import Plan
from services.reports.render.package import build
from services.runtime.clock import monotonic_seconds
from services.runtime.web.collation import vietnamese_key
from tests.bench.parts import main_of, part
from tests.bench.sample import plan_with
from tests.support.packages import frozen_period, record_of

MEGABYTE = 1 << 20


@part
def national(units: int) -> dict[str, Any]:
    """Build an annual package of so many units once, in a process of its own."""
    plan = Plan.model_validate(plan_with(units).model_dump())
    record = record_of(frozen_period("2023", plan), plan, nominations=[])
    before = _peak()
    started = monotonic_seconds()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "package.zip"
        with path.open("wb") as target:
            manifest = build(record, vietnamese_key, target)
        size = path.stat().st_size
    return {
        "units": units,
        "seconds": round(monotonic_seconds() - started, 1),
        "files": len(manifest["files"]),
        "megabytes": round(size / MEGABYTE, 1),
        "memory_megabytes": round(_peak()),
        "memory_before_megabytes": round(before),
    }


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main_of(national)
