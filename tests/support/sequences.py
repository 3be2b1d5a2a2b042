"""Facts put into a notifier's picture, each newer than the one before."""

from itertools import count
from typing import Any

from contracts.events import DossierRecorded, ReportReceived
from contracts.wire import fact_id, to_event, to_line
from services.notifier.domain.picture import Picture
from tests.support.notifying import local

_versions = count(10)


def stated(
    picture: Picture, number: str, unit: str, due: str, done: str | None = None, **more: Any
) -> None:
    """A dossier is now so; `due` and `done` are days."""
    fields = DossierRecorded.example | {
        "dossier": number,
        "unit": unit,
        "version": next(_versions),
        "due_at": local(due, "17:00").isoformat(),
        "finished_at": None if done is None else local(done, "10:00").isoformat(),
        "status": "processing" if done is None else "returned",
    }
    event = to_event(fields | more)
    assert event.type == "dossier.recorded"
    picture.dossier(fact_id(event), event, to_line(event))


def reported(picture: Picture, unit: str, month: str, day: str, **more: Any) -> None:
    """A report was received on a day."""
    fields = ReportReceived.example | {
        "unit": unit,
        "month": month,
        "subject": f"{unit}:{month}",
        "version": next(_versions),
        "received_at": local(day, "10:00").isoformat(),
    }
    event = to_event(fields | more)
    assert event.type == "report.received"
    picture.report(fact_id(event), event, to_line(event))
