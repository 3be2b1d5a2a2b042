"""The files of `deploy/` as data, and the containers of `docker-compose.yml` as processes of this machine."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ALERTS: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
PANELS: list[dict[str, Any]] = [
    panel
    for file in sorted((DEPLOY / "grafana/dashboards").glob("*.json"))
    for panel in json.loads(file.read_text("utf-8"))["panels"]
    if panel["type"] != "row"
]
ADAPTED: dict[str, str] = {
    rule["name"]["as"]: rule["metricsQuery"]
    .replace("<<.Series>>", rule["name"]["as"])
    .replace("<<.GroupBy>>", "job")
    .replace("<<.LabelMatchers>>", 'job!=""')
    for rule in yaml.safe_load((DEPLOY / "prometheus/adapter.yml").read_text("utf-8"))["rules"]
}
"""Metric that an autoscaler may ask for -> the query behind it, with `job` in the place of a pod."""
OUR_METRICS = re.compile(
    r"\b(?:intake|journal|catch_up|consumer|dead_letters|worker|scoring|board|notifier|reports)_\w+"
)


def queries() -> dict[str, str]:
    """Name of each alert, of each line of a panel and of each metric of autoscalers -> its PromQL."""
    found = {rule["alert"]: rule["expr"] for rule in ALERTS}
    found |= {f"autoscaling {name}": query for name, query in ADAPTED.items()}
    for panel in PANELS:
        for target in panel["targets"]:
            found[f"{panel['title']} {target['refId']}"] = target["expr"]
    return found


def workers() -> dict[str, str]:
    """Name of each worker's container, without `worker-` -> the module that it runs."""
    return {
        name.removeprefix("worker-"): service["command"][-1]
        for name, service in SERVICES.items()
        if name.startswith("worker-")
    }


def is_there(service: str) -> bool:
    """Whether this program has such a service at all."""
    return find_spec(f"services.{service}") is not None


def ours() -> dict[str, dict[str, Any]]:
    """The containers of our own image."""
    return {name: found for name, found in SERVICES.items() if "thidua" in found["image"]}


def make_secrets(folder: Path, mongo: str = "mongo:27017", redis: str = "redis:6379") -> Path:
    """What `make-secrets.sh` makes, with the addresses of servers of this machine."""
    subprocess.run(
        ["/bin/sh", str(DEPLOY / "make-secrets.sh"), str(folder)],
        check=True,
        capture_output=True,
        timeout=60,
    )
    for path in folder.glob("*_url*"):
        text = path.read_text("utf-8").replace("mongo:27017", mongo)
        path.write_text(text.replace("redis:6379", redis), "utf-8")
    return folder


def environment_of(name: str, secrets: Path, changed: Mapping[str, str]) -> dict[str, str]:
    """What a container is told, for a process that reads its secrets from a folder."""
    told = {
        key: re.sub(r"\$\{\w+:-(.*?)\}", r"\1", str(value)).replace(
            "/run/secrets", str(secrets)
        )
        for key, value in SERVICES[name]["environment"].items()
    }
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    return kept | {"THIDUA_HOST": "127.0.0.1"} | told | dict(changed)


def command_of(name: str) -> list[str]:
    """What a container runs, by this interpreter."""
    first, *rest = SERVICES[name]["command"]
    return (
        [sys.executable, *rest]
        if first == "python"
        else [sys.executable, "-m", "services.cli", *rest]
    )
