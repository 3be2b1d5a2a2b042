"""The pipeline on a real MongoDB: budget, quiet hours, silences, digest, escalation, retraction, kills."""

import asyncio
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest

from contracts.calendar import LOCAL
from contracts.plan import DayOff, Plan, Text, WorkCalendar
from services.notifier.pipeline.send import Post, Sender
from services.notifier.reading import Ledger
from services.runtime.auth import Principal, Role
from services.runtime.settings import Settings
from services.runtime.web import i18n
from services.runtime.web.site import HERE
from tests.support.mail_servers import HOST, Nasty, serving
from tests.support.notifying import (
    PLAN,
    START,
    Stage,
    catching,
    changed,
    contact,
    local,
    of_units,
    read,
    stage_for,
)

UNIT, OTHER = "31399", "31402"
FEW = changed(PLAN, units=[unit for unit in PLAN.units if unit.code in {UNIT, OTHER}])


def calm(*codes: str, **changes: Any) -> Plan:
    """The plan with a few of its alerts only, and other limits."""
    assert FEW.alerts is not None
    rules = [rule for rule in FEW.alerts.rules if rule.code in codes]
    return changed(FEW, alerts=FEW.alerts.model_copy(update={"rules": rules, **changes}))


async def begin(stage: Stage, plan: Plan, *units: str) -> None:
    await stage.contacts(of_units(units or (UNIT,)))
    stage.publish(plan, START)
    await stage.at(START)


async def told(stage: Stage, who: str) -> list[str]:
    """The rules of the notices that went into mails to a contact."""
    return [n["rule"] for n in await stage.notices(contact=who, state="mailed")]


async def test_what_comes_within_a_window_is_one_mail(settings: Settings) -> None:
    async with stage_for(settings) as stage:
        await begin(stage, calm("dossier-due-tomorrow", "report-due-soon"))
        stage.dossier("H1", UNIT, "2023-06-12")
        stage.dossier("H2", UNIT, "2023-06-12")
        await stage.at(local("2023-06-09", "07:30"))
        assert await stage.mails() == []
        await stage.at(local("2023-06-09", "07:41"))
        by_person = Counter(mail["to"] for mail in await stage.mails())
        assert by_person == {"o-31399@example.invalid": 1, "h-31399@example.invalid": 1}
        (officer,) = await stage.mails(to="o-31399@example.invalid")
        assert len(officer["notices"]) == 3
        assert officer["subject"].endswith("và 2 thông báo khác")


async def test_very_many_notices_at_once_are_still_one_mail_a_person(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.notifier.store.AT_A_TIME", 3)
    async with stage_for(settings) as stage:
        await begin(stage, calm("dossier-overdue"), UNIT, OTHER)
        for number in range(8):
            stage.dossier(f"H{number}", UNIT if number % 2 else OTHER, "2023-06-18")
        await stage.at(local("2023-06-19", "08:00"))
        for minute in range(11, 20):
            await stage.at(local("2023-06-19", f"08:{minute}"))
        assert not await stage.notices(state="waiting")
        assert Counter(mail["to"] for mail in await stage.mails()) == {
            f"{who}@example.invalid": 1
            for who in (f"o-{UNIT}", f"h-{UNIT}", f"o-{OTHER}", f"h-{OTHER}", "council")
        }


async def test_nobody_is_mailed_in_quiet_hours_and_everybody_after(settings: Settings) -> None:
    async with stage_for(settings) as stage:
        await begin(stage, calm("report-missed"))
        await stage.at(local("2023-06-15", "00:00"))
        await stage.at(local("2023-06-15", "06:29"))
        assert {n["reason"] for n in await stage.notices()} >= {"quiet_hours"}
        assert await stage.mails() == []
        await stage.at(local("2023-06-15", "06:30"))
        assert await told(stage, f"h-{UNIT}") == ["report-missed"]


async def test_the_budget_holds_warnings_for_the_digest_and_lets_exclusions_pass(
    settings: Settings,
) -> None:
    plan = calm("dossier-overdue", "overdue-excluded", budget_per_day=1, window_minutes=0)
    async with stage_for(settings) as stage:
        await begin(stage, plan)
        days = ["2023-06-19", "2023-06-20", "2023-06-21"]
        stage.dossier("H1", UNIT, "2023-06-18")
        await stage.at(local(days[0], "08:00"))
        assert await told(stage, f"h-{UNIT}") == ["dossier-overdue"]
        stage.dossier("H2", UNIT, "2023-06-17", service_level="information")
        await stage.at(local(days[0], "08:10"))
        (held,) = await stage.notices(contact=f"h-{UNIT}", state="waiting")
        assert (held["reason"], held["digest"]) == ("budget", True)
        stage.dossier("H3", UNIT, "2023-06-16")  # the second of the month: an exclusion
        await stage.at(local(days[0], "08:20"))
        assert "overdue-excluded" in await told(stage, f"h-{UNIT}")
        waiting = await stage.notices(contact=f"h-{UNIT}", state="waiting")
        assert {n["reason"] for n in waiting} == {"budget"}
        await stage.at(local(days[0], "16:30"))
        assert not await stage.notices(state="waiting")
        (digest,) = await stage.mails(to=f"h-{UNIT}@example.invalid", digest=True)
        assert digest["subject"].startswith("[Thi đua] Tổng hợp trong ngày: ")
        assert len(digest["notices"]) == len(waiting)
        stage.dossier("H4", UNIT, "2023-06-19")
        await stage.at(local(days[1], "08:00"))  # another day, another budget
        assert (await stage.notices(contact=f"h-{UNIT}"))[-1]["state"] == "mailed"


async def test_a_silence_drops_with_its_reason_and_ends_by_itself(settings: Settings) -> None:
    async with stage_for(settings) as stage:
        await begin(stage, calm("dossier-overdue", window_minutes=0), UNIT, OTHER)
        ledger = Ledger(stage.store, stage.clock, stage.settings)
        stage.clock.instant = local("2023-06-19", "07:00")
        await ledger.silence("a-1", UNIT, "", "Mất điện", local("2023-06-20", "00:00"))
        stage.dossier("H1", UNIT, "2023-06-18")
        stage.dossier("H2", OTHER, "2023-06-18")
        await stage.at(local("2023-06-19", "08:00"))
        assert {n["reason"] for n in await stage.notices(unit=UNIT)} == {"silenced"}
        assert {n["state"] for n in await stage.notices(unit=OTHER)} == {"mailed"}
        stage.dossier("H3", UNIT, "2023-06-19")
        await stage.at(local("2023-06-20", "08:00"))
        assert Counter(n["state"] for n in await stage.notices(unit=UNIT)) == {
            "dropped": 3, "mailed": 3
        }  # fmt: skip
        entries = await stage.store.database["audit"].find({}).to_list(None)
        assert [(e["actor"], e["action"], e["reason"]) for e in entries] == [
            ("a-1", "alerts.silenced", "Mất điện")
        ]


async def test_an_exclusion_mutes_what_is_lower(settings: Settings) -> None:
    async with stage_for(settings) as stage:
        await begin(stage, calm("overdue-near", "overdue-excluded", escalate_after_hours=200))
        stage.dossier("H1", UNIT, "2023-06-18")
        stage.dossier("H2", OTHER, "2023-06-18")
        await stage.at(local("2023-06-19", "08:00"))
        stage.dossier("H3", UNIT, "2023-06-18")
        await stage.at(local("2023-06-19", "08:11"))
        await stage.at(local("2023-06-19", "08:22"))
        near = await stage.notices(rule="overdue-near", unit=UNIT)
        assert {n["reason"] for n in near} == {"muted_by_exclusion"}
        assert await told(stage, f"h-{UNIT}") == ["overdue-excluded"]


async def test_who_has_no_address_is_named_in_the_ledger(settings: Settings) -> None:
    async with stage_for(settings) as stage:
        await begin(stage, calm("report-due-soon"))
        await stage.at(local("2023-06-09", "08:00"))
        (nobody,) = await stage.notices(unit=OTHER)
        assert (nobody["state"], nobody["reason"]) == ("dropped", "no_contact")
        assert len(await stage.notices(unit=UNIT)) == 2


CHAIN = ("overdue-near",)


async def test_what_nobody_takes_up_goes_up_the_chain_by_working_hours(
    settings: Settings,
) -> None:
    plan = calm(*CHAIN, window_minutes=0, escalate_after_hours=4)
    async with stage_for(settings) as stage:
        await begin(stage, plan)
        stage.dossier("H1", UNIT, "2023-06-15")  # a Thursday
        await stage.at(local("2023-06-16", "08:00"))
        first = {n["role"] for n in await stage.notices()}
        assert first == {"officer", "head", "council"}
        await stage.at(local("2023-06-16", "11:59"))
        assert not await stage.notices(role="standing")
        await stage.at(local("2023-06-16", "12:00"))
        (standing,) = await stage.notices(role="standing")
        assert (standing["state"], standing["level"]) == ("mailed", 3)
        await stage.at(local("2023-06-16", "15:59"))
        assert not await stage.notices(role="chair")
        await stage.at(local("2023-06-16", "16:00"))
        (chair,) = await stage.notices(role="chair")
        async with catching(stage) as sender:
            await sender.drain()
        raw = await stage.store.caught.find_one({"to": "chair@example.invalid"})
        assert raw is not None
        body = read(raw["raw"]).get_body(("plain",))
        assert body is not None
        assert "chưa ai xác nhận đã tiếp nhận" in body.get_content()
        count = len(await stage.notices())
        await stage.at(local("2023-06-20", "16:00"))
        assert len(await stage.notices()) == count
        assert chair["mail"] is not None


async def test_taking_it_up_ends_the_chain_and_tells_those_who_were_told(
    settings: Settings,
) -> None:
    plan = calm(*CHAIN, window_minutes=0, escalate_after_hours=4)
    async with stage_for(settings) as stage, catching(stage) as sender:
        await begin(stage, plan)
        stage.dossier("H1", UNIT, "2023-06-15")
        await stage.at(local("2023-06-16", "08:00"))
        await sender.drain()
        (officer,) = await stage.notices(role="officer")
        ledger = Ledger(stage.store, stage.clock, stage.settings)
        await ledger.acknowledge(officer["occasion"], officer["person"])
        await ledger.acknowledge(officer["occasion"], "somebody later")
        await stage.at(local("2023-06-16", "09:00"))
        handled = await stage.notices(form="handled")
        assert {n["role"] for n in handled} == {"head", "council"}
        await stage.at(local("2023-06-16", "16:00"))
        assert not await stage.notices(role="standing")
        await sender.drain()
        first = {n["person"]: n["mail"] for n in await stage.notices(form="alert")}
        threads = {
            str(read(one["raw"])["In-Reply-To"]): one["to"]
            async for one in stage.store.caught.find({"subject": {"$regex": "tiếp nhận"}})
        }
        assert set(threads) == {first[n["person"]] for n in handled}


async def test_what_was_done_in_the_meantime_goes_no_further_up(settings: Settings) -> None:
    plan = calm("report-late-2", window_minutes=0, escalate_after_hours=4)
    async with stage_for(settings) as stage:
        await begin(stage, plan, UNIT, OTHER)
        await stage.at(local("2023-06-16", "08:00"))
        stage.report(UNIT, "2023-06", "2023-06-16")
        await stage.at(local("2023-06-16", "12:00"))
        assert {n["unit"] for n in await stage.notices(role="standing")} == {OTHER}


async def test_a_holiday_that_is_added_late_moves_the_due_date_and_tells_whom_it_concerns(
    settings: Settings,
) -> None:
    moving = WorkCalendar(reports_on_days_off="next_working_day")
    plan = changed(calm("due-moved", "report-missed", window_minutes=0), calendar=moving)
    off = DayOff(on=date(2023, 7, 14), name=Text(vi="Nghỉ bù", en="Day off in lieu"))
    later = changed(plan, version=2, calendar=moving.model_copy(update={"days_off": [off]}))
    async with stage_for(settings) as stage, catching(stage) as sender:
        await begin(stage, plan, UNIT, OTHER)
        stage.report(UNIT, "2023-06", "2023-06-10")
        stage.report(OTHER, "2023-06", "2023-06-10")
        stage.report(OTHER, "2023-07", "2023-07-05")  # it has done it
        stage.clock.instant = local("2023-07-12", "09:00")
        stage.publish(later, local("2023-07-12", "09:00"))
        await stage.at(local("2023-07-12", "09:00"))
        for moment in ("2023-07-15", "2023-07-17", "2023-07-18"):
            await stage.at(local(moment, "08:00"))
        await sender.drain()
        caught = await stage.store.caught.find({"subject": {"$regex": "7/2023"}}).to_list(None)
        told = sorted((one["to"].partition("@")[0], one["subject"]) for one in caught)
        unit = "[Thi đua] Xã Tân Bình: "
        assert told == [
            (who, unit + what)
            for who in (f"h-{UNIT}", f"o-{UNIT}")
            for what in (
                "hạn báo cáo tháng 7/2023 chuyển sang ngày 17/07/2023",
                "đã quá hạn báo cáo tháng 7/2023",
            )
        ]
        missed = await stage.notices(rule="report-missed", unit=UNIT, month="2023-07")
        assert {n["at"].astimezone(LOCAL).date() for n in missed} == {date(2023, 7, 18)}
        body = next(read(o["raw"]) for o in caught if "chuyển" in o["subject"]).get_body(
            ("plain",)
        )
        assert body is not None
        assert "14/07/2023: Nghỉ bù" in body.get_content()


async def test_what_a_later_stage_overtook_goes_no_further_up(settings: Settings) -> None:
    plan = calm("report-late-2", "report-excluded", window_minutes=0, escalate_after_hours=11)
    async with stage_for(settings) as stage:
        await begin(stage, plan)
        await stage.at(local("2023-06-16", "08:00"))
        await stage.at(local("2023-06-17", "08:00"))  # the exclusion is told
        await stage.until(local("2023-06-21", "08:00"), timedelta(hours=3))
        roles = {n["rule"]: set[str]() for n in await stage.notices(unit=UNIT)}
        for notice in await stage.notices(unit=UNIT):
            roles[notice["rule"]].add(notice["role"])
        assert roles == {
            "report-late-2": {"officer", "head"},
            "report-excluded": {"officer", "head", "standing", "chair"},
        }


async def test_a_correction_is_told_in_the_same_thread_to_those_who_were_told(
    settings: Settings,
) -> None:
    async with stage_for(settings) as stage, catching(stage) as sender:
        await begin(stage, calm("dossier-overdue", window_minutes=0), UNIT, OTHER)
        stage.dossier("H1", UNIT, "2023-06-15")
        stage.dossier("H2", OTHER, "2023-06-15")
        await stage.at(local("2023-06-16", "08:00"))
        await sender.drain()
        stage.dossier("H1", UNIT, "2023-06-15", "2023-06-15")
        await stage.at(local("2023-06-16", "09:00"))
        await stage.at(local("2023-06-16", "09:00"))
        await sender.drain()
        back = await stage.notices(form="retraction")
        assert {(n["unit"], n["role"]) for n in back} == {
            (UNIT, "officer"), (UNIT, "head"), (UNIT, "council")
        }  # fmt: skip
        first = {n["person"]: n["mail"] for n in await stage.notices(form="alert", unit=UNIT)}
        for mail in await stage.mails(reply_to={"$ne": ""}):
            caught = await stage.store.caught.find_one({"_id": f"{mail['_id']} {mail['to']}"})
            assert caught is not None
            told_in = read(caught["raw"])
            assert told_in["In-Reply-To"] == told_in["References"] == first[mail["person"]]
            assert "Đính chính" in told_in["Subject"]


async def test_who_was_told_of_an_exclusion_hears_in_the_same_thread_that_it_was_lifted(
    settings: Settings,
) -> None:
    """Also those to whom it went up; and a restart tells nobody anything twice."""
    plan = calm("overdue-excluded", "threshold-up", window_minutes=0, escalate_after_hours=2)
    async with stage_for(settings) as stage, catching(stage) as sender:
        await begin(stage, plan)
        stage.dossier("H1", UNIT, "2023-06-15")
        stage.dossier("H2", UNIT, "2023-06-15")
        await stage.at(local("2023-06-16", "08:00"))
        for hour in (
            "10:00",
            "12:00",
        ):  # the officer, head and standing office know; then the chair
            await stage.at(local("2023-06-16", hour))
        await sender.drain()
        first = {n["contact"]: n["mail"] for n in await stage.notices(form="alert")}
        assert set(first) == {f"o-{UNIT}", f"h-{UNIT}", "council", "standing", "chair"}
        stage.lift(UNIT, "2023-06", "two-overdue-dossiers")
        for minute in ("00", "01"):
            await stage.at(local("2023-06-16", f"14:{minute}"))
        await stage.start()
        await stage.at(local("2023-06-16", "14:02"))
        await sender.drain()
        back = await stage.notices(form="retraction")
        assert {n["contact"]: n["reply_to"] for n in back} == first
        mails = await stage.mails(reply_to={"$ne": ""})
        assert len(mails) == len(first)
        for mail in mails:
            caught = await stage.store.caught.find_one({"_id": f"{mail['_id']} {mail['to']}"})
            assert caught is not None
            told_in = read(caught["raw"])
            assert told_in["In-Reply-To"] == told_in["References"] == mail["reply_to"]
            body = told_in.get_body(("plain",))
            assert body is not None
            assert "bỏ áp dụng trường hợp loại này" in body.get_content()


async def test_what_was_done_while_its_reminder_waited_is_not_asked_for(
    settings: Settings,
) -> None:
    plan = calm(
        "report-due-soon", "dossier-due-tomorrow", "award-dossier-soon", "dossier-overdue"
    )
    async with stage_for(settings) as stage:
        await begin(stage, plan, UNIT, OTHER)
        for unit in (UNIT, OTHER):
            stage.dossier(f"H-{unit}", unit, "2023-06-12")
        await stage.at(local("2023-06-09", "07:30"))
        stage.report(UNIT, "2023-06", "2023-06-09")
        stage.dossier(f"H-{UNIT}", UNIT, "2023-06-12", "2023-06-09")
        await stage.at(local("2023-06-09", "07:41"))
        assert {n["reason"] for n in await stage.notices(unit=UNIT)} == {"done_before_sending"}
        assert {n["state"] for n in await stage.notices(unit=OTHER)} == {"mailed"}
        stage.dossier("late", UNIT, "2023-06-19")
        await stage.at(local("2023-06-20", "08:00"))
        stage.dossier("late", UNIT, "2023-06-19", "2023-06-20")  # it was late all the same
        await stage.at(local("2023-06-20", "08:11"))
        assert {n["state"] for n in await stage.notices(rule="dossier-overdue", unit=UNIT)} == {
            "mailed"
        }
        await stage.at(local("2024-01-02", "07:30"))
        stage.papers(UNIT, date(2024, 1, 2), [])
        await stage.at(local("2024-01-02", "07:41"))
        soon = await stage.notices(rule="award-dossier-soon")
        assert Counter((n["unit"], n["state"]) for n in soon) == {
            (UNIT, "dropped"): 2, (OTHER, "mailed"): 2
        }  # fmt: skip


async def test_a_heads_page_shows_what_is_left_to_do_also_after_a_restart(
    settings: Settings,
) -> None:
    head = Principal("a-head", {Role.HEAD: frozenset({UNIT})}, local("2100-01-01"))
    async with stage_for(settings) as stage:
        plan = calm("report-missed", "report-excluded", "overdue-near", "overdue-excluded")
        await begin(stage, plan)
        ledger = Ledger(stage.store, stage.clock, stage.settings)
        ledger.publish(plan)
        words = i18n.load([HERE / "locale"])["vi"]

        async def shown() -> list[str]:
            return sorted(o["rule"] for o, _ in await ledger.open_alerts(head, words))

        stage.dossier("H1", UNIT, "2023-06-14")
        await stage.at(local("2023-06-15", "08:00"))
        assert await shown() == ["overdue-near", "report-missed"]
        stage.dossier("H2", UNIT, "2023-06-14")
        await stage.at(local("2023-06-15", "09:00"))
        assert await shown() == ["overdue-excluded", "report-missed"]
        stage.report(UNIT, "2023-06", "2023-06-15")
        await stage.at(local("2023-06-15", "11:00"))
        assert await shown() == ["overdue-excluded"]
        await stage.start()
        await stage.at(local("2023-06-15", "12:00"))
        assert await shown() == ["overdue-excluded"]
        stage.lift(UNIT, "2023-06", "two-overdue-dossiers")
        await stage.at(local("2023-06-15", "13:00"))
        assert await shown() == []


async def test_a_correction_never_arrives_before_what_it_corrects(settings: Settings) -> None:
    """The mail server puts the alert off; the correction of it waits too."""
    async with stage_for(settings, smtp_security="none", smtp_retry_seconds=60) as stage:
        server = Nasty()
        server.greylist_first = 1
        await begin(stage, calm("dossier-overdue", window_minutes=0))
        stage.dossier("H1", UNIT, "2023-06-15")
        await stage.at(local("2023-06-16", "08:00"))
        async with serving(server) as port:
            post = Post(stage.settings, HOST, port, plain=False)
            sender = Sender(stage.store, post, stage.settings, stage.clock)
            await sender.drain()  # put off
            stage.dossier("H1", UNIT, "2023-06-15", "2023-06-15")
            for minute in ("01", "02", "03"):
                await stage.at(local("2023-06-16", f"08:{minute}"))
            back = await stage.notices(form="retraction")
            assert {(n["state"], n["reason"]) for n in back} == {("waiting", "original_unsent")}
            server.greylist_first = 0
            await stage.store.mails.update_many({}, {"$set": {"next_try_ms": 0}})
            await sender.drain()
            await stage.at(local("2023-06-16", "08:10"))
            await sender.drain()
        order: dict[str, list[str]] = {}
        for to, raw in server.mails:
            order.setdefault(to, []).append(str(read(raw)["Subject"]))
        assert len(order) == 3
        for first, then in order.values():
            assert "Đính chính" not in first
            assert "Đính chính" in then


async def test_what_is_corrected_before_it_is_sent_is_never_sent(settings: Settings) -> None:
    async with stage_for(settings) as stage:
        await begin(stage, calm("dossier-overdue"))
        stage.dossier("H1", UNIT, "2023-06-15")
        await stage.at(local("2023-06-16", "00:00"))
        stage.dossier("H1", UNIT, "2023-06-15", "2023-06-15")
        await stage.at(local("2023-06-16", "06:00"))
        await stage.at(local("2023-06-16", "08:00"))
        assert {n["reason"] for n in await stage.notices()} == {"retracted_before_sending"}
        assert await stage.mails() == []


async def test_a_journal_with_a_past_is_met_in_silence(settings: Settings) -> None:
    async with stage_for(settings) as stage:
        await stage.contacts(of_units([UNIT]))
        stage.publish(calm("report-excluded", "report-due-soon"), START)
        await stage.at(local("2023-09-10", "08:00"))
        fates = Counter(
            [(o["rule"], o["fate"]) async for o in stage.store.occasions.find({"unit": UNIT})]
        )
        assert fates == {
            ("report-excluded", "before_start"): 3,
            ("report-due-soon", "before_start"): 3,
        }
        await stage.at(local("2023-09-10", "09:00"))
        assert await stage.mails() == []
        await stage.at(local("2023-09-17", "08:00"))
        await stage.at(local("2023-09-17", "08:30"))
        assert await told(stage, f"h-{UNIT}") == ["report-excluded"]


async def test_one_person_in_two_roles_is_told_once(settings: Settings) -> None:
    async with stage_for(settings) as stage:
        await begin(stage, calm("report-due-soon", window_minutes=0))
        same = [contact("o", "officer", UNIT, email="lan@x.invalid"),
                contact("h", "head", UNIT, email="LAN@x.invalid ")]  # fmt: skip
        await stage.contacts(same)
        await stage.at(local("2023-06-09", "08:00"))
        assert len(await stage.mails()) == 1


async def test_a_correction_after_a_kill_reaches_those_whose_mail_was_written(
    settings: Settings,
) -> None:
    """The kill came after a mail was written and before its notices knew; the correction came meanwhile."""
    async with stage_for(settings) as stage, catching(stage) as sender:
        await begin(stage, calm("dossier-overdue", window_minutes=0))
        stage.dossier("H1", UNIT, "2023-06-15")
        kill_at(stage, "adopt_mails", after=False)
        with pytest.raises(KilledError):
            await stage.at(local("2023-06-16", "08:00"))
        assert len(await stage.mails(step="new")) == 3
        stage.dossier("H1", UNIT, "2023-06-15", "2023-06-15")
        await restart(stage, sender)
        await stage.at(local("2023-06-16", "08:01"))
        await sender.drain()
        await stage.at(local("2023-06-16", "08:02"))
        assert len(await stage.notices(form="alert", state="accepted")) == 3
        assert len(await stage.notices(form="retraction", state="mailed")) == 3


class KilledError(Exception):
    """Stands for the end of the process."""


STEPS = (
    "write_findings", "add_notices", "done_with", "change_notices", "add_mails", "adopt_mails",
    "record_mails",
)  # fmt: skip


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
async def test_a_kill_at_any_stage_loses_nothing_and_repeats_nothing(
    settings: Settings,
    step: str,
    after: bool,  # noqa: FBT001 - a row of a table
) -> None:
    """The process ends at a write, just before it or just after it; another one starts from the stores."""
    async with stage_for(settings) as stage, catching(stage) as sender:
        await begin(stage, calm("dossier-overdue", "overdue-excluded", window_minutes=0))
        stage.dossier("H1", UNIT, "2023-06-15")
        stage.dossier("H2", UNIT, "2023-06-15")
        kill_at(stage, step, after=after)
        with pytest.raises(KilledError):
            await a_morning(stage, sender)
        await restart(stage, sender)
        await stage.at(local("2023-06-16", "08:02"))
        await sender.drain()
        await stage.at(local("2023-06-16", "08:03"))
        sent = Counter((n["contact"], n["rule"]) for n in await stage.notices(state="accepted"))
        assert sent == {
            (who, rule): times
            for who, rules in {
                f"o-{UNIT}": {"dossier-overdue": 2, "overdue-excluded": 1},
                f"h-{UNIT}": {"dossier-overdue": 2, "overdue-excluded": 1},
                "council": {"dossier-overdue": 2, "overdue-excluded": 1},
                "standing": {"overdue-excluded": 1},
            }.items()
            for rule, times in rules.items()
        }
        carried = [n for mail in await stage.mails() for n in mail["notices"]]
        assert len(carried) == len(set(carried)) == 10
        assert await stage.store.caught.count_documents({}) == len(await stage.mails())


async def a_morning(stage: Stage, sender: Sender) -> None:
    """Notices are held in quiet hours, mailed after them, sent, and recorded."""
    await stage.at(local("2023-06-16", "05:00"))
    await stage.at(local("2023-06-16", "08:00"))
    await sender.drain()
    await stage.at(local("2023-06-16", "08:01"))


def kill_at(stage: Stage, step: str, *, after: bool) -> None:
    """Let the next use of a write end the process."""
    write = getattr(stage.store, step)

    async def killed(*values: Any) -> Any:
        setattr(stage.store, step, write)
        if after:
            await write(*values)
        raise KilledError

    setattr(stage.store, step, killed)


async def restart(stage: Stage, sender: Sender) -> None:
    await stage.start()
    await sender.recover()


@pytest.mark.parametrize("heard", [False, True], ids=["before acceptance", "after acceptance"])
async def test_a_kill_while_sending_repeats_at_most_that_one_mail_with_its_message_id(
    settings: Settings,
    heard: bool,  # noqa: FBT001 - a row of a table
) -> None:
    async with stage_for(settings) as stage, catching(stage) as sender:
        await begin(stage, calm("report-due-soon", window_minutes=0))
        await stage.at(local("2023-06-09", "08:00"))
        settle, taken = sender._settle, asyncio.Event()

        async def killed(mail: Any, state: str, answer: str) -> None:
            taken.set()
            raise KilledError

        if heard:
            sender._settle = killed  # type: ignore[method-assign]
            with pytest.raises(KilledError):
                await sender.drain()
            sender._settle = settle  # type: ignore[method-assign]
        else:
            await stage.store.mails.update_one({}, {"$set": {"state": "sending"}})
        arrivals: list[str] = []
        await restart(stage, sender)
        await sender.drain()
        await stage.at(local("2023-06-09", "08:01"))
        arrivals += [one["_id"] async for one in stage.store.caught.find({})]
        assert len(arrivals) == 2  # the repeat has the same Message-ID, and is kept once
        assert Counter(m["state"] for m in await stage.mails()) == {"accepted": 2}


async def test_a_lost_database_brings_no_flood_of_mails(settings: Settings) -> None:
    async with stage_for(settings) as stage:
        await begin(stage, calm("report-excluded", "dossier-overdue", window_minutes=0))
        stage.dossier("H1", UNIT, "2023-06-15")
        await stage.until(local("2023-06-20"), timedelta(hours=6))
        assert await stage.mails()
        people = await stage.store.contacts.find({}).to_list(None)
        for name in ("occasions", "notices", "mails", "marks", "levels"):
            await stage.store.database[name].drop()
        await stage.contacts(people)
        await stage.start()
        await stage.until(local("2023-06-22"), timedelta(hours=6))
        assert await stage.mails() == []
