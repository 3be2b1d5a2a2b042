"""Every expected refusal of this service: its status, and its words in both languages. One table."""

from dataclasses import dataclass, replace

from services.reports.application import NoSuchPackageError
from services.reports.domain.closing import ClosingRefusedError
from services.reports.domain.decisions import DecisionError
from services.reports.domain.nominations import NominationError
from services.reports.domain.record import Finding
from services.reports.domain.workflow import WorkflowError
from services.reports.render.docx import TemplateUnfitError
from services.reports.render.signing import SigningError
from services.reports.store import ChangedMeanwhileError

EXPECTED = (
    ClosingRefusedError,
    NoSuchPackageError,
    DecisionError,
    NominationError,
    WorkflowError,
    SigningError,
    TemplateUnfitError,
    ChangedMeanwhileError,
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What could not be done, and why."""

    status: int
    code: str
    vi: str
    en: str
    findings: tuple[Finding, ...] = ()
    field: str = ""

    def text(self, lang: str) -> str:
        """In the reader's language."""
        return self.vi if lang == "vi" else self.en


_TABLE: dict[str, tuple[int, str, str]] = {
    "no_such_plan": (404, "Không có kế hoạch này.", "There is no such plan."),
    "no_such_period": (404, "Kế hoạch không có kỳ này.", "The plan has no such period."),
    "period_runs": (
        409,
        "Kỳ này chưa kết thúc nên chưa chốt được.",
        "The period still runs and cannot be closed yet.",
    ),
    "not_confirmed": (
        422,
        "Chưa chốt. Hãy đánh dấu ô xác nhận rồi chốt: kỳ đã chốt không mở lại được.",
        "Not closed. Tick the confirmation first: a closed period cannot be opened again.",
    ),
    "no_such_package": (404, "Không có hồ sơ này.", "There is no such package."),
    "changed_meanwhile": (
        409,
        "Có người vừa thay đổi hồ sơ. Hãy tải lại rồi làm lại.",
        "Somebody else has just changed the package. Load it again and repeat.",
    ),
    "not_a_draft": (
        409,
        "Hồ sơ đã qua kiểm tra nên không sửa được. Muốn sửa, hãy trả lại kèm lý do.",
        "The package was checked and does not change any more. Return it with a reason first.",
    ),
    "provisional": (
        409,
        "Hồ sơ còn tạm tính. Các việc phải xong trước được nêu bên dưới.",
        "The package is still provisional. What has to be done first is listed.",
    ),
    "not_checked": (409, "Hồ sơ chưa được kiểm tra.", "The package is not checked."),
    "not_signed": (409, "Hồ sơ chưa được ký.", "The package is not signed."),
    "not_built": (
        409,
        "Tệp hồ sơ đang được dựng. Hãy đợi xong rồi ký.",
        "The archive is still being built. Sign when it is ready.",
    ),
    "same_person": (
        409,
        "Việc này phải do một người khác thực hiện.",
        "Another person has to do this.",
    ),
    "reason_missing": (
        422,
        "Hãy ghi rõ lý do (ít nhất 10 ký tự).",
        "Give a reason (at least 10 characters).",
    ),
    "no_such_item": (
        404,
        "Không còn vấn đề này: có thể đã được giải quyết bằng quyết định khác.",
        "There is no such question any more.",
    ),
    "does_not_fit": (
        422,
        "Lựa chọn không phù hợp: hãy chọn một phương án và xếp đủ các đơn vị.",
        "The answer does not fit: choose an option and put all units in order.",
    ),
    "nothing_to_confirm": (
        409,
        "Không có quyết định nào chờ xác nhận.",
        "No decision waits for a confirmation.",
    ),
    "no_such_unit": (404, "Không có đơn vị này.", "There is no such unit."),
    "no_such_nomination": (404, "Không có đề nghị này.", "There is no such nomination."),
    "person_twice": (
        422,
        "Người này đã có trong danh sách của đơn vị.",
        "This person is on the unit's list already.",
    ),
    "more_votes_than_voters": (
        422,
        "Số phiếu tán thành lớn hơn số người bỏ phiếu.",
        "There are more votes than voters.",
    ),
    "in_the_future": (
        422,
        "Ngày nhận không được sau hôm nay.",
        "A document cannot have come after today.",
    ),
    "quota": (
        409,
        "Đơn vị đã giới thiệu đủ số cá nhân theo kế hoạch.",
        "The unit has proposed as many people as the plan allows.",
    ),
    "unreadable": (422, "Tệp không phải là DOCX đọc được.", "The file is no readable DOCX."),
    "syntax": (422, "Mẫu có cú pháp sai", "The template has a mistake"),
    "unknown_variables": (
        422,
        "Mẫu dùng tên không có trong hồ sơ",
        "The template asks for names that no package has",
    ),
    "does_not_render": (
        422,
        "Mẫu không dựng được với dữ liệu thử",
        "The template does not render",
    ),
    "no_signature": (
        422,
        "Tệp không phải là PDF có chữ ký số.",
        "The file is no PDF with a digital signature.",
    ),
    "signature_broken": (
        422,
        "Chữ ký số không còn nguyên vẹn: tệp đã bị sửa sau khi ký.",
        "The signature is broken: the file was changed after it was signed.",
    ),
    "other_document": (
        422,
        "Bản ký số không phải của văn bản này. Hãy tải PDF từ trang này, ký rồi gửi lại.",
        "The signed copy is not of this document. Download the PDF from this page, sign it, bring it back.",
    ),
    "signing_missing": (
        503,
        "Máy chủ chưa cài phần kiểm tra chữ ký số. Hãy báo người quản trị.",
        "This server cannot check signatures: the extra 'signing' is not installed. Tell the administrator.",
    ),
    "too_large": (413, "Tệp quá lớn.", "The file is too large."),
}


def refusal_of(error: Exception) -> Refusal:
    """The refusal that an error means.

    Raises:
        KeyError: it is none of the expected ones.
    """
    if isinstance(error, NoSuchPackageError):
        return refusal("no_such_package")
    if isinstance(error, ChangedMeanwhileError):
        return refusal("changed_meanwhile")
    found = refusal(str(getattr(error, "code", "")))
    names = ", ".join(getattr(error, "names", ()))
    return replace(
        found,
        vi=f"{found.vi}: {names}" if names else found.vi,
        en=f"{found.en}: {names}" if names else found.en,
        findings=tuple(getattr(error, "findings", ())),
        field=getattr(error, "field", ""),
    )


def refusal(code: str) -> Refusal:
    """A refusal by its code."""
    status, vi, en = _TABLE[code]
    return Refusal(status, code, vi, en)
