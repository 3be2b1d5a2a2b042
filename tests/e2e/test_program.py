"""The whole running program over HTTP, tried as new users, other systems and operators would."""

import asyncio
import contextlib
import json
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
import yaml
from httpx_sse import connect_sse

from contracts.events import DossierRecorded
from contracts.wire import to_event, to_line
from services.runtime.datafolder import free_port, running, settings_for
from services.runtime.resources import resources
from tests.support.system import PLAN, System, command
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("program")]
DOSSIER: dict[str, Any] = DossierRecorded.example
FIGURE: dict[str, Any] = {
    "source": "test.office", "id": "f-1", "type": "figure.reported", "subject": "31399:X4:2023-07",
    "version": 1, "unit": "31399", "state": "declared", "occurred_at": "2023-08-01T08:00:00+07:00",
    "indicator": "X4", "period": "2023-07", "numerator": 9, "denominator": 10,
}  # fmt: skip


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("program") / "data", free_port())
    try:
        system.start()
        yield system
    finally:
        system.end()


@pytest.fixture(scope="module")
def client(program: System) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {program.token()}"}
    with httpx.Client(base_url=program.base, headers=headers, timeout=60) as client:
        yield client


def row(
    program: System, unit: str, period: str = "2023", bloc: str = "commune"
) -> dict[str, Any]:
    rows = program.standings(bloc, period)["rows"]
    return next(r for r in rows if r["unit"] == unit)


def counted(program: System, unit: str, indicator: str = "X13") -> int:
    """The numerator that the board shows; 0 while it shows none."""
    figures: dict[str, list[int]] = row(program, unit)["counters"]
    return figures.get(indicator, [0, 0])[0]


def points(program: System, unit: str, indicator: str) -> str:
    """The points that the board shows for one indicator."""
    return str(row(program, unit)["indicators"].get(indicator, ""))


def send(client: httpx.Client, door: str, *events: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(f"/api/v1/{door}", json=list(events))
    assert answer.status_code == 202, answer.text
    return answer.json()  # type: ignore[no-any-return]


def test_a_dossier_posted_is_on_the_board_at_once_and_a_repeat_changes_nothing(
    program: System, client: httpx.Client
) -> None:
    event = DOSSIER | {"unit": "31408", "dossier": "first", "fee_due": None}
    assert send(client, "portal/events", event) == {
        "accepted": 1,
        "quarantined": 0,
        "rejected": [],
    }
    wait_until(lambda: counted(program, "31408") == 1)
    before = row(program, "31408")
    assert before["indicators"]["X8"] == "15.0000"
    assert send(client, "portal/events", event)["accepted"] == 1
    assert send(client, "portal/events", event | {"version": 4, "status": "withdrawn"})
    wait_until(lambda: counted(program, "31408") == 0)


def test_declared_and_verified_points_stand_side_by_side(
    program: System, client: httpx.Client
) -> None:
    send(client, "indicator-events", FIGURE)
    wait_until(lambda: points(program, "31399", "X4") == "5.4000")
    declared = row(program, "31399")
    send(client, "indicator-events", FIGURE | {"version": 2, "state": "verified"})
    wait_until(
        lambda: (
            float(row(program, "31399")["verified_points"]) > float(declared["verified_points"])
        )
    )
    send(client, "indicator-events", FIGURE | {"version": 3, "state": "rejected"})
    wait_until(lambda: points(program, "31399", "X4") == "0.0000")


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Authorization": ""}, 401, "token_missing"),
        ({"Authorization": "Bearer nonsense"}, 401, "token_forged"),
    ],
)
def test_a_wrong_token_is_refused_in_both_languages(
    client: httpx.Client, headers: dict[str, str], status: int, code: str
) -> None:
    answer = client.post("/api/v1/portal/events", json=[DOSSIER], headers=headers)
    assert answer.status_code == status
    assert answer.json()["error"] == code
    assert answer.json()["vi"] != answer.json()["en"]


def test_a_token_of_another_role_is_refused(program: System, client: httpx.Client) -> None:
    headers = {"Authorization": f"Bearer {program.token('viewer')}"}
    answer = client.post("/api/v1/portal/events", json=[DOSSIER], headers=headers)
    assert answer.status_code == 403
    assert client.post("/api/v1/portal/events", json=[DOSSIER]).status_code == 202


def test_an_empty_body_and_broken_json_say_so(client: httpx.Client) -> None:
    headers = {"Content-Type": "application/json"}
    empty = client.post("/api/v1/portal/events", content=b"", headers=headers)
    broken = client.post("/api/v1/portal/events", content=b"[{", headers=headers)
    assert (empty.status_code, broken.status_code) == (400, 400)
    assert "trống" in empty.json()["vi"]
    assert "JSON" in broken.json()["vi"]


def test_a_batch_that_is_too_large_says_how_large_it_may_be(client: httpx.Client) -> None:
    short = [{"n": n} for n in range(10_001)]
    many = client.post("/api/v1/portal/events", json=short)
    heavy = client.post(
        "/api/v1/portal/events",
        content=b"[" + b" " * (9 << 20) + b"]",
        headers={"Content-Type": "application/json"},
    )
    assert (many.status_code, heavy.status_code) == (413, 413)
    assert "10.000" in many.json()["vi"]
    fitting = client.post("/api/v1/portal/events", json=[DOSSIER] * 10_000)
    assert (fitting.status_code, fitting.json()["accepted"]) == (202, 10_000)


def test_one_broken_of_a_hundred_is_named_and_the_others_count(
    program: System, client: httpx.Client
) -> None:
    events = [DOSSIER | {"unit": "31433", "dossier": f"h-{n}"} for n in range(100)]
    events[41] = events[41] | {"received_at": "yesterday"}
    answer = send(client, "portal/events", *events)
    assert answer["accepted"] == 99
    assert answer["rejected"][0]["index"] == 41
    assert answer["rejected"][0]["field"] == "received_at"
    wait_until(lambda: counted(program, "31433") == 99)


def test_every_form_of_cloudevents_and_ndjson_is_taken(
    program: System, client: httpx.Client
) -> None:
    event = DOSSIER | {"unit": "31402"}
    outside = {"specversion": "1.0", "type": "dossier.recorded", "source": "ce.test"}
    inside = {k: v for k, v in event.items() if k not in ("id", "source", "type")}

    def post(number: int, content: object, kind: str, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        answer = client.post(
            "/api/v1/portal/events", content=body, headers={"Content-Type": kind, **headers}
        )
        assert (answer.status_code, answer.json()["accepted"]) == (202, number), answer.text

    def data(name: str) -> dict[str, Any]:
        return inside | {"dossier": name}

    post(1, event | {"dossier": "object"}, "application/json")
    binary = {"ce-specversion": "1.0", "ce-type": "dossier.recorded", "ce-source": "ce.test"}
    post(1, data("binary"), "application/json", **binary, **{"ce-id": "b-1"})
    structured = outside | {"id": "s-1", "data": data("structured")}
    post(1, structured, "application/cloudevents+json")
    batch = [outside | {"id": f"t-{n}", "data": data(f"batched-{n}")} for n in range(2)]
    post(2, batch, "application/cloudevents-batch+json")
    lines = b"\n".join(json.dumps(event | {"dossier": f"line-{n}"}).encode() for n in range(3))
    post(3, lines, "application/x-ndjson")
    wait_until(lambda: counted(program, "31402") == 8)


def test_unknown_units_wait_in_quarantine_until_a_plan_knows_them(
    program: System, client: httpx.Client, tmp_path: Path
) -> None:
    event = DOSSIER | {"unit": "N-77", "dossier": "waits"}
    answer = send(client, "portal/events", event)
    assert (answer["accepted"], answer["quarantined"]) == (0, 1)
    assert "N-77" in answer["quarantine"][0]["reason"]
    folder = tmp_path / "plan"
    folder.mkdir()
    for part in program.plan.iterdir():
        content = yaml.safe_load(part.read_text(encoding="utf-8"))
        if part.stem == "plan":
            content["id"] = "another-plan"
        if part.stem == "units":
            name = {"vi": "Xã Mới", "en": "New commune"}
            content["units"].append({"code": "N-77", "name": name, "bloc": "commune"})
        (folder / part.name).write_text(
            yaml.safe_dump(content, allow_unicode=True), encoding="utf-8"
        )
    published = command("plan", "publish", str(folder), "--data", str(program.data))
    assert published.returncode == 0, published.stderr

    def on_the_board() -> bool:
        answer = client.get("/api/v1/standings/another-plan/commune", params={"period": "2023"})
        rows = answer.json().get("rows", [])
        return any(r["unit"] == "N-77" and r["counters"].get("X13", [0])[0] == 1 for r in rows)

    wait_until(on_the_board, why=program.tail)


def test_a_published_version_is_read_only(program: System, tmp_path: Path) -> None:
    folder = tmp_path / "plan"
    folder.mkdir()
    for part in program.plan.iterdir():
        text = part.read_text(encoding="utf-8")
        (folder / part.name).write_text(
            text.replace("167/KH-UBND", "168/KH-UBND"), encoding="utf-8"
        )
    changed = command("plan", "publish", str(folder), "--data", str(program.data))
    same = command("plan", "publish", str(program.plan), "--data", str(program.data))
    assert changed.returncode == 1
    assert "read-only" in changed.stderr
    assert same.returncode == 0


def test_poison_stops_nobody_and_is_replayed_after_the_fix(
    program: System, client: httpx.Client
) -> None:
    run = running(program.data)
    assert run is not None
    bus = redis.Redis.from_url(run.redis_url)
    bus.xadd("thidua:indicator.0", {"id": "x", "body": b"\xff"})
    event = FIGURE | {"subject": "poison", "indicator": "X4", "unit": "31423"}
    with_unknown_plan = to_line(to_event(event | {"plan": "later"}))
    _append_to_journal(program, with_unknown_plan)
    send(client, "indicator-events", event | {"subject": "next", "id": "n"})
    wait_until(lambda: points(program, "31423", "X4") == "5.4000")

    def letters() -> str:
        return command("dead-letters", "list", "--data", str(program.data)).stdout

    wait_until(lambda: "2 dead letters" in letters(), why=letters)
    assert "unknown plan" in letters()
    assert "undecodable entry" in letters()
    replayed = command("dead-letters", "replay", "--data", str(program.data))
    assert replayed.stdout.strip() == "0 replayed, 2 still not understood"
    _publish_as(program, "later")
    replayed = command("dead-letters", "replay", "--data", str(program.data))
    assert replayed.stdout.strip() == "1 replayed, 1 still not understood"

    def on_the_board() -> bool:
        answer = client.get("/api/v1/standings/later/commune", params={"period": "2023"})
        rows = answer.json().get("rows", [])
        return any(r["unit"] == "31423" and r["counters"].get("X4") == [18, 20] for r in rows)

    wait_until(on_the_board, why=program.tail)


def _append_to_journal(program: System, line: bytes) -> None:
    async def append() -> None:
        async with resources(settings_for(program.data, running(program.data))) as own:
            await own.journal.append("indicator", 0, [line])

    asyncio.run(append())


def _publish_as(program: System, name: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        for part in program.plan.iterdir():
            text = part.read_text(encoding="utf-8").replace(f"id: {PLAN}", f"id: {name}", 1)
            (Path(place) / part.name).write_text(text, encoding="utf-8")
        published = command("plan", "publish", place, "--data", str(program.data))
        assert published.returncode == 0, published.stderr


def test_the_stream_begins_with_a_snapshot_and_brings_each_change(
    program: System, client: httpx.Client
) -> None:
    seen: list[tuple[str, dict[str, Any]]] = []
    done = threading.Event()

    def follow() -> None:
        url = f"{program.base}/api/v1/standings/{PLAN}/commune/stream"
        with (
            contextlib.suppress(httpx.HTTPError),
            httpx.Client(timeout=60) as own,
            connect_sse(own, "GET", url, params={"period": "2023"}) as source,
        ):
            for message in source.iter_sse():
                seen.append((message.event, json.loads(message.data)))
                if done.is_set():
                    return

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        wait_until(lambda: any(kind == "snapshot" for kind, _ in seen))
        send(client, "portal/events", DOSSIER | {"unit": "31438", "dossier": "live"})
        wait_until(
            lambda: any(
                r["unit"] == "31438" and r["counters"]["X13"][0] == 1
                for kind, content in seen
                if kind == "change"
                for r in content["rows"]
            )
        )
        wait_until(lambda: any(kind == "beat" for kind, _ in seen))
    finally:
        done.set()
        thread.join(20)
    assert seen[0][0] == "snapshot"
    assert {r["unit"] for r in seen[0][1]["rows"]} >= {"31393", "31438"}


def test_an_explanation_leads_to_the_dossiers_behind(
    program: System, client: httpx.Client
) -> None:
    send(client, "portal/events", DOSSIER | {"unit": "31435", "dossier": "why"})

    def facts() -> list[dict[str, Any]]:
        answer = client.get(
            f"/api/v1/units/{PLAN}/31435/explanation",
            params={"indicator": "X8", "period": "2023"},
        )
        return answer.json()["facts"]  # type: ignore[no-any-return]

    wait_until(lambda: len(facts()) == 1)
    assert facts()[0]["id"] == "dvc.haugiang why"
    assert facts()[0]["counts"] == {"main": 1}


def test_standings_as_of_an_instant_are_those_of_then(
    program: System, client: httpx.Client
) -> None:
    url = f"/api/v1/standings/{PLAN}/commune"
    send(client, "portal/events", DOSSIER | {"unit": "31396", "dossier": "one"})
    wait_until(lambda: counted(program, "31396") == 1)
    then = program.standings()["as_of"]
    send(client, "portal/events", DOSSIER | {"unit": "31396", "dossier": "two"})
    wait_until(lambda: counted(program, "31396") == 2)
    past = client.get(url, params={"period": "2023", "as_of": then})
    assert past.status_code == 200, past.text
    found = next(r for r in past.json()["rows"] if r["unit"] == "31396")
    assert found["counters"]["X13"][0] == 1
    future = client.get(url, params={"as_of": "2999-01-01T00:00:00+07:00"})
    assert future.status_code == 422


def test_unknown_plans_blocs_periods_and_units_are_404(client: httpx.Client) -> None:
    for path in (
        "/api/v1/standings/nowhere/commune",
        f"/api/v1/standings/{PLAN}/nobody",
        f"/api/v1/standings/{PLAN}/commune?period=1999",
        f"/api/v1/standings/{PLAN}/commune?period=soon",
        f"/api/v1/units/{PLAN}/nobody/explanation",
        "/api/v1/plans/nowhere",
    ):
        assert client.get(path).status_code == 404, path
    assert client.get(f"/api/v1/plans/{PLAN}").json()["id"] == PLAN


def series(address: str) -> dict[str, float]:
    """Each line of a `/metrics` page: name with labels -> value."""
    lines = httpx.get(f"{address}/metrics", timeout=60).text.splitlines()
    pairs = [line.rpartition(" ") for line in lines if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in pairs}


def test_metrics_and_readiness_tell_operators_what_happens(
    program: System, client: httpx.Client
) -> None:
    wait_until(lambda: client.get("/readyz").json() == {"ready": True})
    run = running(program.data)
    assert run is not None
    before = series(program.base)
    known = DOSSIER | {"dossier": "measured"}
    send(client, "portal/events", known | {"unit": "31432"}, known | {"unit": "no-such-unit"})
    wait_until(lambda: counted(program, "31432") == 1)
    web, worker = series(program.base), series(run.workers["scoring"])
    for name in ("intake_accepted_total", "intake_quarantined_total"):
        assert web[f'{name}{{door="portal"}}'] == before.get(f'{name}{{door="portal"}}', 0) + 1
    assert web['journal_pack_events_count{topic="indicator"}'] >= 1
    assert web["scoring_freshness_seconds_count"] >= 1
    assert worker["scoring_events_total"] >= 1
    assert worker['consumer_lag_seconds{shard="0",topic="indicator"}'] >= 0
    for name in ("scoring_write_behind_facts", "scoring_write_behind_seconds"):
        assert f'{name}{{slice="0/1"}}' in worker, name
    page = httpx.get(f"{run.workers['scoring']}/metrics", timeout=60).text
    for name in ("catch_up_found_packs_total", "dead_letters_total"):
        assert f"# TYPE {name} counter" in page, name


def test_a_worker_that_stands_still_makes_the_system_unready_and_the_board_says_so(
    program: System, client: httpx.Client
) -> None:
    program.kill("worker", signal.SIGSTOP)
    try:
        wait_until(lambda: program.standings()["trouble"] == "scoring")
        wait_until(lambda: client.get("/readyz").status_code == 503)
        assert program.standings()["rows"]
    finally:
        program.kill("worker", signal.SIGCONT)
    wait_until(lambda: client.get("/readyz").status_code == 200)


def test_verify_finds_no_difference(program: System, client: httpx.Client) -> None:
    good = program.verify()
    assert good.returncode == 0, good.stdout
    assert good.stdout.startswith("0 differences")


def test_errors_of_the_api_have_one_form(client: httpx.Client) -> None:
    url = f"/api/v1/standings/{PLAN}/commune"
    for answer, status in (
        (client.get("/api/v1/plans/nowhere"), 404),
        (client.get(url, params={"as_of": "2023-07-01T00:00:00"}), 422),
        (client.get(url, params={"as_of": "2999-01-01T00:00:00Z"}), 422),
        (client.post("/api/v1/portal/events", content=b""), 400),
    ):
        assert answer.status_code == status
        assert set(answer.json()) == {"error", "vi", "en"}


def test_a_page_that_is_not_there_says_so_to_people(client: httpx.Client) -> None:
    answer = client.get("/nowhere", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "<html" in answer.text


def test_the_first_start_says_how_the_administrator_gets_in(program: System) -> None:
    said = next(line for line in program.output if "/welcome?code=" in line)
    link = said[said.index("http") :]
    code = link.partition("code=")[2]
    with httpx.Client(
        base_url=program.base, headers={"Origin": program.base}, timeout=60
    ) as browser:
        assert browser.get(link).status_code == 200
        fields = {"code": code, "new": "một câu dễ nhớ", "again": "một câu dễ nhớ"}
        assert browser.post("/welcome", data=fields).status_code == 303
        assert browser.get("/api/v1/session").json()["grants"] == {"admin": []}
        assert browser.get(link).status_code == 404


def test_people_are_added_from_the_command_line_and_the_audit_tells_of_it(
    program: System,
) -> None:
    data = ("--data", str(program.data))
    person = ("--login", "lan", "--name", "Lan", "--role", "officer")
    wrong = command("person", "add", *data, *person)
    assert (wrong.returncode, "needs at least one unit" in wrong.stderr) == (2, True)
    added = command("person", "add", *data, *person, "--unit", "31399")
    assert added.stdout.startswith(f"{program.base}/welcome?code=")
    again = command("person", "add", *data, *person, "--unit", "31399")
    assert (again.returncode, "has this login" in again.stderr) == (1, True)
    assert (
        "lan  Lan  officer (31399)  has set no password"
        in command("person", "list", *data).stdout
    )
    newer = command("person", "link", "lan", *data).stdout.strip()
    assert httpx.get(added.stdout.strip(), timeout=60).status_code == 404
    assert httpx.get(newer, timeout=60).status_code == 200
    entries = [
        json.loads(line) for line in command("audit", "export", *data).stdout.split("\n")[:-1]
    ]
    assert [e["sequence"] for e in entries] == list(range(1, len(entries) + 1))
    assert "account.made" in {e["action"] for e in entries}
    verified = command("audit", "verify", *data)
    assert (verified.returncode, verified.stdout.split("\n")[-2]) == (0, "0 faults")
