"""The pages with which people sign in, sign out, and look after their own account."""

from dataclasses import dataclass, replace
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.responses import RedirectResponse, Response

from services.runtime.access.accounts import Account
from services.runtime.access.application import Access, LinkSpentError, WrongPasswordError
from services.runtime.access.forms import Form, field, read_form, visitor_of
from services.runtime.access.guard import (
    Guard,
    forget_session,
    remember_session,
    session_secret,
)
from services.runtime.access.passwords import SHORTEST, PasswordRuleError
from services.runtime.access.refusals import local_path
from services.runtime.access.sessions import hash_of
from services.runtime.access.throttle import ThrottledError
from services.runtime.access.words import in_minutes, role_name, units_in_words
from services.runtime.web.i18n import Words
from services.runtime.web.site import Site

_SEE = 303
_TOOLS = (role_name, units_in_words)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the sign-in page shows."""

    onward: str
    """Where to go then."""
    login: str = ""
    trouble: str = ""


def access_site(name: str) -> Site:
    """Templates, static files and words of these pages."""
    return Site("access", Path(__file__).parent, name, _TOOLS)


def pages(access: Access, guard: Guard, site: Site) -> APIRouter:
    """The routes `/sign-in`, `/sign-out`, `/welcome`, `/account` and their static files."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    router.include_router(site.router())
    _add_sign_in(router, access, guard, site)
    _add_sign_out(router, access)
    _add_welcome(router, access, site)
    _add_account(router, access, guard, site)
    _add_sessions(router, access, guard)
    return router


def _add_sign_in(router: APIRouter, access: Access, guard: Guard, site: Site) -> None:
    @router.get("/sign-in")
    async def sign_in_page(request: Request, next: str = "/") -> Response:  # noqa: A002 - its name in the address
        """Ask who it is."""
        if await guard.principal(request) is not None:
            return RedirectResponse(local_path(next), _SEE)
        return site.page(request, "sign_in.html", asked=Asked(local_path(next)))

    @router.post("/sign-in")
    async def sign_in(request: Request) -> Response:
        """Let somebody in."""
        form = await read_form(request)
        login, onward = field(form, "login"), local_path(field(form, "next"))
        words = site.words_for(request)
        try:
            secret = await access.sign_in(login, field(form, "password"), visitor_of(request))
        except WrongPasswordError:
            trouble = words.gettext(
                "Tên đăng nhập hoặc mật khẩu không đúng. Hãy kiểm tra rồi gõ lại."
            )
            asked = Asked(onward, login, trouble)
            return site.page(request, "sign_in.html", status=401, asked=asked)
        except ThrottledError as error:
            return _slow_down(site, request, error, Asked(onward, login))
        return _signed_in(request, secret, onward)


def _signed_in(request: Request, secret: str, onward: str) -> Response:
    response = RedirectResponse(onward, _SEE)
    remember_session(response, request, secret)
    return response


def _slow_down(site: Site, request: Request, error: ThrottledError, asked: Asked) -> Response:
    asked = replace(asked, trouble=in_minutes(site.words_for(request), error.retry_after))
    response = site.page(request, "sign_in.html", status=429, asked=asked)
    response.headers["Retry-After"] = str(error.retry_after)
    return response


def _add_sign_out(router: APIRouter, access: Access) -> None:
    @router.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        """End the session."""
        secret = session_secret(request)
        if secret is not None:
            await access.sign_out(secret)
        response = RedirectResponse("/", _SEE)
        forget_session(response, request)
        return response


def _add_welcome(router: APIRouter, access: Access, site: Site) -> None:
    @router.get("/welcome")
    async def welcome_page(request: Request, code: str = "") -> Response:
        """Let the holder of a one-time link set a password."""
        try:
            account = await access.behind_link(code)
        except LinkSpentError:
            return _spent(site, request)
        return _welcome(site, request, account, code)

    @router.post("/welcome")
    async def welcome(request: Request) -> Response:
        """Take the password and sign in."""
        form, words = await read_form(request), site.words_for(request)
        code = field(form, "code")
        try:
            account = await access.behind_link(code)
        except LinkSpentError:
            return _spent(site, request)
        if trouble := _differs(words, form):
            return _welcome(site, request, account, code, trouble)
        try:
            secret = await access.welcome(code, field(form, "new"), visitor_of(request))
        except LinkSpentError:
            return _spent(site, request)
        except PasswordRuleError as error:
            return _welcome(site, request, account, code, _rule(words, error))
        return _signed_in(request, secret, "/account?done=password")


def _welcome(
    site: Site, request: Request, account: Account, code: str, trouble: str = ""
) -> Response:
    return site.page(
        request,
        "welcome.html",
        status=422 if trouble else 200,
        account=account,
        code=code,
        trouble=trouble,
        shortest=SHORTEST,
    )


def _spent(site: Site, request: Request) -> Response:
    words = site.words_for(request)
    return site.failure(
        request,
        404,
        words.gettext("Đường dẫn này không còn dùng được"),
        words.gettext(
            "Mỗi đường dẫn chỉ dùng được một lần và trong ba ngày. Hãy xin người quản trị một đường dẫn mới."
        ),
        "/sign-in",
    )


def _differs(words: Words, form: Form) -> str:
    if field(form, "new") == field(form, "again"):
        return ""
    return words.gettext("Hai lần gõ mật khẩu mới không giống nhau. Hãy gõ lại cả hai.")


def _rule(words: Words, error: PasswordRuleError) -> str:
    return error.vi if words.lang == "vi" else error.en


def _add_account(router: APIRouter, access: Access, guard: Guard, site: Site) -> None:
    @router.get("/account")
    async def account_page(request: Request, done: str = "") -> Response:
        """One's own account."""
        own = await guard.require(request)
        return await _account(access, site, request, own.subject, done=done)

    @router.post("/account/password")
    async def change_password(request: Request) -> Response:
        """Take a new password."""
        own = await guard.require(request)
        form = await read_form(request)
        words = site.words_for(request)
        try:
            trouble = _differs(words, form)
            if not trouble:
                await access.change_password(
                    own.subject,
                    field(form, "old"),
                    field(form, "new"),
                    visitor_of(request),
                    session_secret(request),
                )
        except WrongPasswordError:
            trouble = words.gettext("Mật khẩu hiện tại không đúng.")
        except PasswordRuleError as error:
            trouble = _rule(words, error)
        except ThrottledError as error:
            trouble = in_minutes(words, error.retry_after)
        if trouble:
            return await _account(access, site, request, own.subject, trouble)
        return RedirectResponse("/account?done=password", _SEE)


def _add_sessions(router: APIRouter, access: Access, guard: Guard) -> None:
    @router.post("/account/sessions/{session}/end")
    async def revoke(request: Request, session: str) -> Response:
        """End one of one's own sessions."""
        own = await guard.require(request)
        await access.revoke(own.subject, session)
        return RedirectResponse("/account?done=session", _SEE)

    @router.post("/account/sessions/end-others")
    async def revoke_others(request: Request) -> Response:
        """End all of one's own sessions but this one."""
        own = await guard.require(request)
        await access.revoke_others(own.subject, session_secret(request))
        return RedirectResponse("/account?done=session", _SEE)


async def _account(
    access: Access, site: Site, request: Request, code: str, trouble: str = "", done: str = ""
) -> Response:
    secret = session_secret(request)
    return site.page(
        request,
        "account.html",
        status=422 if trouble else 200,
        account=await access.account(code),
        sessions=await access.sessions_of(code),
        this=hash_of(secret) if secret else "",
        trouble=trouble,
        done=done,
        shortest=SHORTEST,
    )
