"""Prometheus metrics that every service shares, and how `/metrics` shows them."""

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.responses import Response

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)

JOURNAL_WRITE_SECONDS = Histogram(
    "journal_write_seconds",
    "Time until a majority had a write on disk.",
    ["topic"],
    buckets=_SECONDS,
)
PACK_EVENTS = Histogram(
    "journal_pack_events",
    "Events in one pack; its count is the number of packs written.",
    ["topic"],
    buckets=(1, 2, 5, 10, 50, 100, 500, 1000, 2000),
)
UNANNOUNCED = Counter(
    "journal_unannounced_packs",
    "Packs that the bus never heard of; the journal has them.",
    ["topic"],
)
CATCH_UP_FINDS = Counter(
    "catch_up_found_packs", "Packs that the bus did not bring and the journal did.", ["topic"]
)
CATCH_UP_FAILURES = Counter("catch_up_failures", "Catch-ups that failed.", ["topic"])
SHARD_LAG_SECONDS = Gauge(
    "consumer_lag_seconds",
    "Age of the last pack when it was handled; 0 when nothing waits.",
    ["topic", "shard"],
)
DEAD_LETTERS = Counter(
    "dead_letters", "Events or entries set aside as undecodable.", ["reason"]
)


def exposition() -> Response:
    """The answer of `/metrics`."""
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)
