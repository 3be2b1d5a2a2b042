"""The API of accounts and sessions, below `/api/v1`."""

from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Path, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from services.runtime.access.accounts import (
    Account,
    AccountError,
)
from services.runtime.access.application import Access, WrongPasswordError
from services.runtime.access.bodies import (
    Invited,
    NewPerson,
    OwnSession,
    PasswordChange,
    PersonChange,
    Problem,
    SignIn,
    Whoami,
)
from services.runtime.access.forms import MOST_BYTES, visitor_of
from services.runtime.access.guard import (
    Guard,
    forget_session,
    remember_session,
    session_secret,
)
from services.runtime.access.passwords import PasswordRuleError
from services.runtime.access.rules import access as rule, everybody, signed_in
from services.runtime.access.sessions import hash_of
from services.runtime.access.throttle import ThrottledError
from services.runtime.auth import Principal, Role

Code = Annotated[str, Path(max_length=64, examples=["k7m2p9qrst"])]


def access_api(access: Access, guard: Guard) -> APIRouter:
    """The routes `/api/v1/session`, `/api/v1/account/…`, `/api/v1/people…`."""
    api = APIRouter(prefix="/api/v1", tags=["people"], max_body_size=MOST_BYTES)
    _add_session(api, access, guard)
    _add_account(api, access, guard)
    _add_people(api, access, guard)
    return api


def _refused(status: int, what: str) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Problem, "description": what}}


_WRONG = _refused(401, "Login and password do not belong together.")
_SLOW = _refused(429, "Too many tries; again after Retry-After.")
_GONE = _refused(404, "There is none, or it is somebody else's.")
_CONFLICT = _refused(409, "The login is taken, or nobody could administer any more.")


def _add_session(api: APIRouter, access: Access, guard: Guard) -> None:
    @api.post(
        "/session",
        status_code=204,
        summary="Sign in; the answer sets the cookie of the session",
        responses=_WRONG | _SLOW,
        openapi_extra=everybody(),
    )
    async def sign_in(request: Request, asked: SignIn) -> Response:
        secret = await access.sign_in(asked.login, asked.password, visitor_of(request))
        response = Response(status_code=204)
        remember_session(response, request, secret)
        return response

    @api.get("/session", summary="Who one is", openapi_extra=signed_in())
    async def whoami(request: Request) -> Whoami:
        return Whoami.of(await guard.require(request))

    @api.delete("/session", status_code=204, summary="Sign out", openapi_extra=signed_in())
    async def sign_out(request: Request) -> Response:
        await guard.require(request)
        secret = session_secret(request)
        if secret is not None:
            await access.sign_out(secret)
        response = Response(status_code=204)
        forget_session(response, request)
        return response


def _add_account(api: APIRouter, access: Access, guard: Guard) -> None:
    @api.post(
        "/account/password",
        status_code=204,
        summary="Change one's own password; other sessions end",
        responses=_refused(422, "The old password is wrong, or the new one breaks a rule.")
        | _SLOW
        | _GONE,
        openapi_extra=signed_in(),
    )
    async def change_password(request: Request, asked: PasswordChange) -> Response:
        own = await guard.require(request)
        secret, visitor = session_secret(request), visitor_of(request)
        await access.change_password(own.subject, asked.old, asked.new, visitor, secret)
        return Response(status_code=204)

    @api.get("/account/sessions", summary="Where one is signed in", openapi_extra=signed_in())
    async def sessions(request: Request) -> list[OwnSession]:
        own = await guard.require(request)
        secret = session_secret(request)
        this = hash_of(secret) if secret else ""
        return [
            OwnSession.of(session, this) for session in await access.sessions_of(own.subject)
        ]

    @api.delete(
        "/account/sessions/{session}",
        status_code=204,
        summary="End one of one's own sessions",
        responses=_GONE,
        openapi_extra=signed_in(),
    )
    async def revoke(request: Request, session: str) -> Response:
        own = await guard.require(request)
        await access.revoke(own.subject, session)
        return Response(status_code=204)


def _add_people(api: APIRouter, access: Access, guard: Guard) -> None:
    only = rule(Role.ADMIN)

    @api.get("/people", summary="All accounts", openapi_extra=only)
    async def people(request: Request) -> list[Account]:
        await guard.require(request, Role.ADMIN)
        return await access.accounts()

    @api.post(
        "/people",
        status_code=201,
        summary="Make an account",
        responses=_CONFLICT,
        openapi_extra=only,
    )
    async def add(request: Request, new: NewPerson) -> Invited:
        admin = await guard.require(request, Role.ADMIN)
        account = await access.add(admin.subject, new)
        return await _invited(access, admin, account)

    @api.get("/people/{code}", summary="One account", responses=_GONE, openapi_extra=only)
    async def person(request: Request, code: Code) -> Account:
        await guard.require(request, Role.ADMIN)
        return await access.account(code)

    @api.patch(
        "/people/{code}",
        summary="Change name, grants, units or whether the account is open",
        responses=_GONE | _CONFLICT,
        openapi_extra=only,
    )
    async def change(request: Request, code: Code, asked: PersonChange) -> Account:
        admin = await guard.require(request, Role.ADMIN)
        changes = asked.model_dump(exclude_none=True, exclude={"reason"})
        return await access.change(admin.subject, code, changes, asked.reason)

    @api.post(
        "/people/{code}/link",
        status_code=201,
        summary="A new one-time link to set a password",
        responses=_GONE,
        openapi_extra=only,
    )
    async def link(request: Request, code: Code) -> Invited:
        admin = await guard.require(request, Role.ADMIN)
        return await _invited(access, admin, await access.account(code))


async def _invited(access: Access, admin: Principal, account: Account) -> Invited:
    code = await access.make_link(admin.subject, account.code)
    return Invited(account=account, link=f"/welcome?code={code}")


def answer_problems(app: FastAPI) -> None:
    """The one table from what was refused to the answer."""
    for kind in (AccountError, WrongPasswordError, PasswordRuleError, ThrottledError):
        app.add_exception_handler(kind, _on_problem)


async def _on_problem(request: Request, error: Exception) -> Response:
    headers = {}
    match error:
        case AccountError():
            status = 409
            problem = Problem(error=error.code, vi=error.vi, en=error.en)
        case PasswordRuleError():
            status = 422
            problem = Problem(error="password_rule", vi=error.vi, en=error.en)
        case ThrottledError():
            status = 429
            headers = {"Retry-After": str(error.retry_after)}
            problem = Problem(
                error="throttled",
                vi=f"Đã thử quá nhiều lần. Hãy đợi {error.retry_after} giây.",
                en=f"Too many tries. Wait {error.retry_after} seconds.",
            )
        case WrongPasswordError():
            status = 422 if session_secret(request) else 401
            problem = Problem(
                error="wrong_password",
                vi="Tên đăng nhập hoặc mật khẩu không đúng.",
                en="Login or password is wrong.",
            )
        case _:
            raise error
    return JSONResponse(problem.model_dump(), status, headers)
