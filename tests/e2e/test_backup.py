"""The drill: a backup of a running system comes back on an empty folder with the same board to the last byte."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gridfs
import httpx
import pymongo
import pytest

from services.runtime.backup.archive import ArchiveError
from services.runtime.backup.restoring import restore
from services.runtime.clock import wall_now
from services.runtime.datafolder import DataFolderError, free_port, running
from tests.support.system import PERIODS, Sender, System, command, events_of, sending
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.timeout(240), pytest.mark.xdist_group("programs")]
EVENTS = 4_000
PICTURE = bytes(range(256)) * 3_000


class Drill:
    """One system, two backups of it: one in the middle of the load, one encrypted after it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.system = System(folder / "data", free_port())
        self.events = events_of(21, EVENTS)
        self.under_load, self.after = folder / "under-load.bak", folder / "after.bak"
        self.passphrase = folder / "passphrase"
        self.passphrase.write_text("một câu đủ dài để không ai đoán được\n", "utf-8")

    async def run(self) -> None:
        """Send half, note the time, send the rest while a backup is taken."""
        half = len(self.events) // 2
        first = Sender(self.system, self.events[:half], 1)
        await first.run()
        self.first_accepted = first.accepted
        self.between = wall_now().isoformat()
        self.put_picture()
        second = Sender(self.system, self.events[half:], 2)
        async with sending(second, 0.05):
            self.said = await asyncio.to_thread(self.backup, self.under_load)
        self.accepted = first.accepted + second.accepted
        wait_until(lambda: not self.system.wrong(self.events))
        self.backup(self.after, "--passphrase-file", str(self.passphrase))

    def put_picture(self) -> None:
        run = running(self.system.data)
        assert run is not None
        with pymongo.MongoClient[dict[str, Any]](run.mongo_url) as client:
            gridfs.GridFS(client.intake, "evidence").put(PICTURE, filename="ảnh.jpg")
            client.intake.evidence.create_index("unit", name="by_unit")

    def backup(self, file: Path, *words: str) -> str:
        done = command("backup", str(file), "--data", str(self.system.data), *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def restore(self, file: Path, name: str, *words: str) -> Any:
        return command("restore", str(file), "--data", str(self.folder / name), *words)


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    found = Drill(tmp_path_factory.mktemp("drill"))
    try:
        found.system.start()
        asyncio.run(found.run())
        yield found
    finally:
        found.system.end()


def boards(system: System) -> list[Any]:
    """Every row of every board, without what says when and by whom it was read."""
    return [
        system.standings(bloc, period)["rows"]
        for bloc in ("commune", "department")
        for period in PERIODS
    ]


def answer_to(system: System, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    url = f"{system.base}/api/v1/portal/events"
    return httpx.post(url, json=events_of(21, 1)[:1], headers=headers, timeout=60).status_code


def events_in(verdict: str) -> int:
    return int(re.findall(r"from ([\d,]+) events", verdict)[0].replace(",", ""))


def test_a_restored_system_shows_the_same_board_and_has_the_same_files_and_keys(
    drill: Drill,
) -> None:
    token = drill.system.token()
    done = drill.restore(drill.after, "second", "--passphrase-file", str(drill.passphrase))
    assert done.returncode == 0, done.stderr
    assert re.search(r"checked in \d+\.\d s, restored in \d+\.\d s", done.stdout)
    second = System(drill.folder / "second", free_port())
    try:
        second.start()
        wait_until(lambda: boards(second) == boards(drill.system), why=second.tail)
        verdict = second.verify()
        assert verdict.returncode == 0, verdict.stdout
        assert events_in(verdict.stdout) == drill.accepted
        run = running(second.data)
        assert run is not None
        with pymongo.MongoClient[dict[str, Any]](run.mongo_url) as client:
            found = gridfs.GridFS(client.intake, "evidence").find_one({"filename": "ảnh.jpg"})
            assert found is not None
            assert found.read() == PICTURE
            assert "by_unit" in client.intake.evidence.index_information()
        assert answer_to(second, token) == 202
        keys = "keys/signing.pem"
        assert (second.data / keys).read_bytes() == (drill.system.data / keys).read_bytes()
        assert (second.data / keys).stat().st_mode & 0o777 == 0o600
    finally:
        second.end()


def test_a_backup_taken_under_load_is_whole_up_to_its_bound(drill: Drill) -> None:
    assert re.search(r"written in \d+\.\d s, read back in \d+\.\d s", drill.said)
    assert drill.under_load.stat().st_mode & 0o777 == 0o600
    done = drill.restore(drill.under_load, "loaded")
    assert done.returncode == 0, done.stderr
    verdict = command("verify", "--data", str(drill.folder / "loaded"), timeout=120)
    assert verdict.returncode == 0, verdict.stdout
    assert drill.first_accepted <= events_in(verdict.stdout) <= drill.accepted
    audited = command("audit", "verify", "--data", str(drill.folder / "loaded"))
    assert audited.stdout.strip().endswith("0 faults"), audited.stdout


def test_a_restore_as_of_an_instant_has_what_was_accepted_until_then(drill: Drill) -> None:
    words = ["--passphrase-file", str(drill.passphrase), "--until", drill.between]
    done = drill.restore(drill.after, "until", *words)
    assert done.returncode == 0, done.stderr
    assert "are later than" in done.stdout
    verdict = command("verify", "--data", str(drill.folder / "until"), timeout=120)
    assert verdict.returncode == 0, verdict.stdout
    assert events_in(verdict.stdout) == drill.first_accepted


def test_a_folder_in_use_or_with_anything_in_it_is_refused(drill: Drill) -> None:
    with pytest.raises(DataFolderError, match="is in use"):
        asyncio.run(restore(drill.under_load, drill.system.data, None, None))
    full = drill.folder / "full"
    full.mkdir()
    (full / "letter.txt").write_text("keep me")
    refused = drill.restore(drill.under_load, "full")
    assert (refused.returncode, "is not empty" in refused.stderr) == (1, True)
    assert [path.name for path in full.iterdir()] == ["letter.txt"]


def test_a_damaged_file_restores_nothing_and_is_named(drill: Drill) -> None:
    bad, nothing = drill.folder / "bad.bak", drill.folder / "nothing"
    whole = drill.under_load.read_bytes()
    for content, why in (
        (whole[: len(whole) // 2], "bad.bak is damaged: it is cut off after"),
        (whole[:-400] + b"\0" + whole[-399:], "bad.bak is damaged: bytes were changed"),
    ):
        bad.write_bytes(content)
        with pytest.raises(ArchiveError, match=why):
            asyncio.run(restore(bad, nothing, None, None))
    with pytest.raises(ArchiveError, match="the passphrase is not the one"):
        asyncio.run(restore(drill.after, nothing, "another one", None))
    assert not nothing.exists()
    said = drill.restore(bad, "nothing").stderr
    assert said.startswith(f"thidua: {bad} is damaged: ")
