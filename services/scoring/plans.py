"""Published plan versions come into force in a worker."""

from collections.abc import Callable

from contracts.events import PlanPublished
from services.runtime.consuming import DeadLetters
from services.runtime.journal import Pack
from services.runtime.logging import get_logger
from services.scoring.domain.fold import Boards

log = get_logger(__name__)


class Plans:
    """Puts each plan version into the boards of a worker, once."""

    def __init__(
        self, boards: Boards, dead_letters: DeadLetters, published: Callable[[], None]
    ) -> None:
        self._boards = boards
        self._dead_letters = dead_letters
        self._published = published
        """Told when a version is new."""

    async def on_packs(self, packs: list[Pack]) -> None:
        """Take published plan versions into force; a bad line becomes a dead letter."""
        for pack in packs:
            for line in pack.lines:
                try:
                    plan = PlanPublished.model_validate_json(line).plan
                except ValueError as error:
                    self._dead_letters.add("undecodable event", error, line, pack.id)
                    continue
                if self._boards.publish(plan):
                    log.info("plan in force", plan=plan.id, version=plan.version)
                    self._published()
