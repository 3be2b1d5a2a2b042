"""`python -m tests.bench.fuzz`: mutated dossiers; no 5xx, no good neighbour lost, memory flat."""

import argparse
import asyncio
import json
import random
import sys
import tempfile
from pathlib import Path

import httpx
import psutil

from services.runtime.datafolder import free_port
from tests.support.mutations import mutated
from tests.support.portal import NATIONAL, ROOT
from tests.support.system import System, command

ITEMS_A_REQUEST = 3.5
CLIENTS = 8


class Fuzz:
    """One run: what was answered, and how much memory the web process held."""

    def __init__(self, system: System, seed: int) -> None:
        self.system = system
        self.chance = random.Random(seed)
        self.headers = {"Authorization": f"Bearer {system.token()}"}
        self.headers["Content-Type"] = "application/json"
        self.left = 0
        self.sent = 0
        self.lost: list[str] = []
        self.statuses: dict[int, int] = {}
        self.memory: list[int] = []

    async def run(self, requests: int) -> None:
        """Send so many requests."""
        self.left = requests
        async with httpx.AsyncClient(base_url=self.system.base, timeout=60) as client:
            await asyncio.gather(*(self._work(client, requests) for _ in range(CLIENTS)))

    async def _work(self, client: httpx.AsyncClient, requests: int) -> None:
        while self.left:
            self.left -= 1
            number = self.sent
            self.sent += 1
            code = f"H30.97.01-230705-{number:07}"
            body, untouched = mutated(self.chance, code)
            answer = await client.post(NATIONAL, content=body, headers=self.headers)
            self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
            if untouched and not self._taken(answer, code):
                self.lost.append(code)
            if number % max(1, requests // 20) == 0:
                pid = self.system.pids("web")[0]
                self.memory.append(psutil.Process(pid).memory_info().rss >> 20)
                sys.stderr.write(f"{number:,} requests, web {self.memory[-1]} MB\n")

    @staticmethod
    def _taken(answer: httpx.Response, code: str) -> bool:
        if answer.status_code != httpx.codes.OK:
            return False
        told = {item["MaHoSo"]: item["error_code"] for item in answer.json()["data"]}
        return told.get(code) == "0"


def main() -> int:
    """Run and report; 0 when nothing is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000, help="Mutated dossiers, about.")
    parser.add_argument("--seed", type=int, default=2023)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="thidua-fuzz-") as folder:
        system = System(Path(folder) / "data", free_port())
        try:
            system.start()
            names = ROOT / "deploy/aliases/phung-hiep-2023.csv"
            command("alias", "import", str(names), "--data", str(system.data))
            fuzz = Fuzz(system, given.seed)
            asyncio.run(fuzz.run(round(given.items / ITEMS_A_REQUEST)))
        finally:
            system.end()
    failed = sum(count for status, count in fuzz.statuses.items() if status >= 500)
    report = {
        "requests": fuzz.sent,
        "statuses": fuzz.statuses,
        "good neighbours lost": len(fuzz.lost),
        "web memory in MB": fuzz.memory,
    }
    sys.stdout.write(json.dumps(report) + "\n")
    return 1 if failed or fuzz.lost else 0


if __name__ == "__main__":
    sys.exit(main())
