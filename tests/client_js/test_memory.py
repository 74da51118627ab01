"""What a page in a real Chromium keeps of the events that it was done with: nothing."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from browser import progress_element
from playwright.async_api import BrowserContext, CDPSession, Page
from support.broker import PATIENCE, Broker
from support.edge import EdgeProcess
from tailrace_producer import Producer

from client_js.chromium import open_page, wait_for, wait_streams

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

WARM_UP = 10_000
TOTAL = 60_000
TEXT = "x" * 200
"""In each event beside its number: 10 MB after the warm-up, and 20 MB on the wire."""
UPDATES = 10_000
NODES = 50
"""Nodes and listeners that an element may have more of: a list has 20 warnings at most."""
HEAP = 512 << 10
"""Bytes by which objects may grow for other reasons: 10 for each event, which no kept one fits into."""
REST = 4 << 20
"""The same of what belongs to the browser, which lets go of it later: buffers, streams, nodes."""

FOLLOW = """async ([url, principal, transport]) => {
    const { createClient, share } = await import("/client.js");
    const shared = principal ? { share: share({ principal }) } : {};
    window.client = createClient({ url, tenant: "acme", transport, ...shared });
    window.stream = client.stream({ topics: "orders.1", from: "start" });
    window.count = 0;
    const run = async () => {
        for await (const { kind, data } of stream) {
            if (kind !== "event" || data.number !== count) throw new Error(`${kind} ${data?.number} after ${count}`);
            window.count += 1;
        }
    };
    run().catch((error) => (window.failed = String(error)));
}"""

SHOW = """(url) => {
    const element = document.createElement("tailrace-progress");
    const show = "label percent count failed rate eta step message steps warnings";
    const attributes = { job: "x", src: url, tenant: "acme", show };
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    window.count = 0;
    element.addEventListener("tr-progress", ({ detail: { done } }) => {
        if (done !== count) window.failed ??= `${done} after ${count}`;
        window.count += 1;
    });
    document.getElementById("place").append(element);
}"""


class Usage(NamedTuple):
    """Bytes that a page holds."""

    heap: int
    """Objects and texts."""
    rest: int
    """Buffers, streams, nodes."""


async def measure(devtools: CDPSession) -> Usage:
    for _ in range(3):  # what finalizers let go is found only by the next
        await devtools.send("HeapProfiler.collectGarbage")
    usage: dict[str, float] = await devtools.send("Runtime.getHeapUsage")
    return Usage(int(usage["usedSize"]), int(usage["embedderHeapUsedSize"] + usage["backingStorageSize"]))


async def assert_flat(devtools: CDPSession, before: Usage) -> None:
    """Fail unless the page holds no more than before, once the browser, which may be busy, has let go of the rest."""
    deadline = time.monotonic() + PATIENCE
    while True:
        after = await measure(devtools)
        grown = Usage(after.heap - before.heap, after.rest - before.rest)
        if (grown.heap < HEAP and grown.rest < REST) or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.2)
    assert grown.heap < HEAP
    assert grown.rest < REST


async def count(page: Page, number: int) -> None:
    """Return once a page has had so many events, which were the right ones."""
    await wait_for(page, f"count >= {number} || window.failed")
    assert await page.evaluate("window.failed") is None
    assert await page.evaluate("count") == number


async def publish(producer: Producer, numbers: range) -> None:
    await producer.publish_many(("orders.1", {"number": number, "text": TEXT}) for number in numbers)


@pytest.mark.parametrize(
    ("tabs", "principal", "transport"),
    [(1, None, "fetch"), (1, None, "eventsource"), (2, "7", "fetch")],
    ids=["fetch", "eventsource", "shared"],
)
async def test_no_event_is_kept(
    context: BrowserContext,
    origin: str,
    broker: Broker,
    producer: Producer,
    tmp_path: Path,
    tabs: int,
    principal: str | None,
    transport: str,
) -> None:
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    async with EdgeProcess(broker.url, tmp_path / "edge", cors_origins=origin) as edge:
        pages = [await open_page(context, origin) for _ in range(tabs)]
        devtools = [await context.new_cdp_session(page) for page in pages]
        for page in pages:
            await page.evaluate(FOLLOW, [edge.url, principal, transport])
            await wait_for(page, "stream.link.state === 'live'")
        await publish(producer, range(WARM_UP))
        for page in pages:
            await count(page, WARM_UP)
        before = [await measure(each) for each in devtools]
        await publish(producer, range(WARM_UP, TOTAL))
        for page in pages:
            await count(page, TOTAL)
        for each, begun in zip(devtools, before, strict=True):
            await assert_flat(each, begun)
        await wait_streams(edge, 1)
    assert errors == []


@pytest.fixture
async def element_origin(tmp_path: Path) -> AsyncIterator[str]:
    async with progress_element.serve(tmp_path) as origin:
        yield origin


async def update(producer: Producer, numbers: range) -> None:
    """Publish what a worker says of its job; a `Job` would leave most of it out, being too fast to be read."""

    def describe() -> Iterator[tuple[str, object, str]]:
        started, updated = "2026-01-31T12:00:00Z", "2026-01-31T12:00:01Z"
        for number in numbers:
            warnings = [{"message": f"row {number - back} was skipped", "time": updated} for back in range(20)]
            steps = [
                {"name": name, "status": "running", "percent": number / UPDATES * 100} for name in ("read", "load")
            ]
            state = progress_element.RUNNING | {
                "done": number,
                "total": UPDATES,
                "percent": number / UPDATES * 100,
                "message": f"row {number}",
                "steps": steps,
                "warnings": warnings,
                "warned": number,
                "started": started,
                "updated": updated,
            }
            yield "jobs.x", state, "progress"

    await producer.publish_many(describe())


async def count_nodes(devtools: CDPSession) -> int:
    counters: dict[str, int] = await devtools.send("Memory.getDOMCounters")
    return counters["nodes"] + counters["jsEventListeners"]


async def test_an_element_keeps_no_state_but_the_newest(
    element_origin: str, broker: Broker, producer: Producer, tmp_path: Path
) -> None:
    async with (
        EdgeProcess(broker.url, tmp_path / "edge", cors_origins=element_origin) as edge,
        progress_element.open_page(element_origin) as page,
    ):
        await page.evaluate(SHOW, edge.url)
        await wait_for(page, "element('x').link.state === 'live'")
        devtools = await page.context.new_cdp_session(page)
        await update(producer, range(UPDATES // 5))
        await count(page, UPDATES // 5)
        await page.evaluate("painted()")
        before, nodes = await measure(devtools), await count_nodes(devtools)
        await update(producer, range(UPDATES // 5, UPDATES))
        await count(page, UPDATES)
        await wait_for(page, f"text('x', 'summary').includes('{UPDATES - 1:,}')")
        await assert_flat(devtools, before)
        assert await count_nodes(devtools) < nodes + NODES
