"""Pages in a real Chromium that follow a real edge, as the tests of this folder use them."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from conformance.programs import require_chromium
from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from support.broker import PATIENCE
from support.edge import EdgeProcess
from support.waiting import wait_until
from tailrace_producer import Producer

from client_js.package import bundle

HERE = Path(__file__).parent
WAIT = 120_000
"""Milliseconds after which what a page waits for has failed to come."""

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@asynccontextmanager
async def launch() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=require_chromium(),
            args=FLAGS,
            ignore_default_args=["--disable-back-forward-cache"],
            timeout=120_000,
        )
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def serve(folder: Path) -> AsyncIterator[str]:
    """Serve the page and the client, which is built into a folder, and yield the origin."""
    files = {
        "/": ("text/html", (HERE / "page.html").read_bytes()),
        "/other": ("text/html", b"<!doctype html><title>Another page</title>"),
        "/client.js": ("text/javascript", bundle(HERE / "browser_entry.ts", folder / "client.js").read_bytes()),
    }

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        except asyncio.IncompleteReadError:
            writer.close()  # a connection that the browser opened in advance
            return
        kind, content = files.get(path, ("text/plain", b""))
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(content)}\r\nconnection: close\r\n"
        writer.write(head.encode() + b"\r\n" + content)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}"


async def wait_for(page: Page, condition: str) -> None:
    # A function, since a page's policy may forbid to evaluate text; and not with each frame, as is the default: pages
    # that nobody sees have none.
    await page.wait_for_function(f"() => {condition}", timeout=WAIT, polling=50)


async def open_page(context: BrowserContext, origin: str) -> Page:
    page = await context.new_page()
    await page.goto(f"{origin}/")
    await wait_for(page, "window.ready")
    return page


async def follow(page: Page, edge: EdgeProcess, topics: Sequence[str], **options: Any) -> None:
    stream = {"topics": topics, "from": "start"} | options.pop("stream", {})
    settings = {"url": edge.url, "tenant": "acme"} | options
    await page.evaluate(f"follow({json.dumps(settings)}, {json.dumps(stream)})")


async def see(page: Page, expected: Sequence[Any]) -> None:
    """Return once a page has got exactly that."""
    await wait_for(page, f"got.length >= {len(expected)} || window.failed")
    assert await page.evaluate("window.failed") is None
    assert await page.evaluate("got") == list(expected)


async def reach(page: Page, state: str) -> None:
    await wait_for(page, f"stream.link.state === {state!r}")


async def count_streams(edge: EdgeProcess) -> int:
    async with httpx.AsyncClient(timeout=PATIENCE, verify=False) as client:
        stats = (await client.get(f"{edge.url}/v1/stats")).json()
    number: int = stats["connections"]
    return number


async def wait_streams(edge: EdgeProcess, number: int) -> None:
    async def has() -> bool:
        return await count_streams(edge) == number

    await wait_until(has)


async def publish(producer: Producer, topics: Sequence[str], numbers: range) -> None:
    await producer.publish_many([(topic, number) for number in numbers for topic in topics])
