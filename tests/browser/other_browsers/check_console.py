"""The console in Firefox and WebKit."""

import pytest
from browser.other_browsers.driver import ENTER, ESCAPE, Tab
from support.edge import EdgeProcess
from tailrace_producer import Producer

LIVE = "document.getElementById('link')?.dataset.state === 'live'"


@pytest.fixture
def origin() -> str:
    """None: the edge serves the console itself."""
    return ""


async def count(tab: Tab, number: int) -> None:
    await tab.wait_for(f"tailrace.events.counts.total >= {number}")
    assert await tab.evaluate("tailrace.events.counts.total") == number


async def test_events_are_published_and_the_stream_resumes(tab: Tab, edge: EdgeProcess, producer: Producer) -> None:
    await tab.goto(f"{edge.url}/console#/events?tenant=acme&topic=orders.>&from=now")
    await tab.wait_for(LIVE)
    await producer.publish_many([("orders.1", number) for number in range(60)])
    await count(tab, 60)
    await tab.type("n")
    await tab.wait_for("document.querySelector('dialog[open] input') === document.activeElement")
    await tab.evaluate("document.activeElement.select()")
    await tab.type(f"orders.9{ENTER}")
    await count(tab, 61)
    await tab.type(ESCAPE)
    await tab.wait_for("!document.querySelector('dialog')")

    edge.kill()
    await tab.wait_for(f"!({LIVE})")
    await producer.publish_many([("orders.1", number) for number in range(40)])
    edge.start()
    await edge.wait_ready()
    await tab.wait_for(LIVE)
    await count(tab, 101)


async def test_jobs_are_shown(tab: Tab, edge: EdgeProcess, producer: Producer) -> None:
    await tab.goto(f"{edge.url}/console#/jobs?tenant=acme")
    await tab.wait_for(LIVE)
    async with producer.job("import", title="Import of orders", total=100) as job:
        job.update(33)
        await tab.wait_for("/Import of orders.*Running.*33\\s%/.test(document.getElementById('main').textContent)")
    await tab.wait_for("/Import of orders.*Complete/.test(document.getElementById('main').textContent)")


async def test_a_dialog_can_be_used_where_the_screen_is_low(tab: Tab, edge: EdgeProcess) -> None:
    await tab.resize(800, 400)
    await tab.goto(f"{edge.url}/console#/events?tenant=acme")
    await tab.wait_for(LIVE)
    await tab.type("n")
    await tab.wait_for("document.querySelector('dialog[open]')")
    button = "document.querySelector('dialog footer [type=submit]')"
    await tab.evaluate(f"{button}.scrollIntoView({{ block: 'nearest', behavior: 'instant' }})")
    box = f"{button}.getBoundingClientRect()"
    await tab.wait_for(f"{button}.contains(document.elementFromPoint({box}.x + 5, {box}.y + {box}.height / 2))")
