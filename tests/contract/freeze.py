"""Write the frozen JSON Schemas and golden examples: `python -m tests.contract.freeze`.

It adds new events and takes over optional fields that were added. Whatever else changed needs a new version of the
event with an upcaster, and is refused here. Golden examples, once written, are never written again.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from contracts.streams import TOPICS
from services.asyncapi import PackAnnounced, event_type

FOLDER = Path(__file__).parents[2] / "contracts" / "schemas"
_ALL: list[type[BaseModel]] = [event for topic in TOPICS for event in topic.events]
_ALL.append(PackAnnounced)
EVENTS = {event_type(event): event for event in _ALL}
Schema = dict[str, Any]
WORDS = ("title", "description")
"""Said of a field, not asked of it: may improve without a new version."""
_NAMED = ("properties", "$defs")
"""Under these keys stand names, which may well be `title`."""


def _bare(value: object, *, names: bool = False) -> Any:
    """The schema without the words about it."""
    if isinstance(value, list):
        return [_bare(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _bare(inner, names=not names and key in _NAMED)
        for key, inner in value.items()
        if names or key not in WORDS
    }


def schema_of(kind: str) -> Schema:
    """What the code asks of an event today."""
    schema: Schema = _bare(EVENTS[kind].model_json_schema())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{kind}.v1",
        **schema,
    }


def schema_file(kind: str) -> Path:
    """Where its frozen schema is."""
    return FOLDER / f"{kind}.v1.json"


def example_file(kind: str) -> Path:
    """Where its golden example is."""
    return FOLDER / f"{kind}.v1.example.json"


def read(path: Path) -> Schema:
    """The JSON in a file."""
    content: Schema = json.loads(path.read_text(encoding="utf-8"))
    return content


def breaks(old: object, new: object, place: str = "") -> Iterator[str]:
    """Each place where a reader or sender of the old schema would be harmed."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        if old != new:
            yield f"{place or 'the whole'}: was {_short(old)}, is {_short(new)}"
        return
    for key in old.keys() | new.keys():
        inner = f"{place}.{key}" if place else key
        if key not in old:
            if key == "$defs" or place == "$defs":
                continue
            yield f"{inner}: is new"
        elif key not in new:
            yield f"{inner}: is gone"
        elif key == "properties":
            yield from _field_breaks(old, new, inner)
        else:
            yield from breaks(old[key], new[key], inner)


def _field_breaks(old: Schema, new: Schema, place: str) -> Iterator[str]:
    """Optional fields may be added; a plan that uses one is published after all processes know it.

    That they are optional `required` shows.
    """
    added = new["properties"].keys() - old["properties"].keys()
    kept = {name: field for name, field in new["properties"].items() if name not in added}
    yield from breaks(old["properties"], kept, place)


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _write(path: Path, content: object) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=1)
    path.write_text(f"{text}\n", encoding="utf-8")


def freeze() -> list[str]:
    """Write what may be written; returns what was refused, one sentence each."""
    FOLDER.mkdir(exist_ok=True)
    refused = []
    for kind, event in EVENTS.items():
        path, schema = schema_file(kind), schema_of(kind)
        harm = sorted(breaks(read(path), schema)) if path.exists() else []
        refused += [f"{path.name}: {fault}" for fault in harm]
        if not harm:
            _write(path, schema)
        example = getattr(event, "example", None)
        if example is not None and not example_file(kind).exists():
            _write(example_file(kind), example)
    return refused


if __name__ == "__main__":
    faults = freeze()
    if faults:
        sys.exit(
            "\n".join([*faults, "no optional field: make a new version, with an upcaster"])
        )
