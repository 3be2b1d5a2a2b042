"""What happens in the workspace of units and of the standing office: reports, decisions on them, appeals.

These events tell people and documents what happened; points move by indicator events alone (`contracts/events.py`).
People appear as account codes only.
"""

from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, Field

from contracts.calendar import MonthCode
from contracts.events import CatalogueCode, Event, Name, UnitCode

Account = Name
"""The code of an account: never a person's name."""
Reason = Annotated[str, Field(max_length=1_000)]
"""Words that one person wrote to another about a claim; empty when none were needed."""


class EvidenceFile(Event):
    """One file behind a claim, without its name: names of files may name people."""

    id: Name
    indicator: CatalogueCode
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: int
    media_type: Name


class SubmissionMade(Event):
    """A unit handed in its report for a month, or a new version of it.

    Producer: intake. Consumers: notifier, reports, scoring. Sent when the report is locked; server time decides
    lateness.
    """

    type: Literal["submission.made"] = "submission.made"
    id: Name
    plan: CatalogueCode
    unit: UnitCode
    month: MonthCode
    version: int
    at: AwareDatetime
    declared_on: Annotated[date, Field(strict=False)] | None = None
    """The day that the unit itself states; shown, never judged by."""
    indicators: list[CatalogueCode]
    """Which indicators it claims something for."""
    evidence: list[EvidenceFile]
    by: Account

    example: ClassVar = {
        "type": "submission.made",
        "id": "31399:2023-07:1",
        "plan": "phung-hiep-2023",
        "unit": "31399",
        "month": "2023-07",
        "version": 1,
        "at": "2023-07-13T16:20:00+07:00",
        "declared_on": "2023-07-13",
        "indicators": ["X2", "X5"],
        "evidence": [],
        "by": "a-7f3c",
    }


class SubmissionWithdrawn(Event):
    """A unit took its report back before its review began.

    Producer: intake. Consumers: notifier, reports, scoring. Sent when it is withdrawn; what it declared is rejected by
    indicator events of the same moment.
    """

    type: Literal["submission.withdrawn"] = "submission.withdrawn"
    id: Name
    plan: CatalogueCode
    unit: UnitCode
    month: MonthCode
    version: int
    at: AwareDatetime
    by: Account

    example: ClassVar = {
        "type": "submission.withdrawn",
        "id": "31399:2023-07:1:withdrawn",
        "plan": "phung-hiep-2023",
        "unit": "31399",
        "month": "2023-07",
        "version": 1,
        "at": "2023-07-13T17:00:00+07:00",
        "by": "a-7f3c",
    }


class ItemReviewed(Event):
    """The standing office decided on one indicator of a report.

    Producer: intake. Consumers: notifier, reports, scoring. Sent when the decision is taken. *corrected*: accepted
    with another figure; *reopened*: something changed after it had been accepted, or the office took its decision
    back.
    """

    type: Literal["item.reviewed"] = "item.reviewed"
    id: Name
    plan: CatalogueCode
    unit: UnitCode
    month: MonthCode
    indicator: CatalogueCode
    version: int
    """Of the report."""
    decision: Literal["accepted", "corrected", "returned", "rejected", "reopened"]
    reason: Reason = ""
    at: AwareDatetime
    by: Account

    example: ClassVar = {
        "type": "item.reviewed",
        "id": "31399:2023-07:1:X5:1",
        "plan": "phung-hiep-2023",
        "unit": "31399",
        "month": "2023-07",
        "indicator": "X5",
        "version": 1,
        "decision": "returned",
        "reason": "Danh sách thiếu ấp Mỹ Lợi.",
        "at": "2023-07-17T09:00:00+07:00",
        "by": "a-19e0",
    }


class AppealLodged(Event):
    """A unit contests a line or an exclusion.

    Producer: intake. Consumers: notifier, reports, scoring. Sent when the appeal is handed in, within the plan's time.
    """

    type: Literal["appeal.lodged"] = "appeal.lodged"
    id: Name
    appeal: Name
    plan: CatalogueCode
    unit: UnitCode
    month: MonthCode
    about: Literal["indicator", "exclusion"]
    code: CatalogueCode
    """Of the indicator, or of the exclusion rule."""
    answer_due_on: Annotated[date, Field(strict=False)]
    at: AwareDatetime
    by: Account

    example: ClassVar = {
        "type": "appeal.lodged",
        "id": "kn-31399-1:lodged",
        "appeal": "kn-31399-1",
        "plan": "phung-hiep-2023",
        "unit": "31399",
        "month": "2023-07",
        "about": "exclusion",
        "code": "two-overdue-dossiers",
        "answer_due_on": "2023-08-15",
        "at": "2023-08-05T10:00:00+07:00",
        "by": "a-7f3c",
    }


class AppealDecided(Event):
    """The standing office answered an appeal.

    Producer: intake. Consumers: notifier, reports, scoring. Sent when the decision is taken; its effect on points or
    exclusions comes by indicator events of the same moment.
    """

    type: Literal["appeal.decided"] = "appeal.decided"
    id: Name
    appeal: Name
    plan: CatalogueCode
    unit: UnitCode
    month: MonthCode
    about: Literal["indicator", "exclusion"]
    code: CatalogueCode
    decision: Literal["upheld", "dismissed"]
    """*upheld*: the unit was right."""
    answer: Reason
    at: AwareDatetime
    by: Account

    example: ClassVar = {
        "type": "appeal.decided",
        "id": "kn-31399-1:decided",
        "appeal": "kn-31399-1",
        "plan": "phung-hiep-2023",
        "unit": "31399",
        "month": "2023-07",
        "about": "exclusion",
        "code": "two-overdue-dossiers",
        "decision": "upheld",
        "answer": "Cổng dịch vụ công gián đoạn ngày 12/07/2023.",
        "at": "2023-08-08T15:00:00+07:00",
        "by": "a-19e0",
    }
