"""The element in Firefox and WebKit."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from browser.other_browsers.driver import TAB, Tab
from browser.progress_element import serve
from support.edge import EdgeProcess
from tailrace_producer import Producer

PICTURES = Path(__file__).parents[3] / "build" / "browsers"
"""For whoever wants to look."""

GRID = "display: grid; grid-template-columns: repeat(4, 1fr); gap: 12px; font-size: 12px"


@pytest.fixture
async def origin(tmp_path: Path) -> AsyncIterator[str]:
    """The origin of a server that has the page and the element."""
    async with serve(tmp_path) as origin:
        yield origin


@pytest.fixture
async def page(tab: Tab, origin: str) -> Tab:
    await tab.goto(f"{origin}/")
    await tab.wait_for("window.ready")
    return tab


def keep(picture: bytes, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / f"{name}.png").write_bytes(picture)


async def test_cancelling_with_the_keyboard_reaches_the_worker(
    page: Tab, edge: EdgeProcess, producer: Producer
) -> None:
    async def work() -> None:
        async with producer.job("x", total=1_000_000) as job:
            async for _ in job.track(range(1_000_000)):
                await asyncio.sleep(0.002)

    working = asyncio.create_task(work())
    given = {"job": "x", "src": edge.url, "tenant": "acme", "cancelable": ""}
    await page.evaluate(f"void place({json.dumps(given)})")
    await page.wait_for(
        "text('x', 'link') === 'Live' && text('x', 'count').includes('of 1,000,000') && part('x', 'cancel')"
    )
    await page.type(f"{TAB} ")
    await asyncio.gather(working, return_exceptions=True)
    await page.wait_for("text('x', 'phase') === 'Cancelled'")


async def test_the_shim_shows_a_gauge_and_tells_the_result(page: Tab, edge: EdgeProcess, producer: Producer) -> None:
    await page.evaluate("loadShim().then(() => 0)")
    given = json.dumps({"src": edge.url, "tenant": "acme"})
    told = "onComplete: (result) => (window.result = result)"
    await page.evaluate(f"void new SSEProgressUI('gauge', 'y', {{ ...{given}, {told} }})")
    async with producer.job("y", total=10) as job:
        job.update(5)
        await page.wait_for("text('y', 'value') === '50%'")
        await page.wait_for("getComputedStyle(part('y', 'arc').lastChild).strokeDasharray === '50px, 200px'")
        job.complete({"rows": 10})
    await page.wait_for("window.result?.rows === 10")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("direction", "begin"), [("ltr", "left"), ("rtl", "right")])
async def test_every_state_is_shown_and_fills_from_where_reading_begins(
    page: Tab, direction: str, begin: str, scheme: str
) -> None:
    root = "document.documentElement"
    await page.evaluate(f"void ({root}.dir = {direction!r}, {root}.style.colorScheme = {scheme!r})")
    await page.evaluate(f"void (document.getElementById('place').style.cssText = {GRID!r})")
    await page.evaluate("void Object.keys(STATES).forEach((name) => showState(name))")
    box = "part('running', {!r}).getBoundingClientRect()"
    bar, fill = box.format("bar"), box.format("fill")
    await page.wait_for("text('running', 'value') === '42%'")
    await page.wait_for(f"Math.abs({fill}.width / {bar}.width - 0.42) < 0.01")
    assert await page.evaluate(f"Math.abs({fill}.{begin} - {bar}.{begin})") < 1
    await page.wait_for("Object.keys(STATES).every((name) => text(name, 'phase') || text(name, 'link'))")
    keep(await page.take_picture(), f"{page.browser.name}-{direction}-{scheme}")
