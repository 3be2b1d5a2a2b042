"""The pages that say what is not here."""

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.runtime.web.site import Site
from services.scoring.leaderboard.http import retry_after
from services.scoring.turns import BusyError, TooOftenError


def no_board(site: Site, request: Request) -> HTMLResponse:
    """There is no such board."""
    words = site.words_for(request)
    return site.failure(
        request,
        404,
        words.gettext("Không có bảng này"),
        words.gettext(
            "Kế hoạch, khối hoặc kỳ trong địa chỉ không có. Hãy chọn lại từ bảng xếp hạng."
        ),
    )


def no_unit(site: Site, request: Request) -> HTMLResponse:
    """There is no such unit."""
    words = site.words_for(request)
    return site.failure(
        request,
        404,
        words.gettext("Không có đơn vị này"),
        words.gettext(
            "Mã đơn vị, kế hoạch hoặc kỳ trong địa chỉ không có. Hãy chọn lại từ bảng xếp hạng."
        ),
    )


def no_past(site: Site, request: Request) -> HTMLResponse:
    """The day is not one that can be shown."""
    words = site.words_for(request)
    return site.failure(
        request,
        422,
        words.gettext("Không xem được ngày này"),
        words.gettext("Ngày chưa tới hoặc viết sai. Hãy chọn một ngày đã qua."),
    )


def busy(site: Site, request: Request, refused: BusyError) -> HTMLResponse:
    """Too many ask for the past at once, or one of them too often."""
    words = site.words_for(request)
    if isinstance(refused, TooOftenError):
        answer = site.failure(
            request,
            429,
            words.gettext("Đã xem quá nhiều ngày quá khứ"),
            words.plural(
                "Từ địa chỉ mạng này đã có nhiều ngày quá khứ được tính lại. "
                "Ngày đã xem vẫn mở được ngay; ngày mới: hãy thử lại sau %(n)s giây.",
                refused.retry_after,
            ),
        )
    else:
        answer = site.failure(
            request,
            503,
            words.gettext("Đang có nhiều người xem số liệu quá khứ"),
            words.gettext("Mỗi ngày quá khứ được tính lại từ đầu. Hãy thử lại sau ít giây."),
        )
    answer.headers.update(retry_after(refused))
    return answer
