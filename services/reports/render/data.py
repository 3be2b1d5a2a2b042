"""The package as data: what it was made from, and what followed."""

import json
from typing import Any

from services.reports.domain.figures import BlocFigures, Figures
from services.reports.domain.record import Record

PLAN, FROZEN, RECORD, RESULTS = (
    "data/plan.json",
    "data/frozen.json",
    "data/record.json",
    "data/results.json",
)


def encoded(content: Any) -> bytes:  # noqa: ANN401 - whatever is JSON
    """JSON as it is written in packages: sorted, two spaces, one line feed at the end."""
    return (json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def data_files(figures: Figures) -> dict[str, bytes]:
    """File -> content."""
    record = figures.record
    return {
        PLAN: encoded(record.plan.model_dump(mode="json")),
        FROZEN: encoded(record.frozen.model_dump(mode="json")),
        RECORD: encoded(record.model_dump(mode="json", exclude={"plan", "frozen"})),
        RESULTS: encoded(results(figures)),
    }


def record_from(files: dict[str, bytes]) -> Record:
    """The record of a package, read back.

    Raises:
        ValueError: a file is not what it should be.
        KeyError: one is missing.
    """
    content = json.loads(files[RECORD])
    content["plan"] = json.loads(files[PLAN])
    content["frozen"] = json.loads(files[FROZEN])
    return Record.model_validate_json(json.dumps(content))


def decimal(units: int) -> str:
    """Ten-thousandths with four decimals, as the interface writes points."""
    sign = "-" if units < 0 else ""
    return f"{sign}{abs(units) // 10_000}.{abs(units) % 10_000:04d}"


def results(figures: Figures) -> dict[str, Any]:
    """Standings and awards: the same numbers as on every document."""
    return {
        "package": figures.record.package,
        "plan": figures.record.plan.id,
        "period": figures.record.frozen.period,
        "official": figures.record.official,
        "money": figures.money,
        "blocs": [_bloc(bloc) for bloc in figures.blocs],
    }


def _bloc(figures: BlocFigures) -> dict[str, Any]:
    outcome = figures.outcome
    return {
        "bloc": figures.bloc.code,
        "money": figures.money,
        "unawarded": [] if outcome is None else outcome.unawarded,
        "open_items": [] if outcome is None else [item.key for item in outcome.open_items],
        "rows": [
            {
                "rank": line.rank,
                "unit": line.unit.code,
                "name": line.name,
                "points": decimal(line.row.points),
                "verified_points": decimal(line.row.verified_points),
                "place": line.place,
                "award": None if line.award is None else line.award.code,
                "money": line.money,
                "bonus_points": line.bonus,
                "individuals": line.individuals,
                "shown": [thing.model_dump(mode="json") for thing in line.shown],
                "exclusions": [one.model_dump() for one in line.exclusions],
                "indicators": {c: decimal(pair[0]) for c, pair in line.row.indicators.items()},
            }
            for line in figures.lines
        ],
    }
