"""The order of Vietnamese words: letters as in the alphabet first, tones only where letters are equal."""

import unicodedata

_LETTERS = "aăâbcdđeêfghijklmnoôơpqrstuưvwxyz"
_RANKS = {letter: f"{index:02d}" for index, letter in enumerate(_LETTERS)}
_TONES = {"\u0300": "1", "\u0309": "2", "\u0303": "3", "\u0301": "4", "\u0323": "5"}
"""Huyền, hỏi, ngã, sắc, nặng: the order of dictionaries; the level tone comes first."""


def vietnamese_key(text: str) -> tuple[str, str]:
    """A key to sort names by: `Bình` before `Bính` before `Cây`, `d` before `đ`."""
    letters, tones = [], []
    for character in unicodedata.normalize("NFC", text.casefold()):
        letter, tone = _apart(character)
        letters.append(_RANKS.get(letter, f" {letter}"))
        tones.append(tone)
    return "".join(letters), "".join(tones)


def _apart(character: str) -> tuple[str, str]:
    """The letter with its shape marks, and the code of its tone."""
    tone = "0"
    kept = ""
    for mark in unicodedata.normalize("NFD", character):
        if mark in _TONES:
            tone = _TONES[mark]
        else:
            kept += mark
    return unicodedata.normalize("NFC", kept), tone
