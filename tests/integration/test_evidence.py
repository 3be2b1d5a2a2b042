"""Files on a real GridFS: whole or not at all, recognised by content, seen only by whom they concern."""

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from services.intake.workspace.domain.evidence import EvidenceError, clean_name, media_type_of
from services.intake.workspace.domain.report import ReportError
from services.intake.workspace.files import EvidenceRoom, may_see
from services.runtime.auth import Principal, Role
from services.runtime.settings import Settings
from tests.support.office import Office, office

PDF = b"%PDF-1.4\n" + b"x" * 70_000
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0" * 60
FAR = datetime(2099, 1, 1, tzinfo=UTC)


@pytest.fixture
async def here(settings: Settings) -> AsyncIterator[Office]:
    async with office(settings, "2023-09-13T10:00") as here:
        yield here


async def pieces(content: bytes, size: int = 16_384) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def chunks_kept(here: Office) -> int:
    database = here.own.client[here.own.settings.database_prefix + "intake"]
    return await database["evidence_content.chunks"].count_documents({})


async def test_a_file_is_hashed_on_its_way_and_comes_back_as_it_was(here: Office) -> None:
    room = EvidenceRoom(here.workspace)
    place = here.workspace.place(here.plan.id, "31399", "2023-09")
    kept = await room.receive(place, "X5", "../Danh sách\r\n.pdf", pieces(PDF), "a-officer")
    assert (kept.sha256, kept.size) == (hashlib.sha256(PDF).hexdigest(), len(PDF))
    assert (kept.media_type, kept.name, kept.personal) == (
        "application/pdf",
        "Danh sách.pdf",
        True,
    )
    back = b"".join([piece async for piece in await room.content(kept)])
    assert back == PDF
    assert ("a-officer", "evidence.add", kept.id) in here.audit.entries


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("trang.pdf", b"<html><script>alert(1)</script>" + b" " * 70_000, "type_refused"),
        ("hinh.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "type_refused"),
        ("ghi-chu.txt", b"xin chao", "type_refused"),
        ("rong.pdf", b"", "empty"),
        ("lon.pdf", b"%PDF-1.4\n" + b"0" * (51 << 20), "too_large"),
    ],
)
async def test_what_is_not_taken_leaves_no_piece(
    here: Office, name: str, content: bytes, code: str
) -> None:
    room = EvidenceRoom(here.workspace)
    place = here.workspace.place(here.plan.id, "31399", "2023-09")
    with pytest.raises(EvidenceError, match=code):
        await room.receive(place, "X5", name, pieces(content, 1 << 20), "a-officer")
    assert await chunks_kept(here) == 0
    assert await here.workspace.store.attached(here.plan.id, "31399", "2023-09") == []
    await room.receive(place, "X5", "anh.png", pieces(PNG), "a-officer")
    assert await chunks_kept(here) == 1


async def test_an_upload_that_breaks_off_leaves_nothing(here: Office) -> None:
    room = EvidenceRoom(here.workspace)
    place = here.workspace.place(here.plan.id, "31399", "2023-09")

    async def broken() -> AsyncIterator[bytes]:
        yield PDF * 30
        assert await chunks_kept(here) > 0
        yield PDF
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await room.receive(place, "X5", "a.pdf", broken(), "a-officer")
    assert await chunks_kept(here) == 0


async def test_pieces_of_a_killed_upload_are_cleared_away_and_whole_files_are_not(
    here: Office,
) -> None:
    room = EvidenceRoom(here.workspace)
    place = here.workspace.place(here.plan.id, "31399", "2023-09")
    store = here.workspace.store
    kept = await room.receive(place, "X5", "a.png", pieces(PNG), "a-officer")
    key = await store.begin_upload()
    await store.write_piece(key, 0, PDF)
    assert await chunks_kept(here) > 1
    assert await store.clear_broken_uploads() == 0
    assert await store.clear_broken_uploads(hours=-1) == 1
    assert await chunks_kept(here) == 1
    assert b"".join([p async for p in await room.content(kept)]) == PNG


async def test_after_handing_in_files_are_locked_and_a_removed_draft_is_gone(
    here: Office,
) -> None:
    room = EvidenceRoom(here.workspace)
    place = here.workspace.place(here.plan.id, "31399", "2023-09")
    draft = await room.receive(place, "X5", "a.png", pieces(PNG), "a-officer")
    await room.remove(place, draft.id, "a-officer")
    assert await chunks_kept(here) == 0
    kept = await room.receive(place, "X2", "a.png", pieces(PNG), "a-officer")
    for duty in here.workspace.duties(place):
        if duty.asked and duty.indicator.code != "X2":
            await here.workspace.save_entry(place, duty.indicator.code, 0, {}, "Không có.")
    report = await here.workspace.submit(place, "a-officer")
    assert [told.id for told in report.versions[0].evidence] == [kept.id]
    with pytest.raises(ReportError, match="locked"):
        await room.remove(place, kept.id, "a-officer")
    with pytest.raises(ReportError, match="locked"):
        await room.receive(place, "X2", "b.png", pieces(PNG), "a-officer")


async def test_personal_files_are_for_the_unit_and_the_reviewers_alone(here: Office) -> None:
    room = EvidenceRoom(here.workspace)
    place = here.workspace.place(here.plan.id, "31399", "2023-09")
    personal = await room.receive(place, "X5", "a.png", pieces(PNG), "a-officer")
    plain = await room.receive(place, "X2", "b.png", pieces(PNG), "a-officer")
    seen = {
        (role, unit): (may_see(who, plain), may_see(who, personal))
        for role in Role
        for unit in ("31399", "31402")
        for who in [Principal("a", {role: frozenset({unit})}, FAR)]
    }
    both = {(Role.OFFICER, "31399"), (Role.HEAD, "31399")}
    both |= {(Role.REVIEWER, unit) for unit in ("31399", "31402")}
    some = {
        (role, u)
        for role in (Role.OBSERVER, Role.LEADER, Role.ADMIN)
        for u in ("31399", "31402")
    }
    for who, verdict in seen.items():
        assert verdict == (who in both | some, who in both), who
    with pytest.raises(LookupError):
        await room.find(personal.id, Principal("a", {Role.OFFICER: frozenset({"31402"})}, FAR))
    found = await room.find(personal.id, Principal("a", {Role.REVIEWER: frozenset()}, FAR))
    assert found == personal
    assert ("a", "evidence.read", personal.id) in here.audit.entries


async def test_content_is_purged_when_the_plan_says_so_and_that_is_recorded(
    here: Office,
) -> None:
    room = EvidenceRoom(here.workspace)
    place = here.workspace.place(here.plan.id, "31399", "2023-09")
    personal = await room.receive(place, "X5", "a.png", pieces(PNG), "a-officer")
    plain = await room.receive(place, "X2", "b.png", pieces(PNG), "a-officer")
    here.at("2024-12-31T23:00")
    assert await room.purge() == 0
    here.at("2025-01-01T00:00")
    assert await room.purge() == 1
    assert ("retention", "evidence.purge", personal.id) in here.audit.entries
    gone = await here.workspace.store.one_evidence(personal.id)
    assert gone is not None
    with pytest.raises(LookupError):
        await room.content(gone)
    assert b"".join([p async for p in await room.content(plain)]) == PNG
    assert await room.purge() == 0


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("C:\\Hồ sơ\\báo cáo.pdf", "báo cáo.pdf"),
        ("../../etc/passwd", "passwd"),
        ('a"b<c>.pdf', "a_b_c_.pdf"),
        ("\u202egpj.exe.pdf", "gpj.exe.pdf"),
        ("x" * 300 + ".pdf", "x" * 116 + ".pdf"),
        ("...", "tep"),
    ],
)
def test_file_names_are_cleaned(given: str, kept: str) -> None:
    assert clean_name(given) == kept


@pytest.mark.parametrize(
    ("head", "name", "kind"),
    [
        (PDF, "a.pdf", "application/pdf"),
        (PDF, "a.xlsx", "application/pdf"),
        (PNG, "a.jpg", "image/png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "a.jpg", "image/jpeg"),
        (b"RIFF\x24\x08\0\0WAVEfmt ", "a.wav", "audio/x-wav"),
        (b"ID3\x04\0\0\0", "a.mp3", "audio/mpeg"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 600, "a.xls", "application/vnd.ms-excel"),
    ],
)
def test_a_file_is_what_its_content_says(head: bytes, name: str, kind: str) -> None:
    assert media_type_of(head, name) == kind
