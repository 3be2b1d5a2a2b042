"""How senders write one value: dates in three forms, booleans in five, `""` for none."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from contracts.calendar import LOCAL

Value = str | int | bool | None
"""What a field of a dossier may hold; instants are milliseconds since 1970."""
Read = Callable[[object], Value]

_COMPACT = re.compile(r"\d{8}(\d{4}|\d{6})?\Z")
_COMPACT_FORMS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?\Z")
_CODE = re.compile(r"[0-9A-Z]+(?:[._/-][0-9A-Z]+)+\Z")
_PROCEDURE = re.compile(r"(?=.*[0-9])[0-9A-Za-z][0-9A-Za-z._-]*\Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_CODE, _LONGEST_NAME, _LONGEST_PROCEDURE = 60, 200, 64
_YES = frozenset({"1", "true", "yes", "co", "có", "x"})
_NO = frozenset({"0", "false", "no", "khong", "không"})
_EARLIEST_YEAR, _LATEST_YEAR = 1990, 2100


class DialectError(ValueError):
    """A value has none of the known forms; `code` says which were expected. It never repeats the value."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def text(value: object) -> str:
    """The value as text without outer blanks; nothing, `null` and `""` are the same."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value.strip()
        case int() | float():
            return _number(value)
        case _:
            raise DialectError("text")


def _number(value: float) -> str:
    try:
        return str(int(value) if value == int(value) else value)
    except (ValueError, OverflowError):
        raise DialectError("text") from None


def instant(value: object) -> int | None:
    """`yyyyMMddHHmmss`, ISO 8601 or `dd/MM/yyyy HH:mm:ss`, in UTC+7 unless it says otherwise; `""` is none."""
    if isinstance(value, datetime):
        return milliseconds(value)
    written = text(value)
    if not written:
        return None
    try:
        found = _instant(written)
    except ValueError:
        raise DialectError("instant") from None
    if not _EARLIEST_YEAR <= found.year <= _LATEST_YEAR:
        raise DialectError("instant")
    return milliseconds(found)


def _instant(written: str) -> datetime:
    if _COMPACT.match(written):
        form = _COMPACT_FORMS[len(written)]
        return datetime.strptime(written, form)  # noqa: DTZ007 - the offset follows
    if slashed := _SLASHED.match(written):
        day, month, year, hour, minute, second = (int(p or 0) for p in slashed.groups())
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the offset follows
    return datetime.fromisoformat(written)


def milliseconds(value: datetime) -> int:
    """Milliseconds since 1970 of an instant; one without offset is local time."""
    aware = value if value.tzinfo else value.replace(tzinfo=LOCAL)
    return (aware - _EPOCH) // timedelta(milliseconds=1)


def moment(milliseconds: int) -> datetime:
    """The local instant of such a number."""
    return (_EPOCH + timedelta(milliseconds=milliseconds)).astimezone(LOCAL)


def yes_or_no(value: object) -> bool | None:
    """`"True"`, `"0"`, `true`, `1`; `""` is not known."""
    written = text(value).casefold()
    if not written:
        return None
    if written in _YES:
        return True
    if written in _NO:
        return False
    raise DialectError("yes_or_no")


def dossier_code(value: object) -> str:
    """`MaHoSo`, in capitals: loosely as the national portal forms it, so that no name or number of a person passes."""
    written = text(value).upper()
    if not written:
        raise DialectError("missing")
    if len(written) > _LONGEST_CODE or not _CODE.match(written):
        raise DialectError("dossier_code")
    return written


def procedure_code(value: object) -> str:
    """`MaTTHC`."""
    written = text(value)
    if not written:
        raise DialectError("missing")
    if len(written) > _LONGEST_PROCEDURE or not _PROCEDURE.match(written):
        raise DialectError("procedure_code")
    return written


def agency(value: object) -> str:
    """The handling agency by name."""
    written = " ".join(text(value).split())
    if not written:
        raise DialectError("missing")
    if len(written) > _LONGEST_NAME:
        raise DialectError("too_long")
    return written


def one_of(table: dict[str, Value]) -> Read:
    """A reader of codes: `""` is none, a code that the table lacks is refused."""

    def read(value: object) -> Value:
        written = text(value)
        if not written:
            return None
        try:
            return table[written]
        except KeyError:
            raise DialectError("code") from None

    return read
