"""Traces from a request to the mail; off until `THIDUA_TRACES_TO` says where spans go.

What is carried, in packs and beside mails, is `traceparent` of W3C Trace Context. A pack, a move of the board or a mail
may come of several requests: its span hangs on the first and links to the others. What comes of nothing that is traced
has no span.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import structlog
from opentelemetry import trace
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, Tracer, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.runtime.logging import get_logger
from services.runtime.settings import Settings

log = get_logger(__name__)
MOST = 32
"""Traces that one pack, move or mail carries; of more, the later ones end before it."""
_w3c = TraceContextTextMapPropagator()


class TracingNotInstalledError(Exception):
    """Traces are wanted, and the packages that send them are missing."""


class _Switch:
    """The tracer of this process; None: nothing is traced."""

    tracer: Tracer | None = None


def use(provider: TracerProvider | None) -> None:
    """Trace with a provider from now on, or no more."""
    _Switch.tracer = None if provider is None else provider.get_tracer("thidua")


def configure(settings: Settings, service: str) -> None:
    """Trace this process if the settings say where to.

    Raises:
        TracingNotInstalledError: the extra `tracing` is not installed.
    """
    if not settings.traces_to:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - an extra
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider as Sdk  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from opentelemetry.sdk.trace.sampling import (  # noqa: PLC0415
            ParentBased,
            TraceIdRatioBased,
        )
    except ImportError as missing:
        raise TracingNotInstalledError(
            "THIDUA_TRACES_TO is set: pip install 'thidua[tracing]'"
        ) from missing
    provider = Sdk(
        sampler=ParentBased(TraceIdRatioBased(settings.traces_share)),
        resource=Resource.create({"service.name": f"thidua-{service}"}),
    )
    provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.traces_to))
    )
    use(provider)


def is_on() -> bool:
    """Whether anything is traced."""
    return _Switch.tracer is not None


def carried() -> tuple[str, ...]:
    """What to carry along from here: the present span, if there is one that is kept."""
    if (
        _Switch.tracer is None
        or not trace.get_current_span().get_span_context().trace_flags.sampled
    ):
        return ()
    carrier: dict[str, str] = {}
    _w3c.inject(carrier)
    return tuple(carrier.get("traceparent", "").split())


@contextmanager
def begin(name: str, traceparent: str | None) -> Iterator[None]:
    """The span of a request; it goes on with the trace of its sender, if that names one."""
    with _span(name, [traceparent] if traceparent else [], SpanKind.SERVER):
        yield


@contextmanager
def follow(name: str, traces: Sequence[str], **attributes: str | int) -> Iterator[None]:
    """The span of what came of some traces; of none: no span."""
    if _Switch.tracer is None or not traces:
        yield
        return
    with _span(name, traces, SpanKind.CONSUMER, **attributes):
        yield


@contextmanager
def _span(
    name: str, traces: Sequence[str], kind: SpanKind, **attributes: str | int
) -> Iterator[None]:
    if _Switch.tracer is None:
        yield
        return
    contexts = [_w3c.extract({"traceparent": one}) for one in traces]
    others = (trace.get_current_span(one).get_span_context() for one in contexts[1:])
    links = [Link(one) for one in others if one.is_valid]
    with _Switch.tracer.start_as_current_span(
        name, contexts[0] if contexts else None, kind, attributes, links,
        record_exception=False, set_status_on_exception=False,
    ) as span:  # fmt: skip
        number = f"{span.get_span_context().trace_id:032x}"
        with structlog.contextvars.bound_contextvars(trace=number):
            try:
                yield
            except BaseException as error:  # its text may hold what people sent
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise
            log.debug(name, **attributes)


class Causes:
    """Traces that something will come of which is made later; taken by the next one that is made."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque(maxlen=MOST)

    def add(self, traces: Iterable[str]) -> None:
        """These too."""
        self._waiting.extend(one for one in traces if one not in self._waiting)

    def take(self) -> tuple[str, ...]:
        """All that wait."""
        taken = tuple(self._waiting)
        self._waiting.clear()
        return taken


def together(many: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """The traces of several things, each once, not too many."""
    return tuple(dict.fromkeys(one for some in many for one in some))[:MOST]
