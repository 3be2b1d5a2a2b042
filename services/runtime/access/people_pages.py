"""The administrator's pages: who has an account, and what they may do."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from services.runtime.access.accounts import Account, AccountError, NewAccount
from services.runtime.access.application import Access
from services.runtime.access.choices import (
    BELONGS,
    PLAIN_ROLES,
    UNIT_ROLES,
    Filled,
    UnitGroup,
    Units,
    filled_by,
    labels_of,
    read,
)
from services.runtime.access.forms import MOST_BYTES, field, read_form
from services.runtime.access.guard import Guard
from services.runtime.access.rules import access as rule, all_of
from services.runtime.auth import Role
from services.runtime.web.i18n import Words
from services.runtime.web.site import Site

_SEE = 303


def people_pages(access: Access, guard: Guard, site: Site, units: Units) -> APIRouter:
    """The routes below `/people`."""
    router = APIRouter(
        include_in_schema=False, default_response_class=HTMLResponse, max_body_size=MOST_BYTES
    )
    form = _PeoplePages(site, units)
    _add_list(router, access, guard, form)
    _add_new(router, access, guard, form)
    _add_one(router, access, guard, form)
    _add_actions(router, access, guard, form)
    return all_of(router, rule(Role.ADMIN))


class _PeoplePages:
    """The pages that list accounts, and with which one is made or changed."""

    def __init__(self, site: Site, units: Units) -> None:
        self.site = site
        self._units = units

    def list(self, request: Request, accounts: Sequence[Account]) -> HTMLResponse:
        """The page that leads to all of them."""
        labels = labels_of(self._units(self.site.words_for(request).lang))
        return self.site.page(request, "people.html", accounts=accounts, labels=labels)

    def page(
        self,
        request: Request,
        filled: Filled,
        account: Account | None = None,
        link: str = "",
        *,
        done: bool = False,
    ) -> HTMLResponse:
        words = self.site.words_for(request)
        groups = self._units(words.lang)
        return self.site.page(
            request,
            "person.html",
            status=422 if filled.trouble else 200,
            filled=filled,
            account=account,
            link=link,
            done=done,
            labels=labels_of(groups),
            groups=[*groups, *_unknown(groups, filled, words)],
            plain_roles=PLAIN_ROLES,
            columns=(*UNIT_ROLES, BELONGS),
        )


def _unknown(groups: Iterable[UnitGroup], filled: Filled, words: Words) -> list[UnitGroup]:
    """Units that the account has and no plan names any more: they stay until they are taken away."""
    known = {code for group in groups for code, _ in group.units}
    had = {
        *filled.belongs_to,
        *(unit for role in UNIT_ROLES for unit in filled.grants.get(role, ())),
    }
    if not had - known:
        return []
    units = tuple((code, code) for code in sorted(had - known))
    return [UnitGroup(words.gettext("Đơn vị không còn trong kế hoạch"), units)]


def _add_list(router: APIRouter, access: Access, guard: Guard, form: _PeoplePages) -> None:
    @router.get("/people")
    async def people(request: Request) -> HTMLResponse:
        """All accounts."""
        await guard.require(request, Role.ADMIN)
        return form.list(request, await access.accounts())


def _add_new(router: APIRouter, access: Access, guard: Guard, form: _PeoplePages) -> None:
    @router.get("/people/new")
    async def new_person(request: Request) -> HTMLResponse:
        """An empty form."""
        await guard.require(request, Role.ADMIN)
        return form.page(request, Filled())

    @router.post("/people/new")
    async def add_person(request: Request) -> Response:
        """Make the account and show its link."""
        admin = await guard.require(request, Role.ADMIN)
        filled, words = read(await read_form(request)), form.site.words_for(request)
        try:
            new = NewAccount(
                login=filled.login,
                name=filled.name,
                grants=filled.grants,
                belongs_to=filled.belongs_to,
            )
            account = await access.add(admin.subject, new)
        except (ValidationError, AccountError) as error:
            return form.page(request, replace(filled, trouble=_trouble(error, words)))
        link = await access.make_link(admin.subject, account.code)
        return form.page(request, filled_by(account), account, _address(request, link))


def _add_one(router: APIRouter, access: Access, guard: Guard, form: _PeoplePages) -> None:
    @router.get("/people/{code}")
    async def person(request: Request, code: str, done: str = "") -> HTMLResponse:
        """One account."""
        await guard.require(request, Role.ADMIN)
        account = await access.account(code)
        return form.page(request, filled_by(account), account, done=bool(done))

    @router.post("/people/{code}")
    async def change_person(request: Request, code: str) -> Response:
        """Change name, grants and units."""
        admin = await guard.require(request, Role.ADMIN)
        account, words = await access.account(code), form.site.words_for(request)
        filled = replace(read(await read_form(request), account), login=account.login)
        try:
            new = NewAccount(
                login=account.login,
                name=filled.name,
                grants=filled.grants,
                belongs_to=filled.belongs_to,
            )
            changes = new.model_dump(exclude={"login"})
            await access.change(admin.subject, code, changes, filled.reason)
        except (ValidationError, AccountError) as error:
            filled = replace(filled, trouble=_trouble(error, words))
            return form.page(request, filled, account)
        return RedirectResponse(f"/people/{code}?done=1", _SEE)


def _add_actions(router: APIRouter, access: Access, guard: Guard, form: _PeoplePages) -> None:
    @router.post("/people/{code}/link")
    async def link_person(request: Request, code: str) -> HTMLResponse:
        """Make a new link and show it this once."""
        admin = await guard.require(request, Role.ADMIN)
        account = await access.account(code)
        link = await access.make_link(admin.subject, code)
        return form.page(request, filled_by(account), account, _address(request, link))

    @router.post("/people/{code}/open")
    async def open_person(request: Request, code: str) -> Response:
        """Disable the account, or open it again."""
        admin = await guard.require(request, Role.ADMIN)
        account, words = await access.account(code), form.site.words_for(request)
        sent = await read_form(request)
        changes = {"disabled": field(sent, "disabled") == "yes"}
        try:
            await access.change(admin.subject, code, changes, field(sent, "reason"))
        except AccountError as error:
            filled = replace(filled_by(account), trouble=_trouble(error, words))
            return form.page(request, filled, account)
        return RedirectResponse(f"/people/{code}?done=1", _SEE)


def _address(request: Request, link: str) -> str:
    return f"{request.url.scheme}://{request.url.netloc}/welcome?code={link}"


def _trouble(error: Exception, words: Words) -> str:
    """What to do, in the reader's language."""
    if isinstance(error, AccountError):
        return error.vi if words.lang == "vi" else error.en
    fields = (
        {str(fault["loc"][0]) for fault in error.errors()}
        if isinstance(error, ValidationError)
        else set()
    )
    said = {
        "login": words.gettext(
            "Tên đăng nhập phải có từ 2 đến 200 ký tự, không có khoảng trắng."
        ),
        "name": words.gettext("Hãy ghi họ tên, nhiều nhất 200 ký tự."),
    }
    found = [text for name, text in said.items() if name in fields]
    return " ".join(found) or words.gettext(
        "Quyền hoặc đơn vị đã chọn không hợp lệ. Hãy chọn lại."
    )
