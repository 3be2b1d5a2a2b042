"""The hash over the journal at each close: a chain, in which no earlier pack changes without every later link."""

import hashlib
from collections.abc import Iterable


class Link:
    """One close: fed pack by pack, in order of topic and id.

    hash = SHA-256(hash of the link before, day, then for each pack: topic, id, SHA-256 of its body), as text lines.
    """

    def __init__(self, before: str, day: str) -> None:
        self._hash = hashlib.sha256(f"{before}\n{day}\n".encode())
        self.packs = 0
        self.events = 0

    def add(self, topic: str, pack: str, body: bytes, count: int) -> None:
        """One more pack."""
        content = hashlib.sha256(body).hexdigest()
        self._hash.update(f"{topic} {pack} {content}\n".encode())
        self.packs += 1
        self.events += count

    @property
    def hash(self) -> str:
        """As hexadecimal digits."""
        return self._hash.hexdigest()


def sha256(parts: Iterable[bytes]) -> str:
    """The hash of some bytes."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part)
    return whole.hexdigest()
