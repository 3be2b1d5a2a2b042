"""Passwords: what is asked of them, and how they are kept (argon2id)."""

import asyncio
import functools
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST = 12
LONGEST = 200
_AT_ONCE = 2
"""One check takes 64 MiB and a core for a while: more at once would be a way to stop the others."""


class PasswordRuleError(Exception):
    """A new password that is not taken; says why in both languages."""

    def __init__(self, vi: str, en: str) -> None:
        super().__init__(en)
        self.vi, self.en = vi, en


def check_rules(password: str, login: str) -> None:
    """Length, and not the login: nothing else is asked, because nothing else helps.

    Raises:
        PasswordRuleError: it breaks a rule.
    """
    plain = _normal(password)
    if not SHORTEST <= len(plain) <= LONGEST:
        raise PasswordRuleError(
            f"Mật khẩu phải có từ {SHORTEST} đến {LONGEST} ký tự. Một câu ngắn dễ nhớ là đủ.",
            f"The password must have {SHORTEST} to {LONGEST} characters. A short sentence will do.",
        )
    if login.casefold() in plain.casefold() or len(set(plain)) < 4:  # noqa: PLR2004 - such as aaaa…
        raise PasswordRuleError(
            "Mật khẩu không được chứa tên đăng nhập hoặc chỉ lặp lại vài ký tự.",
            "The password must not contain the login, or repeat a few characters.",
        )


class Passwords:
    """Makes and checks hashes in threads, a few at a time."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._nobody = _hash_of_nobody()
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def hash(self, password: str) -> str:
        """The text to keep."""
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, _normal(password))

    async def matches(self, kept: str | None, password: str) -> bool:
        """Whether it is the password; as slow for an account that does not exist."""
        async with self._turns:
            same = await asyncio.to_thread(self._verify, kept or self._nobody, password)
        return same and kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Whether it was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(kept)

    def _verify(self, kept: str, password: str) -> bool:
        if len(password) > LONGEST * 4:
            password = ""  # nosec B105  # nobody has it
        try:
            return self._hasher.verify(kept, _normal(password))
        except (VerificationError, InvalidHashError):
            return False


@functools.cache
def _hash_of_nobody() -> str:
    """What the password of an account that does not exist is compared with; made once, as it takes a while."""
    return PasswordHasher().hash("nobody's password")


def _normal(password: str) -> str:
    """The same characters, however a keyboard composed them."""
    return unicodedata.normalize("NFKC", password)
