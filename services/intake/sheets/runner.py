"""Imports one sheet in a process of its own, at low priority: `python -m services.intake.sheets.runner JOB < FILE`.

The file comes on standard input and has no name: however this ends, nothing of it remains.
"""

import asyncio
import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from contracts.events import PlanPublished
from contracts.streams import PLAN
from services.intake.portal.application import BROKEN, Receiver
from services.intake.portal.directory import AliasStore
from services.intake.portal.domain.dialects import milliseconds
from services.intake.portal.domain.messages import Message
from services.intake.portal.qualities import QualityStore
from services.intake.portal.rows import Row, SheetError, rows_of
from services.intake.portal.store import DossierStore
from services.intake.sheets.domain.columns import (
    HEADER_ROWS,
    CellFault,
    are_headers,
    find_headers,
    is_empty,
    lacking,
    read_row,
)
from services.intake.sheets.store import FAULTS_KEPT, SheetStore
from services.runtime import mongo
from services.runtime.clock import monotonic_seconds
from services.runtime.logging import configure, get_logger
from services.runtime.mongo import Document
from services.runtime.resources import Resources, resources
from services.runtime.settings import Settings

log = get_logger(__name__)
BATCH = 25
SHARE = 0.15
"""An import works for this share of the time: whoever waits for a single event must not wait for a sheet."""
MOST_ROWS = 500_000
NICENESS = 19
TELL_SECONDS = 0.5


@dataclass(slots=True)
class _Progress:
    """What became of the rows so far."""

    rows: int = 0
    taken: int = 0
    repeated: int = 0
    waiting: int = 0
    faulty: int = 0
    faults: list[list[Any]] = field(default_factory=list)

    def fault(self, faults: Sequence[CellFault]) -> None:
        """One row is faulty in these cells."""
        self.faulty += 1
        room = FAULTS_KEPT - len(self.faults)
        self.faults += [[f.row, f.column, f.field, f.code] for f in faults[:room]]

    def told(self) -> dict[str, Any]:
        """As it is stored."""
        names = ("rows", "taken", "repeated", "waiting", "faulty", "faults")
        return {name: getattr(self, name) for name in names}


class Import:
    """One sheet on its way in."""

    def __init__(self, own: Resources, job: Document) -> None:
        database = mongo.database(own.client, own.settings, "intake")
        self._own = own
        self._job = job
        self._told_at = 0.0
        self._sheets = SheetStore(database)
        self._aliases = AliasStore(database)
        self._quality = QualityStore(database)
        shards = own.settings.scoring_shards
        self._receiver = Receiver(DossierStore(database), own.journal, own.clock, shards)
        self._progress = _Progress()
        self._allowed = frozenset(job["allowed"])
        self._heard = (-1, -1)

    async def run(self, file: IO[bytes]) -> None:
        """Read it to its end, telling how far it is."""
        await self._receiver.recall()
        rows = rows_of(file)
        first = list(itertools.islice(rows, HEADER_ROWS))
        at, mapped = find_headers(first, await self._sheets.mapping(self._job["source"]))
        known = bool(first) and are_headers(first[at], mapped)
        if known:
            headers = [" ".join(str(cell or "").split())[:100] for cell in first[at]]
            await self._tell(headers=headers, mapped=mapped)
        missing = lacking(mapped, self._job["unit"])
        if missing:
            reason = "columns" if known else "headers"
            await self._tell(state="failed", reason=reason, missing=missing)
            return
        numbered = enumerate(itertools.chain(first[at + 1 :], rows), at + 2)
        for batch in _batches(numbered):
            started = monotonic_seconds()
            await self._take(batch, mapped)
            if started - self._told_at > TELL_SECONDS:
                await self._tell(**self._progress.told())
                self._told_at = started
            await asyncio.sleep((monotonic_seconds() - started) * (1 - SHARE) / SHARE)
            if self._progress.rows > MOST_ROWS:
                await self._tell(state="failed", reason="too_many_rows")
                return
        await self._quality.store(self._receiver.tally)
        await self._tell(state="done", **self._progress.told())

    async def fail(self, reason: str) -> None:
        """Say why it cannot go on."""
        await self._tell(state="failed", reason=reason, **self._progress.told())

    async def _tell(self, **progress: Any) -> None:  # noqa: ANN401 - its progress
        await self._sheets.tell(self._job["_id"], **progress)

    async def _take(self, batch: list[tuple[int, Row]], mapped: dict[str, int]) -> None:
        await self._listen()
        now = milliseconds(self._own.clock.now())
        messages: list[tuple[int, Message]] = []
        for number, cells in batch:
            if is_empty(cells):
                continue
            self._progress.rows += 1
            read = read_row(cells, number, mapped, self._job["unit"], now)
            if isinstance(read, Message):
                messages.append((number, read))
            else:
                self._progress.fault(read)
        messages = await self._own_units(messages, mapped)
        if self._job["dry_run"]:
            self._foresee([message for _, message in messages])
            return
        source = self._job["source"]
        outcomes = await self._receiver.take(source, [message for _, message in messages])
        for outcome in outcomes:
            if outcome.what != BROKEN:
                setattr(self._progress, outcome.what, getattr(self._progress, outcome.what) + 1)

    async def _listen(self) -> None:
        """Know the plans and aliases as they are now."""
        plans = await self._own.journal.collection(PLAN.name).estimated_document_count()
        heard = (await self._aliases.revision(), plans)
        if heard == self._heard:
            return
        self._receiver.known.aliases = await self._aliases.known()
        async for pack in self._own.journal.all_packs(PLAN.name):
            for line in pack.lines:
                self._receiver.known.add(PlanPublished.model_validate_json(line).plan)
        self._heard = heard

    async def _own_units(
        self, messages: list[tuple[int, Message]], mapped: dict[str, int]
    ) -> list[tuple[int, Message]]:
        """Those that the person may import: rows, and dossiers already known, of their own units."""
        if not self._allowed:
            return messages
        said = [message for _, message in messages]
        own = await self._receiver.own_units(self._job["source"], said, self._allowed)
        kept = []
        for (number, message), is_own in zip(messages, own, strict=True):
            if not is_own:
                column = mapped.get("agency", mapped["dossier"])
                self._progress.fault([CellFault(number, column, "agency", "other_unit")])
            else:
                kept.append((number, message))
        return kept

    def _foresee(self, messages: list[Message]) -> None:
        for message in messages:
            waits = self._receiver.foresee(self._job["source"], message)
            if waits is None:
                self._progress.taken += 1
            else:
                self._progress.waiting += 1


def _batches(numbered: Iterator[tuple[int, Row]]) -> Iterator[list[tuple[int, Row]]]:
    while batch := list(itertools.islice(numbered, BATCH)):
        yield batch


async def work(settings: Settings, job: str, file: IO[bytes]) -> None:
    """Import the sheet of a job."""
    async with resources(settings) as own:
        database = mongo.database(own.client, settings, "intake")
        found = await SheetStore(database).job(job)
        if found is None:
            return
        sheet = Import(own, found)
        try:
            await sheet.run(file)
        except SheetError as error:
            await sheet.fail(error.code)
        except Exception:
            log.exception("import failed", job=job)
            await sheet.fail("failed")
            raise


def main() -> None:
    """Import what comes on standard input."""
    os.nice(NICENESS)
    settings = Settings()
    configure(settings.log_level, "sheet import")
    asyncio.run(work(settings, sys.argv[1], sys.stdin.buffer))


if __name__ == "__main__":
    main()
