"""`thidua verify` agrees with a sound system and names what was tampered with."""

from collections.abc import AsyncIterator

import pytest

from contracts.events import DossierRecorded
from contracts.streams import INDICATOR
from contracts.wire import to_event, to_line
from services import verifying
from services.publishing import publish
from services.runtime import mongo
from services.runtime.health import Health
from services.runtime.resources import Resources, resources
from services.runtime.settings import Settings
from services.scoring.app import worker
from services.scoring.settings import ScoringSettings
from services.scoring.store import ScoringStore
from tests.support.facts import reference_plan
from tests.support.waiting import until

REFERENCE = reference_plan()
FACT = "dvc.haugiang H30.99.01-230705-0012"


@pytest.fixture
async def own(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Resources]:
    """A system that folded and stored one dossier, and was stopped."""
    monkeypatch.setattr(verifying, "PAUSE_SECONDS", 0)
    async with resources(settings) as own:
        await publish(own, REFERENCE)
        await own.journal.append(
            INDICATOR.name, 0, [to_line(to_event(DossierRecorded.example))]
        )
        async with worker(ScoringSettings.model_validate(settings.model_dump()), Health()):
            await until(lambda: _store(own).facts.count_documents({"_id": FACT}))
        yield own


def _store(own: Resources) -> ScoringStore:
    return ScoringStore(mongo.database(own.client, own.settings, "scoring"))


async def test_a_sound_system_shows_no_difference(own: Resources) -> None:
    verdict = await verifying.verify(own, None)
    assert (verdict.differences, verdict.events) == ([], 1)


async def test_a_stored_fact_that_was_tampered_with_is_named_by_unit_and_indicator(
    own: Resources,
) -> None:
    forged = DossierRecorded.example | {"channel": "counter"}
    line = to_line(to_event(forged))
    await _store(own).facts.update_one({"_id": FACT}, {"$set": {"line": line}})
    await _store(own).write_mark(
        "facts", until_ms=2**52
    )  # nothing is read back from the journal
    verdict = await verifying.verify(own, None)
    assert f"{REFERENCE.id} 31399 2023-07: X8 0.0000, recomputed 15.0000" in verdict.differences
    assert not [line for line in verdict.differences if " 31399 " not in line]


async def test_a_lost_database_of_facts_is_made_good_from_the_journal(own: Resources) -> None:
    store = _store(own)
    await store.facts.drop()
    await store.marks.drop()
    assert (await verifying.verify(own, None)).differences == []
