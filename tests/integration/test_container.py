"""The path from producer to client with the broker's official image, where a Docker engine has it."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.broker import create_stream
from support.edge import EdgeProcess
from tailrace_client import Client, Event
from tailrace_producer import Producer
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

IMAGE = "nats:2.15"


@pytest.fixture
def container_url() -> Iterator[str]:
    docker = shutil.which("docker")
    if (
        docker is None
        or subprocess.run([docker, "image", "inspect", IMAGE], check=False, capture_output=True).returncode
    ):
        pytest.skip(f"no Docker engine with the image {IMAGE} here; all other tests use the wheel's server")
    # Its watchdog is an image of its own, which would have to be pulled; the context manager removes the container.
    testcontainers_config.ryuk_disabled = True
    container = DockerContainer(IMAGE).with_command("-js").with_exposed_ports(4222)
    container.waiting_for(LogMessageWaitStrategy("Server is ready"))
    with container as broker:
        yield f"nats://{broker.get_container_host_ip()}:{broker.get_exposed_port(4222)}"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the docker library's sockets
async def test_events_come_through(container_url: str, tmp_path: Path) -> None:
    await create_stream(container_url)
    async with (
        EdgeProcess(container_url, tmp_path / "edge") as edge,
        Producer(container_url, tenant="acme") as producer,
        Client(edge.url, tenant="acme") as client,
    ):
        ids = await producer.publish_many(("orders.1", number) for number in range(1_000))
        got: list[str] = []
        async for item in client.stream("orders.*", start="start"):
            assert isinstance(item, Event)
            got.append(item.id)
            if len(got) == len(ids):
                break
    assert got == ids
