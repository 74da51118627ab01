"""The console's edges over time: what is shown is what was heard, no more, and who is gone leaves."""

from typing import Any

import pytest
from browser.console import Console, open_console
from browser.test_console_access import check
from playwright.async_api import Route, expect
from support.edge import EdgeProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def make_stats(name: str, deliveries: int) -> dict[str, Any]:
    numbers = ["uptime", "lag", "tail_events", "tail_bytes", "connections", "live", "behind", "events", "bytes"]
    return dict.fromkeys(numbers, 0) | {
        "name": name, "ready": True, "head": 40, "first": 11, "deliveries": deliveries, "replays": {}, "closes": {},
    }  # fmt: skip


class Cluster:
    """Edges that say what they are told to, and a clock that is moved by hand."""

    def __init__(self, console: Console) -> None:
        self.page = console.page
        self.names = ["a", "b"]
        self.deliveries = 0

    async def open(self, console: Console) -> None:
        await self.page.clock.install(time=0)
        await self.page.clock.pause_at(1000)
        await self.page.route("**/v1/stats*", self._answer)
        await console.open("edges")
        await expect(self.page.locator(".card:not(.faults)")).to_have_count(len(self.names))

    async def pass_time(self, seconds: int, *, steps: int = 1) -> None:
        """Let some time pass; after each step, the page has drawn what it was answered."""
        for _ in range(steps):
            self.deliveries += 20
            async with self.page.expect_response("**/v1/stats*"):
                await self.page.clock.run_for(seconds * 1000)
            await expect(self.page.locator(".card").first.locator(".facts")).to_contain_text(f"· {self.deliveries}")

    async def _answer(self, route: Route) -> None:
        await route.fulfill(json={"edges": [make_stats(name, self.deliveries) for name in self.names]})


async def test_edges_that_are_gone_for_long_leave(edge: EdgeProcess) -> None:
    async with open_console(edge) as console:
        cluster = Cluster(console)
        await cluster.open(console)
        cluster.names = ["a", "c"]
        await cluster.pass_time(2)
        gone = console.page.get_by_role("article", name="Edge b")
        await expect(gone).to_contain_text("No answer")
        await expect(console.page.locator(".totals")).to_contain_text("2 of 3 ready")

        await console.page.clock.fast_forward(300_000)
        await cluster.pass_time(2)

        await expect(gone).to_have_count(0)
        await expect(console.page.locator(".totals")).to_contain_text("2 of 2 ready")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious_in_an_edge_without_answer(edge: EdgeProcess, scheme: str) -> None:
    async with open_console(edge, color_scheme=scheme) as console:
        names = ["a", "b"]

        async def answer(route: Route) -> None:
            await route.fulfill(json={"edges": [make_stats(name, 1) for name in names]})

        await console.page.route("**/v1/stats*", answer)
        await console.open("edges")
        await expect(console.page.get_by_role("article", name="Edge b")).to_contain_text("Ready")
        names.remove("b")
        await expect(console.page.get_by_role("article", name="Edge b")).to_contain_text("No answer")
        await check(console)


async def test_charts_show_what_was_heard_and_nothing_else(edge: EdgeProcess) -> None:
    async with open_console(edge) as console:
        cluster = Cluster(console)
        await cluster.open(console)
        chart = console.page.get_by_role("article", name="Edge a").locator(".spark")
        line = chart.locator(".line")
        unknown = "Deliveries a second in the last two minutes: not known yet"
        await expect(chart.get_by_role("img")).to_have_attribute("aria-label", unknown)
        assert await line.get_attribute("d") == ""

        await cluster.pass_time(2, steps=3)
        await expect(chart).to_have_text("deliveries/s, last 2 minpeak 10")
        drawn = await line.get_attribute("d") or ""
        assert (drawn.count("M"), drawn.count("L")) == (1, 2), "three answers after the first one"

        await console.page.keyboard.press("2")
        await console.page.clock.fast_forward(60_000)
        await console.page.keyboard.press("4")
        await cluster.pass_time(2, steps=2)
        drawn = await line.get_attribute("d") or ""
        assert drawn.count("M") == 2, "of the time in between nothing is known"
