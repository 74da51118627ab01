"""A laptop that sleeps: all of Chromium is stopped by a signal while the world goes on."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from playwright.async_api import BrowserContext
from support.broker import Broker
from support.edge import EdgeProcess
from tailrace_producer import Producer

from client_js.chromium import follow, open_page, publish, reach, see, wait_streams

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
async def edge(broker: Broker, tmp_path: Path, origin: str) -> AsyncIterator[EdgeProcess]:
    async with EdgeProcess(broker.url, tmp_path / "edge", cors_origins=origin, heartbeat=0.2) as edge:
        yield edge


@asynccontextmanager
async def asleep() -> AsyncIterator[None]:
    """Stop this process's browser, renderers and network service included."""
    browser = [process for process in psutil.Process().children(recursive=True) if "chrom" in process.name()]
    assert len(browser) > 2
    for process in browser:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in browser:
            process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("principal", [None, "7"])
async def test_a_laptop_that_wakes_up_after_its_edge_was_killed_misses_nothing(
    context: BrowserContext, origin: str, edge: EdgeProcess, producer: Producer, principal: str | None
) -> None:
    pages = [await open_page(context, origin) for _ in range(2)]
    for page in pages:
        await follow(page, edge, ["orders.1"], principal=principal)
        await reach(page, "live")
    await publish(producer, ["orders.1"], range(10))
    for page in pages:
        await see(page, range(10))
    async with asleep():
        await publish(producer, ["orders.1"], range(10, 20))
        edge.kill()
        await publish(producer, ["orders.1"], range(20, 30))
        edge.start()
        await edge.wait_ready()
    await publish(producer, ["orders.1"], range(30, 40))
    for page in pages:
        await see(page, range(40))
        await reach(page, "live")
    await wait_streams(edge, 2 if principal is None else 1)


@pytest.mark.parametrize("principal", [None, "7"])
async def test_a_laptop_that_sleeps_for_many_heartbeats_reads_on_where_it_was(
    context: BrowserContext, origin: str, edge: EdgeProcess, producer: Producer, principal: str | None
) -> None:
    page = await open_page(context, origin)
    await follow(page, edge, ["orders.1"], principal=principal)
    await reach(page, "live")
    async with asleep():
        await publish(producer, ["orders.1"], range(2000))
        await asyncio.sleep(2)  # the night: ten heartbeats, where two and a half are too many
    await publish(producer, ["orders.1"], range(2000, 2010))
    await see(page, range(2010))
    await reach(page, "live")
