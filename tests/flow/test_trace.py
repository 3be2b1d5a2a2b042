"""One event from the portal's request to the board and to the mail, as one trace, with real spans of every part."""

import logging
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import datetime

import httpx
import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from contracts.calendar import LOCAL
from contracts.events import DossierRecorded
from services.app import Front
from services.notifier.app import Worker, worker as notifier_worker
from services.notifier.settings import NotifierSettings
from services.publishing import publish
from services.runtime import tracing
from services.runtime.auth import Keys, Role, issue
from services.runtime.clock import wall_now
from services.runtime.health import Health
from services.runtime.resources import resources
from services.runtime.settings import Settings
from services.scoring.app import worker
from services.scoring.settings import ScoringSettings
from tests.support.facts import reference_plan
from tests.support.notifying import of_units
from tests.support.waiting import until
from tests.support.web import started

REFERENCE = reference_plan()
SENDER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
"""What a portal that traces sends along."""
TRACE = int(SENDER.split("-")[1], 16)
PATH = [
    "POST /api/v1/portal/events",
    "journal.write",
    "scoring.fold",
    "scoring.tell_board",
    "leaderboard.show",
    "notifier.take",
    "notifier.find",
    "notifier.send",
]


@pytest.fixture(name="spans")
def _spans() -> Iterator[InMemorySpanExporter]:
    """What this process traces, kept in memory."""
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    tracing.use(provider)
    yield spans
    tracing.use(None)


@pytest.fixture(name="talkative")
def _talkative(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every span leaves a line, whatever another test configured."""
    before = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        cache_logger_on_first_use=False,
    )
    monkeypatch.setattr(tracing, "log", structlog.get_logger())
    yield
    structlog.configure(**before)


@pytest.fixture(name="hurried")
def _hurried(settings: Settings) -> Settings:
    """A morning of the competition, on which ten minutes pass in a second."""
    start = datetime(2023, 7, 12, 8, 0, tzinfo=LOCAL)
    return settings.model_copy(
        update={"clock_start": start, "clock_anchor": wall_now(), "clock_rate": 600.0}
    )


@pytest.fixture(name="running")
async def _running(hurried: Settings) -> AsyncIterator[tuple[Front, Worker]]:
    """The web process, scoring and the notifier, all in this process."""
    given = hurried.model_dump()
    async with resources(hurried) as own:
        await publish(own, REFERENCE)
    async with (
        worker(ScoringSettings.model_validate(given), Health()),
        notifier_worker(NotifierSettings.model_validate(given), Health()) as notifier,
        started(hurried) as front,
    ):
        await notifier.store.contacts.insert_many(of_units(["31399"]))
        await notifier.store.mark("contacts", version=1)
        yield front, notifier


async def post(front: Front, settings: Settings, **headers: str) -> httpx.Response:
    """A dossier that is overdue since yesterday."""
    token = issue(Keys(settings.keys_dir).signing(), Role.PORTAL)
    dossier = DossierRecorded.example | {
        "status": "processing",
        "due_at": "2023-07-11T17:00:00+07:00",
        "finished_at": None,
    }
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=front), base_url="http://127.0.0.1"
    ) as client:
        return await client.post(
            "/api/v1/portal/events",
            json=dossier,
            headers={"Authorization": f"Bearer {token}", **headers},
        )


@pytest.mark.usefixtures("talkative")
async def test_one_trace_leads_from_the_request_to_the_mail(
    running: tuple[Front, Worker], hurried: Settings, spans: InMemorySpanExporter
) -> None:
    front, notifier = running
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        answer = await post(front, hurried, traceparent=SENDER)
        assert answer.status_code == 202

        def of_trace() -> list[ReadableSpan]:
            return [s for s in spans.get_finished_spans() if s.context.trace_id == TRACE]

        await until(lambda: set(PATH) <= {span.name for span in of_trace()})
    found = {span.name: span for span in of_trace()}
    request = found[PATH[0]]
    assert request.parent is not None
    assert f"{request.parent.span_id:016x}" == SENDER.split("-")[2]
    known = {span.context.span_id for span in of_trace()}
    for name in PATH[1:]:
        parent = found[name].parent
        assert parent is not None, name
        assert parent.span_id in known, name
    # Log lines of the same path carry the same id.
    told = {line["event"] for line in lines if line.get("trace") == SENDER.split("-")[1]}
    assert set(PATH) <= told
    # Nothing that names a person stands in a span.
    text = str(
        [(span.name, dict(span.attributes or {})) for span in spans.get_finished_spans()]
    )
    assert "@" not in text
    assert "H30" not in text
    (mail, *_) = await notifier.store.mails.find({"traces": {"$ne": []}}).to_list(None)
    assert mail["traces"][0].split("-")[1] == SENDER.split("-")[1]


async def test_without_tracing_nothing_is_carried_though_the_sender_traces(
    running: tuple[Front, Worker], hurried: Settings
) -> None:
    front, _ = running
    assert not tracing.is_on()
    assert (await post(front, hurried, traceparent=SENDER)).status_code == 202
    async with resources(hurried) as own:
        stored = await own.journal.collection("indicator").find_one({})
    assert stored is not None
    assert "traces" not in stored


def test_traces_without_the_packages_say_what_to_install(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = settings.model_copy(update={"traces_to": "http://127.0.0.1:9/v1/traces"})
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(tracing.TracingNotInstalledError, match=r"thidua\[tracing\]"):
        tracing.configure(wanted, "web")
    assert not tracing.is_on()
