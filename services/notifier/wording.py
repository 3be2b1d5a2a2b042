"""An alert in words: the plan's sentences with their blanks filled in, in the reader's language."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote

from contracts.alert_lint import BLANK
from contracts.plan import AlertRule, Bloc, LateReport, Plan, Text
from services.notifier.domain.reasons import Dropped, Held, Withdrawn
from services.runtime.mongo import Document
from services.runtime.web.i18n import Words

_PLACES = {
    "package_ready": "/packages",
    "plan_changed": "/plans/{plan}",
    "deadline_due": "/packages/dossiers/{plan}/{period}",
    "review_waiting": "/review",
    "appeal_due": "/review/appeals",
}
"""Watched -> the page where one acts, whoever one is."""
_OF_REPORT = frozenset(
    {"report_due", "report_excluded", "due_moved", "item_reviewed", "appeal_decided"}
)
"""What an officer or head acts on in the report of its month; others read the unit's page."""
_REPORTING = frozenset({"officer", "head"})
_SPACES = re.compile(r"\s+")


def in_language(text: Text, words: Words) -> str:
    """The words of a plan in the reader's language."""
    return text.vi if words.lang == "vi" else text.en


@dataclass(frozen=True, slots=True)
class Alert:
    """One occasion as a person reads it."""

    title: str
    fact: str
    todo: str
    clause: str
    severity: str
    path: str
    """Of the page where one acts."""
    unit: str
    occasion: str


class Wording:
    """Fills the blanks of one plan's sentences."""

    def __init__(self, plan: Plan, words: Words) -> None:
        self._plan = plan
        self._words = words

    def alert(self, rule: AlertRule, occasion: Document, role: str = "head") -> Alert:
        """The alert of an occasion, with the page where somebody in this role acts."""
        values = self._values(occasion)
        title, fact, todo = (
            _fill(in_language(text, self._words), values)
            for text in (rule.title, rule.fact, rule.todo)
        )
        return Alert(
            title=title,
            fact=fact,
            todo=todo,
            clause=rule.clause,
            severity=rule.severity,
            path=self._path(rule, occasion, role),
            unit=self.unit(occasion["unit"]),
            occasion=occasion["_id"],
        )

    def unit(self, code: str) -> str:
        """A unit by name."""
        found = self._plan.unit(code)
        return code if found is None else in_language(found.name, self._words)

    def about(self) -> tuple[str, str]:
        """The plan's title, and whom to ask."""
        alerts = self._plan.alerts
        ask = "" if alerts is None else in_language(alerts.contact, self._words)
        return in_language(self._plan.title, self._words), ask

    def note(self, notice: Document, occasion: Document) -> str:
        """What is only true of this notice: why somebody further up is told, or who took it up."""
        _ = self._words.gettext
        if notice["form"] == "handled":
            moment = self._words.minute(occasion["acknowledged_at"])
            return _("Đã có người tiếp nhận lúc %(moment)s.", moment=moment)
        if notice["form"] == "retraction":
            return withdrawn_in_words(occasion.get("retracted_why", ""), self._words)
        if notice["form"] == "alert" and notice["level"]:
            return _("Thông báo này được chuyển lên vì chưa ai xác nhận đã tiếp nhận.")
        return ""

    def _bloc(self, unit: str) -> Bloc | None:
        found = self._plan.unit(unit)
        return None if found is None else self._plan.bloc(found.bloc)

    def _values(self, occasion: Document) -> dict[str, str]:
        bloc = self._bloc(occasion["unit"])
        common = {
            "unit": self.unit(occasion["unit"]),
            "plan": in_language(self._plan.title, self._words),
        }
        blanks = _late_report(bloc) | dict(occasion["blanks"])
        tell = self._tellers(bloc)
        return common | {name: tell.get(name, _plain)(value) for name, value in blanks.items()}

    def _tellers(self, bloc: Bloc | None) -> Mapping[str, Callable[[Any], str]]:
        words = self._words
        return {
            **dict.fromkeys(("due", "old_due", "ends"), lambda v: words.day(_date(v))),
            **dict.fromkeys(("points", "full", "threshold"), words.fixed),
            "month": lambda v: words.month(v) if v else "",
            "period": lambda v: (
                words.period(v).lower() if words.lang == "vi" else words.period(v)
            ),
            "leader": self.unit,
            "bloc": self._bloc_name,
            "dossier": _number,
            "dossiers": lambda v: ", ".join(map(_number, v)),
            "award": lambda v: self._named(bloc.awards if bloc else (), v),
            "rule": lambda v: self._named(bloc.exclusions if bloc else (), v),
            "deadline": lambda v: self._named(self._plan.deadlines, v),
            "target": lambda v: self._target(bloc, v),
            "about": lambda v: self._named(bloc.exclusions if bloc else (), v),
            "decision": lambda v: decision_in_words(v, words),
            "missing": self._missing,
            "changes": lambda v: "; ".join(self._change(bloc, one) for one in v),
            "why": self._days_off,
        }

    @staticmethod
    def _of(found: Any, code: str) -> Any:  # noqa: ANN401 - whatever of a plan has a code
        return next((one for one in found if one.code == code), None)

    def _named(self, found: Any, code: str) -> str:  # noqa: ANN401 - whatever of a plan has a code
        one = self._of(found, code)
        return code if one is None else in_language(one.name, self._words)

    def _bloc_name(self, code: str) -> str:
        name = self._named(self._plan.blocs, code)
        return name[:1].lower() + name[1:]

    def _target(self, bloc: Bloc | None, code: str) -> str:
        found = bloc.indicator(code) if bloc else None
        return code if found is None else in_language(found.target, self._words)

    def _missing(self, papers: list[str]) -> str:
        """The papers that an award dossier lacks; none named: nothing was handed in."""
        _ = self._words.gettext
        names = {
            "letter": _("tờ trình"),
            "minutes": _("biên bản họp xét"),
            "list": _("danh sách đề nghị"),
        }
        return ", ".join(names.get(one, one) for one in papers or names)

    def _days_off(self, days: list[str]) -> str:
        named = {day.on.isoformat(): day.name for day in self._plan.calendar.days_off}
        if not days:
            return self._words.gettext("kế hoạch đã thay đổi")
        return "; ".join(
            f"{self._words.day(_date(day))}: {in_language(named[day], self._words)}"
            if day in named
            else self._words.day(_date(day))
            for day in days
        )

    def _change(self, bloc: Bloc | None, change: str) -> str:
        words = self._words
        kind, code, *rest = change.split(":")
        match kind:
            case "due":
                old_day, new_day = (words.day(_date(value)) for value in rest)
                return words.gettext(
                    "báo cáo tháng %(month)s: hạn %(old)s thành %(new)s",
                    month=words.month(code),
                    old=old_day,
                    new=new_day,
                )
            case "points":
                old, new = (words.fixed(int(value)) for value in rest)
                return words.gettext(
                    "%(code)s: điểm tối đa %(old)s thành %(new)s", code=code, old=old, new=new
                )
            case "award":
                old, new = (words.fixed(int(value)) for value in rest)
                name = self._named(bloc.awards if bloc else (), code)
                return words.gettext(
                    "%(award)s: từ %(old)s thành %(new)s điểm", award=name, old=old, new=new
                )
            case "target":
                return words.gettext("%(code)s: cách tính hoặc mục tiêu thay đổi", code=code)
            case _:
                name = self._named(bloc.exclusions if bloc else (), code)
                return words.gettext("điều kiện loại thay đổi: %(rule)s", rule=name)

    def _path(self, rule: AlertRule, occasion: Document, role: str) -> str:
        plan, unit = quote(self._plan.id), quote(occasion["unit"])
        month = occasion["month"] or f"{self._plan.ends_on.year}"
        reported = occasion["month"] or occasion["blanks"].get("month", "")
        if rule.watch in _PLACES:
            return _PLACES[rule.watch].format(plan=plan, period=self._plan.ends_on.year)
        if rule.watch in _OF_REPORT and role in _REPORTING and reported:
            return f"/submit/{plan}/{unit}/{reported}"
        indicator = occasion["blanks"].get("indicator")
        chosen = f"&indicator={quote(indicator)}" if isinstance(indicator, str) else ""
        return f"/units/{plan}/{unit}?period={month}{chosen}"


def _late_report(bloc: Bloc | None) -> dict[str, Any]:
    """What the exclusion for late reports says, for alerts that name it."""
    late = [r for r in (bloc.exclusions if bloc else ()) if isinstance(r, LateReport)]
    return {"limit": late[0].days, "rule": late[0].code} if late else {"limit": "", "rule": ""}


def _fill(text: str, values: Mapping[str, str]) -> str:
    filled = BLANK.sub(lambda found: values.get(found[1], ""), text)
    return _SPACES.sub(" ", filled).strip()


def _plain(value: object) -> str:
    return str(value)


def _number(key: str) -> str:
    """A dossier's number, without the system that it comes from."""
    return key.rpartition(" ")[2]


def _date(value: str) -> date:
    return date.fromisoformat(value)


def reason_in_words(reason: str, words: Words) -> str:
    """Why something was not told, or is held back."""
    _ = words.gettext
    return {
        Dropped.NO_CONTACT: _("chưa có địa chỉ liên hệ"),
        Dropped.NO_RULE: _("kế hoạch không còn loại thông báo này"),
        Dropped.BEFORE_START: _("xảy ra trước khi bật thông báo"),
        Dropped.EXCLUDED: _("đơn vị đã bị loại"),
        Dropped.SILENCED: _("đang tắt theo yêu cầu"),
        Dropped.RETRACTED: _("đã được đính chính trước khi gửi"),
        Dropped.TAKEN_BACK_UNTOLD: _("chưa từng được gửi"),
        Dropped.DONE: _("đã làm xong trước khi gửi"),
        Dropped.TAKEN_UP: _("đã có người tiếp nhận"),
        Held.WINDOW: _("chờ gộp"),
        Held.QUIET: _("chờ hết giờ nghỉ"),
        Held.DIGEST: _("chờ bản tổng hợp"),
        Held.ORIGINAL: _("chờ thư trước đó được gửi"),
        Held.BUDGET: _("quá số thư trong ngày, chờ bản tổng hợp"),
        "": "",
    }.get(reason, reason)


def decision_in_words(code: str, words: Words) -> str:
    """What was decided on an item or an appeal."""
    _ = words.gettext
    return {
        "accepted": _("được chấp nhận"),
        "corrected": _("được chấp nhận với số liệu đã sửa"),
        "returned": _("bị trả lại để bổ sung"),
        "rejected": _("không được chấp nhận"),
        "reopened": _("được mở lại để xem xét"),
        "upheld": _("được chấp thuận"),
        "dismissed": _("không được chấp thuận"),
    }.get(code, code)


def rule_in_words(rule: AlertRule, words: Words) -> str:
    """A kind of alert by its title, for lists to choose from: what is different each time is left open."""
    title = in_language(rule.title, words).removeprefix("{unit}: ")
    if rule.decisions:
        told = " / ".join(decision_in_words(one, words) for one in rule.decisions)
        title = title.replace("{decision}", told)
    text = BLANK.sub("…", title)
    return text[:1].upper() + text[1:]


def withdrawn_in_words(why: str, words: Words) -> str:
    """Why an alert that was told holds no more, and what that means for the reader."""
    _ = words.gettext
    told: dict[str, str] = {
        Withdrawn.LIFTED: _(
            "Cơ quan thường trực đã quyết định bỏ áp dụng trường hợp loại này. Anh/chị không cần làm gì thêm."
        ),
        Withdrawn.DUE_MOVED: _(
            "Hạn đã được chuyển sang ngày khác, nên thông báo trước đây không còn đúng."
        ),
        Withdrawn.JUDGED_ANEW: _(
            "Quyết định này đã được thay bằng một quyết định khác; xem kết quả mới trên trang của đơn vị."
        ),
        Withdrawn.SENT_BACK: _(
            "Hồ sơ đã được trả lại để sửa, không còn chờ ký. Khi được kiểm tra lại, sẽ có thông báo mới."
        ),
    }
    corrected = _(
        "Thông báo trước đây không còn đúng: dữ liệu đã được đính chính. Anh/chị không cần làm gì thêm."
    )
    return told.get(why, corrected)


def withdrawal_in_words(why: str, words: Words) -> str:
    """The same for a list, where the office looks through what was told."""
    _ = words.gettext
    told: dict[str, str] = {
        Withdrawn.LIFTED: _("trường hợp loại đã được bỏ áp dụng"),
        Withdrawn.DUE_MOVED: _("hạn đã chuyển sang ngày khác"),
        Withdrawn.JUDGED_ANEW: _("đã có quyết định khác thay thế"),
        Withdrawn.SENT_BACK: _("hồ sơ đã được trả lại để sửa"),
    }
    return told.get(why, _("dữ liệu đã được sửa"))


def severity_in_words(severity: str, words: Words) -> str:
    """How grave an alert is."""
    _ = words.gettext
    return {
        "exclusion": _("Không xét thi đua"),
        "warning": _("Cần xử lý"),
        "notice": _("Thông tin"),
    }.get(severity, severity)


def state_in_words(state: str, words: Words) -> str:
    """What became of a notice."""
    _ = words.gettext
    return {
        "waiting": _("đang chờ"),
        "mailed": _("đang gửi"),
        "accepted": _("máy chủ thư đã nhận"),
        "failed": _("gửi không được"),
        "dropped": _("không gửi"),
        "acknowledged": _("đã tiếp nhận"),
        "retracted": _("đã đính chính"),
    }.get(state, state)
