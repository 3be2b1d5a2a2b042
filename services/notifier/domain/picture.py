"""The notifier's own small picture of the world: a fold of the journal's topics, any order, any number of times."""

from datetime import date, datetime
from typing import Any

from contracts.calendar import local_date, month_of
from contracts.events import DossierRecorded, ExclusionLifted, ReportReceived, UnitScored
from contracts.packages import PackageReturned, PapersRecorded
from contracts.plan import Plan, in_force
from contracts.submissions import (
    AppealDecided,
    AppealLodged,
    ItemReviewed,
    SubmissionMade,
    SubmissionWithdrawn,
)
from contracts.wire import content_hash
from services.notifier.domain.conditions import Total
from services.notifier.domain.due import Owed
from services.notifier.domain.reasons import Withdrawn
from services.notifier.domain.states import (
    FIELDS,
    Appeal,
    Desk,
    Dossier,
    Lifting,
    Report,
    Score,
)


class Picture:
    """What the journal says now, as far as alerts need it, and what changed since it was last looked at."""

    def __init__(self) -> None:
        self.plans: dict[str, list[Plan]] = {}
        self.dossiers: dict[str, Dossier] = {}
        self.reports: dict[str, Report] = {}
        self._reports_of: dict[tuple[str, str], set[str]] = {}
        self.desks: dict[tuple[str, str, str], Desk] = {}
        self.appeals: dict[str, Appeal] = {}
        self.scores: dict[tuple[str, str], Score] = {}
        self.papers: dict[tuple[str, str, str], PapersRecorded] = {}
        """(plan, unit, deadline) -> what was handed in."""
        self._liftings: dict[str, Lifting] = {}
        self._liftings_of: dict[tuple[str, str, str], set[str]] = {}
        self._verdicts: dict[tuple[str, ...], dict[str, ItemReviewed | AppealDecided]] = {}
        self.undone: dict[str, Withdrawn] = {}
        """Events that told something which a later event took back, and why it holds no more."""
        self.touched: set[str] = set()
        """Keys of owed things that may have changed."""
        self.scored: set[tuple[str, str]] = set()
        """(plan, unit) whose total may have moved."""
        self._shared: dict[Any, Any] = {}
        self._in_force: dict[tuple[str, str], Plan] = {}

    def _share(self, value: Any) -> Any:  # noqa: ANN401 - whatever it is given
        return self._shared.setdefault(value, value)

    def plan_for(self, plan: str, month: str) -> Plan:
        """The version that judges a month."""
        found = self._in_force.get((plan, month))
        if found is None:
            found = self._in_force[plan, month] = in_force(self.plans[plan], month)
        return found

    def newest(self, plan: str) -> Plan:
        """The highest version."""
        return max(self.plans[plan], key=lambda p: p.version)

    def plans_of(self, unit: str) -> list[str]:
        """Plans in which the unit competes."""
        return [name for name in self.plans if self.newest(name).unit(unit) is not None]

    def publish(self, plan: Plan) -> Plan | None:
        """A version comes into force; returns the version that was the newest before, if this one is new and newer."""
        known = self.plans.setdefault(plan.id, [])
        if any(p.version == plan.version for p in known):
            return None
        before = max(known, key=lambda p: p.version, default=None)
        known.append(plan)
        self._in_force.clear()
        self.touch_all(plan)
        return before if before is not None and before.version < plan.version else None

    def touch_all(self, plan: Plan) -> None:
        """Everything that is owed under a plan is to be looked at."""
        blocs = set(plan.reporting.blocs)
        for unit in plan.units:
            if unit.bloc not in blocs:
                continue
            self.touched.update(f"report|{plan.id}|{unit.code}|{m}" for m in plan.months)
            self.touched.update(
                f"deadline|{plan.id}|{unit.code}|{d.code}" for d in plan.deadlines
            )
        self.touched.update(f"dossier|{plan.id}||{key}" for key in self.dossiers)
        self.scored.update(key for key in self.scores if key[0] == plan.id)

    def dossier(self, key: str, event: DossierRecorded, line: bytes) -> None:
        """A dossier is now so."""
        order = event.version, event.occurred_at, content_hash(line)
        old = self.dossiers.get(key)
        if old is not None and old.order >= order:
            return
        due, done = event.due_at, event.finished_at
        self.dossiers[key] = Dossier(
            order,
            event.dossier,
            self._share(event.unit),
            self._share(tuple(getattr(event, name) for name in FIELDS)),
            None if due is None else self._share(local_date(due)),
            None if done is None else self._share(local_date(done)),
        )
        if due is not None or (old is not None and old.due_on is not None):
            self.touched.update(f"dossier|{plan}||{key}" for plan in self.plans)

    def report(self, key: str, event: ReportReceived, line: bytes) -> None:
        """A report is now so."""
        order = event.version, event.occurred_at, content_hash(line)
        old = self.reports.get(key)
        if old is not None and old.order >= order:
            return
        received = None if event.state == "rejected" else local_date(event.received_at)
        new = Report(order, event.unit, event.month, event.plan, received)
        self.reports[key] = new
        for one in (old, new):
            if one is None:
                continue
            self._reports_of.setdefault((one.unit, one.month), set()).add(key)
            self.touched.update(f"report|{p}|{one.unit}|{one.month}" for p in self.plans)

    def received_on(self, plan: str, unit: str, month: str) -> date | None:
        """The day on which the first report for a month came."""
        days = [
            report.received_on
            for key in self._reports_of.get((unit, month), ())
            if (report := self.reports[key]).received_on is not None
            and (report.unit, report.month) == (unit, month)
            and report.plan in {None, plan}
        ]
        return min(days, default=None)

    def lift(self, key: str, event: ExclusionLifted, line: bytes) -> None:
        """An exclusion is lifted, or holds after all."""
        order = event.version, event.occurred_at, content_hash(line)
        old = self._liftings.get(key)
        if old is not None and old.order >= order:
            return
        place = event.unit, event.month, event.rule
        new = Lifting(order, event.plan, place, event.state == "verified", event.reason)
        self._liftings[key] = new
        for unit, month, rule in {place, place if old is None else old.place}:
            self._liftings_of.setdefault((unit, month, rule), set()).add(key)
            for plan in self.plans:
                self.touched.add(f"report|{plan}|{unit}|{month}")
                self.touched.add(f"overdue|{plan}|{unit}|{month}|{rule}")

    def lifted(self, plan: str, unit: str, month: str, rule: str) -> bool:
        """Whether the office decided that this exclusion does not hold, whatever causes it."""
        return any(
            one.holds and one.place == (unit, month, rule) and one.plan in {None, plan}
            for key in self._liftings_of.get((unit, month, rule), ())
            for one in (self._liftings[key],)
        )

    def submission(self, event: SubmissionMade | SubmissionWithdrawn) -> None:
        """A unit handed in its report, or took it back."""
        place = event.plan, event.unit, event.month
        desk = self.desks.get(place)
        since = local_date(event.at)
        if isinstance(event, SubmissionWithdrawn):
            if desk is None or desk.version <= event.version:
                self.desks[place] = Desk(event.version, since, (), withdrawn=True)
        elif desk is None or desk.version < event.version:
            self.desks[place] = Desk(event.version, since, tuple(event.indicators))
        self.touched.add("|".join(("review", *place)))

    def review(self, event: ItemReviewed) -> None:
        """The standing office decided on one item."""
        place = event.plan, event.unit, event.month
        item = *place, event.indicator
        self._judge((*item, str(event.version)), event)
        self.touched.add("|".join(("review", *place)))
        self.touched.add("|".join(("item", *item)))

    def _judge(self, about: tuple[str, ...], event: ItemReviewed | AppealDecided) -> None:
        """A verdict that a later one about the same differs from holds no more."""
        verdicts = self._verdicts.setdefault(about, {})
        verdicts[event.id] = event
        later: set[str] = set()
        for one in sorted(verdicts.values(), key=_moment, reverse=True):
            if one.decision != "reopened" and later - {one.decision}:
                self.undone[one.id] = Withdrawn.JUDGED_ANEW
            later.add(one.decision)

    def _last(self, *about: str) -> ItemReviewed | AppealDecided | None:
        """The verdict that holds."""
        return max(self._verdicts.get(about, {}).values(), key=_moment, default=None)

    def send_back(self, event: PackageReturned) -> None:
        """A package waits for no signature any more."""
        self.undone[event.checked] = Withdrawn.SENT_BACK
        self.touched.add(f"package|{event.plan}|{event.package}")

    def hand_in(self, event: PapersRecorded) -> None:
        """What a unit has handed in for a deadline is now so; the highest version wins."""
        place = event.plan, event.unit, event.deadline
        known = self.papers.get(place)
        if known is not None and known.version >= event.version:
            return
        self.papers[place] = event
        self.touched.add("|".join(("deadline", *place)))

    def lodge(self, event: AppealLodged) -> None:
        """A line is contested."""
        self.appeals[event.appeal] = Appeal(
            event.plan, event.unit, event.month, event.code, event.answer_due_on
        )
        self.touched.add(f"appeal|{event.plan}|{event.unit}|{event.appeal}")

    def answer(self, event: AppealDecided) -> None:
        """It was answered, or answered anew."""
        self._judge(("appeal", event.appeal), event)
        self.touched.add(f"appeal|{event.plan}|{event.unit}|{event.appeal}")
        self.touched.add(f"item|{event.plan}|{event.unit}|{event.appeal}")

    def score(self, event: UnitScored) -> None:
        """A total moved; the newest one counts."""
        if event.plan not in self.plans or event.period != _year(self.newest(event.plan)):
            return
        key = event.plan, event.unit
        old = self.scores.get(key)
        changes = {change.indicator: change.after for change in event.changes}
        if old is not None and (old.at, old.id) >= (event.at, event.id):
            old.indicators = changes | old.indicators
            return
        indicators = {} if old is None else old.indicators
        self.scores[key] = Score(
            event.at, event.id, event.after, event.eligible, indicators | changes
        )
        self.scored.add(key)

    def totals(self, plan: Plan, bloc: str) -> list[Total]:
        """Every unit of a bloc with its total."""
        found = []
        for unit in plan.units_of(bloc):
            score = self.scores.get((plan.id, unit.code))
            points, eligible = (0, True) if score is None else (score.points, score.eligible)
            found.append(Total(unit.code, points, eligible))
        return found

    def owed(self, key: str) -> Owed | None:
        """The row of the due-date table; None: nothing is owed (any more)."""
        kind, plan, unit, subject = key.split("|", 3)
        if plan not in self.plans:
            return None
        if kind == "dossier":
            return self._owed_dossier(plan, subject)
        find = {
            "report": self._owed_report,
            "deadline": self._owed_deadline,
            "review": self._owed_review,
            "appeal": self._owed_answer,
        }
        return find[kind](plan, unit, subject)

    def _owed_report(self, plan: str, unit: str, month: str) -> Owed | None:
        rules = self.plan_for(plan, month)
        found = rules.unit(unit)
        if (
            found is None
            or found.bloc not in rules.reporting.blocs
            or month not in rules.months
        ):
            return None
        done = self.received_on(plan, unit, month)
        return Owed("report", plan, unit, month, month, rules.report_due_on(month), done)

    def _owed_dossier(self, plan: str, key: str) -> Owed | None:
        dossier = self.dossiers.get(key)
        if dossier is None or dossier.due_on is None:
            return None
        month = month_of(dossier.due_on)
        rules = self.plan_for(plan, month)
        if month not in rules.months or rules.unit(dossier.unit) is None:
            return None
        if dossier.traits[0] in rules.uncounted_statuses:
            return None
        return Owed(
            "dossier", plan, dossier.unit, key, month, dossier.due_on, dossier.finished_on
        )

    def _owed_deadline(self, plan: str, unit: str, code: str) -> Owed | None:
        rules = self.newest(plan)
        deadline = next((d for d in rules.deadlines if d.code == code), None)
        found = rules.unit(unit)
        if deadline is None or found is None or found.bloc not in rules.reporting.blocs:
            return None
        papers = self.papers.get((plan, unit, code))
        if papers is None:
            return Owed("deadline", plan, unit, code, "", deadline.on, None)
        done = None if papers.missing else papers.received_on
        missing = tuple(papers.missing)
        return Owed("deadline", plan, unit, code, "", deadline.on, done, missing)

    def _owed_review(self, plan: str, unit: str, month: str) -> Owed | None:
        desk = self.desks.get((plan, unit, month))
        if desk is None or desk.withdrawn:
            return None
        verdicts = [
            self._last(plan, unit, month, one, str(desk.version)) for one in desk.indicators
        ]
        decided = [local_date(v.at) for v in verdicts if v and v.decision != "reopened"]
        whole = len(decided) == len(verdicts)
        done = max(decided, default=desk.since) if whole else None
        return Owed("review", plan, unit, month, month, desk.since, done)

    def _owed_answer(self, plan: str, unit: str, number: str) -> Owed | None:
        appeal = self.appeals.get(number)
        if appeal is None:
            return None
        answer = self._last("appeal", number)
        done = None if answer is None else local_date(answer.at)
        return Owed("appeal", plan, unit, number, appeal.month, appeal.due_on, done)

    def matches(self, key: str, where: dict[str, list[Any]]) -> bool:
        """Whether a dossier is one of those that a rule counts."""
        traits = dict(zip(FIELDS, self.dossiers[key].traits, strict=True))
        return all(traits.get(name) in accepted for name, accepted in where.items())


def _year(plan: Plan) -> str:
    return f"{plan.ends_on.year}"


def _moment(verdict: ItemReviewed | AppealDecided) -> tuple[datetime, str]:
    return verdict.at, verdict.id
