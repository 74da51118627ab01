"""The server as a program: how it starts, or says why it cannot. How it stops is in tests/integration/test_drain.py."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.broker import PATIENCE, Broker, pick_ports
from support.calls import call
from support.edge import EdgeProcess
from tailrace_edge.app import create_app
from tailrace_edge.connection import DetachableProtocol
from tailrace_edge.server import make_config
from tailrace_edge.settings import Settings


def run_edge(**settings: object) -> subprocess.CompletedProcess[str]:
    """Run an edge that ends by itself."""
    environment = os.environ | {f"TAILRACE_{name.upper()}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-W", "error", "-m", "tailrace_edge"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"host": "0.0.0.0"}, "an edge listens on loopback only"),
        ({"port": "many"}, "TAILRACE_PORT: "),
        ({"port": "70000"}, "TAILRACE_PORT: "),
        ({"heartbeat": "0"}, "TAILRACE_HEARTBEAT: "),
        ({"log_format": "xml"}, "TAILRACE_LOG_FORMAT: "),
        ({"nats_url": "nats://user:secret@host:x"}, "nats_url"),
    ],
)
def test_settings_that_cannot_work_are_told(settings: dict[str, str], told: str) -> None:
    done = run_edge(**settings)
    assert done.returncode == 1
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "secret" not in done.stderr


def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_edge(port=port)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another port" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_of_another_machine_is_told() -> None:
    done = run_edge(host="192.0.2.1", insecure=True)
    assert done.returncode == 1
    assert "Cannot assign requested address; name an address of this machine" in done.stderr


async def test_two_edges_share_a_port(broker: Broker, tmp_path: Path) -> None:
    (port,) = pick_ports(1)
    async with (
        EdgeProcess(broker.url, tmp_path / "a", name="a", port=port, reuse_port=True) as first,
        EdgeProcess(broker.url, tmp_path / "b", name="b", port=port, reuse_port=True),
    ):
        names: set[str] = set()
        while names != {"a", "b"}:
            names.add((await call(first, "/v1/stats")).json()["name"])
        first.kill()
        for _ in range(10):
            assert (await call(first, "/v1/stats")).json()["name"] == "b"


async def test_the_log_says_where_it_listens(edge: EdgeProcess) -> None:
    starting = edge.read_log()[0]
    assert (starting["event"], starting["url"]) == ("edge starting", edge.url)


def test_the_configuration_has_the_bounds_of_the_settings() -> None:
    settings = Settings(max_header_bytes=1234, request_timeout=5)
    config = make_config(create_app(settings), settings)
    protocol = config.http
    assert isinstance(protocol, type)
    assert issubclass(protocol, DetachableProtocol)
    assert (protocol.max_header_bytes, protocol.request_timeout) == (1234, 5)
    assert DetachableProtocol.max_header_bytes == Settings().max_header_bytes
    assert DetachableProtocol.request_timeout == Settings().request_timeout
