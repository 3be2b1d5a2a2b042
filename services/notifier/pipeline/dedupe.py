"""Stage 2: one notice for each person and occasion, under a key that a repeat meets again."""

from typing import Literal

Form = Literal["alert", "handled", "retraction"]
"""The alert itself; word that somebody took it up; word that it was wrong."""


def notice_id(occasion: str, person: str, form: Form = "alert") -> str:
    """The key of a notice."""
    return f"{occasion}|{person}|{form}"
