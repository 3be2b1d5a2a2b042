"""The envelopes of the national payload: with session and service, a bare array, the provincial bus form."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from services.intake.portal.domain.national import SNAPSHOTS, STEPS

SERVICES = {name.casefold(): name for name in (SNAPSHOTS, STEPS)}


class EnvelopeError(ValueError):
    """No item can be told from another; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Envelope:
    """What stands around the items."""

    service: str
    items: list[object]
    session: str = ""


def opened(body: bytes, query: Mapping[str, str]) -> Envelope:
    """The envelope of a body.

    Raises:
        EnvelopeError: it is none.
    """
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise EnvelopeError("json") from None
    if isinstance(content, list):
        return Envelope(_service(query.get("service"), content), content)
    if not isinstance(content, dict):
        raise EnvelopeError("json")
    if "data" not in content:
        return Envelope(_service(query.get("service"), [content]), [content])
    data = content["data"]
    items: list[object] = data if isinstance(data, list) else [data]
    service = content.get("service") or query.get("service")
    session = content.get("session")
    return Envelope(
        _service(service, items), items, session if isinstance(session, str) else ""
    )


def _service(named: object, items: list[object]) -> str:
    """The service by its name; without one, steps are known by their fields."""
    if named in (None, ""):
        first = items[0] if items else None
        is_step = isinstance(first, dict) and "ThoiDiemXuLy" in first
        return STEPS if is_step else SNAPSHOTS
    found = SERVICES.get(named.strip().casefold()) if isinstance(named, str) else None
    if found is None:
        raise EnvelopeError("service")
    return found
