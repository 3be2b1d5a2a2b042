"""Log lines: one event a line on stderr, JSON for machines or plain for people; never the content of a message."""

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from services.runtime.clock import wall_now
from services.runtime.settings import Settings

CONTENT = frozenset({"authorization", "body", "content", "line", "payload", "raw", "token"})
"""Keys that would hold what people sent; their values are replaced by their length."""


def get_logger(name: str) -> FilteringBoundLogger:
    """The logger of a module; `configure` decides what becomes of its lines."""
    logger: FilteringBoundLogger = structlog.get_logger(module=name)
    return logger


def configure(
    level: str, service: str, form: Literal["auto", "json", "console"] | None = None
) -> None:
    """Send this process's log lines to stderr; `form` is by default what the settings say."""
    form = form or Settings().log_format
    if form == "auto":
        form = "console" if sys.stderr.isatty() else "json"
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    shared: list[Processor] = [_stamp, _named(service), _without_content]
    shared.append(structlog.processors.add_log_level)
    last: list[Processor] = [structlog.processors.format_exc_info, _renderer(form)]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    drop = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processors=[drop, *last], foreign_pre_chain=shared)
    )
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)


def _renderer(form: str) -> Processor:
    if form == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), timestamp_key="at", pad_event_to=0
    )


def _stamp(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    event["at"] = wall_now().isoformat(timespec="milliseconds")
    return event


def _named(service: str) -> Processor:
    def add(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return add


def _without_content(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    for key in CONTENT & event.keys():
        event[key] = f"<{len(event[key])} long>" if hasattr(event[key], "__len__") else "<…>"
    return event
