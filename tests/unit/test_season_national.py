"""The season's dossiers in the national form end as the canonical ones do, but for what that form cannot say."""

from datetime import UTC, datetime

from services.intake.portal.directory import Alias
from services.intake.portal.domain.canonical import Known, Waits, event_of
from services.intake.portal.domain.dialects import milliseconds
from services.intake.portal.domain.merging import State, merge
from services.intake.portal.domain.messages import Message
from services.intake.portal.domain.national import read_item
from services.season import season
from services.season.national import is_national, names_of, payloads
from tests.support.portal import ALIASES, PLAN

LATER = milliseconds(datetime(2024, 6, 1, tzinfo=UTC))


def test_a_season_told_by_one_stop_systems_ends_as_it_was_meant() -> None:
    known = Known()
    known.add(PLAN)
    departments = [Alias("*", u.name.vi, u.code) for u in PLAN.units if u.bloc == "department"]
    for alias in (*ALIASES, *departments):
        known.aliases.add(alias.source, alias.name, alias.unit)
    events = sorted(
        (event for _, event in season(PLAN, 2023, 600) if is_national(event)),
        key=lambda event: event["version"],
    )
    states: dict[str, State] = {}
    for envelope in payloads(events, names_of(PLAN)):
        for item in envelope["data"]:
            message = read_item(item, envelope["service"], LATER)
            assert isinstance(message, Message), message
            held = states.get(message.dossier, State())
            states[message.dossier] = merge(held, message)
    last = {event["dossier"]: event for event in events}
    assert len(states) == len(last) > 100
    for code, wanted in last.items():
        told = event_of("dvc", code, states[code], known)
        assert not isinstance(told, Waits), told
        for name in ("status", "unit", "procedure", "channel", "service_level", "paid_online"):
            assert getattr(told, name) == wanted[name], (code, name)
