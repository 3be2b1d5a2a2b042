"""A national package: 3,321 units, drawn as the worker has it drawn; how long it takes, and how much memory."""

import json
import resource
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from contracts.plan import Plan
from services.reports.building import PROGRAM
from services.reports.domain.record import ARCHIVE, ORDER, Order
from services.reports.render.package import MANIFEST
from services.runtime.clock import monotonic_seconds
from tests.bench.parts import main_of, part
from tests.bench.sample import plan_with
from tests.support.packages import frozen_period, record_of

MEGABYTE = 1 << 20


@part
def national(units: int) -> dict[str, Any]:
    """Have an annual package of so many units drawn once; memory is that of the process that draws."""
    plan = Plan.model_validate(plan_with(units).model_dump())
    record = record_of(frozen_period("2023", plan), plan, nominations=[])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        order = Order(record=record).model_dump_json()
        (folder / ORDER).write_text(order, encoding="utf-8")
        started = monotonic_seconds()
        subprocess.run([*PROGRAM, name], stdout=subprocess.DEVNULL, check=True)
        seconds = monotonic_seconds() - started
        path = folder / ARCHIVE
        with ZipFile(path) as archive:
            files = len(json.loads(archive.read(MANIFEST))["files"])
        size = path.stat().st_size
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {
        "units": units,
        "seconds": round(seconds, 1),
        "files": files,
        "megabytes": round(size / MEGABYTE, 1),
        "record_megabytes": round(len(order) / MEGABYTE, 1),
        "memory_megabytes": round(peak / 1024),
    }


if __name__ == "__main__":
    main_of(national)
