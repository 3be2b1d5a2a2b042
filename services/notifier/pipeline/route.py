"""Stage 1: whom an occasion reaches. Contacts are known here and nowhere else in the system."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from contracts.plan import AlertRule, Audience, Plan
from services.runtime.mongo import Document

OF_UNITS: frozenset[Audience] = frozenset({"officer", "head"})


@dataclass(frozen=True, slots=True)
class Contact:
    """One person's mailbox in one role."""

    code: str
    name: str
    email: str
    role: Audience
    units: tuple[str, ...]
    """Of an officer or head; empty: every unit."""
    lang: Literal["vi", "en"] = "vi"
    alerts: tuple[str, ...] = ()
    """Codes of the alerts that they want; empty: all."""
    channel: str = ""
    """Address of another channel, as apprise writes it."""

    @property
    def person(self) -> str:
        """The person behind the mailbox: several roles of one address are one person."""
        return hashlib.sha256(self.email.strip().lower().encode()).hexdigest()[:16]


class Directory:
    """All contacts, found by role and unit."""

    def __init__(self, contacts: Iterable[Contact]) -> None:
        self._by: dict[tuple[str, str], list[Contact]] = {}
        for contact in contacts:
            units = contact.units if contact.role in OF_UNITS else ("",)
            for unit in units or ("",):
                self._by.setdefault((contact.role, unit), []).append(contact)

    def find(self, role: Audience, unit: str) -> list[Contact]:
        """Who has this role for a unit."""
        own = self._by.get((role, unit), []) if role in OF_UNITS and unit else []
        return own + self._by.get((role, ""), [])

    def recipients(
        self, plan: Plan, rule: AlertRule, unit: str, roles: Sequence[Audience] | None = None
    ) -> list[Contact]:
        """Each person once, in the order of the roles; a unit without a mailbox is told through its parent."""
        found: dict[str, Contact] = {}
        for role in roles or rule.audience:
            for contact in self._of_unit(plan, role, unit):
                if not contact.alerts or rule.code in contact.alerts:
                    found.setdefault(contact.person, contact)
        return list(found.values())

    def _of_unit(self, plan: Plan, role: Audience, unit: str) -> list[Contact]:
        contacts = self.find(role, unit)
        known = plan.unit(unit)
        if not contacts and known is not None and known.parent is not None:
            return self._of_unit(plan, role, known.parent)
        return contacts


def as_contact(stored: Document) -> Contact:
    """A contact as it was stored."""
    return Contact(
        stored["_id"],
        stored["name"],
        stored["email"],
        stored["role"],
        tuple(stored["units"]),
        stored["lang"],
        tuple(stored["alerts"]),
        stored["channel"],
    )
