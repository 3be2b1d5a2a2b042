"""`python -m tests.bench.fuzz`: mutated payloads; no 5xx, no good neighbour lost, memory flat."""

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from services.runtime.datafolder import free_port
from tests.bench.client import Connection, post
from tests.support.mutations import mutated
from tests.support.portal import NATIONAL, ROOT
from tests.support.system import System, command

CLIENTS = 24
LOOKS = 40
"""So many times the memory is read."""
FLAT = 1.1
"""The last quarter may hold so much of what the second quarter held; the first one warms up."""
CLOCK_START = "2023-08-15T08:00"
"""Within the competition: else the system would also be busy with closing it."""
OK, FAILED = 200, 500


class Fuzz:
    """One run: what was answered, and how much memory the web process held."""

    def __init__(self, system: System, seed: int, payloads: int) -> None:
        self.system = system
        self.chance = random.Random(seed)
        self.token = system.token()
        self.payloads = payloads
        self.sent = 0
        self.neighbours = 0
        self.lost: list[str] = []
        self.statuses: dict[int, int] = {}
        self.memory: list[float] = []
        self._web = psutil.Process(system.pids("web")[0])

    async def run(self) -> None:
        """Send all payloads over some connections, each as fast as it is answered."""
        self._look()
        await asyncio.gather(*(self._work() for _ in range(CLIENTS)))
        self._look()

    async def _work(self) -> None:
        connection = await Connection.open(self.system.port)
        while self.sent < self.payloads:
            number = self.sent
            self.sent += 1
            code = f"H30.97.01-230705-{number:07}"
            body, untouched = mutated(self.chance, code)
            status, answer = await connection.send(post(NATIONAL, self.token, body))
            self.statuses[status] = self.statuses.get(status, 0) + 1
            self.neighbours += untouched
            if untouched and not _taken(status, answer, code):
                self.lost.append(code)
            if number % max(1, self.payloads // LOOKS) == 0:
                self._look()
        connection.close()

    def _look(self) -> None:
        self.memory.append(self._web.memory_info().rss / (1 << 20))
        sys.stderr.write(f"{self.sent:,} payloads, web {self.memory[-1]:.1f} MB\n")

    def report(self) -> dict[str, Any]:
        """What came of it."""
        return {
            "payloads": self.sent,
            "statuses": self.statuses,
            "good neighbours": self.neighbours,
            "good neighbours lost": len(self.lost),
            "web memory in MB": [round(megabytes, 1) for megabytes in self.memory],
            "memory, last quarter to second": round(self.growth(), 3),
        }

    def growth(self) -> float:
        """The memory of the last quarter as a share of the second quarter's."""
        quarter = len(self.memory) // 4
        later, earlier = self.memory[-quarter:], self.memory[quarter : 2 * quarter]
        return statistics.median(later) / statistics.median(earlier)

    def good(self) -> bool:
        """No failure, nobody lost, memory flat."""
        failed = any(status >= FAILED for status in self.statuses)
        return not failed and not self.lost and self.growth() <= FLAT


def _taken(status: int, answer: bytes, code: str) -> bool:
    if status != OK:
        return False
    told = {item["MaHoSo"]: item["error_code"] for item in json.loads(answer)["data"]}
    return told.get(code) == "0"


def main() -> int:
    """Run and report; 0 when nothing is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--payloads", type=int, default=100_000, help="Mutated bodies.")
    parser.add_argument("--seed", type=int, default=2023)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="thidua-fuzz-") as folder:
        system = System(Path(folder) / "data", free_port())
        try:
            system.start("--clock-start", CLOCK_START)
            names = ROOT / "deploy/aliases/phung-hiep-2023.csv"
            command("alias", "import", str(names), "--data", str(system.data))
            fuzz = Fuzz(system, given.seed, given.payloads)
            started = time.monotonic()
            asyncio.run(fuzz.run())
            seconds = time.monotonic() - started
        finally:
            system.end()
    sys.stdout.write(json.dumps(fuzz.report() | {"seconds": round(seconds)}) + "\n")
    return 0 if fuzz.good() else 1


if __name__ == "__main__":
    sys.exit(main())
