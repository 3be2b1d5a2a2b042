"""A change of the rules: what people hand in, what it would do to the journal and to the totals, publishing it."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import datetime
from functools import partial
from pathlib import Path

import msgspec

from contracts.faults import Fault
from contracts.plan import Plan
from contracts.wire import from_line, to_line
from services.intake.application import Directory, moved_under
from services.intake.domain.names import key_of
from services.intake.portal.directory import Alias, AliasStore
from services.intake.portal.domain.canonical import Known, Waits, event_of, recatalogued
from services.intake.portal.moves import Move
from services.intake.portal.store import Dossier, DossierStore
from services.intake.store import IntakeStore
from services.plan_files import SUFFIXES, PlanFileError, keys_of, read_plan
from services.publishing import PlanConflictError, publish
from services.runtime import mongo
from services.runtime.mongo import Database
from services.runtime.resources import Resources
from services.scoring.asof import AS_TOLD, PastBoards, Retelling, Retold, Rows
from services.scoring.leaderboard.links import default_period
from services.scoring.turns import BusyError

BUSY_SECONDS = 1


def candidate_of(current: Plan, files: dict[str, bytes]) -> Plan | list[Fault]:
    """The plan in force with what the files give in place of its own, as the next version; or every fault.

    One file with `catalogue:` alone is a corrected catalogue; all the files of a plan are a whole new plan.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            return _read(current, files, Path(folder))
        except PlanFileError as error:
            return [fault.without(f"{folder}/") for fault in error.faults]


def _read(current: Plan, files: dict[str, bytes], folder: Path) -> Plan:
    paths = []
    for name, content in files.items():
        path = folder / Path(name).name
        if path.suffix not in SUFFIXES:
            raise PlanFileError([Fault.of("{}: not one of {}", path.name, ", ".join(SUFFIXES))])
        path.write_bytes(content)
        paths.append(path)
    given = {key for path in paths for key in keys_of(path)}
    base = current.model_dump(mode="json") | {"version": current.version + 1}
    rest = folder / "in force" / "plan.json"  # no upload can have this path
    rest.parent.mkdir()
    rest.write_text(json.dumps({k: v for k, v in base.items() if k not in given}))
    found = read_plan([*paths, rest])
    if (found.id, found.version > current.version) != (current.id, True):
        raise PlanFileError(
            [Fault.of("expected id {} and a version above {}", current.id, current.version)]
        )
    return found


def publisher(own: Resources) -> Callable[[Plan], Awaitable[Fault | None]]:
    """Publishes a plan; says in a sentence why not."""

    async def publish_it(plan: Plan) -> Fault | None:
        try:
            await publish(own, plan)
        except PlanConflictError as error:
            return error.fault
        return None

    return publish_it


async def retelling(own: Resources, plans: Iterable[Plan]) -> Retold:
    """What intake would tell under some plans: merged dossiers with their level and fee, and what waits for them."""
    database, known, directory = await _knowing(own, plans)
    waiting = DossierStore(database).each({"waits": {"$gt": ""}})
    released = [line async for line in _dossiers(waiting, known)]
    released += [line async for line in _events(database, directory)]
    return Retold(partial(_retold, known), released)


async def renaming(said: Alias, own: Resources, plans: Iterable[Plan]) -> Retold:
    """What intake would tell if an alias were given: what it explains, and what was told under another."""
    database, known, directory = await _knowing(own, plans)
    known.aliases.add(said.source, said.name, said.unit)
    names = known.aliases.affected([key_of(said.name)])
    concerned = DossierStore(database).each(
        {"$or": [{"name": {"$in": names}}, {"waits": {"$gt": ""}}]}
    )
    released = [line async for line in _dossiers(concerned, known)]
    released += [line async for line in _events(database, directory)]
    async for some in IntakeStore(database).explained_by(names):
        released += [to_line(event) for event, _ in moved_under(directory, some)]
    return Retold(AS_TOLD.line, released)


async def _knowing(own: Resources, plans: Iterable[Plan]) -> tuple[Database, Known, Directory]:
    database = mongo.database(own.client, own.settings, "intake")
    known, directory = Known(), Directory()
    known.aliases = directory.aliases = await AliasStore(database).known()
    for plan in plans:
        known.add(plan)
        directory.add(plan)
    return database, known, directory


def _retold(known: Known, line: bytes) -> bytes:
    event = from_line(line)
    if event.type != "dossier.recorded":
        return line
    terms = recatalogued(event, known.catalogue)
    return to_line(msgspec.structs.replace(event, **terms)) if terms else line  # type: ignore[type-var]


async def _dossiers(found: AsyncIterator[list[Dossier]], known: Known) -> AsyncIterator[bytes]:
    async for some in found:
        for one in some:
            event = event_of(one.source, one.code, one.state, known)
            if not isinstance(event, Waits) and event.id != one.told:
                yield to_line(event)


async def _events(database: Database, directory: Directory) -> AsyncIterator[bytes]:
    async for some in IntakeStore(database).waiting():
        for stored in some:
            event = directory.named(from_line(bytes(stored["line"])))
            if directory.missing(event) is None:
                yield to_line(event)


async def moves_of(past: PastBoards, draft: Plan, now: datetime) -> list[Move]:
    """The units whose total of the year would move if a plan were published; takes two rebuilds of the board."""
    before, after = await _rows(past, now), await _rows(past, now, draft)
    return _moves(draft, before, after)


async def moves_of_alias(
    past: PastBoards, plans: Iterable[Plan], said: Alias, now: datetime
) -> list[Move]:
    """The units whose total of the year would move if an alias were given; takes two rebuilds of the board."""
    before = await _rows(past, now)
    after = await _rows(past, now, retelling=partial(renaming, said))
    return [move for plan in plans for move in _moves(plan, before, after)]


def _moves(plan: Plan, before: Rows, after: Rows) -> list[Move]:
    old, new = _points(plan, before), _points(plan, after)
    names = {unit.code: unit.name.vi for unit in plan.units}
    return [
        Move(bloc, unit, names.get(unit, unit), old.get((bloc, unit), 0), points)
        for (bloc, unit), points in sorted(new.items())
        if old.get((bloc, unit)) != points
    ]


def _points(plan: Plan, rows: Rows) -> dict[tuple[str, str], int]:
    """(bloc, unit) -> points of the year."""
    return {
        (bloc.code, unit): row["points"]
        for bloc in plan.blocs
        for unit, row in rows.get((plan.id, bloc.code, default_period(plan)), {}).items()
    }


async def _rows(
    past: PastBoards,
    now: datetime,
    candidate: Plan | None = None,
    retelling: Retelling | None = None,
) -> Rows:
    """The board; waits until others have got what they asked for."""
    while True:
        try:
            return await past.rows(now, candidate, retelling=retelling)
        except BusyError:
            await asyncio.sleep(BUSY_SECONDS)
