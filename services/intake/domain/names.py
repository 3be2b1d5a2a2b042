"""Names of units as senders write them: one key for the same name, and suggestions for people about other ones."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher

ANY_SOURCE = "*"
_TONES = "\u0300\u0301\u0303\u0309\u0323"
_FRONTED = re.compile(rf"(?<![q])(o[ae]|uy)([{_TONES}])(?![a-z\u0302\u0306\u031b])")
_DASHES = re.compile(r"\s*[-\u2010-\u2015]\s*")
_LEAST_LIKE = 0.6
_LEAST_LIKE_CODE = 0.8
_OFFICES = ("ủy ban nhân dân", "uỷ ban nhân dân", "ubnd")


def key_of(name: str) -> str:
    """The same for every spelling of one name: Unicode form, case, blanks, dashes, place of the tone (`hoà`, `hòa`)."""
    plain = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    plain = _DASHES.sub(" - ", plain).strip()
    apart = unicodedata.normalize("NFD", plain)
    return unicodedata.normalize("NFC", _FRONTED.sub(_front, apart))


def _front(found: re.Match[str]) -> str:
    vowels, tone = found.groups()
    return vowels[0] + tone + vowels[1:]


def bare(name: str) -> str:
    """The key without any diacritics."""
    apart = unicodedata.normalize("NFD", key_of(name).replace("đ", "d"))
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A unit that a person may mean."""

    unit: str
    name: str
    why: str
    """`bare`: the same but for diacritics; `alias`: an alias of another source; `like`, `code`: only alike."""


@dataclass(slots=True)
class Aliases:
    """Which name means which unit, for each source; `*` holds for all sources."""

    units: dict[tuple[str, str], str] = field(default_factory=dict)
    """(source, key of the name) -> unit."""
    _bare: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)

    def add(self, source: str, name: str, unit: str) -> None:
        """Know a name; a later one for the same name replaces it."""
        self.units[source, key_of(name)] = unit
        self._bare.setdefault((source, bare(name)), {})[key_of(name)] = unit

    def but(self, source: str, name: str, unit: str) -> "Aliases":
        """The same, had this been said too."""
        others = Aliases(dict(self.units), {at: dict(said) for at, said in self._bare.items()})
        others.add(source, name, unit)
        return others

    def unit(self, source: str, name: str) -> str | None:
        """The unit that a name means; None: nobody has said.

        A name written without a single diacritic meets the alias that reads the same without them, if there is
        exactly one such unit. A name with other diacritics never does: `Hóa An` is not `Hòa An`.
        """
        key = key_of(name)
        for place in (source, ANY_SOURCE):
            if (found := self.units.get((place, key))) is not None:
                return found
        if key != bare(name):
            return None
        wanted = [self._bare.get((place, key), {}) for place in (source, ANY_SOURCE)]
        units = set((wanted[0] or wanted[1]).values())
        return next(iter(units)) if len(units) == 1 else None

    def affected(self, keys: Iterable[str]) -> list[str]:
        """Keys of all names whose meaning may change when something is said about these."""
        said = set(keys)
        detours = {key for (_, key), unit in self.units.items() if key_of(unit) in said}
        return sorted(said | set(map(bare, said)) | detours)

    def suggest(
        self, name: str, plan_names: Mapping[str, str], most: int = 3
    ) -> list[Suggestion]:
        """Units that a person may mean, the likeliest first; `plan_names`: unit -> its name in the plan."""
        known = [
            Suggestion(unit, plan_names.get(unit, unit), "alias")
            for (_, key), unit in self.units.items()
            if key == key_of(name)
        ]
        found = [*known, *_by_code(name, plan_names), *_by_name(name, plan_names)]
        return list({one.unit: one for one in reversed(found)}.values())[::-1][:most]


def _by_code(said: str, plan_names: Mapping[str, str]) -> Iterable[Suggestion]:
    """Units whose code stands in what was said, or nearly does: other prefixes, mistyped digits."""
    likely = []
    for unit, name in plan_names.items():
        like = 1.0 if unit in said else SequenceMatcher(None, said.strip(), unit).ratio()
        if like >= _LEAST_LIKE_CODE:
            likely.append((like, Suggestion(unit, name, "code")))
    return (one for _, one in sorted(likely, key=lambda pair: -pair[0]))


def _by_name(name: str, plan_names: Mapping[str, str]) -> Iterable[Suggestion]:
    wanted = _without_office(name)
    scored = []
    for unit, official in plan_names.items():
        plain = _without_office(official)
        like = SequenceMatcher(None, wanted, plain).ratio()
        if like >= _LEAST_LIKE:
            scored.append((like, Suggestion(unit, official, "bare" if like == 1 else "like")))
    return (one for _, one in sorted(scored, key=lambda pair: -pair[0]))


def _without_office(name: str) -> str:
    plain = key_of(name)
    for office in _OFFICES:
        plain = plain.removeprefix(key_of(office)).strip()
    return bare(plain)
