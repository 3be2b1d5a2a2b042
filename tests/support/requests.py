"""Requests made from what routes say of themselves, sent to an application in this process."""

import asyncio
import contextlib
import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.types import ASGIApp, Message

from services.runtime.access.rules import UNIT

BOUNDARY = "matrix"
SAMPLES: dict[str, str] = {
    "plan": "phung-hiep-2023",
    "bloc": "commune",
    "period": "2023",
    "month": "2023-07",
    "indicator": "X8",
    "area": "web",
    "version": "0",
    "name": "style.css",
}
"""Values for parameters of these names, where a route gives no example; anything else gets an invented one."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request."""

    method: str
    target: str
    body: bytes = b""
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class Served:
    """One route as the application serves it."""

    path: str
    methods: frozenset[str]
    extra: dict[str, Any]
    is_documented: bool


def routes_of(app: FastAPI) -> list[Served]:
    """Every route of an application, pages and static files included."""
    return [
        Served(
            context.path or "",
            frozenset(context.methods or ()) - {"HEAD"},
            context.openapi_extra or {},
            context.include_in_schema,
        )
        for context in iter_route_contexts(app.routes)
        if isinstance(context.original_route, APIRoute)
    ]


def whole_document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of every route, of pages too: what parameters and bodies look like."""
    routes: dict[tuple[str, frozenset[str]], APIRoute] = {}
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, APIRoute):
            route = copy.copy(context.original_route)
            route.include_in_schema = True
            route.path_format = context.path_format or ""
            routes[route.path_format, frozenset(context.methods or ())] = route
    return get_openapi(title="", version="", routes=list(routes.values()))


def calls_of(route: Served, document: dict[str, Any], unit: str) -> Iterator[Call]:
    """A request for each method of a route that gets as far as asking who sends it."""
    for method in sorted(route.methods):
        operation = document["paths"].get(route.path, {}).get(method.lower(), {})
        of_unit = route.extra.get(UNIT, "unit")
        samples = SAMPLES | {of_unit: unit}
        described = {p["name"]: p for p in operation.get("parameters", ())}
        path = re.sub(
            r"\{(\w+)(?::\w+)?\}",
            lambda found: quote(_sample(found[1], described.get(found[1], {}), samples)),  # noqa: B023
            route.path,
        )
        query = {
            name: _sample(name, described[name], samples)
            for name in described
            if described[name]["in"] == "query"
            and (described[name].get("required") or name == of_unit)
        }
        target = f"{path}?{urlencode(query)}" if query else path
        body, content_type = _body(operation, document)
        yield Call(method, target, body, content_type)


def _sample(name: str, described: dict[str, Any], samples: dict[str, str]) -> str:
    if name in samples:
        return samples[name]
    value = _value(described.get("schema", {}) | _example_of(described), {})
    return str(value) if value not in {None, ""} else "none"


def _example_of(described: dict[str, Any]) -> dict[str, Any]:
    return {"example": described["example"]} if "example" in described else {}


def _body(operation: dict[str, Any], document: dict[str, Any]) -> tuple[bytes, str]:
    contents = operation.get("requestBody", {}).get("content", {})
    if "application/json" in contents:
        content = contents["application/json"]
        value = (
            content["example"] if "example" in content else _value(content["schema"], document)
        )
        return json.dumps(value).encode(), "application/json"
    if "multipart/form-data" in contents:
        fields = _value(contents["multipart/form-data"]["schema"], document)
        return _multipart(fields), f"multipart/form-data; boundary={BOUNDARY}"
    form = next(iter(contents), "")
    if form == "application/x-www-form-urlencoded":
        fields = _value(contents[form]["schema"], document)
        return urlencode(fields, doseq=True).encode(), form
    return (b"sample", form) if form else (b"", "")


def _multipart(fields: dict[str, Any]) -> bytes:
    parts = [_part(name, value) for name, value in fields.items()]
    return ("".join(parts) + f"--{BOUNDARY}--\r\n").encode()


def _part(name: str, value: object) -> str:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'
    if not isinstance(value, bytes):
        return f"{head}\r\n\r\n{value}\r\n"
    return (
        f'{head}; filename="a.pdf"\r\nContent-Type: application/pdf\r\n\r\n{value.decode()}\r\n'
    )


def _value(schema: dict[str, Any], document: dict[str, Any]) -> Any:
    """The example of a schema, or the least that fits."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _value(document["components"]["schemas"][name], document)
    for said in ("example", "const"):
        if said in schema:
            return schema[said]
    for listed in ("examples", "enum"):
        if schema.get(listed):
            return schema[listed][0]
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return _value(schema[choice][0], document)
    return _least(schema, document)


def _least(schema: dict[str, Any], document: dict[str, Any]) -> Any:
    match schema.get("type"):
        case "object":
            wanted = schema.get("required", ())
            return {name: _value(schema["properties"][name], document) for name in wanted}
        case "array":
            return [_value(schema["items"], document)] if schema.get("minItems") else []
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return False
        case _:
            is_file = schema.get("format") == "binary" or "contentMediaType" in schema
            return b"%PDF-1.4" if is_file else "x" * max(1, schema.get("minLength", 1))


async def answer(app: ASGIApp, call: Call, headers: dict[str, str]) -> tuple[int, str]:
    """(status, code of the error); a live stream is left as soon as it begins."""
    path, _, query = call.target.partition("?")
    sent = {"host": "test", **headers} | (
        {"content-type": call.content_type} if call.content_type else {}
    )
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": call.method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
    }
    messages: asyncio.Queue[Message] = asyncio.Queue()
    bodies = [{"type": "http.request", "body": call.body, "more_body": False}]

    async def receive() -> Message:
        if bodies:
            return bodies.pop()
        await asyncio.Event().wait()
        raise AssertionError

    task = asyncio.create_task(_run(app, scope, receive, messages))
    try:
        return await asyncio.wait_for(_read(messages), 60)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _run(
    app: ASGIApp, scope: Any, receive: Any, messages: "asyncio.Queue[Message]"
) -> None:
    try:
        await app(scope, receive, messages.put)
    except Exception as error:  # noqa: BLE001 - the server would answer with 500
        await messages.put({"type": "failed", "error": error})


async def _read(messages: "asyncio.Queue[Message]") -> tuple[int, str]:
    status, streams, body = 0, False, b""
    while True:
        message = await messages.get()
        match message["type"]:
            case "failed":
                return 500, f"{type(message['error']).__name__}: {message['error']}"
            case "http.response.start":
                status = message["status"]
                streams = any(
                    name == b"content-type" and value.startswith(b"text/event-stream")
                    for name, value in message["headers"]
                )
            case "http.response.body":
                body += message.get("body", b"")
                if not message.get("more_body"):
                    return status, _code(body)
            case _:
                pass
        if streams:
            return status, ""


def _code(body: bytes) -> str:
    with contextlib.suppress(ValueError, AttributeError):
        return str(json.loads(body).get("error", ""))
    return ""
