"""The sign-in page."""

from dataclasses import dataclass, replace

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.responses import RedirectResponse, Response

from services.runtime.access.application import Access, WrongPasswordError
from services.runtime.access.forms import field, read_form, visitor_of
from services.runtime.access.guard import Guard, remember_session
from services.runtime.access.refusals import local_path
from services.runtime.access.throttle import ThrottledError
from services.runtime.access.words import in_minutes
from services.runtime.web.i18n import Words
from services.runtime.web.site import Site

_SEE = 303


@dataclass(frozen=True, slots=True)
class Asked:
    """What the sign-in page shows."""

    onward: str
    """Where to go then."""
    login: str = ""
    trouble: str = ""


class SignInPage:
    """The page that asks who it is, and by which ways that can be said."""

    def __init__(self, site: Site, *, has_provider: bool) -> None:
        self.site = site
        self._has_provider = has_provider

    def show(self, request: Request, asked: Asked, status: int = 200) -> HTMLResponse:
        """The page."""
        return self.site.page(
            request, "sign_in.html", status=status, asked=asked, has_provider=self._has_provider
        )

    def words(self, request: Request) -> Words:
        """The words in the reader's language."""
        return self.site.words_for(request)


def add_sign_in(router: APIRouter, access: Access, guard: Guard, page: SignInPage) -> None:
    """The route `/sign-in`."""

    @router.get("/sign-in")
    async def sign_in_page(request: Request, next: str = "/") -> Response:  # noqa: A002 - its name in the address
        """Ask who it is."""
        if await guard.principal(request) is not None:
            return RedirectResponse(local_path(next), _SEE)
        return page.show(request, Asked(local_path(next)))

    @router.post("/sign-in")
    async def sign_in(request: Request) -> Response:
        """Let somebody in."""
        form = await read_form(request)
        asked = Asked(local_path(field(form, "next")), field(form, "login"))
        words = page.words(request)
        try:
            password = field(form, "password")
            secret = await access.sign_in(asked.login, password, visitor_of(request))
        except WrongPasswordError:
            trouble = words.gettext(
                "Tên đăng nhập hoặc mật khẩu không đúng. Hãy kiểm tra rồi gõ lại."
            )
            return page.show(request, replace(asked, trouble=trouble), 401)
        except ThrottledError as error:
            trouble = in_minutes(words, error.retry_after)
            response = page.show(request, replace(asked, trouble=trouble), 429)
            response.headers["Retry-After"] = str(error.retry_after)
            return response
        return let_in(request, secret, asked.onward)


def let_in(request: Request, secret: str, onward: str) -> Response:
    """Go on, signed in."""
    response = RedirectResponse(onward, _SEE)
    remember_session(response, request, secret)
    return response
