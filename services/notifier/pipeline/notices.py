"""A notice as it is stored: one person, one occasion, one form; and what becomes of it at first."""

from datetime import datetime

from prometheus_client import Counter

from services.notifier.domain.reasons import Dropped
from services.notifier.pipeline.dedupe import Form, notice_id
from services.notifier.pipeline.route import Contact
from services.runtime.mongo import Document

DROPPED = Counter(
    "notifier_dropped_notices", "Notices that were not told, by reason.", ["reason"]
)


def notice_of(occasion: Document, contact: Contact, form: Form, now: datetime) -> Document:
    """What one person is told of an occasion; it waits."""
    return {
        "_id": notice_id(occasion["_id"], contact.person, form),
        "occasion": occasion["_id"],
        "person": contact.person,
        "contact": contact.code,
        "role": contact.role,
        "rule": occasion["rule"],
        "plan": occasion["plan"],
        "unit": occasion["unit"],
        "month": occasion["month"],
        "thread": occasion["thread"],
        "severity": occasion["severity"],
        "form": form,
        "at": occasion["at"],
        "made_at": now,
        "ready_at": now,
        "state": "waiting",
        "reason": "",
        "digest": False,
        "level": 0,
        "mail": None,
    }


def dropped_of(occasion: Document, why: Dropped, now: datetime) -> Document:
    """The ledger's line for an occasion that reached nobody."""
    DROPPED.labels(why).inc()
    nobody = Contact("", "", "", "head", ())
    notice = notice_of(occasion, nobody, "alert", now)
    return notice | {
        "_id": notice_id(occasion["_id"], "", "alert"),
        "person": "",
        "role": "",
        "state": "dropped",
        "reason": why,
    }


def follow_up(notice: Document, form: Form, now: datetime) -> Document:
    """A later word to somebody who was told, in the same thread."""
    return notice | {
        "_id": notice_id(notice["occasion"], notice["person"], form),
        "form": form,
        "severity": "notice",
        "made_at": now,
        "ready_at": now,
        "state": "waiting",
        "reason": "",
        "digest": False,
        "reply_to": notice["mail"],
        "mail": None,
    }
