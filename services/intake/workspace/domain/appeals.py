"""Appeals of units against a line or an exclusion, and excuses of an exclusion by the office itself."""

from datetime import date, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, Field

from contracts.plan import Plan
from contracts.submissions import AppealDecided, AppealLodged
from services.intake.workspace.domain.declaring import SOURCE, Fields
from services.intake.workspace.domain.report import Outgoing, ReportError, Step

About = Literal["indicator", "exclusion"]
REASONS = ("portal-outage", "force-majeure", "appeal-upheld")
"""Codes of why an exclusion is lifted."""


class Effect(BaseModel):
    """Where a unit stood on the board of the whole competition: points in ten-thousandths, rank."""

    points: int
    verified_points: int
    rank: int
    eligible: bool


class Appeal(BaseModel):
    """One contest, from its lodging to its effect; also an excuse, which is decided as it is made."""

    id: str
    plan: str
    unit: str
    month: str
    about: About
    code: str
    words: str = Field(max_length=1_000)
    by: str
    at: datetime
    answer_due_on: date
    excuse: bool = False
    state: Literal["lodged", "upheld", "dismissed"] = "lodged"
    answer: str = ""
    reason: str = ""
    """Why an exclusion is lifted: a code."""
    decided_by: str = ""
    decided_at: datetime | None = None
    before: Effect | None = None
    after: Effect | None = None
    revision: int = 0
    outbox: list[dict[str, Any]] = []


def last_day_to_appeal(plan: Plan, since: date) -> date:
    """An appeal is in time so many days after what it contests."""
    return since + timedelta(days=plan.casework.appeal_days)


def lodge(plan: Plan, appeal: Appeal, since: date, today: date) -> Outgoing:
    """Tell of a new appeal.

    Raises:
        ReportError: it comes too late, or says nothing.
    """
    if not appeal.words.strip():
        raise ReportError("reason_missing")
    last = last_day_to_appeal(plan, since)
    if today > last:
        raise ReportError("appeal_too_late", last.isoformat())
    event = AppealLodged(
        id=f"{appeal.id}:lodged",
        appeal=appeal.id,
        plan=appeal.plan,
        unit=appeal.unit,
        month=appeal.month,
        about=appeal.about,
        code=appeal.code,
        answer_due_on=appeal.answer_due_on,
        at=appeal.at,
        by=appeal.by,
    )
    return Outgoing(submission=[event])


def answer_due_on(plan: Plan, today: date) -> date:
    """Until when the office answers."""
    return today + timedelta(days=plan.casework.answer_days)


def settle(
    appeal: Appeal,
    decision: Literal["upheld", "dismissed"],
    answer: str,
    reason: str,
    step: Step,
) -> tuple[Appeal, Outgoing]:
    """Decide; the same decision again changes nothing.

    Raises:
        ReportError: it was decided otherwise, or the answer or the reason is missing.
    """
    if appeal.state != "lodged":
        if (appeal.state, appeal.answer) == (decision, answer):
            return appeal, Outgoing()
        raise ReportError("decided_already", appeal.id)
    if not answer.strip():
        raise ReportError("reason_missing")
    lifts = decision == "upheld" and appeal.about == "exclusion"
    if lifts and reason not in REASONS:
        raise ReportError("reason_unknown", reason)
    decided = appeal.model_copy(
        update={
            "state": decision,
            "answer": answer,
            "reason": reason if lifts else "",
            "decided_by": step.by,
            "decided_at": step.at,
        }
    )
    event = AppealDecided(
        id=f"{appeal.id}:decided",
        appeal=appeal.id,
        plan=appeal.plan,
        unit=appeal.unit,
        month=appeal.month,
        about=appeal.about,
        code=appeal.code,
        decision=decision,
        answer=answer,
        at=step.at,
        by=step.by,
    )
    lifting = [lifted_by(decided, step)] if lifts else []
    return decided, Outgoing(lifting, [event])


def lifted_by(appeal: Appeal, step: Step) -> Fields:
    """The claim that lifts the contested exclusion."""
    return {
        "source": SOURCE,
        "id": f"{appeal.id}:lifted",
        "type": "exclusion.lifted",
        "subject": f"{appeal.unit}:{appeal.code}:{appeal.month}:{appeal.id}",
        "version": 1,
        "unit": appeal.unit,
        "state": "verified",
        "occurred_at": step.at.isoformat(),
        "plan": appeal.plan,
        "rule": appeal.code,
        "month": appeal.month,
        "reason": appeal.reason,
    }
