"""The web process is killed during an upload, a submission, a review: nothing is half-done, and the user can go on."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from services.runtime import mongo
from services.runtime.datafolder import free_port, running, settings_for
from tests.support.system import PLAN, System
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("programs")]
UNIT = "31399"
FIGURES = {"X4": 4, "X5": 5, "X6": 6, "X9": 9, "X17": 7}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    found = System(tmp_path_factory.mktemp("kills"), free_port())
    try:
        found.start("--clock-start", "2023-09-13T10:00")
        yield found
    finally:
        found.end()


class Caller:
    """Somebody whose program tries again until it gets an answer."""

    def __init__(self, system: System, token: str) -> None:
        self._system = system
        self._headers = {"Authorization": f"Bearer {token}"}

    def once(self, method: str, path: str, **words: Any) -> httpx.Response | None:
        """One try; None when the connection broke."""
        try:
            return httpx.request(
                method,
                f"{self._system.base}/api/v1{path}",
                headers=self._headers,
                timeout=60,
                **words,
            )
        except httpx.TransportError:
            return None

    def ask(self, method: str, path: str, **words: Any) -> httpx.Response:
        """Tries until the server answers."""
        found: list[httpx.Response] = []

        def answered() -> bool:
            answer = self.once(method, path, **words)
            if answer is None or answer.status_code >= 500:
                return False
            found.append(answer)
            return True

        wait_until(answered, why=self._system.tail)
        return found[0]


@pytest.fixture(scope="module")
def officer(system: System) -> Caller:
    return Caller(system, system.token("officer", UNIT))


@pytest.fixture(scope="module")
def reviewer(system: System) -> Caller:
    return Caller(system, system.token("reviewer"))


def killed_while(system: System, work: Callable[[], object], after: float) -> None:
    """Kill the web process so many seconds after the work began, and let the work end."""
    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(after)  # anywhere inside the work will do
    system.kill("web")
    thread.join(60)
    assert not thread.is_alive()


def fill(officer: Caller, month: str, more: int = 0) -> None:
    report = officer.ask("GET", f"/submissions/{PLAN}/{UNIT}/{month}").json()
    for duty in report["duties"]:
        if duty["state"] not in ("owed", "open"):
            continue
        code = duty["indicator"]
        said: dict[str, Any] = {}
        if code in FIGURES:
            said = {"main": {"numerator": FIGURES[code] + more, "denominator": 20}}
        known = report["entries"].get(code, {"revision": 0})
        body = {"revision": known["revision"], "values": said, "note": "Có."}
        path = f"/submissions/{PLAN}/{UNIT}/{month}/entries/{code}"
        assert officer.ask("PUT", path, json=body).status_code == 200


def on_board(system: System, month: str) -> dict[str, str]:
    found: dict[str, str] = {}
    with contextlib.suppress(httpx.HTTPError):
        row = next(r for r in system.standings(period=month)["rows"] if r["unit"] == UNIT)
        found = {code: row["indicators"][code] for code in ("X5", "X9")}
    return found


@pytest.mark.parametrize(("month", "after"), [("2023-07", 0.01), ("2023-08", 0.05)])
def test_a_submission_is_there_as_a_whole_or_not_at_all(
    system: System, officer: Caller, month: str, after: float
) -> None:
    fill(officer, month)
    path = f"/submissions/{PLAN}/{UNIT}/{month}"
    killed_while(system, lambda: officer.once("POST", f"{path}/submit", json={}), after)
    again = officer.ask("POST", f"{path}/submit", json={})
    assert again.status_code in (200, 409), again.text
    report = officer.ask("GET", path).json()
    assert report["version"] == 1
    assert {c: i["state"] for c, i in report["items"].items()} == dict.fromkeys(
        ["X2", *FIGURES], "waiting"
    )
    wait_until(lambda: on_board(system, month) == {"X5": "2.5000", "X9": "3.6000"})


def test_a_decision_is_there_with_its_points_or_not_at_all(
    system: System, officer: Caller, reviewer: Caller
) -> None:
    month = "2023-09"
    fill(officer, month)
    officer.ask("POST", f"/submissions/{PLAN}/{UNIT}/{month}/submit", json={})
    body = {"version": 1, "decision": "returned", "reason": "Thiếu danh sách."}
    path = f"/reviews/{PLAN}/{UNIT}/{month}/X9"
    killed_while(system, lambda: reviewer.once("POST", path, json=body), 0.03)
    assert reviewer.ask("POST", path, json=body).json()["state"] == "returned"
    item = officer.ask("GET", f"/submissions/{PLAN}/{UNIT}/{month}").json()["items"]["X9"]
    assert [told["what"] for told in item["history"]] == ["claimed", "returned"]
    wait_until(lambda: on_board(system, month) == {"X5": "2.5000", "X9": "0.0000"})
    assert system.verify().returncode == 0


def test_a_killed_upload_leaves_no_file_and_can_be_done_again(
    system: System, officer: Caller
) -> None:
    path = f"/evidence/{PLAN}/{UNIT}/2023-09/X9"
    begun = threading.Event()

    def slow() -> Iterator[bytes]:
        yield b"%PDF-1.4\n" + b"x" * (3 << 20)
        begun.set()
        wait_until(lambda: system.pids("web") != before)
        yield b"y" * (1 << 20)

    before = system.pids("web")
    upload = threading.Thread(
        target=lambda: officer.once("PUT", path, params={"name": "a.pdf"}, content=slow())
    )
    upload.start()
    assert begun.wait(20)
    wait_until(lambda: pieces(system) > 0)
    system.kill("web")
    upload.join(60)
    listed = f"/evidence/{PLAN}/{UNIT}/2023-09"
    assert officer.ask("GET", listed).json() == {"evidence": []}
    again = officer.ask(
        "PUT", path, params={"name": "a.pdf"}, content=b"%PDF-1.4\n" + b"x" * 99
    )
    assert again.status_code == 201
    assert len(officer.ask("GET", listed).json()["evidence"]) == 1


def pieces(system: System) -> int:
    """How many pieces of files the database holds."""

    async def count() -> int:
        settings = settings_for(system.data, running(system.data))
        client = mongo.connect(settings)
        found = await mongo.database(client, settings, "intake")[
            "evidence_content.chunks"
        ].count_documents({})
        client.close()
        return found

    return asyncio.run(count())
