"""Why an item was not taken, in Vietnamese and in English: which field, what was found, what was expected."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

SHOWN = 40
"""Characters of a wrong value that an answer repeats; fields that might name a person are never repeated."""
UNITS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason in both languages."""

    field: str | None
    vi: str
    en: str


_SAID = {
    "empty": ("nội dung gửi lên trống", "the body is empty"),
    "batch": ("phải là một mảng JSON", "must be a JSON array"),
    "envelope": (
        "không phải CloudEvents 1.0: cần specversion, id, source, type và data",
        "not a CloudEvent 1.0: specversion, id, source, type and data are needed",
    ),
    "data": (
        "CloudEvents: data phải là một đối tượng JSON",
        "CloudEvents: data must be a JSON object",
    ),
}

_EXPECTED = {
    "missing": ("thiếu trường bắt buộc", "required, but missing"),
    "dict_type": ("phải là một đối tượng JSON", "must be a JSON object"),
    "model_type": ("phải là một đối tượng JSON", "must be a JSON object"),
    "model_attributes_type": ("phải là một đối tượng JSON", "must be a JSON object"),
    "string_type": ("phải là chuỗi ký tự", "must be text"),
    "string_too_short": ("không được để trống", "must not be empty"),
    "string_too_long": ("dài quá {max_length} ký tự", "longer than {max_length} characters"),
    "string_pattern_mismatch": ("sai dạng, cần khớp {pattern}", "has not the form {pattern}"),
    "int_type": ("phải là số nguyên", "must be a whole number"),
    "int_parsing": ("phải là số nguyên", "must be a whole number"),
    "greater_than_equal": ("phải từ {ge} trở lên", "must be at least {ge}"),
    "less_than_equal": ("phải không quá {le}", "must be at most {le}"),
    "less_than": ("phải nhỏ hơn {lt}", "must be less than {lt}"),
    "bool_type": ("phải là true, false hoặc null", "must be true, false or null"),
    "literal_error": ("phải là một trong: {expected}", "must be one of: {expected}"),
    "timezone_aware": (
        "thiếu múi giờ, ví dụ 2023-07-05T08:30:00+07:00",
        "lacks its offset, for example 2023-07-05T08:30:00+07:00",
    ),
    "union_tag_not_found": ("thiếu trường type", "the field type is missing"),
    "union_tag_invalid": (
        "type phải là một trong: {expected_tags}",
        "type must be one of: {expected_tags}",
    ),
}
_INSTANT = (
    "phải là thời điểm ISO 8601 có múi giờ, ví dụ 2023-07-05T08:30:00+07:00",
    "must be an ISO 8601 instant with offset, for example 2023-07-05T08:30:00+07:00",
)
_DATE = ("phải là ngày dạng 2023-07-05", "must be a date such as 2023-07-05")


def said(code: str) -> Reason:
    """A reason that needs no detail."""
    return Reason(None, *_SAID[code])


def not_json(error: Exception) -> Reason:
    """The text is no JSON; the decoder's words say where."""
    return Reason(None, f"không phải JSON hợp lệ: {error}", f"not valid JSON: {error}")


def foreign(source: str) -> Reason:
    """The sender is bound to one source, and the event bears another."""
    return Reason(
        "source",
        f"source: tài khoản này chỉ gửi được cho nguồn {source!r}",
        f"source: these credentials may only send for the source {source!r}",
    )


def not_granted(units: Iterable[str]) -> Reason:
    """The sender is limited to some units, and the event bears another."""
    granted = sorted(units)
    shown = ", ".join(granted[:UNITS_SHOWN]) + (", …" if len(granted) > UNITS_SHOWN else "")
    return Reason(
        "unit",
        f"unit: tài khoản này chỉ gửi được cho đơn vị {shown}",
        f"unit: these credentials may only send for the units {shown}",
    )


def unknown(field: str, what: tuple[str, str], value: str) -> Reason:
    """A code that no published plan knows."""
    return Reason(
        field,
        f"{field}: không có {what[0]} {value[:SHOWN]!r} trong kế hoạch nào đã công bố",
        f"{field}: no published plan has the {what[1]} {value[:SHOWN]!r}",
    )


def _words(fault: ErrorDetails) -> tuple[str, str]:
    kind = fault["type"]
    if kind.startswith("datetime"):
        return _INSTANT
    if kind.startswith("date"):
        return _DATE
    vi, en = _EXPECTED.get(kind, ("không hợp lệ: {type}", "not valid: {type}"))
    context = {"type": kind, **fault.get("ctx", {})}
    return vi.format(**context).replace(" or ", " hoặc "), en.format(**context)


def reason_of(error: ValidationError, item: Any) -> Reason:  # noqa: ANN401, ARG001 - any JSON
    """All faults of one item; it names fields and what was expected, and repeats no value."""
    faults = error.errors(include_url=False, include_input=False)
    faults.sort(key=lambda fault: fault["loc"] != ("type",))
    parts = []
    for fault in faults[:5]:
        place = ".".join(str(step) for step in fault["loc"] if "." not in str(step))
        parts.append((place, *_words(fault)))
    vi = "; ".join(f"{place}: {words}" if place else words for place, words, _ in parts)
    en = "; ".join(f"{place}: {words}" if place else words for place, _, words in parts)
    of_type = faults[0]["type"].startswith("union_tag")
    return Reason("type" if of_type else parts[0][0] or None, vi, en)
