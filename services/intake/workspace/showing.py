"""What the workspace's pages show: one unit's month, one item under review."""

from dataclasses import dataclass, field
from datetime import datetime

from contracts.calendar import months_between
from contracts.plan import Unit
from services.intake.workspace.appealing import Excluded, UnitStanding
from services.intake.workspace.domain.appeals import Appeal
from services.intake.workspace.domain.declaring import Place
from services.intake.workspace.domain.duties import Due, Duty, due_of
from services.intake.workspace.domain.evidence import Evidence
from services.intake.workspace.domain.report import Entry, Item, Report, Risk
from services.intake.workspace.domain.review import differences
from services.intake.workspace.domain.submitting import claims_in, missing_for
from services.intake.workspace.domain.values import Fault, Values, is_blank
from services.intake.workspace.forms import Typed, typed_of
from services.intake.workspace.http import Rooms


@dataclass(frozen=True, slots=True)
class Trial:
    """What was typed into one form and could not be taken, so that nothing typed is lost."""

    indicator: str
    typed: Typed
    faults: list[Fault]


@dataclass(frozen=True, slots=True)
class Line:
    """One indicator on the page of a month."""

    duty: Duty
    entry: Entry
    item: Item | None
    files: list[Evidence]
    open: bool
    last_month: Values
    points: int
    verified: int
    full: int
    typed: Typed
    faults: dict[str, Fault]
    """Field -> what is wrong there."""

    @property
    def code(self) -> str:
        """Of the indicator."""
        return self.duty.indicator.code

    @property
    def to_gain(self) -> int:
        """Points that are still open, in ten-thousandths."""
        return max(0, self.full - self.points)

    @property
    def unfolded(self) -> bool:
        """Whether it needs the reader's attention."""
        returned = self.item is not None and self.item.state == "returned"
        empty = is_blank(self.entry.values) and not self.entry.note.strip()
        return (
            bool(self.faults) or returned or (self.duty.state == "owed" and empty and self.open)
        )


@dataclass(slots=True)
class MonthView:
    """One unit and month, with everything owed."""

    place: Place
    unit: Unit
    report: Report
    due: Due
    lines: list[Line]
    missing: list[Fault]
    to_claim: list[str]
    standing: UnitStanding | None
    now: datetime
    today: str
    months: list[str]
    appeals: list[Appeal]
    message: str = ""
    failed: bool = False
    showing_faults: bool = False

    @property
    def base(self) -> str:
        """The page's address."""
        return f"/submit/{self.place.plan.id}/{self.place.unit}/{self.place.month}"

    @property
    def waits_since(self) -> datetime | None:
        """Since when the oldest undecided item has waited."""
        waiting = [
            i.since for i in self.report.items.values() if i.state in ("waiting", "reopened")
        ]
        return min(waiting) if waiting else None

    @property
    def excluded(self) -> list[Excluded]:
        """Exclusions of this month."""
        held = () if self.standing is None else self.standing.exclusions
        return [e for e in held if e.month == self.place.month]

    @property
    def locked(self) -> bool:
        """Whether nothing can be handed in now."""
        return not self.to_claim and self.report.current is not None

    @property
    def may_withdraw(self) -> bool:
        """Whether the standing version can be taken back."""
        return self.report.current is not None and not self.report.reviewed

    def of_state(self, *states: str) -> list[Line]:
        """The lines of which so much is asked."""
        return [line for line in self.lines if line.duty.state in states]

    @property
    def filled(self) -> int:
        """How many owed lines say something."""
        owed = self.of_state("owed")
        lacking = {fault.indicator for fault in self.missing}
        return sum(line.code not in lacking for line in owed)


async def month_view(rooms: Rooms, place: Place, trial: Trial | None = None) -> MonthView:
    """The page of one unit and month."""
    workspace = rooms.workspace
    unit = place.plan.unit(place.unit)
    if unit is None:
        raise LookupError(place.unit)
    report, duties = await workspace.report(place), workspace.duties(place)
    files = await workspace.store.attached(place.plan.id, place.unit, place.month)
    before = _month_before(place)
    last = await workspace.store.report(place.plan.id, place.unit, before)
    step = workspace.step("")
    year = str(place.plan.ends_on.year)
    standing = rooms.appeals.standing.of(place.plan.id, place.unit, year)
    shown = {file.indicator for file in files}
    missing = missing_for(report, place, duties, shown, step.today)
    due = due_of(place.plan, place.month, step.today)
    return MonthView(
        place,
        unit,
        report,
        due,
        [_line(duty, report, last, files, standing, trial) for duty in duties],
        missing,
        [duty.indicator.code for duty in claims_in(report, duties)],
        standing,
        step.at,
        step.today.isoformat(),
        [m for m in place.plan.months if m <= step.today.isoformat()[:7]],
        [a for a in await workspace.store.find_appeals(plan=place.plan.id, unit=place.unit)
         if a.month == place.month],
    )  # fmt: skip


def _month_before(place: Place) -> str:
    months = months_between(place.plan.starts_on, place.plan.ends_on)
    return months[max(0, months.index(place.month) - 1)]


def _line(
    duty: Duty,
    report: Report,
    last: Report,
    files: list[Evidence],
    standing: UnitStanding | None,
    trial: Trial | None,
) -> Line:
    code = duty.indicator.code
    entry = report.entries.get(code, Entry())
    old = last.items.get(code) if last.month != report.month else None
    points = (0, 0, 0) if standing is None else standing.indicators.get(code, (0, 0, 0))
    tried = trial if trial is not None and trial.indicator == code else None
    return Line(
        duty,
        entry,
        report.items.get(code),
        [file for file in files if file.indicator == code],
        report.open_for(code),
        {} if old is None else old.accepted or old.claimed,
        *points,
        typed_of(entry.values) if tried is None else tried.typed,
        {} if tried is None else {fault.field: fault for fault in tried.faults},
    )


@dataclass(slots=True)
class ItemView:
    """One item under review: claim, evidence, history side by side."""

    place: Place
    unit: Unit
    duty: Duty
    item: Item
    files: list[Evidence]
    elsewhere: list[Evidence]
    """The same contents, claimed at another place."""
    last_month: Item | None
    changed: list[tuple[str, object, object]]
    now: datetime
    following: str
    """The address of the next item in the queue."""
    left: int
    own: bool
    typed: dict[str, str] = field(default_factory=dict)
    message: str = ""

    @property
    def base(self) -> str:
        """The page's address."""
        where = f"{self.place.plan.id}/{self.place.unit}/{self.place.month}"
        return f"/review/{where}/{self.duty.indicator.code}"

    @property
    def line(self) -> Line:
        """The form in which figures are corrected."""
        entry = Entry(values=self.item.claimed)
        return Line(self.duty, entry, self.item, [], True, {}, 0, 0, 0, self.typed, {})  # noqa: FBT003 - a record

    @property
    def risks(self) -> list[Risk]:
        """Why to look closely."""
        return self.item.risks

    @property
    def undecided(self) -> bool:
        """Whether it waits for a decision."""
        return self.item.state in ("waiting", "reopened")


async def item_view(rooms: Rooms, place: Place, code: str, *, own: bool) -> ItemView:
    """The page of one item.

    Raises:
        LookupError: there is no such item.
    """
    workspace = rooms.workspace
    duty, report = workspace.duty(place, code), await workspace.report(place)
    item, unit = report.items.get(code), place.plan.unit(place.unit)
    if item is None or unit is None:
        raise LookupError(code)
    attached = await workspace.store.attached(place.plan.id, place.unit, place.month)
    files = [file for file in attached if file.indicator == code]
    same = await workspace.store.same_content([file.sha256 for file in files])
    here = (place.unit, place.month, code)
    before = _month_before(place)
    last = await workspace.store.report(place.plan.id, place.unit, before)
    changed = differences(item) if item.state == "reopened" else []
    return ItemView(
        place,
        unit,
        duty,
        item,
        files,
        [f for f in same if (f.unit, f.month, f.indicator) != here],
        last.items.get(code) if before != place.month else None,
        changed,
        workspace.clock.now(),
        "",
        0,
        own,
        typed_of(item.claimed),
    )
