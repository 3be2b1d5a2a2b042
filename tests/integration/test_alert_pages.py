"""The pages and the API of alerts in the whole web application; who may see and do what; the worker behind them."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest

from contracts.events import ExclusionLifted
from contracts.wire import to_event, to_line
from services.notifier.app import worker
from services.notifier.settings import NotifierSettings
from services.notifier.store import NotifierStore
from services.notifier.wiring import open_store
from services.publishing import publish
from services.runtime.auth import Keys, Role, issue
from services.runtime.health import Health
from services.runtime.resources import Resources, resources
from services.runtime.settings import Settings
from services.runtime.working import worker_face
from tests.support.notifying import PLAN, contact, local, of_units, read
from tests.support.waiting import until
from tests.support.web import started

UNIT, OTHER = "31399", "31402"
PAGE = {"Accept": "text/html"}


@dataclass
class House:
    """A running web application beside a running worker, and what they share."""

    own: Resources
    store: NotifierStore
    client: httpx.AsyncClient

    def token(self, role: Role, *units: str) -> dict[str, str]:
        key = Keys(self.own.settings.keys_dir).signing()
        return {"Authorization": f"Bearer {issue(key, role, units)}", **PAGE}

    async def get(self, path: str, role: Role | None = None, *units: str) -> httpx.Response:
        headers = PAGE if role is None else self.token(role, *units)
        return await self.client.get(path, headers=headers)

    async def post(
        self, path: str, role: Role | None, *units: str, **data: str
    ) -> httpx.Response:
        headers = PAGE if role is None else self.token(role, *units)
        return await self.client.post(path, headers=headers, data=data)


@asynccontextmanager
async def house(settings: Settings, **more: Any) -> AsyncIterator[House]:
    """On 16 June 2023 at nine, after a season's first missed report and two overdue dossiers."""
    clock = {
        "clock_start": local("2023-06-16", "09:00"),
        "clock_anchor": local("2023-06-16", "09:00") + timedelta(days=36_500),
    }
    fixed = settings.model_copy(update=clock)
    own_settings = NotifierSettings.model_validate(fixed.model_dump() | more)
    async with resources(fixed) as own:
        await publish(own, PLAN)
        lines = [_dossier(number, UNIT) for number in ("H1", "H2")]
        await own.journal.append("indicator", 0, lines)
        store = open_store(own)
        await store.contacts.insert_many(of_units([UNIT]))
        await store.mark("contacts", version=1)
        await store.mark("started", at=local("2023-06-01"))
        async with (
            worker(own_settings, Health()),
            started(fixed) as front,
            httpx.AsyncClient(
                transport=httpx.ASGITransport(front),
                base_url="http://test",
                follow_redirects=False,
            ) as client,
        ):
            yield House(own, store, client)


def _dossier(number: str, unit: str) -> bytes:
    fields = {
        "type": "dossier.recorded", "source": "dvc.haugiang", "id": number, "dossier": number,
        "version": 1, "unit": unit, "procedure": "2.000815", "status": "processing",
        "channel": "online", "service_level": "full",
        "received_at": local("2023-06-05").isoformat(), "due_at": local("2023-06-12").isoformat(),
        "occurred_at": local("2023-06-05").isoformat(),
    }  # fmt: skip
    return to_line(to_event(fields))


def _lifted(unit: str) -> bytes:
    rule = "two-overdue-dossiers"
    of = {"unit": unit, "month": "2023-06", "rule": rule, "subject": f"{unit}:{rule}:2023-06"}
    return to_line(to_event(ExclusionLifted.example | of))


async def occasions(place: House, **wanted: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await place.store.occasions.find(wanted).to_list(None)
    return found


async def settled(place: House) -> None:
    """Wait until the alerts of the unit were mailed or wait in their window, and one mail was caught."""
    await until(lambda: place.store.occasions.count_documents({"unit": UNIT, "step": "done"}))
    await place.store.notices.update_many(
        {"state": "waiting"}, {"$set": {"ready_at": local("2023-06-16")}}
    )
    await until(lambda: place.store.caught.count_documents({}))
    await until(lambda: place.store.notices.count_documents({"state": "accepted"}))


@pytest.mark.timeout(120)
async def test_an_alert_from_the_journal_to_the_mail_page_and_back_by_the_button(
    settings: Settings,
) -> None:
    async with house(settings) as place:
        await settled(place)

        ledger = await place.get("/alerts/ledger", Role.REVIEWER)
        assert ledger.status_code == 200
        assert (
            "Xã Tân Bình: không xét thi đua vì 2 hồ sơ trễ hẹn trong tháng 6/2023"
            in ledger.text
        )
        assert "chưa có địa chỉ liên hệ" in ledger.text  # all other units
        filtered = await place.get(
            f"/alerts/ledger?unit={UNIT}&severity=exclusion", Role.OBSERVER
        )
        assert "chưa có địa chỉ liên hệ" not in filtered.text
        assert "Xã Tân Bình" in filtered.text
        assert "trường hợp loại đã được bỏ áp dụng" not in filtered.text
        await place.own.journal.append("indicator", 0, [_lifted(UNIT)])
        await until(lambda: occasions(place, retracted_why="lifted"))
        page = f"alerts/ledger?unit={UNIT}&severity=exclusion"
        again = (await place.get(f"/{page}", Role.OBSERVER)).text
        assert "trường hợp loại đã được bỏ áp dụng" in again
        told = (await place.get(f"/api/v1/alerts?unit={UNIT}", Role.OBSERVER)).json()["alerts"]
        assert {one["retracted_why"] for one in told if one["retracted_at"]} == {"lifted"}

        mails = await place.get("/mail", Role.REVIEWER)
        (number, *_) = re.findall(r'href="/mail/(\d+)"', mails.text)
        one = await place.get(f"/mail/{number}", Role.REVIEWER)
        assert "Auto-Submitted" in one.text
        assert "<iframe" in one.text
        html = await place.get(f"/mail/{number}/html", Role.REVIEWER)
        assert "sandbox" in html.headers["content-security-policy"]
        assert "default-src 'none'" in html.headers["content-security-policy"]


@pytest.mark.timeout(120)
async def test_a_link_opens_a_page_and_only_its_button_acknowledges(settings: Settings) -> None:
    async with house(settings) as place:
        await settled(place)
        (excluded,) = await occasions(place, unit=UNIT, rule="overdue-excluded")
        raw = await place.store.caught.find_one({"to": f"o-{UNIT}@example.invalid"})
        assert raw is not None
        body = read(raw["raw"]).get_body(("plain",))
        assert body is not None
        links = re.findall(r"/alerts/ack/\S+", body.get_content())
        assert links
        for link in links:  # what opens links, such as a scanner of mails, acknowledges nothing
            assert (await place.get(link)).status_code == 200
        (excluded,) = await occasions(place, _id=excluded["_id"])
        assert excluded.get("acknowledged_at") is None
        for link in links:
            assert (await place.post(link, None)).status_code == 303
        assert "Đã tiếp nhận lúc" in (await place.get(links[0])).text
        (excluded,) = await occasions(place, _id=excluded["_id"])
        assert excluded["acknowledged_at"] is not None
        broken = links[0][:-3] + "xxx"
        assert (await place.get(broken)).status_code == 404
        assert (await place.post(broken, None)).status_code == 404

        def told() -> Any:
            return place.store.caught.count_documents({"subject": {"$regex": "tiếp nhận"}})

        await until(told)


@pytest.mark.timeout(120)
async def test_everybody_sees_and_does_what_is_theirs(settings: Settings) -> None:
    async with house(settings) as place:
        await settled(place)
        mine = await place.get("/alerts", Role.HEAD, UNIT)
        assert "Xã Tân Bình: không xét thi đua" in mine.text
        others = await place.get("/alerts", Role.HEAD, OTHER)
        assert others.status_code == 200
        assert "Xã Tân Bình" not in others.text
        (one, *_) = await occasions(place, unit=UNIT, rule="overdue-excluded")
        refused = await place.post("/alerts/take", Role.HEAD, OTHER, occasion=one["_id"])
        assert refused.status_code == 404
        taken = await place.post("/alerts/take", Role.HEAD, UNIT, occasion=one["_id"])
        assert taken.status_code == 303
        assert one["_id"] not in (await place.get("/alerts", Role.HEAD, UNIT)).text

        own = await place.get(f"/api/v1/alerts?unit={UNIT}", Role.OFFICER, UNIT)
        assert {line["unit"] for line in own.json()["alerts"]} == {UNIT}
        assert "@" not in own.text.replace("@2023", "").replace("@localhost", "")
        assert (
            await place.get(f"/api/v1/alerts?unit={OTHER}", Role.OFFICER, UNIT)
        ).status_code == 404
        one_unit = await place.get("/api/v1/alerts", Role.OFFICER, UNIT)
        assert {line["unit"] for line in one_unit.json()["alerts"]} == {UNIT}
        everything = await place.get("/api/v1/alerts", Role.OBSERVER)
        assert {line["state"] for line in everything.json()["alerts"]} & {"dropped", "accepted"}

        pages = (
            "/alerts/ledger",
            "/alerts/previews",
            "/alerts/silences",
            "/alerts/service",
            "/mail",
        )
        for path in pages:
            assert (await place.get(path, Role.REVIEWER)).status_code == 200, path
            assert (await place.get(path, Role.HEAD, UNIT)).status_code == 403, path
            assert (await place.get(path)).status_code in {303, 401}, path
        assert (await place.get("/mail", Role.OBSERVER)).status_code == 403
        assert (await place.get("/api/v1/alerts", Role.PORTAL)).status_code == 403


@pytest.mark.timeout(120)
async def test_silences_and_test_mails_are_the_standing_offices(settings: Settings) -> None:
    async with house(settings) as place:
        good = {"unit": UNIT, "rule": "", "reason": "Lũ lụt", "ends": "2023-06-20T08:00"}
        assert (await place.post("/alerts/silences", Role.OBSERVER, **good)).status_code == 403
        for field, value in (("reason", " "), ("ends", "2023-06-01T08:00"), ("ends", "x"),
                             ("unit", "99999"), ("ends", "2024-06-01T08:00")):  # fmt: skip
            wrong = await place.post(
                "/alerts/silences", Role.REVIEWER, **(good | {field: value})
            )
            shown = await place.get(wrong.headers["location"], Role.REVIEWER)
            assert 'aria-invalid="true"' in shown.text, (field, value)
        assert await place.store.silences.count_documents({}) == 0
        assert (await place.post("/alerts/silences", Role.REVIEWER, **good)).status_code == 303
        shown = await place.get("/alerts/silences", Role.OBSERVER)
        assert "Lũ lụt" in shown.text
        silence = await place.store.silences.find_one({})
        assert silence is not None
        end = f"/alerts/silences/{silence['_id']}/end"
        assert (await place.post(end, Role.OBSERVER)).status_code == 403
        assert (await place.post(end, Role.REVIEWER)).status_code == 303
        assert (await place.post(end, Role.REVIEWER)).status_code == 404

        test = "/alerts/service/test"
        assert (await place.post(test, Role.OBSERVER, contact="chair")).status_code == 403
        assert (await place.post(test, Role.REVIEWER, contact="nobody")).status_code == 404
        assert (await place.post(test, Role.REVIEWER, contact="chair")).status_code == 303

        def arrived() -> Any:
            return place.store.mails.count_documents({"test": True, "state": "accepted"})

        await until(arrived)
        assert await place.store.caught.count_documents({"subject": {"$regex": "thư thử"}}) == 1
        service = await place.get("/alerts/service", Role.REVIEWER)
        assert "hoạt động" in service.text
        assert "máy chủ thư đã nhận" in service.text


@pytest.mark.timeout(120)
async def test_a_dead_mail_server_turns_page_and_metrics_red(settings: Settings) -> None:
    gone = {"smtp_host": "127.0.0.1", "smtp_port": 9, "smtp_security": "none",
            "smtp_retry_seconds": 0.2}  # fmt: skip
    async with house(settings, **gone) as place:
        await place.store.contacts.insert_one(contact("x", "chair"))

        async def red() -> bool:
            page = await place.get("/alerts/ledger", Role.REVIEWER)
            return "Không gửi được qua máy chủ thư" in page.text

        await until(
            lambda: place.store.occasions.count_documents({"unit": UNIT, "step": "done"})
        )
        await place.store.notices.update_many(
            {"state": "waiting"}, {"$set": {"ready_at": local("2023-06-16")}}
        )
        await until(red)
        measured = (await place.get("/metrics")).text  # worker and pages are one process here
        assert "notifier_smtp_up 0.0" in measured
        assert (await place.get("/mail", Role.REVIEWER)).status_code == 404
        assert await place.store.mails.count_documents({"state": "queued"})


async def test_the_workers_own_face_says_whether_it_is_ready(settings: Settings) -> None:
    own = NotifierSettings.model_validate(settings.model_dump())
    app = worker_face(lambda health: worker(own, health))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        assert (await client.get("/healthz")).json() == {"alive": True}

        async def ready() -> bool:
            return (await client.get("/readyz")).status_code == 200

        await until(ready)
        assert "worker_ready 1.0" in (await client.get("/metrics")).text
