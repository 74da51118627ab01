"""The console's lists while they move: focus, keys and held clicks stay with the row that they are on."""

import pytest
from browser.console import Console, open_console
from browser.test_console_views import make_job
from playwright.async_api import expect
from support.calls import publish
from support.edge import EdgeProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

FOCUSED = "document.activeElement.closest('.job')?.dataset.topic ?? document.activeElement.tagName"


async def open_jobs(console: Console, edge: EdgeProcess, number: int) -> None:
    """Show running jobs, of which the first one is the newest."""
    started = [f"2026-01-01T00:{59 - index:02}:00Z" for index in range(number)]
    await publish(
        edge, *(make_job(f"j{index}", "running", percent=10, started=time) for index, time in enumerate(started))
    )
    await console.open("jobs")
    await expect(console.page.locator(".job")).to_have_count(number)


async def end(edge: EdgeProcess, *jobs: str) -> None:
    await publish(edge, *(make_job(job, "complete", ended="2026-01-01T01:00:00Z") for job in jobs))


async def test_focus_stays_with_a_job_while_others_come_and_go(edge: EdgeProcess) -> None:
    async with open_console(edge) as console:
        await open_jobs(console, edge, 6)
        await console.page.locator(".job-name", has_text="j3").focus()

        await publish(edge, make_job("new", "running", started="2026-01-01T02:00:00Z"))
        await end(edge, "j1", "j2", "j5")
        await expect(console.page.locator(".job")).to_have_count(7)
        await expect(console.page.locator(".job b")).to_have_text(["new", "j0", "j3", "j4", "j1", "j2", "j5"])
        assert await console.evaluate(FOCUSED) == "jobs.j3"
        await end(edge, "j3")
        await expect(console.page.locator(".job b").nth(2)).to_have_text("j4")
        assert await console.evaluate(FOCUSED) == "jobs.j3", "also when it moves itself"

        await console.page.locator(".job-name", has_text="j4").focus()
        await publish(edge, ("jobs.j4", None, "deleted"))
        await expect(console.page.locator(".job")).to_have_count(6)
        assert await console.evaluate(FOCUSED) == "jobs.j1", "what has its place now"


async def test_focus_stays_with_a_filter(edge: EdgeProcess) -> None:
    async with open_console(edge) as console:
        await open_jobs(console, edge, 3)
        running = console.page.get_by_role("button", name="Running 3")
        await running.focus()
        await running.press("Enter")
        await end(edge, "j1")

        await expect(console.page.locator(".job")).to_have_count(2)
        running = console.page.get_by_role("button", name="Running 2")
        await expect(running).to_be_focused()
        await expect(running).to_have_attribute("aria-pressed", "true")
        await expect(console.page.get_by_role("button", name="Complete 1")).to_be_visible()


async def test_keys_lead_from_job_to_job_and_into_it(edge: EdgeProcess) -> None:
    async with open_console(edge) as console:
        await open_jobs(console, edge, 30)
        press = console.page.keyboard.press
        await console.page.get_by_role("button", name="Running 30").focus()
        await press("Tab")
        for key, job in [
            ("ArrowDown", 1),
            ("End", 29),
            ("ArrowUp", 28),
            ("ArrowDown", 29),
            ("Home", 0),
            ("PageDown", 8),
        ]:
            await press(key)
            assert await console.evaluate(FOCUSED) == f"jobs.j{job}", key
        await expect(console.page.locator(".job", has_text="j8").first).to_be_in_viewport()

        await press("Enter")
        await expect(console.page.get_by_role("heading", name="j8")).to_be_focused()
        await press("Tab")
        await press("Tab")
        await expect(console.page.get_by_role("button", name="Cancel job")).to_be_focused()
        await press("Escape")
        assert await console.evaluate(FOCUSED) == "jobs.j8"


async def test_a_held_click_is_of_the_job_that_was_pressed(edge: EdgeProcess) -> None:
    async with open_console(edge) as console:
        await open_jobs(console, edge, 4)
        await console.page.locator(".job", has_text="j2").hover()
        await console.page.mouse.down()
        await publish(edge, *(make_job(f"n{number}", "running", started="2026-01-02T00:00:00Z") for number in range(3)))
        await console.page.wait_for_function("() => tailrace.jobs.count === 7")
        await console.page.mouse.up()

        await expect(console.page.get_by_role("heading", name="j2")).to_be_visible()
        await expect(console.page.locator(".job")).to_have_count(7)


async def test_a_held_click_is_of_the_event_that_was_pressed(edge: EdgeProcess) -> None:
    async with open_console(edge) as console:
        await console.open(topic="orders.>", from_="now")
        await console.wait_link("live")
        await publish(edge, *(("orders.1", f"number {number}") for number in range(60)))
        row = console.page.locator("#events .row", has_text="number 57")
        await row.hover()
        await console.page.mouse.down()
        await publish(edge, *(("orders.1", f"number {number}") for number in range(60, 70)))
        await console.wait_count(70)
        await console.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        await console.page.mouse.up()

        await expect(console.page.get_by_role("region", name="Data")).to_contain_text("number 57")
        await expect(row).to_have_attribute("aria-selected", "true")
