"""Intake's doors: dossier events of the portal, indicator events of other systems."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from contracts.events import CLAIMS, DossierRecorded, FigureReported
from services.intake.application import Answer, Intake
from services.intake.domain.reading import (
    BATCHED,
    CLAIMS_DOOR,
    DOSSIERS,
    STRUCTURED,
    Door,
    TooManyError,
    UnknownFormError,
    UnreadableBodyError,
)
from services.intake.domain.reasons import Reason
from services.runtime.access.rules import access
from services.runtime.auth import Role
from services.runtime.journal import JournalFullError, JournalUnavailableError

MOST_EVENTS = 10_000
MOST_BYTES = 8 << 20
_encode = msgspec.json.encode


class RejectedItem(BaseModel):
    """One item that was not taken."""

    index: int
    field: str | None = None
    reason: str


class IntakeAnswer(BaseModel):
    """What became of each item; everything accepted or quarantined is durable."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"accepted": 2, "quarantined": 0, "rejected": []}}
    )

    accepted: int
    quarantined: int
    rejected: list[RejectedItem]
    quarantine: list[RejectedItem] = []
    """Which ones wait, and for what."""


class Problem(BaseModel):
    """Why a request was refused as a whole, in both languages."""

    error: str
    vi: str
    en: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer to a request as a whole."""

    status: int
    error: str
    vi: str
    en: str
    retry_after: int | None = None

    def response(self) -> Response:
        """The HTTP answer."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        body = {"error": self.error, "vi": self.vi, "en": self.en}
        return Response(_encode(body), self.status, headers, media_type="application/json")


class RefusedError(Exception):
    """A request is refused as a whole; each has one of its own, for an error that is raised keeps its frames."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.en)
        self.refusal = refusal


TOO_LARGE = Refusal(
    413,
    "too_large",
    "Mỗi lần gửi tối đa 10.000 sự kiện và 8 MiB. Hãy chia thành nhiều lần gửi nhỏ hơn.",
    "At most 10,000 events and 8 MiB a request. Send it in smaller batches.",
)
COMPRESSED = Refusal(
    415,
    "encoding",
    "Nội dung nén chưa được hỗ trợ; hãy gửi không nén.",
    "Compressed bodies are not accepted; send it uncompressed.",
)
UNAVAILABLE = Refusal(
    503,
    "journal_unavailable",
    "Chưa ghi được dữ liệu, chưa có gì được nhận. Hãy gửi lại nguyên vẹn sau ít giây; gửi lặp không gây hại.",
    "The journal cannot be written; nothing was accepted. Send it all again in some seconds; repeats do no harm.",
    5,
)
OVERLOADED = Refusal(
    503,
    "overloaded",
    "Hệ thống đang nhận quá nhiều dữ liệu. Hãy gửi lại sau ít giây.",
    "Too much is waiting to be written. Send it again in some seconds.",
    2,
)


async def read_body(request: Request) -> bytes:
    """The body, refused as soon as it is known to be too large."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > MOST_BYTES:
        raise RefusedError(TOO_LARGE)
    if request.headers.get("content-encoding", "identity") != "identity":
        raise RefusedError(COMPRESSED)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MOST_BYTES:
            raise RefusedError(TOO_LARGE)
        chunks.append(chunk)
    return b"".join(chunks)


def _items(found: list[tuple[int, Reason]], *, english: bool) -> list[dict[str, Any]]:
    return [
        {"index": index, "field": reason.field, "reason": reason.en if english else reason.vi}
        for index, reason in found
    ]


def _answer(answer: Answer, request: Request) -> Response:
    english = request.headers.get("accept-language", "").lower().startswith("en")
    body: dict[str, Any] = {
        "accepted": answer.accepted,
        "quarantined": len(answer.quarantined),
        "rejected": _items(answer.rejected, english=english),
    }
    if answer.quarantined:
        body["quarantine"] = _items(answer.quarantined, english=english)
    taken = answer.accepted or answer.quarantined or not answer.rejected
    return Response(_encode(body), 202 if taken else 422, media_type="application/json")


@dataclass(frozen=True, slots=True)
class Sender:
    """For whom somebody may send."""

    source: str | None = None
    """The source that it is bound to; None: it may speak for any."""
    units: frozenset[str] = frozenset()
    """The units that it is limited to; none: it may send for all."""


class Gate(Protocol):
    """Knows the senders: for whom one may send, and whether it may now."""

    async def enter(self, request: Request) -> Sender:
        """Who sends it."""

    async def admit(self, request: Request, source: str, body: bytes) -> None:
        """Let one request of a bound sender pass, or raise why not."""


async def _receive(
    request: Request, intake: Intake, door: Door, name: str, gate: Gate
) -> Response:
    form = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    sender = await gate.enter(request)
    try:
        body = await read_body(request)
        if sender.source is not None:
            await gate.admit(request, sender.source, body)
        read = door.read(body, form, request.headers, MOST_EVENTS)
        if sender.source is not None:
            read.keep_only(sender.source)
        return _answer(await intake.accept(read, name, sender.units), request)
    except (
        RefusedError,
        TooManyError,
        JournalUnavailableError,
        UnreadableBodyError,
        UnknownFormError,
    ) as error:
        return refusal_of(error).response()


def refusal_of(error: Exception) -> Refusal:
    """The one table from what went wrong to the answer."""
    match error:
        case RefusedError(refusal=refusal):
            found = refusal
        case TooManyError():
            found = TOO_LARGE
        case JournalFullError():
            found = OVERLOADED
        case JournalUnavailableError():
            found = UNAVAILABLE
        case UnreadableBodyError(reason=reason):
            found = Refusal(400, "unreadable", reason.vi, reason.en)
        case _:
            found = _unknown_form(str(error))
    return found


def _unknown_form(form: str) -> Refusal:
    known = f"application/json, application/x-ndjson, {STRUCTURED}, {BATCHED}"
    return Refusal(
        415,
        "content_type",
        f"Kiểu nội dung {form[:60]!r} không được hỗ trợ; hãy dùng một trong: {known}",
        f"The content type {form[:60]!r} is not understood; use one of: {known}",
    )


def _documented(schemas: list[dict[str, Any]], example: object) -> dict[str, Any]:
    one = schemas[0] if len(schemas) == 1 else {"oneOf": schemas}
    many = {"oneOf": [one, {"type": "array", "items": one, "maxItems": MOST_EVENTS}]}
    text = {"schema": {"type": "string", "description": "One event a line."}}
    envelope = {"schema": {"type": "object", "description": "CloudEvents 1.0"}}
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": many, "example": example},
                "application/x-ndjson": text,
                STRUCTURED: envelope,
                BATCHED: {"schema": {"type": "array", "items": {"type": "object"}}},
            },
        }
    }


_ANSWERS: dict[int | str, dict[str, Any]] = {
    202: {"model": IntakeAnswer, "description": "Accepted items are durable."},
    400: {"model": Problem, "description": "Empty, or not JSON."},
    401: {"description": "No token, or a wrong one."},
    403: {"description": "The token lacks the role `portal`."},
    413: {"model": Problem, "description": "More than 10,000 events or 8 MiB."},
    415: {"model": Problem, "description": "Content type not understood."},
    429: {
        "model": Problem,
        "description": "The source sends faster than it may; again after Retry-After.",
    },
    422: {"model": IntakeAnswer, "description": "Not one item is a valid event."},
    503: {"model": Problem, "description": "Not durable; send it again after Retry-After."},
}


Endpoint = Callable[[Request], Awaitable[Response]]
PORTAL_EVENTS = "/api/v1/portal/events"
INDICATOR_EVENTS = "/api/v1/indicator-events"


def endpoints(intake: Intake, gate: Gate) -> dict[str, Endpoint]:
    """Path -> what answers a POST there."""

    async def portal_events(request: Request) -> Response:
        """Canonical dossier events: one object, an array, NDJSON, or CloudEvents in any mode."""
        return await _receive(request, intake, DOSSIERS, "portal", gate)

    async def indicator_events(request: Request) -> Response:
        """Every other kind of indicator event, declared, verified or rejected; the same forms."""
        return await _receive(request, intake, CLAIMS_DOOR, "indicator", gate)

    return {PORTAL_EVENTS: portal_events, INDICATOR_EVENTS: indicator_events}


def doors(found: dict[str, Endpoint]) -> APIRouter:
    """The routes of intake, documented."""
    api = APIRouter(tags=["intake"])
    dossier = _documented([_schema(DossierRecorded)], DossierRecorded.example)
    claims = _documented([_schema(claim) for claim in CLAIMS], FigureReported.example)
    for path, extra in ((PORTAL_EVENTS, dossier), (INDICATOR_EVENTS, claims)):
        api.add_api_route(
            path,
            found[path],
            methods=["POST"],
            status_code=202,
            responses=_ANSWERS,
            openapi_extra=extra | access(Role.PORTAL),
            response_class=Response,
        )
    return api


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(ref_template="#/components/schemas/{model}")
