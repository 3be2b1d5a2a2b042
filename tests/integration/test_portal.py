"""The national door on a real MongoDB: every hazard of real senders, with the totals that result."""

import asyncio
import random
import unicodedata
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest
import pytest_asyncio

from services.intake.portal.directory import Alias
from services.runtime.embedded import Addresses
from tests.support.databases import settings_apart
from tests.support.mutations import mutated
from tests.support.portal import CODE, SAMPLES, Portal, dossier, portal, steps

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    databases: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Portal]:
    async with portal(settings_apart(databases, tmp_path_factory.mktemp("portal"))) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def door(running: Portal) -> Portal:
    await running.clear()
    return running


async def counted(door: Portal, indicator: str = "X8", unit: str = "31399") -> tuple[int, int]:
    """(numerator, denominator) of an indicator in July."""
    return (await door.row(unit)).counters[indicator]


async def is_excluded(door: Portal, today: date, unit: str = "31399") -> bool:
    """Whether overdue dossiers exclude the unit on a day."""
    row = await door.row(unit, today=today)
    return "two-overdue-dossiers" in {found[0] for found in row.exclusions}


async def test_a_created_dossier_counts_and_its_update_replaces_it(door: Portal) -> None:
    answer = await door.send(SAMPLES["envelope_create"])
    assert answer["error_code"] == "0"
    assert answer["data"][0] == {
        "index": 0, "MaHoSo": CODE, "error_code": "0", "message": "Đã nhận"
    }  # fmt: skip
    assert await counted(door) == (1, 1)
    await door.send(SAMPLES["envelope_update_finished_paid"])
    assert await counted(door) == (1, 1)
    held = await door.now()
    assert held is not None
    assert (held.status, held.paid_online, held.digitised) == ("returned", True, True)
    assert held.finished_at is not None
    assert held.finished_at.isoformat() == "2023-07-10T10:15:00+07:00"


async def test_the_same_message_again_writes_nothing(door: Portal) -> None:
    answers = [await door.send(SAMPLES["envelope_create"]) for _ in range(3)]
    assert answers[-1]["data"][0]["message"] == "Đã nhận trước đây"
    assert len(await door.lines()) == 1


async def test_an_older_snapshot_after_a_newer_one_changes_nothing(door: Portal) -> None:
    await door.send(SAMPLES["envelope_update_finished_paid"])
    await door.send(SAMPLES["envelope_create"])
    held = await door.now()
    assert held is not None
    assert held.status == "returned"
    assert (await counted(door), await counted(door, "X15")) == ((1, 1), (1, 1))
    assert await counted(door, "X14") == (0, 0), "no fee is due for this procedure"


async def test_a_bare_array_without_channel_counts_as_counter(door: Portal) -> None:
    answer = await door.send(
        SAMPLES["bare_array_2020_contract_without_channel"], "?isUpdating=False"
    )
    assert answer["error_code"] == "0"
    assert await counted(door, unit="31396") == (0, 1)


async def test_a_supplement_moves_the_promise_and_with_it_what_is_overdue(door: Portal) -> None:
    first = dossier(MaHoSo="H30.99.03-230707-0044", DonViXuLy="UBND Xã Hòa Mỹ")
    second = first | {"MaHoSo": "H30.99.03-230707-0045"}
    await door.send([first, second])
    assert await is_excluded(door, date(2023, 7, 12), "31420")
    await door.send(SAMPLES["supplement_moves_promise"])
    assert not await is_excluded(door, date(2023, 7, 12), "31420"), "one is left"
    assert await is_excluded(door, date(2023, 7, 18), "31420"), "the new promise is one too"
    held = await door.now("H30.99.03-230707-0044")
    assert held is not None
    assert held.due_at is not None
    assert held.due_at.isoformat() == "2023-07-17T17:00:00+07:00"
    assert held.status == "supplement"
    assert held.unit == "31420", "hoà and hòa are one spelling"


async def test_a_promise_that_was_emptied_is_none(door: Portal) -> None:
    other = {"MaHoSo": "H30.99.01-230705-0013"}
    await door.send([dossier(), dossier(**other)])
    assert await is_excluded(door, date(2023, 7, 31))
    await door.send([dossier(NgayHenTra=""), dossier(NgayHenTra="", **other)])
    held = await door.now()
    assert held is not None
    assert held.due_at is None
    assert not await is_excluded(door, date(2023, 7, 31))
    assert await counted(door) == (2, 2)


async def test_a_promise_moved_without_any_other_change_holds_as_it_came_last(
    door: Portal,
) -> None:
    await door.send([dossier(), dossier(MaHoSo="H30.99.01-230705-0013")])
    await door.send([dossier(NgayHenTra="20230720170000")])
    await door.send([dossier()])
    assert not await is_excluded(door, date(2023, 7, 15))
    assert await is_excluded(door, date(2023, 7, 21))
    held = await door.now()
    assert held is not None
    assert held.due_at is not None
    assert held.due_at.day == 20, "the first one was only repeated"


async def test_two_dossiers_past_their_promise_exclude_the_unit(door: Portal) -> None:
    await door.send([dossier(), dossier(MaHoSo="H30.99.01-230705-0013")])
    assert not await is_excluded(door, date(2023, 7, 10)), "the promised day is not over"
    assert await is_excluded(door, date(2023, 7, 11))


@pytest.mark.parametrize(
    ("status", "totals"),
    [(str(code), (0, 0) if code in {1, 3, 7} else (1, 1)) for code in range(1, 11)],
)
async def test_only_what_was_taken_up_and_not_refused_or_withdrawn_counts(
    door: Portal, status: str, totals: tuple[int, int]
) -> None:
    await door.send([dossier(TrangThaiHoSo=status)])
    assert await counted(door) == totals


@pytest.mark.parametrize(
    ("channel", "totals"), [("1", (0, 1)), ("2", (1, 1)), ("3", (0, 1)), ("", (0, 1))]
)
async def test_every_channel_and_none(
    door: Portal, channel: str, totals: tuple[int, int]
) -> None:
    await door.send([dossier(KenhThucHien=channel)])
    assert await counted(door) == totals


@pytest.mark.parametrize(
    "written",
    [
        "UBND xã Tân Bình",
        "  ubnd   XÃ  TÂN bình ",
        "UBND XA TAN BINH",
        unicodedata.normalize("NFD", "UBND xã Tân Bình"),
        "UBND\u00a0xã Tân Bình",
    ],
    ids=["as known", "spacing and case", "no diacritics", "decomposed", "no-break space"],
)
async def test_a_unit_by_name_however_it_is_written(door: Portal, written: str) -> None:
    await door.send([dossier(DonViXuLy=written)])
    assert await counted(door) == (1, 1)
    assert await door.intake.portal.desk.causes() == []


async def test_a_name_with_another_mark_is_another_name(door: Portal) -> None:
    await door.send([dossier(DonViXuLy="UBND xã Tấn Bình")])
    assert await counted(door) == (0, 0)
    (cause,) = await door.intake.portal.desk.causes()
    assert (cause.kind, cause.value) == ("alias", "UBND xã Tấn Bình")


@pytest.mark.parametrize("waiting", ["5", "6", "8"])
async def test_a_status_rewritten_to_finished_and_later_processing_again(
    door: Portal, waiting: str
) -> None:
    for status in (waiting, "9", "4"):
        await door.send([dossier(TrangThaiHoSo=status)])
    held = await door.now()
    assert held is not None
    assert (held.status, held.finished_at) == ("processing", None)
    assert await counted(door) == (1, 1)
    await door.send([dossier(MaHoSo="H30.99.01-230705-0013")])
    assert await is_excluded(door, date(2023, 7, 11)), "what is processed again may be overdue"


async def test_a_finished_dossier_is_reopened_by_a_later_step(door: Portal) -> None:
    await door.send(SAMPLES["envelope_update_finished_paid"])
    await door.send(steps("20230712080000"))
    held = await door.now()
    assert held is not None
    assert (held.status, held.finished_at) == ("processing", None)
    await door.send(SAMPLES["envelope_update_finished_paid"])
    assert await door.now() == held


async def test_a_step_changes_status_and_time_only(door: Portal) -> None:
    await door.send([dossier()])
    before = await door.now()
    await door.send(steps("20230709100000", status="9"))
    held = await door.now()
    assert before is not None
    assert held is not None
    assert (held.status, held.channel, held.due_at) == ("finished", "online", before.due_at)
    assert held.finished_at is not None
    assert held.finished_at.isoformat() == "2023-07-09T10:00:00+07:00"


async def test_a_step_for_an_unknown_dossier_waits_for_it(door: Portal) -> None:
    answer = await door.send(steps("20230706140000", status="8"))
    assert answer["error_code"] == "0"
    assert "chưa có hồ sơ" in answer["data"][0]["message"]
    assert await door.lines() == []
    await door.send([dossier()])
    held = await door.now()
    assert held is not None
    assert held.status == "suspended"
    assert await counted(door) == (1, 1)


async def test_a_regenerated_code_is_a_second_dossier_and_is_noticed(door: Portal) -> None:
    await door.send([dossier()])
    await door.send([dossier(MaHoSo="H30.99.01-230705-0999")])
    assert await counted(door) == (2, 2), "nobody can tell that it is the same one"
    tally = next(iter(door.intake.portal.receiver.tally.counts.values()))
    assert tally["twins"] == 1


async def test_fees_come_from_the_catalogue_not_from_the_list_of_fees(door: Portal) -> None:
    fee_bearing = dossier(MaTTHC="2.000822", DanhSachLePhi=[])
    await door.send([fee_bearing])
    assert await counted(door, "X14") == (0, 1)
    await door.send([fee_bearing | {"DuocThanhToanTrucTuyen": "2"}])
    assert await counted(door, "X14") == (1, 1)
    await door.send([fee_bearing | {"DuocThanhToanTrucTuyen": "3", "NgayTra": "20230708"}])
    assert await counted(door, "X14") == (0, 1)
    await door.send([fee_bearing | {"DuocThanhToanTrucTuyen": "", "NgayTra": "20230709"}])
    assert await counted(door, "X14") == (0, 1)


@pytest.mark.parametrize(
    ("written", "digitised"),
    [("True", True), ("0", False), (True, True), (1, True), ("false", False), ("", None)],
)
async def test_booleans_in_all_dialects(door: Portal, written: Any, digitised: Any) -> None:
    await door.send([dossier(HoSoCoThanhPhanSoHoa=written)])
    held = await door.now()
    assert held is not None
    assert held.digitised is digitised
    assert await counted(door, "X15") == (int(digitised or 0), int(digitised is not None))


async def test_three_date_forms_in_one_feed_and_a_unit_without_diacritics(door: Portal) -> None:
    answer = await door.send(SAMPLES["mixed_dialects"])
    assert answer["data"][0]["message"] == "Đã nhận"
    held = await door.now("G09.99-20230711-0092637")
    assert held is not None
    assert held.unit == "31399"
    assert held.received_at.isoformat() == "2023-07-11T08:00:00.125000+07:00"
    assert held.due_at is not None
    assert held.due_at.isoformat() == "2023-07-14T17:00:00+07:00"
    assert (await counted(door))[1] == 1


async def test_of_a_hundred_with_one_broken_the_ninety_nine_count(door: Portal) -> None:
    items = [dossier(MaHoSo=f"H30.99.01-230705-{n:04}") for n in range(100)]
    items[17] = items[17] | {"MaHoSo": ""}
    answer = await door.send(items)
    assert answer["error_code"] == "0"
    assert answer["message"] == "Đã nhận 99/100. 1 có lỗi: xem data."
    assert answer["data"][17] == {
        "index": 17, "MaHoSo": "", "error_code": "1",
        "message": "MaHoSo: thiếu hoặc để trống",
    }  # fmt: skip
    assert await counted(door) == (99, 99)
    causes = await door.intake.portal.desk.causes()
    assert [(cause.kind, cause.value, cause.waiting) for cause in causes] == [
        ("broken", "MaHoSo missing", 1)
    ]


async def test_a_broken_item_is_settled_when_its_dossier_comes_whole(door: Portal) -> None:
    await door.send([dossier(NgayTiepNhan="32/13/2023")])
    assert [c.kind for c in await door.intake.portal.desk.causes()] == ["broken"]
    await door.send([dossier()])
    assert await door.intake.portal.desk.causes() == []


async def test_an_unknown_name_waits_and_is_counted_once_somebody_says_who_it_is(
    door: Portal,
) -> None:
    answer = await door.send(SAMPLES["one_broken_of_three"])
    assert [item["error_code"] for item in answer["data"]] == ["0", "1", "0"]
    assert await counted(door) == (1, 1)
    causes = {c.kind: c for c in await door.intake.portal.desk.causes()}
    assert causes["alias"].value == "UBND xã Không Có Thật"
    alias = Alias("dvc.quocgia", "ubnd  XÃ Không Có Thật", "31402")
    assert await door.intake.portal.desk.add_aliases([alias], "test") == 1
    assert await counted(door, unit="31402") == (1, 1)
    assert "alias" not in {c.kind for c in await door.intake.portal.desk.causes()}


async def test_a_wrong_alias_that_is_corrected_moves_the_dossiers(door: Portal) -> None:
    desk = door.intake.portal.desk
    await desk.add_aliases([Alias("*", "UBND xã Mới", "31402")], "test")
    await door.send([dossier(DonViXuLy="UBND xã Mới")])
    assert await counted(door, unit="31402") == (1, 1)
    await desk.add_aliases([Alias("*", "UBND xã Mới", "31405")], "test")
    assert (await counted(door, unit="31402"), await counted(door, unit="31405")) == (
        (0, 0),
        (1, 1),
    )


async def test_nothing_is_lost_between_journal_and_state(
    door: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(_: Any) -> set[str]:
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(
            type(door.intake.portal.dossiers), "save", lambda self, some: crash(some)
        )
        with pytest.raises(ConnectionError):
            await door.send([dossier(TrangThaiHoSo="9")])
    await door.send([dossier(HoSoCoThanhPhanSoHoa="0")])
    await door.send([dossier(TrangThaiHoSo="9")])
    held = await door.now()
    assert held is not None
    assert held.status == "finished"
    assert held.digitised is True


async def test_two_writers_of_one_dossier_end_in_one_state(door: Portal) -> None:
    some = [dossier(NgayTiepNhan=f"202307060830{n:02}") for n in range(6)]
    await asyncio.gather(*(door.send([one]) for one in some))
    held = await door.now()
    assert held is not None
    assert held.received_at.second == 5


@pytest.mark.parametrize(
    ("body", "code"), [(b"[{", "2"), (b'{"service":"Khac","data":[]}', "2"), (b'"x"', "2")]
)
async def test_what_is_no_payload_is_said_in_the_senders_form(
    door: Portal, body: bytes, code: str
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await door.client.post("/api/v1/portal/national", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error_code"]) == (200, code)


@pytest.mark.parametrize("updating", ["True", "False"])
@pytest.mark.parametrize(
    "query",
    [
        "?MaDinhDanhDV=H30.99&isUpdating={}",
        "?isUpdating={}",
        "?service=DongBoHoSoMC&isUpdating={}",
        "",
    ],
    ids=["provincial bus", "bare", "service beside it", "with session and service"],
)
async def test_every_envelope_says_the_same(door: Portal, query: str, updating: str) -> None:
    around = {"session": "S", "madonvi": "000.01.99.H30", "service": "DongBoHoSoMC"}
    content = [dossier()] if query else around | {"isUpdating": updating, "data": [dossier()]}
    answer = await door.send(content, query.format(updating))
    assert answer["error_code"] == "0"
    assert await counted(door) == (1, 1)
    step = steps("20230709100000", status="7")["data"]
    content = step if query else around | {"service": "CapNhatTienDoHoSoMC", "data": step}
    query = query.replace("DongBoHoSoMC", "CapNhatTienDoHoSoMC").format(updating)
    assert (await door.send(content, query))["error_code"] == "0"
    assert await counted(door) == (0, 0), "withdrawn"


async def test_hundreds_of_mutated_payloads_break_nothing_and_lose_no_good_neighbour(
    door: Portal,
) -> None:
    chance = random.Random(20230705)
    codes = [f"H30.98.01-230705-{number:05}" for number in range(400)]
    sent = [(code, *mutated(chance, code)) for code in codes]

    async def post(some: list[tuple[str, bytes, bool]]) -> None:
        for code, body, untouched in some:
            answer = await door.client.post(
                "/api/v1/portal/national",
                content=body,
                headers={"Content-Type": "application/json"},
            )
            assert answer.status_code == 200, (answer.text, body)
            if untouched:
                told = {item["MaHoSo"]: item for item in answer.json()["data"]}[code]
                assert told["message"] == "Đã nhận", (told, body)

    await asyncio.gather(*(post(sent[at::10]) for at in range(10)))
    counted = {event.dossier for event in await door.events()}
    assert {code for code, _, untouched in sent if untouched} <= counted
