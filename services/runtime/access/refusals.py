"""How a refusal is answered: people get a page or are asked to sign in, programs get JSON."""

from urllib.parse import urlencode, urlsplit

from fastapi import FastAPI, Request
from pymongo.errors import ConnectionFailure
from starlette.responses import JSONResponse, RedirectResponse, Response

from services.runtime.access.http import answer_problems
from services.runtime.audit import AuditBusyError
from services.runtime.auth import AuthError, CrossSiteError
from services.runtime.logging import get_logger
from services.runtime.web.site import Site, error_in_words, wants_page

SIGN_IN = "/sign-in"
_UNKNOWN = 401
_UNAVAILABLE = 503
log = get_logger(__name__)


def local_path(text: str | None) -> str:
    """An address on this site to go on to; `/` for everything that leads elsewhere."""
    if not text or not text.startswith("/") or text.startswith(("//", "/\\")):
        return "/"
    if any(ord(sign) < 32 or sign == "\\" for sign in text):  # noqa: PLR2004 - control characters
        return "/"
    parts = urlsplit(text)
    return "/" if parts.scheme or parts.netloc else text


def sign_in_address(request: Request) -> str:
    """The sign-in page that leads back to what was asked for."""
    wanted = str(request.url.path)
    if request.method not in {"GET", "HEAD"}:
        wanted = urlsplit(request.headers.get("referer", "")).path
    elif request.url.query:
        wanted += f"?{request.url.query}"
    return f"{SIGN_IN}?{urlencode({'next': local_path(wanted)})}"


class Refusals:
    """Answers refusals with the words of one site."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def mount(self, app: FastAPI) -> None:
        """Answer what any route refuses; before the application starts, for it takes no handlers later."""
        app.add_exception_handler(AuthError, self._on_error)
        answer_problems(app)
        for kind in (ConnectionFailure, AuditBusyError):
            app.add_exception_handler(kind, self._on_unavailable)

    async def _on_error(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, AuthError):
            raise error
        return await self.answer(request, error)

    async def _on_unavailable(self, request: Request, error: Exception) -> Response:
        log.warning("the database cannot be reached", error=type(error).__name__)
        if wants_page(request):
            title, advice = error_in_words(self._site.words_for(request), _UNAVAILABLE)
            response: Response = self._site.failure(request, _UNAVAILABLE, title, advice)
        else:
            body = {
                "error": "unavailable",
                "vi": "Chưa đọc, ghi được dữ liệu. Hãy thử lại sau ít giây.",
                "en": "The data cannot be read or written now. Try again in some seconds.",
            }
            response = JSONResponse(body, _UNAVAILABLE)
        response.headers["Retry-After"] = "5"
        return response

    async def answer(self, request: Request, error: AuthError) -> Response:
        """The answer to a refused request."""
        if not wants_page(request):
            body = {"error": error.code, "vi": error.vi, "en": str(error)}
            challenge = {"WWW-Authenticate": "Bearer"} if error.status == _UNKNOWN else {}
            return JSONResponse(body, error.status, challenge)
        if error.status == _UNKNOWN:
            return RedirectResponse(sign_in_address(request), 303)
        words = self._site.words_for(request)
        title, advice = error_in_words(words, error.status)
        if isinstance(error, CrossSiteError):
            advice = error.vi if words.lang == "vi" else error.en
        return self._site.failure(request, error.status, title, advice)
