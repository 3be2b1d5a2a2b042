"""Due dates: working days, the stages that follow, and which of them is told when."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from contracts.calendar import LOCAL
from contracts.events import ExclusionLifted
from contracts.plan import AlertRule, DayOff, Plan, Text, WorkCalendar
from contracts.wire import fact_id, to_event, to_line
from contracts.workdays import WorkDays
from services.notifier.domain.due import Owed, Stage, due_stages, stages_of
from services.notifier.domain.hours import after_working_hours
from services.notifier.domain.picture import Picture
from services.notifier.domain.watch import Findings, Watch
from tests.support.notifying import ALERTS, PLAN, changed, local
from tests.support.sequences import reported, stated

JULY = date(2023, 7, 14)
UNIT = "31399"


@pytest.mark.parametrize(
    ("day", "count", "expected"),
    [
        ("2023-07-14", 3, "2023-07-11"),  # Friday
        ("2023-08-14", 3, "2023-08-09"),  # Monday: over the weekend
        ("2023-08-14", 0, "2023-08-14"),
        ("2023-09-05", 1, "2023-08-31"),  # after the National Day and its replacement
        ("2024-01-02", 1, "2023-12-29"),  # after New Year
        ("2024-02-15", 1, "2024-02-07"),  # after Tết
    ],
)
def test_working_days_pass_over_weekends_and_national_holidays(
    day: str, count: int, expected: str
) -> None:
    found = WorkDays().before(date.fromisoformat(day), count)
    assert found == date.fromisoformat(expected)


def test_a_plan_can_add_days_off_and_days_worked() -> None:
    friday, saturday = date(2023, 7, 14), date(2023, 7, 15)
    own = WorkDays(off=frozenset({friday}), worked=frozenset({saturday}))
    assert (own.is_working(friday), own.is_working(saturday)) == (False, True)
    assert WorkDays().is_working(friday)
    assert not WorkDays().is_working(saturday)
    assert own.at_or_after(friday) == saturday


@given(st.dates(date(2023, 1, 1), date(2025, 12, 31)), st.integers(1, 20))
def test_counting_back_lands_on_a_working_day_and_crosses_exactly_so_many(
    day: date, count: int
) -> None:
    days = WorkDays()
    found = days.before(day, count)
    between = [found + timedelta(days=n) for n in range((day - found).days)]
    assert days.is_working(found)
    assert sum(map(days.is_working, between)) == count


def _stages(due: date = JULY) -> list[Stage]:
    rules = [(r, r.when) for r in ALERTS.rules if r.watch == "report_due" and r.when]
    return stages_of(rules, due, PLAN.workdays)


def _owed(done: str | None = None, due: date = JULY) -> Owed:
    day = None if done is None else date.fromisoformat(done)
    return Owed("report", PLAN.id, UNIT, "2023-07", "2023-07", due, day)


def _due(owed: Owed, moment: datetime) -> dict[str, bool]:
    return {s.rule.code: tell for s, tell in due_stages(_stages(owed.due_on), owed, moment)}


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        (local("2023-07-11", "07:29"), None),
        (local("2023-07-11", "07:30"), "report-due-soon"),
        (local("2023-07-13", "07:29"), "report-due-soon"),
        (local("2023-07-13", "07:30"), "report-due-tomorrow"),
        (local("2023-07-14", "23:59"), "report-due-tomorrow"),
        (local("2023-07-15", "00:00"), "report-missed"),
        (local("2023-07-15", "14:00"), "report-late-1"),
        (local("2023-07-16", "07:30"), "report-late-2"),
    ],
)
def test_whoever_looks_later_is_told_the_latest_stage_only(
    moment: datetime, told: str | None
) -> None:
    found = _due(_owed(), moment)
    assert [code for code, tell in found.items() if tell] == ([told] if told else [])
    assert not _due(_owed(done="2023-07-10"), moment)


def test_a_report_that_came_late_is_asked_for_no_longer() -> None:
    moment = local("2023-07-16", "08:00")
    assert any(_due(_owed(), moment).values())
    assert not any(_due(_owed(done="2023-07-16"), moment).values())


def test_a_reminder_is_never_sent_after_the_due_date() -> None:
    rules = [(r, r.when) for r in ALERTS.rules if r.code == "report-due-soon" and r.when]
    stages = stages_of(rules, JULY, PLAN.workdays)
    before, after = local("2023-07-14", "23:00"), local("2023-07-15", "00:00")
    assert [tell for _, tell in due_stages(stages, _owed(), before)] == [True]
    assert not any(tell for _, tell in due_stages(stages, _owed(), after))


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        (("2023-07-14", "08:00"), 8, ("2023-07-14", "16:00")),  # Friday
        (("2023-07-14", "07:00"), 10, ("2023-07-14", "17:00")),
        (("2023-07-14", "14:00"), 8, ("2023-07-17", "12:00")),  # over the weekend
        (("2023-07-15", "10:00"), 1, ("2023-07-17", "08:00")),
        (("2023-07-14", "22:00"), 1, ("2023-07-17", "08:00")),
        (("2023-07-13", "00:00"), 1, ("2023-07-13", "08:00")),
    ],
)
def test_waiting_is_counted_in_working_hours(
    start: tuple[str, str], hours: int, end: tuple[str, str]
) -> None:
    found = after_working_hours(local(*start), hours, ALERTS, PLAN.workdays)
    assert found == local(*end)


def _watch(plan: Plan = PLAN) -> Watch:
    watch = Watch(Picture())
    watch.publish(plan, local("2023-06-01"))
    watch.tick(local("2023-06-01"))
    return watch


def _ids(found: Findings, *rules: str) -> list[str]:
    return [
        o.id
        for o in found.occasions
        if (o.unit, o.fate) == (UNIT, "raised") and o.rule in rules
    ]


def _with_day_off(day: str, version: int = 2) -> Plan:
    name = Text(vi="Nghỉ bù", en="Day off in lieu")
    calendar = WorkCalendar(
        days_off=[DayOff(on=date.fromisoformat(day), name=name)],
        reports_on_days_off="next_working_day",
    )
    return changed(PLAN, calendar=calendar, version=version)


def test_a_day_off_added_late_moves_what_is_open_and_tells_whom_it_concerns() -> None:
    watch = _watch(changed(PLAN, calendar=WorkCalendar(reports_on_days_off="next_working_day")))
    reported(watch.picture, "31402", "2023-07", "2023-07-05")
    before = watch.tick(local("2023-07-11", "07:30"))
    assert _ids(before, "report-due-soon") == [
        f"report-due-soon|{PLAN.id}|{UNIT}|2023-07@2023-07-14"
    ]
    watch.publish(_with_day_off("2023-07-14"), local("2023-07-12", "09:00"))
    found = watch.tick(local("2023-07-12", "09:00"))
    moved = {
        o.unit: o
        for o in found.occasions
        if o.rule == "due-moved" and o.blanks["month"] == "2023-07"
    }
    assert UNIT in moved
    assert "31402" not in moved  # it has done it
    assert (moved[UNIT].blanks["old_due"], moved[UNIT].blanks["due"]) == (
        "2023-07-14",
        "2023-07-17",
    )
    assert moved[UNIT].blanks["why"] == ["2023-07-14"]
    assert not found.retracted
    assert not _ids(watch.tick(local("2023-07-15", "08:00")), "report-missed")
    missed = watch.tick(local("2023-07-18", "00:00"))
    assert _ids(missed, "report-missed") == [
        f"report-missed|{PLAN.id}|{UNIT}|2023-07@2023-07-17"
    ]


def test_the_same_version_again_tells_nobody_anything() -> None:
    watch = _watch()
    watch.publish(_with_day_off("2023-07-14"), local("2023-07-12"))
    assert [o for o in watch.tick(local("2023-07-12")).occasions if o.rule == "due-moved"]
    watch.publish(_with_day_off("2023-07-14"), local("2023-07-13"))
    assert not [o for o in watch.tick(local("2023-07-13")).occasions if o.rule == "due-moved"]


def test_a_report_that_turns_out_to_have_been_in_time_takes_the_alert_back_once() -> None:
    watch = _watch()
    watch.tick(local("2023-07-15", "00:00"))
    late = f"report-missed|{PLAN.id}|{UNIT}|2023-07@2023-07-14"
    reported(watch.picture, UNIT, "2023-07", "2023-07-16")
    assert late not in watch.tick(local("2023-07-16", "10:00")).retracted
    reported(watch.picture, UNIT, "2023-07", "2023-07-14")
    assert late in watch.tick(local("2023-07-16", "11:00")).retracted
    assert not watch.tick(local("2023-07-16", "12:00")).retracted


def test_the_second_overdue_dossier_excludes_and_a_correction_lifts_it() -> None:
    watch = _watch()
    near = f"overdue-near|{PLAN.id}|{UNIT}|2023-07:two-overdue-dossiers"
    excluded = f"overdue-excluded|{PLAN.id}|{UNIT}|2023-07:two-overdue-dossiers"
    stated(watch.picture, "H1", UNIT, "2023-07-10")
    stated(watch.picture, "H2", UNIT, "2023-07-12")
    stated(watch.picture, "counter", UNIT, "2023-07-10", service_level="information")
    assert not _ids(
        watch.tick(local("2023-07-10", "23:59")), "overdue-near", "overdue-excluded"
    )
    first = watch.tick(local("2023-07-11", "00:00"))
    assert _ids(first, "overdue-near", "overdue-excluded") == [near]
    assert not watch.excluded(PLAN.id, UNIT, date(2023, 7, 11), "2023-07")
    second = watch.tick(local("2023-07-13", "00:00"))
    assert _ids(second, "overdue-near", "overdue-excluded") == [excluded]
    assert watch.excluded(PLAN.id, UNIT, date(2023, 7, 13), "2023-07")
    assert not watch.excluded(PLAN.id, UNIT, date(2023, 7, 13), "2023-08")
    stated(watch.picture, "H2", UNIT, "2023-07-12", "2023-07-12")
    lifted = watch.tick(local("2023-07-14", "09:00"))
    assert excluded in lifted.retracted
    assert near not in lifted.retracted
    assert not watch.excluded(PLAN.id, UNIT, date(2023, 7, 14), "2023-07")
    stated(watch.picture, "H2", UNIT, "2023-07-12", "2023-07-13")
    once_more = watch.tick(local("2023-07-14", "10:00"))
    assert _ids(once_more, "overdue-excluded") == [f"{excluded}~2"]


def lifting(
    watch: Watch, rule: str, version: int, state: str = "verified", **more: Any
) -> None:
    """The office decides about an exclusion of July."""
    fields = ExclusionLifted.example | {
        "unit": UNIT, "rule": rule, "month": "2023-07", "version": version, "state": state,
        "subject": f"{UNIT}:{rule}:2023-07:kn-1", **more,
    }  # fmt: skip
    event = to_event(fields)
    assert event.type == "exclusion.lifted"
    watch.picture.lift(fact_id(event), event, to_line(event))


def test_a_lifted_exclusion_is_taken_back_mutes_nothing_and_may_be_put_back() -> None:
    watch = _watch()
    excluded = f"overdue-excluded|{PLAN.id}|{UNIT}|2023-07:two-overdue-dossiers"
    stated(watch.picture, "H1", UNIT, "2023-07-10")
    watch.tick(local("2023-07-11", "00:00"))
    stated(watch.picture, "H2", UNIT, "2023-07-12")
    assert _ids(watch.tick(local("2023-07-13", "00:00")), "overdue-excluded") == [excluded]
    lifting(watch, "two-overdue-dossiers", 1, "declared")
    assert not watch.tick(local("2023-07-13", "09:00")).retracted
    lifting(watch, "two-overdue-dossiers", 1, unit="31402", subject="31402")
    lifting(watch, "two-overdue-dossiers", 1, month="2023-08", subject="08")
    lifting(watch, "two-overdue-dossiers", 1, plan="another", subject="another")
    assert not watch.tick(local("2023-07-13", "10:00")).retracted
    lifting(watch, "two-overdue-dossiers", 2)
    lifting(watch, "two-overdue-dossiers", 1, "declared")
    assert watch.tick(local("2023-07-14", "09:00")).retracted == {excluded: "lifted"}
    assert not watch.excluded(PLAN.id, UNIT, date(2023, 7, 14), "2023-07")
    stated(watch.picture, "H3", UNIT, "2023-07-13")
    more = watch.tick(local("2023-07-14", "10:00"))
    assert not _ids(more, "overdue-excluded", "overdue-near")
    lifting(watch, "two-overdue-dossiers", 3, "rejected")
    back = watch.tick(local("2023-07-15", "09:00"))
    assert _ids(back, "overdue-excluded") == [f"{excluded}~2"]
    assert watch.excluded(PLAN.id, UNIT, date(2023, 7, 15), "2023-07")


def test_an_exclusion_that_was_lifted_before_it_came_is_never_told() -> None:
    watch = _watch()
    lifting(watch, "two-overdue-dossiers", 1)
    lifting(watch, "report-three-days-late", 1)
    stated(watch.picture, "H1", UNIT, "2023-07-10")
    stated(watch.picture, "H2", UNIT, "2023-07-10")
    found = watch.tick(local("2023-07-20", "00:00"))
    assert not [o for o in found.occasions if o.unit == UNIT and o.severity == "exclusion"
                and o.month == "2023-07"]  # fmt: skip
    assert _ids(found, "report-late-2") == [
        f"report-late-2|{PLAN.id}|{UNIT}|2023-07@2023-07-14"
    ]
    assert [o.rule for o in found.occasions if o.severity == "exclusion" and o.unit == "31402"]
    assert not watch.excluded(PLAN.id, UNIT, date(2023, 7, 20), "2023-07")


def test_a_late_report_that_is_excused_takes_back_the_exclusion_and_not_the_lateness() -> None:
    watch = _watch()
    watch.tick(local("2023-07-16", "08:00"))
    told = watch.tick(local("2023-07-17", "00:00"))
    excluded = f"report-excluded|{PLAN.id}|{UNIT}|2023-07@2023-07-14"
    assert _ids(told, "report-excluded") == [excluded]
    lifting(watch, "report-three-days-late", 1)
    assert watch.tick(local("2023-07-17", "09:00")).retracted == {excluded: "lifted"}
    reported(watch.picture, UNIT, "2023-07", "2023-07-18")
    assert not watch.tick(local("2023-07-18", "11:00")).retracted


def test_an_exclusion_for_fewer_days_than_a_new_version_says_is_taken_back() -> None:
    watch = _watch()
    stated(watch.picture, "H1", UNIT, "2023-07-10")
    stated(watch.picture, "H2", UNIT, "2023-07-10")
    excluded = f"overdue-excluded|{PLAN.id}|{UNIT}|2023-07:two-overdue-dossiers"
    assert _ids(watch.tick(local("2023-07-11", "00:00")), "overdue-excluded") == [excluded]
    plan = PLAN.model_dump() | {"version": 2}
    for rule in (rule for bloc in plan["blocs"] for rule in bloc["exclusions"]):
        if rule["kind"] == "overdue_dossiers":
            rule["at_least"] = 3
    watch.publish(Plan.model_validate(plan), local("2023-07-12"))
    assert excluded in watch.tick(local("2023-07-12", "08:00")).retracted


def test_nothing_is_left_to_do_about_what_was_done_and_an_exclusion_stays() -> None:
    watch = _watch()
    stated(watch.picture, "H1", UNIT, "2023-07-10")
    stated(watch.picture, "H2", UNIT, "2023-07-12")
    near = f"overdue-near|{PLAN.id}|{UNIT}|2023-07:two-overdue-dossiers"
    overdue = f"dossier-overdue|{PLAN.id}|{UNIT}|dvc.haugiang H1@2023-07-10"
    missed = f"report-missed|{PLAN.id}|{UNIT}|2023-07@2023-07-14"
    soon = overdue.replace("overdue", "due-tomorrow")
    watch.tick(local("2023-07-08", "00:00"))
    assert watch.tick(local("2023-07-11", "00:00")).over[soon]
    assert watch.tick(local("2023-07-13", "00:00")).over[near]
    stated(watch.picture, "H1", UNIT, "2023-07-10", "2023-07-13")
    assert watch.tick(local("2023-07-13", "11:00")).over[overdue]
    assert missed not in watch.tick(local("2023-07-15", "00:00")).over
    assert watch.tick(local("2023-07-15", "14:00")).over[missed]  # a later stage is told
    late = f"report-late-2|{PLAN.id}|{UNIT}|2023-07@2023-07-14"
    watch.tick(local("2023-07-16", "08:00"))
    reported(watch.picture, UNIT, "2023-07", "2023-07-16")
    over = watch.tick(local("2023-07-16", "11:00")).over
    assert over[late]
    assert not [n for n in over if n.startswith(("report-excluded", "overdue-excluded"))]
    reported(watch.picture, UNIT, "2023-07", "2023-07-16", state="rejected")
    assert watch.tick(local("2023-07-16", "12:00")).over[late] is False


def test_two_dossiers_at_once_tell_of_the_exclusion_and_not_of_the_warning() -> None:
    watch = _watch()
    stated(watch.picture, "H1", UNIT, "2023-07-10")
    stated(watch.picture, "H2", UNIT, "2023-07-10")
    found = watch.tick(local("2023-07-11", "00:00"))
    fates = {o.rule: o.fate for o in found.occasions if o.rule.startswith("overdue-")}
    assert fates == {"overdue-near": "overslept", "overdue-excluded": "raised"}


def test_a_dossier_that_moves_to_another_unit_takes_its_alerts_back_and_counts_there() -> None:
    watch = _watch()
    stated(watch.picture, "H1", UNIT, "2023-07-10")
    watch.tick(local("2023-07-11", "00:00"))
    stated(watch.picture, "H1", "31402", "2023-07-10")
    found = watch.tick(local("2023-07-11", "09:00"))
    gone = {number.split("|")[0] for number in found.retracted if f"|{UNIT}|" in number}
    assert gone == {"dossier-overdue", "overdue-near"}
    assert gone <= {o.rule for o in found.occasions if o.unit == "31402"}


FACTS: list[dict[str, Any]] = [
    {
        "number": f"H{n}",
        "unit": unit,
        "due": f"2023-07-{10 + n}",
        "done": done,
        "version": version,
    }
    for n, (unit, done) in enumerate(
        [(UNIT, None), (UNIT, "2023-07-10"), ("31402", "2023-07-20"), (UNIT, "2023-07-30")]
    )
    for version in (1, 2)
]


@settings(max_examples=40, deadline=None)
@given(st.permutations(FACTS), st.lists(st.sampled_from(FACTS), max_size=5))
def test_any_order_with_repeats_gives_the_same_occasions(
    facts: list[dict[str, Any]], repeats: list[dict[str, Any]]
) -> None:
    def told(order: list[dict[str, Any]]) -> list[str]:
        watch = Watch(Picture())
        watch.publish(PLAN, local("2023-06-01"))
        for fact in order:
            done = fact["done"] if fact["version"] == 2 else None
            stated(
                watch.picture, fact["number"], fact["unit"], fact["due"], done,
                version=fact["version"],
            )  # fmt: skip
        return sorted(f"{o.id} {o.fate}" for o in watch.tick(local("2023-07-25")).occasions)

    assert told([*facts, *repeats]) == told(FACTS)


MOVES: list[dict[str, Any]] = [
    {"number": "H0", "unit": UNIT, "due": "2023-07-10", "done": None, "version": 1},
    {"number": "H1", "unit": UNIT, "due": "2023-07-11", "done": None, "version": 1},
    {"number": "H2", "unit": "31402", "due": "2023-07-10", "done": None, "version": 1},
    {"number": "H0", "unit": "31402", "due": "2023-07-10", "done": None, "version": 2},
    {"number": "H1", "unit": UNIT, "due": "2023-07-11", "done": "2023-07-11", "version": 2},
    {"number": "H2", "unit": "31402", "due": "2023-08-10", "done": None, "version": 2},
]


@settings(max_examples=60, deadline=None)
@given(st.permutations(MOVES), st.integers(0, 6), st.integers(0, 6))
def test_a_restart_at_any_point_ends_with_what_holds_told_and_nothing_else(
    facts: list[dict[str, Any]], killed_after: int, seen_before: int
) -> None:
    """What was told before the kill hangs on facts that the new process may meet in another state only."""
    held: dict[str, str] = {}

    def tick(watch: Watch, day: str) -> None:
        found = watch.tick(local(day))
        held.update({o.id: o.thread for o in found.occasions})
        for number in found.retracted:
            del held[number]

    def read(watch: Watch, some: list[dict[str, Any]]) -> None:
        for fact in some:
            stated(
                watch.picture, fact["number"], fact["unit"], fact["due"], fact["done"],
                version=fact["version"],
            )  # fmt: skip

    watch = _watch()
    for fact in facts[:killed_after]:
        read(watch, [fact])
        tick(watch, "2023-07-20")
    watch = Watch(Picture())
    for number, thread in held.items():
        watch.remember(number, thread, retracted=False)
    watch.publish(PLAN, local("2023-06-01"))
    read(watch, facts[: max(killed_after, seen_before)])
    tick(watch, "2023-07-21")
    read(watch, facts)
    tick(watch, "2023-07-21")

    whole = Watch(Picture())
    whole.publish(PLAN, local("2023-06-01"))
    read(whole, facts)
    wanted = {o.id for o in whole.tick(local("2023-07-21")).occasions}
    rules = ("dossier-overdue|", "overdue-near|", "overdue-excluded|")
    assert {n.partition("~")[0] for n in held if n.startswith(rules)} == {
        number for number in wanted if number.startswith(rules)
    }


def test_every_rule_of_the_plan_has_an_owner_of_its_stages() -> None:
    dated = {rule.watch for rule in ALERTS.rules if rule.when is not None}
    assert dated == {
        "report_due",
        "dossier_due",
        "deadline_due",
        "review_waiting",
        "appeal_due",
    }
    assert all(isinstance(rule, AlertRule) for rule in ALERTS.rules)
    assert local("2023-07-01").tzinfo is LOCAL
