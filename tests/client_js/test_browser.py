"""The client in a real Chromium: tabs that share, and all that happens to a page."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page
from support.broker import Broker
from support.edge import EdgeProcess
from tailrace_producer import Producer

from client_js.chromium import follow, open_page, publish, reach, see, wait_for, wait_streams

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
async def edge(broker: Broker, tmp_path: Path, origin: str) -> AsyncIterator[EdgeProcess]:
    async with EdgeProcess(broker.url, tmp_path / "edge", cors_origins=origin) as edge:
        yield edge


async def find_leader(pages: Sequence[Page]) -> Page:
    while True:
        for page in pages:
            if await page.evaluate("leads()"):
                return page


async def test_eight_tabs_have_one_connection_and_lose_nothing_when_the_leader_is_closed(
    context: BrowserContext, origin: str, edge: EdgeProcess, producer: Producer
) -> None:
    topics = [f"orders.{tab}" for tab in range(8)]
    await publish(producer, topics, range(50))
    pages = [await open_page(context, origin) for _ in topics]
    for page, topic in zip(pages, topics, strict=True):
        await follow(page, edge, [topic], principal="7")
    for page in pages:
        await see(page, range(50))
        await reach(page, "live")
    await wait_streams(edge, 1)
    await publish(producer, topics, range(50, 100))
    for page in pages:
        await see(page, range(100))

    leader = await find_leader(pages)
    going_on = asyncio.create_task(publish(producer, topics, range(100, 1000)))
    await wait_for(leader, "got.length > 120")
    await leader.close()
    pages.remove(leader)
    await going_on
    for page in pages:
        await see(page, range(1000))
        await reach(page, "live")
    await wait_streams(edge, 1)
    # A tab that comes later reads what it lacks, and then shares.
    late = await open_page(context, origin)
    await follow(late, edge, ["orders.*"], principal="7", stream={"from": "last"})
    await wait_for(late, "got.length === 8")
    await publish(producer, ["orders.0"], range(1000, 1001))
    await wait_for(late, "got.length === 9 && got.at(-1) === 1000")
    await wait_streams(edge, 1)
    for page in [*pages, late]:
        await page.evaluate("client.dispose()")
    await wait_streams(edge, 0)


async def test_a_tab_that_the_lead_is_stolen_from_gives_it_up(
    context: BrowserContext, origin: str, edge: EdgeProcess, producer: Producer
) -> None:
    pages = [await open_page(context, origin) for _ in range(3)]
    for page in pages:
        await follow(page, edge, ["orders.1"], principal="7")
        await reach(page, "live")
    await find_leader(pages)
    await pages[0].evaluate("""async () => {
        const { held } = await navigator.locks.query();
        const { name } = held.find(({ name }) => name.startsWith("tailrace ") && name.endsWith("]"));
        await navigator.locks.request(name, { steal: true }, async () => {});
    }""")
    await find_leader(pages)
    await publish(producer, ["orders.1"], range(100))
    for page in pages:
        await see(page, range(100))
    await wait_streams(edge, 1)


async def test_tabs_of_two_principals_do_not_share(
    context: BrowserContext, origin: str, edge: EdgeProcess, producer: Producer
) -> None:
    pages = [await open_page(context, origin) for _ in range(4)]
    for number, page in enumerate(pages):
        await follow(page, edge, ["orders.1"], principal=str(number % 2))
    for page in pages:
        await reach(page, "live")
    await wait_streams(edge, 2)
    await publish(producer, ["orders.1"], range(10))
    for page in pages:
        await see(page, range(10))


async def test_a_refusal_is_that_of_the_tab_that_asked(
    context: BrowserContext, origin: str, edge: EdgeProcess, producer: Producer
) -> None:
    good, bad = [await open_page(context, origin) for _ in range(2)]
    await follow(good, edge, ["orders.1"], principal="7")
    await reach(good, "live")
    await follow(bad, edge, ["not a topic"], principal="7")
    await wait_for(bad, "window.failed")
    assert "400" in await bad.evaluate("window.failed")
    await publish(producer, ["orders.1"], range(10))
    await see(good, range(10))
    await wait_streams(edge, 1)


@pytest.mark.parametrize("principal", [None, "7"])
async def test_a_page_that_was_frozen_misses_nothing(
    context: BrowserContext, origin: str, edge: EdgeProcess, producer: Producer, principal: str | None
) -> None:
    page, other = [await open_page(context, origin) for _ in range(2)]
    for each in (page, other):
        await follow(each, edge, ["orders.1"], principal=principal)
        await reach(each, "live")
    await publish(producer, ["orders.1"], range(10))
    await see(page, range(10))
    # The events alone: no tab of a headless Chromium is hidden, and none that is seen can be frozen.
    await page.evaluate("document.dispatchEvent(new Event('freeze'))")
    await publish(producer, ["orders.1"], range(10, 20))
    await see(other, range(20))
    await wait_streams(edge, 1)
    assert await page.evaluate("got") == list(range(10))
    await page.evaluate("document.dispatchEvent(new Event('resume'))")
    await see(page, range(20))
    await publish(producer, ["orders.1"], range(20, 30))
    await see(page, range(30))


@pytest.mark.parametrize("principal", [None, "7"])
async def test_a_page_that_one_comes_back_to_carries_on(
    context: BrowserContext, origin: str, edge: EdgeProcess, producer: Producer, principal: str | None
) -> None:
    page = await open_page(context, origin)
    await follow(page, edge, ["orders.1"], principal=principal)
    await publish(producer, ["orders.1"], range(10))
    await see(page, range(10))
    await page.goto(f"{origin}/other")
    await wait_streams(edge, 0)
    await publish(producer, ["orders.1"], range(10, 20))
    await page.go_back(wait_until="commit")  # a page that was kept is not loaded
    await see(page, range(20))
    assert await page.evaluate("persisted") == 1, "the page was not kept: something that was left open forbids it"


async def test_the_cursor_survives_a_reload(
    context: BrowserContext, origin: str, edge: EdgeProcess, producer: Producer
) -> None:
    page = await open_page(context, origin)
    stream = {"persist": "orders of 7"}
    await follow(page, edge, ["orders.1"], stream=stream)
    await publish(producer, ["orders.1"], range(10))
    await see(page, range(10))
    await publish(producer, ["orders.2"], range(10))
    await page.reload()
    await wait_for(page, "window.ready")
    await publish(producer, ["orders.1"], range(10, 20))
    await follow(page, edge, ["orders.1"], stream=stream)
    await see(page, range(10, 20))


async def test_a_page_reads_on_when_its_edge_is_killed_and_another_takes_the_port(
    context: BrowserContext, origin: str, broker: Broker, edge: EdgeProcess, producer: Producer, tmp_path: Path
) -> None:
    page = await open_page(context, origin)
    await follow(page, edge, ["orders.1"])
    await publish(producer, ["orders.1"], range(100))
    await see(page, range(100))
    edge.kill()
    await publish(producer, ["orders.1"], range(100, 200))
    await reach(page, "offline")
    async with EdgeProcess(broker.url, tmp_path / "b", name="b", port=edge.port, cors_origins=origin):
        await see(page, range(200))
        assert (await page.evaluate("stream.link"))["edge"] == "b"


async def test_native_eventsource_of_the_browser_is_the_fallback(
    context: BrowserContext, origin: str, edge: EdgeProcess, producer: Producer
) -> None:
    page = await open_page(context, origin)
    await follow(page, edge, ["orders.1"], transport="eventsource")
    await publish(producer, ["orders.1"], range(100))
    await see(page, range(100))
    await page.evaluate("stream.close()")
    await wait_streams(edge, 0)
