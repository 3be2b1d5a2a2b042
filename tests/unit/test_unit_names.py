"""Names of units: the same name in any spelling, and never another one."""

import unicodedata

import pytest

from services.intake.domain.names import Aliases, bare, key_of

NAMES = {"31420": "Xã Hòa Mỹ", "31423": "Xã Hòa An", "31399": "Xã Tân Bình"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("UBND xã Hòa Mỹ", "ubnd  XÃ Hoà Mỹ "),
        ("UBND xã Hòa Mỹ", unicodedata.normalize("NFD", "UBND xã Hòa Mỹ")),
        ("Phòng Tài chính \N{EN DASH} Kế hoạch", "Phòng Tài chính - Kế hoạch"),
        ("Phòng Tài chính-Kế hoạch", "Phòng Tài chính - Kế hoạch"),
        ("Thúy", "Thuý"),
        ("UBND\u00a0xã Tân Bình", "UBND xã Tân Bình"),
    ],
)
def test_one_name_in_two_spellings_has_one_key(one: str, other: str) -> None:
    assert key_of(one) == key_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Hòa An", "Hóa An"), ("Tân Bình", "Tân Bính"), ("Quý", "Qúy"), ("Hoàn", "Hòan")],
)
def test_other_marks_are_another_name(one: str, other: str) -> None:
    assert key_of(one) != key_of(other)
    assert bare(one) == bare(other)


def known(*names: tuple[str, str]) -> Aliases:
    aliases = Aliases()
    for name, unit in names:
        aliases.add("*", name, unit)
    return aliases


def test_a_name_without_any_mark_meets_the_only_alias_that_reads_the_same() -> None:
    aliases = known(("UBND xã Hòa An", "31423"), ("UBND xã Tân Bình", "31399"))
    assert aliases.unit("dvc", "ubnd xa tan binh") == "31399"
    assert aliases.unit("dvc", "UBND xã Tân Binh") is None, "some marks, and not these"
    ambiguous = known(("UBND xã Hòa An", "31423"), ("UBND xã Hóa An", "99"))
    assert ambiguous.unit("dvc", "ubnd xa hoa an") is None


def test_a_likeness_is_only_ever_suggested() -> None:
    aliases = known()
    assert aliases.unit("dvc", "UBND xã Tân Bình") is None
    suggested = aliases.suggest("UBND xã Tân Binh", NAMES)
    assert (suggested[0].unit, suggested[0].why) == ("31399", "bare")


def test_an_alias_of_the_source_comes_before_one_for_all() -> None:
    aliases = known(("Một cửa", "31399"))
    aliases.add("dvc", "Một cửa", "31420")
    assert aliases.unit("dvc", "MỘT CỬA") == "31420"
    assert aliases.unit("other", "một cửa") == "31399"


def test_an_alias_that_is_corrected_leaves_nothing_behind() -> None:
    aliases = known(("UBND xã Mới", "31399"), ("UBND xã Mới", "31420"))
    assert aliases.unit("dvc", "UBND xã Mới") == "31420"


@pytest.mark.parametrize("said", ["31399", "H30.31399", "3139", " 31399 ", "31339"])
def test_a_code_that_is_alike_is_suggested_and_never_taken(said: str) -> None:
    aliases = known()
    assert ("31399", "code") in [(s.unit, s.why) for s in aliases.suggest(said, NAMES)]
    assert aliases.unit("dvc", said) is None


def test_a_code_of_nobody_suggests_nothing() -> None:
    assert known().suggest("99999", NAMES) == []
