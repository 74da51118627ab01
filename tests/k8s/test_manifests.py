"""The manifests: they build, are what the API takes, and agree with the code."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate  # type: ignore[import-untyped]  # it has no type hints
import pytest
from k8s.rendering import K8S, Manifest, find, find_tool, list_containers, load, render
from tailrace_edge.app import create_app
from tailrace_edge.server import _GRACE
from tailrace_edge.settings import Settings

pytestmark = pytest.mark.timeout(900)
"""The first one builds kustomize and kube-score, which all others wait for."""

OVERLAYS = ["dev", "prod", "prod-nginx"]
"""Those that run Tailrace."""

ALL = [*OVERLAYS, "loadtest"]
SCHEMAS = Path(__file__).with_name("schemas")
VERSION = "1.32"
"""Of Kubernetes."""


def read_environment(container: Manifest) -> dict[str, str]:
    """Return the variables of a container; those from Secrets with a value that fits."""
    secrets = {
        "nats-url": "nats://edge:x@host:4222",
        "publish-nats-url": "nats://publisher:x@host:4222",
        "jwt-secret": "x" * 32,
        "ticket-secret": "x" * 32,
        "jwks-urls": "https://issuer.example/keys",
    }
    found: dict[str, str] = {}
    for variable in container.get("env", []):
        source = variable.get("valueFrom", {}).get("secretKeyRef", {})
        found[variable["name"]] = variable.get("value") or secrets.get(source.get("key"), "name")
    return found


@pytest.mark.parametrize("overlay", ALL)
def test_every_manifest_is_what_the_api_takes(overlay: str) -> None:
    manifests = load(overlay)
    assert manifests
    for manifest in manifests:
        schema = SCHEMAS / f"{manifest['kind']}.json"
        if schema.exists():
            jsonschema.validate(manifest, json.loads(schema.read_text()))
        else:
            kubernetes_validate.validate(manifest, VERSION, strict=True)


def test_a_misspelled_field_is_found() -> None:
    route = find("prod", "HTTPRoute")
    route["spec"]["rules"][0]["timeout"] = {}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(route, json.loads((SCHEMAS / "HTTPRoute.json").read_text()))
    deployment = find("prod", "Deployment")
    deployment["spec"]["replica"] = 3
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, VERSION, strict=True)


def test_the_one_file_is_the_dev_overlay() -> None:
    # After a change: kustomize build k8s/overlays/dev > k8s/tailrace-dev.yaml
    assert (K8S / "tailrace-dev.yaml").read_text() == render("dev")


def test_one_kind_a_file() -> None:
    for path in K8S.rglob("*.yaml"):
        if path.name != "tailrace-dev.yaml":
            assert len(re.findall(r"^kind:", path.read_text(), re.MULTILINE)) == 1, path


@pytest.mark.parametrize("overlay", ALL)
def test_the_linter_finds_nothing_that_is_not_explained(overlay: str) -> None:
    explained = [
        # A limit makes the kernel hold an edge back in the middle of a burst; requests share the CPU well enough.
        "--ignore-container-cpu-limit",
        # Images are named by version, and a node that has one needs no registry.
        "--ignore-test=container-image-pull-policy",
    ]
    if overlay == "dev":
        # One of each, on a machine of one's own, with nothing to protect from one another.
        explained += [
            f"--ignore-test={name}" for name in ("pod-networkpolicy", "statefulset-has-poddisruptionbudget",
            "deployment-has-poddisruptionbudget", "deployment-replicas", "statefulset-has-host-podantiaffinity",
            "deployment-has-host-podantiaffinity")
        ]  # fmt: skip
    done = subprocess.run(
        [find_tool("kube-score"), "score", "--output-format=ci", *explained, "-"],
        input=render(overlay), check=False, capture_output=True, text=True,
    )  # fmt: skip
    findings = [line for line in done.stdout.splitlines() if line.startswith(("[CRITICAL]", "[WARNING]"))]
    assert "[OK]" in done.stdout, done.stderr
    assert findings == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_settings_exist_and_are_taken(overlay: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = 0
    for owner, _, container in list_containers(overlay):
        environment = read_environment(container)
        names = {name.removeprefix("TAILRACE_").lower() for name in environment if name.startswith("TAILRACE_")}
        assert names <= set(Settings.model_fields), owner
        if owner == "tailrace-edge":
            seen += 1
            with monkeypatch.context() as patch:
                for name, value in environment.items():
                    patch.setenv(name, value)
                settings = Settings()
            assert settings.auth == ("none" if overlay == "dev" else "jwt")
            assert settings.insecure == (overlay == "dev")
    assert seen == 1


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_probes_and_ports_agree_with_the_code(overlay: str) -> None:
    container = find(overlay, "Deployment", "tailrace-edge")["spec"]["template"]["spec"]["containers"][0]
    [port] = container["ports"]
    assert str(port["containerPort"]) == read_environment(container)["TAILRACE_PORT"]
    paths = set(create_app(Settings(nats_url="nats://127.0.0.1:1")).openapi()["paths"])
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] == port["name"]
        assert container[probe]["httpGet"]["path"] in paths
    service = find(overlay, "Service", "tailrace-edge")["spec"]
    assert service["ports"][0]["targetPort"] == port["name"]
    if overlay != "dev":
        [endpoint] = find(overlay, "ServiceMonitor")["spec"]["endpoints"]
        assert endpoint["path"] in paths
        assert endpoint["port"] == service["ports"][0]["name"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_drain_fits_the_grace_period(overlay: str) -> None:
    pod = find(overlay, "Deployment", "tailrace-edge")["spec"]["template"]["spec"]
    [container] = pod["containers"]
    wait = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    window = float(read_environment(container)["TAILRACE_DRAIN_WINDOW"])
    assert wait + window + _GRACE < pod["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("overlay", ALL)
def test_pods_have_no_more_than_they_need(overlay: str) -> None:
    for owner, pod, container in list_containers(overlay):
        assert pod["automountServiceAccountToken"] is False, owner
        assert pod["securityContext"]["runAsNonRoot"] is True
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert not container["image"].endswith(":latest")
        assert ":" in container["image"]
        assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("overlay", ALL)
def test_nothing_in_git_is_secret(overlay: str) -> None:
    assert not [manifest for manifest in load(overlay) if manifest["kind"] == "Secret"]
    for _, _, container in list_containers(overlay):
        for variable in container.get("env", []):
            value = variable.get("value", "")
            assert "@" not in value, variable["name"]
            assert value == "" or not re.search("SECRET|PASSWORD", variable["name"])


def test_selectors_find_their_pods() -> None:
    for overlay in ALL:
        labels: list[dict[str, str]] = [
            manifest["spec"]["template"]["metadata"]["labels"]
            for manifest in load(overlay)
            if manifest["kind"] in ("Deployment", "StatefulSet", "Job")
        ]
        for manifest in load(overlay):
            spec: dict[str, Any] = manifest.get("spec", {})
            selector = spec.get("podSelector") or spec.get("selector") or {}
            wanted = selector.get("matchLabels", selector)
            assert any(wanted.items() <= each.items() for each in labels), manifest["metadata"]["name"]


def test_the_brokers_passwords_are_named_in_the_config_as_in_the_docs() -> None:
    config = (K8S / "overlays/prod/nats.conf").read_text()
    names = set(re.findall(r"\$(NATS_[A-Z]+_PASSWORD)", config))
    page = (K8S.parent / "docs/kubernetes.md").read_text()
    assert names == set(re.findall(r"NATS_[A-Z]+_PASSWORD", page)) & names
    assert names


def test_the_load_test_reaches_the_edges_and_its_master() -> None:
    containers = {owner: container for owner, _, container in list_containers("loadtest")}
    master, worker = containers["tailrace-loadtest-master"], containers["tailrace-loadtest-worker"]
    options = dict(argument.partition("=")[::2] for argument in master["args"])
    edges = find("prod", "Service", "tailrace-edge")
    assert options["--host"] == f"http://{edges['metadata']['name']}"
    assert edges["spec"]["ports"][0]["port"] == 80
    assert options["--expect-workers"] == str(
        find("loadtest", "Job", "tailrace-loadtest-worker")["spec"]["parallelism"]
    )

    service = find("loadtest", "Service")
    assert f"--master-host={service['metadata']['name']}" in worker["args"]
    assert service["spec"]["ports"][0]["port"] == master["ports"][0]["containerPort"] == 5557  # locust's own
    for container in (master, worker):
        [file] = [argument.partition("=")[2] for argument in container["args"] if argument.startswith("--locustfile=")]
        assert file == options["--locustfile"]
        assert (K8S.parent / "loadtest" / Path(file).relative_to("/opt/loadtest")).is_file()

    policy = find("loadtest", "NetworkPolicy")["spec"]
    [edge_port] = find("prod", "Deployment", "tailrace-edge")["spec"]["template"]["spec"]["containers"][0]["ports"]
    reached = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
    assert {edge_port["containerPort"], 5557, 53} <= reached
