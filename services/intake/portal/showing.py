"""What the desk's pages say, in the reader's language."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.intake.domain.names import ANY_SOURCE, Suggestion
from services.intake.portal.desk import ALERT_DAYS, Cause
from services.intake.portal.domain.canonical import Known
from services.intake.portal.domain.catalogue import RowFault
from services.intake.portal.domain.dialects import moment
from services.intake.portal.domain.national import DOSSIER, STEP
from services.intake.portal.domain.words import RULES, letter
from services.runtime.clock import wall_now
from services.runtime.web.i18n import Words

__all__ = ["letter"]

KINDS = ("alias", "procedure", "unit", "indicator", "plan", "broken", "dossier")
_INSTANTS = frozenset(
    [
        "submitted_at",
        "received_at",
        "due_at",
        "finished_at",
        "returned_at",
        "refused_at",
        "step_at",
    ]
)
_OURS = {name: ours for table in (DOSSIER, STEP) for name, (ours, _) in table.items()}
_OURS["MaHoSo"] = "dossier"
ENOUGH = 20
"""So many statements that all say the same are odd."""


def grouped(causes: Iterable[Cause]) -> list[tuple[str, list[Cause]]]:
    """(kind, its causes), kinds that people can fix first, causes for which most wait first."""
    found: dict[str, list[Cause]] = {kind: [] for kind in KINDS}
    for cause in causes:
        found.setdefault(cause.kind, []).append(cause)
    return [
        (kind, sorted(some, key=lambda cause: -cause.waiting))
        for kind, some in found.items()
        if some
    ]


def kind_words(words: Words, kind: str) -> str:
    """What kind of cause it is."""
    _ = words.gettext
    return {
        "alias": _("Tên đơn vị chưa biết"),
        "procedure": _("Thủ tục chưa có trong danh mục"),
        "unit": _("Mã đơn vị không có trong kế hoạch"),
        "indicator": _("Tiêu chí không có trong kế hoạch"),
        "plan": _("Kế hoạch chưa công bố"),
        "broken": _("Hồ sơ gửi sai"),
        "dossier": _("Có bước xử lý, chưa có hồ sơ"),
    }.get(kind, kind)


def kind_advice(words: Words, kind: str) -> str:
    """What to do about it."""
    _ = words.gettext
    return {
        "alias": _("Chọn đơn vị mà tên này chỉ. Hồ sơ đang chờ được tính ngay."),
        "procedure": _("Bổ sung thủ tục vào danh mục. Hồ sơ đang chờ được tính ngay."),
        "unit": _(
            "Chọn đơn vị mà mã này chỉ, công bố phiên bản kế hoạch có đơn vị này, "
            "hoặc báo nơi gửi sửa mã."
        ),
        "indicator": _("Công bố phiên bản kế hoạch có tiêu chí này, hoặc báo nơi gửi sửa mã."),
        "plan": _("Công bố kế hoạch, hoặc báo nơi gửi sửa mã."),
        "broken": _("Báo nơi gửi sửa và gửi lại. Hồ sơ đúng đến thì mục này tự hết."),
        "dossier": _("Thường tự hết khi nơi gửi đồng bộ hồ sơ. Nếu lâu, hãy báo nơi gửi."),
    }.get(kind, "")


def fault_words(words: Words, value: str) -> str:
    """`MaHoSo missing` in words."""
    name, _, code = value.rpartition(" ")
    vi, en = RULES.get(code, (code, code))
    said = vi if words.lang == "vi" else en
    ours = _column_names(words).get(_OURS.get(name, ""))
    called = f"{ours} ({name})" if ours else name
    return f"{called}: {said}" if name else said


def cell_words(words: Words, field: str, code: str) -> str:
    """What is wrong with a cell of a sheet, and what may stand there."""
    _ = words.gettext
    known = {
        "status": _("không nhận ra: ghi như “đang xử lý”, “yêu cầu bổ sung”, “đã trả kết quả”"),
        "channel": _("không nhận ra: ghi “trực tuyến”, “trực tiếp” hoặc “bưu chính”"),
        "paid_online": _("không nhận ra: ghi “có” hoặc “không”"),
        "satisfaction": _(
            "không nhận ra: ghi “rất hài lòng”, “hài lòng” hoặc “không hài lòng”"
        ),
        "received_at": _("không phải ngày: ghi như 05/07/2023 hoặc 05/07/2023 08:30"),
    }
    if code == "code" and field in known:
        return known[field]
    return known["received_at"] if code == "instant" else fault_words(words, f" {code}")


def source_name(words: Words, source: str) -> str:
    """A source, or all of them."""
    return words.gettext("mọi nguồn") if source == ANY_SOURCE else source


def suggestions(words: Words, known: Known, name: str) -> list[tuple[Suggestion, str]]:
    """(unit that a person may mean, why it is suggested)."""
    _ = words.gettext
    why = {
        "bare": _("chỉ khác dấu hoặc cách viết"),
        "alias": _("nguồn khác đã dùng tên này"),
        "like": _("tên gần giống"),
        "code": _("mã gần giống"),
    }
    return [(one, why[one.why]) for one in known.aliases.suggest(name, known.agencies)]


def waited(words: Words, since: datetime) -> tuple[str, bool]:
    """(for how long it has waited, whether that is too long)."""
    age = wall_now() - since
    if age.days:
        return words.plural("%(n)s ngày trước", age.days), age.days >= ALERT_DAYS
    return words.ago(age.total_seconds()), False


@dataclass(frozen=True, slots=True)
class Observed:
    """One line of what was observed about a source in a month."""

    name: str
    count: int
    of: int
    hint: str
    odd: bool = False


def indicators(words: Words, month: dict[str, Any]) -> list[Observed]:
    """What was observed, and what is odd about it."""

    def count(name: str) -> int:
        return int(month.get(name, 0))

    snapshots, steps, dossiers = count("snapshots"), count("steps"), count("dossiers")
    flagged = count("digitised_yes") + count("digitised_no")
    wholes = {
        "late": snapshots + steps,
        "older": snapshots + steps,
        "repeats": snapshots + steps + count("repeats"),
        "broken": snapshots + steps + count("broken"),
        "same_second": steps,
        "digitised_yes": flagged,
        **dict.fromkeys(("promise_moved", "promise_emptied", "reopened", "twins"), dossiers),
    }
    found = [
        Observed(name, count(key), wholes.get(key, snapshots), hint, _odd(key, month, wholes))
        for key, name, hint in _observed_words(words)
    ]
    return [line for line in found if line.of or line.count]


_TOLERATED = {"late": 5, "promise_moved": 5, "missing_channel": 10, "missing_due_at": 10}
"""One in so many is still ordinary."""
_NEVER = frozenset(("finished_undated", "promise_emptied", "same_second", "twins", "broken"))


def _odd(key: str, month: dict[str, Any], wholes: dict[str, int]) -> bool:
    """Whether people should talk to the sender about it."""
    count = int(month.get(key, 0))
    if key == "digitised_yes":
        return count >= ENOUGH and not month.get("digitised_no", 0)
    if key in _TOLERATED:
        whole = wholes.get(key, int(month.get("snapshots", 0)))
        return count * _TOLERATED[key] > whole > 0
    return key in _NEVER and count > 0


def _observed_words(words: Words) -> list[tuple[str, str, str]]:
    """(count, what it is called, what it means)."""
    _ = words.gettext
    return [
        ("late", _("Gửi chậm hơn một ngày"), _("so với thời điểm ghi trong bản tin")),
        ("older", _("Đến sai thứ tự"), _("bản tin cũ đến sau bản tin mới")),
        ("missing_channel", _("Thiếu kênh nộp"), _("được tính là nộp trực tiếp")),
        ("missing_due_at", _("Thiếu ngày hẹn trả"), _("không thể xét trễ hẹn")),
        ("missing_paid_online", _("Thiếu thông tin thanh toán"), ""),
        ("missing_digitised", _("Thiếu thông tin số hóa"), ""),
        (
            "finished_undated",
            _("Kết thúc nhưng không ghi ngày"),
            _("vẫn được coi là chưa xong"),
        ),
        ("promise_moved", _("Dời ngày hẹn trả"), _("so với số hồ sơ mới")),
        ("promise_emptied", _("Xóa ngày hẹn trả"), _("hồ sơ không còn bị xét trễ hẹn")),
        ("reopened", _("Mở lại sau khi kết thúc"), ""),
        ("digitised_yes", _("Ghi là đã số hóa"), _("đáng ngờ khi không bao giờ ghi là chưa")),
        ("same_second", _("Nhiều bước cùng một giây"), _("từ ba bước của một hồ sơ")),
        (
            "twins",
            _("Có thể là cấp lại mã"),
            _("cùng đơn vị, thủ tục và giây tiếp nhận"),
        ),
        ("repeats", _("Gửi lặp"), _("không gây hại")),
        ("broken", _("Gửi sai"), _("xem trang hồ sơ đang chờ")),
    ]


def level_words(words: Words, level: str) -> str:
    """A service level."""
    _ = words.gettext
    return {
        "full": _("toàn trình"),
        "partial": _("một phần"),
        "information": _("cung cấp thông tin"),
    }[level]


def column_name(words: Words, field: str) -> str:
    """A field of a dossier, as the office calls it."""
    return _column_names(words).get(field, field)


def _column_names(words: Words) -> dict[str, str]:
    _ = words.gettext
    return {
        "dossier": _("Mã hồ sơ"),
        "procedure": _("Mã thủ tục"),
        "agency": _("Đơn vị xử lý"),
        "status": _("Trạng thái"),
        "channel": _("Hình thức nộp"),
        "submitted_at": _("Ngày nộp"),
        "received_at": _("Ngày tiếp nhận"),
        "due_at": _("Ngày hẹn trả"),
        "finished_at": _("Ngày kết thúc xử lý"),
        "returned_at": _("Ngày trả kết quả"),
        "paid_online": _("Thanh toán trực tuyến"),
        "digitised": _("Số hóa thành phần"),
        "satisfaction": _("Mức độ hài lòng"),
        "refused_at": _("Ngày từ chối"),
        "step_at": _("Thời điểm xử lý"),
    }


def known_fields(words: Words, known: dict[str, Any]) -> list[tuple[str, str]]:
    """What could be read of a broken item."""
    names = _column_names(words)
    return [
        (names[name], value_of(words, name, value))
        for name, value in known.items()
        if name in names
    ]


def value_of(words: Words, name: str, value: object) -> str:
    """A value of a field, for people."""
    if name in _INSTANTS and isinstance(value, int):
        return words.moment(moment(value))
    if isinstance(value, bool):
        return words.gettext("có") if value else words.gettext("không")
    return _code_words(words).get(str(value), str(value))


def _code_words(words: Words) -> dict[str, str]:
    """Statuses and channels."""
    _ = words.gettext
    return {
        "registered": _("mới đăng ký"),
        "accepted": _("đã tiếp nhận"),
        "refused": _("không tiếp nhận"),
        "processing": _("đang xử lý"),
        "supplement": _("chờ bổ sung"),
        "payment_due": _("chờ thanh toán"),
        "withdrawn": _("đã rút"),
        "suspended": _("tạm dừng"),
        "finished": _("đã xử lý xong"),
        "returned": _("đã trả kết quả"),
        "online": _("trực tuyến"),
        "counter": _("trực tiếp"),
        "post": _("bưu chính"),
    }


def draft_error(words: Words, code: str) -> str:
    """Why a draft cannot be made or applied."""
    _ = words.gettext
    return {
        "plan": _("Chọn một kế hoạch đã công bố."),
        "since": _("Ngày áp dụng phải có dạng 2023-10-01."),
        "too_large": _("Tệp lớn hơn 4 MiB."),
        "not_a_sheet": _("Tệp không phải XLSX, CSV hoặc JSON đọc được."),
        "faulty": _("Có dòng sai. Hãy sửa các dòng dưới đây rồi chọn lại tệp."),
        "nothing": _("Không có gì thay đổi so với danh mục hiện hành."),
        "lint": _("Kế hoạch với danh mục này không công bố được."),
        "not_ready": _("Bản nháp chưa tính xong, hoặc đã áp dụng."),
        "changed": _("Kế hoạch đã có phiên bản mới hơn. Hãy tạo lại bản nháp."),
        "unit": _("Hãy chọn một đơn vị trong danh sách."),
        "same": _("Tên này đang chỉ đúng đơn vị đó."),
        "said": _("Trong lúc đó đã có người sửa tên này. Hãy tính thử lại."),
    }.get(code, code)


def draft_state(words: Words, state: str) -> str:
    """How far a draft is."""
    _ = words.gettext
    return {
        "applied": _("đã áp dụng"),
        "ready": _("chờ áp dụng"),
        "failed": _("tính không được"),
        "computing": _("đang tính"),
    }[state]


def row_fault(words: Words, fault: RowFault) -> str:
    """What is wrong with a line of a catalogue."""
    _ = words.gettext
    field = {
        "code": _("mã thủ tục"),
        "title": _("tên thủ tục"),
        "level": _("mức dịch vụ"),
        "fee_due": _("thu phí"),
        "units": _("đơn vị"),
    }.get(fault.field, fault.field)
    own = {"twice": _("lặp lại dòng trước"), "unit": _("có mã đơn vị không có trong kế hoạch")}
    vi, en = RULES.get(fault.code, (fault.code, fault.code))
    said = own.get(fault.code) or (vi if words.lang == "vi" else en)
    return _("Dòng %(row)s, %(field)s: %(said)s", row=fault.row, field=field, said=said)


def no_such_job(words: Words) -> tuple[str, str]:
    """(what is not there, what to do next)."""
    _ = words.gettext
    return _("Không có lần nhập này"), _("Hãy mở lại từ danh sách các lần nhập.")


def job_state(words: Words, state: str) -> str:
    """How far an import is."""
    _ = words.gettext
    return {
        "running": _("đang nhập"),
        "done": _("đã xong"),
        "failed": _("không nhập được"),
        "interrupted": _("bị gián đoạn"),
    }[state]


def job_reason(words: Words, job: dict[str, Any]) -> str:
    """Why an import failed."""
    _ = words.gettext
    return {
        "columns": _("Thiếu cột bắt buộc. Hãy chỉ ra cột ở bảng dưới rồi chọn lại tệp."),
        "headers": _(
            "Không nhận ra hàng tiêu đề. Hãy giữ hàng tiêu đề của phần mềm một cửa; "
            "cần có các cột sau, viết đúng như vậy."
        ),
        "too_large": _("Tệp nén bung ra quá lớn."),
        "old_excel": _("Tệp .xls kiểu cũ không đọc được: hãy lưu thành .xlsx hoặc CSV."),
        "not_excel": _("Tệp không phải XLSX đọc được, hoặc đã hỏng."),
        "not_csv": _("Tệp không phải CSV đọc được: dùng UTF-8, UTF-16 hoặc Windows-1258."),
        "too_many_rows": _("Tệp có quá 500.000 dòng. Hãy chia nhỏ."),
    }.get(job.get("reason", ""), _("Lỗi trong khi nhập. Hãy thử lại; nhập lặp không gây hại."))
