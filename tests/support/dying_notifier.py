"""A notifier that is killed at a named stage of its pipeline: `python -m tests.support.dying_notifier STAGE`.

It is the real worker as a process of its own. Only the moment of its death is ours: SIGKILL to itself, which nothing
catches, the first time that it reaches the stage with something to do.
"""

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from services.notifier.app import main
from services.notifier.pipeline.send import Sender
from services.notifier.store import NotifierStore

Busy = Callable[[Any, tuple[Any, ...]], Awaitable[bool]]


async def _given(_: Any, values: tuple[Any, ...]) -> bool:
    return bool(values[0])


async def _occasions(_: Any, values: tuple[Any, ...]) -> bool:
    return bool(values[0].occasions)


async def _settled(store: NotifierStore, _: tuple[Any, ...]) -> bool:
    return await store.mails.find_one({"step": "settled"}) is not None


async def _queued(store: NotifierStore, _: tuple[Any, ...]) -> bool:
    return await store.mails.find_one({"state": "queued", "step": "adopted"}) is not None


STAGES: dict[str, tuple[type, str, bool, Busy]] = {
    "found, not written": (NotifierStore, "write_findings", False, _occasions),
    "written, not routed": (NotifierStore, "write_findings", True, _occasions),
    "routed, not marked so": (NotifierStore, "add_notices", True, _given),
    "grouped, not queued": (NotifierStore, "add_mails", False, _given),
    "queued, its notices unaware": (NotifierStore, "add_mails", True, _given),
    "taken out of the queue": (NotifierStore, "claim_mails", True, _queued),
    "accepted, not in the ledger": (Sender, "_settle", False, _given),
    "in the ledger, not recorded": (NotifierStore, "record_mails", False, _settled),
}
"""Stage -> whose method, which one, whether the process dies after it, and what means that there is work."""


def die_at(stage: str) -> None:
    """Let the stage be the last thing that this process does."""
    owner, name, after, busy = STAGES[stage]
    whole = getattr(owner, name)

    async def dying(this: Any, *values: Any) -> Any:
        dies = await busy(this, values)
        if dies and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = await whole(this, *values)
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(owner, name, dying)


if __name__ == "__main__":
    die_at(sys.argv[1])
    main()
