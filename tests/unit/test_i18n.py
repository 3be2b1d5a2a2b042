"""Both languages are whole, and numbers are written as people write them."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from fastapi import Request

from services.runtime.web import formats, i18n
from services.runtime.web.collation import vietnamese_key
from services.runtime.web.site import HERE
from tests.support.catalogues import FOLDERS, ROOT, translated, used

VI, EN = (i18n.load([HERE / "locale"])[lang] for lang in i18n.LANGUAGES)


def _request(query: str = "", cookie: str = "", accept: str = "") -> Request:
    headers = [(b"accept-language", accept.encode()), (b"cookie", cookie.encode())]
    return Request(
        {"type": "http", "path": "/", "query_string": query.encode(), "headers": headers}
    )


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_message_has_english_words(folder: str) -> None:
    english = translated(folder, "en")
    lacking = [m.id for m in used(folder) if m.id and not _said(english.get(m.id))]
    assert lacking == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_english_catalogue_holds_nothing_unused_or_doubtful(folder: str) -> None:
    wanted = used(folder)
    entries = [m for m in translated(folder, "en") if m.id]
    assert [m.id for m in entries if m.fuzzy or wanted.get(m.id) is None] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_translations_keep_every_blank(folder: str) -> None:
    for message in translated(folder, "en"):
        assert not list(message.check(None)), message.id


def _said(message: object) -> bool:
    words = getattr(message, "string", "")
    return all(words) if isinstance(words, tuple) else bool(words)


def test_catalogues_need_no_build_step() -> None:
    assert list(ROOT.glob("services/**/locale/**/*.mo")) == []
    assert EN.gettext("Về trang chủ") == "Go to the home page"
    assert VI.gettext("Về trang chủ") == "Về trang chủ"


def test_english_knows_one_and_many() -> None:
    assert (EN.ago(1), EN.ago(3.9), EN.ago(7200)) == (
        "1 second ago",
        "3 seconds ago",
        "2 hours ago",
    )
    assert (VI.ago(0.4), VI.ago(61)) == ("vừa xong", "1 phút trước")


@pytest.mark.parametrize(
    ("query", "cookie", "accept", "lang"),
    [
        ("", "", "", "vi"),
        ("", "", "en-GB,en;q=0.9,vi;q=0.8", "en"),
        ("", "", "fr,vi;q=0.8,en;q=0.9", "en"),
        ("", "", "de;q=nonsense", "vi"),
        ("", "lang=en", "vi", "en"),
        ("lang=vi", "lang=en", "en", "vi"),
        ("lang=xx", "", "en", "en"),
    ],
)
def test_the_address_wins_over_the_cookie_over_the_browser(
    query: str, cookie: str, accept: str, lang: str
) -> None:
    assert i18n.chosen(_request(query, cookie, accept)) == lang


@pytest.mark.parametrize(
    ("units", "vi", "en"),
    [
        (1_799_960, "179,99", "179.99"),
        (1_800_000, "180,00", "180.00"),
        (0, "0,00", "0.00"),
        (99, "0,00", "0.00"),
        (-12_599, "\N{MINUS SIGN}1,25", "\N{MINUS SIGN}1.25"),
        (12_345_678_900, "1.234.567,89", "1,234,567.89"),
    ],
)
def test_points_are_cut_to_two_decimals_and_never_rounded_up(
    units: int, vi: str, en: str
) -> None:
    assert (VI.fixed(units), EN.fixed(units)) == (vi, en)


def test_numbers_and_dates_follow_the_language() -> None:
    assert (VI.number(1_234_567), EN.number(1_234_567)) == ("1.234.567", "1,234,567")
    assert (VI.decimal("12.50"), EN.decimal(Decimal(1200))) == ("12,5", "1,200")
    assert (VI.percent(7999, 10_000), VI.percent(1, 0)) == (
        "79,9\N{NO-BREAK SPACE}%",
        "\N{EN DASH}",
    )
    assert VI.share(Decimal("0.98")) == "98\N{NO-BREAK SPACE}%"
    assert (VI.day(date(2023, 7, 5)), EN.day(date(2023, 7, 5))) == ("05/07/2023", "5 Jul 2023")
    assert VI.moment(datetime(2023, 7, 9, 18, 0, 3, tzinfo=UTC)) == "01:00:03, 10/07/2023"
    assert [VI.period(p) for p in ("2023", "2023-Q3", "2023-07")] == [
        "Năm 2023",
        "Quý III/2023",
        "Tháng 7/2023",
    ]
    assert [EN.period(p) for p in ("2023", "2023-Q3", "2023-07")] == [
        "2023",
        "Q3 2023",
        "Jul 2023",
    ]
    assert formats.whole(-3.2) == 0


def test_names_sort_as_in_a_vietnamese_dictionary() -> None:
    names = [
        "Đông",
        "Dương",
        "Bình",
        "Bính",
        "Binh",
        "Ấp",
        "An",
        "Ăn",
        "Búng",
        "Zalo",
        "Ốc",
        "Ơn",
        "Oanh",
    ]
    assert sorted(names, key=vietnamese_key) == [
        "An", "Ăn", "Ấp", "Binh", "Bình", "Bính", "Búng", "Dương", "Đông", "Oanh", "Ốc", "Ơn", "Zalo",
    ]  # fmt: skip
