"""The reader's language: gettext catalogues, compiled from `.po` at start, so that a fresh clone needs no build step.

Message ids are the Vietnamese words themselves; every other language has a catalogue.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from gettext import NullTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from fastapi import Request

from services.runtime.web import formats
from services.runtime.web.formats import Lang

LANGUAGES: tuple[Lang, ...] = ("vi", "en")
COOKIE = "lang"


@dataclass(frozen=True, slots=True)
class Words:
    """Everything a page says, in one language."""

    lang: Lang
    translations: NullTranslations

    def gettext(self, message: str, **values: object) -> str:
        """The message in this language, with `%(name)s` filled in; a plain per cent sign is `%%`."""
        return self.translations.gettext(message) % values

    def plural(self, message: str, count: int, /, **values: object) -> str:
        """The message for so many things; Vietnamese has one form, `%(n)s` is the number."""
        form = self.translations.ngettext(message, message, count)
        return form % {"n": self.number(count), **values}

    def number(self, value: int) -> str:
        """`1.234` or `1,234`."""
        return formats.number(value, self.lang)

    def decimal(self, value: Decimal | str) -> str:
        """`12,5` or `12.5`."""
        return formats.decimal(value, self.lang)

    def fixed(self, units: int) -> str:
        """Ten-thousandths cut to two decimals."""
        return formats.fixed(units, self.lang)

    def percent(self, numerator: int, denominator: int) -> str:
        """`79,9 %`, cut."""
        return formats.percent(numerator, denominator, self.lang)

    def share(self, value: Decimal) -> str:
        """`0.8` as `80 %`."""
        return formats.share(value, self.lang)

    def day(self, value: date) -> str:
        """`15/07/2023` or `15 Jul 2023`."""
        return formats.day(value, self.lang)

    def moment(self, value: datetime) -> str:
        """`10:15:03, 10/07/2023`."""
        return formats.moment(value, self.lang)

    def minute(self, value: datetime) -> str:
        """`10:15, 10/07/2023`."""
        return formats.minute(value, self.lang)

    def month(self, code: str) -> str:
        """`7/2023` or `Jul 2023`."""
        return formats.month(code, self.lang)

    def period(self, code: str) -> str:
        """`Quý III/2023` or `Q3 2023`."""
        return formats.period(code, self.lang)

    def ago(self, seconds: float) -> str:
        """`3 giây trước`: one unit, cut."""
        whole = formats.whole(seconds)
        if whole < 1:
            return self.gettext("vừa xong")
        if whole < 60:  # noqa: PLR2004 - seconds in a minute
            return self.plural("%(n)s giây trước", whole)
        if whole < 3600:  # noqa: PLR2004 - seconds in an hour
            return self.plural("%(n)s phút trước", whole // 60)
        return self.plural("%(n)s giờ trước", whole // 3600)


def load(folders: Iterable[Path]) -> dict[Lang, Words]:
    """The words of every language from `<folder>/<language>/LC_MESSAGES/messages.po`; later folders win."""
    folders = list(folders)
    return {lang: Words(lang, _merged(lang, folders)) for lang in LANGUAGES}


def chosen(request: Request) -> Lang:
    """The language asked for: `?lang=`, else the cookie, else the browser's wish, else Vietnamese."""
    for wish in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        for lang in LANGUAGES:
            if wish == lang:
                return lang
    return _preferred(request.headers.get("accept-language", ""))


def _preferred(header: str) -> Lang:
    """The first of our languages in an `Accept-Language` header, by weight."""
    wishes = []
    for position, part in enumerate(header.split(",")):
        name, _, weight = part.strip().partition(";q=")
        wishes.append((-_weight(weight), position, name[:2].lower()))
    for _, _, name in sorted(wishes):
        for lang in LANGUAGES:
            if name == lang:
                return lang
    return "vi"


def _weight(text: str) -> float:
    try:
        return float(text or 1)
    except ValueError:
        return 0.0


def _merged(lang: Lang, folders: list[Path]) -> NullTranslations:
    merged = Translations()
    for folder in folders:
        path = folder / lang / "LC_MESSAGES" / "messages.po"
        if path.exists():
            merged.merge(_compiled(path))
    return merged


@cache
def _compiled(path: Path) -> Translations:
    """Every page of a process shares the words of the layout."""
    buffer = BytesIO()
    with path.open("rb") as file:
        write_mo(buffer, read_po(file, locale=path.parent.parent.name))
    buffer.seek(0)
    return Translations(buffer)
