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
    """Empty: it is not said."""
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
        return Envelope(_service(query.get("service")), content)
    if not isinstance(content, dict):
        raise EnvelopeError("json")
    if "data" not in content:
        return Envelope(_service(query.get("service")), [content])
    data = content["data"]
    items: list[object] = data if isinstance(data, list) else [data]
    service = content.get("service") or query.get("service")
    session = content.get("session")
    return Envelope(_service(service), items, session if isinstance(session, str) else "")


def _service(named: object) -> str:
    """The service by its name; without a name each item is known by its own fields."""
    if named in (None, ""):
        return ""
    found = SERVICES.get(named.strip().casefold()) if isinstance(named, str) else None
    if found is None:
        raise EnvelopeError("service")
    return found
