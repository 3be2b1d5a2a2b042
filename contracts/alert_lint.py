"""The linter of a plan's alerts: what would never be told, or told in words that cannot be filled in."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from contracts.faults import Fault
from contracts.plan import AlertRule, Alerts, Plan, Watched

BLANK = re.compile(r"\{([^{}]*)\}")
EVERYWHERE = frozenset({"unit", "plan"})
"""Blanks that the words of every alert may have."""
BLANKS: Mapping[Watched, frozenset[str]] = {
    "report_due": frozenset({"month", "due", "days", "limit"}),
    "report_excluded": frozenset({"month", "due", "days", "rule"}),
    "dossier_due": frozenset({"dossier", "due", "days", "month"}),
    "overdue_near": frozenset({"month", "count", "limit", "rule", "dossiers"}),
    "overdue_excluded": frozenset({"month", "count", "limit", "rule", "dossiers"}),
    "deadline_due": frozenset({"deadline", "due", "days", "missing"}),
    "review_waiting": frozenset({"month", "days", "due"}),
    "appeal_due": frozenset({"appeal", "about", "due", "days", "month"}),
    "threshold_up": frozenset({"points", "threshold", "bloc"}),
    "threshold_down": frozenset({"points", "threshold", "bloc"}),
    "below_target": frozenset({"indicator", "target", "points", "full"}),
    "place_entered": frozenset({"award", "points", "bloc"}),
    "place_left": frozenset({"award", "points", "bloc"}),
    "lead_lost": frozenset({"points", "bloc", "leader", "ends"}),
    "item_reviewed": frozenset({"month", "indicator", "decision", "reason"}),
    "appeal_decided": frozenset({"appeal", "about", "decision", "answer", "month"}),
    "plan_changed": frozenset({"version", "changes"}),
    "due_moved": frozenset({"month", "old_due", "due", "why"}),
    "package_ready": frozenset({"period", "package"}),
}
"""What is watched -> the blanks that its words may have beside those."""
DATED: frozenset[Watched] = frozenset(
    {"report_due", "dossier_due", "deadline_due", "review_waiting", "appeal_due"}
)
"""What has a due date, and so needs a `when`."""


def lint_alerts(plan: Plan) -> Iterator[Fault]:
    """What is wrong with the plan's alerts, one sentence a fault."""
    if plan.alerts is None:
        return
    for code, times in Counter(rule.code for rule in plan.alerts.rules).items():
        if times > 1:
            yield Fault.of("alert {} is defined twice", code)
    for rule in plan.alerts.rules:
        yield from (
            Fault.of("alert {}: {}", rule.code, fault) for fault in _lint_rule(plan, rule)
        )
    yield from (Fault.of("alerts: {}", fault) for fault in _lint_hours(plan.alerts))


def _lint_rule(plan: Plan, rule: AlertRule) -> Iterator[Fault]:
    yield from _lint_when(rule)
    known = {deadline.code for deadline in plan.deadlines}
    if (rule.watch == "deadline_due") != (rule.deadline is not None):
        yield Fault.of("`deadline:` belongs to `deadline_due`, and only to it")
    if rule.deadline is not None and rule.deadline not in known:
        yield Fault.of("there is no deadline {!r}", rule.deadline)
    if (rule.watch == "item_reviewed") != bool(rule.decisions):
        yield Fault.of("`decisions:` belongs to `item_reviewed`, and only to it")
    if not rule.clause.strip():
        yield Fault.of("cites no clause")
    yield from _lint_words(rule)


def _lint_when(rule: AlertRule) -> Iterator[Fault]:
    if (rule.watch in DATED) != (rule.when is not None):
        yield Fault.of("`when:` belongs to {}, and only to them", ", ".join(sorted(DATED)))
    when = rule.when
    if when is not None and (when.working_days_before is None) == (when.days_after is None):
        yield Fault.of("`when:` needs either `working_days_before:` or `days_after:`")
    if rule.watch == "review_waiting" and when is not None and when.days_after is None:
        yield Fault.of("waiting is counted in `days_after:`")


def _lint_words(rule: AlertRule) -> Iterator[Fault]:
    allowed = EVERYWHERE | BLANKS[rule.watch]
    for key in ("title", "fact", "todo"):
        text = getattr(rule, key)
        for words in (text.vi, text.en):
            if wrong := sorted(set(BLANK.findall(words)) - allowed):
                yield Fault.of(
                    "{}: nothing fills {{{}}}; there is {}",
                    key,
                    wrong[0],
                    ", ".join(sorted(allowed)),
                )


def _lint_hours(alerts: Alerts) -> Iterator[Fault]:
    if alerts.work_from >= alerts.work_to:
        yield Fault.of("work_to {} is not after work_from {}", alerts.work_to, alerts.work_from)
    for code, times in Counter(alerts.chain).items():
        if times > 1:
            yield Fault.of("{} stands twice in the chain", code)
