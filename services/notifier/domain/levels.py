"""Conditions on standings that have a memory: above or below, in or out; told at the change only."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from fractions import Fraction

from contracts.calendar import local_date
from contracts.plan import AlertRule, Alerts, Bloc, Plan, Watched
from services.notifier.domain.conditions import (
    crossed,
    differences,
    full_points,
    in_units,
    leaders,
    places,
    thresholds_of,
)
from services.notifier.domain.due import at_time
from services.notifier.domain.occasions import Blank, Occasion, occasion_id
from services.notifier.domain.picture import Picture
from services.notifier.domain.states import Score


class Levels:
    """Where each unit stood when it was last looked at.

    A plan that is looked at for the first time only gets its levels noted: nobody is told of the past.
    """

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self.stored: dict[str, str] = {}

    def tick(self, now: datetime, changed: dict[str, str]) -> Iterator[Occasion]:
        """Changes since the last look; what moved is also put into `changed`, to be stored."""
        scored, self._picture.scored = self._picture.scored, set()
        for of, unit in sorted(scored):
            yield from self._unit(of, unit, now, changed)
        for name in sorted(self._picture.plans):
            plan = self._picture.newest(name)
            if plan.alerts is not None:
                yield from self._daily(plan, plan.alerts, now, changed)
                self._set(f"known|{name}", "yes", changed)

    def _set(self, key: str, value: str, changed: dict[str, str]) -> None:
        if self.stored.get(key, "") != value:
            self.stored[key] = changed[key] = value

    def _knows(self, plan: str) -> bool:
        return f"known|{plan}" in self.stored

    def _unit(
        self, name: str, unit: str, now: datetime, changed: dict[str, str]
    ) -> Iterator[Occasion]:
        plan = self._picture.newest(name)
        found = plan.unit(unit)
        bloc = None if found is None else plan.bloc(found.bloc)
        if found is None or bloc is None or plan.alerts is None:
            return
        score = self._picture.scores[name, unit]
        told = [*self._thresholds(plan, bloc, unit, score, now, changed)]
        told += self._targets(plan, bloc, unit, score, now, changed)
        if self._knows(name):
            yield from told

    def _thresholds(
        self,
        plan: Plan,
        bloc: Bloc,
        unit: str,
        score: Score,
        now: datetime,
        changed: dict[str, str],
    ) -> Iterator[Occasion]:
        down = _rules(plan, "threshold_down")
        margin = in_units(Fraction(down[0].margin)) if down else 0
        for edge in thresholds_of(bloc):
            key = f"threshold|{plan.id}|{unit}|{edge}"
            was = self.stored.get(key) == "above"
            above = crossed(was, score.points, edge, margin)
            self._set(key, "above" if above else "", changed)
            if above == was:
                continue
            blanks: dict[str, Blank] = {
                "points": score.points,
                "threshold": edge,
                "bloc": bloc.code,
            }
            for rule in _rules(plan, "threshold_up") if above else down:
                yield _today(rule, plan, unit, f"{edge}", now, blanks)

    def _targets(
        self,
        plan: Plan,
        bloc: Bloc,
        unit: str,
        score: Score,
        now: datetime,
        changed: dict[str, str],
    ) -> Iterator[Occasion]:
        rules = _rules(plan, "below_target")
        found = plan.unit(unit)
        if not rules or found is None:
            return
        margin = in_units(Fraction(rules[0].margin))
        for code, full in full_points(bloc, found).items():
            key = f"target|{plan.id}|{unit}|{code}"
            points = score.indicators.get(code, 0)
            was = self.stored.get(key) == "met"
            met = crossed(was, points, full, margin)
            self._set(key, "met" if met else "", changed)
            if was and not met:
                blanks: dict[str, Blank] = {
                    "indicator": code,
                    "target": code,
                    "points": points,
                    "full": full,
                }
                for rule in rules:
                    yield _today(rule, plan, unit, code, now, blanks)

    def _daily(
        self, plan: Plan, alerts: Alerts, now: datetime, changed: dict[str, str]
    ) -> Iterator[Occasion]:
        """Places and leads are compared once a day, so that a close race does not chatter."""
        today = local_date(now)
        key = f"day|{plan.id}"
        if now < at_time(today, alerts.work_from) or today < plan.starts_on:
            return
        if self.stored.get(key) == today.isoformat():
            return
        self._set(key, today.isoformat(), changed)
        for bloc in plan.blocs:
            told = [*self._places(plan, bloc, now, changed)]
            told += self._lead(plan, bloc, today, now, changed)
            if self._knows(plan.id):
                yield from told

    def _places(
        self, plan: Plan, bloc: Bloc, now: datetime, changed: dict[str, str]
    ) -> Iterator[Occasion]:
        totals = self._picture.totals(plan, bloc.code)
        points = {total.unit: total.points for total in totals}
        before = {
            unit: held
            for unit in points
            if (held := self.stored.get(f"place|{plan.id}|{unit}", ""))
        }
        after = places(bloc, totals)
        for unit, old, new in differences(before, after):
            self._set(f"place|{plan.id}|{unit}", new, changed)
            common: dict[str, Blank] = {"points": points[unit], "bloc": bloc.code}
            if new:
                for rule in _rules(plan, "place_entered"):
                    yield _today(rule, plan, unit, new, now, common | {"award": new})
            else:
                for rule in _rules(plan, "place_left"):
                    yield _today(rule, plan, unit, old, now, common | {"award": old})

    def _lead(
        self, plan: Plan, bloc: Bloc, today: date, now: datetime, changed: dict[str, str]
    ) -> Iterator[Occasion]:
        totals = self._picture.totals(plan, bloc.code)
        key = f"lead|{plan.id}|{bloc.code}"
        before = self.stored.get(key, "").split()
        after = leaders(totals)
        self._set(key, " ".join(after), changed)
        left = (plan.ends_on - today).days
        points = {total.unit: total.points for total in totals}
        for rule in _rules(plan, "lead_lost"):
            for unit in before if after and 0 <= left < rule.last_days else ():
                if unit in points and unit not in after:
                    blanks: Mapping[str, Blank] = {
                        "points": points[unit],
                        "bloc": bloc.code,
                        "leader": after[0],
                        "ends": plan.ends_on.isoformat(),
                    }
                    yield _today(rule, plan, unit, bloc.code, now, blanks)


def _rules(plan: Plan, watch: Watched) -> list[AlertRule]:
    return [rule for rule in (plan.alerts.rules if plan.alerts else ()) if rule.watch == watch]


def _today(
    rule: AlertRule,
    plan: Plan,
    unit: str,
    subject: str,
    now: datetime,
    blanks: Mapping[str, Blank],
) -> Occasion:
    """An occasion that can come once a day."""
    number = occasion_id(rule.code, plan.id, unit, f"{subject}@{local_date(now)}")
    return Occasion(number, rule.code, plan.id, unit, now, rule.severity, blanks=blanks)
