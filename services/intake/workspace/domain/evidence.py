"""Files that prove a claim: what may be kept, by what name, and for how long."""

import re
import unicodedata
from datetime import date, datetime

import puremagic
from pydantic import BaseModel

from contracts.calendar import last_day_of, months_between
from contracts.plan import Plan
from contracts.submissions import EvidenceFile

MOST_BYTES = 50 << 20
MOST_FILES = 30
"""For one indicator in one month."""
HEAD_BYTES = 64 << 10
"""So much of a file's beginning says what it is."""
_OFFICE = "application/vnd.openxmlformats-officedocument"
KINDS = {
    ".pdf": "application/pdf",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".jfif": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".docx": f"{_OFFICE}.wordprocessingml.document",
    ".xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    ".pptx": f"{_OFFICE}.presentationml.presentation",
    ".doc": "application/msword",
    ".xls": "application/vnd.ms-excel",
    ".ppt": "application/vnd.ms-powerpoint",
    ".mp3": "audio/mpeg",
    ".mpga": "audio/mpeg",
    ".wav": "audio/x-wav",
    ".m4a": "audio/mp4",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".oga": "audio/ogg",
    ".flac": "audio/flac",
}
"""Extension that the content is recognised by -> the type it is served as."""
SHOWN_INLINE = frozenset({"application/pdf", "image/jpeg", "image/png", "image/webp"})
_LONGEST_NAME = 120


class EvidenceError(Exception):
    """A file that is not taken; `code` says why."""

    def __init__(self, code: str, *values: str) -> None:
        super().__init__(code, *values)
        self.code, self.values = code, values


class Evidence(BaseModel):
    """One file, without its content."""

    id: str
    plan: str
    unit: str
    month: str
    indicator: str
    name: str
    sha256: str
    size: int
    media_type: str
    personal: bool
    """Only the unit and the reviewers see it."""
    by: str
    at: datetime
    removed_at: datetime | None = None
    purged_at: datetime | None = None
    """Its content is gone, as the plan's retention wants it."""

    @property
    def inline(self) -> bool:
        """Whether a browser may show it inside a page."""
        return self.media_type in SHOWN_INLINE

    def told(self) -> EvidenceFile:
        """As the events name it."""
        return EvidenceFile(
            id=self.id,
            indicator=self.indicator,
            sha256=self.sha256,
            size=self.size,
            media_type=self.media_type,
        )


def media_type_of(head: bytes, name: str) -> str:
    """What the content is; the name only decides between formats that begin alike.

    Raises:
        EvidenceError: it is nothing that may be kept.
    """
    try:
        found = [match.extension.lower() for match in puremagic.magic_string(head)]
    except (puremagic.PureError, ValueError):
        found = []
    if not found or (found[0] not in KINDS and _suffix(name) not in found):
        raise EvidenceError("type_refused", clean_name(name))
    known = [extension for extension in found if extension in KINDS]
    chosen = _suffix(name) if _suffix(name) in known else known[0] if known else ""
    if not chosen:
        raise EvidenceError("type_refused", clean_name(name))
    return KINDS[chosen]


def _suffix(name: str) -> str:
    return f".{name.rpartition('.')[2].lower()}" if "." in name else ""


def clean_name(name: str) -> str:
    """A file name without folders, control characters, or anything that a shell or a header would trip over."""
    plain = unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2])
    kept = "".join(c for c in plain if c.isprintable() and unicodedata.category(c) != "Cf")
    kept = re.sub(r'[<>:"|?*;\x7f]+', "_", kept).strip(" .")
    stem, dot, suffix = kept.rpartition(".")
    if len(kept) > _LONGEST_NAME:
        kept = f"{stem[: _LONGEST_NAME - len(suffix) - 1]}{dot}{suffix}"[:_LONGEST_NAME]
    return kept or "tep"


def kept_until(plan: Plan, *, personal: bool) -> date:
    """The last day on which content is kept."""
    months = plan.casework.keep_personal_months if personal else plan.casework.keep_months
    end = plan.ends_on
    number = end.year * 12 + end.month - 1 + months
    month = months_between(
        date(number // 12, number % 12 + 1, 1), date(number // 12, number % 12 + 1, 1)
    )[0]
    return last_day_of(month)
