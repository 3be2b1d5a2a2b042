"""Which facts are whose when several workers divide them."""

from collections.abc import Iterable, Mapping
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


def shares(slices: int, workers: Iterable[int], holders: Mapping[int, int]) -> dict[int, int]:
    """Slice -> the worker that is to carry it: equal shares, and as few slices on the move as that allows.

    `holders`: slice -> the worker that carries it now. Empty where nobody works.
    """
    held: dict[int, list[int]] = {worker: [] for worker in sorted(workers)}
    if not held:
        return {}
    for number in range(slices):
        if (holder := holders.get(number)) in held:
            held[holder].append(number)
    least, more = divmod(slices, len(held))
    keepers_first = sorted(held, key=lambda worker: len(held[worker]) <= least)
    room = {worker: least + (at < more) for at, worker in enumerate(keepers_first)}
    kept = {n: worker for worker in held for n in held[worker][: room[worker]]}
    free = (w for w in held for _ in range(room[w] - len(held[w])))
    return kept | {n: next(free) for n in range(slices) if n not in kept}
