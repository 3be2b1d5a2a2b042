"""Files in and out over HTTP: a raw body or a form, as a stream; out again as an attachment, or safely shown."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from contracts.calendar import MonthCode
from services.intake.workspace.application import UnknownPlaceError
from services.intake.workspace.domain.evidence import MOST_BYTES, Evidence, EvidenceError
from services.intake.workspace.http import OWN, REPORTING, SEEN, Problem, Rooms
from services.runtime.access.rules import access, signed_in
from services.runtime.auth import Principal

_SLACK = 64 << 10
"""What a form may add around its file."""
_LONGEST_HEADER = 4_096
PDF_POLICY = (
    "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'"
)
"""A browser shows no PDF in a sandbox; it runs no script of ours or of anybody there."""
IMAGE_POLICY = "sandbox; default-src 'none'; frame-ancestors 'self'"


class FormFile:
    """The first file of a `multipart/form-data` body, as it streams in; nothing of it is kept here."""

    def __init__(self, request: Request) -> None:
        kind, options = parse_options_header(request.headers.get("content-type", ""))
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise EvidenceError("no_file")
        self._request = request
        self.name = ""
        self._field, self._value, self._headers = bytearray(), bytearray(), dict[bytes, bytes]()
        self._inside, self._ended = False, False
        self._ready: list[bytes] = []
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._headers.clear,
                "on_header_field": lambda data, a, b: self._grow(self._field, data[a:b]),
                "on_header_value": lambda data, a, b: self._grow(self._value, data[a:b]),
                "on_header_end": self._header_ends,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._data,
                "on_part_end": self._part_ends,
            },
        )

    @staticmethod
    def _grow(text: bytearray, more: bytes) -> None:
        if len(text) + len(more) > _LONGEST_HEADER:
            raise EvidenceError("no_file")
        text += more

    def _header_ends(self) -> None:
        self._headers[bytes(self._field).lower()] = bytes(self._value)
        self._field.clear()
        self._value.clear()

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"filename")
        if name and not self._ended:
            self.name, self._inside = name.decode("utf-8", "replace"), True

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._inside:
            self._ready.append(data[start:end])

    def _part_ends(self) -> None:
        self._ended = self._ended or self._inside
        self._inside = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """The file's bytes; the first one comes when its name is known."""
        async for chunk in self._request.stream():
            try:
                self._parser.write(chunk)
            except FormParserError as error:
                raise EvidenceError("no_file") from error
            for piece in self._ready:
                yield piece
            self._ready.clear()

    async def begun(self) -> AsyncIterator[bytes]:
        """The same, read so far that `name` is known.

        Raises:
            EvidenceError: the form holds no file.
        """
        stream = self.chunks()
        first = await anext(stream, b"")
        if not self.name:
            raise EvidenceError("no_file")
        return _joined(first, stream)


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


def check_length(request: Request) -> None:
    """Refuse at once what says that it is too large.

    Raises:
        EvidenceError: it is.
    """
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > MOST_BYTES + _SLACK:
        raise EvidenceError("too_large")


def evidence_json(evidence: Evidence) -> dict[str, Any]:
    """A file as the API shows it."""
    return evidence.model_dump(mode="json")


_ANSWERS: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "There is none, or it is somebody else's."},
    409: {"model": Problem, "description": "The report is locked, or holds too many files."},
    413: {"model": Problem, "description": "More than 50 MiB."},
    415: {"model": Problem, "description": "Neither PDF, picture, Office file nor audio."},
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
        },
    }
}
_BINARY: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "The file."}
}


def evidence_api(rooms: Rooms) -> APIRouter:
    """The routes of files."""
    api = APIRouter(prefix="/api/v1/evidence", tags=["evidence"], responses=_ANSWERS)

    @api.get("/{plan}/{unit}/{month}", openapi_extra=SEEN)
    async def attached(
        request: Request, plan: str, unit: str, month: MonthCode
    ) -> dict[str, Any]:
        """The files of a report."""
        _, place = await rooms.seen(request, plan, unit, month)
        found = await rooms.workspace.store.attached(place.plan.id, unit, month)
        return {"evidence": [evidence_json(file) for file in found]}

    @api.put("/{plan}/{unit}/{month}/{indicator}", status_code=201, openapi_extra=_BODY | OWN)
    async def upload(
        request: Request, plan: str, unit: str, month: MonthCode, indicator: str, name: str
    ) -> dict[str, Any]:
        """Attach a file: the raw bytes as the body, its name in `name`."""
        principal, place = await rooms.own(request, plan, unit, month)
        check_length(request)
        kept = await rooms.evidence.receive(
            place, indicator, name, request.stream(), principal.subject
        )
        return evidence_json(kept)

    @api.delete("/{evidence}", status_code=204, openapi_extra=access(*REPORTING))
    async def remove(request: Request, evidence: str) -> Response:
        """Take a file off the draft."""
        principal = await rooms.guard.require(request, *REPORTING)
        await drop(rooms, principal, evidence)
        return Response(status_code=204)

    @api.get(
        "/{evidence}", responses=_BINARY, response_class=Response, openapi_extra=signed_in()
    )
    async def download(request: Request, evidence: str) -> Response:
        """The file, to be saved."""
        found = await _found(rooms, request, evidence)
        return await _stream(rooms, found, inline=False)

    @api.get(
        "/{evidence}/view",
        responses=_BINARY,
        response_class=Response,
        openapi_extra=signed_in(),
    )
    async def view(request: Request, evidence: str) -> Response:
        """The file, to be looked at; only PDF and pictures, everything else to be saved."""
        found = await _found(rooms, request, evidence)
        return await _stream(rooms, found, inline=found.inline)

    return api


async def drop(rooms: Rooms, principal: Principal, key: str) -> None:
    """Take somebody's own file off the draft.

    Raises:
        UnknownPlaceError: there is none, or it is somebody else's.
        ReportError: the report is locked.
    """
    found = await rooms.workspace.store.one_evidence(key)
    if found is None or not principal.may_act_for(found.unit, *REPORTING):
        raise UnknownPlaceError(key)
    place = rooms.workspace.place(found.plan, found.unit, found.month)
    await rooms.evidence.remove(place, key, principal.subject)


async def _found(rooms: Rooms, request: Request, key: str) -> Evidence:
    principal = await rooms.guard.require(request)
    try:
        return await rooms.evidence.find(key, principal)
    except LookupError as error:
        raise UnknownPlaceError(key) from error


async def _stream(rooms: Rooms, evidence: Evidence, *, inline: bool) -> Response:
    try:
        content = await rooms.evidence.content(evidence)
    except LookupError as error:
        raise UnknownPlaceError(evidence.id) from error
    how = "inline" if inline else "attachment"
    policy = PDF_POLICY if inline and evidence.media_type == "application/pdf" else IMAGE_POLICY
    headers = {
        "Content-Disposition": f"{how}; filename*=UTF-8''{quote(evidence.name)}",
        "Content-Length": str(evidence.size),
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    kind = evidence.media_type if inline else "application/octet-stream"
    return StreamingResponse(content, headers=headers, media_type=kind)
