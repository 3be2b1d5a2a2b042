"""Overdue dossiers of one unit in one month: how many, and the first of them by key, however many there are."""

from bisect import insort
from heapq import nsmallest

AT_HAND = 200
"""So many of the first keys are kept in order. More than are asked for, so that few are looked for anew."""


class Overdue:
    """A set of keys that knows its first ones without sorting all of them."""

    __slots__ = ("_first", "_keys")

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._first: list[str] = []
        """In order; no key that is missing here comes before the last of them."""

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: str) -> None:
        """One more; the same again changes nothing."""
        if key in self._keys:
            return
        are_all = len(self._first) == len(self._keys)
        self._keys.add(key)
        if are_all or (self._first and key < self._first[-1]):
            insort(self._first, key)
            del self._first[AT_HAND:]

    def discard(self, key: str) -> None:
        """One less, if it is there."""
        if key not in self._keys:
            return
        self._keys.remove(key)
        if self._first and key <= self._first[-1]:
            self._first.remove(key)

    def first(self, most: int) -> list[str]:
        """The first ones in order, at most so many and never more than are kept at hand."""
        if len(self._first) < min(most, len(self._keys)):
            self._first = nsmallest(AT_HAND, self._keys)
        return self._first[:most]
