"""The workspace for programs: reports, decisions, appeals. The pages use the same application functions."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from contracts.calendar import MonthCode
from services.intake.workspace.appealing import Appeals, Plea
from services.intake.workspace.application import UnknownPlaceError, Workspace
from services.intake.workspace.domain.appeals import About, Appeal
from services.intake.workspace.domain.declaring import Place
from services.intake.workspace.domain.duties import due_of
from services.intake.workspace.domain.report import MOST_NOTE, Entry, Report, Version
from services.intake.workspace.domain.review import Ruling, Verdict
from services.intake.workspace.domain.submitting import missing_for
from services.intake.workspace.domain.values import Values, plain
from services.intake.workspace.files import EvidenceRoom
from services.intake.workspace.refusals import fault_json
from services.intake.workspace.reviewing import MOST_AT_ONCE, Desk, Listed, longest_wait
from services.runtime.access.guard import Guard
from services.runtime.access.rules import access, all_of
from services.runtime.auth import Principal, Role

REPORTING = (Role.OFFICER, Role.HEAD)
LOOKING = (Role.REVIEWER, Role.OBSERVER, Role.LEADER)
OWN = access(*REPORTING, unit="unit")
"""Those who report for the unit in the address."""
SEEN = access(*REPORTING, *LOOKING, unit="unit")
"""Those, and whoever may look at every unit's report."""
DESK = access(Role.REVIEWER)
DESK_SEEN = access(Role.REVIEWER, Role.OBSERVER)
_FIGURE = {"main": {"numerator": 812, "denominator": 1450}}


def _like(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"example": example})


class Problem(BaseModel):
    """Why a request was refused, in both languages."""

    error: str
    vi: str
    en: str
    fields: list[dict[str, str]] = []


class EntryIn(BaseModel):
    """What stands in the form of one indicator."""

    model_config = _like({"revision": 0, "values": _FIGURE, "note": "Có danh sách kèm theo."})

    revision: int = Field(ge=0)
    """Of the entry that was read: another one meanwhile is answered with 409."""
    values: Values
    note: str = Field("", max_length=MOST_NOTE)


class SubmitIn(BaseModel):
    """Handing in; the server's clock decides whether it is in time."""

    model_config = _like({"declared_on": "2023-07-13"})

    declared_on: date | None = None


class DecisionIn(BaseModel):
    """A decision on one item."""

    model_config = _like({"version": 1, "decision": "returned", "reason": "Thiếu ấp Mỹ Lợi."})

    version: int = Field(ge=1)
    decision: Verdict
    reason: str = Field("", max_length=1_000)
    values: Values | None = None
    """With *corrected*: what holds instead."""


class ItemKey(BaseModel):
    """One item in the version that was looked at."""

    plan: str
    unit: str
    month: MonthCode
    indicator: str
    version: int = Field(ge=1)


class SampleIn(BaseModel):
    """A random sample of what waits."""

    model_config = _like({"count": 10, "seed": 2023})

    count: int = Field(ge=1, le=MOST_AT_ONCE)
    seed: int = Field(ge=0, lt=2**63)


class AppealIn(BaseModel):
    """What a unit contests."""

    model_config = _like(
        {
            "plan": "phung-hiep-2023",
            "unit": "31399",
            "month": "2023-07",
            "about": "exclusion",
            "code": "two-overdue-dossiers",
            "words": "Cổng dịch vụ công gián đoạn ngày 12/07.",
        }
    )

    plan: str
    unit: str
    month: MonthCode
    about: About
    code: str
    words: str = Field(min_length=1, max_length=1_000)


class ExcuseIn(BaseModel):
    """An exclusion that the office lifts by itself."""

    model_config = _like(
        {
            "plan": "phung-hiep-2023",
            "unit": "31399",
            "month": "2023-07",
            "rule": "two-overdue-dossiers",
            "reason": "portal-outage",
            "words": "Cổng dịch vụ công gián đoạn ngày 12/07/2023.",
        }
    )

    plan: str
    unit: str
    month: MonthCode
    rule: str
    reason: Literal["portal-outage", "force-majeure"]
    words: str = Field(min_length=1, max_length=1_000)


class AnswerIn(BaseModel):
    """The answer to an appeal."""

    model_config = _like(
        {"decision": "upheld", "answer": "Đúng là cổng gián đoạn.", "reason": "portal-outage"}
    )

    decision: Literal["upheld", "dismissed"]
    answer: str = Field(min_length=1, max_length=1_000)
    reason: Literal["", "portal-outage", "force-majeure", "appeal-upheld"] = ""
    """Why an exclusion is lifted."""


class RevocationIn(BaseModel):
    """Why the lifting of an exclusion is taken back."""

    model_config = _like({"why": "Nhật ký của cổng cho thấy không có gián đoạn."})

    why: str = Field(min_length=1, max_length=1_000)


@dataclass(frozen=True, slots=True)
class Rooms:
    """The parts of the workspace, and who may enter."""

    workspace: Workspace
    desk: Desk
    evidence: EvidenceRoom
    appeals: Appeals
    guard: Guard

    async def own(
        self, request: Request, plan: str, unit: str, month: str
    ) -> tuple[Principal, Place]:
        """Somebody who reports for the unit.

        Raises:
            AuthError: they report for nobody.
            UnknownPlaceError: not for this unit, or there is none: the two look alike.
        """
        principal = await self.guard.require(request, *REPORTING)
        if not principal.may_act_for(unit, *REPORTING):
            raise UnknownPlaceError(unit)
        return principal, self.workspace.place(plan, unit, month)

    async def seen(
        self, request: Request, plan: str, unit: str, month: str
    ) -> tuple[Principal, Place]:
        """Somebody who may look at the unit's report.

        Raises:
            AuthError: they may look at no report.
            UnknownPlaceError: not at this one, or there is none.
        """
        principal = await self.guard.require(request, *REPORTING, *LOOKING)
        if not principal.may_act_for(unit, *REPORTING, *LOOKING):
            raise UnknownPlaceError(unit)
        return principal, self.workspace.place(plan, unit, month)

    async def reviewer(self, request: Request) -> Principal:
        """Somebody of the standing office.

        Raises:
            AuthError: it is nobody of the kind.
        """
        return await self.guard.require(request, Role.REVIEWER)


_PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"description": "Nobody, or somebody whose token or session has ended."},
    403: {"description": "The role does not allow it, or it is the reviewer's own unit."},
    404: {"model": Problem, "description": "There is none, or it is somebody else's."},
    409: {"model": Problem, "description": "Not as things stand now."},
    422: {"model": Problem, "description": "Something must be mended; `fields` says what."},
    503: {"model": Problem, "description": "Try again."},
}


def workspace_api(rooms: Rooms) -> APIRouter:
    """The routes of reports, reviews and appeals, documented."""
    api = APIRouter(prefix="/api/v1", responses=_PROBLEMS)
    for add, rule in (
        (_add_reports, SEEN),
        (_add_steps, OWN),
        (_add_reviews, DESK),
        (_add_appeals, DESK),
    ):
        part = APIRouter()
        add(part, rooms)
        api.include_router(all_of(part, rule))
    return api


def _add_reports(api: APIRouter, rooms: Rooms) -> None:
    @api.get("/submissions/{plan}/{unit}", tags=["submissions"])
    async def months(request: Request, plan: str, unit: str) -> dict[str, Any]:
        """All months of a unit, and what became of each report."""
        newest = rooms.workspace.plans.newest(plan)
        _, place = await rooms.seen(request, plan, unit, newest.months[0])
        reports = await rooms.workspace.store.reports_of(place.plan.id, unit)
        known = {report.month: report for report in reports}
        return {
            "plan": plan,
            "unit": unit,
            "months": [
                {
                    "month": month,
                    "due_on": newest.report_due_on(month),
                    "version": _number(known.get(month)),
                    "items": _states(known.get(month)),
                }
                for month in newest.months
            ],
        }

    @api.get("/submissions/{plan}/{unit}/{month}", tags=["submissions"])
    async def one(request: Request, plan: str, unit: str, month: MonthCode) -> dict[str, Any]:
        """What the unit owes for the month, what stands in its forms, what waits, what is missing."""
        _, place = await rooms.seen(request, plan, unit, month)
        return await report_json(rooms.workspace, place)

    @api.get("/submissions/{plan}/{unit}/{month}/versions/{number}", tags=["submissions"])
    async def version(
        request: Request, plan: str, unit: str, month: MonthCode, number: int
    ) -> Version:
        """A version as it was handed in."""
        _, place = await rooms.seen(request, plan, unit, month)
        report = await rooms.workspace.report(place)
        for found in report.versions:
            if found.number == number:
                return found
        raise UnknownPlaceError(number)


def _add_steps(api: APIRouter, rooms: Rooms) -> None:
    base = "/submissions/{plan}/{unit}/{month}"

    @api.put(base + "/entries/{indicator}", tags=["submissions"])
    async def save(
        request: Request, plan: str, unit: str, month: MonthCode, indicator: str, body: EntryIn
    ) -> dict[str, Any]:
        """Keep a draft of one indicator; the answer holds its new revision."""
        _, place = await rooms.own(request, plan, unit, month)
        report = await rooms.workspace.save_entry(
            place, indicator, body.revision, body.values, body.note
        )
        return {
            "revision": report.entries[indicator].revision if indicator in report.entries else 0
        }

    @api.put(base + "/entries", tags=["submissions"])
    async def save_all(
        request: Request,
        plan: str,
        unit: str,
        month: MonthCode,
        body: Annotated[dict[str, EntryIn], Field(max_length=MOST_AT_ONCE)],
    ) -> dict[str, int]:
        """Keep drafts of several indicators, all or none; the answer holds their new revisions."""
        _, place = await rooms.own(request, plan, unit, month)
        said = {
            code: Entry(values=e.values, note=e.note, revision=e.revision)
            for code, e in body.items()
        }
        report = await rooms.workspace.save_entries(place, said)
        return {code: e.revision for code, e in report.entries.items() if code in body}

    @api.post(base + "/submit", tags=["submissions"])
    async def submit(
        request: Request, plan: str, unit: str, month: MonthCode, body: SubmitIn
    ) -> dict[str, Any]:
        """Hand the report in: a new version, locked, declared on the board at once."""
        principal, place = await rooms.own(request, plan, unit, month)
        await rooms.workspace.submit(place, principal.subject, body.declared_on)
        return await report_json(rooms.workspace, place)

    @api.post(base + "/withdraw", tags=["submissions"])
    async def withdraw(
        request: Request, plan: str, unit: str, month: MonthCode
    ) -> dict[str, Any]:
        """Take the report back before its review begins."""
        principal, place = await rooms.own(request, plan, unit, month)
        await rooms.workspace.withdraw(place, principal.subject)
        return await report_json(rooms.workspace, place)


def _add_reviews(api: APIRouter, rooms: Rooms) -> None:
    @api.get("/reviews", tags=["reviews"])
    async def queue(request: Request, unit: str = "") -> dict[str, Any]:
        """What waits for a decision, riskiest first, then oldest, with the reasons for a close look."""
        principal = await rooms.reviewer(request)
        found = await rooms.desk.queue(principal, unit=unit)
        return {"waiting": [waiting_json(w) for w in found]}

    @api.post("/reviews/accept", tags=["reviews"])
    async def accept(
        request: Request, body: Annotated[list[ItemKey], Field(max_length=MOST_AT_ONCE)]
    ) -> dict[str, Any]:
        """Accept many items as claimed; those that could not be accepted are named."""
        principal = await rooms.reviewer(request)
        wanted = [
            (rooms.workspace.place(k.plan, k.unit, k.month), k.indicator, k.version)
            for k in body
        ]
        refused = await rooms.desk.accept_all(wanted, principal)
        said = [{"item": key, "error": code} for key, code in refused]
        return {"accepted": len(body) - len(refused), "refused": said}

    @api.post("/reviews/samples", tags=["reviews"])
    async def sample(request: Request, body: SampleIn) -> dict[str, Any]:
        """Draw a random sample of the queue; the same seed on the same queue draws the same. Recorded."""
        principal = await rooms.reviewer(request)
        drawn = await rooms.desk.draw(principal, body.count, body.seed)
        return {"seed": body.seed, "drawn": [waiting_json(w) for w in drawn]}

    @api.post("/reviews/{plan}/{unit}/{month}/{indicator}", tags=["reviews"])
    async def decide(
        request: Request,
        plan: str,
        unit: str,
        month: MonthCode,
        indicator: str,
        body: DecisionIn,
    ) -> dict[str, Any]:
        """Accept, accept with another figure, return or reject one item. Nobody decides on their own unit."""
        principal = await rooms.reviewer(request)
        place = rooms.workspace.place(plan, unit, month)
        ruling = Ruling(body.decision, body.version, body.reason, body.values)
        report = await rooms.desk.decide(place, indicator, ruling, principal)
        return report.items[indicator].model_dump(mode="json")


def _add_appeals(api: APIRouter, rooms: Rooms) -> None:
    @api.get("/appeals", tags=["appeals"], openapi_extra=access(*REPORTING, *LOOKING))
    async def appeals(
        request: Request, unit: Annotated[str, Query(max_length=64)] = ""
    ) -> dict[str, Any]:
        """Appeals and excuses, newest first: all for the office, a unit's own for the unit."""
        principal = await rooms.guard.require(request, *REPORTING, *LOOKING)
        wanted = {"unit": unit} if unit else {}
        found = await rooms.workspace.store.find_appeals(**wanted)
        mine = [a for a in found if principal.may_act_for(a.unit, *REPORTING, *LOOKING)]
        return {"appeals": [appeal_json(appeal) for appeal in mine]}

    @api.post("/appeals", tags=["appeals"], status_code=201, openapi_extra=access(*REPORTING))
    async def lodge(request: Request, body: AppealIn) -> dict[str, Any]:
        """Contest a decision on a line, or an exclusion, within the plan's time."""
        principal, place = await rooms.own(request, body.plan, body.unit, body.month)
        plea = Plea(body.about, body.code, body.words)
        return appeal_json(await rooms.appeals.lodge(place, plea, principal.subject))

    @api.post("/appeals/excuses", tags=["appeals"], status_code=201)
    async def excuse(request: Request, body: ExcuseIn) -> dict[str, Any]:
        """Lift an exclusion, with a reason."""
        principal = await rooms.reviewer(request)
        place = rooms.workspace.place(body.plan, body.unit, body.month)
        made = await rooms.appeals.excuse(place, body.rule, body.reason, body.words, principal)
        return appeal_json(made)

    @api.post("/appeals/{appeal}/decision", tags=["appeals"])
    async def answer(request: Request, appeal: str, body: AnswerIn) -> dict[str, Any]:
        """Answer an appeal; its effect on points and rank is written down some seconds later."""
        principal = await rooms.reviewer(request)
        try:
            decided = await rooms.appeals.decide(
                appeal, body.decision, body.answer, body.reason, principal
            )
        except LookupError as error:
            raise UnknownPlaceError(appeal) from error
        return appeal_json(decided)

    @api.post("/appeals/{appeal}/revocation", tags=["appeals"])
    async def revoke(request: Request, appeal: str, body: RevocationIn) -> dict[str, Any]:
        """Let an exclusion that was lifted, by appeal or excuse, hold again."""
        principal = await rooms.reviewer(request)
        try:
            return appeal_json(await rooms.appeals.revoke(appeal, body.why, principal))
        except LookupError as error:
            raise UnknownPlaceError(appeal) from error


def _number(report: Report | None) -> int | None:
    return report.current.number if report is not None and report.current else None


def _states(report: Report | None) -> dict[str, str]:
    return {} if report is None else {code: item.state for code, item in report.items.items()}


async def report_json(workspace: Workspace, place: Place) -> dict[str, Any]:
    """A report as the API shows it."""
    report, duties = await workspace.report(place), workspace.duties(place)
    files = await workspace.store.attached(place.plan.id, place.unit, place.month)
    step = workspace.step("")
    due = due_of(place.plan, place.month, step.today)
    missing = missing_for(report, place, duties, {f.indicator for f in files}, step.today)
    waited = longest_wait(report, step)
    return {
        "plan": place.plan.id,
        "unit": place.unit,
        "month": place.month,
        "due_on": due.on,
        "days_left": due.days_left,
        "version": _number(report),
        "received_at": _received(report),
        "waited_days": None if waited is None else waited.days,
        "duties": [
            {
                "indicator": duty.indicator.code,
                "state": duty.state,
                "forms": {
                    f.part.code: {"kind": f.kind, "period": f.period} for f in duty.forms
                },
                "evidence_required": bool(duty.required_evidence),
            }
            for duty in duties
        ],
        "entries": {
            code: {"revision": e.revision, "values": plain(e.values), "note": e.note}
            for code, e in report.entries.items()
        },
        "items": {code: item.model_dump(mode="json") for code, item in report.items.items()},
        "evidence": [file.model_dump(mode="json", exclude={"by"}) for file in files],
        "missing": [fault_json(fault) for fault in missing],
    }


def _received(report: Report) -> datetime | None:
    return None if report.current is None else report.current.at


def waiting_json(waiting: Listed) -> dict[str, Any]:
    """One line of the queue."""
    return {
        "plan": waiting.plan.id,
        "unit": waiting.unit.code,
        "month": waiting.month,
        "indicator": waiting.duty.indicator.code,
        "version": waiting.item.version,
        "state": waiting.item.state,
        "waited_days": waiting.waited.days,
        "risk": waiting.item.risk,
        "risks": [risk.model_dump() for risk in waiting.item.risks],
        "claimed": plain(waiting.item.claimed),
    }


def appeal_json(appeal: Appeal) -> dict[str, Any]:
    """An appeal as the API shows it."""
    return appeal.model_dump(mode="json", exclude={"outbox", "revision"})
