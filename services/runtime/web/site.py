"""A service's pages: templates in two languages, its static files, strict headers, and one way to fail."""

from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlencode

from fastapi import APIRouter, FastAPI, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    StrictUndefined,
    select_autoescape,
)
from starlette.exceptions import HTTPException

from services.runtime.web import i18n
from services.runtime.web.assets import Assets
from services.runtime.web.formats import Lang
from services.runtime.web.i18n import Words
from services.runtime.web.navigation import head_of

HERE = Path(__file__).parent
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; object-src 'none'; "
    "frame-ancestors 'none'; form-action 'self'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "Vary": "Accept-Language, Cookie",
    "X-Content-Type-Options": "nosniff",
}
"""Sent with every page: nothing from elsewhere, nothing inline, nobody frames it."""
_COOKIE_SECONDS = 365 * 24 * 3600


class Site:
    """The pages of one service; `folder` holds `templates/`, `static/` and `locale/`.

    Templates may call the `tools` by their names.
    """

    def __init__(
        self, area: str, folder: Path, name: str, tools: Iterable[Callable[..., object]] = ()
    ) -> None:
        self.name = name
        self.assets = {
            "web": Assets("web", HERE / "static"),
            area: Assets(area, folder / "static"),
        }
        self.words = i18n.load([HERE / "locale", folder / "locale"])
        self._environments = {
            lang: _environment(folder, words) for lang, words in self.words.items()
        }
        for environment in self._environments.values():
            environment.globals.update({tool.__name__: tool for tool in tools})

    def router(self) -> APIRouter:
        """The routes of the static files."""
        router = APIRouter()
        for assets in self.assets.values():
            router.include_router(assets.router())
        return router

    def words_for(self, request: Request) -> Words:
        """The words in the reader's language."""
        return self.words[i18n.chosen(request)]

    def page(
        self, request: Request, template: str, *, status: int = 200, **context: object
    ) -> HTMLResponse:
        """A page in the reader's language; remembers the language when it was asked for by address."""
        lang = i18n.chosen(request)
        body = (
            self._environments[lang]
            .get_template(template)
            .render(
                site_name=self.name,
                static=self._static,
                languages=_language_links(request),
                head=head_of(request),
                **context,
            )
        )
        response = HTMLResponse(body, status_code=status, headers=HEADERS)
        if request.query_params.get("lang") == lang:
            response.set_cookie(
                i18n.COOKIE, lang, max_age=_COOKIE_SECONDS, samesite="lax", httponly=True
            )
        return response

    def render(self, lang: Lang, template: str, **context: object) -> str:
        """A page outside any request, such as a file for another server."""
        found = self._environments[lang].get_template(template)
        return found.render(site_name=self.name, static=self._static, **context)

    def failure(
        self, request: Request, status: int, title: str, advice: str, back: str = "/"
    ) -> HTMLResponse:
        """The page that says what is not here, and what to do next."""
        return self.page(
            request, "failure.html", status=status, heading=title, advice=advice, back=back
        )

    def _static(self, area: str, name: str) -> str:
        return self.assets[area].url(name)


def answer_errors_with_pages(app: FastAPI, site: Site) -> None:
    """Give people who ask for HTML outside `/api` an error page; programs keep their JSON."""

    async def on_http_error(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        if not wants_page(request):
            detail: object = (
                error.detail
            )  # typed as text, but anything that is JSON may be raised
            if isinstance(detail, dict):
                return JSONResponse(detail, error.status_code, error.headers)
            return await http_exception_handler(request, error)
        title, advice = error_in_words(site.words_for(request), error.status_code)
        return site.failure(request, error.status_code, title, advice)

    async def on_any_error(request: Request, _: Exception) -> Response:
        if not wants_page(request):
            return PlainTextResponse("Internal Server Error", status_code=500)
        return site.failure(request, 500, *error_in_words(site.words_for(request), 500))

    app.add_exception_handler(RequestValidationError, _on_wrong_parameter)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(Exception, on_any_error)


async def _on_wrong_parameter(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    names = ", ".join(str(fault["loc"][-1]) for fault in error.errors())
    body = {
        "error": "parameter",
        "vi": f"Tham số không hợp lệ: {names}",
        "en": f"Not valid: {names}",
    }
    return JSONResponse(body, 422)


def wants_page(request: Request) -> bool:
    """Whether a person asks, not a program."""
    accepts = request.headers.get("accept", "")
    return "text/html" in accepts and not request.url.path.startswith("/api/")


def error_in_words(words: Words, status: int) -> tuple[str, str]:
    """(heading, advice) for a page that cannot be shown."""
    if status == 404:  # noqa: PLR2004 - not found
        return (
            words.gettext("Không có trang này"),
            words.gettext("Địa chỉ có thể đã gõ sai hoặc đã cũ. Hãy bắt đầu lại từ trang chủ."),
        )
    if status in {401, 403}:
        return (
            words.gettext("Anh/chị chưa có quyền xem trang này"),
            words.gettext(
                "Hãy đăng nhập bằng tài khoản được phân công, hoặc hỏi cơ quan thường trực."
            ),
        )
    return (
        words.gettext("Không mở được trang"),
        words.gettext("Hãy tải lại sau ít phút. Nếu vẫn không được, hãy báo người quản trị."),
    )


def _environment(folder: Path, words: Words) -> Environment:
    environment = Environment(
        loader=ChoiceLoader(
            [FileSystemLoader(folder / "templates"), FileSystemLoader(HERE / "templates")]
        ),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        _=words.gettext,
        gettext=words.gettext,
        plural=words.plural,
        words=words,
        lang=words.lang,
    )
    return environment


def _language_links(request: Request) -> list[tuple[Lang, str]]:
    """Each language with the address of this same page in it."""
    kept = [(k, v) for k, v in request.query_params.multi_items() if k != "lang"]
    return [
        (lang, f"{request.url.path}?{urlencode([*kept, ('lang', lang)])}")
        for lang in i18n.LANGUAGES
    ]
