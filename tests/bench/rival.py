"""Yardstick (c): SQLite with triggers, fed in-process, as a careful single-machine rival would do it.

One table of dossiers, upserted by version; triggers keep counters by unit and month, and how many dossiers use a
procedure there, so that a distinct count can go back down. Periods and ranks are sums over a few hundred rows when the
board is read. Codes are whole numbers, tables have no row ids, statements are prepared once, the journal is a WAL.
"""

import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.bench.parts import main_of, part
from tests.bench.plain import MONTHS, UNCOUNTED, adds, decode, lines_of, ranks, summed

BULK = 10_000
_SUMS = ("x8n", "x8d", "x13n", "x14n", "x14d", "x15n", "x15d", "x20n", "x20d")
_COLUMNS = ", ".join(_SUMS)
_SLOT = "unit = {0}.unit AND month = {0}.month"


def _change(row: str, sign: str) -> str:
    """Statements of a trigger that let a row enter (+) or leave (-)."""
    changes = ", ".join(f"{name} = {name} {sign} {row}.{name}" for name in _SUMS)
    values = ", ".join(f"{row}.{name}" for name in _SUMS)
    slot = _SLOT.format(row)
    if sign == "-":
        return f"""
            UPDATE counters SET {changes} WHERE {slot};
            UPDATE used SET count = count - 1
                WHERE {row}.x8n AND {slot} AND procedure = {row}.procedure;"""  # noqa: S608 - our own names
    return f"""
        INSERT INTO counters(unit, month, {_COLUMNS})
            SELECT {row}.unit, {row}.month, {values} WHERE {row}.month >= 0
            ON CONFLICT(unit, month) DO UPDATE SET {changes.replace(row + ".", "excluded.")};
        INSERT INTO used(unit, month, procedure, count)
            SELECT {row}.unit, {row}.month, {row}.procedure, 1
                WHERE {row}.month >= 0 AND {row}.x8n
            ON CONFLICT(unit, month, procedure) DO UPDATE SET count = count + 1;"""  # noqa: S608


_DIFFERENT = " OR ".join(
    f"old.{name} IS NOT new.{name}" for name in ("unit", "month", "procedure", *_SUMS)
)
SCHEMA = f"""
    CREATE TABLE dossier(
        id TEXT PRIMARY KEY, version INTEGER, unit INTEGER, month INTEGER, procedure INTEGER,
        {", ".join(f"{name} INTEGER" for name in _SUMS)}) WITHOUT ROWID;
    CREATE TABLE counters(
        unit INTEGER, month INTEGER, {", ".join(f"{name} INTEGER" for name in _SUMS)},
        PRIMARY KEY(unit, month)) WITHOUT ROWID;
    CREATE TABLE used(
        unit INTEGER, month INTEGER, procedure INTEGER, count INTEGER,
        PRIMARY KEY(unit, month, procedure)) WITHOUT ROWID;
    CREATE TRIGGER entered AFTER INSERT ON dossier WHEN new.month >= 0 BEGIN
        {_change("new", "+")}
    END;
    CREATE TRIGGER changed AFTER UPDATE ON dossier WHEN {_DIFFERENT} BEGIN
        {_change("old", "-")}
        {_change("new", "+")}
    END;
"""
UPSERT = f"""
    INSERT INTO dossier VALUES ({", ".join("?" * 14)})
    ON CONFLICT(id) DO UPDATE SET
        {", ".join(f"{n} = excluded.{n}" for n in ("version", "unit", "month", "procedure", *_SUMS))}
    WHERE excluded.version > version
"""  # noqa: S608 - our own names


class _Codes:
    """Whole numbers for units and procedures, in order of appearance."""

    def __init__(self) -> None:
        self.units: defaultdict[str, int] = defaultdict(lambda: len(self.units))
        self.procedures: defaultdict[str, int] = defaultdict(lambda: len(self.procedures))
        self._months = {month: n for n, month in enumerate(MONTHS)}

    def rows(self, lines: Iterable[bytes]) -> Iterator[tuple[object, ...]]:
        """What is written for each event; month -1: it counts nowhere."""
        units, procedures, months = self.units, self.procedures, self._months
        for line in lines:
            event = decode(line)
            month = -1
            if event.status not in UNCOUNTED:
                month = months.get(event.received_at[:7], -1)
            unit, procedure = units[event.unit], procedures[event.procedure]
            yield event.dossier, event.version, unit, month, procedure, *adds(event)


def _open(path: str, synchronous: str) -> sqlite3.Connection:
    for end in ("", "-wal", "-shm"):
        Path(path + end).unlink(missing_ok=True)
    database = sqlite3.connect(path, isolation_level=None, cached_statements=64)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute(f"PRAGMA synchronous = {synchronous}")
    database.execute("PRAGMA cache_size = -500000")
    database.execute("PRAGMA wal_autocheckpoint = 10000")
    database.executescript(SCHEMA)
    return database


def _board(database: sqlite3.Connection, codes: _Codes) -> Any:
    """Read the counters of all periods and rank the units."""
    units = list(codes.units)
    months: dict[tuple[str, str], list[int]] = {}
    for unit, month, *sums in database.execute(f"SELECT unit, month, {_COLUMNS} FROM counters"):  # noqa: S608
        months[units[unit], MONTHS[month]] = sums
    procedures = list(codes.procedures)
    used = [
        (units[unit], MONTHS[month], procedures[procedure])
        for unit, month, procedure in database.execute(
            "SELECT unit, month, procedure FROM used WHERE count"
        )
    ]
    counters = summed(months, used)
    ranks(counters)
    return counters


@part
def feed(
    path: str, database_path: str, events: int, commit_every: int, synchronous: str
) -> dict[str, Any]:
    """Feed the first events of a file, with a commit every so many, and read the board at the end."""
    lines = lines_of(path)[:events]
    database, codes = _open(database_path, synchronous), _Codes()
    began, cpu = time.perf_counter(), time.process_time()
    for at in range(0, len(lines), commit_every):
        database.execute("BEGIN")
        database.executemany(UPSERT, codes.rows(lines[at : at + commit_every]))
        database.execute("COMMIT")
    counters = _board(database, codes)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    database.close()
    return {
        "events": len(lines),
        "commit_every": commit_every,
        "synchronous": synchronous,
        "seconds": seconds,
        "events_per_second": len(lines) / seconds,
        "cpu_us_per_event": cpu / len(lines) * 1e6,
        "counters": counters,
    }


if __name__ == "__main__":
    main_of(feed)
