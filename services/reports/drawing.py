"""Draws one package in a process of its own, whose memory ends with it: `python -m services.reports.drawing FOLDER`.

The folder holds the order and takes the archive. Standard output says how far it is, a line of two numbers a document.
"""

import os
import signal
import sys
from pathlib import Path

from services.reports.domain.record import ARCHIVE, ORDER, Order
from services.reports.render.package import build
from services.runtime.logging import configure
from services.runtime.settings import Settings
from services.runtime.web.collation import vietnamese_key

NICENESS = 5
"""Drawing takes what is left of the processors: boards and mails go before it."""


def draw(folder: Path) -> None:
    """Fill the order that lies in a folder."""
    order = Order.model_validate_json((folder / ORDER).read_bytes())
    with (folder / ARCHIVE).open("wb") as target:
        build(order.record, vietnamese_key, target, order.templates, _tell)


def _tell(done: int, total: int) -> None:
    """When nobody listens any more the worker is gone, and so is this process."""
    sys.stdout.write(f"{done} {total}\n")
    sys.stdout.flush()


def main() -> None:
    """Draw the package of the folder that is named; whoever began it also ends it early."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    configure(Settings().log_level, "drawing")
    draw(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
