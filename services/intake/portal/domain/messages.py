"""What every adapter makes of a sender's item: a message about one dossier, or what is wrong with the item."""

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import msgspec

from services.intake.portal.domain.dialects import Value


@dataclass(frozen=True)
class Message:
    """Some fields of one dossier, as a sender stated them; nothing that names a person is among them."""

    dossier: str
    at: int
    """The latest source time in it, in milliseconds: how new the statement is."""
    fields: Mapping[str, Value]
    step: bool = False
    """A processing step: it changes status and time only."""

    @cached_property
    def digest(self) -> str:
        """The same content has the same one; stands in for the event id that senders do not give."""
        content = msgspec.json.encode([self.step, self.at, sorted(self.fields.items())])
        return hashlib.sha256(content).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an item is no message: which field, and which rule it breaks; never the value."""

    field: str
    code: str
    dossier: str = ""
    """Its code, when at least that could be read."""
    known: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    """What else could be read, for those who look into it."""
