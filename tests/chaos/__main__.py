"""`python -m tests.chaos --seed 7 --seconds 60`: a storm over the running system: what happens and how it ends."""

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

from tests.chaos.storm import EVENTS_A_SECOND, SECONDS_BETWEEN, Storm


def say(text: str) -> None:
    """A line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run one storm."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="the same seed plans the same storm")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long it lasts")
    parser.add_argument("--rate", type=float, default=EVENTS_A_SECOND, help="events a second")
    parser.add_argument(
        "--between", type=float, default=SECONDS_BETWEEN, help="mean seconds between mischiefs"
    )
    options = parser.parse_args()
    seed = random.randrange(1 << 16) if options.seed is None else options.seed
    say(
        f"seed {seed}: again with  python -m tests.chaos --seed {seed} --seconds {options.seconds:g} "
        f"--rate {options.rate:g} --between {options.between:g}"
    )
    with tempfile.TemporaryDirectory(
        prefix="thidua-chaos-", ignore_cleanup_errors=True
    ) as folder:
        storm = Storm(Path(folder), seed, options.seconds, say, options.rate, options.between)
        try:
            outcome = asyncio.run(storm.run())
        except AssertionError as error:
            say(f"seed {seed} FAILED: {error}\n{storm.system.tail()}")
            return 1
    memory = ", ".join(f"{n} {size >> 20} MB" for n, size in outcome.largest.items())
    say(f"{outcome.happened} mischiefs under {outcome.events:,} events; at most {memory}")
    say(
        f"all was accepted; the board was right {outcome.recovery_seconds:.1f} s later; no dead letters"
    )
    say(outcome.verdict)
    return 0


if __name__ == "__main__":
    sys.exit(main())
