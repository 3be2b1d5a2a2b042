"""What a unit does with its report: keep a draft, hand it in, take it back."""

from datetime import date

from contracts.submissions import EvidenceFile, SubmissionMade, SubmissionWithdrawn
from services.intake.workspace.domain.declaring import (
    Facts,
    Place,
    events_of,
    facts_in,
    restated,
    turned,
)
from services.intake.workspace.domain.duties import Duty, day_range
from services.intake.workspace.domain.report import (
    Decision,
    Entry,
    Item,
    NotReadyError,
    Outgoing,
    Report,
    ReportError,
    Step,
    Version,
    advanced,
)
from services.intake.workspace.domain.values import (
    Fault,
    Values,
    faults_in,
    is_blank,
    plain,
    tidied,
)


def save_entry(report: Report, duty: Duty, revision: int, values: Values, note: str) -> Report:
    """Keep what stands in one form.

    Raises:
        ReportError: it is locked, or somebody else saved meanwhile.
    """
    code = duty.indicator.code
    known = report.entries.get(code, Entry())
    kept = tidied(duty, values)
    if plain(kept) == plain(known.values) and note == known.note:
        return report
    if not report.open_for(code):
        raise ReportError("locked", code)
    if revision != known.revision:
        raise ReportError("changed_elsewhere", code)
    entry = Entry(values=kept, note=note, revision=known.revision + 1)
    return report.model_copy(update={"entries": report.entries | {code: entry}})


def missing_for(
    report: Report, place: Place, duties: list[Duty], shown: set[str], today: date
) -> list[Fault]:
    """What is to be mended before the report can be handed in; `shown`: indicators that have a file."""
    days = day_range(place.plan, place.month, today)
    found: list[Fault] = []
    for duty in duties:
        code = duty.indicator.code
        if not duty.asked or not report.open_for(code):
            continue
        entry = report.entries.get(code, Entry())
        found += faults_in(duty, entry.values, days)
        reporting = any(form.kind == "report" for form in duty.forms)
        blank = is_blank(entry.values) and not reporting
        if entry.note.strip():
            continue
        if blank and duty.state == "owed":
            found.append(Fault(code, "note", "nothing_said"))
        elif not blank and duty.required_evidence and code not in shown:
            found.append(Fault(code, "evidence", "evidence_missing"))
    return found


def claims_in(report: Report, duties: list[Duty]) -> list[Duty]:
    """The indicators for which handing in now would claim something new."""
    found = []
    for duty in duties:
        code = duty.indicator.code
        if not duty.asked or not report.open_for(code):
            continue
        item = report.items.get(code)
        if any(form.kind == "report" for form in duty.forms):
            if item is None or item.state in ("withdrawn", "returned"):
                found.append(duty)
        elif report.differs(code):
            found.append(duty)
    return found


def submit(
    report: Report,
    place: Place,
    duties: list[Duty],
    evidence: list[EvidenceFile],
    step: Step,
    declared_on: date | None = None,
) -> tuple[Report, Outgoing]:
    """Hand the report in: a new version, locked, its claims declared.

    Raises:
        NotReadyError: what must be mended first.
        ReportError: there is nothing new to hand in.
    """
    faults = missing_for(report, place, duties, {e.indicator for e in evidence}, step.today)
    if faults:
        raise NotReadyError(faults)
    claimed = claims_in(report, duties)
    if not claimed:
        raise ReportError("nothing_new")
    number = len(report.versions) + 1
    codes = [duty.indicator.code for duty in claimed]
    version = Version(
        number=number,
        at=step.at,
        declared_on=declared_on,
        by=step.by,
        indicators=codes,
        entries=report.entries,
        evidence=evidence,
    )
    items, changed = dict(report.items), Facts()
    for duty in claimed:
        items[duty.indicator.code] = _claimed_item(report, duty, number, step)
        changed |= _declared(report, place, duty, step)
    changed |= _unscored_report(report, place, duties, step)
    outgoing = Outgoing(events_of(place, changed, step.at), [_made(report, version, step)])
    return advanced(report, items, changed, versions=[*report.versions, version]), outgoing


def _claimed_item(report: Report, duty: Duty, number: int, step: Step) -> Item:
    code = duty.indicator.code
    entry = report.entries.get(code, Entry())
    before = report.items.get(code)
    reopens = before is not None and before.state in ("accepted", "corrected")
    told = Decision(what="claimed", version=number, at=step.at, by=step.by, values=entry.values)
    return Item(
        state="reopened" if reopens else "waiting",
        version=number,
        claimed=entry.values,
        note=entry.note,
        accepted=before.accepted if before is not None and reopens else None,
        since=step.at,
        history=[*(before.history if before else []), told],
    )


def _declared(report: Report, place: Place, duty: Duty, step: Step) -> Facts:
    values = report.entries.get(duty.indicator.code, Entry()).values
    stated = facts_in(place, duty, values, step.at)
    return restated(report.facts, duty.indicator.code, stated, "declared")


def _unscored_report(report: Report, place: Place, duties: list[Duty], step: Step) -> Facts:
    """A bloc may owe the report without an indicator for it: then its receipt alone is told."""
    unit = place.plan.unit(place.unit)
    owes = unit is not None and unit.bloc in place.plan.reporting.blocs
    asked = any(form.kind == "report" for duty in duties for form in duty.forms)
    if not owes or asked or report.current is not None:
        return {}
    content = {"month": place.month, "received_at": step.at.isoformat()}
    stated = {f"{place.unit}:report:{place.month}": ("report.received", content)}
    return restated(report.facts, "", stated, "declared")


def _made(report: Report, version: Version, step: Step) -> SubmissionMade:
    return SubmissionMade(
        id=f"{report.unit}:{report.month}:{version.number}",
        plan=report.plan,
        unit=report.unit,
        month=report.month,
        version=version.number,
        at=step.at,
        declared_on=version.declared_on,
        indicators=version.indicators,
        evidence=version.evidence,
        by=step.by,
    )


def withdraw(
    report: Report, place: Place, duties: list[Duty], step: Step
) -> tuple[Report, Outgoing]:
    """Take the standing version back; its claims count nowhere.

    Raises:
        ReportError: nothing is handed in, or the review has begun.
    """
    current = report.current
    if current is None:
        raise ReportError("not_submitted")
    if report.reviewed:
        raise ReportError("review_began")
    items, changed = dict(report.items), Facts()
    for duty in duties:
        code = duty.indicator.code
        if code in current.indicators:
            items[code] = _withdrawn_item(items[code], current.number, step)
            changed |= _fallen_back(report, place, duty, items[code])
    if sum(v.withdrawn_at is None for v in report.versions) == 1:
        changed |= turned(report.facts, "", "rejected")
    gone = current.model_copy(update={"withdrawn_at": step.at})
    versions = [gone if v.number == gone.number else v for v in report.versions]
    event = SubmissionWithdrawn(
        id=f"{report.unit}:{report.month}:{current.number}:withdrawn",
        plan=report.plan,
        unit=report.unit,
        month=report.month,
        version=current.number,
        at=step.at,
        by=step.by,
    )
    outgoing = Outgoing(events_of(place, changed, step.at), [event])
    return advanced(report, items, changed, versions=versions), outgoing


def _withdrawn_item(item: Item, number: int, step: Step) -> Item:
    """What had been accepted before holds again."""
    told = Decision(what="withdrawn", version=number, at=step.at, by=step.by)
    state = "withdrawn" if item.accepted is None else "corrected"
    return item.model_copy(update={"state": state, "history": [*item.history, told]})


def _fallen_back(report: Report, place: Place, duty: Duty, item: Item) -> Facts:
    code = duty.indicator.code
    if item.accepted is None:
        return turned(report.facts, code, "rejected")
    received = report.versions[0].at
    stated = facts_in(place, duty, item.accepted, received)
    return restated(report.facts, code, stated, "verified")
