"""docs/kubernetes.md, typed as it stands: the edges it makes start, with a secret and with an issuer of one's own."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from k8s.pages import Shell, build, list_blocks, merge, read_settings
from k8s.rendering import Manifest
from support.broker import Broker
from support.calls import call
from support.edge import EdgeProcess
from tailrace_edge.auth.guard import Guard, make_guard
from tailrace_edge.settings import Settings

PAGE = "kubernetes.md"
PRODUCTION = "## In production"
ISSUER = "### An issuer of your own"


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell in which the passwords are made."""
    shell = Shell(tmp_path / "shell")
    shell.run(list_blocks(PAGE, "sh", PRODUCTION)[0])
    return shell


@pytest.fixture(scope="module")
def overlay() -> Manifest:
    """The overlay of step 2."""
    found: Manifest = yaml.safe_load(list_blocks(PAGE, "yaml", PRODUCTION)[0])
    return found


def load_block(heading: str, number: int = 0, page: str = PAGE) -> Manifest:
    found: Manifest = yaml.safe_load(list_blocks(page, "yaml", heading)[number])
    return found


def load_settings(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> tuple[Settings, Guard]:
    """Return what an edge makes of its variables at the start."""
    with monkeypatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        settings = Settings()
    return settings, make_guard(settings)


def list_references(manifests: list[Manifest]) -> Iterator[tuple[str, str | None]]:
    """Yield the Secrets that something needs, with their keys."""
    for text in re.findall(r'"secret(?:Key)?Ref": (\{.*?\})', json.dumps(manifests)):
        reference = json.loads(text)
        if not reference.get("optional"):
            yield reference["name"], reference.get("key")


async def test_the_edges_of_the_page_start(
    tmp_path: Path, shell: Shell, overlay: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests = build(tmp_path, overlay)
    secrets = shell.read_secrets()
    references = list(list_references(manifests))
    assert {name for name, _ in references} == {"tailrace-admin", "tailrace-edge", "tailrace-nats"}
    for name, key in references:
        assert key is None or key in secrets[name]
    for password in secrets["tailrace-nats"].values():
        assert re.fullmatch("p[0-9a-f]{48}", password)
    settings, guard = load_settings(read_settings(manifests, secrets), monkeypatch)
    assert (settings.auth, len(settings.nats_url.split(","))) == ("jwt", 3)
    assert f"publisher:{secrets['tailrace-nats']['NATS_PUBLISHER_PASSWORD']}@" in settings.publish_nats_url
    assert guard.tickets.ttl > 0
    [route] = [each for each in manifests if each["kind"] == "HTTPRoute"]
    assert route["spec"]["hostnames"] == ["events.mycompany.com"]
    assert route["spec"]["parentRefs"] == [{"name": "my-gateway", "namespace": "my-gateways"}]
    assert "tailrace-edge:0.1.0" not in re.findall(r"^ *image: (.*)$", yaml.safe_dump_all(manifests), re.MULTILINE)


async def test_edges_with_an_issuer_start(
    tmp_path: Path, shell: Shell, overlay: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = load_block(ISSUER)
    [rules] = list_blocks(PAGE, "", ISSUER)
    secrets = shell.read_secrets()
    del secrets["tailrace-edge"]["jwt-secret"]
    manifests = build(tmp_path, merge(overlay, issuer), rules_txt=rules)
    settings, guard = load_settings(read_settings(manifests, secrets), monkeypatch)
    await guard.close()
    assert settings.jwks_urls == ("https://login.mycompany.com/keys",)
    assert settings.jwt_issuers == ("https://login.mycompany.com",)
    assert settings.jwt_audience == ("tailrace",)
    assert settings.auth_rules == rules


def test_other_settings_reach_the_edges(
    tmp_path: Path, shell: Shell, overlay: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests = build(tmp_path, merge(overlay, load_block("## Settings of your own")))
    settings, _ = load_settings(read_settings(manifests, shell.read_secrets()), monkeypatch)
    assert settings.trusted_proxies == ("10.0.0.0/8",)
    assert settings.cors_origins == ("https://app.mycompany.com",)
    assert (settings.auth_cookie, settings.max_connections_per_address) == ("session", 200)


def test_the_ingress_gets_the_host(tmp_path: Path, overlay: Manifest) -> None:
    manifests = build(tmp_path, merge(overlay, load_block(PRODUCTION, 1)))
    [ingress] = [each for each in manifests if each["kind"] == "Ingress"]
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == ["events.mycompany.com"]
    assert ingress["spec"]["tls"] == [{"hosts": ["events.mycompany.com"], "secretName": "events-mycompany-com"}]
    assert not [each for each in manifests if each["kind"] == "HTTPRoute"]
    assert "example-com" not in json.dumps(ingress)


def test_the_brokers_configuration_can_be_replaced(tmp_path: Path, overlay: Manifest) -> None:
    more = load_block("## A tenant more", page="broker-security.md")
    manifests = build(tmp_path, merge(overlay, more), nats_conf="# mine")
    configs = [each for each in manifests if each["kind"] == "ConfigMap" and "nats.conf" in each.get("data", {})]
    assert [config["data"]["nats.conf"] for config in configs] == ["# mine"]
    [brokers] = [each for each in manifests if each["kind"] == "StatefulSet"]
    assert configs[0]["metadata"]["name"] in json.dumps(brokers)


def test_certificates_are_mounted_where_they_are_named(
    tmp_path: Path, shell: Shell, overlay: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = load_block("## TLS", page="broker-security.md")
    manifests = build(tmp_path, merge(overlay, more), nats_conf="# mine")
    settings, _ = load_settings(read_settings(manifests, shell.read_secrets()), monkeypatch)
    assert settings.login[:3] == ("/tls/ca.crt", "/tls/tls.crt", "/tls/tls.key")
    for kind in ("StatefulSet", "Deployment", "Job"):
        [pod] = [each["spec"]["template"]["spec"] for each in manifests if each["kind"] == kind]
        [volume] = [
            each["name"] for each in pod["volumes"] if each.get("secret") == {"secretName": "tailrace-nats-tls"}
        ]
        [container] = pod["containers"]
        assert {"name": volume, "mountPath": "/tls", "readOnly": True} in container["volumeMounts"]
    [job] = [each for each in manifests if each["kind"] == "Job"]
    [config] = [each for each in manifests if "TAILRACE_NATS_CA" in each.get("data", {})]
    assert config["metadata"]["name"] in json.dumps(job["spec"]["template"]["spec"]["containers"][0]["envFrom"])


def test_what_is_applied_is_the_overlay_of_ones_own() -> None:
    """Applying `prod` itself would leave out the host and the registry."""
    blocks = list_blocks(PAGE, "sh", PRODUCTION) + list_blocks("operations.md", "sh", "## Upgrading")
    applied = re.findall(r"apply -k (\S+)", "".join(blocks))
    assert applied == ["k8s/overlays/mine"] * 2


async def test_the_first_token_opens_an_edge(shell: Shell, broker: Broker, tmp_path: Path) -> None:
    secrets = shell.read_secrets()
    secret = secrets["tailrace-edge"]["jwt-secret"]
    async with EdgeProcess(broker.url, tmp_path / "edge", auth="jwt", jwt_secret=secret) as edge:
        [commands] = [block for block in list_blocks(PAGE, "sh", PRODUCTION) if "tailrace token" in block]
        published = json.loads(shell.run(commands.replace("https://events.mycompany.com", edge.url)))
        assert len(published["ids"]) == 1
        token = shell.run(f'{commands.partition("curl")[0]}printf %s "$TAILRACE_TOKEN"')
        headers = {"authorization": f"Bearer {token}"}
        answer: Any = (await call(edge, "/v1/acme/jobs", headers=headers)).json()
        assert [(job["id"], job["percent"]) for job in answer["jobs"]] == [("first", 50)]
    [reading] = [block for block in list_blocks(PAGE, "sh", PRODUCTION) if "NATS_ACME_PASSWORD}" in block]
    assert shell.run(reading) == secrets["tailrace-nats"]["NATS_ACME_PASSWORD"]
