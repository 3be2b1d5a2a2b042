"""The workspace's doors: who may do what, and that whatever is sent is answered with a reason, never with a 500."""

from collections.abc import AsyncIterator

import httpx
import pytest

from services.app import Front
from services.publishing import publish
from services.runtime.auth import Keys, Role, issue
from services.runtime.resources import resources
from services.runtime.settings import Settings
from tests.support.facts import reference_plan
from tests.support.web import started

PLAN = "phung-hiep-2023"
HERE, MONTH = f"{PLAN}/31399", "2023-07"
FIGURE = {"main": {"numerator": 1, "denominator": 2}}


@pytest.fixture
async def front(settings: Settings) -> AsyncIterator[Front]:
    clock = {
        "clock_start": "2023-07-10T10:00:00+07:00",
        "clock_anchor": "2023-07-10T10:00:00+07:00",
    }
    told = Settings.model_validate(settings.model_dump() | clock | {"clock_rate": 1e-9})
    async with resources(told) as own:
        await publish(own, reference_plan())
    async with started(told) as front:
        yield front


def asking(front: Front, settings: Settings, role: Role, *units: str) -> httpx.AsyncClient:
    token = issue(Keys(settings.keys_dir).signing(), role, units)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(front, raise_app_exceptions=False),
        base_url="http://test",
        headers={"Authorization": f"Bearer {token}"},
    )


WRITES = [
    (
        "PUT",
        f"/api/v1/submissions/{HERE}/{MONTH}/entries/X5",
        {"revision": 0, "values": FIGURE},
    ),
    ("PUT", f"/api/v1/submissions/{HERE}/{MONTH}/entries", {}),
    ("POST", f"/api/v1/submissions/{HERE}/{MONTH}/submit", {}),
    ("POST", f"/api/v1/submissions/{HERE}/{MONTH}/withdraw", {}),
    ("PUT", f"/api/v1/evidence/{HERE}/{MONTH}/X5?name=a.pdf", None),
    ("GET", f"/api/v1/submissions/{HERE}/{MONTH}/sheet", None),
]
READS = [
    f"/api/v1/submissions/{HERE}",
    f"/api/v1/submissions/{HERE}/{MONTH}",
    f"/api/v1/evidence/{HERE}/{MONTH}",
]
DECISIONS: list[tuple[str, str, object]] = [
    ("GET", "/api/v1/reviews", None),
    ("POST", "/api/v1/reviews/accept", []),
    ("POST", "/api/v1/reviews/samples", {"count": 1, "seed": 1}),
    ("POST", f"/api/v1/reviews/{HERE}/{MONTH}/X5", {"version": 1, "decision": "accepted"}),
    ("POST", "/api/v1/appeals/kn-1/decision", {"decision": "dismissed", "answer": "Không."}),
    ("GET", f"/review/sheet/{PLAN}/{MONTH}/template", None),
]
NOBODY_IS_TOLD = 404
FORBIDDEN = 403


async def test_each_role_may_do_its_part_and_no_more(front: Front, settings: Settings) -> None:
    own = [(Role.OFFICER, "31399"), (Role.HEAD, "31399")]
    strangers = [(Role.OFFICER, "31402"), (Role.HEAD, "D01")]
    lookers = [(Role.REVIEWER, ""), (Role.OBSERVER, ""), (Role.LEADER, "")]
    others = [(Role.PORTAL, ""), (Role.VIEWER, "")]
    for role, unit in [*own, *strangers, *lookers, *others]:
        async with asking(front, settings, role, *filter(None, [unit])) as client:
            writes = {
                (await client.request(method, path, json=body)).status_code
                for method, path, body in WRITES
            }
            reads = {(await client.get(path)).status_code for path in READS}
            decisions = {
                (await client.request(method, path, json=body)).status_code
                for method, path, body in DECISIONS
            }
        who = role, unit
        if who in own:
            assert not writes & {401, FORBIDDEN, NOBODY_IS_TOLD}, who
        else:
            assert writes == {NOBODY_IS_TOLD if who in strangers else FORBIDDEN}, who
        seen = (
            {200}
            if who in own + lookers
            else {NOBODY_IS_TOLD if who in strangers else FORBIDDEN}
        )
        assert reads == seen, who
        if role is Role.REVIEWER:
            assert not decisions & {401, FORBIDDEN}, who
        else:
            assert decisions == {FORBIDDEN}, who
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(front), base_url="http://test"
    ) as nobody:
        for method, path, body in [*WRITES, *DECISIONS, *(("GET", p, None) for p in READS)]:
            assert (await nobody.request(method, path, json=body)).status_code == 401, path


FORM = "multipart/form-data; boundary=x"
NO_FILE = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nno file\r\n--x--\r\n'
BROKEN_FORMS = [
    (b"", FORM),
    (b"nonsense", FORM),
    (b"--x\r\nbroken", "multipart/form-data"),
    (NO_FILE, FORM),
    (b"--x\r\n" + b"A" * 9_000 + b": b\r\n\r\n", FORM),
    (b"a=b", "application/x-www-form-urlencoded"),
]
DRAFTS: list[tuple[object, int]] = [
    ({"main": {"numerator": -1}}, 422),
    ({"main": {"numerator": 10**9}}, 422),
    ({"main": {"items": {"\x00": "2023-07-01"}}}, 422),
    ({"main": {"rows": [{}] * 501}}, 422),
    ({"main": {"unheard-of": 1}}, 422),
    ({"other": {"numerator": 1}}, 200),
    (FIGURE, 200),
]


async def test_whatever_is_sent_is_kept_or_refused_with_a_reason(
    front: Front, settings: Settings
) -> None:
    path = f"/api/v1/submissions/{HERE}/{MONTH}/entries/X5"
    async with asking(front, settings, Role.OFFICER, "31399") as client:
        for content, kind in BROKEN_FORMS:
            for page in (f"/submit/{HERE}/{MONTH}/files/X5", f"/submit/{HERE}/{MONTH}/sheet"):
                answer = await client.post(
                    page, content=content, headers={"content-type": kind}
                )
                assert answer.status_code == 422, (page, content)
                assert "Hãy chọn một tệp" in answer.text
        for values, status in DRAFTS:
            answer = await client.put(path, json={"revision": 0, "values": values})
            assert answer.status_code == status, (values, answer.text)
            if status != 200:
                assert answer.json()["error"] == "parameter"
        for wrong, status in (("X8", 409), ("X99", 404)):
            other = path.replace("X5", wrong)
            answer = await client.put(other, json={"revision": 0, "values": {}})
            assert answer.status_code == status


async def test_every_operation_is_documented_with_what_it_answers(front: Front) -> None:
    document = front.app.openapi()
    ours = [
        (path, method, operation)
        for path, found in document["paths"].items()
        for method, operation in found.items()
        if path.split("/")[3:4]
        and path.split("/")[3] in ("submissions", "evidence", "reviews", "appeals")
    ]
    assert len(ours) >= 20
    for path, method, operation in ours:
        assert operation.get("description"), (path, method)
        assert operation["tags"], (path, method)
    bodies = document["components"]["schemas"]
    for name in (
        "EntryIn",
        "SubmitIn",
        "DecisionIn",
        "SampleIn",
        "AppealIn",
        "AnswerIn",
        "ExcuseIn",
    ):
        assert "example" in bodies[name], name
