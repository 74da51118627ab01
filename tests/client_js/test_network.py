"""A network that goes away without a word, and comes back. Chromium says so, and the cable carries nothing."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext
from support.broker import Broker
from support.edge import EdgeProcess
from support.waiting import wait_until
from tailrace_producer import Producer

from client_js.chromium import follow, open_page, publish, reach, see, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


class Cable:
    """Carries bytes between pages and an edge. What is open when it is cut is never heard of again."""

    def __init__(self, edge: EdgeProcess) -> None:
        self._edge = edge
        self._connections: set[asyncio.Task[None]] = set()
        self._alive = asyncio.Event()
        self._alive.set()
        self.withheld = b""

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        alive = self._alive
        if not alive.is_set():
            writer.transport.abort()
            return
        from_edge, to_edge = await asyncio.open_connection("127.0.0.1", self._edge.port)
        for pipe in (self._carry(reader, to_edge, alive), self._carry(from_edge, writer, alive)):
            task = asyncio.create_task(pipe)
            self._connections.add(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, alive: asyncio.Event) -> None:
        try:
            while chunk := await reader.read(65536):
                if alive.is_set():
                    writer.write(chunk)
                    await writer.drain()
                else:
                    self.withheld += chunk
        except ConnectionError:
            pass  # one side is gone, and the other learns it here
        finally:
            writer.close()

    def cut(self) -> None:
        self._alive.clear()

    def mend(self) -> None:
        self._alive = asyncio.Event()
        self._alive.set()

    async def close(self) -> None:
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)


@pytest.fixture
async def edge(broker: Broker, tmp_path: Path, origin: str) -> AsyncIterator[EdgeProcess]:
    async with EdgeProcess(broker.url, tmp_path / "edge", cors_origins=origin, heartbeat=1) as edge:
        yield edge


@pytest.mark.parametrize("principal", [None, "7"])
async def test_a_network_that_comes_back_is_used_at_once(
    context: BrowserContext, origin: str, edge: EdgeProcess, producer: Producer, principal: str | None
) -> None:
    cable = Cable(edge)
    async with await asyncio.start_server(cable.accept, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        page = await open_page(context, origin)
        hour = 3_600_000
        await follow(page, edge, ["orders.1"], url=url, principal=principal, backoff={"base": hour, "cap": hour})
        await publish(producer, ["orders.1"], range(10))
        await see(page, range(10))
        await reach(page, "live")
        await page.evaluate("Math.random = () => 0.00001")

        cable.cut()
        await context.set_offline(True)
        await reach(page, "offline")
        await publish(producer, ["orders.1"], range(10, 20))
        await wait_until(lambda: b"data" in cable.withheld)
        assert await page.evaluate("got") == list(range(10))
        cable.mend()
        await context.set_offline(False)
        await see(page, range(20))
        await wait_for(page, "stream.link.state === 'live' && stream.link.reconnects > 0")
        await page.evaluate("client.dispose()")
        await cable.close()
