"""What the console shows when things go wrong: the truth, and that nothing is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from browser.console import Console, open_console
from playwright.async_api import expect
from support.broker import Broker, pick_ports
from support.calls import call, publish
from support.edge import EdgeProcess
from tailrace_producer import Producer

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
async def edges(broker: Broker, tmp_path: Path) -> AsyncIterator[dict[str, EdgeProcess]]:
    """Two edges on one port, by name."""
    [port] = pick_ports(1)
    settings: dict[str, Any] = {"port": port, "reuse_port": True, "faults": True, "heartbeat": 1, "retry": 0.1}
    async with (
        EdgeProcess(broker.url, tmp_path / "a", name="a", **settings) as first,
        EdgeProcess(broker.url, tmp_path / "b", name="b", **settings) as second,
    ):
        yield {"a": first, "b": second}
        assert [*first.find_errors(), *second.find_errors()] == []


@pytest.fixture
async def console(edges: dict[str, EdgeProcess]) -> AsyncIterator[Console]:
    async with open_console(edges["a"]) as console:
        await console.open(topic="orders.>", from_="now")
        await console.wait_link("live")
        await publish(edges["a"], ("orders.1", 1))
        await console.wait_count(1)
        yield console


async def find_edge(console: Console) -> str:
    """Return the name of the edge that serves the page's stream."""
    return await console.page.locator("#link .more").inner_text()


async def cause(console: Console, edge: str, fault: str) -> None:
    await console.page.keyboard.press("4")
    panel = console.page.get_by_role("region", name="Faults")
    await panel.get_by_label("Edge", exact=True).select_option(edge)
    await panel.get_by_role("button", name=fault).click()
    await expect(panel.get_by_role("status")).to_contain_text(f"{edge}: ")


@asynccontextmanager
async def publishing(broker: Broker) -> AsyncIterator[list[str]]:
    """Publish all the while, and give the ids: the page compares what came within a moment after it was back."""
    published: list[str] = []
    over = asyncio.Event()

    async def publish_on() -> None:
        async with Producer(broker.url, tenant="acme") as producer:
            while not over.is_set():
                published.append(await producer.publish("orders.1", len(published)))
                await asyncio.sleep(0.1)  # so many are more than enough

    async with asyncio.TaskGroup() as group:
        group.create_task(publish_on())
        try:
            yield published
        finally:
            over.set()


async def test_killed_edge(edges: dict[str, EdgeProcess], console: Console, broker: Broker) -> None:
    name = await find_edge(console)
    [other] = set(edges) - {name}

    async with publishing(broker) as published:
        await cause(console, name, "Kill the edge")
        assert await asyncio.to_thread(edges[name].wait) == -9
        await expect(console.page.get_by_role("article", name=f"Edge {name}")).to_contain_text("No answer")
        await console.page.keyboard.press("1")
        await expect(console.page.locator(".view[aria-label=Events] .told.good")).to_contain_text(
            "none lost, none twice"
        )

    await console.wait_count(1 + len(published))
    await console.wait_link("live")
    assert await find_edge(console) == other


async def test_closed_streams_come_back(edges: dict[str, EdgeProcess], console: Console, broker: Broker) -> None:
    async with publishing(broker) as published:
        await cause(console, await find_edge(console), "Close all streams")
        await console.page.keyboard.press("1")
        await expect(console.page.locator(".view[aria-label=Events] .told.good")).to_contain_text(
            "none lost, none twice"
        )

    await console.wait_count(1 + len(published))


async def test_silent_edge_is_found_out(edges: dict[str, EdgeProcess], console: Console) -> None:
    silent = await find_edge(console)
    states = await console.watch_link()
    await cause(console, silent, "Go silent")
    await publish(edges["a"], ("orders.1", 2))

    await console.wait_count(2)
    await console.wait_passed(states, "stale")
    await console.wait_link("live")


async def test_streams_that_were_muted_go_on_where_they_were(broker: Broker, tmp_path: Path) -> None:
    """For a shorter time than the client's patience, which is 2.5 heartbeats."""
    async with EdgeProcess(broker.url, tmp_path / "edge", faults=True) as edge, open_console(edge) as console:
        await console.open(topic="orders.>", from_="now")
        await console.wait_link("live")
        await ask(edge, "silence", "edge", seconds="0.5")
        await publish(edge, *(("orders.1", number) for number in range(5)))

        await console.wait_count(5)
        assert [mark.split()[0] for mark in await console.read_marks()] == ["Following"]
        assert edge.find_errors() == []


async def test_refused_streams(edges: dict[str, EdgeProcess], console: Console) -> None:
    for name, edge in edges.items():
        await ask(edge, "refuse", name, seconds="600")
    await ask(edges["a"], "close", await find_edge(console))

    await console.wait_link("offline")
    await expect(console.page.locator("#link")).to_contain_text("again in")
    await console.page.locator("#link").click()
    await expect(console.page.locator("#links")).to_contain_text("a fault was asked for: no new streams")


async def test_faults_are_refused_where_they_were_not_allowed(broker: Broker, tmp_path: Path) -> None:
    async with EdgeProcess(broker.url, tmp_path / "edge") as edge:
        answer = await call(edge, "/console/faults/kill", method="POST", headers={"content-type": "application/json"})
        assert answer.status_code in (404, 405)
        assert (await call(edge, "/console/settings.json")).json()["faults"] is False


async def test_pages_of_other_origins_cause_no_fault(edges: dict[str, EdgeProcess]) -> None:
    """What a page may send elsewhere without asking has none of JSON's content type."""
    answer = await call(edges["a"], "/console/faults/kill", method="POST", headers={"content-type": "text/plain"})
    assert answer.status_code == 400
    assert all(edge.running for edge in edges.values())


async def ask(edge: EdgeProcess, fault: str, name: str, **query: str) -> None:
    """Ask until the edge that is meant answers: they share a port."""
    for _ in range(200):
        answer = await call(
            edge,
            f"/console/faults/{fault}",
            method="POST",
            params={"edge": name, **query},
            headers={"content-type": "application/json"},
        )
        if answer.status_code != 421:
            assert answer.status_code == 202, answer.text
            return
    pytest.fail(f"the edge {name} never answered")
