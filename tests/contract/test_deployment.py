"""The files of `deploy/` agree with the program, with each other, and with the tools that will read them."""

import json
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import prometheus_client
import pytest
import yaml

from services.cli import WORKERS
from services.runtime.auth import Keys, Role, TokenVerifier, issue
from services.runtime.keys import PublicKeys
from tests.support.deployment import (
    ALERTS,
    COMPOSE,
    DEPLOY,
    OUR_METRICS,
    PANELS,
    ROOT,
    SERVICES,
    is_there,
    make_secrets,
    ours,
    queries,
    workers,
)

PROFILES = ("development", "production")
JOBS = ("notifier", "reports")
"""Services whose metrics begin with their name."""


def run(tool: str, *words: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run a tool of the operator's; skip, and say so, where it is not installed."""
    path = shutil.which(tool) or shutil.which(tool, path=str(Path(sys.executable).parent))
    if path is None:
        pytest.skip(f"{tool} is not installed here")
    return subprocess.run(
        [path, *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def test_each_worker_has_a_container_and_each_such_container_a_worker() -> None:
    assert {name: module for name, module in workers().items() if is_there(name)} == WORKERS


@pytest.mark.parametrize("profile", PROFILES)
def test_compose_takes_the_file(profile: str) -> None:
    said = run("docker-compose", "--profile", profile, "config")
    assert said.returncode == 0, said.stderr
    found = yaml.safe_load(said.stdout)["services"]
    assert set(found) == set(SERVICES)


def test_mails_are_caught_in_development_only() -> None:
    assert SERVICES["mailpit"]["profiles"] == ["development"]
    for name in ("proxy", "prometheus", "grafana"):
        assert SERVICES[name]["profiles"] == list(PROFILES)


def test_our_containers_are_locked_up() -> None:
    assert {"web", "commands"} < set(ours())
    for name, service in ours().items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert "user" not in service, "the image's own user"
    dockerfile = (DEPLOY / "Dockerfile").read_text("utf-8")
    assert re.findall(r"^USER (.+)$", dockerfile, re.MULTILINE) == ["10001:10001"]


def test_only_the_proxy_is_reachable_from_other_machines() -> None:
    open_to_all = {
        name
        for name, service in SERVICES.items()
        for port in service.get("ports", ())
        if not port.startswith("127.0.0.1:")
    }
    assert open_to_all == {"proxy"}
    assert COMPOSE["networks"]["inner"]["internal"] is True
    inside = {name for name, found in SERVICES.items() if found["networks"] == ["inner"]}
    assert {"mongo", "redis", "worker-scoring"} <= inside


def test_no_secret_stands_in_an_environment() -> None:
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            secret = re.search("PASSWORD|SECRET|TOKEN|MONGO_URL|REDIS_URL", key)
            assert not secret or str(value).startswith("/run/secrets/"), f"{name} {key}"
            if str(value).startswith("/run/secrets/"):
                assert Path(value).name in service["secrets"], f"{name} {key}"


def test_the_script_makes_every_secret_once_and_closes_the_folder(tmp_path: Path) -> None:
    folder = make_secrets(tmp_path / "secrets")
    wanted = {Path(found["file"]).name for found in COMPOSE["secrets"].values()}
    assert {path.name for path in folder.iterdir()} == wanted | {"keys"}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    make_secrets(folder)
    assert before == {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    passwords = [text for name, text in before.items() if "password" in name and text]
    assert len(set(passwords)) == len(passwords) > 5


def test_what_the_containers_see_of_the_keys_verifies_a_token_and_signs_none(
    tmp_path: Path,
) -> None:
    folder = make_secrets(tmp_path / "secrets")
    token = issue(Keys(folder / "keys").signing(), Role.PORTAL)
    (mount,) = SERVICES["web"]["volumes"]
    source, target, mode = mount.split(":")
    assert (source, mode) == ("./deploy/secrets/keys/verifying", "ro")
    shutil.copytree(folder / "keys/verifying", tmp_path / target.lstrip("/"))
    seen = Keys(tmp_path / Path(target).parent.name)
    assert set(TokenVerifier(PublicKeys(seen)).verify(token).grants) == {Role.PORTAL}
    assert not list((tmp_path / "keys").rglob("signing.pem"))


def test_every_user_of_the_database_has_a_secret_and_the_journal_is_append_only() -> None:
    access = json.loads((DEPLOY / "mongo/access.json").read_text("utf-8"))
    urls = {name.removeprefix("mongo_url_") for name in COMPOSE["secrets"] if "_url_" in name}
    assert set(access["users"]) == urls
    assert not {"update", "remove", "dropCollection"} & set(access["journal"])
    assert all("journal" not in databases for databases in access["users"].values())


def test_every_alert_has_its_runbook_and_every_runbook_its_alert() -> None:
    named = {rule["annotations"]["runbook"] for rule in ALERTS}
    assert named == {f"docs/runbooks/{rule['alert']}.md" for rule in ALERTS}
    written = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "docs/runbooks").glob("*.md")
        if path.name != "README.md"
    }
    assert written == named
    for rule in ALERTS:
        words = rule["annotations"]
        assert words["summary"], rule["alert"]
        assert words["summary_vi"], rule["alert"]
        assert rule["labels"]["severity"] in {"page", "ticket"}


def test_every_query_names_metrics_that_exist() -> None:
    for module in ("services.app", *WORKERS.values()):
        __import__(module)
    made = set()
    for metric in prometheus_client.REGISTRY.collect():
        if metric.type == "counter":
            made.add(f"{metric.name}_total")
        elif metric.type == "histogram":
            made |= {f"{metric.name}_{part}" for part in ("bucket", "count", "sum")}
        else:
            made.add(metric.name)
    for name, query in queries().items():
        named = OUR_METRICS.findall(query)
        of_ours = {
            n for n in named if n.partition("_")[0] not in JOBS or is_there(n.partition("_")[0])
        }
        unknown = of_ours - made
        assert not unknown, f"{name}: {unknown}"


def test_every_panel_says_where_its_data_is_from() -> None:
    source = yaml.safe_load(
        (DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text("utf-8")
    )["datasources"][0]
    assert source["url"] == "http://prometheus:9090"
    for panel in PANELS:
        assert panel["datasource"]["uid"] == source["uid"], panel["title"]
        assert " · " in panel["title"], "Vietnamese first, then English"


def test_prometheus_scrapes_every_process_of_ours() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text("utf-8"))
    targets = {job["static_configs"][0]["targets"][0] for job in config["scrape_configs"]}
    assert targets == {f"{name}:8000" for name in ours() if name != "commands"}


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ("promtool", ["check", "config", "deploy/prometheus/prometheus.yml"]),
        ("promtool", ["check", "rules", "--lint=all", "--lint-fatal", "deploy/prometheus/alerts.yml"]),
        ("caddy", ["validate", "--config", "deploy/caddy/Caddyfile", "--adapter", "caddyfile"]),
        ("hadolint", ["deploy/Dockerfile"]),
        ("node", ["--check", "deploy/mongo/init.js"]),
    ],
)  # fmt: skip
def test_the_tools_that_will_read_a_file_take_it(tool: str, words: list[str]) -> None:
    said = run(tool, *words)
    assert said.returncode == 0, said.stdout + said.stderr


def test_the_image_holds_every_file_that_the_program_needs(tmp_path: Path) -> None:
    """What `pip install .` installs is what git tracks, templates and translations included."""
    tracked = subprocess.run(
        ["git", "ls-files", "services", "contracts"],  # noqa: S607
        cwd=ROOT, capture_output=True, text=True, check=False,
    ).stdout.split()  # fmt: skip
    if not tracked:
        pytest.skip("not in a git checkout")
    source = tmp_path / "source"
    for name in (*tracked, "pyproject.toml", "README.md", "LICENSE"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    made = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation",
         "--quiet", "--wheel-dir", tmp_path, source],
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    assert [name for name in tracked if name not in packed and not name.endswith(".md")] == []
