"""Numbers, dates and spans as people write them in Vietnamese and in English. Nothing is ever rounded up."""

from datetime import date, datetime
from decimal import ROUND_FLOOR, Decimal
from typing import Literal

from services.runtime.clock import LOCAL

Lang = Literal["vi", "en"]

_SEPARATORS: dict[Lang, tuple[str, str]] = {"vi": (".", ","), "en": (",", ".")}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_QUARTERS = ("I", "II", "III", "IV")
MINUS = "\N{MINUS SIGN}"


def number(value: int, lang: Lang) -> str:
    """A whole number in groups of three: `1.234` or `1,234`."""
    group, _ = _SEPARATORS[lang]
    return f"{value:,}".replace(",", group).replace("-", MINUS)


def decimal(value: Decimal | str, lang: Lang) -> str:
    """An exact decimal without needless zeros: `12,5` or `12.5`."""
    plain = f"{Decimal(value).normalize():f}"
    whole, _, rest = plain.partition(".")
    return _joined(number(abs(int(whole)), lang), rest, lang, negative=plain.startswith("-"))


def fixed(units: int, lang: Lang, *, scale: int = 4, places: int = 2) -> str:
    """A number counted in ten-to-the-minus-`scale`, cut towards zero: 1799960 is `179,99`."""
    kept = abs(units) // 10 ** (scale - places)
    whole, rest = divmod(kept, 10**places)
    return _joined(
        number(whole, lang), f"{rest:0{places}d}", lang, negative=units < 0 and kept > 0
    )


def percent(numerator: int, denominator: int, lang: Lang) -> str:
    """A share with one decimal, cut: `79,9 %`; a dash when there is nothing to divide by."""
    if denominator == 0:
        return "\N{EN DASH}"
    return (
        f"{fixed(numerator * 1000 // denominator, lang, scale=1, places=1)}\N{NO-BREAK SPACE}%"
    )


def share(value: Decimal, lang: Lang) -> str:
    """A part of one as percent: `0.8` is `80 %`."""
    return f"{decimal(value * 100, lang)}\N{NO-BREAK SPACE}%"


def day(value: date, lang: Lang) -> str:
    """`15/07/2023` or `15 Jul 2023`."""
    if lang == "vi":
        return f"{value:%d/%m/%Y}"
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def moment(value: datetime, lang: Lang) -> str:
    """Local time and date: `10:15:03, 10/07/2023`."""
    local = value.astimezone(LOCAL)
    return f"{local:%H:%M:%S}, {day(local.date(), lang)}"


def minute(value: datetime, lang: Lang) -> str:
    """Local time to the minute, and date: `10:15, 10/07/2023`."""
    local = value.astimezone(LOCAL)
    return f"{local:%H:%M}, {day(local.date(), lang)}"


def month(code: str, lang: Lang) -> str:
    """`2023-07` as `7/2023` or `Jul 2023`."""
    if lang == "vi":
        return f"{int(code[5:])}/{code[:4]}"
    return f"{_MONTHS[int(code[5:]) - 1]} {code[:4]}"


def period(code: str, lang: Lang) -> str:
    """A year, quarter or month by name: `Năm 2023`, `Quý III/2023`, `Tháng 7/2023`."""
    year, _, rest = code.partition("-")
    if not rest:
        return f"Năm {year}" if lang == "vi" else year
    if rest.startswith("Q"):
        quarter = int(rest[1:])
        return f"Quý {_QUARTERS[quarter - 1]}/{year}" if lang == "vi" else f"Q{quarter} {year}"
    return f"Tháng {month(code, lang)}" if lang == "vi" else month(code, lang)


def whole(value: float) -> int:
    """The whole part of a span of seconds, never negative."""
    return max(0, int(Decimal(value).to_integral_value(ROUND_FLOOR)))


def _joined(whole_part: str, rest: str, lang: Lang, *, negative: bool) -> str:
    _, point = _SEPARATORS[lang]
    return (MINUS if negative else "") + whole_part + (point + rest if rest else "")
