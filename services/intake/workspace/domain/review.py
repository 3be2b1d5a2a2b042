"""The standing office's decisions on the items of a report, and why an item deserves a close look."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from contracts.submissions import ItemReviewed
from services.intake.workspace.domain.declaring import (
    Place,
    State,
    events_of,
    facts_in,
    restated,
    turned,
)
from services.intake.workspace.domain.duties import Duty, day_range
from services.intake.workspace.domain.report import (
    UNDECIDED,
    Decision,
    Item,
    Outgoing,
    Report,
    ReportError,
    Risk,
    Step,
    advanced,
)
from services.intake.workspace.domain.values import (
    PartValues,
    Values,
    faults_in,
    plain,
    tidied,
)

Verdict = Literal["accepted", "corrected", "returned", "rejected", "reopened"]
"""*reopened* takes a decision back: the item waits again, declared as claimed."""
JUMP_POINTS = 20
"""A share that moved by so many percentage points since last month is looked at."""
BURST = timedelta(hours=24)
SMALL_DENOMINATOR = 5


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a reviewer says about one item."""

    verdict: Verdict
    version: int
    """Of the report that they looked at."""
    reason: str = ""
    values: Values | None = None
    """The corrected ones."""


def decide(
    report: Report, place: Place, duty: Duty, ruling: Ruling, step: Step
) -> tuple[Report, Outgoing]:
    """Decide on one item; the same decision again changes nothing.

    Raises:
        ReportError: there is no such item, it changed meanwhile, or a reason or figures are missing.
    """
    code = duty.indicator.code
    item = report.items.get(code)
    if item is None or item.state == "withdrawn":
        raise ReportError("no_item", code)
    if item.version != ruling.version:
        raise ReportError("changed_meanwhile", code)
    if item.last.what == ruling.verdict and item.last.reason == ruling.reason:
        return report, Outgoing()
    undecided = item.state in UNDECIDED
    if undecided == (ruling.verdict == "reopened"):
        raise ReportError("not_decided" if undecided else "decided_already", code)
    if ruling.verdict != "accepted" and not ruling.reason.strip():
        raise ReportError("reason_missing", code)
    return judged(report, place, duty, ruling, step)


def judged(
    report: Report, place: Place, duty: Duty, ruling: Ruling, step: Step
) -> tuple[Report, Outgoing]:
    """The decision itself, whatever stood before; also what an upheld appeal leads to."""
    code = duty.indicator.code
    item = report.items[code]
    holds = _holding(place, duty, item, ruling, step)
    if holds is None:
        changed = turned(report.facts, code, "rejected")
    else:
        stated = facts_in(place, duty, holds, _received_at(report, item))
        state: State = "declared" if ruling.verdict == "reopened" else "verified"
        changed = restated(report.facts, code, stated, state)
    told = Decision(
        what=ruling.verdict,
        version=item.version,
        at=step.at,
        by=step.by,
        reason=ruling.reason,
        values=holds or {},
    )
    after_all: dict[str, object] = {"accepted": holds}
    if ruling.verdict == "reopened":
        after_all = {"since": step.at}  # what held before stays, to be compared with
    decided = item.model_copy(
        update={"state": ruling.verdict, "history": [*item.history, told], **after_all}
    )
    event = ItemReviewed(
        id=f"{report.unit}:{report.month}:{item.version}:{code}:{len(decided.history)}",
        plan=report.plan,
        unit=report.unit,
        month=report.month,
        indicator=code,
        version=item.version,
        decision=ruling.verdict,
        reason=ruling.reason,
        at=step.at,
        by=step.by,
    )
    after = advanced(report, report.items | {code: decided}, changed)
    return after, Outgoing(events_of(place, changed, step.at), [event])


def _holding(place: Place, duty: Duty, item: Item, ruling: Ruling, step: Step) -> Values | None:
    if ruling.verdict in ("accepted", "reopened"):
        return item.claimed
    if ruling.verdict != "corrected":
        return None
    fixed = tidied(duty, ruling.values or {})
    if not fixed or faults_in(duty, fixed, day_range(place.plan, place.month, step.today)):
        raise ReportError("correction_unclear", duty.indicator.code)
    return fixed


def _received_at(report: Report, item: Item) -> datetime:
    """When the report came that holds this item: an acceptance does not make it later."""
    return next(v.at for v in report.versions if v.number == item.version)


def reopened_events(before: Report, after: Report, step: Step) -> list[ItemReviewed]:
    """What handing in a new version reopened."""
    return [
        ItemReviewed(
            id=f"{after.unit}:{after.month}:{item.version}:{code}:reopened",
            plan=after.plan,
            unit=after.unit,
            month=after.month,
            indicator=code,
            version=item.version,
            decision="reopened",
            at=step.at,
            by=step.by,
        )
        for code, item in after.items.items()
        if item.state == "reopened" and before.items.get(code) != item
    ]


def may_review(belongs_to: frozenset[str], acting_for: frozenset[str], unit: str) -> bool:
    """Nobody reviews the claims of a unit that is their own, or for which they report."""
    return unit not in belongs_to and unit not in acting_for


def risks_of(
    item: Item, before: Item | None, due_at: datetime, corrections: int, duplicates: int
) -> list[Risk]:
    """Why to look closely: named, so that nobody must guess what the order of the queue means."""
    found: list[Risk] = []
    for code, part in item.claimed.items():
        old = before.accepted or before.claimed if before is not None else {}
        found += _of_figure(part, old.get(code))
    if timedelta() <= due_at - item.since <= BURST:
        found.append(Risk(code="burst", weight=1))
    if item.since > due_at:
        found.append(Risk(code="late", weight=1))
    if corrections:
        found.append(
            Risk(code="corrections", weight=min(3, corrections), values=[str(corrections)])
        )
    if duplicates:
        found.append(Risk(code="duplicate", weight=4, values=[str(duplicates)]))
    return found


def _of_figure(part: PartValues, old: PartValues | None) -> list[Risk]:
    found: list[Risk] = []
    top, bottom = part.numerator, part.denominator
    if top is None or bottom is None:
        return found
    if top > bottom:
        found.append(Risk(code="over_100", weight=3, values=[str(top), str(bottom)]))
    if bottom == 0:
        found.append(Risk(code="denominator_zero", weight=2))
    elif bottom < SMALL_DENOMINATOR:
        found.append(Risk(code="denominator_small", weight=1, values=[str(bottom)]))
    if old is None or not old.denominator or old.numerator is None or not bottom:
        return found
    now, then = 100 * top // bottom, 100 * old.numerator // old.denominator
    if abs(now - then) >= JUMP_POINTS:
        found.append(Risk(code="jump", weight=2, values=[str(then), str(now)]))
    if old.denominator != bottom:
        values = [str(old.denominator), str(bottom)]
        found.append(Risk(code="denominator_changed", weight=1, values=values))
    return found


def differences(item: Item) -> list[tuple[str, object, object]]:
    """Part, what held before, what is claimed now: for an item that was reopened."""
    before, now = plain(item.accepted or {}), plain(item.claimed)
    parts = sorted(before.keys() | now.keys())
    return [
        (code, before.get(code), now.get(code))
        for code in parts
        if item.accepted is not None and before.get(code) != now.get(code)
    ]
