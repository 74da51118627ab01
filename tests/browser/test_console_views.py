"""The console's other views, and who is let in."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from browser.console import Console, open_console
from playwright.async_api import expect
from support.broker import Broker
from support.calls import publish
from support.edge import EdgeProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SECRET = "a secret of the tests, which is long enough"


@pytest.fixture
async def console(edge: EdgeProcess) -> AsyncIterator[Console]:
    async with open_console(edge) as console:
        yield console
        # That a job cannot be cancelled is an answer too, of which the browser tells.
        assert [each for each in console.complaints if "409" not in each] == []


def make_job(job: str, status: str, **state: Any) -> tuple[str, Any, str]:
    now = datetime.now(UTC).isoformat()
    data = {"id": job, "status": status, "started": now, "updated": now, **state}
    user = state.get("user")
    return f"users.{user}.jobs.{job}" if user else f"jobs.{job}", data, "progress"


async def test_jobs_move_and_show_how_they_stand(edge: EdgeProcess, console: Console) -> None:
    await publish(
        edge,
        make_job("a", "running", title="Import", done=25, total=100, percent=25, user="7"),
        make_job("b", "worker_lost", done=1, total=2, percent=50),
        make_job("c", "failed", error={"type": "ValueError", "message": "no column"}),
        make_job("d", "retrying", attempt=2),
        make_job("e", "running", cancelling=True),
        make_job("f", "running", done=3),
        ("jobs.x", "not a job"),
    )
    await console.open("jobs")

    jobs = console.page.get_by_role("listitem")
    await expect(jobs).to_have_count(6)
    badges = {await each.inner_text() for each in await console.page.locator(".job .badge").all()}
    assert badges == {"Running", "Worker lost", "Failed", "Retrying", "Cancelling"}
    bar = console.page.get_by_role("progressbar", name="Import")
    await expect(bar).to_have_attribute("aria-valuenow", "25")
    unknown = console.page.get_by_role("progressbar", name="f")
    assert await unknown.get_attribute("aria-valuenow") is None

    await publish(edge, make_job("a", "running", title="Import", done=50, total=100, percent=50, user="7"))
    await expect(bar).to_have_attribute("aria-valuenow", "50")
    await console.page.get_by_role("button", name="Import").click()
    detail = console.page.get_by_role("complementary", name="Job")
    await expect(detail.get_by_role("progressbar", name="Import")).to_have_attribute("aria-valuetext", "Running, 50 %")


async def test_jobs_are_cancelled_and_deleted(edge: EdgeProcess, console: Console) -> None:
    await publish(edge, make_job("a/b", "running", title="Import", user="7"))
    await console.open("jobs")
    await console.page.get_by_role("button", name="Import").click()

    await console.page.get_by_role("button", name="Cancel job").click()
    await expect(console.page.locator(".jobs-view .told").first).to_contain_text("no worker answers for the job 'a/b'")
    await console.page.get_by_role("button", name="Delete").click()
    await console.page.get_by_role("dialog").get_by_role("button", name="Delete").click()

    await expect(console.page.get_by_role("listitem")).to_have_count(0)


async def test_states_that_are_old_say_so(edge: EdgeProcess, console: Console) -> None:
    await publish(edge, make_job("a", "running", title="Import", percent=25))
    await console.open("jobs")
    await expect(console.page.get_by_role("listitem")).to_have_count(1)

    edge.kill()

    await console.wait_link("offline|stale")
    await expect(console.page.locator(".jobs-view .told").first).to_contain_text("As of")
    edge.start()
    await edge.wait_ready()
    await console.wait_link("live")
    await expect(console.page.locator(".jobs-view .told").first).to_be_empty()
    console.complaints.clear()


@pytest.mark.parametrize("minutes", [-10, 10])
async def test_times_are_those_of_the_edges_whatever_the_browsers_clock_says(
    edge: EdgeProcess, console: Console, minutes: int
) -> None:
    await console.page.add_init_script(
        f"{{ const now = Date.now.bind(Date); Date.now = () => now() + {minutes * 60_000}; }}"
    )
    await publish(
        edge,
        make_job("a", "running", title="Import", percent=50, rate=1, eta=1500),
        make_job("b", "running", title="Export", percent=1, rate=1, eta=1500),
    )
    await console.open("jobs")

    await expect(console.page.locator(".job", has_text="Import")).to_contain_text(re.compile("1/s · 2[45] min left"))
    await expect(console.page.locator(".job", has_text="Export")).not_to_contain_text("left")
    await console.page.get_by_role("button", name="Import").click()
    facts = console.page.get_by_role("complementary", name="Job").locator(".facts")
    await expect(facts).not_to_contain_text("min ago")


async def test_topics_have_their_last_value(edge: EdgeProcess, console: Console) -> None:
    await publish(edge, ("orders.2", 2), ("orders.1", 1), ("users.7.notes", "hello"))
    await console.open("topics")
    rows = console.page.locator("#topics .row")
    await expect(rows).to_have_count(3)
    await expect(rows.first).to_contain_text("orders.1")

    await publish(edge, ("orders.1", 100))
    await expect(rows.first).to_contain_text("100")
    await console.page.get_by_label("Search in topics").fill("notes")
    await expect(rows).to_have_count(1)
    await rows.first.click()
    await console.page.get_by_role("button", name="Delete topic").click()
    await console.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(rows).to_have_count(0)
    await console.page.get_by_label("Search in topics").fill("")
    await rows.first.click()
    await console.page.get_by_role("button", name="All its events").click()
    await console.wait_count(2)


async def test_edges_tell_of_themselves(edge: EdgeProcess, console: Console) -> None:
    await console.open("events", topic=">", from_="now")
    await console.wait_link("live")
    await publish(edge, ("orders.1", 1))
    await console.page.keyboard.press("4")

    card = console.page.get_by_role("article", name="Edge edge")
    await expect(card).to_contain_text("Ready")
    await expect(card).to_contain_text("Streams1")
    await expect(card).to_contain_text("Head1")
    await expect(console.page.get_by_role("region", name="Faults")).to_have_count(0)
    edge.kill()
    await expect(console.page.get_by_role("region", name="Edges")).to_contain_text("What is shown is of before")
    console.complaints.clear()


async def test_tokens_open_a_tenant_and_stay_in_memory(broker: Broker, tmp_path: Path) -> None:
    token = jwt.encode(
        {"sub": "ada", "tenant": "acme", "subscribe": [">"], "publish": [">"], "exp": 4_000_000_000}, SECRET, "HS256"
    )
    async with EdgeProcess(broker.url, tmp_path / "edge", auth="jwt", jwt_secret=SECRET) as edge:
        async with open_console(edge) as console:
            requests: list[str] = []
            console.page.on("request", lambda request: requests.append(request.url))
            await console.open(topic=">", from_="now")
            dialog = console.page.get_by_role("dialog", name="Tenant and token")
            await console.wait_link("unauthorized")

            await dialog.get_by_label("Token").fill("not a token")
            await dialog.get_by_role("button", name="Use").click()
            await expect(dialog.get_by_role("alert")).to_contain_text("without spaces")
            await dialog.get_by_label("Token").fill("nonsense")
            await dialog.get_by_role("button", name="Use").click()
            await expect(dialog.get_by_role("alert")).to_contain_text("token")
            await dialog.get_by_label("Token").fill(token)
            await dialog.get_by_role("button", name="Use").click()
            await console.wait_link("live")

            assert not any(token in url for url in [console.page.url, *requests])
            assert token not in await console.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
            await console.page.keyboard.press("k")
            await dialog.get_by_label("Keep it in this tab").check()
            await dialog.get_by_role("button", name="Use").click()
            assert token in await console.evaluate("JSON.stringify({...sessionStorage})")
            await console.page.reload()
            await console.wait_link("live")
            await console.page.keyboard.press("k")
            await dialog.get_by_role("button", name="Forget the token").click()
            await console.wait_link("unauthorized")
            assert token not in await console.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
        assert token not in edge.log_path.read_text()
