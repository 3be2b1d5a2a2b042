"""Who may be proposed, what a dossier lacks, what a gate finds, which way a package may go."""

from datetime import UTC, date, datetime

import pytest

from contracts.evidence import AnySubmission, evidence_of, reviews_of
from contracts.submissions import ItemReviewed, SubmissionMade, SubmissionWithdrawn
from services.reports.domain import workflow
from services.reports.domain.decisions import Choice, Decision, Present
from services.reports.domain.figures import figures_of
from services.reports.domain.gate import Elsewhere, findings
from services.reports.domain.nominations import (
    NominationError,
    Papers,
    admitted,
    cockpit_of,
    duplicates,
    over_quota,
)
from services.reports.domain.record import DossierPart
from services.reports.domain.workflow import Package, WorkflowError
from services.runtime.web.collation import vietnamese_key
from tests.support.packages import PLAN, frozen_period, nomination, record_of

AT = datetime(2023, 7, 20, tzinfo=UTC)
DRAFT = Package(
    id="p:2023:1", plan="p", period="2023", frozen="p:2023:1", dated=date(2024, 1, 9)
)


def refused(new: object, known: list[object]) -> str:
    with pytest.raises(NominationError) as error:
        admitted(PLAN, new, known)  # type: ignore[arg-type]
    return error.value.code


def test_a_person_is_proposed_once_by_a_unit_however_the_name_is_typed() -> None:
    first = nomination(1, "Nguyễn Thị Mẫu")
    assert admitted(PLAN, first, []) == first
    assert refused(nomination(2, "nguyễn  thị MẪU"), [first]) == "person_twice"
    assert admitted(PLAN, nomination(2, "Nguyễn Thị Mẫu", "31393"), [first]).unit == "31393"


def test_nobody_has_more_votes_than_voters_and_no_unknown_unit_proposes() -> None:
    good = nomination(1, "Nguyễn Mẫu", votes_for=5, votes_total=5)
    assert admitted(PLAN, good, []) == good
    assert (
        refused(nomination(1, "Nguyễn Mẫu", votes_for=6, votes_total=5), [])
        == "more_votes_than_voters"
    )
    assert refused(nomination(1, "Nguyễn Mẫu", "99999"), []) == "no_such_unit"


def test_a_unit_proposes_at_most_what_the_best_award_allows_and_returned_ones_do_not_count() -> (
    None
):
    ten = [nomination(n, f"Người Mẫu {n}") for n in range(10)]
    new = nomination(99, "Người Mẫu Mới")
    assert refused(new, [*ten]) == "quota"
    returned = ten[0].model_copy(update={"state": "returned"})
    assert admitted(PLAN, new, [returned, *ten[1:]]) == new


def test_namesakes_in_two_units_and_too_many_accepted_people_are_shown() -> None:
    people = [
        nomination(1, "Lê Mẫu"),
        nomination(2, "lê mẫu", "31393"),
        nomination(3, "Đỗ Mẫu"),
    ]
    assert [[p.id for p in some] for some in duplicates(people).values()] == [["n1", "n2"]]
    assert over_quota(people, {"31399": 1, "31393": 1}) == {"31399": (2, 1)}
    assert over_quota(people, {"31399": 2, "31393": 1}) == {}


def test_the_cockpit_counts_the_days_to_the_deadline_and_what_is_missing() -> None:
    part = DossierPart(number="12/TTr", signed_by="Chủ tịch", received_on=date(2024, 1, 4))
    people = [nomination(1, "Lê Mẫu")]
    some = cockpit_of(PLAN, "31399", {"letter": part}, people, 10, date(2024, 1, 3))
    assert (some.days_left, some.complete, some.nominated) == (2, False, 1)
    whole = {"letter": part, "minutes": part, "list": part}
    assert cockpit_of(PLAN, "31399", whole, people, 10, date(2024, 1, 6)).complete
    assert cockpit_of(PLAN, "31399", whole, people, 10, date(2024, 1, 6)).days_left == -1


def test_an_award_dossier_is_told_by_what_it_lacks_and_by_when_its_last_paper_came() -> None:
    early = DossierPart(number="12/TTr", signed_by="Chủ tịch", received_on=date(2024, 1, 3))
    late = DossierPart(received_on=date(2024, 1, 4))
    some = Papers(PLAN.id, "31399", 2, {"letter": early, "list": late}, AT).recorded()
    assert (some.missing, some.received_on) == (["minutes"], None)
    whole = Papers(
        PLAN.id, "31399", 3, {"letter": early, "list": late, "minutes": early}, AT
    ).recorded()
    assert (whole.missing, whole.received_on) == ([], date(2024, 1, 4))
    assert (some.id, whole.id) == (
        f"{PLAN.id}:31399:award-dossier:2",
        f"{PLAN.id}:31399:award-dossier:3",
    )
    assert "TTr" not in whole.model_dump_json()


def made(version: int, indicators: list[str]) -> SubmissionMade:
    example = SubmissionMade.example | {"id": f"s{version}", "version": version, "at": AT}
    return SubmissionMade(**example | {"declared_on": None, "indicators": indicators})  # type: ignore[arg-type]


def reviewed(version: int, decision: str, minute: int) -> ItemReviewed:
    at = AT.replace(minute=minute)
    example = ItemReviewed.example | {"id": f"r{minute}", "version": version, "at": at}
    return ItemReviewed(**example | {"decision": decision})  # type: ignore[arg-type]


def test_the_last_decision_on_a_claim_holds_in_any_order() -> None:
    events: list[AnySubmission] = [
        made(1, ["X2", "X5"]),
        reviewed(1, "returned", 1),
        reviewed(1, "accepted", 2),
    ]
    expected = {"2023-07:X2": "waiting", "2023-07:X5": "accepted"}
    assert reviews_of(events) == reviews_of(events[::-1] + events) == expected


def test_a_withdrawn_report_claims_nothing() -> None:
    gone = SubmissionWithdrawn(**SubmissionWithdrawn.example | {"at": AT})  # type: ignore[arg-type]
    assert reviews_of([made(1, ["X2"]), gone]) == {}
    assert reviews_of([made(1, ["X2"]), gone, made(2, ["X5"])]) == {"2023-07:X5": "waiting"}
    assert evidence_of("31399", [made(1, ["X2"])], AT.replace(hour=0)).reviews == {
        "2023-07:X2": "waiting"
    }
    assert evidence_of("31399", [made(1, ["X2"])], AT.replace(day=1)).reviews == {}


def test_a_package_goes_one_way_and_back_with_a_reason_only() -> None:
    checked = workflow.check(DRAFT, "a-1", AT, [])
    assert (checked.state, checked.official, checked.build.ready) == ("checked", True, False)
    built = checked.model_copy(
        update={"build": checked.build.model_copy(update={"done": checked.build.wanted})}
    )
    signed = workflow.sign(built, "a-2", AT)
    published = workflow.publish(signed, "a-2", AT)
    for work in (
        lambda: workflow.check(checked, "a-1", AT, []),
        lambda: workflow.sign(DRAFT, "a-2", AT),
        lambda: workflow.sign(built, "a-1", AT),
        lambda: workflow.publish(built, "a-2", AT),
        lambda: workflow.changed(signed, dated=date(2024, 2, 1)),
        lambda: workflow.send_back(published, "a-2", AT, "Quá muộn để trả lại."),
        lambda: workflow.send_back(DRAFT, "a-2", AT, "Chưa có gì để trả lại."),
    ):
        with pytest.raises(WorkflowError):
            work()  # type: ignore[no-untyped-call]
    assert workflow.send_back(signed, "a-2", AT, "Sai số văn bản ở tờ trình.").state == "draft"


def test_no_more_people_are_rewarded_than_awards_allow_and_only_the_blocs_chosen_ones() -> None:
    choice = Choice(choice="people", order=["n7"])
    chosen = Decision(
        key="department:ten-individuals", choice=choice, reason="Ban chỉ đạo đã thống nhất.",
        present=[Present(name="Người Mẫu", office="Phòng Mẫu")], by="a-1", at=AT,
        confirmed_by="a-2", confirmed_at=AT,
    )  # fmt: skip
    people = [nomination(n, f"Người Mẫu {n}", "31429") for n in (1, 2)]
    both = [nomination(n, f"Người Khối {n}", "D01") for n in (7, 8)]
    record = record_of(
        frozen_period("2023", totals={"31429": 1_000_000}),
        nominations=[*people, *both],
        decisions=[chosen],
    )

    def wrong(**changes: object) -> set[str]:
        found = findings(record.model_copy(update=changes), {}, [], Elsewhere(0, 0))
        return {one.code for one in found} & {"people", "chosen"}

    assert [one.id for one in figures_of(record, vietnamese_key).people] == ["n1", "n2", "n7"]
    undecided = record.model_copy(update={"decisions": []})
    assert [one.id for one in figures_of(undecided, vietnamese_key).people] == ["n1", "n2"]
    assert wrong() == set()
    third = nomination(3, "Người Mẫu 3", "31429")
    assert wrong(nominations=[*people, *both, third]) == {"people"}
    returned = third.model_copy(update={"state": "returned"})
    assert wrong(nominations=[*people, *both, returned]) == set()
    assert wrong(nominations=people) == {"chosen"}
