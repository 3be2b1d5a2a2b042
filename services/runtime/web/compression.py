"""Pages, styles, scripts and lists go compressed to whoever takes that; streams and what is compressed inside do not.

No page holds a secret beside what a visitor may put into it (forms are kept by where they come from, not by a token),
so its compressed length tells nobody anything.
"""

from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.types import ASGIApp

SMALLEST_BYTES = 1_024
"""Less than this fits into one packet anyway."""
LEVEL = 5
"""Pages become a tenth smaller with 9, for twice the time."""
FILES = (
    "application/octet-stream",
    "application/pdf",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "multipart/*",
)
"""Kinds that are compressed inside, or read in parts."""


def compressed(app: ASGIApp) -> ASGIApp:
    """The application behind gzip; large answers are compressed in a thread."""
    return GZipMiddleware(
        app, SMALLEST_BYTES, LEVEL,
        exclude_content_types=(*DEFAULT_EXCLUDED_CONTENT_TYPES, *FILES),
    )  # fmt: skip
