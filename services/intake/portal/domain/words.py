"""What is said about an item to its sender and to the standing office, in Vietnamese and in English."""

from services.intake.portal.domain.canonical import Waits
from services.intake.portal.domain.messages import Fault

Said = tuple[str, str]
"""(Vietnamese, English)."""

RULES: dict[str, Said] = {
    "missing": ("thiếu hoặc để trống", "is missing or empty"),
    "object": ("phải là một đối tượng JSON", "must be a JSON object"),
    "list": ("phải là một danh sách", "must be a list"),
    "text": ("phải là chữ hoặc số", "must be text or a number"),
    "instant": (
        "không phải thời điểm: dùng yyyyMMddHHmmss, ISO 8601 hoặc dd/MM/yyyy HH:mm:ss",
        "is no time: use yyyyMMddHHmmss, ISO 8601 or dd/MM/yyyy HH:mm:ss",
    ),
    "future": ("nằm sau ngày mai", "lies after tomorrow"),
    "yes_or_no": ("phải là 0 hoặc 1", "must be 0 or 1"),
    "dossier_code": (
        "không có dạng mã hồ sơ, ví dụ H30.99.01-230705-0012",
        "has not the form of a dossier code, such as H30.99.01-230705-0012",
    ),
    "procedure_code": (
        "không có dạng mã thủ tục, ví dụ 2.000815",
        "has not the form of a procedure code, such as 2.000815",
    ),
    "too_long": ("quá dài", "is too long"),
    "code": ("không nằm trong danh mục mã", "is not among the known codes"),
    "other_unit": (
        "thuộc đơn vị khác, không được gửi thay",
        "belongs to another unit, for which you may not send",
    ),
}
WAITS: dict[str, Said] = {
    "alias": (
        "chưa biết “{value}” là đơn vị nào",
        "nobody has said yet which unit “{value}” is",
    ),
    "unit": ("không kế hoạch nào có đơn vị {value}", "no plan has the unit {value}"),
    "procedure": (
        "danh mục chưa có thủ tục {value}",
        "the catalogue lacks the procedure {value}",
    ),
    "dossier": (
        "mới có bước xử lý, chưa có hồ sơ",
        "only steps came so far, not the dossier itself",
    ),
}


def of_fault(fault: Fault) -> Said:
    """What is wrong with an item; names the field and the rule, never the value."""
    vi, en = RULES[fault.code]
    name = f"{fault.field}: " if fault.field else ""
    return name + vi, name + en


def of_waits(waits: Waits) -> Said:
    """For what a dossier waits."""
    vi, en = WAITS[waits.kind]
    return vi.format(value=waits.value), en.format(value=waits.value)


def letter(number: int | None) -> str | None:
    """A column's number, from 0, as spreadsheets name it."""
    if number is None:
        return None
    name = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("A") + rest) + name
    return name
