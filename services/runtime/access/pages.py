"""The pages with which people sign in, sign out, and look after their own account."""

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.responses import RedirectResponse, Response

from services.runtime.access.accounts import Account
from services.runtime.access.application import Access, LinkSpentError, WrongPasswordError
from services.runtime.access.choices import Units, labels_of
from services.runtime.access.forms import MOST_BYTES, Form, field, read_form, visitor_of
from services.runtime.access.guard import (
    Guard,
    forget_session,
    session_secret,
)
from services.runtime.access.passwords import SHORTEST, PasswordRuleError
from services.runtime.access.rules import all_of, everybody, signed_in
from services.runtime.access.sessions import hash_of
from services.runtime.access.sign_in import SignInPage, add_sign_in, let_in
from services.runtime.access.throttle import ThrottledError
from services.runtime.access.words import (
    column_name,
    in_minutes,
    role_name,
    state_of,
    units_in_words,
)
from services.runtime.web.i18n import Words
from services.runtime.web.site import Site

_SEE = 303
_TOOLS = (role_name, units_in_words, column_name, state_of)


def access_site(name: str) -> Site:
    """Templates, static files and words of these pages."""
    return Site("access", Path(__file__).parent, name, _TOOLS)


def pages(access: Access, guard: Guard, page: SignInPage, units: Units) -> APIRouter:
    """The routes `/sign-in`, `/sign-out`, `/welcome`, `/account` and their static files."""
    router = APIRouter(
        include_in_schema=False, default_response_class=HTMLResponse, max_body_size=MOST_BYTES
    )
    site = page.site
    router.include_router(site.router())
    add_sign_in(router, access, guard, page)
    _add_sign_out(router, access)
    _add_welcome(router, access, site)
    all_of(router, everybody())
    _add_account(router, guard, _AccountPage(access, site, units))
    _add_sessions(router, access, guard)
    return all_of(router, signed_in())


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
        return let_in(request, secret, "/account?done=password")


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


class _AccountPage:
    """One's own account."""

    def __init__(self, access: Access, site: Site, units: Units) -> None:
        self.access = access
        self.site = site
        self._units = units

    async def show(
        self, request: Request, code: str, trouble: str = "", done: str = ""
    ) -> HTMLResponse:
        """The page."""
        secret = session_secret(request)
        return self.site.page(
            request,
            "account.html",
            status=422 if trouble else 200,
            account=await self.access.account(code),
            sessions=await self.access.sessions_of(code),
            labels=labels_of(self._units(self.site.words_for(request).lang)),
            this=hash_of(secret) if secret else "",
            trouble=trouble,
            done=done,
            shortest=SHORTEST,
        )


def _add_account(router: APIRouter, guard: Guard, page: _AccountPage) -> None:
    @router.get("/account")
    async def account_page(request: Request, done: str = "") -> Response:
        """One's own account."""
        own = await guard.require(request)
        return await page.show(request, own.subject, done=done)

    @router.post("/account/password")
    async def change_password(request: Request) -> Response:
        """Take a new password."""
        own = await guard.require(request)
        form = await read_form(request)
        words = page.site.words_for(request)
        try:
            trouble = _differs(words, form)
            if not trouble:
                await page.access.change_password(
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
            return await page.show(request, own.subject, trouble)
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
