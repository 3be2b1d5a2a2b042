"""Packages on a real journal: from a closing to published, with everything that refuses on the way."""

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from contracts.events import DossierRecorded
from contracts.evidence import index_hash
from contracts.packages import (
    EvidencePosition,
    PackagePublished,
    PackageReturned,
    PapersRecorded,
    PeriodFrozen,
)
from contracts.plan import Plan
from contracts.submissions import AppealDecided, AppealLodged, ItemReviewed, SubmissionMade
from contracts.wire import to_event, to_line
from services.intake.store import Aside
from services.package_proving import Elsewheres, against_system
from services.publishing import publish
from services.reports import building
from services.reports.app import store_of, worker
from services.reports.application import Packages
from services.reports.building import Builder
from services.reports.collecting import Collection
from services.reports.domain import workflow
from services.reports.domain.decisions import Choice, Decision, DecisionError, Present
from services.reports.domain.figures import outcomes_of
from services.reports.domain.gate import Elsewhere
from services.reports.domain.nominations import NominationError, Papers
from services.reports.domain.record import DossierPart, Proof, Signatures
from services.reports.domain.workflow import Package, WorkflowError
from services.reports.handlers import Handlers
from services.reports.render.verifying import differences, record_of
from services.reports.store import ChangedMeanwhileError
from services.runtime.clock import FrozenClock
from services.runtime.consuming import Consumer
from services.runtime.health import Health
from services.runtime.resources import Resources, resources
from services.runtime.settings import Settings
from services.runtime.web.collation import vietnamese_key
from tests.support.packages import PLAN, frozen_period, nomination
from tests.support.waiting import until

FEW = frozenset(u.code for b in PLAN.blocs for u in PLAN.units_of(b.code)[:4])
SMALL = Plan.model_validate(
    PLAN.model_dump() | {"units": [u.model_dump() for u in PLAN.units if u.code in FEW]}
)
TIED = {"31393": 1_850_000, "31396": 1_850_000, "31399": 1_810_000, "31402": 1_950_000}
FROZEN = frozen_period("2023", SMALL, totals=TIED)
TIE = "commune:tie-at-boundary:first:1"


@pytest.fixture
async def own(settings: Settings) -> AsyncIterator[Resources]:
    async with resources(settings) as own:
        own.clock = own.journal._clock = FrozenClock(datetime(2024, 1, 9, 3, tzinfo=UTC))  # type: ignore[assignment]
        await publish(own, SMALL)
        yield own


async def nothing_elsewhere(_: PeriodFrozen) -> Elsewhere:
    return Elsewhere(0, 0)


async def told(own: Resources, topic: str, *events: object) -> None:
    lines = [event.model_dump_json().encode() for event in events]  # type: ignore[attr-defined]
    await own.journal.append(topic, 0, lines)


async def read(own: Resources) -> Handlers:
    handlers = Handlers(store_of(own))
    for topic, handle in (
        ("plan", handlers.on_plans),
        ("freeze", handlers.on_freezes),
        ("submission", handlers.on_submissions),
    ):
        await Consumer(
            own.journal, topic, [0], handle, handlers.dead_letters, own.settings
        ).catch_up()
    return handlers


@pytest.fixture
async def packages(own: Resources) -> Packages:
    await told(own, "freeze", FROZEN)
    await read(own)
    packages = Packages(store_of(own), own.journal, own.clock, nothing_elsewhere)
    await packages.begin()
    return packages


def answer(key: str, choice: str, order: tuple[str, ...] = (), by: str = "a-1") -> Decision:
    return Decision(
        key=key,
        choice=Choice(choice=choice, order=list(order)),
        reason="Theo ý kiến thống nhất của Hội đồng.",
        present=[Present(name="Người Mẫu Một", office="Phòng Nội vụ")],
        by=by,
        at=datetime(2024, 1, 9, tzinfo=UTC),
    )


async def settle_everything(packages: Packages) -> None:
    """Answer each question in some way, confirmed by somebody else."""
    await packages.store.nominate(SMALL.id, "2023", nomination(1, "Nguyễn Thị Mẫu", "D01"))
    while True:
        record = await packages.record(await packages.get(FROZEN.id))
        items = [
            item for outcome in outcomes_of(record).values() for item in outcome.open_items
        ]
        if not items:
            return
        item = items[0]
        order: tuple[str, ...] = ()
        if item.options[0] == "order":
            order = tuple(c.unit for c in item.candidates)
        elif item.options[0] == "people":
            order = ("n1",)
        await packages.decide(FROZEN.id, answer(item.key, item.options[0], order))
        await packages.confirm(FROZEN.id, item.key, "a-2")


async def test_a_package_goes_from_draft_to_published_and_proves_itself(
    packages: Packages, own: Resources, tmp_path: Path
) -> None:
    builder = Builder(packages)
    await packages.store.keep_proof(FROZEN.id, Proof(differences=0, software="0"))
    with pytest.raises(WorkflowError) as refused:
        await packages.check(FROZEN.id, "a-1")
    assert {finding.code for finding in refused.value.findings} == {"open_items"}
    await settle_everything(packages)
    checked = await packages.check(FROZEN.id, "a-1")
    with pytest.raises(WorkflowError, match="same_person"):
        await packages.sign(FROZEN.id, "a-1")
    with pytest.raises(WorkflowError, match="not_built"):
        await packages.sign(FROZEN.id, "a-3")
    await builder.look()
    with pytest.raises(WorkflowError, match="not_signed"):
        await packages.publish(FROZEN.id, "a-3")
    await packages.sign(FROZEN.id, "a-3")
    published = await packages.publish(FROZEN.id, "a-3")
    assert [step.action for step in published.history] == ["checked", "signed", "published"]
    await _refuses_changes(packages)
    path = tmp_path / "package.zip"
    archive = packages.store.archive(FROZEN.id, published.build.done)
    path.write_bytes(b"".join([chunk async for chunk in archive]))
    assert list(differences(path, vietnamese_key)) == []
    assert record_of(path).official
    lines = [line async for pack in own.journal.all_packs("package") for line in pack.lines]
    assert len(lines) == 2
    event = PackagePublished.model_validate_json(lines[-1])
    assert event.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    await builder.look()
    assert [
        line async for pack in own.journal.all_packs("package") for line in pack.lines
    ] == lines
    assert checked.official


async def _refuses_changes(packages: Packages) -> None:
    with pytest.raises(WorkflowError, match="not_a_draft"):
        await packages.decide(FROZEN.id, answer(TIE, "order", ("31393", "31396")))


async def test_events_that_a_crash_kept_back_are_told_once(
    packages: Packages, own: Resources
) -> None:
    await packages.store.keep_proof(FROZEN.id, Proof(differences=0, software="0"))
    await settle_everything(packages)
    package = await packages.get(FROZEN.id)
    await packages.store.save(workflow.check(package, "a-1", own.clock.now(), []))
    for _ in range(2):
        await packages.announce(await packages.get(FROZEN.id))
    lines = [line async for pack in own.journal.all_packs("package") for line in pack.lines]
    assert len(lines) == 1


async def paper_events(own: Resources) -> list[PapersRecorded]:
    return [
        PapersRecorded.model_validate_json(line)
        async for pack in own.journal.all_packs("package")
        for line in pack.lines
        if b"papers.recorded" in line
    ]


async def test_an_award_dossier_is_told_as_it_fills_and_when_a_paper_is_taken_back(
    packages: Packages, own: Resources
) -> None:
    collection, now = Collection(packages), own.clock.now()
    paper = DossierPart(number="1/TTr", signed_by="Chủ tịch", received_on=date(2024, 1, 4))
    for part in ("letter", "minutes", "list"):
        await collection.receive(SMALL, "31399", part, paper, now)
    await collection.receive(SMALL, "31399", "minutes", None, now)
    await collection.receive(SMALL, "31393", "letter", paper, now)
    assert [(e.unit, e.version, e.missing, e.received_on) for e in await paper_events(own)] == [
        ("31399", 1, ["minutes", "list"], None),
        ("31399", 2, ["list"], None),
        ("31399", 3, [], date(2024, 1, 4)),
        ("31399", 4, ["minutes"], None),
        ("31393", 1, ["minutes", "list"], None),
    ]
    await packages.announce_papers()
    assert len(await paper_events(own)) == 5
    hamlet = SMALL.units_of("hamlet")[0].code
    for unit, part, when in (
        ("31399", "photograph", paper),
        ("no-such", "letter", paper),
        (hamlet, "letter", paper),
        ("31399", "minutes", paper.model_copy(update={"received_on": date(2024, 1, 10)})),
    ):
        with pytest.raises(NominationError):
            await collection.receive(SMALL, unit, part, when, now)
    assert len(await paper_events(own)) == 5


async def test_what_a_crash_or_an_older_version_kept_back_of_a_dossier_is_told_by_the_worker(
    packages: Packages, own: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = own.clock.now()
    paper = DossierPart(received_on=date(2024, 1, 4))
    await packages.store.keep_part(SMALL.id, "31399", "letter", paper, now)
    before = {"_id": f"{SMALL.id}|31393", "plan": SMALL.id, "unit": "31393", "parts": {}}
    await packages.store._dossiers.insert_one(before)
    await packages.store.prepare()

    async def killed(_papers: Papers) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(packages.store, "told_papers", killed)
        with pytest.raises(RuntimeError):
            await packages.announce_papers()
    await packages.announce_papers()
    await packages.announce_papers()
    told = [(e.id, e.at) for e in await paper_events(own)]
    assert len(told) == 3
    assert len(set(told)) == 2  # a repeat is the same event


async def test_a_returned_package_is_a_draft_again_with_the_reason_on_record(
    packages: Packages, own: Resources
) -> None:
    await packages.store.keep_proof(FROZEN.id, Proof(differences=0, software="0"))
    await settle_everything(packages)
    await packages.check(FROZEN.id, "a-1")
    with pytest.raises(WorkflowError, match="reason_missing"):
        await packages.send_back(FROZEN.id, "a-3", "không")
    package = await packages.send_back(FROZEN.id, "a-3", "Thiếu biên bản họp xét của xã.")
    assert (package.state, package.official, package.build.ready) == ("draft", False, False)
    assert package.history[-1].reason == "Thiếu biên bản họp xét của xã."
    await packages.check(FROZEN.id, "a-1")
    lines = [line async for pack in own.journal.all_packs("package") for line in pack.lines]
    returned = PackageReturned.model_validate_json(lines[1])
    assert returned.checked == f"{FROZEN.id}:checked:1"
    assert f"{FROZEN.id}:checked:2".encode() in lines[2]


async def test_a_decision_counts_only_with_a_second_persons_confirmation(
    packages: Packages,
) -> None:
    await packages.decide(FROZEN.id, answer(TIE, "order", ("31396", "31393")))

    async def first() -> str | None:
        record = await packages.record(await packages.get(FROZEN.id))
        places = outcomes_of(record)["commune"].places
        return next((place.unit for place in places if place.award == "first"), None)

    assert await first() is None
    with pytest.raises(DecisionError, match="same_person"):
        await packages.confirm(FROZEN.id, TIE, "a-1")
    await packages.confirm(FROZEN.id, TIE, "a-2")
    assert await first() == "31396"
    with pytest.raises(DecisionError, match="nothing_to_confirm"):
        await packages.confirm(FROZEN.id, TIE, "a-3")
    with pytest.raises(DecisionError, match="no_such_item"):
        await packages.decide(FROZEN.id, answer("commune:nothing", "none"))
    with pytest.raises(DecisionError, match="does_not_fit"):
        await packages.decide(
            FROZEN.id, answer("department:ten-individuals", "people", ("nobody",))
        )
    await packages.undecide(FROZEN.id, TIE)
    assert await first() is None


async def test_open_reviews_appeals_and_what_waits_elsewhere_keep_it_provisional(
    packages: Packages, own: Resources
) -> None:
    made = SubmissionMade.model_validate_json(
        SubmissionMade(**_times(SubmissionMade.example)).model_dump_json()
    )
    lodged = AppealLodged(**_times(AppealLodged.example))
    await told(own, "submission", made, lodged, made)
    await read(own)

    async def codes(ask: object = nothing_elsewhere) -> dict[str, int]:
        looking = Packages(packages.store, own.journal, own.clock, ask)  # type: ignore[arg-type]
        package = await looking.get(FROZEN.id)
        return {
            f.code: f.count for f in await looking.look(package, await looking.record(package))
        }

    found = await codes()
    assert (found["open_reviews"], found["open_appeals"], found["not_proved"]) == (2, 1, 1)
    accepted = [
        ItemReviewed(
            **_times(
                ItemReviewed.example
                | {"id": f"r{code}", "indicator": code, "decision": "accepted"}
            )
        )
        for code in made.indicators
    ]
    await told(own, "submission", *accepted, AppealDecided(**_times(AppealDecided.example)))
    await packages.store.keep_proof(FROZEN.id, Proof(differences=3, software="0"))
    await read(own)
    found = await codes()
    assert set(found) == {"open_items", "differences"}

    async def waits(_: PeriodFrozen) -> Elsewhere:
        return Elsewhere(2, 5)

    found = await codes(waits)
    assert (found["dead_letters"], found["quarantined"]) == (2, 5)
    assert {"dead_letters_unknown", "quarantined_unknown"} <= set(await codes(None))


def _times(example: dict[str, Any]) -> dict[str, Any]:
    made = {
        k: datetime.fromisoformat(str(v)) if k == "at" else v
        for k, v in example.items()
        if k != "type"
    }
    return {k: date.fromisoformat(str(v)) if k.endswith("_on") else v for k, v in made.items()}


async def test_the_evidence_index_is_that_of_the_closing(
    packages: Packages, own: Resources
) -> None:
    file = {
        "id": "f1",
        "indicator": "X2",
        "sha256": "a" * 64,
        "size": 10,
        "media_type": "application/pdf",
    }
    before = SubmissionMade(**_times(SubmissionMade.example | {"evidence": [file]}))
    late = before.model_copy(
        update={
            "id": "late",
            "version": 2,
            "at": datetime(2024, 2, 1, tzinfo=UTC),
            "evidence": [],
        }
    )
    delayed = before.model_copy(update={"id": "delayed", "version": 3, "evidence": []})
    await told(own, "submission", late, delayed)
    own.journal._clock = FrozenClock(FROZEN.at - timedelta(days=1))  # type: ignore[assignment]
    await told(own, "submission", before)
    await read(own)
    package = await packages.get(FROZEN.id)
    record = await packages.record(package)
    (unit,) = record.evidence
    assert [(one.indicator, one.sha256) for one in unit.files] == [("X2", "a" * 64)]
    for taken, codes in ((index_hash([unit]), set()), ("0" * 64, {"evidence"})):
        position = EvidencePosition(events=1, files=1, sha256=taken)
        closing = record.frozen.model_copy(update={"evidence": position})
        held = record.model_copy(update={"frozen": closing})
        found = {finding.code for finding in await packages.look(package, held)}
        assert found & {"evidence"} == codes


async def test_two_changes_at_once_do_not_overwrite_each_other(packages: Packages) -> None:
    package = await packages.get(FROZEN.id)
    await packages.describe(FROZEN.id, date(2024, 1, 10), Signatures(head="Người Ký Mẫu"), [])
    with pytest.raises(ChangedMeanwhileError):
        await packages.store.save(package)
    assert (await packages.get(FROZEN.id)).dated == date(2024, 1, 10)


async def test_an_interrupted_build_is_done_again_with_the_same_bytes(
    packages: Packages, own: Resources
) -> None:
    builder = Builder(packages)
    await builder.look()
    first = await packages.get(FROZEN.id)
    assert first.build.ready
    fields = {"build.done": 0, "build.sha256": ""}
    await packages.store._packages.update_one({"_id": FROZEN.id}, {"$set": fields})
    await packages.store._archives.delete_one({"package": FROZEN.id})
    async with worker(own.settings, Health()):
        again: Package | None = None
        while again is None or not again.build.ready:
            again = await packages.get(FROZEN.id)
    assert again.build.sha256 == first.build.sha256


BROKEN_ONCE = f"""
test -e "$0/seen" && exec {sys.executable} -m services.reports.drawing "$0"
touch "$0/seen"; kill -9 $$"""
ENDLESS = ("sh", "-c", "while sleep 0.05; do echo 1 2; done")


async def test_a_drawing_that_is_killed_begins_again_and_one_that_always_fails_says_so(
    packages: Packages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "PAUSE_SECONDS", 0)
    for program, code in (("kill -9 $$", "killed"), ("exit 1", "failed")):
        await Builder(packages, ("sh", "-c", program)).look()
        assert (await packages.get(FROZEN.id)).build.error == code
        await packages.refresh(FROZEN.id)
    await Builder(packages, ("sh", "-c", BROKEN_ONCE)).look()
    built = (await packages.get(FROZEN.id)).build
    assert (built.ready, built.error) == (True, "")
    assert built.steps == built.steps_of > 0


async def test_a_failed_archive_of_a_checked_package_can_be_built_again(
    packages: Packages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "PAUSE_SECONDS", 0)
    checked = (await packages.get(FROZEN.id)).model_copy(update={"state": "checked"})
    await packages.store.save(checked)
    with pytest.raises(WorkflowError, match="not_a_draft"):
        await packages.refresh(FROZEN.id)
    await Builder(packages, ("false",)).look()
    failed = await packages.get(FROZEN.id)
    again = await packages.refresh(FROZEN.id)
    assert (again.state, again.build.error) == ("checked", "")
    assert again.build.wanted == failed.build.wanted + 1


async def test_a_drawing_ends_with_the_worker_and_when_another_one_is_wanted(
    packages: Packages,
) -> None:
    for end in ("changed", "stopped"):
        drawing = asyncio.create_task(Builder(packages, ENDLESS).look())

        async def is_drawn() -> bool:
            return bool((await packages.get(FROZEN.id)).build.steps)

        await until(is_drawn)
        assert drawings()
        if end == "changed":
            await packages.refresh(FROZEN.id)
            await drawing
        else:
            drawing.cancel()
            await asyncio.gather(drawing, return_exceptions=True)
        assert not drawings()
        assert not (await packages.get(FROZEN.id)).build.ready
        await packages.store.progress(FROZEN.id, 0, 0)


def drawings() -> list[str]:
    found = [" ".join(child.cmdline()) for child in psutil.Process().children()]
    return [words for words in found if ENDLESS[-1] in words]


async def test_a_package_of_another_system_is_told_apart(
    packages: Packages, own: Resources, tmp_path: Path
) -> None:
    await Builder(packages).look()
    package = await packages.get(FROZEN.id)
    path = tmp_path / "p.zip"
    path.write_bytes(
        b"".join([c async for c in packages.store.archive(FROZEN.id, package.build.done)])
    )
    found = await against_system(own.journal, record_of(path), package.build.sha256)
    # The standings were invented: the journal has no event that leads to them.
    assert any("recomputed" in line for line in found)
    assert not any("plan.json" in line for line in found)
    other = record_of(path).model_copy(
        update={"plan": SMALL.model_copy(update={"decision": "1/KH"})}
    )
    assert "data/plan.json: not the plan that was published" in await against_system(
        own.journal, other, ""
    )


async def test_what_is_set_aside_elsewhere_is_counted_without_being_read(
    own: Resources,
) -> None:
    ask = Elsewheres(own)
    assert await ask(FROZEN) == Elsewhere(0, 0)
    line = to_line(to_event(DossierRecorded.example | {"procedure": "9.999"}))
    later = to_line(
        to_event(
            DossierRecorded.example
            | {"received_at": "2025-01-05T08:00:00+07:00", "due_at": None, "finished_at": None}
        )
    )
    await ask._quarantine.set_aside(
        [Aside(one, "procedure", "unknown", "dvc.haugiang", "H30") for one in (line, later)]
    )
    await ask._letters[0].insert_one({"_id": "x", "replayed_at": None})
    assert await ask(FROZEN) == Elsewhere(1, 1)
