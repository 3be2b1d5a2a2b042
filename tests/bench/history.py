"""What an event costs as history grows: the fold in one process, a slice of new events measured at each size."""

import gc
import statistics
import time
from collections.abc import Iterator
from datetime import date
from itertools import islice
from typing import Any

from services.scoring.domain.fold import Fold
from tests.bench.parts import main_of, part
from tests.bench.sample import events, plan_with

PACK = 500
SLICES = 5
"""Pieces of the measured slice; their mean counts, their spread tells how noisy the machine is."""


@part
def grow(sizes: list[int], slice_events: int, units: int, seed: int = 7) -> dict[str, Any]:
    """CPU of the fold and of the board's rows, per event, at each size of history."""
    fold = Fold(date(2026, 1, 1))
    fold.publish(plan_with(units))
    lines = events(units, seed)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)  # as the worker does
    found: list[dict[str, Any]] = []
    for size in sizes:
        for line in islice(lines, max(0, size - fold.folded)):
            fold.apply(line)
        _refresh(fold)
        costs = [_cost(fold, lines, slice_events // SLICES) for _ in range(SLICES)]
        found.append(
            {
                "history": size,
                "facts": len(fold.facts),
                "cpu_us_per_event": statistics.mean(costs),
                "slices": costs,
            }
        )
    return {"at": found, "ratio": found[-1]["cpu_us_per_event"] / found[0]["cpu_us_per_event"]}


def _cost(fold: Fold, lines: Iterator[bytes], count: int) -> float:
    """CPU microseconds an event, packs of 500, the rows brought up to date after each."""
    packs = [list(islice(lines, PACK)) for _ in range(max(1, round(count / PACK)))]
    began = time.process_time()
    for pack in packs:
        for line in pack:
            fold.apply(line)
        _refresh(fold)
    return (time.process_time() - began) / (len(packs) * PACK) * 1e6


def _refresh(fold: Fold) -> None:
    for standings in fold.standings.values():
        standings.refresh()


if __name__ == "__main__":
    main_of(grow)
