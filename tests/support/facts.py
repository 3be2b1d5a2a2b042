"""Indicator events for tests: plain ones to change field by field, and hypothesis strategies that seek the edges.

Events are plain fields, as a sender would give them; `line` makes the journal's line of one.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from contracts.calendar import LOCAL, all_periods, local_midnight
from contracts.events import CLAIMS, DossierRecorded, Event, IndicatorEvent
from contracts.plan import Plan
from contracts.wire import to_event, to_line
from services.plan_files import read_plan
from services.scoring.domain.fold import Fold
from services.scoring.domain.standings import UnitRow

Fields = dict[str, Any]
"""An event before it is checked."""
Events = Sequence[Fields]

FOLDER = Path(__file__).parents[2] / "deploy" / "plans" / "phung-hiep-2023"
SOURCE = "dvc.haugiang"
ROOMY = date(2024, 6, 1)
"""A day on which everything of the reference plan has fallen due."""
FIRST_DAY = date(2023, 6, 1)

COMMUNES = ("31399", "31402")
DEPARTMENTS = ("D01", "D12")
"""The second handles no procedures."""
HAMLET = "31399-H1"
UNKNOWN_UNIT = "99999"


@cache
def reference_plan() -> Plan:
    """The plan that ships."""
    return read_plan(FOLDER)


@cache
def little_plan() -> Plan:
    """The reference plan with five of its units, so that a thousand boards take seconds."""
    plan = reference_plan()
    kept = {*COMMUNES, *DEPARTMENTS, HAMLET}
    return plan.model_copy(update={"units": [u for u in plan.units if u.code in kept]})


def line(fields: Mapping[str, Any]) -> bytes:
    """The event as a line of a pack."""
    return to_line(to_event(dict(fields)))


def lines(events: Iterable[Mapping[str, Any]]) -> list[bytes]:
    """The events as lines of a pack."""
    return [line(fields) for fields in events]


def dossier(number: int = 1, /, **changed: Any) -> Fields:
    """An accepted online dossier of 2023-07-05 that nothing is known of but what must be."""
    fields = {
        "source": SOURCE,
        "id": f"e{number}",
        "type": "dossier.recorded",
        "dossier": f"H30-{number}",
        "version": 1,
        "unit": COMMUNES[0],
        "procedure": "2.000815",
        "status": "accepted",
        "channel": "online",
        "service_level": "full",
        "received_at": "2023-07-05T08:30:00+07:00",
        "occurred_at": "2023-07-05T08:30:00+07:00",
    }
    return fields | changed


def claim(kind: str, subject: str | int = 1, /, **changed: Any) -> Fields:
    """A verified claim of 2023-07 about one fact."""
    fields = {
        "source": "thidua.office",
        "id": f"{kind}-{subject}",
        "type": kind,
        "subject": str(subject),
        "version": 1,
        "unit": COMMUNES[0],
        "state": "verified",
        "occurred_at": "2023-08-02T09:00:00+07:00",
    }
    return fields | _OF_KIND[kind] | changed


_OF_KIND: dict[str, Fields] = {
    "figure.reported": {
        "indicator": "X5",
        "period": "2023-07",
        "numerator": 1,
        "denominator": 2,
    },
    "tally.reported": {"indicator": "X18", "period": "2023-07", "value": 2},
    "item.recorded": {
        "indicator": "X16",
        "item": "zalo-oa",
        "done": True,
        "on": "2023-07-11",
    },
    "incident.recorded": {"indicator": "X10", "on": "2023-07-19"},
    "report.received": {"month": "2023-07", "received_at": "2023-07-13T16:20:00+07:00"},
    "article.recorded": {
        "sent_on": "2023-07-11",
        "approved": True,
        "published_on": "2023-07-14",
    },
    "bulletin.broadcast": {"on": "2023-07-11"},
    "feedback.recorded": {"received_on": "2023-07-03", "due_on": "2023-07-10"},
    "activity.reported": {
        "month": "2023-07",
        "person": "NV-07",
        "account": True,
        "dossiers": 3,
    },
    "exclusion.lifted": {
        "rule": "two-overdue-dossiers",
        "month": "2023-07",
        "reason": "portal-outage",
    },
}


def folded(
    events: Iterable[Mapping[str, Any]], plan: Plan | None = None, today: date = ROOMY
) -> Fold:
    """A fold that holds the events, its standings up to date."""
    fold = Fold(today)
    fold.publish(plan or little_plan())
    for text in lines(events):
        fold.apply(text)
    for standings in fold.standings.values():
        standings.refresh()
    return fold


def row_of(fold: Fold, period: str = "2023-07", unit: str = COMMUNES[0]) -> UnitRow:
    """The row of a unit in a fold of one plan version."""
    (standings,) = fold.standings.values()
    standings.refresh()
    return standings.rows[unit, period]


# --- strategies -------------------------------------------------------------------------------

_OFFSETS = (
    LOCAL,
    UTC,
    timezone(timedelta(hours=14)),
    timezone(-timedelta(hours=9, minutes=30)),
)
_EDGE_DAYS = (
    date(2023, 6, 1),
    date(2023, 7, 1),
    date(2023, 7, 15),
    date(2023, 10, 1),
    date(2024, 1, 1),
)
"""Local midnights between months, between quarters, at both ends, and after a report's last day."""
_NEAR = (timedelta(), -timedelta(microseconds=1), -timedelta(seconds=1), timedelta(hours=9))

edge_instants = st.builds(
    lambda day, near, offset: (local_midnight(day) + near).astimezone(offset).isoformat(),
    st.sampled_from(_EDGE_DAYS),
    st.sampled_from(_NEAR),
    st.sampled_from(_OFFSETS),
)
"""Moments at local midnight and just before, written with different offsets."""
any_instants = st.datetimes(
    datetime(2023, 5, 20),  # noqa: DTZ001 - the offset is drawn
    datetime(2024, 1, 12),  # noqa: DTZ001
    timezones=st.sampled_from(_OFFSETS),
).map(datetime.isoformat)
instants = edge_instants | any_instants
edge_days = st.builds(
    lambda day, near: (day + timedelta(days=near)).isoformat(),
    st.sampled_from(_EDGE_DAYS),
    st.sampled_from((-3, -1, 0, 1, 4)),
)
days = edge_days | st.dates(date(2023, 5, 20), date(2024, 1, 12)).map(date.isoformat)
todays = st.dates(date(2023, 5, 30), date(2024, 1, 20))
"""Local dates on which a board may be looked at."""

_moments = st.sampled_from(
    ("2023-08-01T09:00:00+07:00", "2023-08-01T02:00:00Z", "2023-08-02T09:00:00+07:00")
)
"""When a state occurred: few, so that equal versions tie; two of them are the same moment."""
_versions = st.integers(1, 3)
_ids = st.sampled_from(("a", "b", "c"))
_units = st.sampled_from((*COMMUNES, COMMUNES[0], *DEPARTMENTS, HAMLET, UNKNOWN_UNIT))
_states = st.sampled_from(("declared", "verified", "verified", "rejected"))
_plans = st.sampled_from((None, None, "phung-hiep-2023"))
_months = st.sampled_from(("2023-05", "2023-06", "2023-07", "2023-12", "2024-01"))
_periods = _months | st.sampled_from(("2023", "2023-Q2", "2023-Q3", "2022"))
_counts = st.sampled_from((0, 1, 2, 3, 7, 10, 999_999_999))
_flags = st.sampled_from((True, False, None))
_procedures = st.sampled_from(("2.000815", "2.000822", "2.000843", "0.000000"))
"""Two of full level, one for information only, one that the catalogue lacks."""


@st.composite
def dossiers(draw: st.DrawFn) -> Fields:
    """A state of one of few dossiers."""
    return {
        "source": SOURCE,
        "id": draw(_ids),
        "type": "dossier.recorded",
        "dossier": f"H30-{draw(st.integers(1, 6))}",
        "version": draw(_versions),
        "unit": draw(_units),
        "procedure": draw(_procedures),
        "status": draw(
            st.sampled_from(("processing", "returned", "finished", "registered", "withdrawn"))
        ),
        "channel": draw(st.sampled_from(("online", "online", "counter", "post"))),
        "service_level": draw(st.sampled_from(("full", "partial", "information", None))),
        "received_at": draw(instants),
        "due_at": draw(st.none() | instants),
        "finished_at": draw(st.none() | instants),
        "fee_due": draw(_flags),
        "paid_online": draw(_flags),
        "digitised": draw(_flags),
        "satisfaction": draw(
            st.sampled_from((None, "very_satisfied", "satisfied", "dissatisfied"))
        ),
        "occurred_at": draw(_moments),
    }


def _indicators_of(kind: str) -> st.SearchStrategy[Fields]:
    return st.sampled_from(_TARGETS[kind]).map(dict)


_TARGETS: dict[str, tuple[Fields, ...]] = {
    "figure.reported": (
        {"indicator": "X5"},
        {"indicator": "X9"},
        {"indicator": "X6"},
        {"indicator": "P4", "part": "attendance"},
        {"indicator": "P9"},
        {"indicator": "H1"},
        {"indicator": "H3"},
        {"indicator": "X5", "part": "no-such-part"},
    ),
    "tally.reported": ({"indicator": "X18"}, {"indicator": "X5"}),
    "item.recorded": (
        {"indicator": "X1", "item": "dx-plan"},
        {"indicator": "X1", "item": "it-officer"},
        {"indicator": "X24", "item": "launched"},
        {"indicator": "X24", "item": "effective"},
        {"indicator": "X10", "item": "certificate-list"},
        {"indicator": "P10", "item": "certificate-list"},
        {"indicator": "P4", "item": "members-assigned"},
        {"indicator": "G5", "item": "product"},
        {"indicator": "X1", "item": "no-such-item"},
    ),
    "incident.recorded": ({"indicator": "X10"}, {"indicator": "P10"}, {"indicator": "X5"}),
}
_PAYLOADS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "figure.reported": {"period": _periods, "numerator": _counts, "denominator": _counts},
    "tally.reported": {"period": _periods, "value": _counts},
    "item.recorded": {"done": st.booleans(), "on": days},
    "incident.recorded": {"on": days},
    "report.received": {"month": _months, "received_at": instants},
    "article.recorded": {
        "sent_on": days,
        "approved": st.booleans(),
        "published_on": st.none() | days,
    },
    "bulletin.broadcast": {"on": days},
    "feedback.recorded": {
        "received_on": days,
        "due_on": days,
        "answered_on": st.none() | days,
    },
    "activity.reported": {
        "month": _months,
        "person": st.sampled_from(("NV-01", "NV-02")),
        "account": st.booleans(),
        "dossiers": _counts,
    },
    "exclusion.lifted": {
        "rule": st.sampled_from(
            ("two-overdue-dossiers", "report-three-days-late", "no-such-rule")
        ),
        "month": _months,
        "reason": st.sampled_from(("portal-outage", "appeal-upheld")),
    },
}
KINDS = tuple(_PAYLOADS)


@st.composite
def claims(draw: st.DrawFn, kinds: Sequence[str] = KINDS) -> Fields:
    """A state of one of few claims of these kinds."""
    kind = draw(st.sampled_from(kinds))
    target = draw(_indicators_of(kind)) if kind in _TARGETS else {}
    return {
        "source": draw(st.sampled_from(("thidua.office", SOURCE))),
        "id": draw(_ids),
        "type": kind,
        "subject": str(draw(st.integers(1, 3))),
        "version": draw(_versions),
        "unit": draw(_units),
        "state": draw(_states),
        "occurred_at": draw(_moments),
        "plan": draw(_plans),
        **target,
        **{name: draw(values) for name, values in _PAYLOADS[kind].items()},
    }


def facts() -> st.SearchStrategy[Fields]:
    """An event of any kind."""
    return st.one_of(dossiers(), claims())


def histories(most: int = 30) -> st.SearchStrategy[list[Fields]]:
    """What senders said, in some order: facts with several versions, ties, moves, refusals."""
    return st.lists(facts(), max_size=4) | st.lists(facts(), min_size=most // 2, max_size=most)


@st.composite
def retold(draw: st.DrawFn, told: list[bytes]) -> list[bytes]:
    """The same lines in another order, some of them more than once."""
    again = draw(st.lists(st.sampled_from(told), max_size=8)) if told else []
    return list(draw(st.permutations([*told, *again])))


_ALL: tuple[type[Event], ...] = (DossierRecorded, *CLAIMS)
MODELS = {model.model_fields["type"].default: model for model in _ALL}
"""Kind -> its model."""
PERIODS = all_periods(reference_plan().months)


def event(fields: Mapping[str, Any]) -> IndicatorEvent:
    """The checked event."""
    return to_event(dict(fields))
