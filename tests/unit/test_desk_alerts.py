"""What the workspace and the packages bring: returned items, waiting reviews, appeals, signatures; and bad lines."""

from datetime import datetime
from itertools import permutations
from typing import Any, cast

import msgspec
import pytest

from contracts.packages import PackageChecked, PackageReturned, PapersRecorded
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
        package = b'"type":"pa' in lines[0]
        handle = self.handlers.on_packages if package else self.handlers.on_submissions
        await handle([pack])

    def taken_back(self, moment: datetime) -> dict[str, str]:
        """The rules of what is taken back at a look, with the reason."""
        found = self.watch.tick(moment).retracted
        return {number.partition("|")[0]: str(why) for number, why in found.items()}

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


async def test_a_report_that_claims_nothing_waits_for_nobody() -> None:
    desk = Desk()
    await desk.comes(MADE | {"indicators": []})
    assert "review-waiting" not in desk.told(local("2023-07-20"))


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


async def test_a_package_that_is_sent_back_waits_for_nobody_until_it_is_checked_again() -> None:
    checked = PackageChecked.example | {"id": "p:checked:1"}
    returned = PackageReturned.example | {"checked": "p:checked:1"}
    desk = Desk()
    await desk.comes(checked)
    desk.told(local("2023-10-12", "09:00"))
    await desk.comes(returned, checked)
    assert desk.taken_back(local("2023-10-13", "11:00")) == {"package-ready": "sent_back"}
    assert desk.taken_back(local("2023-10-13", "12:00")) == {}
    await desk.comes(checked | {"id": "p:checked:2"}, returned)
    assert desk.told(local("2023-10-14", "09:00")) == ["package-ready"]
    early = Desk()
    await early.comes(returned)
    await early.comes(checked)
    assert early.told(local("2023-10-14", "09:00")) == []


VERDICTS = [
    REVIEWED | {"id": "r1", "decision": "rejected"},
    REVIEWED | {"id": "r2", "decision": "corrected", "at": local("2023-07-12", "15:00")},
]


async def test_a_verdict_that_an_appeal_corrects_is_taken_back() -> None:
    desk = Desk()
    await desk.comes(MADE, VERDICTS[0])
    assert desk.told(local("2023-07-12", "10:00")) == ["item-returned"]
    await desk.comes(VERDICTS[1])
    found = desk.watch.tick(local("2023-07-20", "10:00"))
    assert [number.partition("|")[0] for number in found.retracted] == ["item-returned"]
    assert {str(why) for why in found.retracted.values()} == {"judged_anew"}
    assert "item-verified" in {o.rule for o in found.occasions}


async def test_a_decision_that_the_office_takes_back_waits_at_its_desk_again() -> None:
    reopened = REVIEWED | {
        "id": "r3",
        "decision": "reopened",
        "at": local("2023-07-13", "09:00"),
    }
    made = MADE | {"indicators": ["X5"]}
    for order in permutations([made, VERDICTS[0], reopened]):
        desk = Desk()
        await desk.comes(*order)
        assert desk.told(local("2023-07-13", "10:00")) == ["item-reopened"]
        assert desk.told(local("2023-07-15", "07:30")) == ["review-waiting"]
    desk = Desk()
    await desk.comes(made, VERDICTS[0])
    desk.told(local("2023-07-12", "10:00"))
    await desk.comes(reopened)
    assert desk.taken_back(local("2023-07-13", "10:00")) == {"item-returned": "judged_anew"}


async def test_an_answer_that_is_revoked_is_taken_back() -> None:
    upheld = AppealDecided.example
    revoked = upheld | {
        "id": "kn-31399-1:revoked", "decision": "dismissed", "at": "2023-08-10T09:00:00+07:00"
    }  # fmt: skip
    desk = Desk()
    await desk.comes(AppealLodged.example, upheld)
    assert desk.told(local("2023-08-08", "16:00")) == ["appeal-decided"]
    await desk.comes(revoked)
    found = desk.watch.tick(local("2023-08-10", "10:00"))
    assert {n.rpartition("|")[2]: str(w) for n, w in found.retracted.items()} == {
        "kn-31399-1:decided": "judged_anew"
    }
    assert [o.cause for o in found.occasions if o.rule == "appeal-decided"] == [revoked["id"]]
    early = Desk()
    await early.comes(revoked, upheld, AppealLodged.example)
    assert early.told(local("2023-08-10", "10:00")) == ["appeal-decided"]


async def test_a_verdict_on_an_older_version_stays_true() -> None:
    desk = Desk()
    await desk.comes(MADE, VERDICTS[0])
    desk.told(local("2023-07-12", "10:00"))
    await desk.comes(MADE | {"id": "v2", "version": 2}, VERDICTS[1] | {"version": 2})
    assert desk.taken_back(local("2023-07-20", "10:00")) == {}


@pytest.mark.parametrize("order", [*permutations([*VERDICTS, VERDICTS[0]])])
async def test_of_verdicts_that_come_at_once_only_the_one_that_holds_is_told(
    order: tuple[dict[str, Any], ...],
) -> None:
    desk = Desk()
    await desk.comes(MADE, *order)
    assert desk.told(local("2023-07-12", "16:00")) == ["item-verified"]


WHOLE = PapersRecorded.example | {"version": 3}
AGAIN = WHOLE | {"version": 4, "missing": ["minutes"], "received_on": None}
PART = WHOLE | {"version": 1, "missing": ["minutes", "list"], "received_on": None}


async def test_who_has_handed_in_the_award_dossier_is_not_reminded_of_it() -> None:
    for order in permutations([PART, WHOLE, PART]):
        desk = Desk()
        await desk.comes(*order)
        assert desk.told(local("2024-01-02", "07:30")) == []
        assert desk.told(local("2024-01-04", "07:30")) == []
    other = Desk()
    await other.comes(WHOLE | {"unit": "31402"})
    assert other.told(local("2024-01-02", "07:30")) == ["award-dossier-soon"]
    assert other.told(local("2024-01-04", "07:30")) == ["award-dossier-tomorrow"]


async def test_a_dossier_of_which_a_paper_is_taken_back_is_owed_again_and_its_gap_is_named() -> (
    None
):
    for order in permutations([WHOLE, AGAIN, WHOLE]):
        desk = Desk()
        await desk.comes(*order)
        found = desk.watch.tick(local("2024-01-02", "07:30"))
        (told,) = [
            o for o in found.occasions if (o.unit, o.rule) == (UNIT, "award-dossier-soon")
        ]
        assert told.blanks["missing"] == ["minutes"]
    desk = Desk()
    await desk.comes(WHOLE)
    assert desk.told(local("2024-01-02", "07:30")) == []
    await desk.comes(AGAIN)
    assert desk.told(local("2024-01-02", "09:00")) == ["award-dossier-soon"]
    await desk.comes(WHOLE | {"version": 5})
    assert desk.told(local("2024-01-04", "07:30")) == []
    assert desk.taken_back(local("2024-01-04", "08:00")) == {}


async def test_a_hamlet_owes_no_award_dossier() -> None:
    hamlet = next(unit.code for unit in PLAN.units if unit.bloc == "hamlet")
    desk = Desk()
    await desk.comes(PART | {"unit": hamlet})
    found = desk.watch.tick(local("2024-01-04", "08:00"))
    assert [o for o in found.occasions if o.unit == hamlet] == []


async def test_a_bad_line_is_set_aside_and_stops_nobody() -> None:
    desk = Desk()
    good = msgspec.json.encode(REVIEWED)
    await desk.bring(b"nonsense", good, msgspec.json.encode(REVIEWED | {"plan": "unknown"}))
    assert desk.letters.reasons == ["undecodable event", "undecodable event"]
    assert desk.told(local("2023-07-12", "10:00")) == ["item-returned"]
