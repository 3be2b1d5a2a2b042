"""Words of the workspace: states, risks, kinds of files, spans; what a claim says in one line."""

from datetime import date, datetime

from contracts.calendar import local_date
from contracts.plan import Plan
from services.intake.workspace.domain.appeals import Appeal
from services.intake.workspace.domain.duties import Due, Duty
from services.intake.workspace.domain.report import Item, Risk
from services.intake.workspace.domain.values import PartValues, Values
from services.runtime.web.i18n import Words

DASH = "\N{EN DASH}"


def in_language(text: object, words: Words) -> str:
    """The plan's own words in the reader's language."""
    return str(getattr(text, words.lang))


def duty_state(duty: Duty, words: Words) -> tuple[str, str]:
    """(sign, word) of what is asked."""
    _ = words.gettext
    return {
        "owed": ("●", _("cần kê khai")),
        "open": ("○", _("kê khai khi có")),
        "closed": (DASH, _("chưa đến kỳ")),
        "system": ("⇄", _("hệ thống tự lấy")),
        "not_applicable": (DASH, _("không áp dụng")),
        "elsewhere": ("→", _("kê khai ở tiêu chí khác")),
    }[duty.state]


def item_state(state: str, words: Words) -> tuple[str, str]:
    """(sign, word) of what became of a claim."""
    _ = words.gettext
    return {
        "waiting": ("◷", _("chờ thẩm định")),
        "reopened": ("↻", _("được mở lại")),
        "accepted": ("✓", _("đã chấp nhận")),
        "corrected": ("✓", _("chấp nhận theo số đã sửa")),
        "returned": ("↩", _("trả lại để bổ sung")),
        "rejected": ("✕", _("không chấp nhận")),
        "withdrawn": (DASH, _("đã rút")),
        "claimed": ("→", _("đơn vị gửi")),
    }.get(state, ("", state))


def appeal_state(appeal: Appeal, words: Words) -> tuple[str, str]:
    """(sign, word) of an appeal."""
    _ = words.gettext
    if appeal.excuse and appeal.state == "upheld":
        return "✓", _("miễn loại trừ")
    return {
        "lodged": ("◷", _("chờ trả lời")),
        "upheld": ("✓", _("chấp nhận khiếu nại")),
        "dismissed": ("✕", _("không chấp nhận khiếu nại")),
        "revoked": ("↻", _("đã hủy việc miễn loại trừ")),
    }[appeal.state]


def rule_words(plan: Plan, rule: str, words: Words) -> str:
    """An exclusion rule by its name in the plan."""
    named = {r.code: r.name for bloc in plan.blocs for r in bloc.exclusions}
    return in_language(named[rule], words) if rule in named else rule


def lifting_reasons(words: Words) -> list[tuple[str, str]]:
    """Code and words of why an exclusion may be lifted."""
    _ = words.gettext
    return [
        ("portal-outage", _("Cổng dịch vụ công gián đoạn")),
        ("force-majeure", _("bất khả kháng")),
        ("appeal-upheld", _("khiếu nại đúng")),
    ]


def risk_words(risk: Risk, words: Words) -> str:
    """Why to look closely."""
    _, v = words.gettext, [*risk.values, "", ""]
    return {
        "jump": _("tỷ lệ nhảy từ %(a)s%% thành %(b)s%%", a=v[0], b=v[1]),
        "burst": _("gửi dồn trong ngày cuối"),
        "late": _("gửi sau hạn"),
        "corrections": _("%(a)s lần bị sửa hoặc trả lại trước đây", a=v[0]),
        "duplicate": _("tệp trùng với %(a)s nơi khác", a=v[0]),
        "over_100": _("tử số lớn hơn mẫu số (%(a)s/%(b)s)", a=v[0], b=v[1]),
        "denominator_zero": _("mẫu số bằng 0"),
        "denominator_small": _("mẫu số rất nhỏ (%(a)s)", a=v[0]),
        "denominator_changed": _("mẫu số đổi từ %(a)s thành %(b)s", a=v[0], b=v[1]),
    }[risk.code]


def due_words(due: Due, words: Words) -> str:
    """How far the last on-time day is."""
    if due.days_left > 0:
        return words.plural("còn %(n)s ngày", due.days_left)
    if due.days_left == 0:
        return words.gettext("hôm nay là hạn cuối")
    return words.plural("đã trễ %(n)s ngày", -due.days_left)


def days_waited(since: datetime, now: datetime, words: Words) -> str:
    """`6 ngày`, in whole local days."""
    return words.plural("%(n)s ngày", max(0, (local_date(now) - local_date(since)).days))


def size_words(size: int, words: Words) -> str:
    """`1.234 KB`."""
    return f"{words.number(max(1, size // 1024))} KB"


def kind_words(media_type: str, words: Words) -> str:
    """What kind of file it is."""
    if media_type.startswith("image/"):
        return words.gettext("ảnh")
    if media_type.startswith("audio/"):
        return words.gettext("âm thanh")
    return {
        "application/pdf": "PDF",
        "application/msword": "Word",
        "application/vnd.ms-excel": "Excel",
        "application/vnd.ms-powerpoint": "PowerPoint",
    }.get(media_type) or (
        "Word" if "word" in media_type else "Excel" if "sheet" in media_type else "PowerPoint"
    )


def claim_words(duty: Duty, values: Values, words: Words) -> list[str]:
    """What is claimed, one line a part."""
    said = []
    for form in duty.forms:
        part = values.get(form.part.code, PartValues())
        line = _part_words(form.kind, part, words)
        name = in_language(form.part.name, words) if form.part.name else ""
        said.append(f"{name}: {line}" if name and len(duty.forms) > 1 else line)
    return said


def _part_words(kind: str, part: PartValues, words: Words) -> str:
    _ = words.gettext
    if kind == "report":
        said = _("báo cáo tháng được gửi")
    elif part.blank:
        said = _("không kê khai")
    elif kind == "figure":
        top, bottom = part.numerator or 0, part.denominator or 0
        said = f"{words.number(top)}/{words.number(bottom)} = {words.percent(top, bottom)}"
    elif kind == "tally":
        said = words.number(part.value or 0)
    elif kind == "checklist":
        said = words.plural(
            "%(n)s mục đã có", sum(day is not None for day in part.items.values())
        )
    elif kind == "deduction":
        incidents = words.plural("%(n)s vụ việc", len(part.rows))
        sent = words.day(part.listed_on) if part.listed_on else DASH
        said = _("danh sách gửi %(day)s, %(incidents)s", day=sent, incidents=incidents)
    else:
        said = words.plural("%(n)s dòng", len(part.rows))
    return said


def row_labels(kind: str, words: Words) -> dict[str, str]:
    """Field of a row -> its label."""
    _ = words.gettext
    labels = {
        "articles": {"sent_on": _("Ngày gửi"), "published_on": _("Ngày đăng (nếu đã đăng)")},
        "bulletins": {"on": _("Ngày phát sóng")},
        "deduction": {"on": _("Ngày xảy ra vụ việc")},
        "feedback": {
            "received_on": _("Ngày nhận"),
            "due_on": _("Hạn trả lời"),
            "answered_on": _("Ngày trả lời"),
        },
        "roster": {
            "person": _("Mã người (không ghi tên)"),
            "account": _("Có tài khoản"),
            "dossiers": _("Số hồ sơ đã nộp"),
        },
        "things": {
            "on": _("Ngày thực hiện"),
            "name": _("Tên sản phẩm, mô hình (không ghi tên người)"),
        },
    }
    return labels.get(kind, {})


def row_words(kind: str, row: object, words: Words) -> list[str]:
    """The cells of one row, as a reviewer reads them."""
    cells = []
    for name in row_labels(kind, words):
        value = getattr(row, name)
        if isinstance(value, bool):
            cells.append(words.gettext("có") if value else words.gettext("không"))
        elif isinstance(value, date):
            cells.append(words.day(value))
        else:
            cells.append(DASH if value in (None, "") else str(value))
    return cells


def item_values(item: Item) -> Values:
    """What holds, or what is claimed while nothing holds."""
    return item.claimed if item.accepted is None else item.accepted
