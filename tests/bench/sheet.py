"""`python -m tests.bench.sheet`: a large import while events go on; how fresh they stay, how much memory it takes."""

import argparse
import csv
import io
import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

from contracts.events import DossierRecorded
from services.runtime.datafolder import free_port
from tests.support.portal import ROOT
from tests.support.system import System, command

SHEET = "/api/v1/portal/sheet"
UNITS = ("UBND xã Tân Bình", "UBND xã Hòa An", "UBND xã Long Thạnh", "UBND thị trấn Cây Dương")
PAUSE_SECONDS = 0.2


def export(rows: int) -> bytes:
    """The screen export of a one-stop system, as CSV."""
    text = io.StringIO()
    sheet = csv.writer(text, delimiter=";")
    sheet.writerow(
        [
            "Mã hồ sơ",
            "Chủ hồ sơ",
            "Mã thủ tục",
            "Đơn vị xử lý",
            "Trạng thái",
            "Ngày tiếp nhận",
            "Ngày hẹn trả",
        ]
    )
    for n in range(rows):
        day = n % 28 + 1
        sheet.writerow(
            [f"H30.99-2307{day:02}-{n:07}", "NGƯỜI MẪU", "2.000815", UNITS[n % 4], "Đã trả kết quả",
             f"{day:02}/07/2023 08:30:00", f"{day:02}/08/2023"]
        )  # fmt: skip
    return text.getvalue().encode()


class Watch:
    """Posts single events and measures until the board shows each; and the memory of the import."""

    def __init__(self, system: System, client: httpx.Client) -> None:
        self._system, self._client = system, client
        self.seconds: list[float] = []
        self.memory = 0
        self.stopped = threading.Event()

    def run(self) -> None:
        """Until it is stopped."""
        number = 0
        while not self.stopped.is_set():
            number += 1
            event = DossierRecorded.example | {"dossier": f"live-{number}", "unit": "31438"}
            started = time.monotonic()
            self._client.post("/api/v1/portal/events", json=event).raise_for_status()
            while self._shown() < number:
                time.sleep(0.002)
            self.seconds.append(time.monotonic() - started)
            self.memory = max(self.memory, self._import_megabytes())
            self.stopped.wait(PAUSE_SECONDS)

    def _shown(self) -> int:
        rows = self._system.standings()["rows"]
        found: list[int] = next(r for r in rows if r["unit"] == "31438")["counters"].get(
            "X8", [0]
        )
        return found[0]

    def _import_megabytes(self) -> int:
        for child in psutil.Process(self._system.process.pid).children(recursive=True):
            try:
                if "services.intake.sheets.runner" in child.cmdline():
                    return int(child.memory_info().rss) >> 20
            except psutil.NoSuchProcess:
                continue
        return 0

    def report(self) -> dict[str, Any]:
        """Milliseconds from post to board."""
        found = sorted(self.seconds)
        shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
        return {
            n: round(found[int(s * (len(found) - 1))] * 1_000, 1) for n, s in shares.items()
        }


def imported(client: httpx.Client, file: bytes) -> tuple[dict[str, Any], float]:
    """(the job at its end, seconds)."""
    started = time.monotonic()
    answer = client.post(SHEET, content=file)
    answer.raise_for_status()
    while (job := client.get(answer.json()["status"]).json())["state"] == "running":
        time.sleep(0.5)
    return job, time.monotonic() - started


def main() -> None:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="thidua-sheet-") as folder:
        system = System(Path(folder) / "data", free_port())
        try:
            system.start()
            names = ROOT / "deploy/aliases/phung-hiep-2023.csv"
            command("alias", "import", str(names), "--data", str(system.data))
            headers = {"Authorization": f"Bearer {system.token()}"}
            with httpx.Client(base_url=system.base, headers=headers, timeout=60) as client:
                watch = Watch(system, client)
                thread = threading.Thread(target=watch.run)
                thread.start()
                first, seconds = imported(client, export(given.rows))
                watch.stopped.set()
                thread.join()
                again, repeated = imported(client, export(given.rows))
        finally:
            system.end()
    report = {
        "rows": first["rows"], "taken": first["taken"], "waiting": first["waiting"],
        "seconds": round(seconds, 1), "import memory in MB": watch.memory,
        "live events": len(watch.seconds), "milliseconds from post to board": watch.report(),
        "again: repeated": again["repeated"], "again: seconds": round(repeated, 1),
    }  # fmt: skip
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
