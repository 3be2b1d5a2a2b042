"""Who carries which slice: workers share them equally, whoever comes or goes, and hand them over without a pause.

What the store says of slices and workers is the only truth, and the database's clock alone says what has lapsed.
A worker that is to have a slice folds it along first, then asks for it; the one that has it stops telling, and gives.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from prometheus_client import Gauge
from pymongo import ReturnDocument
from pymongo.errors import PyMongoError

from services.runtime.health import Health
from services.runtime.logging import get_logger
from services.runtime.mongo import Collection
from services.scoring.domain.slicing import Slice, shares
from services.scoring.store import slice_mark

log = get_logger(__name__)
CARRIED = Gauge("scoring_slices_carried", "Slices of the facts that this worker tells of.")

LAPSE_SECONDS = 10
"""A worker that was silent for so long has no slices any more: longer than a restart takes."""
LOOK_SECONDS = 1.0
HURRY_SECONDS = 0.1
"""Between two looks while a slice changes hands."""
MESSAGES_A_TURN = 1 << 32
"""Room for the positions of one turn."""
_LATER = {"$add": ["$$NOW", LAPSE_SECONDS * 1_000]}
_NEXT_TURN = {
    "$max": [
        {"$add": [{"$ifNull": ["$turn", 0]}, MESSAGES_A_TURN]},
        {"$multiply": [{"$toLong": "$$NOW"}, 1_000]},
    ]
}
"""Later than the former one, whatever the clock says, and than whatever was told before there were turns."""


@dataclass(frozen=True, slots=True)
class Seen:
    """How slices and workers stand."""

    workers: frozenset[int]
    """Ordinals of those that are here to stay."""
    holders: dict[int, int]
    """Slice -> ordinal of the worker that tells of it, or told of it last."""
    asked: dict[int, int]
    """Slice -> ordinal of the worker that is ready to tell of it."""


class Shares:
    """What the store says of one division of the facts, as a worker sees and changes it."""

    def __init__(self, marks: Collection, slices: int, me: int) -> None:
        self.slices = slices
        self.me = me
        self._marks = marks
        self._numbers = {slice_mark(Slice(n, slices)): n for n in range(slices)}
        self._my_mark = f"worker {me} of {slices}"

    async def look(self, mine: Iterable[int], *, here: bool) -> Seen:
        """Say that this worker is here (to stay) and still tells of its slices; returns how things stand."""
        if here:
            says = {"among": self.slices, "ordinal": self.me, "lapses": _LATER}
            await self._marks.update_one({"_id": self._my_mark}, [{"$set": says}], upsert=True)
        else:
            await self._marks.delete_one({"_id": self._my_mark})
        told = [slice_mark(Slice(n, self.slices)) for n in mine]
        await self._marks.update_many(
            {"_id": {"$in": told}, "holder": self.me}, [{"$set": {"lapses": _LATER}}]
        )
        return await self._seen()

    async def _seen(self) -> Seen:
        here = {"among": self.slices, "$expr": {"$gt": ["$lapses", "$$NOW"]}}
        workers = await self._marks.find(here, {"ordinal": 1}).to_list(None)
        marks = await self._marks.find({"_id": {"$in": list(self._numbers)}}).to_list(None)
        by_number = {self._numbers[mark["_id"]]: mark for mark in marks}
        return Seen(
            frozenset(one["ordinal"] for one in workers),
            {n: mark["holder"] for n, mark in by_number.items() if "holder" in mark},
            {n: mark["asked"] for n, mark in by_number.items() if "asked" in mark},
        )

    async def take(self, number: int) -> int | None:
        """Take a slice that is free, lapsed, given to this worker or was its own; else ask for it.

        Returns from which position to tell: later than all that anybody told of this slice before; None: not yet.
        """
        free: dict[str, Any] = {
            "$or": [
                {"$eq": [{"$ifNull": ["$holder", self.me]}, self.me]},
                {"$lt": [{"$ifNull": ["$lapses", 0]}, "$$NOW"]},
            ]
        }
        mark = await self._marks.find_one_and_update(
            {"_id": slice_mark(Slice(number, self.slices))},
            [
                {
                    "$set": {
                        "holder": {"$cond": [free, self.me, "$holder"]},
                        "lapses": {"$cond": [free, _LATER, "$lapses"]},
                        "asked": {"$cond": [free, "$$REMOVE", self.me]},
                        "turn": {"$cond": [free, _NEXT_TURN, "$turn"]},
                    }
                }
            ],
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return int(mark["turn"]) if mark["holder"] == self.me else None

    async def give(self, number: int, heir: int | None) -> None:
        """Leave a slice to the worker that asked for it, or to whoever comes."""
        left = {"lapses": "$$NOW"} if heir is None else {"holder": heir, "lapses": _LATER}
        await self._marks.update_one(
            {"_id": slice_mark(Slice(number, self.slices)), "holder": self.me},
            [{"$set": left}, {"$unset": "asked"}],
        )


class Claim:
    """One slice in a worker's hands: it folds along, asks, is granted, tells; in the end it lets go."""

    def __init__(self, slice_: Slice, carry: "Carry") -> None:
        self.slice = slice_
        self.health = Health()
        self.loaded = False
        self.tells = False
        self.granted: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """From which position to tell."""
        self.task = asyncio.ensure_future(carry(self))

    async def turn(self) -> int:
        """Everything is here and kept up: wait for one's turn to tell."""
        self.loaded = True
        return await self.granted

    async def end(self) -> None:
        """Tell no more; one that a client's time-out kept from hearing of it is told again."""
        while not self.task.done():
            self.task.cancel()
            await asyncio.wait([self.task], timeout=1)
        self.failure()

    def failure(self) -> BaseException | None:
        """What ended it by itself, if anything did."""
        return None if self.task.cancelled() else self.task.exception()

    def trouble(self) -> str | None:
        """None, or why nothing is told of this slice."""
        if not self.tells:
            return "waits for its turn" if self.loaded else "loading"
        return "; ".join(self.health.troubles().values()) or None


Carry = Callable[[Claim], Awaitable[None]]
"""Fold a slice, and tell of it when it is one's turn; until cancelled."""


class Carrying:
    """The slices of one worker."""

    def __init__(self, shares_: Shares, carry: Carry) -> None:
        self.claims: dict[int, Claim] = {}
        self._shares = shares_
        self._carry = carry
        self._shared = asyncio.Event()

    async def keep(self) -> None:
        """Carry this worker's share, whatever it is at the moment, for ever."""
        while True:
            try:
                await self._turn(here=True)
            except PyMongoError as failure:  # then nobody else can take a slice either
                log.warning("shares not looked at", error=str(failure)[:120])
            await asyncio.sleep(self._pause())

    def _pause(self) -> float:
        """Seconds."""
        waits = any(one.loaded and not one.tells for one in self.claims.values())
        return HURRY_SECONDS if waits else LOOK_SECONDS

    async def _turn(self, *, here: bool) -> Seen:
        mine = [n for n, claim in self.claims.items() if claim.granted.done()]
        seen = await self._shares.look(mine, here=here)
        wanted = {
            number
            for number, worker in shares(
                self._shares.slices, seen.workers, seen.holders
            ).items()
            if worker == self._shares.me
        }
        for number, claim in list(self.claims.items()):
            await self._go_on(number, claim, seen, wanted=number in wanted)
        for number in sorted(wanted - self.claims.keys()):
            self.claims[number] = Claim(Slice(number, self._shares.slices), self._carry)
        CARRIED.set(sum(claim.tells for claim in self.claims.values()))
        if here and self.trouble() is None:
            self._shared.set()
        return seen

    async def _go_on(self, number: int, claim: Claim, seen: Seen, *, wanted: bool) -> None:
        if claim.task.done():
            log.error("slice not carried", slice=str(claim.slice), exc_info=claim.failure())
            del self.claims[number]
        elif not claim.granted.done():
            if not wanted:
                await self._drop(number)
            elif claim.loaded and (position := await self._shares.take(number)):
                claim.granted.set_result(position)
        elif seen.holders.get(number) != self._shares.me:
            log.warning("slice taken by another worker", slice=str(claim.slice))
            await self._drop(number)
        elif not wanted and (heir := seen.asked.get(number)) in seen.workers:
            await self._drop(number)
            await self._shares.give(number, heir)

    async def _drop(self, number: int) -> None:
        await self.claims[number].end()
        del self.claims[number]

    async def complete(self) -> None:
        """Return when this worker tells of its whole share."""
        await self._shared.wait()

    async def leave(self, seconds: float) -> None:
        """Let others take over, for so long; a worker in trouble or alone leaves at once."""
        with suppress(TimeoutError, PyMongoError):
            async with asyncio.timeout(seconds if self.trouble() is None else 0):
                seen = await self._turn(here=False)
                while self.claims and seen.workers:
                    await asyncio.sleep(HURRY_SECONDS)
                    seen = await self._turn(here=False)
        for number in list(self.claims):
            await self._drop(number)
            with suppress(PyMongoError):
                await self._shares.give(number, None)

    def trouble(self) -> str | None:
        """None, or what keeps this worker from telling of its whole share."""
        found = {n: claim.trouble() for n, claim in sorted(self.claims.items())}
        told = [f"slice {n} {why}" for n, why in found.items() if why is not None]
        return "; ".join(told) or None
