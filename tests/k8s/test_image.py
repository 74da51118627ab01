"""The images: what their Dockerfiles say, and, where a Docker engine has their base, what they do."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from support.broker import PATIENCE, Broker, pick_ports
from support.stream import open_stream
from support.waiting import wait_until
from tailrace_edge.settings import Settings

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
IMAGES = ["edge", "demo"]
ENVIRONMENT = os.environ | {"DOCKER_BUILDKIT": "1"}

Instruction = tuple[str, str]


def read_stages(image: str) -> list[list[Instruction]]:
    """Return the instructions of each stage, name and rest; each stage begins with its FROM."""
    text = re.sub(r"^\s*#.*\n", "", (DOCKER / f"{image}.Dockerfile").read_text(), flags=re.MULTILINE)
    stages: list[list[Instruction]] = []
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        name, _, rest = line.strip().partition(" ")
        if name == "FROM":
            stages.append([])
        if name:
            stages[-1].append((name, rest.strip()))
    return stages


def find_all(stage: list[Instruction], name: str) -> list[str]:
    """Return what follows each instruction of a name."""
    return [rest for found, rest in stage if found == name]


def find_base(image: str) -> str:
    """Return the image that an image's last stage begins with."""
    return find_all(read_stages(image)[-1], "FROM")[0]


def read_pins(path: Path) -> dict[str, str]:
    """Return the version of each requirement; fails if one has no hash."""
    pins: dict[str, str] = {}
    for entry in re.sub(r"\\\n\s*", " ", path.read_text()).splitlines():
        if entry and not entry.lstrip().startswith("#"):
            name, version = entry.split(" ")[0].split("==")
            assert "--hash=sha256:" in entry, f"{name} has no hash"
            pins[name] = version
    return pins


def read_version(package: str) -> str:
    version: str = tomllib.loads((ROOT / package / "pyproject.toml").read_text())["project"]["version"]
    return version


@pytest.mark.parametrize("image", IMAGES)
def test_every_stage_begins_with_one_exact_base(image: str) -> None:
    bases = {find_all(stage, "FROM")[0].removesuffix(" AS builder") for stage in read_stages(image)}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+", bases.pop())


@pytest.mark.parametrize("image", IMAGES)
def test_nobody_is_root(image: str) -> None:
    last = read_stages(image)[-1]
    # Kubernetes' runAsNonRoot takes numbers only.
    assert find_all(last, "USER") == ["10001:10001"]
    names = [name for name, _ in last]
    assert not {"RUN", "COPY"} & set(names[names.index("USER") :])


@pytest.mark.parametrize("image", IMAGES)
def test_signals_reach_the_process(image: str) -> None:
    last = read_stages(image)[-1]
    assert find_all(last, "STOPSIGNAL") == ["SIGTERM"]
    # In shell form a shell would be the first process, and keep the signal to itself.
    entry = json.loads(find_all(last, "ENTRYPOINT")[0])
    assert entry[:2] == ["python", "-m"]


@pytest.mark.parametrize("image", IMAGES)
def test_whatever_is_installed_is_checked_by_its_hash(image: str) -> None:
    runs = find_all(read_stages(image)[0], "RUN")
    installs = [part for run in runs for part in run.split("&&") if re.search(r"\bpip\b.* (install|wheel)\b", part)]
    assert installs
    for install in installs:
        # Either with hashes, or what the repository itself holds and nothing beside.
        assert "--require-hashes" in install or ("--no-index" in install and "--no-deps" in install), install
    for path in re.findall(r"-r /src/(\S+)", " ".join(installs)):
        assert read_pins(ROOT / path)


@pytest.mark.parametrize("image", IMAGES)
def test_what_becomes_a_wheel_is_a_package(image: str) -> None:
    ignored = {ROOT / line for line in (ROOT / ".dockerignore").read_text().splitlines()}
    [wheels] = [run for run in find_all(read_stages(image)[0], "RUN") if "pip wheel" in run]
    named = re.findall(r"(?<=/src/)(?:libs|services)/\S+", wheels)
    folders = {folder for pattern in named for folder in ROOT.glob(pattern)} - ignored
    assert len(folders) >= 2
    assert [folder for folder in folders if not (folder / "pyproject.toml").exists()] == []


@pytest.mark.parametrize("image", IMAGES)
def test_only_files_of_the_repository_and_the_builder_get_in(image: str) -> None:
    builder, last = read_stages(image)
    for stage in (builder, last):
        assert not find_all(stage, "ADD")
        assert not find_all(stage, "ARG")
    assert "--from=builder /opt/tailrace /opt/tailrace" in find_all(last, "COPY")
    # What is in the builder, pip's settings included, stays there.
    assert not find_all(last, "RUN")


@pytest.mark.parametrize("image", IMAGES)
def test_there_is_no_secret_and_no_package_index(image: str) -> None:
    text = (DOCKER / f"{image}.Dockerfile").read_text()
    assert "://" not in text
    assert "index-url" not in text
    for stage in read_stages(image):
        for variables in find_all(stage, "ENV"):
            assert not re.search(r"SECRET|TOKEN|PASSWORD|_KEY|CREDENTIAL|NATS_URL", variables, re.IGNORECASE)


def test_the_build_sees_only_what_is_named() -> None:
    lines = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line.strip() and not line.startswith("#")
    ]
    assert lines[0] == "*"
    assert [line for line in lines if line.startswith("!")] == [
        "!LICENSE",
        "!docker/*-requirements.txt",
        "!libs",
        "!services",
        "!loadtest",
    ]
    assert {"**/.env*", "**/*.pem", "**/*.key"} <= set(lines)


@pytest.mark.parametrize(("image", "package"), [("edge", "services/edge"), ("demo", "services/demo")])
def test_the_label_tells_the_version_that_is_inside(image: str, package: str) -> None:
    labels = " ".join(find_all(read_stages(image)[-1], "LABEL"))
    assert f'org.opencontainers.image.version="{read_version(package)}"' in labels
    assert f'org.opencontainers.image.base.name="docker.io/library/{find_base(image)}"' in labels


def test_what_the_edge_declares_is_the_settings() -> None:
    last = read_stages("edge")[-1]
    assert find_all(last, "EXPOSE") == [str(Settings.model_fields["port"].default)]
    variables = set(re.findall(r"TAILRACE_(\w+)=", " ".join(find_all(last, "ENV"))))
    assert variables == {"HOST"}
    assert {name.lower() for name in variables} <= set(Settings.model_fields)


@pytest.mark.parametrize("image", ["build", *IMAGES])
def test_images_have_the_versions_that_were_tested(image: str) -> None:
    tested = read_pins(ROOT / "requirements.txt")
    for name, version in read_pins(DOCKER / f"{image}-requirements.txt").items():
        # What comes with locust need not be among what is tested.
        if name in tested or image != "demo":
            assert tested.get(name) == version, f"{image}: {name}; run make lock"


@pytest.mark.parametrize(
    ("image", "packages"),
    [
        ("edge", ["libs/protocol", "services/edge"]),
        ("demo", ["libs/protocol", "libs/producer", "libs/client", "libs/cli", "services/edge", "services/demo"]),
    ],
)
def test_images_have_everything_their_packages_require(image: str, packages: list[str]) -> None:
    pins = read_pins(DOCKER / f"{image}-requirements.txt")
    for package in packages:
        for requirement in tomllib.loads((ROOT / package / "pyproject.toml").read_text())["project"]["dependencies"]:
            name = re.split(r"[^A-Za-z0-9.-]", requirement)[0].lower()
            assert name in pins or name.startswith("tailrace-"), f"{image}: {name} of {package}; run make lock"


def run(*command: str | Path) -> str:
    """Return what a command printed; fails with what it complained about."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def find_docker(image: str) -> str:
    """Return the path of a client that can build; skips where no engine has the base image."""
    base = find_base(image)
    for folder in os.get_exec_path():
        docker = shutil.which("docker", path=folder)
        if docker and try_out(docker, "image", "inspect", base) and try_out(docker, "build", "-", given=f"FROM {base}"):
            return docker
    pytest.skip(f"no Docker engine with {base} and BuildKit here; the Dockerfiles are checked all the same")


def try_out(*command: str, given: str = "") -> bool:
    """Tell whether a command succeeds."""
    done = subprocess.run(command, check=False, capture_output=True, input=given, text=True, env=ENVIRONMENT)
    return done.returncode == 0


@pytest.fixture(scope="module", params=IMAGES)
def built(request: pytest.FixtureRequest) -> tuple[str, str, str]:
    """One image, built: its kind, the client's path, the image's id."""
    return request.param, *build(request.param)


@pytest.fixture(scope="module")
def edge_image() -> tuple[str, str]:
    """The edge's image, built: the client's path, the image's id."""
    return build("edge")


def build(image: str) -> tuple[str, str]:
    docker = find_docker(image)
    secrets: list[str] = []
    # As pip on this machine finds its index.
    for name, path in (
        ("pip-conf", os.environ.get("PIP_CONFIG_FILE", "/etc/pip.conf")),
        ("ca-certificates", os.environ.get("PIP_CERT", "")),
    ):
        if path and Path(path).is_file():
            secrets += ["--secret", f"id={name},src={path}"]
    dockerfile = DOCKER / f"{image}.Dockerfile"
    # A tag of its own, so that a build takes the place of the one before.
    tag = ("--tag", f"tailrace-{image}:test")
    printed = run(docker, "build", "--quiet", "--network", "host", *secrets, *tag, "--file", dockerfile, ROOT)
    return docker, printed.strip()


class Container:
    """One edge in a container, on the network of this machine, as locked up as Kubernetes' `restricted` has it."""

    def __init__(self, docker: str, image: str, nats_url: str, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._docker = docker
        settings = {
            "NATS_URL": nats_url,
            "AUTH": "none",
            "INSECURE": "true",
            "PORT": str(port),
            "DRAIN_WINDOW": "1",
            "LOG_FORMAT": "json",
        }
        variables = [part for name, value in settings.items() for part in ("--env", f"TAILRACE_{name}={value}")]
        locks = ["--read-only", "--user", "10001", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
        self._id = run(docker, "run", "--detach", "--network", "host", *locks, *variables, image).strip()

    async def wait_ready(self) -> None:
        async with httpx.AsyncClient(timeout=PATIENCE) as client:

            async def ready() -> bool:
                assert self.inspect()["Running"], self.read_log()
                try:
                    return (await client.get(f"{self.url}/readyz")).is_success
                except httpx.TransportError:
                    return False

            await wait_until(ready)

    def stop(self) -> None:
        """Tell it to end, and wait; it is killed if it does not hear."""
        run(self._docker, "stop", "--time", "60", self._id)

    def inspect(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(run(self._docker, "inspect", "--format", "{{json .State}}", self._id))
        return state

    def list_changes(self) -> str:
        """Return the files that it wrote."""
        return run(self._docker, "diff", self._id)

    def read_log(self) -> str:
        done = subprocess.run([self._docker, "logs", self._id], check=True, capture_output=True, text=True)
        return done.stdout + done.stderr

    def remove(self) -> None:
        run(self._docker, "rm", "--force", self._id)


@pytest.fixture
def container(edge_image: tuple[str, str], broker: Broker) -> Iterator[Container]:
    container = Container(*edge_image, broker.url, pick_ports(1)[0])
    yield container
    container.remove()


@pytest.mark.timeout(600)
async def test_a_container_serves_and_drains(container: Container) -> None:
    await container.wait_ready()
    async with httpx.AsyncClient(timeout=PATIENCE) as client, open_stream(container.url, "jobs.>") as stream:
        await stream.next_control("open")
        event = {"topic": "jobs.1", "type": "message", "data": {"step": 1}}
        assert (await client.post(f"{container.url}/v1/acme/events", json=[event])).status_code == 201
        assert msgspec.json.decode((await stream.next_event()).data)["data"] == {"step": 1}
        stopping = asyncio.create_task(asyncio.to_thread(container.stop))
        assert (await stream.next_control("closing"))["reason"] == "drain"
        assert await stream.next() is None
        await stopping
    state = container.inspect()
    assert state["ExitCode"] == 0, container.read_log()
    assert '"edge stopped"' in container.read_log()
    assert not container.list_changes()


@pytest.mark.timeout(600)
def test_an_image_has_neither_tools_nor_settings_of_the_build(built: tuple[str, str, str]) -> None:
    image, docker, identity = built
    found = run(
        docker, "run", "--rm", "--network", "none", "--entrypoint", "sh", identity, "-c",
        "id -u; cat /etc/pip.conf /etc/ssl/certs/ca-certificates.crt 2>/dev/null | wc -c; ls /opt/tailrace/bin; "
        "ls /opt/tailrace/lib/python3*/site-packages",
    ).split()  # fmt: skip
    base = run(
        docker, "run", "--rm", "--network", "none", "--entrypoint", "sh", find_base(image), "-c",
        "cat /etc/pip.conf /etc/ssl/certs/ca-certificates.crt 2>/dev/null | wc -c",
    ).split()  # fmt: skip
    assert found[:2] == ["10001", *base]
    assert not {"pip", "hatchling", "setuptools"} & set(found)
    assert "tailrace_edge" in found
    # The build's history is public with the image.
    assert "://" not in run(docker, "history", "--no-trunc", "--format", "{{.CreatedBy}}", identity)


@pytest.mark.timeout(600)
def test_an_edge_that_is_open_to_everybody_by_mistake_does_not_start(edge_image: tuple[str, str]) -> None:
    docker, image = edge_image
    done = subprocess.run([docker, "run", "--rm", "--read-only", image], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "TAILRACE_AUTH=jwt" in done.stderr
