"""A change of the rules: what people hand in, what it would do to the journal and to the totals, publishing it."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import datetime
from functools import partial
from pathlib import Path

import msgspec

from contracts.plan import Plan
from contracts.wire import from_line, to_line
from services.intake.application import Directory
from services.intake.portal.directory import AliasStore
from services.intake.portal.domain.canonical import Known, Waits, event_of, recatalogued
from services.intake.portal.moves import Move
from services.intake.portal.store import DossierStore
from services.intake.store import IntakeStore
from services.plan_files import SUFFIXES, PlanFileError, keys_of, read_plan
from services.publishing import PlanConflictError, publish
from services.runtime import mongo
from services.runtime.mongo import Database
from services.runtime.resources import Resources
from services.scoring.asof import PastBoards, Retold
from services.scoring.leaderboard.links import default_period
from services.scoring.turns import BusyError

BUSY_SECONDS = 1


def candidate_of(current: Plan, files: dict[str, bytes]) -> Plan | list[str]:
    """The plan in force with what the files give in place of its own, as the next version; or every fault.

    One file with `catalogue:` alone is a corrected catalogue; all the files of a plan are a whole new plan.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            return _read(current, files, Path(folder))
        except PlanFileError as error:
            return [fault.replace(f"{folder}/", "") for fault in error.faults]


def _read(current: Plan, files: dict[str, bytes], folder: Path) -> Plan:
    paths = []
    for name, content in files.items():
        path = folder / Path(name).name
        if path.suffix not in SUFFIXES:
            raise PlanFileError([f"{path.name}: not one of {', '.join(SUFFIXES)}"])
        path.write_bytes(content)
        paths.append(path)
    given = {key for path in paths for key in keys_of(path)}
    base = current.model_dump(mode="json") | {"version": current.version + 1}
    rest = folder / "in-force.json"
    rest.write_text(json.dumps({k: v for k, v in base.items() if k not in given}))
    found = read_plan([*paths, rest])
    if (found.id, found.version > current.version) != (current.id, True):
        raise PlanFileError([f"expected id {current.id} and a version above {current.version}"])
    return found


def publisher(own: Resources) -> Callable[[Plan], Awaitable[str | None]]:
    """Publishes a plan; says in a sentence why not."""

    async def publish_it(plan: Plan) -> str | None:
        try:
            await publish(own, plan)
        except PlanConflictError as error:
            return str(error)
        return None

    return publish_it


async def retelling(own: Resources, plans: Iterable[Plan]) -> Retold:
    """What intake would tell under some plans: merged dossiers with their level and fee, and what waits for them."""
    database = mongo.database(own.client, own.settings, "intake")
    known, directory = Known(), Directory()
    known.aliases = directory.aliases = await AliasStore(database).known()
    for plan in plans:
        known.add(plan)
        directory.add(plan)
    released = [line async for line in _dossiers(database, known)]
    released += [line async for line in _events(database, directory)]
    return Retold(partial(_retold, known), released)


def _retold(known: Known, line: bytes) -> bytes:
    event = from_line(line)
    if event.type != "dossier.recorded":
        return line
    terms = recatalogued(event, known.catalogue)
    return to_line(msgspec.structs.replace(event, **terms)) if terms else line  # type: ignore[type-var]


async def _dossiers(database: Database, known: Known) -> AsyncIterator[bytes]:
    async for some in DossierStore(database).each({"waits": {"$gt": ""}}):
        for one in some:
            event = event_of(one.source, one.code, one.state, known)
            if not isinstance(event, Waits):
                yield to_line(event)


async def _events(database: Database, directory: Directory) -> AsyncIterator[bytes]:
    async for some in IntakeStore(database).waiting():
        for stored in some:
            event = directory.named(from_line(bytes(stored["line"])))
            if directory.missing(event) is None:
                yield to_line(event)


async def moves_of(past: PastBoards, draft: Plan, now: datetime) -> list[Move]:
    """The units whose total of the year would move if a plan were published; takes two rebuilds of the board."""
    before, after = await _points(past, now, draft), await _points(past, now, draft, draft)
    names = {unit.code: unit.name.vi for unit in draft.units}
    return [
        Move(bloc, unit, names.get(unit, unit), before.get((bloc, unit), 0), points)
        for (bloc, unit), points in sorted(after.items())
        if before.get((bloc, unit)) != points
    ]


async def _points(
    past: PastBoards, now: datetime, plan: Plan, candidate: Plan | None = None
) -> dict[tuple[str, str], int]:
    """(bloc, unit) -> points of the year; waits until others have got what they asked for."""
    while True:
        try:
            rows = await past.rows(now, candidate)
        except BusyError:
            await asyncio.sleep(BUSY_SECONDS)
            continue
        return {
            (bloc.code, unit): row["points"]
            for bloc in plan.blocs
            for unit, row in rows.get((plan.id, bloc.code, default_period(plan)), {}).items()
        }
