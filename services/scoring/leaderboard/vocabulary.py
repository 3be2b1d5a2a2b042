"""The words for single things of a plan's rules and facts: kinds of facts, fields, values."""

from datetime import date, datetime

from contracts.plan import Scalar
from services.runtime.web.i18n import Words


def things(kind: str, words: Words) -> str:
    """Many facts of a kind, as in `số hồ sơ …`."""
    _ = words.gettext
    return {
        "dossier.recorded": _("số hồ sơ"),
        "item.recorded": _("số mục"),
        "article.recorded": _("số tin bài"),
        "bulletin.broadcast": _("số bản tin truyền thanh"),
        "feedback.recorded": _("số phản ánh, kiến nghị"),
        "report.received": _("số báo cáo"),
        "incident.recorded": _("số vụ việc"),
    }.get(kind, kind)


def thing(measure: str, n: int, words: Words) -> str:
    """What a unit needs more of."""
    if measure == "distinct":
        return words.plural("thủ tục có hồ sơ trực tuyến", n)
    return words.plural("trường hợp được tính", n)


def kind_of_fact(kind: str, words: Words) -> str:
    """One fact by its kind."""
    _ = words.gettext
    return {
        "dossier.recorded": _("Hồ sơ"),
        "figure.reported": _("Số liệu tỷ lệ"),
        "tally.reported": _("Số lượng"),
        "item.recorded": _("Mục danh mục"),
        "article.recorded": _("Tin bài"),
        "bulletin.broadcast": _("Bản tin truyền thanh"),
        "feedback.recorded": _("Phản ánh, kiến nghị"),
        "report.received": _("Báo cáo tháng"),
        "incident.recorded": _("Vụ việc"),
        "activity.reported": _("Hoạt động cá nhân"),
        "exclusion.lifted": _("Bỏ loại trừ"),
    }.get(kind, kind)


def reworded(name: str, values: list[Scalar], words: Words) -> str:
    """A condition such as `channel: [online]` as it follows a noun: `nộp trực tuyến`."""
    known = _conditions(words).get((name, tuple(sorted(map(str, values)))))
    if known is not None:
        return known
    listed = words.gettext(" hoặc ").join(plain(str(v), words) for v in values)
    return f"({field_name(name, words)}: {listed})"


def _conditions(words: Words) -> dict[tuple[str, tuple[str, ...]], str]:
    _ = words.gettext
    satisfied = ("satisfied", "very_satisfied")
    return {
        ("channel", ("online",)): _("nộp trực tuyến"),
        ("service_level", ("full", "partial")): _("của dịch vụ công toàn trình hoặc một phần"),
        ("service_level", ("full",)): _("của dịch vụ công toàn trình"),
        ("fee_due", ("True",)): _("có thu phí, lệ phí"),
        ("paid_online", ("True",)): _("đã thanh toán trực tuyến"),
        ("digitised", ("True",)): _("đã số hóa"),
        ("digitised", ("False", "True")): "",
        ("satisfaction", satisfied): _("được đánh giá hài lòng hoặc rất hài lòng"),
        ("satisfaction", ("dissatisfied", *satisfied)): _("có đánh giá"),
        ("answered_on_time", ("True",)): _("trả lời đúng hạn"),
        ("approved", ("True",)): _("được duyệt"),
        ("published", ("True",)): _("đã đăng"),
        ("done", ("True",)): _("đã thực hiện"),
    }


def field_name(name: str, words: Words) -> str:
    """The label of a fact's field."""
    _ = words.gettext
    return {
        "status": _("Trạng thái"),
        "channel": _("Kênh"),
        "service_level": _("Mức dịch vụ"),
        "procedure": _("Thủ tục"),
        "received_at": _("Tiếp nhận"),
        "received_on": _("Tiếp nhận"),
        "due_at": _("Hẹn trả"),
        "due_on": _("Hẹn trả"),
        "finished_at": _("Hoàn thành"),
        "finished_on": _("Hoàn thành"),
        "answered_on": _("Trả lời"),
        "fee_due": _("Có phí"),
        "paid_online": _("Thanh toán trực tuyến"),
        "digitised": _("Số hóa"),
        "satisfaction": _("Đánh giá"),
        "numerator": _("Phần đạt"),
        "denominator": _("Tổng số"),
        "value": _("Số lượng"),
        "period": _("Kỳ"),
        "month": _("Tháng"),
        "item": _("Mục"),
        "done": _("Đã có"),
        "on": _("Ngày"),
        "sent_on": _("Gửi"),
        "published_on": _("Đăng"),
        "approved": _("Duyệt"),
        "occurred_at": _("Ghi nhận"),
        "account": _("Có tài khoản"),
        "dossiers": _("Số hồ sơ"),
    }.get(name, name)


def plain(value: str, words: Words) -> str:
    """A coded value as a word; others stay as they are."""
    _ = words.gettext
    return {
        "online": _("trực tuyến"),
        "counter": _("tại quầy"),
        "post": _("bưu chính"),
        "full": _("toàn trình"),
        "partial": _("một phần"),
        "information": _("cung cấp thông tin"),
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
        "very_satisfied": _("rất hài lòng"),
        "satisfied": _("hài lòng"),
        "dissatisfied": _("không hài lòng"),
        "week": _("tuần"),
        "month": _("tháng"),
        "quarter": _("quý"),
        "year": _("năm"),
        "true": _("có"),
        "false": _("không"),
        "True": _("có"),
        "False": _("không"),
    }.get(value, value)


def field_in_words(name: str, value: str, words: Words) -> str:
    """`Kênh: trực tuyến`, `Hẹn trả: 10/07/2023`."""
    return f"{field_name(name, words)}: {_value(name, value, words)}"


def _value(name: str, value: str, words: Words) -> str:
    try:
        if name.endswith("_at"):
            return words.moment(datetime.fromisoformat(value))
        if name == "on" or name.endswith("_on"):
            return words.day(date.fromisoformat(value))
    except ValueError:
        return value
    if name in {"month", "period"}:
        return words.period(value)
    return words.number(int(value)) if value.isdecimal() else plain(value, words)
