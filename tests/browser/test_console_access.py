"""The console for everybody: axe's rules, the keyboard, small screens, dark and light."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from browser.console import Console, open_console
from browser.test_console_views import make_job
from client_js.package import prepare_package
from playwright.async_api import expect
from support.broker import Broker
from support.calls import publish
from support.edge import EdgeProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

VIEWS = ["events", "jobs", "topics", "edges"]


@pytest.fixture
async def edge(broker: Broker, tmp_path: Path) -> AsyncIterator[EdgeProcess]:
    async with EdgeProcess(broker.url, tmp_path / "edge", faults=True) as edge:
        await publish(
            edge,
            ("orders.1", {"state": "paid", "total": 12.5, "items": None}),
            ("orders.2", {"text": "a long text " * 30}, "warning"),
            make_job("a", "running", title="Import " * 20, percent=25, steps=[{"name": "read", "status": "running"}]),
            make_job("b", "failed", error={"type": "ValueError", "message": "no column " * 40}, user="7" * 60),
            make_job("c", "worker_lost", percent=3, message="an-endless-word" * 30),
            make_job("d", "complete", result={"rows": 3}),
            make_job("e", "cancelled"),
        )
        yield edge


def read_axe() -> str:
    """Return axe-core's source, which libs/client-js is tested with."""
    return (prepare_package() / "node_modules" / "axe-core" / "axe.min.js").read_text()


async def check(console: Console) -> None:
    """Fail if axe finds anything serious."""
    await console.page.evaluate(read_axe())
    found: dict[str, Any] = await console.page.evaluate("axe.run()")
    serious = [
        (rule["id"], [(node["html"], node["failureSummary"]) for node in rule["nodes"]])
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
    ]
    assert serious == []


async def open_view(console: Console, view: str) -> None:
    query = {"topic": ">", "from_": "start"} if view == "events" else {}
    await console.open(view, **query)
    first = {"events": "#events .row", "jobs": ".job", "topics": "#topics .row", "edges": ".card"}[view]
    await expect(console.page.locator(first).first).to_be_visible()
    if view == "events":
        await console.wait_count(7)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
async def test_axe_finds_nothing_serious(edge: EdgeProcess, view: str, scheme: str) -> None:
    async with open_console(edge, color_scheme=scheme) as console:
        await open_view(console, view)
        await check(console)
        if view != "edges":
            await console.page.locator({"jobs": ".job-name"}.get(view, f"#{view} .row:not(.mark)")).first.click()
            await check(console)


@pytest.mark.parametrize("key", ["n", "k", "?"])
async def test_axe_finds_nothing_serious_in_dialogs(edge: EdgeProcess, key: str) -> None:
    async with open_console(edge) as console:
        await open_view(console, "events")
        await console.page.keyboard.press(key)
        await expect(console.page.get_by_role("dialog")).to_be_visible()
        await check(console)


@pytest.mark.parametrize("width", [360, 390, 645, 700, 900, 1440])
async def test_nothing_is_wider_than_the_screen(edge: EdgeProcess, width: int) -> None:
    async with open_console(edge, viewport={"width": width, "height": 800}) as console:
        for view in VIEWS:
            await open_view(console, view)
            wide = await console.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert wide == [width, width], view
            panes = "[...document.querySelectorAll('.pane')].map(pane => pane.scrollWidth - pane.clientWidth)"
            assert set(await console.evaluate(panes)) <= {0}, view
            # However long the tenant's name is, and whatever there is to say about the link.
            await console.evaluate("document.querySelector('#tenant span').textContent = 'a-tenant-'.repeat(7)")
            for button in await console.page.locator("header.frame button:visible, nav a:visible").all():
                box = await button.bounding_box()
                assert box is not None
                assert 0 <= box["x"] <= box["x"] + box["width"] <= width, (view, box)
                assert await button.evaluate("button => button.scrollWidth - button.clientWidth") <= 1, (view, box)


@pytest.mark.parametrize("size", [(844, 390), (720, 450), (390, 560)])
async def test_lists_are_to_be_seen_where_the_screen_is_low(edge: EdgeProcess, size: tuple[int, int]) -> None:
    """A phone on its side, a laptop's screen at 200 %, a phone with its keyboard open."""
    width, height = size
    async with open_console(edge, viewport={"width": width, "height": height}) as console:
        for view in VIEWS[:3]:
            await open_view(console, view)
            pane = console.page.locator(".pane")
            await pane.scroll_into_view_if_needed()
            box = await pane.bounding_box()
            assert box is not None
            assert box["height"] >= height / 2, view
            assert await pane.evaluate("pane => pane.getBoundingClientRect().top < innerHeight - 100"), view


REACH = """control => {
    control.scrollIntoView({ block: "nearest", behavior: "instant" });
    const { x, y, width, height } = control.getBoundingClientRect();
    return control.contains(document.elementFromPoint(x + width / 2, y + height / 2));
}"""


@pytest.mark.parametrize("key", ["n", "k", "?"])
async def test_all_of_a_dialog_can_be_reached_where_the_screen_is_low(edge: EdgeProcess, key: str) -> None:
    async with open_console(edge, viewport={"width": 667, "height": 315}) as console:
        await open_view(console, "events")
        await console.page.keyboard.press(key)
        await expect(console.page.get_by_role("dialog")).to_be_visible()
        controls = await console.page.locator("dialog :is(button, input, textarea, .hint):visible").all()
        reached = [await control.evaluate(REACH) for control in controls]
        assert reached == [True] * len(controls)
        assert len(controls) > 2


async def test_everything_is_done_with_the_keyboard(edge: EdgeProcess) -> None:
    async with open_console(edge) as console:
        await open_view(console, "events")
        press = console.page.keyboard.press
        focus = "document.activeElement.textContent.trim() || document.activeElement.id"
        await press("Tab")
        assert await console.evaluate(focus) == "Skip to the content"
        await press("Tab")
        assert await console.evaluate(focus) == "Events"
        await press("/")
        await console.page.keyboard.type("paid")
        await expect(console.page.locator("#events .row:not(.mark)")).to_have_count(1)
        await press("Escape")
        await console.page.locator("#events").focus()
        await press("End")
        await expect(console.page.get_by_role("complementary", name="Event")).to_be_visible()
        await press("Escape")
        await expect(console.page.get_by_role("complementary", name="Event")).to_be_hidden()
        for key, view in zip("1234", VIEWS, strict=True):
            await press(key)
            await expect(console.page.locator(f"main > .view[aria-label={view.capitalize()}]")).to_be_visible()
        await press("?")
        await console.page.get_by_label("Single keys are shortcuts").uncheck()
        await press("Escape")
        await press("1")
        await expect(console.page.locator("main > .view[aria-label=Edges]")).to_be_visible()


async def test_colours_are_switched_and_kept(edge: EdgeProcess) -> None:
    async with open_console(edge, color_scheme="light") as console:
        await open_view(console, "jobs")
        ground = "getComputedStyle(document.body).backgroundColor"
        light = await console.evaluate(ground)
        await console.page.keyboard.press("t")
        await console.page.keyboard.press("t")
        dark = await console.evaluate(ground)
        assert dark != light
        await console.page.reload()
        assert await console.evaluate(ground) == dark


async def test_motion_is_slower_where_less_is_wanted(edge: EdgeProcess) -> None:
    async with open_console(edge, reduced_motion="reduce") as console:
        await publish(edge, make_job("u", "running", title="Unknown"))
        await open_view(console, "jobs")
        bar = console.page.get_by_role("progressbar", name="Unknown").locator("i")
        assert await bar.evaluate("bar => getComputedStyle(bar).animationDuration") == "4s"
