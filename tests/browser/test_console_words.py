"""What the console says where there is little to say, or something was entered that cannot be."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from browser.console import open_console
from browser.test_console_views import make_job
from playwright.async_api import expect
from support.calls import publish
from support.edge import EdgeProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


async def test_empty_views_say_why_and_of_whom(edge: EdgeProcess) -> None:
    async with open_console(edge) as console:
        empty = console.page.locator(".pane .empty:visible")
        await console.open(topic=">", from_="now")
        await expect(empty).to_contain_text("No event yet in the tenant acme on >")
        await console.page.keyboard.press("2")
        await expect(empty).to_contain_text("No jobs yet in the tenant acme")
        await console.page.keyboard.press("3")
        await expect(empty).to_contain_text("No topics yet in the tenant acme")

        await publish(edge, ("orders.1", 1), ("orders.2", 2))
        await expect(empty).to_have_count(0)
        await console.page.get_by_label("Search in topics").fill("nothing")
        await expect(empty).to_contain_text("No topic has these words")
        await console.page.keyboard.press("Escape")
        await console.page.keyboard.press("1")
        await console.wait_count(2)
        await console.page.get_by_label("Search in topic, type and data").fill("nothing")
        await expect(empty).to_have_text("None of the 2 events matches the search and the filters.")


async def test_a_topic_filter_that_is_none_hides_nothing_and_says_so(edge: EdgeProcess) -> None:
    async with open_console(edge) as console:
        await publish(edge, ("orders.1", 1), ("users.1", 2))
        await console.open(topic=">", from_="start")
        await console.wait_count(2)
        rows = console.page.locator("#events .row:not(.mark)")
        field = console.page.get_by_label("Show only topics that match")

        await field.fill("orders..")
        await expect(console.page.locator(".events")).to_contain_text("Not filtered by topic")
        await expect(field).to_have_attribute("aria-invalid", "true")
        await expect(rows).to_have_count(2)
        await field.fill("orders.")
        await expect(rows).to_have_count(1)
        await expect(console.page.locator(".events")).not_to_contain_text("Not filtered by topic")


@pytest.mark.parametrize("pattern", ["orders..1", ">.orders", "or*", "a b", "50%", "a" * 201, ".".join("a" * 17)])
async def test_a_pattern_that_is_none_is_not_taken_and_ends_nothing(edge: EdgeProcess, pattern: str) -> None:
    async with open_console(edge) as console:
        await console.open(topic="orders.>", from_="now")
        await console.wait_link("live")
        field = console.page.get_by_role("combobox", name="Add a topic or pattern")
        await field.fill(pattern)
        await field.press("Enter")

        await expect(console.page.locator(".events .told.bad")).to_contain_text(pattern)
        await expect(field).to_have_value(pattern)
        await expect(console.page.locator(".chip")).to_have_count(1)
        await console.page.get_by_role("button", name="Follow").click()
        await console.wait_link("live")
        await publish(edge, ("orders.1", 1))
        await console.wait_count(1)


async def test_enter_publishes(edge: EdgeProcess) -> None:
    async with open_console(edge) as console:
        await console.open(topic="orders.>", from_="now")
        await console.wait_link("live")
        await console.page.keyboard.press("n")
        dialog = console.page.get_by_role("dialog", name="Publish a test event")
        await dialog.get_by_role("combobox", name="Topic").fill("orders.9")
        await dialog.get_by_role("combobox", name="Topic").press("Enter")

        await expect(dialog.get_by_role("status")).to_contain_text("Stored as")
        await console.wait_count(1)


async def test_a_new_tab_opens_on_the_tenant_used_last(edge: EdgeProcess) -> None:
    async with open_console(edge) as console:
        await console.open(topic="orders.>", from_="now")
        await console.wait_link("live")
        await console.page.keyboard.press("k")
        dialog = console.page.get_by_role("dialog", name="Tenant and token")
        await dialog.get_by_label("Tenant").fill("other")
        await dialog.get_by_role("button", name="Use").click()
        await expect(console.page.locator("#tenant")).to_have_text("other")

        tab = await console.page.context.new_page()
        await tab.goto(f"{edge.url}/console")
        await expect(tab.locator("#tenant")).to_have_text("other")
        await tab.goto(f"{edge.url}/console?again#/jobs?tenant=No+Tenant")
        await expect(tab.locator("#tenant")).to_have_text("other")


def make_times(**spans: timedelta) -> dict[str, Any]:
    begin = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
    return {"started": begin.isoformat(), "ended": (begin + spans["took"]).isoformat()}


async def test_short_jobs_took_what_they_took(edge: EdgeProcess) -> None:
    async with open_console(edge, timezone_id="UTC", locale="en-GB") as console:
        await publish(
            edge,
            make_job("ms", "complete", **make_times(took=timedelta(milliseconds=400))),
            make_job("s", "complete", **make_times(took=timedelta(seconds=1.25))),
            make_job("min", "failed", percent=2.29, **make_times(took=timedelta(seconds=95))),
            make_job("warned", "running", percent=41, warned=57, warnings=[
                {"time": "2026-01-31T12:00:00Z", "message": f"row {number}"} for number in range(20)
            ], steps=[{"name": "read", "status": "complete"}, {"name": "load", "status": "running", "percent": 41.9}]),
        )  # fmt: skip
        await console.open("jobs")
        job = console.page.locator(".job")
        await expect(job.filter(has_text="400 ms")).to_contain_text("took 400 ms")
        await expect(job.filter(has_text="took 1.3 s")).to_have_count(1)
        await expect(job.filter(has_text="took 1 min 35 s").locator(".percent")).to_have_text("2.2 %")
        await console.page.get_by_role("button", name="warned").click()
        detail = console.page.get_by_role("complementary", name="Job")
        await expect(detail.get_by_role("heading", name="57 warnings, the newest 20")).to_be_visible()
        await expect(detail.locator(".warnings li")).to_have_count(20)
        await expect(detail.locator(".warnings time").first).to_have_text("31 Jan 2026 12:00:00.000")
        await expect(detail.locator(".gauge-text b")).to_have_text("41 %")
        await expect(detail.locator(".steps li")).to_have_text([re.compile("Complete$"), re.compile("Running, 41 %$")])


@pytest.mark.parametrize("width", [390, 700, 1440])
async def test_the_tenant_is_named_on_every_screen(edge: EdgeProcess, width: int) -> None:
    async with open_console(edge, viewport={"width": width, "height": 800}) as console:
        await console.open("jobs")
        await expect(console.page.locator("#tenant span")).to_be_visible()
        box = await console.page.locator("#tenant span").bounding_box()
        assert box is not None
        assert box["width"] > 25
