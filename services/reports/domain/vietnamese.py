"""How documents of Vietnamese offices write numbers, money, dates and periods."""

from datetime import date, datetime

from contracts.calendar import LOCAL

UNIT_OF_POINTS = 10_000
DASH = "\N{EN DASH}"
"""Where there is nothing to say."""
_DIGITS = ("không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín")
_GROUPS = ("", "nghìn", "triệu", "tỷ")
_QUARTERS = ("I", "II", "III", "IV")
TEN = 10


def number(value: int) -> str:
    """`10.000.000`."""
    return f"{value:,}".replace(",", ".")


def money(value: int) -> str:
    """`10.000.000 đ`."""
    return f"{number(value)}\N{NO-BREAK SPACE}đ"


def points(units: int) -> str:
    """Ten-thousandths cut to two decimals, never rounded up: `179,99`."""
    kept = abs(units) // 100
    return f"{'-' if units < 0 else ''}{number(kept // 100)},{kept % 100:02d}"


def percent(numerator: int, denominator: int) -> str:
    """A share with one decimal, cut; a dash where there is nothing to divide by."""
    if denominator == 0:
        return DASH
    tenths = numerator * 1_000 // denominator
    return f"{number(tenths // 10)},{tenths % 10}\N{NO-BREAK SPACE}%"


def day(value: date) -> str:
    """`05/01/2024`."""
    return f"{value:%d/%m/%Y}"


def long_date(value: date) -> str:
    """`ngày 05 tháng 01 năm 2024`: days below ten and the first two months with a zero (Decree 30/2020)."""
    month = f"{value.month:02d}" if value.month <= 2 else str(value.month)  # noqa: PLR2004
    return f"ngày {value.day:02d} tháng {month} năm {value.year}"


def moment(value: datetime) -> str:
    """`17:05 ngày 05/01/2024`, as the clocks in Việt Nam show it."""
    return f"{value.astimezone(LOCAL):%H:%M ngày %d/%m/%Y}"


def period(code: str) -> str:
    """`năm 2023`, `quý III năm 2023`, `tháng 7 năm 2023`."""
    year, _, rest = code.partition("-")
    if not rest:
        return f"năm {year}"
    if rest.startswith("Q"):
        return f"quý {_QUARTERS[int(rest[1:]) - 1]} năm {year}"
    return f"tháng {int(rest)} năm {year}"


def in_words(value: int) -> str:
    """A whole number in words: `mười lăm triệu hai trăm linh năm nghìn`."""
    if value == 0:
        return _DIGITS[0]
    parts: list[str] = []
    billions, rest = divmod(value, 10**9)
    if billions:
        parts.append(f"{in_words(billions)} tỷ")
    for power in (2, 1, 0):
        group = rest // 1_000**power % 1_000
        if group:
            words = f"{_group(group, full=bool(parts))} {_GROUPS[power]}"
            parts.append(words.strip())
    return " ".join(parts)


def money_in_words(value: int) -> str:
    """`Mười triệu đồng`."""
    words = in_words(value)
    return f"{words[0].upper()}{words[1:]} đồng"


def _group(value: int, *, full: bool) -> str:
    """Three digits; `full`: something stands before them, so that the hundreds are said even when zero."""
    hundreds, rest = divmod(value, 100)
    words = [f"{_DIGITS[hundreds]} trăm"] if hundreds or full else []
    if rest and rest < TEN:
        words += ["linh", _DIGITS[rest]] if words else [_DIGITS[rest]]
    elif rest:
        words.append(_tens(rest))
    return " ".join(words)


def _tens(value: int) -> str:
    tens, ones = divmod(value, 10)
    head = "mười" if tens == 1 else f"{_DIGITS[tens]} mươi"
    if ones == 0:
        return head
    if ones == 1 and tens > 1:
        return f"{head} mốt"
    if ones == 5:  # noqa: PLR2004
        return f"{head} lăm"
    return f"{head} {_DIGITS[ones]}"
