"""Why something cannot be done, or must be mended first: each code with its status and its words in both languages."""

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from services.intake.workspace.application import BusyError, UnknownPlaceError
from services.intake.workspace.domain.evidence import EvidenceError
from services.intake.workspace.domain.report import NotReadyError, ReportError
from services.intake.workspace.domain.values import Fault
from services.runtime.web.formats import Lang
from services.runtime.web.site import Site, error_in_words, wants_page

Said = tuple[int, str, str]
REFUSED: dict[str, Said] = {
    "locked": (
        409,
        "Mục này đã gửi và đang chờ thẩm định nên không sửa được. Hãy rút báo cáo, hoặc chờ kết quả.",
        "This item was handed in and waits for review. Withdraw the report, or wait for the decision.",
    ),
    "changed_elsewhere": (
        409,
        "Mục này vừa được lưu ở một cửa sổ hoặc một người khác. Hãy tải lại trang để xem bản mới rồi sửa tiếp.",
        "This item was just saved in another window or by somebody else. Load the page again, then go on.",
    ),
    "not_asked": (
        409,
        "Tiêu chí này không cần kê khai trong tháng này.",
        "Nothing is asked for this indicator this month.",
    ),
    "too_early": (409, "Tháng này chưa bắt đầu.", "This month has not begun."),
    "not_ready": (
        422,
        "Còn {0} chỗ cần bổ sung trước khi gửi.",
        "{0} things must be mended before it can be handed in.",
    ),
    "nothing_new": (
        409,
        "Không có gì mới để gửi: các mục đều giống lần gửi trước.",
        "There is nothing new to hand in: every item is as it was.",
    ),
    "not_submitted": (409, "Báo cáo chưa được gửi.", "The report has not been handed in."),
    "review_began": (
        409,
        "Cơ quan thường trực đã bắt đầu thẩm định nên không rút được nữa.",
        "The review has begun: the report can no longer be withdrawn.",
    ),
    "no_item": (404, "Không có mục này để thẩm định.", "There is no such item to review."),
    "changed_meanwhile": (
        409,
        "Mục này đã thay đổi sau khi anh/chị mở trang. Hãy tải lại và xem bản mới.",
        "This item changed after you opened it. Load it again and look at the new version.",
    ),
    "decided_already": (
        409,
        "Mục này đã có quyết định của người khác.",
        "Somebody else has decided on this already.",
    ),
    "not_decided": (
        409,
        "Mục này đang chờ quyết định nên không cần mở lại.",
        "This item waits for a decision already: there is nothing to take back.",
    ),
    "not_lifted": (
        409,
        "Không có việc miễn loại trừ nào đang có hiệu lực để hủy.",
        "No lifting of an exclusion is in force here that could be taken back.",
    ),
    "reason_missing": (
        422,
        "Hãy ghi lý do: đơn vị cần biết phải làm gì.",
        "Give a reason: the unit must know what to do.",
    ),
    "reason_unknown": (
        422,
        "Hãy chọn lý do bỏ loại trừ.",
        "Choose why the exclusion is lifted.",
    ),
    "correction_unclear": (
        422,
        "Số liệu sửa còn thiếu hoặc không hợp lệ.",
        "The corrected figures are incomplete or not valid.",
    ),
    "own_unit": (
        403,
        "Không ai thẩm định tài liệu của chính đơn vị mình.",
        "Nobody reviews the claims of their own unit.",
    ),
    "appeal_too_late": (
        409,
        "Đã quá hạn khiếu nại (hạn cuối {0}).",
        "It is too late to appeal (the last day was {0}).",
    ),
    "appealed_already": (
        409,
        "Khiếu nại về việc này đang chờ trả lời.",
        "An appeal about this waits for its answer.",
    ),
    "no_exclusion": (
        409,
        "Đơn vị không bị loại trừ theo quy định này trong tháng này.",
        "The unit is not excluded by this rule in this month.",
    ),
    "no_decision": (
        409,
        "Mục này chưa có quyết định thẩm định để khiếu nại.",
        "There is no decision on this item that could be contested.",
    ),
    "too_large": (
        413,
        "Tệp lớn hơn 50 MB. Hãy chia nhỏ hoặc nén lại.",
        "The file is larger than 50 MiB. Split it or make it smaller.",
    ),
    "type_refused": (
        415,
        "Không nhận loại tệp này ({0}). Hãy gửi PDF, ảnh, Word, Excel, PowerPoint hoặc âm thanh.",
        "This kind of file is not taken ({0}). Send PDF, pictures, Word, Excel, PowerPoint or audio.",
    ),
    "too_slow": (
        408,
        "Tải lên quá lâu (trên 30 phút). Hãy thử lại khi mạng tốt hơn, hoặc gửi tệp nhỏ hơn.",
        "The upload took more than 30 minutes. Try again on a better connection, or send a smaller file.",
    ),
    "empty": (422, "Tệp rỗng.", "The file is empty."),
    "no_file": (422, "Hãy chọn một tệp.", "Choose a file."),
    "too_many_files": (
        409,
        "Mỗi tiêu chí nhận tối đa {0} tệp một tháng.",
        "At most {0} files for an indicator in a month.",
    ),
    "sheet_unreadable": (
        422,
        "Không đọc được tệp Excel này. Hãy dùng mẫu tải về từ trang này.",
        "This Excel file cannot be read. Use the template from this page.",
    ),
    "sheet_faulty": (
        422,
        "Bảng còn {0} ô sai; chưa có gì được lưu.",
        "{0} cells of the sheet are wrong; nothing was saved.",
    ),
    "busy": (
        503,
        "Nhiều người đang sửa cùng lúc. Hãy thử lại.",
        "Many people are changing this at once. Try again.",
    ),
    "not_found": (
        404,
        "Không có mục này, hoặc anh/chị không được xem.",
        "There is no such thing, or you may not see it.",
    ),
}
FAULTS: dict[str, tuple[str, str]] = {
    "missing": ("Chưa điền.", "Not filled in."),
    "nothing_said": (
        "Chưa có số liệu. Hãy điền, hoặc ghi giải trình vào ghi chú.",
        "Nothing is filled in. Fill it in, or explain in the note.",
    ),
    "evidence_missing": (
        "Thiếu minh chứng. Hãy đính kèm tệp, hoặc ghi giải trình vào ghi chú.",
        "Evidence is missing. Attach a file, or explain in the note.",
    ),
    "list_missing": (
        "Hãy ghi ngày gửi danh sách; không có danh sách thì không có điểm.",
        "Say when the list was sent; without it there are no points.",
    ),
    "unknown_item": ("Không có mục này.", "There is no such thing on the list."),
    "too_early": ("Ngày phải từ {0} trở đi.", "The date must be {0} or later."),
    "too_late": ("Ngày phải đến {0} là muộn nhất.", "The date must be {0} at the latest."),
    "person_twice": ("Mã người này đã có ở dòng trên.", "This person stands above already."),
    "before_sent": ("Ngày đăng trước ngày gửi.", "Published before it was sent."),
    "before_received": ("Ngày này trước ngày nhận.", "Before it was received."),
    "not_a_number": (
        "Cần số nguyên không âm, dưới 1 tỷ.",
        "A whole number from 0 up, below a billion, is wanted.",
    ),
    "not_a_date": ("Cần ngày dạng 15/07/2023.", "A date such as 2023-07-15 is wanted."),
    "too_long": ("Dài quá {0} ký tự.", "Longer than {0} characters."),
    "locked": (
        "Mục này đang chờ thẩm định nên không sửa được.",
        "This item waits for review and cannot be changed.",
    ),
    "not_yes_no": ("Cần “có” hoặc “không”.", "“có” (yes) or “không” (no) is wanted."),
}


def refusal_in(lang: Lang, code: str, values: tuple[str, ...] = ()) -> str:
    """Why not, in one language."""
    _, vi, en = REFUSED[code]
    return (vi if lang == "vi" else en).format(*values)


def fault_in(lang: Lang, fault: Fault) -> str:
    """What to mend, in one language; dates as that language writes them."""
    vi, en = FAULTS[fault.code]
    values = [_date_in(lang, value) for value in fault.values]
    return (vi if lang == "vi" else en).format(*values)


def _date_in(lang: Lang, value: str) -> str:
    parts = value.split("-")
    if lang == "en" or [len(part) for part in parts] != [4, 2, 2]:
        return value
    return "/".join(reversed(parts))


def fault_json(fault: Fault) -> dict[str, str]:
    """What to mend, as the API says it."""
    return {
        "indicator": fault.indicator,
        "field": fault.field,
        "code": fault.code,
        "vi": fault_in("vi", fault),
        "en": fault_in("en", fault),
    }


def refused(error: Exception) -> Response:
    """The HTTP answer to an expected refusal."""
    code, values = _code_of(error)
    body: dict[str, object] = {
        "error": code,
        "vi": refusal_in("vi", code, values),
        "en": refusal_in("en", code, values),
    }
    if isinstance(error, NotReadyError):
        body["fields"] = [fault_json(fault) for fault in error.faults]
    return JSONResponse(body, REFUSED[code][0])


def _code_of(error: Exception) -> tuple[str, tuple[str, ...]]:
    match error:
        case ReportError() | EvidenceError():
            return error.code, error.values
        case BusyError():
            return "busy", ()
        case _:
            return "not_found", ()


def refusal_of(error: Exception, lang: Lang) -> tuple[int, str]:
    """(status, words) of an expected refusal, for a page."""
    code, values = _code_of(error)
    return REFUSED[code][0], refusal_in(lang, code, values)


EXPECTED = (ReportError, EvidenceError, BusyError, UnknownPlaceError)


def answer_refusals(app: FastAPI, site: Site) -> None:
    """Let every expected refusal be answered in its words."""

    async def on_refusal(request: Request, error: Exception) -> Response:
        if not wants_page(request):
            return refused(error)
        words = site.words_for(request)
        status, said = refusal_of(error, words.lang)
        title, _ = error_in_words(words, status)
        return site.failure(request, status, title, said)

    for kind in EXPECTED:
        app.add_exception_handler(kind, on_refusal)
