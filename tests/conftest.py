"""What every test may use: real brokers, and asyncio on uvloop."""

import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from support.broker import Broker, Cluster, create_stream, pick_ports
from support.edge import EdgeProcess

# Tests run on busy machines: nothing is bounded in time.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("untimed")

# Where the tests are started in the background it is ignored, and with them by every process that they interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("tailrace")
    group.addoption("--simulation-runs", type=int, default=6400, help="seeds that tests/simulation runs")
    group.addoption("--simulation-seed", type=int, default=None, help="the one seed it runs")
    group.addoption(
        "--fault-events", type=int, default=20_000, help="events of each run in tests/integration/test_faults.py"
    )


@pytest.fixture(scope="session")
def fault_events(request: pytest.FixtureRequest) -> int:
    """Events that a fault run publishes."""
    number: int = request.config.getoption("fault_events")
    return number


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
def bare_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker without a stream."""
    broker = Broker(tmp_path / "broker", port=pick_ports(1)[0])
    broker.start()
    yield broker
    broker.resume()
    broker.kill()


@pytest.fixture
async def broker(bare_broker: Broker) -> Broker:
    """A broker with an empty log."""
    await create_stream(bare_broker.url)
    return bare_broker


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """Three brokers with an empty log on all of them."""
    cluster = Cluster(tmp_path / "cluster")
    cluster.start()
    try:
        await create_stream(cluster.url, replicas=3)
        yield cluster
    finally:
        cluster.kill()


@pytest.fixture
async def edge(broker: Broker, tmp_path: Path) -> AsyncIterator[EdgeProcess]:
    """An edge that follows the log of `broker`."""
    async with EdgeProcess(broker.url, tmp_path / "edge") as edge:
        yield edge


@pytest.fixture
async def edges(broker: Broker, tmp_path: Path) -> AsyncIterator[tuple[EdgeProcess, EdgeProcess]]:
    """Two edges that follow the log of `broker`."""
    async with (
        EdgeProcess(broker.url, tmp_path / "edge-a", name="a") as first,
        EdgeProcess(broker.url, tmp_path / "edge-b", name="b") as second,
    ):
        yield first, second
