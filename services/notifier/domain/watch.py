"""What is to be told now: the due-date table and the exclusions, looked at where time or a fact touched them."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from contracts.calendar import local_date, local_midnight
from contracts.plan import AlertRule, Bloc, LateReport, OverdueDossiers, Plan, When
from services.notifier.domain.due import (
    MIDNIGHT,
    WATCHES,
    Agenda,
    Kind,
    Owed,
    Stage,
    due_stages,
    stages_of,
)
from services.notifier.domain.happenings import of_plan_change
from services.notifier.domain.levels import Levels
from services.notifier.domain.occasions import Blank, Fate, Occasion, again, occasion_id
from services.notifier.domain.picture import Picture
from services.notifier.domain.reasons import Withdrawn

RETRACTABLE: frozenset[Kind] = frozenset({"report", "dossier", "deadline"})
"""Whose alerts can turn out to have been wrong."""
NAMED = 20
"""Dossiers that an alert names at most."""


@dataclass(slots=True)
class Findings:
    """What one look found; written down as a whole before the next look."""

    occasions: list[Occasion] = field(default_factory=list)
    retracted: dict[str, Withdrawn] = field(default_factory=dict)
    """Occasion -> why it holds no more."""
    over: dict[str, bool] = field(default_factory=dict)
    """Occasion -> whether nothing is left to do about it, where that changed."""
    levels: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.occasions or self.retracted or self.over or self.levels)


class Watch:
    """Looks at the picture when asked; remembers which occasions are known, so that each is found once."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.levels = Levels(picture)
        self._agenda = Agenda()
        self._known: dict[str, bool] = {}
        """Occasion -> whether it was retracted."""
        self._over: set[str] = set()
        self._threads: dict[str, tuple[str, ...]] = {}
        self._remembered: set[str] = set()
        """Threads from before this start: what they hang on may be gone, and nothing else would touch them."""
        self._overdue: dict[str, dict[str, date]] = {}
        """`overdue|plan|unit|month|rule` -> overdue dossier -> its due date."""
        self._member: dict[str, tuple[str, ...]] = {}
        """Dossier's row -> the counts that it is in."""
        self._plan_changes: list[tuple[Plan, Plan, datetime]] = []
        self._happened: list[Occasion] = []

    def remember(
        self, number: str, thread: str, *, retracted: bool, over: bool = False
    ) -> None:
        """An occasion that was written down before this start."""
        self._keep(number, thread, retracted=retracted)
        if over:
            self._over.add(number)
        if thread and not retracted:
            self._remembered.add(thread)

    def _keep(self, number: str, thread: str, *, retracted: bool) -> None:
        self._known[number] = retracted
        told = self._threads.get(thread, ())
        if thread and number not in told:
            self._threads[thread] = (*told, number)

    def happen(self, occasions: Iterable[Occasion]) -> None:
        """Occasions that an event states by itself."""
        self._happened.extend(occasions)

    def publish(self, plan: Plan, at: datetime) -> None:
        """A plan version came into force."""
        before = self.picture.publish(plan)
        if before is not None:
            self._plan_changes.append((before, plan, at))
            mine = f"overdue|{plan.id}|"
            self.picture.touched.update(c for c in self._overdue if c.startswith(mine))

    def tick(self, now: datetime) -> Findings:
        """What is to be told, and taken back, as of now."""
        found = Findings()
        happened, self._happened = self._happened, []
        for before, after, at in self._plan_changes:
            happened.extend(of_plan_change(self.picture, before, after, at))
        self._plan_changes = []
        for occasion in happened:
            if occasion.cause not in self.picture.undone:
                self._raise(found, occasion)
        self._look_again(found, now)
        for occasion in self.levels.tick(now, found.levels):
            self._raise(found, occasion)
        return found

    def _look_again(self, found: Findings, now: datetime) -> None:
        """Look at everything that a fact or the time touched."""
        touched, self.picture.touched = self.picture.touched, set()
        known = {key for key in self._remembered if key.split("|")[1] in self.picture.plans}
        self._remembered -= known
        counts: set[str] = set()
        for key in sorted(touched | known | self._agenda.due(now)):
            match key.partition("|")[0]:
                case "overdue":
                    counts.add(key)
                case "item" | "package":
                    self._retract_undone(found, key)
                case _:
                    counts |= self._look(found, key, now)
        for count in sorted(counts):
            self._look_at_count(found, count)

    def excluded(self, plan: str, unit: str, today: date, month: str = "") -> bool:
        """Whether the unit is excluded, for one month or (none named) for any."""
        if plan not in self.picture.plans:
            return False
        rules = self.picture.newest(plan)
        return any(
            self._excluded_in(plan, unit, one, today)
            for one in ((month,) if month else rules.months)
        )

    def _excluded_in(self, plan: str, unit: str, month: str, today: date) -> bool:
        bloc = _bloc(self.picture.plan_for(plan, month), unit)
        for rule in bloc.exclusions if bloc else ():
            if self.picture.lifted(plan, unit, month, rule.code):
                continue
            if isinstance(rule, OverdueDossiers):
                late = self._overdue.get(f"overdue|{plan}|{unit}|{month}|{rule.code}", ())
                if len(late) >= rule.at_least:
                    return True
                continue
            owed = self.picture.owed(f"report|{plan}|{unit}|{month}")
            if owed is not None and ((owed.done_on or today) - owed.due_on).days >= rule.days:
                return True
        return False

    def _look(self, found: Findings, key: str, now: datetime) -> set[str]:
        owed = self.picture.owed(key)
        counts = self._count(key, owed, now) if key.startswith("dossier|") else set()
        stages = [] if owed is None else self._stages(owed)
        later = [stage.at for stage in stages if stage.at > now]
        if owed is not None and later and owed.done_on is None:
            self._agenda.add(min(later), key)
        if owed is not None:
            for stage, tell in due_stages(stages, owed, now):
                fate: Fate = "raised" if tell else "overslept"
                self._raise(found, replace(_of_stage(stage, owed), fate=fate), owed=key)
        told = self._threads.get(key)
        if told:
            if key.partition("|")[0] in RETRACTABLE:
                self._retract_wrong(found, key, stages, owed)
            self._close(found, key, set(told) - _still_open(told, stages, owed))
        return counts

    def _stages(self, owed: Owed) -> list[Stage]:
        plan = self.picture.newest(owed.plan)
        bloc = _bloc(
            self.picture.plan_for(owed.plan, owed.month) if owed.month else plan, owed.unit
        )
        rules = [
            (rule, when)
            for rule in (plan.alerts.rules if plan.alerts else ())
            if WATCHES.get(rule.watch) == owed.kind
            and rule.deadline in {None, owed.subject}
            and (when := _when(rule, bloc)) is not None
            and not (rule.watch == "report_excluded" and self._is_lifted(owed, bloc))
        ]
        return stages_of(rules, owed.due_on, plan.workdays)

    def _is_lifted(self, owed: Owed, bloc: Bloc | None) -> bool:
        """Whether the exclusion for a late report was lifted."""
        return any(
            self.picture.lifted(owed.plan, owed.unit, owed.month, rule.code)
            for rule in (bloc.exclusions if bloc else ())
            if isinstance(rule, LateReport)
        )

    def _count(self, key: str, owed: Owed | None, now: datetime) -> set[str]:
        """Move a dossier into or out of the counts of overdue ones; returns those that changed."""
        wanted: set[str] = set()
        if owed is not None:
            late = (owed.done_on or local_date(now)) > owed.due_on
            if late:
                wanted = set(self._counts_for(owed))
            elif owed.done_on is None:
                self._agenda.add(local_midnight(owed.due_on + timedelta(days=1)), key)
        had = set(self._member.get(key, ()))
        for count in had - wanted:
            self._overdue[count].pop(key, None)
        for count in wanted:
            if owed is not None:
                self._overdue.setdefault(count, {})[key] = owed.due_on
        if wanted:
            self._member[key] = tuple(wanted)
        else:
            self._member.pop(key, None)
        return had ^ wanted

    def _counts_for(self, owed: Owed) -> Iterator[str]:
        bloc = _bloc(self.picture.plan_for(owed.plan, owed.month), owed.unit)
        for rule in bloc.exclusions if bloc else ():
            if isinstance(rule, OverdueDossiers) and self.picture.matches(
                owed.subject, rule.where
            ):
                yield f"overdue|{owed.plan}|{owed.unit}|{owed.month}|{rule.code}"

    def _look_at_count(self, found: Findings, count: str) -> None:
        """The last dossier before an exclusion, the exclusion itself, or neither any more."""
        _, plan, unit, month, code = count.split("|")
        bloc = _bloc(self.picture.plan_for(plan, month), unit)
        rule = next((r for r in bloc.exclusions if r.code == code), None) if bloc else None
        alerts = self.picture.newest(plan).alerts
        if not isinstance(rule, OverdueDossiers) or alerts is None:
            return
        dues = sorted((due, key) for key, due in self._overdue.get(count, {}).items())
        holding: set[str] = set()
        excluded = len(dues) >= rule.at_least
        lifted = self.picture.lifted(plan, unit, month, code)
        for alert in alerts.rules:
            limit = {"overdue_near": rule.at_least - 1, "overdue_excluded": rule.at_least}.get(
                alert.watch
            )
            if not limit or len(dues) < limit:
                continue
            number = occasion_id(alert.code, plan, unit, f"{month}:{code}")
            if lifted and alert.watch == "overdue_excluded":
                continue
            holding.add(number)
            if lifted:  # what was told of a near exclusion was true; nothing is near now
                continue
            overtaken = excluded and alert.watch == "overdue_near"
            blanks: dict[str, Blank] = {
                "month": month,
                "count": limit,
                "limit": rule.at_least,
                "rule": code,
                "dossiers": [key.split("|", 3)[3] for _, key in dues[:limit][-NAMED:]],
            }
            at = local_midnight(dues[limit - 1][0] + timedelta(days=1))
            self._raise(
                found,
                Occasion(
                    number, alert.code, plan, unit, at, alert.severity, count, month, blanks,
                    "overslept" if overtaken else "raised",
                ),
                owed=count,
            )  # fmt: skip
        near = {a.code for a in alerts.rules if a.watch == "overdue_near"}
        told = self._threads.get(count, ())
        over = {n for n in told if n.partition("|")[0] in near and (excluded or lifted)}
        self._close(found, count, over)
        for wrong in self._wrong(count, holding):
            self._take_back(found, wrong, Withdrawn.LIFTED if lifted else Withdrawn.CORRECTED)

    def _retract_wrong(
        self, found: Findings, key: str, stages: list[Stage], owed: Owed | None
    ) -> None:
        """Take back what turned out wrong: it was done in time, or is owed no longer, or later."""
        right = set()
        if owed is not None:
            right = {_of_stage(s, owed).id for s in stages if s.was_true(owed)}
        plan = self.picture.newest(key.split("|")[1]).alerts
        reminders = {
            rule.code
            for rule in (plan.rules if plan else ())
            if rule.when is not None and rule.when.days_after is None
        }
        right |= {n for n in self._threads.get(key, ()) if n.partition("|")[0] in reminders}
        for number in self._wrong(key, right):
            self._take_back(found, number, self._why(number, owed))

    def _why(self, number: str, owed: Owed | None) -> Withdrawn:
        """Why a stage of an owed thing holds no more."""
        if owed is None or owed.kind != "report":
            return Withdrawn.CORRECTED
        if number.partition("~")[0].rpartition("@")[2] != owed.due_on.isoformat():
            return Withdrawn.DUE_MOVED
        alerts = self.picture.newest(owed.plan).alerts
        of_exclusion = {
            rule.code
            for rule in (alerts.rules if alerts else ())
            if rule.watch == "report_excluded"
        }
        bloc = _bloc(self.picture.plan_for(owed.plan, owed.month), owed.unit)
        if number.partition("|")[0] in of_exclusion and self._is_lifted(owed, bloc):
            return Withdrawn.LIFTED
        return Withdrawn.CORRECTED

    def _close(self, found: Findings, thread: str, over: set[str]) -> None:
        """Note about which alerts of a thread nothing is left to do; an exclusion stays until somebody takes it up."""
        alerts = self.picture.newest(thread.split("|")[1]).alerts
        stays = {
            rule.code
            for rule in (alerts.rules if alerts else ())
            if rule.severity == "exclusion"
        }
        for number in sorted(self._threads.get(thread, ())):
            is_over = number in over and number.partition("|")[0] not in stays
            if is_over != (number in self._over):
                found.over[number] = is_over
                self._over ^= {number}

    def _retract_undone(self, found: Findings, thread: str) -> None:
        """Take back what a later event undid."""
        for number in sorted(self._threads.get(thread, ())):
            why = self.picture.undone.get(number.split("|", 3)[3])
            if why is not None:
                self._take_back(found, number, why)

    def _wrong(self, thread: str, right: set[str]) -> list[str]:
        """What was told in a thread and is not right any more, also when it came true more than once."""
        return [
            number
            for number in sorted(self._threads.get(thread, ()))
            if number not in right and number.partition("~")[0] not in right
        ]

    def _take_back(self, found: Findings, number: str, why: Withdrawn) -> None:
        if not self._known[number]:
            self._known[number] = True
            found.retracted[number] = why

    def _raise(self, found: Findings, occasion: Occasion, *, owed: str = "") -> None:
        number, thread = occasion.id, owed or occasion.thread
        while self._known.get(number):
            number = again(number)
        if number in self._known:
            return
        self._keep(number, thread, retracted=False)
        found.occasions.append(replace(occasion, id=number, thread=thread))


def _bloc(plan: Plan, unit: str) -> Bloc | None:
    found = plan.unit(unit)
    return None if found is None else plan.bloc(found.bloc)


def _still_open(told: Collection[str], stages: list[Stage], owed: Owed | None) -> set[str]:
    """The latest of the stages that were told, while the thing is not done: it has overtaken the others."""
    if owed is None or owed.done_on is not None:
        return set()
    ids = [_of_stage(stage, owed).id for stage in stages]
    latest = max(
        (ids.index(b) for n in told if (b := n.partition("~")[0]) in ids), default=None
    )
    return set() if latest is None else {n for n in told if n.partition("~")[0] == ids[latest]}


def _when(rule: AlertRule, bloc: Bloc | None) -> When | None:
    """A report's exclusion takes its days from the bloc's rule; all others say when."""
    if rule.watch != "report_excluded":
        return rule.when
    late = [r for r in (bloc.exclusions if bloc else ()) if isinstance(r, LateReport)]
    return When(days_after=late[0].days, at=MIDNIGHT) if late else None


def _of_stage(stage: Stage, owed: Owed) -> Occasion:
    rule = stage.rule
    return Occasion(
        id=occasion_id(rule.code, owed.plan, owed.unit, f"{owed.subject}@{owed.due_on}"),
        rule=rule.code,
        plan=owed.plan,
        unit=owed.unit,
        at=stage.at,
        severity=rule.severity,
        month=owed.month,
        blanks=_blanks(stage, owed),
    )


def _blanks(stage: Stage, owed: Owed) -> Mapping[str, Blank]:
    days = (owed.due_on - local_date(stage.at)).days
    named: dict[Kind, dict[str, Blank]] = {
        "report": {},
        "dossier": {"dossier": owed.subject},
        "deadline": {"deadline": owed.subject, "missing": list(owed.missing)},
        "review": {},
        "appeal": {"appeal": owed.subject},
    }
    dated: dict[str, Blank] = {"due": owed.due_on.isoformat(), "days": abs(days)}
    return named[owed.kind] | dated | {"month": owed.month}
