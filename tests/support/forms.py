"""The forms of intake's pages, described as an API is: browsers post them, and so may anybody else."""

from typing import Any

FILE = {"type": "string", "format": "binary"}
TEXT = {"type": "string"}
UNIT = {"anyOf": [{"enum": ["31399", "D01", ""]}, TEXT]}
SOURCE = {"anyOf": [{"enum": ["*", "dvc.quocgia", ""]}, TEXT]}
FORMS: dict[str, dict[str, Any]] = {
    "/review/quarantine/alias": {"name": TEXT, "unit": UNIT, "source": SOURCE},
    "/review/quarantine/close": {"value": TEXT, "reason": TEXT},
    "/review/names": {"name": TEXT, "unit": UNIT, "source": SOURCE},
    "/review/names/drafts/{number}": {},
    "/review/catalogue": {
        "plan": {"anyOf": [{"enum": ["phung-hiep-2023"]}, TEXT]},
        "since": {"anyOf": [{"enum": ["2023-10-01", ""]}, TEXT]},
        "code": {"anyOf": [{"enum": ["2.000815", "9.000001"]}, TEXT]},
        "title": TEXT,
        "level": {"anyOf": [{"enum": ["full", "partial"]}, TEXT]},
        "fee_due": {"anyOf": [{"enum": ["0", "1"]}, TEXT]},
        "units": UNIT,
        "file": FILE,
    },
    "/review/catalogue/drafts/{number}": {},
    "/sheets": {"source": SOURCE, "unit": UNIT, "dry_run": TEXT, "file": FILE},
    "/sheets/{job}": {"column-0": TEXT, "column-1": {"enum": ["dossier", "unit", ""]}},
}
"""Path -> its fields."""


def document() -> dict[str, Any]:
    """All of them in one OpenAPI document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "forms", "version": "1"},
        "paths": {path: {"post": _operation(path, fields)} for path, fields in FORMS.items()},
    }


def _operation(path: str, fields: dict[str, Any]) -> dict[str, Any]:
    names = [part.strip("{}") for part in path.split("/") if part.startswith("{")]
    form = {"schema": {"type": "object", "properties": fields}}
    kind = (
        "multipart/form-data"
        if FILE in fields.values()
        else "application/x-www-form-urlencoded"
    )
    return {
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": TEXT} for name in names
        ],
        "requestBody": {"content": {kind: form}},
        "responses": {"303": {"description": "Done, or said what is wrong."}},
    }
