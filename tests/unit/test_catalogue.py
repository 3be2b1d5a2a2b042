"""The procedure catalogue as a file, and the pauses between two fetches."""

from datetime import date

from contracts.plan import Plan, Procedure
from services.intake.portal.domain.catalogue import from_rows
from services.intake.portal.pull import Api, waits_after
from tests.support.portal import PLAN


def test_a_catalogue_is_read_from_a_sheet_with_vietnamese_headers() -> None:
    rows = [
        ["DANH MỤC"],
        ["Mã thủ tục", "Tên thủ tục", "Mức độ", "Thu phí", "Đơn vị"],
        ["2.000815", "Một", "Toàn trình", "Có", "31399; 31402"],
        ["2.000822", "Hai", "Một phần", "", ""],
        ["2.000829", "Ba", "Mức 9", "", ""],
        ["2.000836", "Bốn", "Toàn trình", "", "99"],
    ]
    read = from_rows(rows, frozenset({"31399", "31402"}))
    assert [(f.row, f.field) for f in read.faults] == [(5, "level"), (6, "units")]
    assert read.procedures["2.000815"] == Procedure(
        code="2.000815", title="Một", level="full", fee_due=True, units=["31399", "31402"]
    )
    assert read.procedures["2.000822"].fee_due is False


def test_terms_hold_until_their_day() -> None:
    history = [{"until": "2023-08-01", "level": "information", "fee_due": True}]
    procedure = Procedure.model_validate(
        {"code": "1", "title": "", "level": "full", "fee_due": False, "history": history}
    )
    assert procedure.terms_on(date(2023, 7, 31)).level == "information"
    assert procedure.terms_on(date(2023, 8, 1)).level == "full"
    assert Plan.model_validate(PLAN.model_dump()) == PLAN


def test_failures_make_the_pauses_longer_up_to_an_hour() -> None:
    api = Api("http://x", every_seconds=300)
    assert [waits_after(api, n, 0.5) for n in (0, 1, 2, 3, 4, 400)] == [300, 600, 1200, 2400, 3600, 3600]  # fmt: skip
    assert waits_after(api, 0, 0.0) < waits_after(api, 0, 1.0)
