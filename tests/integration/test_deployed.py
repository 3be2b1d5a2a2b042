"""The containers of `docker-compose.yml` as processes of this machine: with passwords, on least privileges, watched.

Not tried here, for want of an engine: the images themselves, their networks and health checks.
"""

import json
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pymongo
import pytest
import redis
import yaml
from pymongo.errors import OperationFailure, PyMongoError

from contracts.events import DossierRecorded
from services.cli import WORKERS
from services.runtime.backup.content import check
from services.runtime.binaries import find
from services.runtime.datafolder import free_port
from tests.support.deployment import (
    ALERTS,
    DEPLOY,
    command_of,
    environment_of,
    make_secrets,
    queries,
)
from tests.support.system import PLAN, ROOT
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("deployed")]
LIMIT = 60
DOSSIER: dict[str, Any] = DossierRecorded.example | {"unit": "31408", "fee_due": None}
NOT_YET = {"notifier", "reports"} - set(WORKERS)
"""Workers whose alerts and panels have no data because this program has no such worker."""
ONLY_AFTER_SOMETHING = ("Dead letters", "Lost by the bus", "Notices by fate", "Mails an hour")
"""Panels that are rightly empty until something went wrong, or somebody had to be told."""


@dataclass(slots=True)
class Deployed:
    """What runs, and where."""

    secrets: Path
    folder: Path
    mongo: str
    ports: dict[str, int] = field(default_factory=dict)
    started: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def start(self, *words: str | Path, env: dict[str, str] | None = None) -> None:
        """A process that ends with the block."""
        with (self.folder / "log").open("ab") as log:
            self.started.append(
                subprocess.Popen(
                    [str(word) for word in words], env=env, cwd=ROOT, stdout=log, stderr=log
                )
            )

    def end(self) -> None:
        """Leave nothing behind."""
        for process in reversed(self.started):
            process.kill()
        for process in self.started:
            process.wait(10)

    def log(self) -> str:
        """The end of what all of them said."""
        return (self.folder / "log").read_text(errors="replace")[-3_000:]

    def secret(self, name: str) -> str:
        """One secret."""
        return (self.secrets / name).read_text("utf-8").strip()

    def client(self, name: str) -> "pymongo.MongoClient[dict[str, Any]]":
        """The database as one of its users."""
        return pymongo.MongoClient(
            self.secret(f"mongo_url_{name}"), serverSelectionTimeoutMS=20_000
        )

    def command(self, *words: str) -> str:
        """`thidua …` in the container for commands."""
        data = self.folder / "data"
        if not data.exists():
            data.mkdir()
            (data / "keys").symlink_to(self.secrets / "keys")  # mounted there by compose
        done = subprocess.run(
            [*command_of("commands")[:3], *words, "--data", str(data)],
            env=environment_of("commands", self.secrets, {}),
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @property
    def base(self) -> str:
        """Where the web process is."""
        return f"http://127.0.0.1:{self.ports['web']}"


def start_databases(system: Deployed, mongo_port: int, redis_port: int) -> None:
    """As the official images do: a key file, a root user, a password."""
    (system.folder / "mongod").mkdir()
    keyfile = system.folder / "keyfile"
    shutil.copy(system.secrets / "mongo_keyfile", keyfile)
    keyfile.chmod(0o400)
    system.start(
        find("mongod").path, "--dbpath", system.folder / "mongod", "--port", str(mongo_port),
        "--bind_ip", "127.0.0.1", "--replSet", "rs0", "--keyFile", keyfile,
    )  # fmt: skip
    conf = system.folder / "redis.conf"
    conf.write_text(
        f"{system.secret('redis.conf')}\nport {redis_port}\nbind 127.0.0.1\ndir {system.folder}\n"
    )
    system.start(find("redis-server").path, conf)


def make_users(system: Deployed, port: int) -> None:
    """What `deploy/mongo/init.js` does with `access.json`."""
    password = system.secret("mongo_root_password")
    local = f"mongodb://127.0.0.1:{port}/?directConnection=true"
    with pymongo.MongoClient[dict[str, Any]](local, serverSelectionTimeoutMS=20_000) as first:
        members = [{"_id": 0, "host": f"127.0.0.1:{port}"}]
        first.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
        wait_until(lambda: bool(first.admin.command("hello")["isWritablePrimary"]))
        first.admin.command("createUser", "root", pwd=password, roles=["root"])
    access = json.loads((DEPLOY / "mongo/access.json").read_text("utf-8"))
    with pymongo.MongoClient[dict[str, Any]](
        local, username="root", password=password, serverSelectionTimeoutMS=20_000
    ) as root:
        privilege = {
            "resource": {"db": "journal", "collection": ""},
            "actions": access["journal"],
        }
        root.journal.command("createRole", "appender", privileges=[privilege], roles=[])
        for user, databases in access["users"].items():
            roles = [{"role": "readWrite", "db": own} for own in databases]
            roles.append({"role": "appender", "db": "journal"})
            secret = system.secret(f"mongo_password_{user}")
            root.admin.command("createUser", user, pwd=secret, roles=roles)


def start_ours(system: Deployed) -> None:
    """Every container of ours, as compose starts it."""
    names = ["web", *(f"worker-{name}" for name in WORKERS)]
    system.ports |= {name: free_port() for name in names}
    urls = json.dumps([f"http://127.0.0.1:{system.ports['worker-scoring']}"])
    (system.folder / "keys").mkdir()
    (system.folder / "keys/verifying").symlink_to(system.secrets / "keys/verifying")
    for name in names:
        changed = {"THIDUA_PORT": str(system.ports[name])}
        if name == "web":
            changed |= {
                "THIDUA_WORKER_URLS": urls,
                "THIDUA_KEYS_DIR": str(system.folder / "keys"),
                "FORWARDED_ALLOW_IPS": "127.0.0.1",
            }
        env = environment_of(name, system.secrets, changed)
        system.start(*command_of(name), env=env)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("deployed")
    mongo_port, redis_port = free_port(), free_port()
    secrets = make_secrets(
        folder / "secrets", f"127.0.0.1:{mongo_port}", f"127.0.0.1:{redis_port}"
    )
    found = Deployed(secrets, folder, f"127.0.0.1:{mongo_port}")
    with ExitStack() as stack:
        stack.callback(found.end)
        start_databases(found, mongo_port, redis_port)
        make_users(found, mongo_port)
        found.command("plan", "publish", "deploy/plans/phung-hiep-2023")
        start_ours(found)
        wait_until(lambda: is_ready(found.base), LIMIT, found.log)
        yield found


def is_ready(base: str, path: str = "/readyz") -> bool:
    try:
        return httpx.get(f"{base}{path}", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def send(system: Deployed) -> None:
    token = system.command("token", "--role", "portal")
    answer = httpx.post(
        f"{system.base}/api/v1/portal/events",
        json=[DOSSIER, DOSSIER | {"unit": "00000", "dossier": "unknown"}, {"wrong": 1}],
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    )
    assert answer.status_code == 202, answer.text


def counted(system: Deployed) -> int:
    board = httpx.get(
        f"{system.base}/api/v1/standings/{PLAN}/commune", params={"period": "2023"}, timeout=60
    ).json()
    (row,) = [row for row in board["rows"] if row["unit"] == "31408"]
    return int(row["counters"].get("X13", [0, 0])[0])


def test_an_event_reaches_the_board_through_processes_that_may_do_only_their_own(
    system: Deployed,
) -> None:
    send(system)
    wait_until(lambda: counted(system) == 1, LIMIT, system.log)


def test_the_journal_takes_entries_and_gives_none_up(system: Deployed) -> None:
    for name in ("web", "scoring", "commands"):
        with system.client(name) as client:
            kept = client.journal.plan.count_documents({})
            client.journal.probe.insert_one({"by": name})
            plans = client.journal.plan
            with pytest.raises(OperationFailure, match="not authorized"):
                plans.delete_many({})
            with pytest.raises(OperationFailure, match="not authorized"):
                plans.update_many({}, {"$set": {"count": 0}})
            with pytest.raises(OperationFailure, match="not authorized"):
                plans.drop()
            assert client.journal.plan.count_documents({}) == kept > 0


def test_a_worker_reads_no_other_services_database_and_a_stranger_reads_none(
    system: Deployed,
) -> None:
    with system.client("scoring") as client:
        client.scoring.marks.find_one({})
        with pytest.raises(OperationFailure, match="not authorized"):
            client.accounts.accounts.find_one({})
    with (
        pymongo.MongoClient[dict[str, Any]](f"mongodb://{system.mongo}/") as stranger,
        pytest.raises(PyMongoError, match="requires authentication"),
    ):
        stranger.scoring.marks.find_one({})
    url = system.secret("redis_url")
    assert redis.Redis.from_url(url).ping()
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(f"redis://{url.partition('@')[2]}").ping()


def test_the_health_check_of_the_image_tells_a_live_process_from_a_dead_one(
    system: Deployed,
) -> None:
    def probe(port: int) -> int:
        return subprocess.run(
            [*command_of("web")[:1], DEPLOY / "probe.py", "/readyz"],
            env={"THIDUA_PORT": str(port)},
            capture_output=True,
            timeout=60,
            check=False,
        ).returncode

    assert probe(system.ports["web"]) == 0
    assert probe(free_port()) == 1


def answer_to(system: Deployed, token: str) -> int:
    return httpx.post(
        f"{system.base}/api/v1/portal/events",
        json=[DOSSIER],
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    ).status_code


def test_the_key_of_tokens_changes_while_everything_runs(system: Deployed) -> None:
    old = system.command("token", "--role", "portal")
    assert answer_to(system, old) == 202
    system.command("keys", "rotate")
    new = system.command("token", "--role", "portal")
    assert (answer_to(system, new), answer_to(system, old)) == (202, 202)
    assert "is retired" in system.command("keys", "retire")
    wait_until(lambda: answer_to(system, old) == 401)
    assert answer_to(system, new) == 202


def test_the_user_for_commands_may_read_enough_for_a_backup(system: Deployed) -> None:
    file = system.folder / "whole.bak"
    assert "documents of" in system.command("backup", str(file))
    counts = check(file, None)
    assert counts["journal.plan"] == 1
    assert {"accounts", "scoring"} <= {name.partition(".")[0] for name in counts}


def test_no_log_holds_a_secret_even_of_what_cannot_be_reached(system: Deployed) -> None:
    token = system.command("token", "--role", "portal")
    answer_to(system, token)
    answer_to(system, token[:-4])
    elsewhere = system.folder / "elsewhere"
    nowhere = f"127.0.0.1:{free_port()}"
    shutil.copytree(system.secrets, elsewhere)
    for name in ("mongo_url_scoring", "redis_url"):
        host = system.secret(name).partition("@")[2].partition("/")[0]
        (elsewhere / name).write_text(system.secret(name).replace(host, nowhere), "utf-8")
    env = environment_of("worker-scoring", elsewhere, {"THIDUA_PORT": str(free_port())})
    system.start(*command_of("worker-scoring"), env=env)
    log = system.folder / "log"
    wait_until(lambda: "worker could not start" in log.read_text(errors="replace"), LIMIT)
    said = log.read_text(errors="replace")
    words = {path.name: system.secret(path.name) for path in system.secrets.glob("*password*")}
    assert [name for name, word in words.items() if word and word in said] == []
    assert token.rpartition(".")[2] not in said


def test_the_proxy_speaks_tls_keeps_operators_pages_inside_and_buffers_no_stream(
    system: Deployed,
) -> None:
    caddy = shutil.which("caddy")
    if caddy is None:
        pytest.skip("caddy is not installed here")
    https, http = free_port(), free_port()
    folder = system.folder / "caddy"
    env = {
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "THIDUA_WEB": f"127.0.0.1:{system.ports['web']}",
        "THIDUA_INNER_HTTP_PORT": str(http),
        "THIDUA_INNER_HTTPS_PORT": str(https),
    }
    config = DEPLOY / "caddy/Caddyfile"
    system.start(caddy, "run", "--config", config, "--adapter", "caddyfile", env=env)
    authority = folder / "caddy/pki/authorities/local/root.crt"
    wait_until(authority.exists, LIMIT, system.log)
    context = ssl.create_default_context(cafile=authority)
    base = f"https://localhost:{https}"
    with httpx.Client(verify=context, base_url=base, timeout=60) as client:
        wait_until(lambda: answers(client), LIMIT, system.log)
        page = client.get("/sign-in", headers={"Accept": "text/html"})
        assert page.status_code == 200
        assert page.headers["Strict-Transport-Security"].startswith("max-age=31536000")
        assert "server" not in page.headers
        for path in ("/metrics", "/readyz", "/healthz"):
            assert client.get(path).status_code == 404
        with client.stream("GET", f"/api/v1/standings/{PLAN}/commune/stream") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            assert next(stream.iter_lines())
        plain = httpx.get(f"http://localhost:{http}/", timeout=60)
        assert plain.status_code == 308


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/").status_code < 500
    except httpx.HTTPError:
        return False


def ask(address: str, query: str) -> list[Any]:
    answer = httpx.get(f"{address}/api/v1/query", params={"query": query}, timeout=60).json()
    assert answer["status"] == "success", f"{query}: {answer}"
    return list(answer["data"]["result"])


def has_no_worker(query: str) -> bool:
    return any(f'job="{name}"' in query for name in NOT_YET)


def test_every_query_of_panels_and_alerts_is_answered_by_a_real_prometheus(
    system: Deployed,
) -> None:
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.skip("prometheus is not installed here")
    address = start_prometheus(system, binary)
    wait_until(lambda: is_ready(address, "/-/ready"), LIMIT, system.log)
    wait_until(lambda: len(ask(address, "up == 1")) == len(system.ports), LIMIT, system.log)
    silent = {rule["alert"] for rule in ALERTS}
    wanted = {
        name: query
        for name, query in queries().items()
        if not has_no_worker(query)
        and name not in silent
        and not any(title in name for title in ONLY_AFTER_SOMETHING)
    }
    end = time.monotonic() + LIMIT
    while wanted and time.monotonic() < end:
        send(system)
        wanted = {name: query for name, query in wanted.items() if not ask(address, query)}
    assert not wanted
    for query in queries().values():
        ask(address, query)
    rules = httpx.get(f"{address}/api/v1/rules", timeout=60).json()["data"]["groups"][0]
    assert {rule["name"] for rule in rules["rules"]} == silent
    assert {rule["health"] for rule in rules["rules"]} <= {"ok", "unknown"}
    assert ask(address, "up == 0") == []


def start_prometheus(system: Deployed, binary: str) -> str:
    """The shipped configuration with the addresses of this machine, looked at each second."""
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text("utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    jobs = []
    for job in config["scrape_configs"]:
        (target,) = job["static_configs"][0]["targets"]
        if port := system.ports.get(target.partition(":")[0]):
            jobs.append(job | {"static_configs": [{"targets": [f"127.0.0.1:{port}"]}]})
    folder = system.folder / "prometheus"
    folder.mkdir()
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config | {"scrape_configs": jobs}))
    shutil.copy(DEPLOY / "prometheus/alerts.yml", folder)
    address = f"127.0.0.1:{free_port()}"
    system.start(
        binary, f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}",
    )  # fmt: skip
    return f"http://{address}"
