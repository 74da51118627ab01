"""A headless Chromium whose page, of another origin than the edge, reads with native EventSource."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import pytest
from conformance.programs import require_chromium
from conformance.takeover import QUERY, TYPES, WAIT, Record, Takeover
from playwright.async_api import Page, async_playwright
from support.broker import Broker
from support.edge import EdgeProcess
from tailrace_protocol.control import CONTROL_TYPE

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

PAGE = Path(__file__).with_name("page.html")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """An empty page of a browser of its own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=require_chromium(), args=FLAGS, timeout=120_000)
        try:
            yield await browser.new_page()
        finally:
            await browser.close()


@pytest.fixture
async def origin() -> AsyncIterator[str]:
    """The origin of a server that has the page."""
    content = PAGE.read_bytes()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {len(content)}\r\nconnection: close\r\n"
        writer.write(head.encode() + b"\r\n" + content)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}"


async def read_with_page(page: Page, origin: str, url: str, record: Record) -> None:
    query = {"url": url, "type": ["message", CONTROL_TYPE, *TYPES[1:]]}
    await page.goto(f"{origin}/?{urlencode(query, doseq=True)}")
    seen = 0
    over = False
    while not over:
        await page.wait_for_function("seen => isOver() || events.length > seen", arg=seen, timeout=WAIT * 1000)
        over, events = await page.evaluate("seen => [isOver(), events.slice(seen)]", seen)
        for event in events:
            record.add(*event)
        seen += len(events)


async def test_page_reads_the_stream_across_a_takeover_and_stops_at_204(
    broker: Broker, tmp_path: Path, page: Page, origin: str
) -> None:
    takeover = Takeover(broker, tmp_path, cors_origins=origin)
    await takeover.check(await takeover.run(partial(read_with_page, page, origin)))


async def test_page_of_an_origin_that_is_not_allowed_reads_nothing(
    broker: Broker, tmp_path: Path, page: Page, origin: str
) -> None:
    async with EdgeProcess(broker.url, tmp_path / "edge", cors_origins="https://other.example") as edge:
        record = Record()
        await read_with_page(page, origin, edge.url + QUERY, record)
        assert (record.events, record.controls) == ([], [])
