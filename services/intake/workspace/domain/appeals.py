"""Appeals of units against a line or an exclusion, and excuses of an exclusion by the office itself."""

from datetime import date, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, Field

from contracts.plan import Plan
from contracts.submissions import AppealDecided, AppealLodged
from services.intake.workspace.domain.declaring import SOURCE, Fields, State
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
    state: Literal["lodged", "upheld", "dismissed", "revoked"] = "lodged"
    """*revoked*: an exclusion that had been lifted holds again."""
    answer: str = ""
    reason: str = ""
    """Why an exclusion is lifted: a code."""
    decided_by: str = ""
    decided_at: datetime | None = None
    revoked_because: str = ""
    revoked_by: str = ""
    revoked_at: datetime | None = None
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
    event = _told(appeal, "decided", decision, answer, step)
    lifting = [_lifting(decided, step, 1, "verified")] if lifts else []
    return decided, Outgoing(lifting, [event])


def revoke(appeal: Appeal, why: str, step: Step) -> tuple[Appeal, Outgoing]:
    """Let an exclusion that was lifted hold again; the same once more changes nothing.

    Raises:
        ReportError: none was lifted by it, or no reason is given.
    """
    if appeal.state == "revoked" and appeal.revoked_because == why:
        return appeal, Outgoing()
    if (appeal.state, appeal.about) != ("upheld", "exclusion"):
        raise ReportError("not_lifted", appeal.id)
    if not why.strip():
        raise ReportError("reason_missing")
    revoked = appeal.model_copy(
        update={
            "state": "revoked",
            "revoked_because": why,
            "revoked_by": step.by,
            "revoked_at": step.at,
            "after": None,
        }
    )
    event = _told(appeal, "revoked", "dismissed", why, step)
    return revoked, Outgoing([_lifting(appeal, step, 2, "rejected")], [event])


def _told(
    appeal: Appeal, what: str, decision: Literal["upheld", "dismissed"], why: str, step: Step
) -> AppealDecided:
    return AppealDecided(
        id=f"{appeal.id}:{what}",
        appeal=appeal.id,
        plan=appeal.plan,
        unit=appeal.unit,
        month=appeal.month,
        about=appeal.about,
        code=appeal.code,
        decision=decision,
        answer=why,
        at=step.at,
        by=step.by,
    )


def _lifting(appeal: Appeal, step: Step, version: int, state: State) -> Fields:
    """The claim that lifts the contested exclusion; rejected, it lifts it no more."""
    return {
        "source": SOURCE,
        "id": f"{appeal.id}:lifted" if version == 1 else f"{appeal.id}:lifted:{version}",
        "type": "exclusion.lifted",
        "subject": f"{appeal.unit}:{appeal.code}:{appeal.month}:{appeal.id}",
        "version": version,
        "unit": appeal.unit,
        "state": state,
        "occurred_at": step.at.isoformat(),
        "plan": appeal.plan,
        "rule": appeal.code,
        "month": appeal.month,
        "reason": appeal.reason,
    }
