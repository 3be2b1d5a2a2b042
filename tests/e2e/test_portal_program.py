"""The portal's doors and pages in the whole running program: as senders, operators and the standing office use them."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bson
import httpx
import pytest
import schemathesis
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from hypothesis import HealthCheck, Phase, settings as hypothesis
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pymongo import MongoClient
from redis import Redis

from contracts.events import DossierRecorded, FigureReported
from services.app import openapi
from services.runtime.auth import Role
from services.runtime.backup.archive import ArchiveReader
from services.runtime.datafolder import free_port, running
from tests.integration.test_portal_trust import MARK, PERSONAL, marked_sheet, readable
from tests.integration.test_sheets import row as sheet_row, xlsx
from tests.support.chromium import CHROMIUM, FLAGS
from tests.support.people import Person, person_of, sign_in
from tests.support.portal import CODE, NATIONAL, ROOT, SAMPLES, dossier
from tests.support.system import System, command
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("portal-program")]
PAGES = (
    "/review/quarantine",
    "/review/quarantine/cause?kind=broken&value=MaHoSo+missing",
    "/review/quarantine/cause?kind=alias&value=UBND+xã+Lạ",
    "/review/quarantine/cause?kind=unit&value=H30.31396",
    "/review/sources",
    "/review/names",
    "/review/names?source=*&name=UBND+xã+Tân+Bình",
    "/review/catalogue",
    "/sheets",
)
DOORS = schemathesis.openapi.from_dict(openapi()).include(
    path_regex=r"^/api/v1/(portal/|indicator-events)"
)
PORTAL = (ROOT / "docs/portal.md").read_text("utf-8")
CURL = re.findall(r"^```sh\ncurl .*? --data '\n(.*?)'\n```", PORTAL, re.MULTILINE | re.DOTALL)
OWN_CODE = "H30.99.01-230705-0113"
CODE_OF_MARKED = "H30.99.01-230705-0900"
BROKEN = [
    dossier(DonViXuLy="UBND xã Lạ", MaHoSo=""),
    dossier(DonViXuLy="UBND xã Lạ", MaHoSo="H30.1-230705-001"),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("portal") / "data", free_port())
    try:
        system.start("--clock-start", "2023-08-15T08:00")
        names = str(ROOT / "deploy/aliases/phung-hiep-2023.csv")
        made = command("alias", "import", names, "--data", str(system.data))
        assert made.returncode == 0, made.stderr
        wait_until(lambda: any("aliases changed" in line for line in system.output))
        yield system
    finally:
        system.end()


@pytest.fixture(scope="module")
def client(program: System) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {program.token()}"}
    with httpx.Client(base_url=program.base, headers=headers, timeout=60) as client:
        yield client


def counters(program: System, unit: str) -> dict[str, list[int]]:
    rows = program.standings()["rows"]
    return next(r["counters"] for r in rows if r["unit"] == unit)


def counted(program: System, unit: str, indicator: str = "X8") -> list[int]:
    return counters(program, unit).get(indicator, [0, 0])


def test_a_name_that_an_operator_explains_lets_the_waiting_dossiers_count(
    program: System, client: httpx.Client, tmp_path: Path
) -> None:
    envelope = json.loads(
        own(json.dumps(SAMPLES["envelope_create"], ensure_ascii=False), "Ủy ban Hòa Mỹ")
    )
    answer = client.post(NATIONAL, json=envelope).json()
    assert "chưa biết" in answer["data"][0]["message"]
    known = (ROOT / "deploy/aliases/phung-hiep-2023.csv").read_text("utf-8")
    names = tmp_path / "names.csv"
    names.write_text(known.replace("UBND xã Hòa Mỹ", "Ủy ban Hòa Mỹ"), "utf-8")
    made = command("alias", "import", str(names), "--data", str(program.data))
    assert made.returncode == 0, made.stderr
    wait_until(lambda: counted(program, "31420") == [1, 1], why=program.tail)
    repeated = client.post(NATIONAL, json=json.loads(own(CURL[0], "UBND xã Hòa Mỹ")))
    assert OWN_CODE in repeated.text
    assert counted(program, "31420") == [1, 1]


def own(said: str, agency: str) -> str:
    """The dossier of the documents under a code and a unit that no other test has."""
    return said.replace(CODE, OWN_CODE).replace("UBND xã Tân Bình", agency)


def test_a_file_of_names_with_faults_is_refused_as_a_whole(
    program: System, tmp_path: Path
) -> None:
    names = tmp_path / "names.csv"
    names.write_text(
        "name,unit\nUBND xã Đúng,31423\nUBND xã Sai,3142\nUBND xã Thiếu\n", "utf-8"
    )
    at = ("--data", str(program.data))
    before = command("alias", "list", *at).stdout
    refused = command("alias", "import", str(names), *at)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.splitlines()[1:] == [
        "row 3, unit: no published plan has the unit '3142'",
        "row 4, unit: is empty",
    ]
    assert command("alias", "list", *at).stdout == before


def test_a_source_made_by_the_operator_signs_in_and_sends(
    program: System, client: httpx.Client
) -> None:
    made = command("source", "add", "motcua.test", "--data", str(program.data)).stdout
    said = dict(line.split(maxsplit=1) for line in made.splitlines())
    wanted = {"username": said["username"], "password": said["password"]}

    answers: list[Any] = []

    def signed_in() -> bool:
        time.sleep(0.5)  # the limit of logins a minute holds for a test too
        answers.append(
            httpx.post(program.base + "/api/v1/portal/login", json=wanted, timeout=60).json()
        )
        return bool(answers[-1]["error_code"] == "0")

    wait_until(signed_in)
    content = [dossier(MaHoSo="H30.99.01-230705-0500", DonViXuLy="UBND xã Bình Thành")]
    envelope = {"session": answers[-1]["session"], "service": "DongBoHoSoMC", "data": content}
    assert (
        httpx.post(program.base + NATIONAL, json=envelope, timeout=60).json()["error_code"]
        == "0"
    )
    wait_until(lambda: counted(program, "31402") == [1, 1])


def test_the_official_cloudevents_sdk_is_understood(
    program: System, client: httpx.Client
) -> None:
    for number, form in enumerate((to_binary_event, to_structured_event)):
        content = DossierRecorded.example | {"unit": "31405", "dossier": f"ce-{number}"}
        outside = {name: content.pop(name) for name in ("source", "id", "type")}
        outside |= {"specversion": "1.0", "datacontenttype": "application/json"}
        event = CloudEvent(outside, content)
        message = form(event)
        answer = client.post(
            "/api/v1/portal/events", content=message.body, headers=dict(message.headers)
        )
        assert answer.json() == {"accepted": 1, "quarantined": 0, "rejected": []}
    wait_until(lambda: counted(program, "31405") == [2, 2])


def examples(readme: str) -> list[tuple[str, dict[str, Any]]]:
    """(commands with a token, the answer that the document promises: it was taken, if none is shown)."""
    text = (ROOT / readme).read_text("utf-8")
    blocks = re.findall(
        r"^```sh\n((?:(?!^```).)*)^```\n(?:\n```json\n(.*?)^```)?",
        text,
        re.MULTILINE | re.DOTALL,
    )
    return [
        (commands, json.loads(answer or '{"accepted":1,"quarantined":0,"rejected":[]}'))
        for commands, answer in blocks
        if "curl" in commands and "$TOKEN" in commands
    ]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(
    ("document", "count"), [("README.md", 4), ("README.vi.md", 4), ("docs/portal.md", 1)]
)
def test_the_commands_of_the_document_do_what_it_says(
    program: System, client: httpx.Client, document: str, count: int, tmp_path: Path
) -> None:
    found = examples(document)
    assert len(found) == count
    token = client.headers["authorization"].removeprefix("Bearer ")
    for commands, promised in found:
        here = commands.replace("http://127.0.0.1:8010", program.base).replace("31399", "31417")
        done = subprocess.run(
            ["/bin/bash", "-ec", elsewhere(here)],
            cwd=tmp_path,
            env={"PATH": os.defpath, "TOKEN": token},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert json.loads(done.stdout) == json.loads(elsewhere(json.dumps(promised))), (
            commands,
            program.tail(),
        )


def elsewhere(text: str) -> str:
    """The dossier of the document under another code and unit: other tests count the one that is shown."""
    other = text.replace("H30.99.01-230705-0012", "H30.99.01-230705-0412")
    return other.replace("UBND xã Tân Bình", "UBND xã Phụng Hiệp")


@pytest.mark.filterwarnings("ignore:You appear to be connected")
def test_nothing_that_names_a_person_is_in_any_database_stream_log_or_backup(
    program: System, client: httpx.Client, reviewer: Person, tmp_path: Path
) -> None:
    item = dossier(**PERSONAL) | {"MaHoSo": CODE_OF_MARKED, "DonViXuLy": "UBND xã Hòa An"}
    event = DossierRecorded.example | PERSONAL | {"dossier": "marked", "unit": "31423"}
    claim = FigureReported.example | PERSONAL | {"unit": "31423"}
    broken = [item | {"NgayTiepNhan": MARK}, item | {"MaHoSo": MARK}, MARK]
    for path, content in (
        (f"{NATIONAL}?MaDinhDanhDV={MARK}", [item, *broken]),
        ("/api/v1/portal/events", [event, event | {"channel": MARK}]),
        ("/api/v1/indicator-events", [claim, claim | {"state": MARK}]),
        ("/api/v1/portal/login", {"username": MARK, "password": MARK}),
    ):
        answer = client.post(path, json=content)
        assert answer.status_code in {200, 202}
        assert MARK not in answer.text
    sheet = client.post("/api/v1/portal/sheet", content=marked_sheet()).json()
    wait_until(lambda: client.get(sheet["status"]).json()["state"] == "done")
    told = pages_with_files(program, reviewer)
    wait_until(lambda: counted(program, "31423") == [2, 2])
    wait_until(lambda: CODE_OF_MARKED in stored_by(program))
    kept = tmp_path / "all.bak"
    made = command("backup", str(kept), "--data", str(program.data))
    assert made.returncode == 0, made.stderr
    with kept.open("rb") as file:
        records = ArchiveReader(kept, file, None).records()
        backup = "".join(readable(bson.decode(one)) for _, one in records)
    logs = [path.read_text("utf-8", "replace") for path in (program.data / "log").iterdir()]
    found = [stored_by(program), backup, *logs, *program.output, *told]
    assert CODE_OF_MARKED in found[0]
    assert CODE_OF_MARKED in backup
    assert [text[:200] for text in found if MARK in text] == []


def pages_with_files(program: System, reviewer: Person) -> list[str]:
    """What the pages say to files with names and contents that are nobody's business."""
    with httpx.Client(
        base_url=program.base, headers=reviewer.headers(program.base), timeout=60
    ) as person:
        named = f"{MARK}.xlsx"
        sheet = person.post("/sheets", files={"file": (named, marked_sheet())})
        assert sheet.status_code == 303
        job = "/api/v1/portal/sheet/" + sheet.headers["location"].rpartition("/")[2]
        wait_until(lambda: person.get(job).json()["state"] == "done")
        lines = f"Mã thủ tục;Tên thủ tục;Cán bộ\n{MARK};x;{MARK}\n".encode()
        form = {"plan": "phung-hiep-2023", "since": ""}
        draft = person.post("/review/catalogue", data=form, files={"file": (named, lines)})
        assert draft.status_code == 422
        return [draft.text, person.get(sheet.headers["location"]).text, person.get(job).text]


def stored_by(program: System) -> str:
    """All that is in MongoDB and Redis, names of collections included."""
    at = running(program.data)
    assert at is not None
    found: list[Any] = []
    with MongoClient[dict[str, Any]](at.mongo_url) as databases:
        for name in set(databases.list_database_names()) - {"admin", "config", "local"}:
            for collection in databases[name].list_collection_names():
                found += [collection, *databases[name][collection].find()]
    with Redis.from_url(at.redis_url) as redis:
        for key in redis.scan_iter(_type="stream"):
            found += redis.xrange(key)
    return "\n".join(map(readable, found))


@DOORS.parametrize()
@hypothesis(
    max_examples=10,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_door_fails_whatever_its_description_allows(
    case: Any, program: System, client: httpx.Client
) -> None:
    answer = case.call(base_url=program.base, headers=dict(client.headers))
    assert answer.status_code < 500, answer.text
    documented = {str(status) for status in case.operation.definition.raw["responses"]}
    assert str(answer.status_code) in documented | {"422"}, answer.text
    if answer.status_code == 202 and case.operation.path.endswith("/portal/sheet"):
        wait_until(lambda: client.get(answer.json()["status"]).json()["state"] != "running")


@pytest.fixture(scope="module")
def reviewer(program: System) -> Person:
    return person_of(program.data, {Role.REVIEWER: []})


@pytest.fixture(scope="module")
def browser(reviewer: Person) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def desk(browser: Browser, program: System, reviewer: Person) -> Iterator[Page]:
    """The standing office on a phone."""
    context = browser.new_context(viewport={"width": 360, "height": 800}, locale="vi")
    sign_in(context, program.base, reviewer)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("path", PAGES)
def test_the_pages_are_for_everybody_who_may_see_them(
    desk: Page, program: System, client: httpx.Client, path: str
) -> None:
    client.post(NATIONAL, json=BROKEN)
    coded = DossierRecorded.example | {"dossier": "coded", "unit": "H30.31396"}
    client.post("/api/v1/portal/events", json=coded)
    nobody = httpx.get(program.base + path, headers={"Accept": "text/html"}, timeout=60)
    assert (nobody.status_code, nobody.headers["location"].partition("?")[0]) == (
        303,
        "/sign-in",
    )
    assert client.get(path).status_code == (200 if path == "/sheets" else 403)
    for lang in ("vi", "en"):
        answer = desk.goto(f"{program.base}{path}{'&' if '?' in path else '?'}lang={lang}")
        assert answer is not None
        assert answer.status == 200
        assert desk.evaluate("document.documentElement.scrollWidth") <= 360
        found = Axe().run(desk)
        assert found.response["violations"] == [], found.generate_report()


def test_the_standing_office_says_who_a_name_is(
    desk: Page, program: System, client: httpx.Client
) -> None:
    item = dossier(DonViXuLy="UBND xã Tân Phước Hưngg", MaHoSo="H30.99.01-230705-0600")
    client.post(NATIONAL, json=[item])
    desk.goto(program.base + "/review/quarantine")
    cause = desk.locator("article", has_text="Hưngg")
    cause.get_by_label("Xã Tân Phước Hưng (31432)").check()
    cause.get_by_role("button", name="Lưu đơn vị").first.click()
    desk.wait_for_selector("text=1 hồ sơ được tính ngay")
    wait_until(lambda: counted(program, "31432") == [1, 1])


def test_the_standing_office_says_which_unit_a_code_means(
    desk: Page, program: System, client: httpx.Client
) -> None:
    event = DossierRecorded.example | {"dossier": "by-code", "unit": "H30.31435"}
    answer = client.post("/api/v1/portal/events", json=event).json()
    assert (answer["accepted"], answer["quarantined"]) == (0, 1)
    desk.goto(program.base + "/review/quarantine")
    cause = desk.locator("article", has_text="H30.31435")
    cause.get_by_label("Xã Phương Phú (31435)").check()
    cause.get_by_role("button", name="Lưu đơn vị").first.click()
    desk.wait_for_selector("text=1 hồ sơ được tính ngay")
    wait_until(lambda: counted(program, "31435") == [1, 1])


def test_a_wrong_choice_is_corrected_after_what_moves_was_shown(
    desk: Page, program: System, client: httpx.Client, tmp_path: Path
) -> None:
    names = tmp_path / "names.csv"
    names.write_text("name,unit\nTLG,31438\n", "utf-8")
    assert command("alias", "import", str(names), "--data", str(program.data)).returncode == 0
    item = dossier(MaHoSo="H30.99.01-230705-0800", DonViXuLy="tlg")
    event = DossierRecorded.example | {"dossier": "wrongly-coded", "unit": "TLG"}
    client.post(NATIONAL, json=[item])
    client.post("/api/v1/portal/events", json=event)
    wait_until(lambda: counted(program, "31438") == [2, 2])
    desk.goto(program.base + "/review/names")
    desk.get_by_role("row", name="TLG").get_by_role("link").click()
    desk.get_by_label("Đơn vị đúng").select_option("31433")
    desk.get_by_role("button", name="Tính thử").click()
    apply = desk.get_by_role("button", name="Áp dụng")
    apply.wait_for(timeout=60_000)
    expect(desk.locator("main")).to_contain_text("2 hồ sơ và sự kiện đã tính sẽ chuyển")
    expect(desk.get_by_role("row", name="Thị trấn Búng Tàu")).to_contain_text("▲")
    assert counted(program, "31438") == [2, 2], "shown before it is applied"
    apply.click()
    desk.wait_for_selector("text=Đã sửa. 2 hồ sơ")
    wait_until(lambda: counted(program, "31433") == [2, 2])
    assert counted(program, "31438") == [0, 0]


def test_a_sheet_is_checked_and_a_broken_item_closed_with_a_reason(
    desk: Page, program: System, client: httpx.Client
) -> None:
    desk.goto(program.base + "/sheets")
    file = xlsx(sheet_row(1), sheet_row(2, channel="Bồ câu"))
    desk.set_input_files(
        "#file", {"name": "x.xlsx", "mimeType": "application/x", "buffer": file}
    )
    desk.get_by_role("button", name="Kiểm tra hoặc nhập tệp").click()
    desk.wait_for_selector("h1:has-text('đã xong')", timeout=60_000)
    expect(desk.locator("main")).to_contain_text("F4")
    client.post(NATIONAL, json=[dossier(MaHoSo="")])
    desk.goto(program.base + "/review/quarantine")
    cause = desk.locator("article", has_text="Mã hồ sơ (MaHoSo): thiếu hoặc để trống")
    cause.locator("summary").click()
    cause.get_by_label("Lý do").fill("Nơi gửi không sửa được")
    cause.get_by_role("button", name="Đóng").click()
    desk.wait_for_selector("text=Đã đóng")
    expect(cause).to_have_count(0)


def test_a_catalogue_is_changed_only_after_it_was_shown(
    desk: Page, program: System, client: httpx.Client
) -> None:
    item = dossier(MaTTHC="9.000001", MaHoSo="H30.99.01-230705-0700", DonViXuLy="UBND xã Long Thạnh")  # fmt: skip
    client.post(NATIONAL, json=[item])
    desk.goto(program.base + "/review/catalogue")
    desk.locator("summary").first.click()
    desk.get_by_label("Mã thủ tục").fill("9.000001")
    desk.get_by_label("Tên thủ tục").fill("Thủ tục mới")
    desk.get_by_role("button", name="Tính thử").click()
    apply = desk.get_by_role("button", name="Áp dụng danh mục này")
    apply.wait_for(timeout=60_000)
    expect(desk.get_by_role("row", name="Xã Long Thạnh")).to_contain_text("▲")
    assert counted(program, "31408") == [0, 0], "shown before it is applied"
    apply.click()
    desk.wait_for_selector("text=Đã áp dụng")
    wait_until(lambda: counted(program, "31408") == [1, 1])
