"""The console in a real Chromium, as its tests use it."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from conformance.programs import require_chromium
from playwright.async_api import Browser, JSHandle, Page, async_playwright, expect
from support.edge import EdgeProcess

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]

WAIT = 120_000
"""Milliseconds for whatever is waited for; only a hung test takes so long."""

expect.set_options(timeout=WAIT)


class Console:
    """The page, and what may be asked of it.

    Attributes:
        page: of the browser.
        complaints: what the browser had to say: errors, and what its policy forbade.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        self._url = url
        page.set_default_timeout(WAIT)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)

    async def open(self, view: str = "events", **query: str) -> None:
        """Open a view for the tenant of the tests."""
        fields = "&".join(f"{name.rstrip('_')}={value}" for name, value in {"tenant": "acme", **query}.items())
        await self.page.goto(f"{self._url}/console#/{view}?{fields}")
        # It asks the edge for its settings before it goes on, which the page's load does not wait for.
        await self.page.wait_for_function("() => window.tailrace")

    async def wait_link(self, state: str) -> None:
        await expect(self.page.locator("#link")).to_have_attribute("data-state", re.compile(f"^({state})$"))

    async def watch_link(self) -> JSHandle:
        """Return the list of all states that the link goes through from now on, however short they are."""
        return await self.page.evaluate_handle(
            """() => {
                const states = [], link = document.getElementById("link");
                new MutationObserver(() => states.push(link.dataset.state)).observe(link, { attributes: true });
                return states;
            }"""
        )

    async def hold_cuts(self) -> None:
        """Have links that are cut from now on come back at `end_cut`, not after three seconds."""
        await self.page.evaluate(
            """() => {
                const later = setTimeout;
                window.setTimeout = (act, after, ...rest) =>
                    after === 3000 ? ((window.endCut = act), 0) : later(act, after, ...rest);
            }"""
        )

    async def end_cut(self) -> None:
        await self.page.wait_for_function("() => window.endCut")
        await self.page.evaluate("endCut()")

    async def wait_passed(self, states: JSHandle, state: str) -> None:
        """Return once the link was in a state, whatever it is in now."""
        await self.page.wait_for_function("([states, state]) => states.includes(state)", arg=[states, state])

    async def count(self, what: str = "total") -> int:
        """Return how many events came; are `held`; are `shown`; are `recent`, in the chart of the last minute."""
        number: int = await self.page.evaluate("what => tailrace.events.counts[what]", what)
        return number

    async def wait_count(self, number: int, what: str = "total") -> None:
        wanted = "([what, number]) => tailrace.events.counts[what] >= number"
        await self.page.wait_for_function(wanted, arg=[what, number])
        assert await self.count(what) == number

    async def read_marks(self) -> list[str]:
        """Return the lines about the stream that are in sight."""
        return await self.page.locator("#events .mark-text").all_inner_texts()

    async def evaluate(self, script: str) -> Any:
        return await self.page.evaluate(script)


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """A Chromium of its own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=require_chromium(), args=FLAGS, timeout=120_000)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def open_console(edge: EdgeProcess, **context: Any) -> AsyncIterator[Console]:
    """The console of an edge, in a browser of its own; `context` as Playwright's."""
    async with open_browser() as browser:
        options = {"viewport": {"width": 1280, "height": 800}} | context
        page = await (await browser.new_context(**options)).new_page()
        yield Console(page, edge.url)
