"""A sentence about what is wrong that can be said in another language."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self


class Fault(str):
    """An English sentence that still knows its template and what was filled in; a part may be such a sentence too."""

    __slots__ = ("parts", "template")
    template: str
    parts: tuple[object, ...]

    @classmethod
    def of(cls, template: str, *parts: object) -> Self:
        """Fill a template of `str.format` with parts."""
        said = cls(template.format(*parts))
        said.template, said.parts = template, parts
        return said

    def without(self, words: str) -> Self:
        """The same where no part has these words, such as a folder that means nothing to the reader."""
        return self.of(self.template, *(_without(part, words) for part in self.parts))

    def translated(self, templates: Mapping[str, str]) -> str:
        """The same in the language of these templates; one that they lack stays as it is."""
        parts = [p.translated(templates) if isinstance(p, Fault) else p for p in self.parts]
        return templates.get(self.template, self.template).format(*parts)


def _without(part: object, words: str) -> object:
    if isinstance(part, Fault):
        return part.without(words)
    return str(part).replace(words, "") if isinstance(part, str | Path) else part
