"""Invented data with which an alert can be looked at before anything has happened."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from contracts.alert_lint import BLANKS
from contracts.calendar import local_date
from contracts.plan import AlertRule, Bloc, Plan, Watched
from services.notifier.domain.conditions import full_points, thresholds_of
from services.notifier.domain.occasions import Blank
from services.runtime.mongo import Document


def sample_occasion(plan: Plan, rule: AlertRule, now: datetime) -> Document:
    """An occasion of a rule, for the first unit of the first bloc that owes reports."""
    bloc = next(
        b for b in plan.blocs if b.code in {*plan.reporting.blocs} or b is plan.blocs[-1]
    )
    unit = plan.units_of(bloc.code)[0]
    month = plan.months[min(1, len(plan.months) - 1)]
    values = _values(plan, bloc, month, now)
    wanted: Mapping[Watched, str] = {"appeal_decided": "upheld", "item_reviewed": "returned"}
    if decision := wanted.get(rule.watch):
        values["decision"] = rule.decisions[0] if rule.decisions else decision
    if rule.deadline:
        values["deadline"] = rule.deadline
    if rule.watch in {"report_due", "report_excluded"}:  # the bloc's own rule says these
        del values["limit"], values["rule"]
    if rule.watch == "overdue_near":
        values |= {"count": 1, "dossiers": ["dvc.mau H30.99.01-230705-0012"]}
    indicator = bloc.scored[0]
    full = full_points(bloc, unit)[indicator.code]
    values |= {"indicator": indicator.code, "target": indicator.code, "full": full}
    return {
        "_id": f"{rule.code}|{plan.id}|{unit.code}|sample",
        "unit": unit.code,
        "month": month,
        "at": now,
        "blanks": {name: values[name] for name in BLANKS[rule.watch] if name in values},
    }


def _values(plan: Plan, bloc: Bloc, month: str, now: datetime) -> dict[str, Blank]:
    due = plan.report_due_on(month)
    edges = thresholds_of(bloc) or [0]
    exclusions = [rule.code for rule in bloc.exclusions if rule.kind == "overdue_dossiers"]
    return {
        "month": month,
        "due": due.isoformat(),
        "old_due": (due - timedelta(days=1)).isoformat(),
        "ends": plan.ends_on.isoformat(),
        "days": 3,
        "count": 2,
        "dossier": "dvc.mau H30.99.01-230705-0012",
        "dossiers": ["dvc.mau H30.99.01-230705-0012", "dvc.mau H30.99.01-230706-0007"],
        "limit": 2,
        "rule": exclusions[0] if exclusions else "",
        "points": edges[-1] - 12_345,
        "threshold": edges[-1],
        "bloc": bloc.code,
        "award": bloc.awards[0].code if bloc.awards else "",
        "leader": plan.units_of(bloc.code)[-1].code,
        "reason": "Danh sách thiếu ấp Mỹ Lợi.",
        "answer": "Cổng dịch vụ công gián đoạn trong ngày.",
        "appeal": "kn-mau-1",
        "about": bloc.scored[0].code,
        "version": plan.version + 1,
        "changes": [f"due:{month}:{due}:{due + timedelta(days=3)}"],
        "why": [local_date(now).isoformat()],
        "period": f"{month[:4]}-Q{(int(month[5:]) + 2) // 3}",
        "package": f"{plan.id}:mau",
        "missing": ["minutes", "list"],
    }
