"""What scoring takes as stored is there after MongoDB was killed the moment after it said so."""

import asyncio
import signal
from pathlib import Path

import psutil
import pytest
from pymongo.errors import PyMongoError

from contracts.events import DossierRecorded
from contracts.wire import content_hash, fact_id, from_line, to_event, to_line
from services.runtime import mongo
from services.runtime.embedded import embedded_databases
from services.runtime.mongo import Document
from services.runtime.settings import Settings
from services.scoring.domain.facts import order_of, to_fact
from services.scoring.store import ScoringStore
from tests.support.waiting import until

KILLS = 3


def mongod(folder: Path) -> psutil.Process:
    """The server of this folder."""
    for child in psutil.Process().children(recursive=True):
        words = child.cmdline()
        if words and words[0].endswith("mongod") and str(folder) in " ".join(words):
            return child
    raise AssertionError("no mongod runs here")


async def write(store: ScoringStore, number: int) -> None:
    """A fact, a row, a subtotal: one of each."""
    line = to_line(to_event(DossierRecorded.example | {"dossier": f"d{number}"}))
    event = from_line(line)
    fact = to_fact(event, order_of(event.version, event.occurred_at, content_hash(line)))
    await store.write_facts({fact_id(event): (fact, line)})
    row: Document = {"_id": f"row {number}", "position": 1}
    await store.write_standings([row])
    await store.write_subtotals([row | {"_id": f"subtotal {number}"}])


async def count(store: ScoringStore) -> tuple[int, ...]:
    """How many facts, rows and subtotals there are."""
    kept = (store.facts, store.standings, store.subtotals)
    return tuple([await one.count_documents({}) for one in kept])


@pytest.mark.timeout(180)
@pytest.mark.xdist_group("storms")
async def test_what_was_stored_outlives_a_kill_of_the_database(tmp_path: Path) -> None:
    async with embedded_databases(tmp_path) as addresses:
        settings = Settings().model_copy(
            update={"mongo_url": addresses.mongo_url, "redis_url": addresses.redis_url}
        )
        client = mongo.connect(settings)
        store = ScoringStore(mongo.database(client, settings, "scoring"))
        await store.prepare()
        for number in range(1, KILLS + 1):
            await write(store, number)
            mongod(tmp_path).send_signal(signal.SIGKILL)

            async def answers() -> bool:
                try:
                    await client.admin.command("ping")
                    await count(store)
                except PyMongoError:
                    await asyncio.sleep(0.1)
                    return False
                return True

            await until(answers)
            assert await count(store) == (number, number, number)
        client.close()
