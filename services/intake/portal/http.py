"""The doors that speak the national form: dossiers and steps, and the login that some senders need."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pymongo.errors import PyMongoError

from services.intake.http import (
    MOST_EVENTS,
    TOO_LARGE,
    UNAVAILABLE,
    Endpoint,
    Refusal,
    RefusedError,
    read_body,
    refusal_of,
)
from services.intake.portal.application import BROKEN, REPEATED, WAITING, Outcome, Receiver
from services.intake.portal.domain import words
from services.intake.portal.domain.dialects import milliseconds
from services.intake.portal.domain.envelopes import Envelope, EnvelopeError, opened
from services.intake.portal.domain.national import read_item
from services.intake.portal.trust import DEFAULT_SOURCE, SESSION_SECONDS, Trust
from services.runtime.access.rules import access, everybody
from services.runtime.auth import AuthError, Role
from services.runtime.journal import JournalUnavailableError

NATIONAL = "/api/v1/portal/national"
LOGIN = "/api/v1/portal/login"
GOOD, ALL_BROKEN, UNREADABLE, WRONG_LOGIN = "0", "1", "2", "3"
MOST_LOGIN_BYTES = 4_096
_ENVELOPE: dict[str, words.Said] = {
    "json": ("Nội dung không phải JSON hợp lệ.", "The body is not valid JSON."),
    "service": (
        "Không có dịch vụ này: dùng DongBoHoSoMC hoặc CapNhatTienDoHoSoMC.",
        "There is no such service: use DongBoHoSoMC or CapNhatTienDoHoSoMC.",
    ),
}


def national_door(receiver: Receiver, trust: Trust) -> Endpoint:
    """What answers a POST of the national payload."""

    async def national(request: Request) -> Response:
        """Dossiers (`DongBoHoSoMC`) and steps (`CapNhatTienDoHoSoMC`) as one-stop systems send them."""
        try:
            return await _national(request, receiver, trust)
        except EnvelopeError as error:
            return _reply(request, UNREADABLE, _ENVELOPE[error.code])
        except AuthError as error:
            return _refused(error)
        except PyMongoError:
            return _transport(UNAVAILABLE)
        except (RefusedError, JournalUnavailableError) as error:
            return _transport(refusal_of(error))

    return national


async def _national(request: Request, receiver: Receiver, trust: Trust) -> Response:
    body = await read_body(request)
    envelope = _opened(request, body)
    sender = await trust.enter(request, "" if envelope is None else envelope.session)
    source = sender.source or DEFAULT_SOURCE
    await trust.admit(request, source, body)
    envelope = envelope or opened(body, request.query_params)
    if len(envelope.items) > MOST_EVENTS:
        raise RefusedError(TOO_LARGE)
    now = milliseconds(receiver.clock.now())
    items = [read_item(item, envelope.service, now) for item in envelope.items]
    outcomes = await receiver.take(source, items, sender.units)
    return _answer(request, outcomes, [getattr(item, "dossier", "") for item in items])


def _opened(request: Request, body: bytes) -> Envelope | None:
    """The envelope, which may hold the session; a fault in it is told only to those who may send."""
    try:
        return opened(body, request.query_params)
    except EnvelopeError:
        return None


def _answer(request: Request, outcomes: Sequence[Outcome], codes: Sequence[str]) -> Response:
    counts = Counter(outcome.what for outcome in outcomes)
    broken = counts[BROKEN]
    kept = len(outcomes) - broken
    vi, en = f"Đã nhận {kept}/{len(outcomes)}.", f"Taken: {kept}/{len(outcomes)}."
    if counts[WAITING]:
        vi += f" {counts[WAITING]} đang chờ cơ quan thường trực xử lý, không cần gửi lại."
        en += f" {counts[WAITING]} wait for the standing office; no need to send them again."
    if broken:
        vi += f" {broken} có lỗi: xem data."
        en += f" {broken} are broken: see data."
    details = [
        {"index": index, "MaHoSo": code, **_detail(request, outcome)}
        for index, (outcome, code) in enumerate(zip(outcomes, codes, strict=True))
    ]
    all_broken = broken and not kept
    return _reply(request, ALL_BROKEN if all_broken else GOOD, (vi, en), details)


_PLAIN: dict[str, words.Said] = {
    "taken": ("Đã nhận", "Taken"),
    REPEATED: ("Đã nhận trước đây", "Taken before"),
}


def _detail(request: Request, outcome: Outcome) -> dict[str, str]:
    if outcome.fault is not None:
        return {"error_code": "1", "message": _in(request, words.of_fault(outcome.fault))}
    if outcome.waits is not None:
        return {"error_code": "0", "message": _in(request, words.of_waits(outcome.waits))}
    return {"error_code": "0", "message": _in(request, _PLAIN[outcome.what])}


def _in(request: Request, said: words.Said) -> str:
    english = request.headers.get("accept-language", "").lower().startswith("en")
    return said[1] if english else said[0]


def _reply(
    request: Request, code: str, said: words.Said, data: list[dict[str, Any]] | None = None
) -> Response:
    """HTTP 200: these senders look at `error_code` alone, and take any other status for a broken line."""
    body = {"error_code": code, "message": _in(request, said), "data": data or []}
    return Response(msgspec.json.encode(body), media_type="application/json")


def _transport(refusal: Refusal) -> Response:
    """What is to be sent again, later or otherwise: a status of its own, and the same words in both forms."""
    body = {"error_code": str(refusal.status), "message": refusal.vi}
    body |= {"error": refusal.error, "vi": refusal.vi, "en": refusal.en}
    wait = refusal.retry_after
    headers = {} if wait is None else {"Retry-After": str(wait)}
    return Response(
        msgspec.json.encode(body), refusal.status, headers, media_type="application/json"
    )


def _refused(error: AuthError) -> Response:
    response = _transport(Refusal(error.status, error.code, error.vi, str(error)))
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


class _Login(msgspec.Struct):
    username: str
    password: str


_login = msgspec.json.Decoder(_Login)


def login_door(trust: Trust) -> Endpoint:
    """What answers a POST of name and password."""

    async def login(request: Request) -> Response:
        """A session for `{username, password}`: `{session, error_code}`; `error_code` is `"0"` when it was given."""
        try:
            body = await read_body(request)
            wanted = _login.decode(body[:MOST_LOGIN_BYTES])
            session = await trust.sign_in(wanted.username, wanted.password)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            session = None
        except RefusedError as error:
            return _transport(error.refusal)
        if session is None:
            said = ("Sai tên hoặc mật khẩu.", "Wrong name or password.")
            answer = {"session": "", "error_code": WRONG_LOGIN, "message": _in(request, said)}
        else:
            answer = {
                "session": session,
                "error_code": GOOD,
                "expires_in": str(SESSION_SECONDS),
            }
        return Response(msgspec.json.encode(answer), media_type="application/json")

    return login


def documented(endpoints: dict[str, Endpoint]) -> APIRouter:
    """The routes of these doors, documented."""
    api = APIRouter(tags=["portal"])
    for path, body in _BODIES.items():
        api.add_api_route(
            path,
            endpoints[path],
            methods=["POST"],
            responses=_ANSWERS,
            openapi_extra={"requestBody": body} | _WHO[path],
            response_class=Response,
        )
    return api


_WHO = {NATIONAL: access(Role.PORTAL), LOGIN: everybody()}
_ITEM = {"type": "object", "additionalProperties": True}
_BODIES: dict[str, Any] = {
    NATIONAL: {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "oneOf": [
                        {"type": "array", "items": _ITEM, "maxItems": MOST_EVENTS},
                        {
                            "type": "object",
                            "properties": {
                                "session": {"type": "string"},
                                "madonvi": {"type": "string"},
                                "service": {"enum": ["DongBoHoSoMC", "CapNhatTienDoHoSoMC"]},
                                "isUpdating": {"type": "string"},
                                "data": {"type": "array", "items": _ITEM},
                            },
                            "required": ["data"],
                        },
                    ]
                }
            }
        },
    },
    LOGIN: {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "username": {"type": "string"},
                        "password": {"type": "string"},
                    },
                    "required": ["username", "password"],
                }
            }
        },
    },
}
_REPLY = {
    "application/json": {
        "schema": {
            "type": "object",
            "properties": {"error_code": {"type": "string"}, "message": {"type": "string"}},
            "required": ["error_code"],
        }
    }
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "Judged: `error_code` says how.", "content": _REPLY},
    401: {"description": "No token or session, or a wrong one.", "content": _REPLY},
    403: {"description": "A wrong role or certificate.", "content": _REPLY},
    409: {"description": "A signature that was used before.", "content": _REPLY},
    413: {"description": "More than 10,000 items or 8 MiB.", "content": _REPLY},
    415: {"description": "A compressed body.", "content": _REPLY},
    429: {"description": "Too fast; again after `Retry-After`.", "content": _REPLY},
    503: {
        "description": "Not durable; all of it again after `Retry-After`.",
        "content": _REPLY,
    },
}
