"""Who may send: credentials of each source, sessions, signatures, certificates, limits; and what nobody ever stores."""

import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import pytest_asyncio
from aiohttp import web
from argon2 import PasswordHasher
from openpyxl import Workbook

from contracts.events import DossierRecorded, FigureReported
from services.intake.domain.names import bare
from services.intake.http import RefusedError
from services.intake.portal.pull import Api, PullStore
from services.intake.portal.trust import SUBJECT, Bucket, Source, signature_of
from services.runtime import mongo
from services.runtime.auth import Keys, Role, issue
from services.runtime.clock import wall_now
from services.runtime.embedded import Addresses
from tests.support.databases import settings_apart
from tests.support.far_portal import far_portal
from tests.support.portal import CODE, NATIONAL, SAMPLES, Portal, dossier, portal

pytestmark = pytest.mark.asyncio(loop_scope="module")
LOGIN = "/api/v1/portal/login"
SECRET = "a" * 64
HASHED = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("right")
ONE_STOP = Source("motcua.h30", HASHED, SECRET)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    databases: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Portal]:
    settings = settings_apart(databases, tmp_path_factory.mktemp("portal"))
    settings = settings.model_copy(update={"mtls_subject_header": "x-client-subject"})
    async with portal(settings) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def door(running: Portal) -> Portal:
    await running.clear()
    return running


async def known(door: Portal, **changes: Any) -> Source:
    """A source as an operator made it."""
    source = replace(ONE_STOP, **changes)
    await door.intake.portal.sources.put(source)
    await door.intake.portal.trust.load()
    return source


def token(door: Portal, source: str = ONE_STOP.name) -> dict[str, str]:
    key = Keys(door.own.settings.keys_dir).signing()
    return {"Authorization": f"Bearer {issue(key, Role.PORTAL, subject=SUBJECT + source)}"}


async def post(
    door: Portal, content: Any, headers: dict[str, str], path: str = NATIONAL
) -> httpx.Response:
    """Without the client's own token."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    request = door.client.build_request(
        "POST", path, content=body, headers={"Content-Type": "application/json"} | headers
    )
    if "Authorization" not in headers:
        del request.headers["authorization"]
    return await door.client.send(request)


async def test_name_and_password_give_a_session_that_opens_the_door(door: Portal) -> None:
    await known(door)
    wrong = await post(door, {"username": ONE_STOP.name, "password": "wrong"}, {}, LOGIN)
    assert (wrong.status_code, wrong.json()["error_code"]) == (200, "3")
    right = await post(door, {"username": ONE_STOP.name, "password": "right"}, {}, LOGIN)
    assert right.json()["error_code"] == "0"
    session = right.json()["session"]
    answer = await post(door, SAMPLES["envelope_create"] | {"session": session}, {})
    assert answer.json()["error_code"] == "0"
    held = await door.now()
    assert held is not None
    assert held.source == ONE_STOP.name
    forged = await post(door, SAMPLES["envelope_create"], {})
    assert (forged.status_code, forged.json()["error_code"]) == (401, "401")


async def test_nobody_guesses_passwords_fast(door: Portal) -> None:
    await known(door, name="guessed")
    tries = [
        await post(door, {"username": "guessed", "password": str(n)}, {}, LOGIN)
        for n in range(11)
    ]
    assert [t.status_code for t in tries] == [200] * 10 + [429]
    assert int(tries[-1].headers["retry-after"]) > 0


@pytest.mark.parametrize("body", [b"", b"[", b"{}", b'{"username": 1, "password": 2}'])
async def test_a_login_that_is_none_is_refused_in_the_same_form(
    door: Portal, body: bytes
) -> None:
    answer = await post(door, body, {}, LOGIN)
    assert (answer.status_code, answer.json()["error_code"]) == (200, "3")


async def test_a_closed_source_sends_nothing(door: Portal) -> None:
    await known(door)
    assert (await post(door, [dossier()], token(door))).status_code == 200
    await known(door, disabled=True)
    assert (await post(door, [dossier()], token(door))).status_code == 401


def signed(
    body: bytes, at: float, path: str = NATIONAL, secret: str = SECRET
) -> dict[str, str]:
    timestamp = str(int(at))
    return {
        "X-Thidua-Timestamp": timestamp,
        "X-Thidua-Signature": "sha256=" + signature_of(secret, timestamp, path, body),
    }


async def test_a_source_that_signs_is_only_believed_with_a_fresh_signature(
    door: Portal,
) -> None:
    await known(door, signed=True)
    body, now = json.dumps([dossier()]).encode(), wall_now().timestamp()
    good = token(door) | signed(body, now)
    assert (await post(door, body, good)).status_code == 200
    for headers, code in (
        (token(door), "signature_missing"),
        (good, "signature_used"),
        (token(door) | signed(body, now - 400), "signature_stale"),
        (token(door) | signed(body + b" ", now + 1), "signature_wrong"),
        (token(door) | signed(body, now + 2, "/elsewhere"), "signature_wrong"),
        (token(door) | signed(body, now + 3, secret="b" * 64), "signature_wrong"),
    ):
        answer = await post(door, body, headers)
        assert answer.json()["error"] == code


async def test_the_canonical_doors_ask_for_the_signature_too_and_for_the_own_source(
    door: Portal,
) -> None:
    await known(door, signed=True)
    path = "/api/v1/portal/events"
    own = DossierRecorded.example | {"source": ONE_STOP.name}
    body = json.dumps([own, DossierRecorded.example]).encode()
    refused = await post(door, body, token(door), path)
    assert (refused.status_code, refused.json()["error"]) == (401, "signature_missing")
    good = token(door) | signed(body, wall_now().timestamp(), path)
    answer = (await post(door, body, good, path)).json()
    assert (answer["accepted"], [r["index"] for r in answer["rejected"]]) == (1, [1])


async def test_a_certificate_that_the_proxy_vouches_for_is_a_proof(door: Portal) -> None:
    await known(door, certificate="CN=motcua,O=Hau Giang")
    bare = await post(door, [dossier()], token(door))
    assert (bare.status_code, bare.json()["error"]) == (403, "certificate_wrong")
    vouched = {"X-Client-Subject": "CN=motcua,O=Hau Giang"}
    assert (await post(door, [dossier()], vouched)).status_code == 200
    other = {"X-Client-Subject": "CN=other"}
    assert (await post(door, [dossier()], other)).status_code == 401


async def test_a_source_that_sends_too_fast_is_told_when_to_come_back(door: Portal) -> None:
    await known(door, name="fast", per_minute=3)
    answers = [await post(door, [dossier()], token(door, "fast")) for _ in range(4)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
    assert answers[-1].json()["error_code"] == "429"
    assert (await door.send([dossier()]))["error_code"] == "0", "others are not held up"


async def test_a_bucket_fills_again() -> None:
    bucket = Bucket(60)
    for _ in range(60):
        bucket.take()
    with pytest.raises(RefusedError):
        bucket.take()
    bucket.at -= 2
    bucket.take()


MARK = "ZZMẬTZZ"
PERSONAL = {
    name: f"{MARK} {name}"
    for name in (
        "ChuHoSo", "SoGiayToChuHoSo", "MaDoiTuong", "Email", "Fax", "SoDienThoai", "ThongTinKhac",
        "TrichYeuHoSo", "TenTTHC", "TenLinhVuc", "DiaChi", "NguoiXuLy", "ChucDanh", "NoiDungXuLy",
        "PhongBanXuLy",
    )
} | {
    "TaiLieuNop": [{"TenTepDinhKem": MARK}],
    "DinhDanhCHS": [{"SoDinhDanh": MARK}],
    "DanhSachHoSoBoSung": [{"NguoiYeuCauBoSung": MARK, "NoiDungBoSung": MARK, "NgayBoSung": "20230708090000"}],
}  # fmt: skip


HEADERS = (
    "Mã hồ sơ",
    "Chủ hồ sơ",
    "CMND",
    "Mã thủ tục",
    "Trạng thái",
    "Ngày tiếp nhận",
    "Đơn vị xử lý",
)


def marked_sheet() -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    agency = "UBND xã Tân Bình"
    sheet.append(HEADERS)
    sheet.append([CODE, MARK, MARK, "2.000815", "Đang xử lý", "05/07/2023", agency])
    sheet.append([MARK, MARK, MARK, MARK, MARK, MARK, agency])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def sheet_without_headers() -> bytes:
    return f"{MARK};{MARK};Mã hồ sơ\n".encode() * 3


def readable(value: Any) -> str:
    """Everything in a stored value, bytes too."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict):
        return " ".join(readable(one) for pair in value.items() for one in pair)
    if isinstance(value, list | tuple):
        return " ".join(map(readable, value))
    return str(value)


async def dumped(door: Portal) -> str:
    """All databases of the system, and what Redis holds."""
    found: list[Any] = []
    for name in await door.own.client.list_database_names():
        if name.startswith(door.own.settings.database_prefix):
            database = door.own.client[name]
            for collection in await database.list_collection_names():
                found += await database[collection].find({}).to_list(None)
    for key in await door.own.redis.keys("*"):
        assert await door.own.redis.type(key) == b"stream"
        found += await door.own.redis.xrange(key) or []
    return "\n".join(map(readable, found))


async def fetch(door: Portal, items: list[Any]) -> None:
    """From a portal that fails first, with a page that names people, and then answers."""
    async with far_portal() as (fake, url):
        fake.pages = False
        fake.items = [("20230705080000", item) for item in items]
        fake.failures = [
            web.Response(status=500, text=MARK),
            web.Response(text=MARK),
        ]
        database = mongo.database(door.own.client, door.own.settings, "intake")
        for failures, taken in ((1, 0), (2, 0), (0, len(items))):
            await door.intake.portal.puller.try_once("far", Api(url, "Bearer of-the-portal"))
            (told,) = await PullStore(database).all()
            assert (told["failures"], told.get("items", 0)) == (failures, taken)


def in_every_form(
    event: dict[str, Any], wrong_field: str
) -> list[tuple[dict[str, str], bytes, int]]:
    """(headers, body, status) of every form of the canonical doors, with fields that are nobody's business."""
    event = PERSONAL | event
    wrong = event | {wrong_field: MARK}
    good, bad = (json.dumps(one).encode() for one in (event, wrong))
    around = {"specversion": "1.0", "type": event["type"], "source": event["source"], "id": "1"}
    around |= {"subject": MARK, "chuhoso": MARK}
    enveloped = [json.dumps(around | {"data": one}).encode() for one in (event, wrong, MARK)]
    broken = json.dumps(event).encode()[:-1] + f', "{MARK}'.encode()
    ce = {f"ce-{name}": value for name, value in around.items() if value != MARK}
    binary = ce | {"ce-subject": bare(MARK), "ce-chuhoso": bare(MARK)}
    ndjson = {"Content-Type": "application/x-ndjson"}
    structured = {"Content-Type": "application/cloudevents+json"}
    batched = {"Content-Type": "application/cloudevents-batch+json"}
    return [
        ({}, good, 202),
        ({}, bad, 422),
        ({}, broken, 400),
        ({}, json.dumps([PERSONAL, MARK, event]).encode(), 202),
        (ndjson, b"\n".join([good, bad, broken, MARK.encode()]), 202),
        (binary, good, 202),
        (binary, bad, 422),
        (binary, MARK.encode(), 400),
        *(
            (structured, one, status)
            for one, status in zip(enveloped, (202, 422, 422), strict=True)
        ),
        (batched, b"[" + b",".join(enveloped) + b"]", 202),
        (batched, broken, 400),
    ]


async def import_marked(door: Portal, own: dict[str, str]) -> list[httpx.Response]:
    """What is said of sheets, good and bad ones."""
    answers = []
    for query, file, state in (
        ("?dry_run=true", marked_sheet(), "done"),
        ("", marked_sheet(), "done"),
        ("", sheet_without_headers(), "failed"),
        ("", MARK.encode("utf-16"), "failed"),
        ("", b"PK\x03\x04" + MARK.encode(), "failed"),
    ):
        started = await post(door, file, own, f"/api/v1/portal/sheet{query}")
        assert started.status_code == 202, started.text
        await door.intake.sheets.wait()
        answers.append(await door.client.get(started.json()["status"]))
        assert answers[-1].json()["state"] == state
    answers.append(await post(door, b"", own, f"/api/v1/portal/sheet?source={MARK}"))
    assert answers[-1].status_code == 422
    return answers


async def test_nothing_that_names_a_person_is_stored_told_or_logged(
    door: Portal, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    own = {"Authorization": door.client.headers["authorization"]}
    good = dossier(**PERSONAL)
    wrong = [
        good | {"MaHoSo": f"{MARK} 1"},
        good | {"NgayTiepNhan": MARK},
        good | {"MaTTHC": MARK},
        good | {"TrangThaiHoSo": MARK, "KenhThucHien": MARK, "HoSoCoThanhPhanSoHoa": MARK},
        good | {"DanhSachHoSoBoSung": MARK},
        good | {"MaTTHC": "9.999999", "MaHoSo": "H30.99.01-230705-0777"},
        MARK,
    ]
    step = SAMPLES["steps"]["data"][0] | PERSONAL
    contents: list[tuple[str, Any]] = [
        (NATIONAL, [good, *wrong]),
        (NATIONAL, {"service": "CapNhatTienDoHoSoMC", "data": [step]}),
        (NATIONAL, {"service": MARK, "data": [good]}),
        (NATIONAL, f'[{{"{MARK}'.encode()),
        (LOGIN, {"username": MARK, "password": MARK}),
    ]
    query = f"?MaDinhDanhDV={MARK}&isUpdating={MARK}&ChuHoSo={MARK}"
    contents += [(NATIONAL + query, [good]), (f"{NATIONAL}?service={MARK}", [good])]
    answers = [await post(door, content, own, path) for path, content in contents]
    assert [a.status_code for a in answers] == [200] * 7
    for path, event, wrong_field in (
        ("/api/v1/portal/events", DossierRecorded.example, "channel"),
        ("/api/v1/indicator-events", FigureReported.example, "state"),
    ):
        for headers, content, status in in_every_form(event, wrong_field):
            answers.append(await post(door, content, own | headers, path))
            assert answers[-1].status_code == status, (headers, content, answers[-1].text)
    answers += await import_marked(door, own)
    await fetch(door, [good, *wrong])
    await door.intake.portal.qualities.store(door.intake.portal.receiver.tally)
    heard = capfd.readouterr()
    told = "\n".join(answer.text for answer in answers) + heard.out + heard.err + caplog.text
    assert [a.text for a in answers if MARK in a.text] == []
    assert MARK not in told
    stored = await dumped(door)
    assert CODE in stored
    assert "UBND xã Tân Bình" in stored
    assert MARK not in stored
    assert bare(MARK) not in stored
