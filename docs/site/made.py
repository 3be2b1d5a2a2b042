"""Pages of the site that are made from files of the project: the API, the events, the README.

A page says `<!-- made: NAME -->` where the made part belongs. Links that lead out of `docs/` become plain file names.
"""  # noqa: INP001 - read by Sphinx

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
VERBS = ("get", "put", "post", "patch", "delete")
EVERYBODY = "everybody"


def http() -> Iterator[str]:
    """Every operation of the API, by tag."""
    document = json.loads((DOCS / "openapi.json").read_text("utf-8"))
    by_tag: dict[str, list[tuple[str, str, dict[str, Any]]]] = defaultdict(list)
    for path, verbs in document["paths"].items():
        for verb in VERBS:
            if verb in verbs:
                by_tag[(verbs[verb].get("tags") or ["other"])[0]].append(
                    (verb, path, verbs[verb])
                )
    for tag in sorted(by_tag):
        yield f"## {tag}\n"
        for verb, path, operation in by_tag[tag]:
            yield from _operation(verb, path, operation)


def _operation(verb: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"### `{verb.upper()} {path}`\n"
    yield f"{operation.get('summary') or operation['operationId']}\n"
    if operation.get("description"):
        yield f"{operation['description']}\n"
    yield f"Who: {', '.join(operation.get('x-roles') or [EVERYBODY])}.\n"
    parameters = operation.get("parameters") or []
    if parameters:
        yield "| Parameter | In | Type | Required | Example |\n|---|---|---|---|---|"
        for one in parameters:
            schema = one.get("schema", {})
            kind = schema.get("type") or " or ".join(
                s.get("type", "…") for s in schema.get("anyOf", ())
            )
            example = one.get("example", schema.get("example", schema.get("default", "")))
            shown = f"`{example}`" if example not in ("", None) else ""
            needed = "yes" if one.get("required") else "no"
            yield f"| `{one['name']}` | {one['in']} | {kind or '…'} | {needed} | {shown} |"
        yield ""
    answers = ", ".join(
        f"{code} {said['description']}" for code, said in operation["responses"].items()
    )
    yield f"Answers: {answers}.\n"


def events() -> Iterator[str]:
    """Every channel between the services, and the form of what it carries."""
    document = json.loads((DOCS / "asyncapi.json").read_text("utf-8"))
    yield "## Channels\n\n| Channel | Stream | What |\n|---|---|---|"
    for name, channel in sorted(document["channels"].items()):
        yield f"| `{name}` | `{channel['address']}` | {' '.join(channel.get('description', '').split())} |"
    yield "\n## Forms\n"
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f"### `{name}`\n"
        yield f"{schema.get('description', '').strip()}\n"
        required = set(schema.get("required", ()))
        if schema.get("properties"):
            yield "| Field | Type | Required |\n|---|---|---|"
            for field, form in schema["properties"].items():
                yield f"| `{field}` | {_kind(form)} | {'yes' if field in required else 'no'} |"
            yield ""


def _kind(form: dict[str, Any]) -> str:
    if "anyOf" in form:
        return " or ".join(_kind(one) for one in form["anyOf"])
    if "$ref" in form:
        return f"`{form['$ref'].rpartition('/')[2]}`"
    if "const" in form:
        return f"`{form['const']}`"
    if "enum" in form:
        return ", ".join(f"`{value}`" for value in form["enum"])
    return str(form.get("format") or form.get("type") or "…")


MADE = {"http": http, "events": events}
_MARK = re.compile(r"<!-- made: (\w+) -->")
_LINK = re.compile(r"\[([^\]]+)\]\(((?:\.\./)[^)\s]+)\)")


def on_source_read(_: Sphinx, page: str, source: list[str]) -> None:
    """Put in what is made, and take out links to files that are no pages."""
    text = _MARK.sub(lambda found: "\n".join(MADE[found[1]]()), source[0])
    here = (DOCS / page).parent

    def named(found: re.Match[str]) -> str:
        target = (here / found[2].partition("#")[0]).resolve()
        inside = target.is_relative_to(DOCS) and target.suffix == ".md"
        return found[0] if inside else f"{found[1]} (`{target.relative_to(ROOT)}`)"

    source[0] = _LINK.sub(named, text)


def setup(app: Sphinx) -> dict[str, Any]:
    """Join the build."""
    app.connect("source-read", on_source_read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
