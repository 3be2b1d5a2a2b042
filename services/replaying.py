"""Dead letters go back into the journal once they can be understood."""

from contracts.events import PlanPublished
from contracts.streams import INDICATOR, PLAN
from contracts.wire import fact_id, from_line, shard_of
from services.runtime import mongo
from services.runtime.consuming import DeadLetters, UndecodableEntryError, from_entry, from_raw
from services.runtime.mongo import Document
from services.runtime.resources import Resources
from services.scoring.store import ScoringStore


def _letters(own: Resources) -> DeadLetters:
    store = ScoringStore(mongo.database(own.client, own.settings, "scoring"))
    return DeadLetters(store.dead_letters)


async def open_letters(own: Resources) -> list[Document]:
    """Those not replayed yet, oldest first."""
    return await _letters(own).open()


async def replay_letters(own: Resources) -> tuple[int, int]:
    """(sent back, left): each is tried again; what still cannot be understood stays."""
    plans = await _plans(own)
    letters = _letters(own)
    sent = left = 0
    for letter in await letters.open():
        lines = _understood(bytes(letter["raw"]), plans)
        if not lines:
            left += 1
            continue
        for line in lines:
            shards = own.settings.scoring_shards
            shard = 0 if shards == 1 else shard_of(fact_id(from_line(line)), shards)
            await own.journal.append(INDICATOR.name, shard, [line], shards=shards)
        await letters.mark_replayed(letter["_id"])
        sent += 1
    return sent, left


async def _plans(own: Resources) -> set[str | None]:
    known: set[str | None] = {None}
    async for pack in own.journal.all_packs(PLAN.name):
        known.update(PlanPublished.model_validate_json(line).plan.id for line in pack.lines)
    return known


def _understood(raw: bytes, plans: set[str | None]) -> list[bytes]:
    """The good lines of a dead line or of a dead stream entry; none when it is still bad."""
    try:
        lines = from_entry(from_raw(raw)).lines
    except UndecodableEntryError:
        lines = [raw]
    try:
        events = [from_line(line) for line in lines]
    except ValueError:
        return []
    known = all(e.type == "dossier.recorded" or e.plan in plans for e in events)
    return lines if known else []
