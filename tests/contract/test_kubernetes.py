"""What kustomize makes of `deploy/kubernetes` is what Kubernetes takes, and agrees with the program and with itself."""

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml

from services.cli import WORKERS
from tests.support.deployment import ADAPTED, DEPLOY, ROOT, is_there

OVERLAYS = ("district", "province", "country")
SLICE = "scoring-slice"
each = pytest.mark.parametrize("overlay", OVERLAYS)


@cache
def objects(overlay: str) -> list[dict[str, Any]]:
    """Everything of an overlay; skips, and says so, where kubectl is missing."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed here")
    made = subprocess.run(
        [kubectl, "kustomize", DEPLOY / "kubernetes/overlays" / overlay],
        cwd=ROOT, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return list(yaml.safe_load_all(made.stdout))


def pods(overlay: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(component, its pod's template) of every process."""
    for one in objects(overlay):
        if one["kind"] in {"Deployment", "StatefulSet"}:
            template = one["spec"]["template"]
            yield template["metadata"]["labels"]["app.kubernetes.io/component"], template


@each
def test_kubernetes_takes_every_object(overlay: str) -> None:
    validator = pytest.importorskip("kubernetes_validate")
    for one in objects(overlay):
        validator.validate(one, validator.latest_version(), strict=True)


@each
def test_every_process_has_its_pod(overlay: str) -> None:
    found = {name: pod["spec"]["containers"][0]["command"][-1] for name, pod in pods(overlay)}
    assert found.pop(SLICE, WORKERS["scoring"]) == WORKERS["scoring"]
    there = {n: module for n, module in found.items() if n == "web" or is_there(n)}
    assert there == {"web": "services.app", **WORKERS}


@each
def test_pods_are_locked_up_and_watched(overlay: str) -> None:
    for name, pod in pods(overlay):
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True, name
        assert pod["spec"]["automountServiceAccountToken"] is False, name
        (container,) = pod["spec"]["containers"]
        box = container["securityContext"]
        assert box["readOnlyRootFilesystem"] is True, name
        assert box["allowPrivilegeEscalation"] is False, name
        assert box["capabilities"] == {"drop": ["ALL"]}, name
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys(), name
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz", "never by others"
        assert "memory" in container["resources"]["limits"], name
        assert ":" in container["image"], "a tag"


@each
def test_whatever_selects_pods_finds_some(overlay: str) -> None:
    found = [pod["metadata"]["labels"] for _, pod in pods(overlay)]
    for one in objects(overlay):
        spec = one.get("spec", {})
        selector = spec.get("selector") or spec.get("podSelector") or {}
        wanted = selector.get("matchLabels", selector)
        assert any(wanted.items() <= labels.items() for labels in found), one["metadata"]


@each
def test_nothing_may_talk_unless_a_policy_says_so(overlay: str) -> None:
    policies = {
        one["metadata"]["name"]: one["spec"]
        for one in objects(overlay)
        if one["kind"] == "NetworkPolicy"
    }
    nobody = policies["thidua-nobody"]
    assert nobody == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert all("from" in rule for spec in policies.values() for rule in spec.get("ingress", ()))


@each
def test_secrets_come_as_files_and_only_the_web_process_sees_public_keys(overlay: str) -> None:
    for name, pod in pods(overlay):
        volumes = [v["secret"]["secretName"] for v in pod["spec"]["volumes"] if "secret" in v]
        keys = ["thidua-public-keys"] if name == "web" else []
        owner = "scoring" if name == SLICE else name
        assert volumes == [f"thidua-{owner}", *keys]
        for variable in pod["spec"]["containers"][0]["env"]:
            assert "secretKeyRef" not in variable.get("valueFrom", {}), (
                "a secret in the environment"
            )


def autoscalers(overlay: str) -> dict[str, Any]:
    """What grows by itself -> how."""
    return {
        one["spec"]["scaleTargetRef"]["name"]: one["spec"]
        for one in objects(overlay)
        if one["kind"] == "HorizontalPodAutoscaler"
    }


@pytest.mark.parametrize(
    ("overlay", "growing"),
    [
        ("district", {}),
        ("province", {"thidua-web": {"cpu", "board_viewers"}}),
        (
            "country",
            {
                "thidua-web": {"cpu", "board_viewers"},
                "thidua-scoring-slice": {"cpu", "consumer_lag_seconds"},
            },
        ),
    ],
)
def test_what_grows_grows_with_what_it_has_to_do(
    overlay: str, growing: dict[str, set[str]]
) -> None:
    found = autoscalers(overlay)
    asked = {
        name: {
            one["pods"]["metric"]["name"] if "pods" in one else one["resource"]["name"]
            for one in spec["metrics"]
        }
        for name, spec in found.items()
    }
    assert asked == growing
    assert set().union(*asked.values()) - {"cpu"} <= ADAPTED.keys(), "nobody serves it"
    there = {one["metadata"]["name"]: one["kind"] for one in objects(overlay) if "spec" in one}
    for name, spec in found.items():
        assert spec["scaleTargetRef"]["kind"] in {"Deployment", "StatefulSet"}, name
        assert name in there


def settings_of(overlay: str) -> dict[str, str]:
    """What its processes are told that is no secret."""
    told: dict[str, str] = {}
    for one in objects(overlay):
        if one["kind"] == "ConfigMap":
            told |= one["data"]
    return told


def sets_of(overlay: str) -> dict[str, Any]:
    """Its sets of pods with an ordinal each, by component."""
    return {
        one["metadata"]["labels"]["app.kubernetes.io/component"]: one["spec"]
        for one in objects(overlay)
        if one["kind"] == "StatefulSet"
    }


@pytest.mark.parametrize(
    ("overlay", "workers"), [("district", 1), ("province", 2), ("country", 2)]
)
def test_several_scoring_workers_agree_by_a_lease_who_speaks(
    overlay: str, workers: int
) -> None:
    assert sets_of(overlay)["scoring"]["replicas"] == workers
    lease = float(settings_of(overlay).get("THIDUA_LEASE_SECONDS", "0"))
    assert (lease > 0) == (workers > 1)


def test_in_a_country_any_number_of_workers_share_the_slices_and_know_their_ordinals() -> None:
    told, workers = settings_of("country"), sets_of("country")[SLICE]
    slices = int(told["THIDUA_SCORING_SLICES"])
    assert autoscalers("country")["thidua-scoring-slice"]["maxReplicas"] == slices
    assert "replicas" not in workers, "the autoscaler decides"
    assert int(told["THIDUA_SCORING_SHARDS"]) % slices == 0
    assert "THIDUA_SCORING_ORDINAL" not in told, "or nobody would sum"
    pod = workers["template"]["spec"]
    (container,) = pod["containers"]
    env = {v["name"]: v for v in container["env"]}
    index = "metadata.labels['apps.kubernetes.io/pod-index']"
    assert env["THIDUA_SCORING_ORDINAL"]["valueFrom"]["fieldRef"]["fieldPath"] == index
    patience = int(env["THIDUA_HAND_OVER_SECONDS"]["value"])
    assert patience < pod["terminationGracePeriodSeconds"], "time to hand over"
    assert SLICE not in sets_of("province")
