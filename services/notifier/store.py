"""What the notifier keeps: occasions, notices (person and occasion), mails, contacts, silences, levels."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING, InsertOne, UpdateOne

from services.notifier.domain.occasions import Occasion
from services.notifier.domain.watch import Findings
from services.runtime.mongo import Collection, Database, Document, write_all

AT_A_TIME = 1_000


class NotifierStore:
    """The collections of the database `notifier`. Every write can be repeated."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.occasions: Collection = database["occasions"]
        self.notices: Collection = database["notices"]
        self.mails: Collection = database["mails"]
        self.contacts: Collection = database["contacts"]
        self.silences: Collection = database["silences"]
        self.levels: Collection = database["levels"]
        self.marks: Collection = database["marks"]
        self.caught: Collection = database["caught"]
        self.dead_letters: Collection = database["dead_letters"]

    async def prepare(self) -> None:
        """Indexes for what is asked for often."""
        await self.occasions.create_index([("step", ASCENDING), ("raised_at", ASCENDING)])
        await self.notices.create_index([("state", ASCENDING), ("ready_at", ASCENDING)])
        await self.notices.create_index([("person", ASCENDING), ("state", ASCENDING)])
        await self.notices.create_index([("mail", ASCENDING)])
        await self.notices.create_index([("occasion", ASCENDING), ("form", ASCENDING)])
        await self.notices.create_index([("unit", ASCENDING), ("made_at", DESCENDING)])
        await self.notices.create_index([("made_at", DESCENDING)])
        await self.occasions.create_index([("escalate_at", ASCENDING)])
        await self.occasions.create_index([("acknowledgement", ASCENDING)])
        await self.mails.create_index([("state", ASCENDING), ("next_try_ms", ASCENDING)])
        await self.mails.create_index([("person", ASCENDING), ("on", ASCENDING)])
        await self.mails.create_index([("step", ASCENDING)])
        await self.caught.create_index([("number", DESCENDING)])

    async def known(self) -> list[Document]:
        """Every occasion written down, with what it hangs on."""
        fields = {"thread": 1, "retracted_at": 1, "over_at": 1}
        return await self.occasions.find({}, fields).to_list(None)

    async def read_levels(self) -> dict[str, str]:
        """Where each unit stood."""
        return {one["_id"]: one["value"] async for one in self.levels.find({})}

    async def write_findings(
        self, found: Findings, now: datetime, traces: Sequence[str] = ()
    ) -> None:
        """Occasions first: when a level is written, what it told is durable."""
        traced = {"traces": list(traces)} if traces else {}
        new = [InsertOne(as_document(o, now) | traced) for o in found.occasions]
        for some in _portions(new):
            await write_all(self.occasions, some)
        open_ones = [
            ({"_id": number, "retracted_at": None}, why)
            for number, why in found.retracted.items()
        ]
        for some in _portions(  # before the retraction itself, which would not be found again
            [
                UpdateOne(one | {"fate": "raised"}, {"$set": {"step": "retracted"}})
                for one, _ in open_ones
            ]
        ):
            await write_all(self.occasions, some)
        for some in _portions(
            [
                UpdateOne(one, {"$set": {"retracted_at": now, "retracted_why": why}})
                for one, why in open_ones
            ]
        ):
            await write_all(self.occasions, some)
        for some in _portions(
            [
                UpdateOne({"_id": number}, {"$set": {"over_at": now if over else None}})
                for number, over in found.over.items()
            ]
        ):
            await write_all(self.occasions, some)
        for some in _portions(
            [
                UpdateOne({"_id": key}, {"$set": {"value": value}}, upsert=True)
                for key, value in found.levels.items()
            ]
        ):
            await write_all(self.levels, some)

    async def waiting_occasions(self, step: str) -> list[Document]:
        """Occasions that wait for a step (`new`, `retracted`), oldest first."""
        return await self.occasions.find({"step": step}).sort("raised_at", 1).to_list(AT_A_TIME)

    async def done_with(self, numbers: Iterable[str], step: str) -> None:
        """The step was taken."""
        await self.occasions.update_many(
            {"_id": {"$in": list(numbers)}, "step": step}, {"$set": {"step": "done"}}
        )

    async def start_escalations(self, due: Mapping[str, datetime]) -> None:
        """When the chain goes on, for occasions that begin to wait; one that waits already goes on waiting."""
        for some in _portions(
            [
                UpdateOne({"_id": number, "escalate_at": None}, {"$set": {"escalate_at": at}})
                for number, at in due.items()
            ]
        ):
            await write_all(self.occasions, some)

    async def mails_due(self, now_ms: int) -> bool:
        """Whether a mail waits to be sent now."""
        return await self.mails.find_one(_due(now_ms), {"_id": 1}) is not None

    async def claim_mails(self, most: int, now_ms: int) -> list[Document]:
        """Some mails that are due, marked as being sent."""
        found = await self.mails.find(_due(now_ms)).sort("next_try_ms", 1).to_list(most)
        if not found:
            return []
        numbers = [mail["_id"] for mail in found]
        await self.mails.update_many({"_id": {"$in": numbers}}, {"$set": {"state": "sending"}})
        return [mail | {"attempts": mail["attempts"] + 1} for mail in found]

    async def requeue_mails(self, but: Iterable[str]) -> None:
        """Mails that are marked as being sent go again, with the same Message-ID; but for some that really are."""
        await self.mails.update_many(
            {"state": "sending", "_id": {"$nin": list(but)}}, {"$set": {"state": "queued"}}
        )

    async def unsent(self, mails: Iterable[str]) -> set[str]:
        """Those of some mails that the server has neither taken nor refused for good."""
        numbers = list(mails)
        if not numbers:
            return set()
        wanted = {"_id": {"$in": numbers}, "state": {"$in": ["queued", "sending"]}}
        return {mail["_id"] async for mail in self.mails.find(wanted, {"_id": 1})}

    async def add_notices(self, notices: Sequence[Document]) -> None:
        """New ones; those that are there already stay as they are."""
        for some in _portions([InsertOne(notice) for notice in notices]):
            await write_all(self.notices, some)

    async def ready_notices(self, now: datetime) -> list[Document]:
        """Notices whose waiting is over: everything of some people, so that nobody's mail is torn in two."""
        wanted: Document = {"state": "waiting", "ready_at": {"$lte": now}}
        first = self.notices.find(wanted, {"person": 1}).sort("ready_at", 1)
        people = {one["person"] for one in await first.to_list(AT_A_TIME)}
        if not people:
            return []
        return await self.notices.find(wanted | {"person": {"$in": list(people)}}).to_list(None)

    async def change_notices(self, changes: Sequence[tuple[str, Document]]) -> None:
        """Several notices get new values."""
        for some in _portions([UpdateOne({"_id": n}, {"$set": new}) for n, new in changes]):
            await write_all(self.notices, some)

    async def add_mails(self, mails: Sequence[Document]) -> None:
        """Written ahead of everything else that becomes of them."""
        for some in _portions([InsertOne(mail) for mail in mails]):
            await write_all(self.mails, some)

    async def adopt_mails(self) -> None:
        """Let the notices of new mails know which mail carries them, then let the mails go."""
        while new := await self.mails.find({"step": "new"}, {"notices": 1}).to_list(AT_A_TIME):
            await write_all(
                self.notices,
                [
                    UpdateOne({"_id": n}, {"$set": {"state": "mailed", "mail": mail["_id"]}})
                    for mail in new
                    for n in mail["notices"]
                ],
            )
            numbers = [mail["_id"] for mail in new]
            await self.mails.update_many(
                {"_id": {"$in": numbers}, "step": "new"}, {"$set": {"step": "adopted"}}
            )

    async def record_mails(self) -> None:
        """Write what became of mails to their notices."""
        settled = {"step": "settled"}
        while found := await self.mails.find(settled, {"body": 0}).to_list(AT_A_TIME):
            await write_all(
                self.notices,
                [
                    UpdateOne(
                        {"_id": n},
                        {"$set": {"state": mail["state"], "sent_at": mail.get("sent_at")}},
                    )
                    for mail in found
                    for n in mail["notices"]
                ],
            )
            await self.mails.update_many(
                {"_id": {"$in": [mail["_id"] for mail in found]}},
                {"$set": {"step": "recorded"}},
            )

    async def mails_today(self, people: Sequence[str], day: str) -> dict[str, int]:
        """Mails written to each person on a local day, digests not counted."""
        pipeline: list[dict[str, Any]] = [
            {"$match": {"person": {"$in": list(people)}, "on": day, "digest": False}},
            {"$group": {"_id": "$person", "n": {"$sum": 1}}},
        ]
        return {one["_id"]: one["n"] async for one in self.mails.aggregate(pipeline)}

    async def active_silences(self, now: datetime) -> list[Document]:
        """Silences that have not ended."""
        return await self.silences.find({"ends_at": {"$gt": now}, "ended_at": None}).to_list(
            None
        )

    async def mark(self, name: str, **values: Any) -> None:  # noqa: ANN401 - whatever is stored
        """Keep a few values under a name."""
        await self.marks.update_one({"_id": name}, {"$set": values}, upsert=True)

    async def read_mark(self, name: str) -> Document:
        """What is kept under a name; empty when nothing is."""
        return await self.marks.find_one({"_id": name}) or {}


def as_document(occasion: Occasion, now: datetime) -> Document:
    """An occasion as it is stored; only what was raised goes on."""
    return {
        "_id": occasion.id,
        "rule": occasion.rule,
        "plan": occasion.plan,
        "unit": occasion.unit,
        "at": occasion.at,
        "severity": occasion.severity,
        "thread": occasion.thread,
        "month": occasion.month,
        "blanks": dict(occasion.blanks),
        "fate": occasion.fate,
        "raised_at": now,
        "retracted_at": None,
        "retracted_why": "",
        "over_at": None,
        "acknowledged_at": None,
        "acknowledged_by": None,
        "acknowledgement": None,
        "escalate_at": None,
        "level": 0,
        "step": "new" if occasion.fate == "raised" else "done",
    }


def _due(now_ms: int) -> Document:
    """What asks for the mails that may go."""
    return {"state": "queued", "step": "adopted", "next_try_ms": {"$lte": now_ms}}


def _portions(writes: list[Any]) -> Iterable[list[Any]]:
    return (writes[at : at + AT_A_TIME] for at in range(0, len(writes), AT_A_TIME))
