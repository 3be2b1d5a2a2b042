"""What keeps a package provisional. Official only when nothing does; the list says what is left to do."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from contracts.calendar import months_of
from services.reports.domain.decisions import in_force
from services.reports.domain.figures import candidates_of, outcomes_of, rewarded
from services.reports.domain.nominations import over_quota
from services.reports.domain.record import Finding, Record, has_frozen_evidence
from services.reports.domain.recount import recount

OPEN_REVIEWS = ("waiting", "returned", "reopened")


class Elsewhere(NamedTuple):
    """What other services know of a period; asked for through a callable that the composition root gives."""

    dead_letters: int
    quarantined: int


def findings(
    record: Record,
    reviews: Mapping[str, str],
    appeals: Iterable[str],
    elsewhere: Elsewhere | None,
) -> list[Finding]:
    """Everything in the way; empty: the package may become official.

    `reviews`: `<unit>:<month>:<indicator>` -> last decision, as known now; `appeals`: `<unit>:<month>` of open ones.
    """
    found = [
        _count(
            "open_items",
            _open_items(record),
            "vấn đề chờ quyết định hoặc chờ người thứ hai xác nhận",
            "open decision items",
        ),
        *unsettled(months_of(record.frozen.period, record.plan.months), reviews, appeals),
        _elsewhere(elsewhere, "dead_letters", "sự kiện hỏng chưa xử lý", "dead letters"),
        _elsewhere(elsewhere, "quarantined", "sự kiện đang cách ly", "events in quarantine"),
        _evidence(record),
        _proof(record),
        _money(record),
        _people(record),
    ]
    return [one for one in found if one is not None]


def _count(code: str, count: int, vi: str, en: str) -> Finding | None:
    return (
        Finding(code=code, vi=f"{count} {vi}", en=f"{count} {en}", count=count)
        if count
        else None
    )


def _open_items(record: Record) -> int:
    return sum(len(outcome.open_items) for outcome in outcomes_of(record).values())


def unsettled(
    months: Sequence[str], reviews: Mapping[str, str], appeals: Iterable[str]
) -> list[Finding]:
    """Claims of these months that nobody decided on, and appeals that nobody answered."""
    open_reviews = sum(
        decision in OPEN_REVIEWS and key.split(":")[-2] in months
        for key, decision in reviews.items()
    )
    found = (
        _count(
            "open_reviews",
            open_reviews,
            "nội dung báo cáo chưa thẩm định xong",
            "claims not yet reviewed",
        ),
        _count(
            "open_appeals",
            sum(key.split(":")[-1] in months for key in appeals),
            "khiếu nại chưa trả lời",
            "appeals not yet answered",
        ),
    )
    return [one for one in found if one is not None]


def _elsewhere(known: Elsewhere | None, name: str, vi: str, en: str) -> Finding | None:
    if known is None:
        return Finding(
            code=f"{name}_unknown",
            vi=f"Chưa kiểm tra được: {vi}",
            en=f"Could not be asked: {en}",
        )
    return _count(name, getattr(known, name), vi, en)


def _evidence(record: Record) -> Finding | None:
    if has_frozen_evidence(record):
        return None
    return Finding(
        code="evidence",
        vi="Danh mục minh chứng chưa khớp với danh mục đã chốt: còn báo cáo chưa đọc tới",
        en="The index of evidence is not yet the one that was frozen: some reports are still to be read",
    )


def _proof(record: Record) -> Finding | None:
    if record.proof is None:
        return Finding(
            code="not_proved",
            vi="Chưa tính lại điểm từ nhật ký để đối chiếu",
            en="The standings were not yet recomputed from the journal",
        )
    return _count(
        "differences",
        record.proof.differences,
        "chỗ lệch khi tính lại từ nhật ký",
        "differences when recomputed from the journal",
    )


def _people(record: Record) -> Finding | None:
    """No unit has more people rewarded than its award allows, and whoever was chosen is still on the list."""
    outcomes = outcomes_of(record)
    if not outcomes:
        return None
    people = rewarded(record, outcomes)
    shared = {bloc.code for bloc in record.plan.blocs if bloc.bloc_individuals}
    units = {unit.code: unit for unit in record.plan.units}
    own = [one for one in people if one.unit in units and units[one.unit].bloc not in shared]
    allowed = {
        unit: n for outcome in outcomes.values() for unit, n in outcome.individuals.items()
    }
    over = over_quota(own, allowed)
    named = ", ".join(f"{units[unit].name.vi} {n}/{most}" for unit, (n, most) in over.items())
    known = {one.id for one in people}
    gone = sum(one not in known for outcome in outcomes.values() for one in outcome.chosen)
    if over:
        return Finding(
            code="people",
            vi=f"Số cá nhân vượt mức của giải: {named}",
            en=f"More people than the award allows: {named}",
            count=len(over),
        )
    return _count(
        "chosen",
        gone,
        "cá nhân đã được chọn nhưng không còn trong danh sách tổng hợp",
        "chosen people who are not on the collected list any more",
    )


def _money(record: Record) -> Finding | None:
    """The prizes add up: counted along the units, along the awards, and by the second opinion."""
    choices = in_force(record.decisions)
    for bloc in record.plan.blocs:
        outcome = outcomes_of(record).get(bloc.code)
        if outcome is None:
            continue
        again = recount(bloc, candidates_of(record, bloc.code), choices)
        by_award = sum(
            award.prize.money * sum(place.award == award.code for place in outcome.places)
            for award in bloc.awards
        )
        if not outcome.money == again.money == by_award:
            return Finding(
                code="money",
                vi=f"Tiền thưởng khối {bloc.name.vi} cộng không khớp",
                en=f"The prizes of {bloc.name.en} do not add up",
            )
    return None
