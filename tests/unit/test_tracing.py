"""What is traced and what is carried: on and off, one cause and several, none."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import StatusCode

from contracts.events import DossierRecorded
from services.notifier.domain.picture import Picture
from services.notifier.domain.watch import Watch
from services.notifier.handlers import Handlers
from services.runtime import tracing
from services.runtime.consuming import DeadLetters, from_entry
from services.runtime.journal import Pack, from_document
from tests.support.facts import line

SENDER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-1bf7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01"
PACK = Pack(
    "01893d2f6a40a1b2c3d4e5f", "indicator", 0, datetime(2023, 7, 10, tzinfo=UTC), 1,
    line(DossierRecorded.example), traces=(SENDER, OTHER),
)  # fmt: skip


@pytest.fixture(name="spans")
def _spans() -> Iterator[InMemorySpanExporter]:
    yield from _tracing(1.0)


def _tracing(share: float) -> Iterator[InMemorySpanExporter]:
    spans = InMemorySpanExporter()
    provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(share)))
    provider.add_span_processor(SimpleSpanProcessor(spans))
    tracing.use(provider)
    yield spans
    tracing.use(None)


def test_off_nothing_is_made_and_nothing_carried() -> None:
    with tracing.begin("request", SENDER), tracing.follow("fold", [SENDER]):
        assert not tracing.is_on()
        assert tracing.carried() == ()


def test_a_request_goes_on_with_the_trace_of_its_sender(spans: InMemorySpanExporter) -> None:
    with tracing.begin("request", SENDER):
        (carried,) = tracing.carried()
    (span,) = spans.get_finished_spans()
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"
    assert carried == f"00-0af7651916cd43dd8448eb211c80319c-{span.context.span_id:016x}-01"
    assert tracing.carried() == ()


@pytest.mark.parametrize("sent", [None, "", "nonsense", "00-0-0-00"])
def test_what_is_no_trace_begins_a_new_one(
    spans: InMemorySpanExporter, sent: str | None
) -> None:
    with tracing.begin("request", sent):
        assert len(tracing.carried()) == 1
    (span,) = spans.get_finished_spans()
    assert span.parent is None


def test_of_several_causes_the_first_is_the_parent_and_the_others_are_linked(
    spans: InMemorySpanExporter,
) -> None:
    with tracing.follow("fold", [SENDER, OTHER], events=3):
        pass
    (span,) = spans.get_finished_spans()
    assert f"{span.context.trace_id:032x}" == SENDER.split("-")[1]
    assert [f"{link.context.trace_id:032x}" for link in span.links] == [OTHER.split("-")[1]]
    assert dict(span.attributes or {}) == {"events": 3}


def test_what_comes_of_no_trace_has_no_span(spans: InMemorySpanExporter) -> None:
    with tracing.follow("tick", []):
        assert tracing.carried() == ()
    assert spans.get_finished_spans() == ()


def test_a_fault_is_named_by_its_kind_alone(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="Lan"), tracing.begin("request", None):
        raise ValueError("Nguyễn Thị Lan")
    (span,) = spans.get_finished_spans()
    assert (span.status.status_code, span.status.description) == (
        StatusCode.ERROR,
        "ValueError",
    )
    assert span.events == ()


def test_what_is_not_in_the_share_is_not_carried_unless_the_sender_wants_it() -> None:
    for spans in _tracing(1e-12):
        with tracing.begin("request", None):
            assert tracing.carried() == ()
        with tracing.begin("request", SENDER):
            assert len(tracing.carried()) == 1
        assert [span.parent is not None for span in spans.get_finished_spans()] == [True]


def test_causes_wait_for_the_next_thing_each_once_and_not_without_bound() -> None:
    causes = tracing.Causes()
    causes.add([SENDER, OTHER, SENDER])
    assert causes.take() == (SENDER, OTHER)
    assert causes.take() == ()
    causes.add(map(str, range(1_000)))
    assert len(causes.take()) == tracing.MOST
    assert tracing.together([[SENDER], (), [OTHER, SENDER]]) == (SENDER, OTHER)


def test_a_pack_keeps_its_traces_in_the_journal_and_on_the_bus() -> None:
    entry = {
        key.encode(): value if isinstance(value, bytes) else str(value).encode()
        for key, value in PACK.entry().items()
    }
    assert from_entry(entry) == PACK
    assert from_document("indicator", PACK.document()) == PACK


async def test_what_the_notifier_takes_hangs_on_the_pack_and_waits_for_the_next_look(
    spans: InMemorySpanExporter,
) -> None:
    causes = tracing.Causes()
    handlers = Handlers(Watch(Picture()), cast("DeadLetters", None), causes)
    await handlers.on_facts([PACK])
    (span,) = spans.get_finished_spans()
    assert span.name == "notifier.take"
    assert causes.take() == (
        f"00-0af7651916cd43dd8448eb211c80319c-{span.context.span_id:016x}-01",
    )
