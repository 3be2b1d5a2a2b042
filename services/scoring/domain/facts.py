"""The current state of one fact, held compactly, and which of two states is the newer one."""

from datetime import UTC, date, datetime
from typing import Any

import msgspec

from contracts.calendar import local_date, month_of
from contracts.events import AnyClaim, DossierRecorded, IndicatorEvent, ReportReceived

_WIDTH = 64
_PAST = 1 << 62
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY, _SECOND = 86_400_000_000, 1_000_000
"""In microseconds."""
Traits = tuple[Any, ...]
"""(status, channel, level, fee_due, paid_online, digitised, satisfaction, procedure) of a dossier."""


class Dossier(msgspec.Struct, frozen=True, gc=False):
    """What the rules need to know of a dossier; equal parts are shared between all dossiers.

    A million of them live as long as the process: the garbage collector need not look at them (`gc=False`).
    """

    order: int
    unit: str
    month: str
    """Of the local date on which it was received."""
    traits: Traits
    due_on: date | None
    finished_on: date | None


class ClaimFact(msgspec.Struct, frozen=True, gc=False):
    """A claim as its event states it."""

    order: int
    event: AnyClaim


Fact = Dossier | ClaimFact


def order_of(version: int, occurred_at: datetime, content: int) -> int:
    """One number that compares as (version, moment, content hash) do."""
    since = occurred_at - _EPOCH
    moment = since.days * _DAY + since.seconds * _SECOND + since.microseconds + _PAST
    return ((version << _WIDTH) | moment) << _WIDTH | content


_shared: dict[Any, Any] = {}


def _share(value: Any) -> Any:  # noqa: ANN401 - whatever it is given
    """The first of all equal values, so that a million facts hold one object a day, unit and combination."""
    return _shared.setdefault(value, value)


def to_fact(event: IndicatorEvent, order: int) -> Fact:
    """The fact that the event states."""
    if event.type != "dossier.recorded":
        return ClaimFact(order, event)
    return _dossier(event, order)


def _dossier(event: DossierRecorded, order: int) -> Dossier:
    due, finished = event.due_at, event.finished_at
    traits = (
        event.status,
        event.channel,
        event.service_level,
        event.fee_due,
        event.paid_online,
        event.digitised,
        event.satisfaction,
        event.procedure,
    )
    return Dossier(
        order,
        _share(event.unit),
        month_of(local_date(event.received_at)),
        _share(traits),
        None if due is None else _share(local_date(due)),
        None if finished is None else _share(local_date(finished)),
    )


def received_on(event: ReportReceived) -> date:
    """The local date on which a report was received."""
    return local_date(event.received_at)
