"""From the state of a dossier to its canonical event, or to the cause for which it must wait."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from contracts.calendar import local_date
from contracts.events import DossierRecorded
from contracts.plan import Plan, Procedure
from contracts.wire import to_event
from services.intake.domain.names import Aliases
from services.intake.portal.domain.dialects import Value, moment
from services.intake.portal.domain.merging import State, next_version

DERIVED = "state-"
"""Ids of events that were made from a merged state begin so: their level and fee come from the catalogue."""
_DONE = frozenset({"finished", "returned"})


@dataclass(frozen=True, slots=True)
class Waits:
    """Why a dossier cannot be counted yet."""

    kind: str
    """`alias`, `unit`, `procedure` or `dossier` (only steps so far)."""
    value: str = ""

    @property
    def code(self) -> str:
        """As it is stored and found again."""
        return f"{self.kind} {self.value}".strip()


@dataclass(slots=True)
class Known:
    """What the published plans and the alias tables know."""

    units: dict[str, str] = field(default_factory=dict)
    """Unit -> its Vietnamese name."""
    agencies: dict[str, str] = field(default_factory=dict)
    """The same without units that belong to another one: hamlets handle no dossiers."""
    catalogue: dict[str, Procedure] = field(default_factory=dict)
    aliases: Aliases = field(default_factory=Aliases)
    plans: dict[str, Plan] = field(default_factory=dict)
    """Plan -> its highest version."""

    def add(self, plan: Plan) -> None:
        """Know a plan version; an older one than the known changes nothing."""
        newest = self.plans.get(plan.id)
        if newest is None or newest.version <= plan.version:
            self.plans[plan.id] = plan
        self.units = {u.code: u.name.vi for p in self.plans.values() for u in p.units}
        units = [u for p in self.plans.values() for u in p.units if u.parent is None]
        self.agencies = {unit.code: unit.name.vi for unit in units}
        self.catalogue = {c.code: c for p in self.plans.values() for c in p.catalogue}


def event_of(source: str, dossier: str, state: State, known: Known) -> DossierRecorded | Waits:
    """The canonical event of a state, or what is missing."""
    if not state.known:
        return Waits("dossier")
    unit = unit_of(source, state.values(), known)
    if isinstance(unit, Waits):
        return unit
    procedure = known.catalogue.get(str(state.value("procedure")))
    if procedure is None:
        return Waits("procedure", str(state.value("procedure")))
    content = _content(state, procedure)
    content |= {"source": source, "dossier": dossier, "unit": unit, "procedure": procedure.code}
    digest = hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()[:24]
    event = to_event(
        content
        | {"type": "dossier.recorded", "id": DERIVED + digest, "version": next_version(state)}
    )
    return cast("DossierRecorded", event)


def unit_of(source: str, fields: Mapping[str, Value], known: Known) -> str | Waits:
    """The unit that a statement names: by a code of a plan, or as somebody has explained."""
    kind, said = said_of(fields)
    if kind == "unit" and said in known.units:
        return said
    found = known.aliases.unit(source, said)
    if found is not None and found not in known.units:  # no plan has it any more
        kind, said = "unit", found
        found = known.aliases.unit(source, said)
    return found if found in known.units else Waits(kind, said)


def said_of(fields: Mapping[str, Value]) -> tuple[str, str]:
    """(`unit` for a code or `alias` for a name, what a statement says of the unit)."""
    code = fields.get("unit")
    return ("alias", str(fields.get("agency"))) if code is None else ("unit", str(code))


def _content(state: State, procedure: Procedure) -> dict[str, Any]:
    received = state.instant("received_at") or state.instant("submitted_at") or state.at
    terms = procedure.terms_on(local_date(moment(received)))
    return {
        "status": state.value("status"),
        "channel": state.value("channel") or "counter",
        "received_at": moment(received),
        "due_at": _moment(state.due_at),
        "finished_at": _moment(finished_at(state)),
        "occurred_at": moment(state.at),
        "paid_online": state.value("paid_online"),
        "digitised": state.value("digitised"),
        "satisfaction": state.value("satisfaction"),
        "service_level": terms.level,
        "fee_due": terms.fee_due,
    }


def finished_at(state: State) -> int | None:
    """When it was finished: as stated, else its return, else the step that said so; None while it is open."""
    if state.value("status") not in _DONE:
        return None
    names = ("finished_at", "returned_at", "step_at")
    return next(filter(None, map(state.instant, names)), None)


def _moment(milliseconds: int | None) -> Any:  # noqa: ANN401 - an instant or nothing
    return None if milliseconds is None else moment(milliseconds)


def recatalogued(event: DossierRecorded, catalogue: Mapping[str, Procedure]) -> dict[str, Any]:
    """What a catalogue says of an event that was made from a state; nothing for any other event."""
    procedure = catalogue.get(event.procedure)
    if procedure is None or not event.id.startswith(DERIVED):
        return {}
    terms = procedure.terms_on(local_date(event.received_at))
    return {"service_level": terms.level, "fee_due": terms.fee_due}
