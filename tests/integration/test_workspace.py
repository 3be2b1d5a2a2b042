"""A month in the workspace, on a real MongoDB: every line filled in, reviewed, worth what a sheet by hand says."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from contracts.calendar import LOCAL
from contracts.events import DossierRecorded
from contracts.wire import from_line, to_event
from services.intake.domain.reading import Read
from services.intake.workspace.domain.declaring import Place
from services.intake.workspace.domain.report import Entry, NotReadyError, Report, ReportError
from services.intake.workspace.domain.review import Ruling, Verdict, differences
from services.runtime.auth import Principal, Role
from services.runtime.settings import Settings
from tests.support.office import Office, office, values

COMMUNE, UNION = "31399", "D12"
FAR = datetime(2099, 1, 1, tzinfo=UTC)
REVIEWER = Principal("a-rev", {Role.REVIEWER: frozenset()}, FAR)


@pytest.fixture
async def here(settings: Settings) -> AsyncIterator[Office]:
    async with office(settings, "2023-09-13T10:00") as here:
        yield here


def place(here: Office, unit: str = COMMUNE, month: str = "2023-09") -> Place:
    return here.workspace.place(here.plan.id, unit, month)


def figure(numerator: int, denominator: int) -> dict[str, Any]:
    return {"numerator": numerator, "denominator": denominator}


def rows(*found: dict[str, Any]) -> dict[str, Any]:
    return {"rows": list(found)}


ROSTER = rows(
    {"person": "NV-01", "account": True, "dossiers": 3},
    {"person": "NV-02", "account": True, "dossiers": 7},
    {"person": "NV-03", "account": True, "dossiers": 0},
    {"person": "NV-04", "account": False},
)
ARTICLES = rows(
    {"sent_on": "2023-09-04", "published_on": "2023-09-06"},
    {"sent_on": "2023-09-05", "published_on": "2023-09-08"},
    {"sent_on": "2023-09-11"},
)
LISTED = {"listed_on": "2023-09-05", **rows({"on": "2023-09-07"}, {"on": "2023-09-12"})}
OF_COMMUNE: dict[str, dict[str, dict[str, Any]]] = {
    "X1": {
        "main": {
            "items": {
                "steering-committee": "2023-05-20",
                "digital-teams": "2023-06-15",
                "dx-plan": "2023-09-01",
                "it-officer": "2023-09-02",
            }
        }
    },
    "X3": {"main": {"items": {"report": "2023-09-10"}}},
    "X4": {"main": figure(30, 40)},
    "X5": {"main": figure(812, 1450)},
    "X6": {"main": figure(60, 100)},
    "X9": {"main": figure(45, 50)},
    "X10": {"main": LISTED},
    "X11": {"main": figure(2, 3)},
    "X12": {"accounts": ROSTER},
    "X16": {"main": {"items": {"zalo-oa": "2023-09-01"}}},
    "X17": {"main": figure(90, 120)},
    "X18": {"main": {"value": 2}},
    "X19": {"main": figure(19, 20)},
    "X21": {"main": rows({"on": "2023-09-05"}, {"on": "2023-09-06"}, {"on": "2023-09-12"})},
    "X22": {"main": ARTICLES},
    "X23": {
        "main": rows(
            {"received_on": "2023-09-01", "due_on": "2023-09-08", "answered_on": "2023-09-08"},
            {"received_on": "2023-09-02", "due_on": "2023-09-08", "answered_on": "2023-09-09"},
            {"received_on": "2023-09-10", "due_on": "2023-09-17"},
        )
    },
    "X24": {"main": {"items": {"launched": "2023-09-03"}}},
}
SHEET_OF_COMMUNE = {
    "X1": 80_000,  # 4 of 6 documents: 12 x 4/6
    "X2": 100_000,  # handed in on the 13th: in time
    "X3": 30_000,  # the report (weight 3 of 5), not quantified: 5 x 3/5
    "X4": 45_000,  # 30/40: 6 x 3/4
    "X5": 56_000,  # 812/1450 = 0.56: 10 x 0.56
    "X6": 75_000,  # 60/100 of 80 %: 10 x 3/4
    "X7": 3_750,  # 1 of 32 procedures: 12/32
    "X8": 150_000,  # the one dossier came online
    "X9": 72_000,  # 45/50: 8 x 0.9
    "X10": 30_000,  # list sent, 2 incidents: 5 - 2
    "X11": 40_000,  # 2 of 3 periods: 6 x 2/3
    "X12": 62_500,  # accounts 3/4 of 5 = 3.75; filed (3 + 3 + 0 + 0)/12 of 5 = 2.5; together 6.25
    "X13": 1_667,  # 1 of 60 dossiers: 10/60, rounded half up
    "X14": 120_000,  # the one fee-bearing dossier was paid online
    "X15": 100_000,  # digitised
    "X16": 50_000,  # Zalo OA exists
    "X17": 60_000,  # 90/120: 8 x 3/4
    "X18": 60_000,  # 2 products: all
    "X19": 38_000,  # 19/20: 4 x 0.95
    "X20": 80_000,  # satisfied
    "X21": 30_000,  # 2 of 4 weeks that begin in September: 6 x 2/4
    "X22": 53_333,  # 2 of 3 approved and published: 8 x 2/3
    "X23": 20_000,  # 1 of 3 answered in time: 6 x 1/3
    "X24": 40_000,  # launched, not yet effective: 8 x 1/2
}
OF_UNION: dict[str, dict[str, dict[str, Any]]] = {
    "P1": {"main": {"items": {"it-officer": "2023-06-10"}}},
    "P3": {"main": figure(10, 20)},
    "P4": {
        "assignment": {"items": {"members-assigned": "2023-06-10"}},
        "attendance": figure(3, 4),
    },
    "P5": {"main": figure(3, 5)},
    "P9": {"main": figure(40, 50)},
    "P10": {"main": {"listed_on": "2023-09-05"}},
    "P11": {"main": figure(3, 3)},
    "P12": {"accounts": ROSTER},
    "P13": {"main": figure(18, 20)},
    "P15": {"main": rows({"sent_on": "2023-09-05"})},
    "P16": {"main": {"items": {"model": "2023-09-01"}}},
}
SHEET_OF_UNION = {
    # Four do not apply (30 of 100 points), so that every line counts 100/70 of its points. Cut to ten-thousandths the
    # lines lack six of 100; these go to the greatest remainders: P2, P3, P4, P10, P13 and P15, but not P11.
    "P1": 42_857,  # 1 of 2: 3 x 10/7
    "P2": 114_286,  # in time: 8 x 10/7
    "P3": 35_715,  # 10/20 of 7.1429, half up
    "P4": 92_857,  # assigned 2, attended 6 x 3/4 = 4.5; 6.5 x 10/7
    "P5": 51_428,  # 3/5: 3.6 x 10/7
    "P9": 80_000,  # 40/50: 5.6 x 10/7
    "P10": 57_143,  # list sent, no incident: 4 x 10/7
    "P11": 71_428,  # 3 of 3: 5 x 10/7, cut
    "P12": 60_714,  # accounts 3/4 of 3 = 2.25; filed 6/12 of 4 = 2; 4.25 x 10/7
    "P13": 51_429,  # 18/20: 3.6 x 10/7
    "P15": 57_143,  # one sent: 4 x 10/7
    "P16": 85_714,  # the model: 6 x 10/7
}


async def fill(here: Office, unit: str, said: dict[str, dict[str, dict[str, Any]]]) -> None:
    where = place(here, unit)
    for code, parts in said.items():
        note = "Danh sách lưu tại đơn vị."
        await here.workspace.save_entry(where, code, 0, values(**parts), note)
    for duty in here.workspace.duties(where):
        code = duty.indicator.code
        if duty.asked and code not in said:
            await here.workspace.save_entry(where, code, 0, {}, "Không phát sinh.")


async def a_dossier(here: Office) -> None:
    moved = {
        name: value.replace("2023-07", "2023-09")
        for name, value in DossierRecorded.example.items()
        if isinstance(value, str) and value.startswith("2023-07")
    }
    await here.intake.accept(Read([to_event(DossierRecorded.example | moved)]), "portal")


async def accept_all(here: Office, unit: str) -> Report:
    report = await here.workspace.report(place(here, unit))
    for code, item in report.items.items():
        ruling = Ruling("accepted", item.version)
        report = await here.desk.decide(place(here, unit), code, ruling, REVIEWER)
    return report


async def test_all_lines_of_a_commune_are_worth_what_the_sheet_says(here: Office) -> None:
    await a_dossier(here)
    await fill(here, COMMUNE, OF_COMMUNE)
    report = await here.workspace.submit(place(here), "a-officer")
    declared = await here.row(COMMUNE, "2023-09")
    scored = {
        code: points for code, (points, _) in declared.indicators.items() if code[0] == "X"
    }
    assert scored == SHEET_OF_COMMUNE
    verified = {
        code: pair[1] for code, pair in declared.indicators.items() if code in report.items
    }
    # Nothing is verified yet; where no feedback was verified, X23 stands at full marks.
    assert {code: n for code, n in verified.items() if n} == {"X23": 60_000}
    await accept_all(here, COMMUNE)
    row = await here.row(COMMUNE, "2023-09")
    assert {c: v for c, (_, v) in row.indicators.items() if c[0] == "X"} == SHEET_OF_COMMUNE
    assert row.verified_points == row.points == sum(SHEET_OF_COMMUNE.values())


async def test_all_lines_of_a_union_are_rescaled_where_others_do_not_apply(
    here: Office,
) -> None:
    duties = {d.indicator.code: d.state for d in here.workspace.duties(place(here, UNION))}
    assert {code for code, state in duties.items() if state == "not_applicable"} == {
        "P6",
        "P7",
        "P8",
        "P14",
    }
    await fill(here, UNION, OF_UNION)
    await here.workspace.submit(place(here, UNION), "a-officer")
    await accept_all(here, UNION)
    row = await here.row(UNION, "2023-09")
    assert {c: v for c, (_, v) in row.indicators.items() if c[0] == "P"} == SHEET_OF_UNION
    assert row.verified_points == row.points


async def test_a_report_is_late_by_the_servers_clock_whatever_it_declares(here: Office) -> None:
    here.at("2023-09-15T00:00")
    await fill(here, COMMUNE, {})
    report = await here.workspace.submit(place(here), "a-officer", date(2023, 9, 14))
    version = report.versions[0]
    assert (version.at.astimezone(LOCAL).date(), version.declared_on) == (
        date(2023, 9, 15),
        date(2023, 9, 14),
    )
    assert (await here.row(COMMUNE, "2023-09")).indicators["X2"] == (50_000, 0)


async def test_what_is_missing_is_named_before_anything_is_handed_in(here: Office) -> None:
    where = place(here)
    await here.workspace.save_entry(where, "X5", 0, values(main={"numerator": 3}), "")
    with pytest.raises(NotReadyError) as refused:
        await here.workspace.submit(where, "a-officer")
    said = {(fault.indicator, fault.field, fault.code) for fault in refused.value.faults}
    assert ("X5", "main.denominator", "missing") in said
    assert ("X9", "note", "nothing_said") in said
    assert ("X2", "evidence", "evidence_missing") in said
    assert not {code for code, _, _ in said} & {"X7", "X8", "X11", "X1"} - {"X11"}
    assert await here.lines("indicator") == []
    await fill_after(here)
    assert (await here.workspace.submit(where, "a-officer")).versions


async def test_a_product_has_a_name_and_the_journal_is_told_it(here: Office) -> None:
    where = place(here)
    await fill(here, COMMUNE, {"G5": {"main": rows({"on": "2023-09-08"})}})
    with pytest.raises(NotReadyError) as refused:
        await here.workspace.submit(where, "a-officer")
    assert [(f.indicator, f.field, f.code) for f in refused.value.faults] == [
        ("G5", "main.rows.0.name", "missing")
    ]
    named = rows({"on": "2023-09-08", "name": "Chợ không dùng tiền mặt"})
    await here.workspace.save_entry(where, "G5", 1, values(main=named), "")
    await here.workspace.submit(where, "a-officer")
    told = [from_line(line) for line in await here.lines("indicator")]
    (product,) = (event for event in told if event.type == "item.recorded")
    assert (product.indicator, product.name) == ("G5", "Chợ không dùng tiền mặt")


async def fill_after(here: Office) -> None:
    where = place(here)
    await here.workspace.save_entry(where, "X5", 1, values(main=figure(3, 4)), "Có danh sách.")
    for duty in here.workspace.duties(where):
        if duty.asked and duty.indicator.code != "X5":
            await here.workspace.save_entry(where, duty.indicator.code, 0, {}, "Không có.")


async def test_two_tabs_cannot_overwrite_each_other(here: Office) -> None:
    where = place(here)
    await here.workspace.save_entry(where, "X5", 0, values(main=figure(3, 4)), "")
    with pytest.raises(ReportError, match="changed_elsewhere"):
        await here.workspace.save_entry(where, "X5", 0, values(main=figure(1, 4)), "")
    same = await here.workspace.save_entry(where, "X5", 0, values(main=figure(3, 4)), "")
    assert same.entries["X5"].revision == 1
    later = await here.workspace.save_entry(where, "X5", 1, values(main=figure(1, 4)), "")
    assert later.entries["X5"].revision == 2


async def test_many_drafts_are_kept_together_or_not_at_all(here: Office) -> None:
    where = place(here)
    await here.workspace.save_entry(where, "X5", 0, values(main=figure(3, 4)), "")
    both = {
        "X9": Entry(values=values(main=figure(1, 2))),
        "X5": Entry(values=values(main=figure(1, 2))),
    }
    with pytest.raises(ReportError, match="changed_elsewhere"):
        await here.workspace.save_entries(where, both)
    assert "X9" not in (await here.workspace.report(where)).entries
    both["X5"].revision = 1
    kept = await here.workspace.save_entries(where, both)
    assert {code: entry.revision for code, entry in kept.entries.items()} == {"X5": 2, "X9": 1}


async def test_handing_in_locks_and_withdrawing_unlocks_until_the_review_begins(
    here: Office,
) -> None:
    where = place(here)
    await fill(here, COMMUNE, {"X5": OF_COMMUNE["X5"]})
    await here.workspace.submit(where, "a-officer")
    with pytest.raises(ReportError, match="locked"):
        await here.workspace.save_entry(where, "X5", 1, values(main=figure(1, 2)), "")
    assert (await here.row(COMMUNE, "2023-09")).indicators["X5"][0] == 56_000
    await here.workspace.withdraw(where, "a-officer")
    assert (await here.row(COMMUNE, "2023-09")).indicators["X5"][0] == 0
    await here.workspace.save_entry(where, "X5", 1, values(main=figure(1, 2)), "Sửa.")
    report = await here.workspace.submit(where, "a-officer")
    assert [(v.number, v.withdrawn_at is None) for v in report.versions] == [
        (1, False),
        (2, True),
    ]
    assert report.versions[0].entries["X5"].values == values(main=figure(812, 1450))
    await here.desk.decide(where, "X5", Ruling("accepted", 2), REVIEWER)
    with pytest.raises(ReportError, match="review_began"):
        await here.workspace.withdraw(where, "a-officer")
    assert [event.type for event in await here.told()] == [
        "submission.made",
        "submission.withdrawn",
        "submission.made",
        "item.reviewed",
    ]


async def test_a_returned_item_comes_back_alone_and_a_changed_one_reopens(here: Office) -> None:
    where = place(here)
    await fill(here, COMMUNE, {"X5": OF_COMMUNE["X5"], "X9": OF_COMMUNE["X9"]})
    await here.workspace.submit(where, "a-officer")
    with pytest.raises(ReportError, match="reason_missing"):
        await here.desk.decide(where, "X5", Ruling("returned", 1), REVIEWER)
    await here.desk.decide(where, "X5", Ruling("returned", 1, "Thiếu ấp Mỹ Lợi."), REVIEWER)
    await here.desk.decide(where, "X9", Ruling("accepted", 1), REVIEWER)
    row = await here.row(COMMUNE, "2023-09")
    assert (row.indicators["X5"], row.indicators["X9"]) == ((0, 0), (72_000, 72_000))

    await here.workspace.save_entry(where, "X5", 1, values(main=figure(700, 1400)), "Đã đủ.")
    await here.workspace.save_entry(where, "X9", 1, values(main=figure(50, 50)), "Đếm lại.")
    report = await here.workspace.submit(where, "a-officer")
    assert report.versions[1].indicators == ["X5", "X9"]
    assert (report.items["X5"].state, report.items["X9"].state) == ("waiting", "reopened")
    row = await here.row(COMMUNE, "2023-09")
    assert (row.indicators["X5"], row.indicators["X9"]) == ((50_000, 0), (80_000, 0))
    assert differences(report.items["X9"]) == [("main", figure(45, 50), figure(50, 50))]

    with pytest.raises(ReportError, match="changed_meanwhile"):
        await here.desk.decide(where, "X9", Ruling("accepted", 1), REVIEWER)
    fixed = values(main=figure(47, 50))
    await here.desk.decide(where, "X9", Ruling("corrected", 2, "Theo sổ.", fixed), REVIEWER)
    assert (await here.row(COMMUNE, "2023-09")).indicators["X9"] == (75_200, 75_200)
    reviews = [e for e in await here.told() if e.type == "item.reviewed"]
    assert [(e.indicator, e.decision) for e in reviews] == [
        ("X5", "returned"),
        ("X9", "accepted"),
        ("X9", "reopened"),
        ("X9", "corrected"),
    ]


@pytest.mark.parametrize("first", ["accepted", "corrected", "returned", "rejected"])
async def test_a_decision_is_taken_back_with_a_reason_and_the_item_waits_again(
    here: Office, first: Verdict
) -> None:
    where = place(here)
    await fill(here, COMMUNE, {"X9": OF_COMMUNE["X9"]})
    await here.workspace.submit(where, "a-officer")
    back = Ruling("reopened", 1, "Xem nhầm đơn vị.")
    with pytest.raises(ReportError, match="not_decided"):
        await here.desk.decide(where, "X9", back, REVIEWER)
    fixed = values(main=figure(40, 50)) if first == "corrected" else None
    await here.desk.decide(where, "X9", Ruling(first, 1, "Theo danh sách.", fixed), REVIEWER)
    assert [one.key for one in await here.desk.decided()] == [
        f"{here.plan.id}/{COMMUNE}/2023-09/X9"
    ]
    with pytest.raises(ReportError, match="reason_missing"):
        await here.desk.decide(where, "X9", Ruling("reopened", 1), REVIEWER)
    own = Principal("a-own", REVIEWER.grants, FAR, frozenset({COMMUNE}))
    with pytest.raises(ReportError, match="own_unit"):
        await here.desk.decide(where, "X9", back, own)

    item = (await here.desk.decide(where, "X9", back, REVIEWER)).items["X9"]
    assert item == (await here.desk.decide(where, "X9", back, REVIEWER)).items["X9"]
    assert (item.state, len(item.history)) == ("reopened", 3)
    assert (await here.row(COMMUNE, "2023-09")).indicators["X9"] == (72_000, 0)
    assert await here.desk.decided() == []
    assert "X9" in {w.duty.indicator.code for w in await here.desk.queue(REVIEWER)}
    shown = [("main", figure(40, 50), figure(45, 50))] if first == "corrected" else []
    assert differences(item) == shown
    await here.desk.decide(where, "X9", Ruling("accepted", 1), REVIEWER)
    assert (await here.row(COMMUNE, "2023-09")).indicators["X9"] == (72_000, 72_000)
    reviews = [e for e in await here.told() if e.type == "item.reviewed"]
    assert [(e.decision, e.reason) for e in reviews] == [
        (first, "Theo danh sách."),
        ("reopened", "Xem nhầm đơn vị."),
        ("accepted", ""),
    ]


async def test_nobody_reviews_the_claims_of_their_own_unit(here: Office) -> None:
    where = place(here)
    await fill(here, COMMUNE, {"X5": OF_COMMUNE["X5"]})
    await here.workspace.submit(where, "a-officer")
    own = Principal("a-own", REVIEWER.grants, FAR, frozenset({COMMUNE}))
    officer = Principal(
        "a-two", dict(REVIEWER.grants) | {Role.OFFICER: frozenset({COMMUNE})}, FAR
    )
    for somebody in (own, officer):
        assert await here.desk.queue(somebody) == []
        with pytest.raises(ReportError, match="own_unit"):
            await here.desk.decide(where, "X5", Ruling("accepted", 1), somebody)
    assert {w.duty.indicator.code for w in await here.desk.queue(REVIEWER)} == {"X2", "X5"}
    await here.desk.decide(where, "X5", Ruling("accepted", 1), REVIEWER)


async def test_the_queue_names_why_an_item_deserves_a_look(here: Office) -> None:
    here.at("2023-08-10T10:00")
    august = place(here, month="2023-08")
    for duty in here.workspace.duties(august):
        code = duty.indicator.code
        if duty.asked:
            said = values(main=figure(10, 100)) if code in ("X5", "X9") else {}
            await here.workspace.save_entry(august, code, 0, said, "Có.")
    await here.workspace.submit(august, "a-officer")
    await here.desk.decide(august, "X5", Ruling("returned", 1, "Thiếu."), REVIEWER)
    here.at("2023-09-14T20:00")
    await fill(
        here, COMMUNE, {"X5": {"main": figure(120, 100)}, "X9": {"main": figure(11, 100)}}
    )
    await here.workspace.submit(place(here), "a-officer")
    queue = [w for w in await here.desk.queue(REVIEWER) if w.month == "2023-09"]
    assert queue[0].duty.indicator.code == "X5"
    reasons = {w.duty.indicator.code: {r.code for r in w.item.risks} for w in queue}
    assert reasons["X5"] == {"over_100", "jump", "burst", "corrections"}
    assert reasons["X9"] == {"burst"}
    one, two = [await here.desk.draw(REVIEWER, 2, seed) for seed in (7, 7)]
    assert [w.key for w in one] == [w.key for w in two]
    assert ("a-rev", "review.sample", "seed 7") in here.audit.entries


async def test_what_a_crash_left_undone_is_finished_and_repeats_change_nothing(
    here: Office,
) -> None:
    where = place(here)
    await fill(here, COMMUNE, {"X5": OF_COMMUNE["X5"]})
    deliver, here.workspace.deliver = here.workspace.deliver, _dies  # type: ignore[assignment, method-assign]
    with pytest.raises(KeyboardInterrupt):
        await here.workspace.submit(where, "a-officer")
    assert await here.lines("indicator") == []
    here.workspace.deliver = deliver  # type: ignore[method-assign]
    await here.workspace.deliver_all()
    row = await here.row(COMMUNE, "2023-09")
    assert row.indicators["X5"] == (56_000, 0)
    before = len(await here.lines("indicator"))
    await here.workspace.deliver_all()
    assert len(await here.lines("indicator")) == before
    report = await here.workspace.report(where)
    assert report.versions[0].number == 1
    await here.desk.decide(where, "X5", Ruling("accepted", 1), REVIEWER)
    again = await here.desk.decide(where, "X5", Ruling("accepted", 1), REVIEWER)
    assert len(again.items["X5"].history) == 2


async def _dies(*_: object) -> None:
    raise KeyboardInterrupt
