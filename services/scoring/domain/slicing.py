"""Which facts are whose when several workers divide them."""

from dataclasses import dataclass

from contracts.wire import spread


@dataclass(frozen=True, slots=True)
class Slice:
    """One of `of` equal slices of all facts; the whole when `of` is 1."""

    number: int = 0
    of: int = 1

    def holds(self, fact: str) -> bool:
        """Whether the fact is in this slice."""
        return spread(fact) % self.of == self.number

    def passes_over(self, shard: int, shards: int) -> bool:
        """Whether no fact of a shard is in this slice.

        `shards`: into how many the writer divided facts; 0 when it did not say, and then nobody can know.
        """
        if shards < 1 or shards % self.of:
            return False
        return shard % self.of != self.number

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


WHOLE = Slice()
