"""The console's events: they arrive, all of them, whatever happens to the connection, and are easy to look through."""

import re
import shlex
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from browser.console import Console, open_console
from playwright.async_api import expect
from support.broker import PATIENCE, Broker
from support.calls import call, publish
from support.edge import EdgeProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
async def edge(broker: Broker, tmp_path: Path) -> AsyncIterator[EdgeProcess]:
    async with EdgeProcess(broker.url, tmp_path / "edge", name="one", faults=True, heartbeat=1, retry=0.1) as edge:
        yield edge


@pytest.fixture
async def console(edge: EdgeProcess) -> AsyncIterator[Console]:
    async with open_console(edge) as console:
        yield console
        assert [each for each in console.complaints if "503" not in each] == []


async def publish_many(edge: EdgeProcess, number: int, *, topic: str = "orders.1") -> None:
    body = [{"topic": topic, "data": {"number": index}} for index in range(number)]
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        for begin in range(0, number, 200):
            answer = await client.post(f"{edge.url}/v1/acme/events", json=body[begin : begin + 200])
            assert answer.status_code == 201


async def test_events_arrive_with_all_that_they_carry(edge: EdgeProcess, console: Console) -> None:
    await console.open(topic="orders.>", from_="now")
    await console.wait_link("live")

    await publish(edge, ("orders.17", {"state": "<b>paid</b>"}, "message"), ("other", 1))

    row = console.page.locator("#events .row:not(.mark)")
    await expect(row).to_have_count(1)
    await expect(row).to_contain_text('messageorders.17{"state":"<b>paid</b>"}')
    await row.click()
    detail = console.page.get_by_role("complementary", name="Event")
    await expect(detail.get_by_role("region", name="Data")).to_have_text('{\n  "state": "<b>paid</b>"\n}')


async def test_ten_thousand_events_are_counted_and_a_screenful_is_drawn(edge: EdgeProcess, console: Console) -> None:
    await publish_many(edge, 10_000)
    await console.open(topic="orders.>", from_="start")

    await console.wait_count(10_000)

    assert await console.count("held") == 10_000
    rows = console.page.locator("#events .row")
    await expect(rows.last).to_contain_text('{"number":9999}')
    assert await rows.count() < 100
    await console.page.locator("#events").press("Home")
    await expect(rows.nth(1)).to_contain_text('{"number":0}')
    await console.page.locator("#events").press("PageDown")
    assert await rows.count() < 100
    await console.page.get_by_role("button", name="Newest").click()
    await expect(rows.last).to_contain_text('{"number":9999}')


async def test_memory_is_bounded(edge: EdgeProcess, console: Console) -> None:
    await publish_many(edge, 25_000)
    await console.open(topic="orders.>", from_="start")

    await console.wait_count(25_000)

    assert 19_000 < await console.count("held") <= 20_000
    await expect(console.page.locator("#events .row").last).to_contain_text('{"number":24999}')


async def test_cut_link_resumes_and_says_what_came(edge: EdgeProcess, console: Console) -> None:
    await console.open(topic="orders.>", from_="now")
    await console.wait_link("live")
    await publish_many(edge, 3)
    await console.wait_count(3)

    states = await console.watch_link()
    await console.page.keyboard.press("x")
    await console.wait_passed(states, "offline")
    await publish_many(edge, 8)

    await console.wait_count(11)
    await console.wait_link("live")
    mark = console.page.locator("#events .mark-text").last
    await expect(mark).to_have_text(
        re.compile(r"Resumed at one after \S+ s\. 8 events since, compared with the log: none lost, none twice")
    )
    assert float((await mark.inner_text()).split()[4]) >= 3


async def test_a_cut_is_not_hidden_by_other_streams(edge: EdgeProcess, console: Console) -> None:
    await console.open(topic="orders.>", from_="now")
    await console.wait_link("live")
    states = await console.watch_link()
    await console.hold_cuts()

    await console.page.keyboard.press("2")
    await console.wait_link("live")
    await console.page.keyboard.press("x")
    await console.wait_link("offline")
    await expect(console.page.locator("#link")).to_contain_text("again in")
    await console.page.locator("#link").click()
    await expect(console.page.locator("#links")).to_contain_text("cut here")
    await console.end_cut()
    await console.wait_link("live")
    assert "closed" not in await states.json_value()


async def test_of_many_events_since_a_cut_it_says_how_many_were_compared(edge: EdgeProcess, console: Console) -> None:
    await console.open(topic="orders.>", from_="now")
    await console.wait_link("live")
    await publish_many(edge, 1)
    await console.wait_count(1)
    await console.hold_cuts()

    await console.page.keyboard.press("x")
    await console.wait_link("offline")
    await publish_many(edge, 1_200)
    await console.end_cut()

    await console.wait_count(1_201)
    await expect(console.page.locator(".events .told.good")).to_contain_text("The first 1,000 events since")


async def test_what_is_read_anew_is_not_counted_twice(edge: EdgeProcess, console: Console) -> None:
    await publish_many(edge, 30)
    await console.open(topic="orders.>", from_="start")
    await console.wait_count(30)
    await console.wait_count(30, "recent")

    await console.page.get_by_role("button", name="Follow").click()

    await console.wait_count(60)
    assert await console.count("recent") == 30


async def test_of_the_time_before_it_followed_the_chart_shows_nothing(edge: EdgeProcess, console: Console) -> None:
    await publish_many(edge, 30)
    await console.open(topic="orders.>", from_="now")
    await console.wait_link("live")
    chart = console.page.locator(".strip .spark")
    line = chart.locator(".line")

    await publish_many(edge, 7)
    await expect(chart).to_contain_text(re.compile("peak [1-9]"))
    drawn = await line.get_attribute("d") or ""
    assert 1 <= len(drawn.split("L")) < 60
    await console.page.get_by_label("From where").select_option("-1m")
    await console.page.get_by_role("button", name="Follow").click()
    await console.wait_count(44)
    await expect(line).to_have_attribute("d", re.compile(r"^M([^LM]+L){59}[^LM]+$"))


async def test_the_address_says_what_is_looked_at(edge: EdgeProcess, console: Console) -> None:
    await publish_many(edge, 5)
    await console.open(topic="orders.>", from_="start")
    await console.wait_count(5)
    await console.page.locator("#events .row", has_text='{"number":2}').click()
    await console.page.get_by_role("button", name="Resume after this").click()
    await console.wait_count(7)
    await console.page.keyboard.press("2")
    await console.page.keyboard.press("1")
    await expect(console.page).to_have_url(re.compile(r"#/events\?tenant=acme&from=[0-9a-f]{8}-3&topic=orders.%3E$"))

    await console.page.reload()

    await console.wait_count(2)
    await publish(edge, ("notes.1", 1), tenant="other")
    await console.evaluate("location.hash = '#/events?tenant=other&from=start&topic=notes.>'")
    await console.wait_count(1)
    await expect(console.page.locator("#tenant")).to_have_text("other")


async def test_pause_reads_nothing_and_loses_nothing(edge: EdgeProcess, console: Console) -> None:
    await console.open(topic="orders.>", from_="now")
    await console.wait_link("live")
    await publish_many(edge, 1)
    await console.wait_count(1)

    await console.page.keyboard.press("p")
    await console.wait_link("paused")
    await publish_many(edge, 500)
    # A line about the next stream would show that it had its turn.
    await console.page.keyboard.press("2")
    await expect(console.page.locator(".jobs-view")).to_be_visible()
    assert await console.count() == 1

    await console.page.keyboard.press("p")
    await console.wait_count(501)
    await console.wait_link("live")


async def test_filters_and_search(edge: EdgeProcess, console: Console) -> None:
    await console.open(topic=">", from_="now")
    await console.wait_link("live")
    await publish(edge, ("orders.1", {"for": "Ada"}), ("orders.2", {"for": "Bob"}), ("users.1", {"by": "ada"}, "log"))
    await console.wait_count(3)
    rows = console.page.locator("#events .row:not(.mark)")

    await console.page.get_by_label("Search in topic, type and data").fill("ADA")
    await expect(rows).to_have_count(2)
    await console.page.get_by_label("Show only topics that match").fill("orders.*")
    await expect(rows).to_have_count(1)
    await console.page.get_by_label("Search in topic, type and data").fill("")
    await expect(rows).to_have_count(2)
    await console.page.get_by_role("button", name="log 1").click()
    await expect(rows).to_have_count(0)
    await console.page.get_by_label("Show only topics that match").fill("")
    await expect(rows).to_have_count(1)


async def test_topics_are_completed_from_the_log(edge: EdgeProcess, console: Console) -> None:
    await publish(edge, ("orders.1", 1), ("orders.2", 1), ("users.7.jobs.import", 1), ("users.8.jobs.import", 1))
    await console.open(topic="none", from_="now")
    await console.page.get_by_role("button", name="Take none away").click()
    field = console.page.get_by_role("combobox", name="Add a topic or pattern")
    options = console.page.get_by_role("listbox", name="Topics in the log").get_by_role("option")

    await field.fill("users.")
    await expect(options).to_have_text(["users.7.>1 topic", "users.8.>1 topic"])
    await field.fill("users.*.j")
    await expect(options).to_have_text(["users.*.jobs.>2 topics"])
    await console.page.set_viewport_size({"width": 390, "height": 844})
    box = await console.page.get_by_role("listbox", name="Topics in the log").bounding_box()
    assert box is not None
    assert 0 <= box["x"] <= box["x"] + box["width"] <= 390
    await field.press("ArrowDown")
    await field.press("Enter")
    await console.page.get_by_label("From where").select_option("start")
    await console.page.get_by_role("button", name="Follow").click()

    await console.wait_count(2)


async def test_topics_beyond_the_first_thousands_are_completed_too(edge: EdgeProcess, console: Console) -> None:
    async with httpx.AsyncClient(timeout=60) as client:
        for begin in range(0, 2_001, 667):
            body = [{"topic": f"clicks.{number:04}"} for number in range(begin, begin + 667)]
            assert (await client.post(f"{edge.url}/v1/acme/events", json=body)).status_code == 201
    await publish(edge, ("orders.1", 1))
    loaded: list[str] = []
    console.page.on("request", lambda request: loaded.append(request.url))
    await console.open(topic="none", from_="now")
    field = console.page.get_by_role("combobox", name="Add a topic or pattern")
    options = console.page.get_by_role("listbox", name="Topics in the log").get_by_role("option")

    await field.click()
    await expect(options).to_have_text([">2,002 topics", "clicks.>2,001 topics", "orders.>1 topic"])
    await field.fill("or")
    await expect(options).to_have_text(["orders.>1 topic"])
    await field.fill("clicks.200")
    await expect(options).to_have_text(["clicks.2000topic"])
    asked = [url for url in loaded if "/topics?" in url]
    assert asked
    assert all("names=true" in url for url in asked), "whole events are not loaded"


async def test_topics_are_completed_for_who_may_not_see_all(edge: EdgeProcess) -> None:
    async with open_console(edge) as console:
        await publish(edge, ("orders.1", 1))
        await console.page.route(re.compile(r"/topics\?match=%3E&"), lambda route: route.fulfill(status=403, json={}))
        await console.open(topic="none", from_="now")
        field = console.page.get_by_role("combobox", name="Add a topic or pattern")
        async with console.page.expect_response(re.compile(r"/topics\?match=%3E&")):
            await field.click()

        await field.press_sequentially("orders.")

        options = console.page.get_by_role("listbox", name="Topics in the log").get_by_role("option")
        await expect(options).to_have_text(["orders.1topic"])


async def test_it_resumes_after_any_event(edge: EdgeProcess, console: Console) -> None:
    await publish_many(edge, 5)
    await console.open(topic="orders.>", from_="start")
    await console.wait_count(5)

    await console.page.locator("#events .row", has_text='{"number":2}').click()
    await console.page.get_by_role("button", name="Resume after this").click()

    await console.wait_count(7)  # with the two that follow it


async def test_what_is_looked_at_stays_where_it_is(edge: EdgeProcess, console: Console) -> None:
    await console.open(topic="orders.>", from_="now")
    await console.wait_link("live")
    await publish_many(edge, 60)
    await console.wait_count(60)
    row = console.page.locator("#events .row", has_text='{"number":55}')
    await row.click()

    await publish_many(edge, 300, topic="orders.2")
    await console.wait_count(360)
    await expect(row).to_be_in_viewport()
    await expect(row).to_have_attribute("aria-selected", "true")
    await console.page.get_by_role("button", name="Newest").click()
    await expect(console.page.locator("#events .row").last).to_contain_text('{"number":299}')


async def test_a_test_event_is_published(edge: EdgeProcess, console: Console) -> None:
    await console.open(topic="orders.>", from_="now")
    await console.wait_link("live")

    await console.page.keyboard.press("n")
    dialog = console.page.get_by_role("dialog", name="Publish a test event")
    await dialog.get_by_role("combobox", name="Topic").fill("orders.9")
    await dialog.get_by_label("Data, any JSON").fill("{nonsense")
    await dialog.get_by_role("button", name="Publish").click()
    await expect(dialog.get_by_role("status")).to_contain_text("The data is not JSON")
    await dialog.get_by_label("Data, any JSON").fill('{"hello": 1}')
    await dialog.get_by_label("How many").fill("3")
    await dialog.get_by_role("button", name="Publish").click()

    await expect(dialog.get_by_role("status")).to_contain_text("3 stored")
    await console.wait_count(3)


async def read_clipboard(console: Console, beginning: str) -> str:
    """Return what is in the clipboard, once it begins like that: the button's own word is gone after a moment."""
    begins = "async (beginning) => (await navigator.clipboard.readText()).startsWith(beginning)"
    await console.page.wait_for_function(begins, arg=beginning)
    text: str = await console.evaluate("navigator.clipboard.readText()")
    return text


async def test_what_is_copied_for_curl_says_the_same(edge: EdgeProcess) -> None:
    async with open_console(edge, permissions=["clipboard-read", "clipboard-write"]) as console:
        await publish(edge, ("orders.1", {"who": "O'Neill", "n": 1}, "paid"))
        await console.open(topic="orders.>", from_="start")
        await console.page.locator("#events .row", has_text="O'Neill").click()

        await console.page.get_by_role("button", name="Copy publish").click()
        words = shlex.split(await read_clipboard(console, "curl http"))
        answer = await call(edge, words[1].removeprefix(edge.url), method="POST", content=words[-1])

        assert answer.status_code == 201
        await console.wait_count(2)
        await console.page.get_by_role("button", name="Copy as curl").click()
        words = shlex.split(await read_clipboard(console, "curl -N "))
        assert words[:3] == ["curl", "-N", f"{edge.url}/v1/acme/events?topic=orders.%3E"]
        assert words[3:] == ["-H", f"Last-Event-ID: {answer.json()['ids'][0].rpartition('-')[0]}-1"]
