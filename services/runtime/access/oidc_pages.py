"""The two addresses of a sign-in through the office's provider: to go there, and to come back."""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from services.runtime.access.application import Access, UnknownPersonError
from services.runtime.access.forms import visitor_of
from services.runtime.access.guard import remember_session
from services.runtime.access.oidc import FLOW_LIFE, Oidc, OidcError, OidcTrouble
from services.runtime.access.refusals import SIGN_IN, local_path
from services.runtime.access.rules import all_of, everybody
from services.runtime.access.sign_in import Asked, SignInPage
from services.runtime.logging import get_logger
from services.runtime.web.i18n import Words

log = get_logger(__name__)
COOKIE = "oidc"
_SEE = 303


def oidc_pages(access: Access, oidc: Oidc, page: SignInPage) -> APIRouter:
    """The routes below `/sign-in/office`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/sign-in/office")
    async def leave(request: Request, next: str = "/") -> Response:  # noqa: A002 - its name in the address
        """Send the browser to the provider."""
        onward = local_path(next)
        try:
            begun = await oidc.begin(_return_to(request), onward)
        except OidcError as error:
            return _failed(request, page, error, onward)
        response = RedirectResponse(begun.address, _SEE)
        response.set_cookie(
            COOKIE,
            begun.browser_secret,
            max_age=int(FLOW_LIFE.total_seconds()),
            path=SIGN_IN,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return response

    @router.get("/sign-in/office/return")
    async def come_back(request: Request) -> Response:
        """Let in whom the provider vouches for, if they have an account."""
        said, browser = dict(request.query_params), request.cookies.get(COOKIE, "")
        try:
            proven = await oidc.finish(_return_to(request), said, browser)
        except OidcError as error:
            return _failed(request, page, error, "/")
        try:
            visitor = visitor_of(request)
            secret = await access.sign_in_proven(proven.subject, proven.email, visitor)
        except UnknownPersonError:
            asked = Asked(proven.onward, trouble=_nobody(page.words(request)))
            return page.show(request, asked, 403)
        response = RedirectResponse(proven.onward, _SEE)
        response.delete_cookie(COOKIE, path=SIGN_IN)
        remember_session(response, request, secret)
        return response

    return all_of(router, everybody())


def _return_to(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}/sign-in/office/return"


def _failed(request: Request, page: SignInPage, error: OidcError, onward: str) -> Response:
    log.warning("no sign-in through the provider", why=str(error))
    status = 503 if error.trouble is OidcTrouble.UNREACHABLE else 400
    trouble = _in_words(error.trouble, page.words(request))
    return page.show(request, Asked(onward, trouble=trouble), status)


def _nobody(words: Words) -> str:
    return words.gettext(
        "Tài khoản cơ quan này chưa được giao quyền ở đây. Hãy nhờ người quản trị tạo tài khoản theo đúng thư công vụ."
    )


def _in_words(trouble: OidcTrouble, words: Words) -> str:
    match trouble:
        case OidcTrouble.UNREACHABLE:
            return words.gettext(
                "Chưa liên lạc được với hệ thống tài khoản cơ quan. Hãy thử lại sau ít phút, hoặc dùng mật khẩu."
            )
        case OidcTrouble.REFUSED:
            return words.gettext("Hệ thống tài khoản cơ quan không cho đăng nhập. Hãy thử lại.")
        case OidcTrouble.STALE:
            return words.gettext(
                "Lần đăng nhập này đã quá lâu hoặc bắt đầu ở trình duyệt khác. Hãy bắt đầu lại."
            )
        case OidcTrouble.UNTRUSTED:
            return words.gettext(
                "Không xác minh được câu trả lời của hệ thống tài khoản cơ quan. Hãy báo người quản trị."
            )
