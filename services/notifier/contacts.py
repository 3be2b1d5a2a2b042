"""The list of contacts, from a CSV file: what is wrong with it, row by row, and what it holds."""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from pymongo import InsertOne

from contracts.plan import Audience
from services.notifier.pipeline.route import OF_UNITS, Contact
from services.notifier.store import NotifierStore
from services.runtime.clock import wall_milliseconds
from services.runtime.mongo import Document

COLUMNS = ("code", "name", "email", "role", "units", "language", "alerts", "channel")
REQUIRED = COLUMNS[:4]
ROLES: tuple[str, ...] = get_args(Audience)
MOST_ROWS = 100_000
_ADDRESS = re.compile(r"^[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\".]+$")
_CODE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field of one row; row 1 is the header."""

    row: int
    field: str
    text: str

    def __str__(self) -> str:
        return f"row {self.row}, {self.field}: {self.text}"


def read_contacts(
    path: Path, units: Iterable[str], alerts: Iterable[str]
) -> tuple[list[Contact], list[Fault]]:
    """The contacts of a file, and everything that is wrong with it; units and alerts: the codes that exist.

    Comma or semicolon between fields, UTF-8 with or without a mark; several units or alerts with spaces between.
    """
    known = frozenset(units), frozenset(alerts)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        return [], [Fault(1, "file", "is not UTF-8: save it as CSV UTF-8")]
    first = text.partition("\n")[0]
    rows = csv.DictReader(
        text.splitlines(), delimiter=";" if first.count(";") > first.count(",") else ","
    )
    header = [name.strip().lower() for name in rows.fieldnames or ()]
    rows.fieldnames = header
    faults = [
        Fault(1, name, "this column is missing") for name in REQUIRED if name not in header
    ]
    faults += [
        Fault(1, name, f"no such column; there are {', '.join(COLUMNS)}")
        for name in header
        if name not in COLUMNS
    ]
    if faults:
        return [], faults
    found: dict[str, Contact] = {}
    for number, row in enumerate(rows, 2):
        if number > MOST_ROWS:
            return [], [Fault(number, "file", f"more than {MOST_ROWS:,} rows")]
        contact = _contact({key: (row.get(key) or "").strip() for key in COLUMNS})
        wrong = [*_faults(number, contact, known)]
        if contact.code in found:
            wrong.append(Fault(number, "code", f"{contact.code} stands in an earlier row too"))
        faults += wrong
        found.setdefault(contact.code, contact)
    return list(found.values()), faults


def _contact(row: dict[str, str]) -> Contact:
    return Contact(
        code=row["code"],
        name=row["name"],
        email=row["email"],
        role=cast("Audience", row["role"]),
        units=tuple(row["units"].split()),
        lang="en" if row["language"] == "en" else "vi",
        alerts=tuple(row["alerts"].split()),
        channel=row["channel"],
    )


def _faults(
    number: int, contact: Contact, known: tuple[frozenset[str], frozenset[str]]
) -> Iterator[Fault]:
    units, alerts = known
    needs_unit = contact.role in OF_UNITS and not contact.units
    for wrong, field, text in (
        (
            not _CODE.match(contact.code),
            "code",
            "a code of letters, digits, `.`, `_` and `-` is needed",
        ),
        (not contact.name, "name", "is empty"),
        (not _ADDRESS.match(contact.email), "email", "is no mail address"),
        (contact.role not in ROLES, "role", f"must be one of {', '.join(ROLES)}"),
        (needs_unit, "units", f"a contact with the role {contact.role} needs a unit"),
    ):
        if wrong:
            yield Fault(number, field, text)
    for field, codes, there in (
        ("units", contact.units, units),
        ("alerts", contact.alerts, alerts),
    ):
        for code in codes:
            if code not in there:
                kind = field.removesuffix("s")
                yield Fault(number, field, f"no published plan has the {kind} {code!r}")


async def replace_contacts(store: NotifierStore, contacts: list[Contact]) -> tuple[int, int]:
    """These and no others from now on; returns how many there are, and how many were dropped."""
    kept = [contact.code for contact in contacts]
    dropped = await store.contacts.delete_many({"_id": {"$nin": kept}})
    await store.contacts.delete_many({"_id": {"$in": kept}})
    if contacts:
        await store.contacts.bulk_write([InsertOne(_stored(contact)) for contact in contacts])
    await store.mark("contacts", version=wall_milliseconds())
    return len(contacts), dropped.deleted_count


def _stored(contact: Contact) -> Document:
    return {
        "_id": contact.code,
        "name": contact.name,
        "email": contact.email,
        "role": contact.role,
        "units": list(contact.units),
        "lang": contact.lang,
        "alerts": list(contact.alerts),
        "channel": contact.channel,
    }
