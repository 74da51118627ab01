"""The progress element before all of it is loaded: what comes later is missed, and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from browser.progress_element import get_bar, open_page, place, read, serve, show, tell
from playwright.async_api import Page, Route

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

LATER = "**/element/extras.js"
"""What is loaded after the first paint."""

BOXES = """() => Object.keys(STATES).filter(name => !/^gauge|^worker-lost/.test(name)).map(name => {
    const { top } = element(name).getBoundingClientRect();
    const shown = ["label", "value", "bar", "phase", "link"].filter(id => part(name, id).checkVisibility());
    const texts = shown.map(id => {
        const range = new Range();
        range.selectNode(part(name, id).querySelector("bdi")?.firstChild ?? part(name, id));
        const { x, y, height } = range.getBoundingClientRect();
        return `${id} ${x} ${y - top} ${height}`;
    });
    return [name, ...texts];
})"""
"""Where each state has its bar and texts, but for gauges, and where the age of what is shown stands between texts."""


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with serve(tmp_path, apart=True) as origin, open_page(origin, reduced_motion="reduce") as page:
        yield page


async def test_it_works_where_the_rest_cannot_be_loaded_and_tries_again(page: Page) -> None:
    refused: list[Route] = []

    async def refuse(route: Route) -> None:
        refused.append(route)
        await route.abort()

    await page.route(LATER, refuse)
    await place(page, link="connecting", cancelable="")
    await show(page, "link", "Connecting")
    await tell(page, link="live")
    await tell(page, state={"percent": 60, "done": 60, "rate": 2, "eta": 121, "step": "load"})
    await show(page, "value", "60%")
    await tell(page, state={"percent": 30, "done": 30, "rate": 2, "eta": 121, "step": "load"})
    await show(page, "count", "30 of 100")
    assert [await read(page, part) for part in ("label", "value", "step", "link")] == ["Import", "60%", "load", "Live"]
    assert await get_bar(page, "aria-valuetext") == "60% · 30 of 100 · load"
    await tell(page, link="offline")
    await show(page, "link", "Offline")
    assert await page.evaluate("element('x').matches(':state(halted)')")
    assert await read(page, "eta") == await read(page, "cancel") == ""
    assert refused

    await page.unroute(LATER)
    await tell(page, link="live")
    await show(page, "eta", "about 2 min left")
    await show(page, "cancel", "Cancel")
    assert [await read(page, part) for part in ("value", "rate")] == ["60%", "2/s"]
    assert await page.evaluate("part('x', 'link').querySelectorAll('svg').length") == 1


async def test_nothing_moves_when_the_rest_has_come(page: Page) -> None:
    come = asyncio.Event()

    async def hold(route: Route) -> None:
        await come.wait()
        await route.continue_()

    await page.route(LATER, hold)
    await page.set_viewport_size({"width": 1600, "height": 4000})
    for name in await page.evaluate("Object.keys(STATES)"):
        await page.evaluate("name => { showState(name) }", name)
    await page.evaluate("painted()")
    before: list[Any] = await page.evaluate(BOXES)
    assert await page.locator("tailrace-progress svg").count() == 0
    come.set()
    await page.wait_for_function("() => text('running', 'eta')")
    await page.evaluate("painted()")
    assert await page.evaluate(BOXES) == before
