"""What the workspace and the packages bring: returned items, waiting reviews, appeals, signatures; and bad lines."""

from datetime import datetime
from typing import Any, cast

import msgspec

from contracts.packages import PackageChecked
from contracts.submissions import (
    AppealDecided,
    AppealLodged,
    ItemReviewed,
    SubmissionMade,
    SubmissionWithdrawn,
)
from services.notifier.domain.picture import Picture
from services.notifier.domain.watch import Watch
from services.notifier.handlers import Handlers
from services.runtime.consuming import DeadLetters
from services.runtime.journal import Pack
from services.runtime.tracing import Causes
from tests.support.notifying import PLAN, START, local

UNIT = "31399"


class Letters:
    """Counts what was set aside."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def add(self, reason: str, _error: Exception, _raw: bytes, _origin: str) -> None:
        self.reasons.append(reason)


class Desk:
    """A watch that is fed with packs, as the journal feeds it."""

    def __init__(self) -> None:
        self.watch = Watch(Picture())
        self.letters = Letters()
        self.handlers = Handlers(self.watch, cast("DeadLetters", self.letters), Causes())
        self.watch.publish(PLAN, START)
        self.watch.tick(START)

    async def comes(self, *events: dict[str, Any]) -> None:
        lines = [msgspec.json.encode(event) for event in events]
        await self.bring(*lines)

    async def bring(self, *lines: bytes) -> None:
        pack = Pack("0" * 23, "submission", 0, START, len(lines), b"\n".join(lines))
        package = b"package.checked" in lines[0]
        handle = self.handlers.on_packages if package else self.handlers.on_submissions
        await handle([pack])

    def told(self, moment: datetime) -> list[str]:
        return [
            o.rule
            for o in self.watch.tick(moment).occasions
            if o.unit in {UNIT, ""} and o.fate == "raised" and not o.rule.startswith("report-")
        ]


MADE = SubmissionMade.example | {"at": local("2023-07-10", "16:00"), "indicators": ["X2", "X5"]}
REVIEWED = ItemReviewed.example | {"at": local("2023-07-12", "09:00")}


async def test_items_are_told_by_decision_and_once() -> None:
    desk = Desk()
    await desk.comes(
        MADE, REVIEWED, REVIEWED | {"id": "ok", "decision": "accepted", "indicator": "X2"}
    )
    assert desk.told(local("2023-07-12", "10:00")) == ["item-returned", "item-verified"]
    await desk.comes(REVIEWED)
    assert desk.told(local("2023-07-12", "11:00")) == []


async def test_a_report_that_waits_is_the_standing_offices_until_every_item_is_decided() -> (
    None
):
    desk = Desk()
    await desk.comes(MADE, REVIEWED | {"decision": "accepted"})
    desk.told(local("2023-07-15", "07:29"))
    assert desk.told(local("2023-07-15", "07:30")) == ["review-waiting"]
    other = Desk()
    await other.comes(
        MADE, REVIEWED, REVIEWED | {"id": "b", "indicator": "X2", "decision": "corrected"}
    )
    assert "review-waiting" not in other.told(local("2023-07-20"))
    withdrawn = Desk()
    await withdrawn.comes(
        MADE, SubmissionWithdrawn.example | {"at": local("2023-07-10", "17:00")}
    )
    assert "review-waiting" not in withdrawn.told(local("2023-07-20"))


async def test_a_decision_that_arrives_before_its_report_counts() -> None:
    desk = Desk()
    await desk.comes(REVIEWED, REVIEWED | {"id": "b", "indicator": "X2"})
    await desk.comes(MADE)
    assert "review-waiting" not in desk.told(local("2023-07-20"))


async def test_an_appeal_is_due_overdue_and_decided() -> None:
    desk = Desk()
    await desk.comes(AppealLodged.example)  # answer due on Tuesday 15 August
    assert desk.told(local("2023-08-14", "07:29")) == []
    assert desk.told(local("2023-08-14", "07:30")) == ["appeal-due-tomorrow"]
    assert desk.told(local("2023-08-16", "00:00")) == ["appeal-overdue"]
    await desk.comes(AppealDecided.example)
    assert desk.told(local("2023-08-16", "09:00")) == ["appeal-decided"]
    answered = Desk()
    await answered.comes(AppealLodged.example, AppealDecided.example)
    assert answered.told(local("2023-08-20")) == ["appeal-decided"]


async def test_a_package_that_is_complete_waits_for_the_chair() -> None:
    desk = Desk()
    await desk.comes(PackageChecked.example)
    assert desk.told(local("2023-10-12", "09:00")) == ["package-ready"]


async def test_a_bad_line_is_set_aside_and_stops_nobody() -> None:
    desk = Desk()
    good = msgspec.json.encode(REVIEWED)
    await desk.bring(b"nonsense", good, msgspec.json.encode(REVIEWED | {"plan": "unknown"}))
    assert desk.letters.reasons == ["undecodable event", "undecodable event"]
    assert desk.told(local("2023-07-12", "10:00")) == ["item-returned"]
