"""The other story: what counts on the board is what a council signs. Events in, the published package read back."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any

import docx
import httpx
import openpyxl
import pytest
from pypdf import PdfReader

from contracts.events import DossierRecorded, FigureReported, ItemRecorded
from contracts.plan import Plan
from services.publishing import publish
from services.reports.app import worker as reports_worker
from services.reports.render.verifying import differences
from services.runtime.auth import Keys, Role, issue
from services.runtime.health import Health
from services.runtime.resources import resources
from services.runtime.settings import Settings
from services.runtime.web.collation import vietnamese_key
from services.scoring import freezing
from services.scoring.app import worker as scoring_worker
from services.scoring.settings import ScoringSettings
from tests.support.facts import reference_plan
from tests.support.waiting import until
from tests.support.web import started

WHOLE = reference_plan()
FEW = frozenset(u.code for b in WHOLE.blocs for u in WHOLE.units_of(b.code)[:3])
PLAN = Plan.model_validate(
    WHOLE.model_dump() | {"units": [u.model_dump() for u in WHOLE.units if u.code in FEW]}
)
PERIOD = "2023-Q3"
KEY = f"{PLAN.id}:{PERIOD}:1"
AFTER_THE_QUARTER = datetime(2023, 10, 3, 2, tzinfo=UTC)
PRODUCT = "Mô hình “Ấp số”"
HTML = {"Accept": "text/html"}


@dataclass
class Running:
    """Web process and workers, and who speaks to them."""

    portal: httpx.AsyncClient
    reviewer: httpx.AsyncClient
    leader: httpx.AsyncClient


@pytest.fixture
async def running(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Running]:
    monkeypatch.setattr(freezing, "SETTLE_MILLISECONDS", 0)
    clock = {"clock_start": AFTER_THE_QUARTER, "clock_anchor": datetime.now(UTC)}
    settings = settings.model_copy(update=clock)
    key = Keys(settings.keys_dir).signing()
    async with AsyncExitStack() as stack:
        own = await stack.enter_async_context(resources(settings))
        await publish(own, PLAN)
        scoring = ScoringSettings.model_validate(settings.model_dump())
        await stack.enter_async_context(scoring_worker(scoring, Health()))
        await stack.enter_async_context(reports_worker(settings, Health()))
        transport = httpx.ASGITransport(await stack.enter_async_context(started(settings)))
        people = [
            await stack.enter_async_context(
                httpx.AsyncClient(
                    transport=transport,
                    base_url="http://127.0.0.1",
                    headers={"Authorization": f"Bearer {issue(key, role, subject=role)}"},
                    timeout=30,
                )
            )
            for role in (Role.PORTAL, Role.REVIEWER, Role.LEADER)
        ]
        yield Running(*people)


def dossier(number: int, unit: str) -> dict[str, Any]:
    ours = {"dossier": f"H30-{number}", "id": f"d{number}", "unit": unit}
    return DossierRecorded.example | ours | {"channel": "online" if number % 3 else "counter"}


def claims() -> list[dict[str, Any]]:
    figures = [
        FigureReported.example
        | {"unit": unit, "subject": f"{unit}:{code}", "id": f"{unit}:{code}"}
        | {"indicator": code, "period": "2023-09", "numerator": 100 + 7 * n, "denominator": 331}
        for n, (unit, code) in enumerate(
            (unit.code, code)
            for unit in PLAN.units
            for code in {"commune": ("X5", "X6"), "department": ("P3", "P9")}.get(
                unit.bloc, ("H1",)
            )
        )
    ]
    product = ItemRecorded.example | {"unit": "31399", "indicator": "G5", "item": "p1"}
    return [*figures, product | {"name": PRODUCT, "on": "2023-08-20"}]


async def send(running: Running) -> None:
    """What counts comes in, and is on the board."""
    units = [u.code for u in PLAN.units if u.bloc == "commune"]
    dossiers = [dossier(n, units[n % 2]) for n in range(7)]
    told = await running.portal.post("/api/v1/portal/events", json=dossiers)
    assert told.json()["accepted"] == len(dossiers)
    sent = claims()
    told = await running.portal.post("/api/v1/indicator-events", json=sent)
    assert told.json()["accepted"] == len(sent), told.text
    await until(lambda: _scored(running, units[2]))


async def test_the_board_the_api_and_every_file_show_the_same_numbers(
    running: Running, tmp_path: Path
) -> None:
    await send(running)
    page = f"/packages/closings/{PLAN.id}/{PERIOD}"
    closed = await running.reviewer.post(page, data={"confirmed": "1"}, headers=HTML)
    assert closed.status_code == 303
    await until(lambda: _step(running.reviewer, "check"))
    await until(lambda: _step(running.leader, "sign"))
    assert (await running.leader.post(f"/api/v1/packages/{KEY}/publish")).is_success
    board = await until(lambda: _official(running))
    assert board["closed_at"] < board["official_at"]

    archive = await running.reviewer.get(f"/api/v1/packages/{KEY}/archive")
    (tmp_path / "goi.zip").write_bytes(archive.content)
    assert list(differences(tmp_path / "goi.zip", vietnamese_key)) == []
    files = {
        name: (await running.reviewer.get(f"/api/v1/packages/{KEY}/files/{name}")).content
        for name in (
            "data/results.json", "bang-so-lieu.xlsx", "01-bao-cao-quy.pdf", "01-bao-cao-quy.docx",
        )
    }  # fmt: skip
    seen = set()
    for number, bloc in enumerate(json.loads(files["data/results.json"])["blocs"]):
        api = await _api(running, bloc["bloc"])
        rows = {row["unit"]: row for row in bloc["rows"]}
        assert {u: (r["rank"], r["points"]) for u, r in rows.items()} == {
            row["unit"]: (row["rank"], row["points"]) for row in api["rows"]
        }
        shown = {unit: cut(row["points"]) for unit, row in rows.items()}
        assert await _html(running, bloc["bloc"]) == shown
        names = {row["name"]: shown[unit] for unit, row in rows.items()}
        assert names.items() <= in_docx(files["01-bao-cao-quy.docx"]).items()
        text = in_pdf(files["01-bao-cao-quy.pdf"])
        assert [n for n, points in names.items() if f"{n} {points}" not in text] == []
        sheet = openpyxl.load_workbook(BytesIO(files["bang-so-lieu.xlsx"])).worksheets[number]
        assert in_xlsx(sheet) == {unit: row["points"] for unit, row in rows.items()}
        seen |= set(shown.values())
    assert len(seen) > 6
    assert PRODUCT in in_pdf(files["01-bao-cao-quy.pdf"])


async def _api(running: Running, bloc: str) -> Any:
    address = f"/api/v1/standings/{PLAN.id}/{bloc}"
    return (await running.reviewer.get(address, params={"period": PERIOD})).json()


async def _scored(running: Running, unit: str) -> bool:
    """The claims, which came last, are on the board."""
    rows = {row["unit"]: row for row in (await _api(running, "commune"))["rows"]}
    return bool(rows[unit]["indicators"].get("X6", "0.0000") != "0.0000")


async def _official(running: Running) -> Any:
    board = await _api(running, "commune")
    page = await running.reviewer.get("/", params={"period": PERIOD}, headers=HTML)
    marked = "Kết quả chính thức của kỳ này đã công bố" in page.text
    return board if marked and board.get("official_at") else None


async def _step(client: httpx.AsyncClient, action: str) -> bool:
    """Possible once the closing is made and recomputed, and the archive is built."""
    answer = await client.post(f"/api/v1/packages/{KEY}/{action}")
    early = {"no_such_package", "provisional", "not_built", "changed_meanwhile"}
    assert answer.is_success or answer.json()["error"] in early, answer.text
    return answer.is_success


async def _html(running: Running, bloc: str) -> dict[str, str]:
    """Unit -> points, as the row of the board shows them."""
    asked = {"bloc": bloc, "period": PERIOD}
    page = (await running.reviewer.get("/", params=asked, headers=HTML)).text
    row = r'<tr class="row"[^>]*data-unit="([^"]+)".*?<td class="points"[^>]*>([^<]+)</td>'
    return {unit: unescape(points) for unit, points in re.findall(row, page, re.DOTALL)}


def cut(points: str) -> str:
    """Two decimals, never rounded up."""
    return points[:-2].replace(".", ",")


def in_docx(content: bytes) -> dict[str, str]:
    """Name -> points in the tables of the ranking."""
    found: dict[str, str] = {}
    for table in docx.Document(BytesIO(content)).tables:
        head, *rows = [[cell.text for cell in row.cells] for row in table.rows]
        if head[:3] == ["Hạng", "Đơn vị", "Điểm"]:
            found |= {name: points for _, name, points, *_ in rows}
    return found


def in_pdf(content: bytes) -> str:
    pages = PdfReader(BytesIO(content)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def in_xlsx(sheet: Any) -> dict[str, str]:
    """Code -> the indicators' points, added as the formula of the total says."""
    heads = [cell.value for cell in sheet[3]]
    total = heads.index("Tổng điểm")
    found = {}
    for line in sheet.iter_rows(min_row=4, values_only=True):
        assert str(line[total]).startswith("=SUM(D")
        units = sum(round((cell or 0) * 10_000) for cell in line[3:total])
        found[line[1]] = f"{units // 10_000}.{units % 10_000:04d}"
    return found
