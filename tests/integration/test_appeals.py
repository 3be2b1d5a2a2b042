"""Appeals and excuses on a real MongoDB: in time, answered with a reason, their effect written down."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import pytest

from contracts.wire import to_event
from services.intake.domain.reading import Read
from services.intake.workspace import appealing
from services.intake.workspace.appealing import Appeals, Excluded, Plea, UnitStanding
from services.intake.workspace.domain.declaring import Place
from services.intake.workspace.domain.report import ReportError
from services.intake.workspace.domain.review import Ruling
from services.runtime.auth import Principal, Role
from services.runtime.settings import Settings
from tests.support.facts import dossier
from tests.support.office import Office, office, values

UNIT, RULE, LATE = "31399", "two-overdue-dossiers", "report-three-days-late"
FAR = datetime(2099, 1, 1, tzinfo=UTC)
REVIEWER = Principal("a-rev", {Role.REVIEWER: frozenset()}, FAR)
OWN = Principal("a-own", {Role.REVIEWER: frozenset()}, FAR, frozenset({UNIT}))


@dataclass
class Folded:
    """The board, computed anew from the journal when the test says so."""

    rows: dict[str, UnitStanding] = field(default_factory=dict)

    def of(self, plan: str, unit: str, period: str) -> UnitStanding | None:
        return self.rows.get(unit)

    async def look(self, here: Office) -> None:
        row = await here.row(UNIT, "2023")
        held = tuple(Excluded(e.rule, e.month, e.count) for e in row.exclusions)
        self.rows[UNIT] = UnitStanding(
            row.points, row.verified_points, 1, row.eligible, held, {}
        )


@pytest.fixture
async def here(settings: Settings) -> AsyncIterator[Office]:
    async with office(settings, "2023-07-20T10:00") as here:
        late = {
            "due_at": "2023-07-10T17:00:00+07:00",
            "finished_at": "2023-07-12T08:00:00+07:00",
            "status": "returned",
        }
        events = [to_event(dossier(n, **late)) for n in range(2)]
        await here.intake.accept(Read(events), "portal")
        yield here


@pytest.fixture
async def board(here: Office) -> Folded:
    folded = Folded()
    await folded.look(here)
    return folded


def july(here: Office) -> Place:
    return here.workspace.place(here.plan.id, UNIT, "2023-07")


async def test_an_upheld_appeal_lifts_the_exclusion_and_its_effect_is_recorded(
    here: Office, board: Folded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appealing, "SETTLED_SECONDS", 0)
    appeals = Appeals(here.workspace, board)
    plea = Plea("exclusion", RULE, "Cổng gián đoạn ngày 12/07.")
    appeal = await appeals.lodge(july(here), plea, "a-officer")
    assert (appeal.state, appeal.answer_due_on) == ("lodged", date(2023, 7, 27))
    with pytest.raises(ReportError, match="appealed_already"):
        await appeals.lodge(july(here), plea, "a-officer")
    with pytest.raises(ReportError, match="own_unit"):
        await appeals.decide(appeal.id, "upheld", "Đúng.", "portal-outage", OWN)
    with pytest.raises(ReportError, match="reason_unknown"):
        await appeals.decide(appeal.id, "upheld", "Đúng.", "no-reason", REVIEWER)
    held = [e.rule for e in (await here.row(UNIT, "2023")).exclusions]
    assert RULE in held

    await appeals.decide(appeal.id, "upheld", "Đúng là gián đoạn.", "portal-outage", REVIEWER)
    row = await here.row(UNIT, "2023")
    assert RULE not in [e.rule for e in row.exclusions]
    assert [(e.rule, e.reason) for e in row.lifted] == [(RULE, "portal-outage")]
    again = await appeals.decide(
        appeal.id, "upheld", "Đúng là gián đoạn.", "portal-outage", REVIEWER
    )
    assert again.state == "upheld"
    with pytest.raises(ReportError, match="decided_already"):
        await appeals.decide(appeal.id, "dismissed", "Không.", "", REVIEWER)

    await board.look(here)
    await appeals.follow()
    (kept,) = await here.workspace.store.find_appeals(unit=UNIT)
    assert kept.before is not None
    assert kept.after is not None
    assert [e.type for e in await here.told()] == ["appeal.lodged", "appeal.decided"]
    lines = [line for line in await here.lines("indicator") if b"exclusion.lifted" in line]
    assert len(lines) == 1


async def test_a_dismissed_appeal_changes_nothing(here: Office, board: Folded) -> None:
    appeals = Appeals(here.workspace, board)
    appeal = await appeals.lodge(
        july(here), Plea("exclusion", RULE, "Không đúng."), "a-officer"
    )
    await appeals.decide(appeal.id, "dismissed", "Hồ sơ trễ thật.", "", REVIEWER)
    assert RULE in [e.rule for e in (await here.row(UNIT, "2023")).exclusions]


async def test_only_what_holds_can_be_contested_or_excused(here: Office, board: Folded) -> None:
    appeals = Appeals(here.workspace, board)
    august = here.workspace.place(here.plan.id, UNIT, "2023-08")
    with pytest.raises(ReportError, match="no_exclusion"):
        await appeals.lodge(august, Plea("exclusion", RULE, "Không đúng."), "a-officer")
    with pytest.raises(ReportError, match="no_exclusion"):
        await appeals.excuse(august, RULE, "portal-outage", "Cổng lỗi.", REVIEWER)
    with pytest.raises(ReportError, match="own_unit"):
        await appeals.excuse(july(here), RULE, "portal-outage", "Cổng lỗi.", OWN)
    here.at("2023-08-11T00:00")
    with pytest.raises(ReportError, match="appeal_too_late"):
        await appeals.lodge(july(here), Plea("exclusion", RULE, "Không đúng."), "a-officer")
    here.at("2023-08-10T23:00")
    await appeals.lodge(july(here), Plea("exclusion", RULE, "Không đúng."), "a-officer")
    excuse = await appeals.excuse(july(here), RULE, "portal-outage", "Cổng lỗi.", REVIEWER)
    assert (excuse.excuse, excuse.state) == (True, "upheld")
    assert (await here.row(UNIT, "2023-07")).lifted[0].rule == RULE
    assert ("a-rev", "exclusion.excuse", excuse.id) in here.audit.entries


async def test_a_lifted_exclusion_holds_again_when_the_lifting_is_taken_back(
    here: Office, board: Folded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appealing, "SETTLED_SECONDS", 0)
    appeals = Appeals(here.workspace, board)
    lodged = await appeals.lodge(july(here), Plea("exclusion", RULE, "Sai."), "a-officer")
    with pytest.raises(ReportError, match="not_lifted"):
        await appeals.revoke(lodged.id, "Cổng không gián đoạn.", REVIEWER)
    excuse = await appeals.excuse(july(here), RULE, "portal-outage", "Cổng lỗi.", REVIEWER)
    await appeals.decide(lodged.id, "dismissed", "Đã miễn rồi.", "", REVIEWER)
    assert RULE not in [e.rule for e in (await here.row(UNIT, "2023")).exclusions]
    with pytest.raises(ReportError, match="reason_missing"):
        await appeals.revoke(excuse.id, " ", REVIEWER)
    with pytest.raises(ReportError, match="own_unit"):
        await appeals.revoke(excuse.id, "Cổng không gián đoạn.", OWN)
    with pytest.raises(LookupError):
        await appeals.revoke("kn-31399-9", "Cổng không gián đoạn.", REVIEWER)

    for _ in range(2):
        revoked = await appeals.revoke(excuse.id, "Cổng không gián đoạn.", REVIEWER)
        assert (revoked.state, revoked.answer) == ("revoked", "Cổng lỗi.")
        assert revoked.revoked_because == "Cổng không gián đoạn."
    row = await here.row(UNIT, "2023")
    assert (RULE in [e.rule for e in row.exclusions], row.lifted) == (True, [])
    await board.look(here)
    await appeals.follow()
    kept = await here.workspace.store.appeal(excuse.id)
    assert kept is not None
    assert (kept.after is not None, kept.state) == (True, "revoked")
    answers = [e for e in await here.told() if e.type == "appeal.decided"]
    assert [(e.appeal, e.decision) for e in answers] == [
        (excuse.id, "upheld"),
        (lodged.id, "dismissed"),
        (excuse.id, "dismissed"),
    ]
    again = await appeals.excuse(july(here), RULE, "portal-outage", "Có nhật ký.", REVIEWER)
    assert again.id not in (excuse.id, lodged.id)
    assert RULE not in [e.rule for e in (await here.row(UNIT, "2023")).exclusions]


async def test_a_rejected_line_stands_again_when_its_appeal_is_upheld(
    here: Office, board: Folded
) -> None:
    place, appeals = july(here), Appeals(here.workspace, board)
    for duty in here.workspace.duties(place):
        if duty.asked:
            code = duty.indicator.code
            said = values(main={"numerator": 1, "denominator": 2}) if code == "X5" else {}
            await here.workspace.save_entry(place, code, 0, said, "Có.")
    await here.workspace.submit(place, "a-officer")
    contest = Plea("indicator", "X5", "Danh sách đủ.")
    with pytest.raises(ReportError, match="no_decision"):
        await appeals.lodge(place, contest, "a-officer")
    await here.desk.decide(place, "X5", Ruling("rejected", 1, "Danh sách sai."), REVIEWER)
    assert (await here.row(UNIT, "2023-07")).indicators["X5"] == (0, 0)
    here.at("2023-07-31T09:00")
    with pytest.raises(ReportError, match="appeal_too_late"):
        await appeals.lodge(place, contest, "a-officer")
    here.at("2023-07-30T23:00")
    appeal = await appeals.lodge(place, contest, "a-officer")
    await appeals.decide(appeal.id, "upheld", "Đã xem lại.", "", REVIEWER)
    assert (await here.row(UNIT, "2023-07")).indicators["X5"] == (50_000, 50_000)
    await appeals.follow()
    report = await here.workspace.report(place)
    assert [d.what for d in report.items["X5"].history] == ["claimed", "rejected", "accepted"]
