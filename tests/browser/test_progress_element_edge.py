"""The progress element against real edges, brokers and workers."""

import asyncio
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from browser.progress_element import open_page, serve
from playwright.async_api import Page
from support.broker import PATIENCE, Broker
from support.edge import EdgeProcess
from support.waiting import wait_until
from tailrace_producer import Producer

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SECRET = "s" * 48

WORKER = """
import sys, time
from tailrace_producer import Settings, SyncProducer
with SyncProducer(sys.argv[1], tenant="acme", settings=Settings(lease=2.0)) as producer:
    with producer.job("x", total=100) as job:
        job.update(40)
        time.sleep(600)
"""


@pytest.fixture
async def origin(tmp_path: Path) -> AsyncIterator[str]:
    async with serve(tmp_path) as origin:
        yield origin


@pytest.fixture
async def edge(broker: Broker, tmp_path: Path, origin: str) -> AsyncIterator[EdgeProcess]:
    async with EdgeProcess(broker.url, tmp_path / "edge", cors_origins=origin, heartbeat=1, retry=0.1) as edge:
        yield edge


@pytest.fixture
async def page(origin: str) -> AsyncIterator[Page]:
    async with open_page(origin) as page:
        yield page


@pytest.fixture
async def producer(broker: Broker) -> AsyncIterator[Producer]:
    async with Producer(broker.url, tenant="acme") as producer:
        yield producer


async def place(page: Page, edge: EdgeProcess, job: str, **attributes: str) -> None:
    await page.evaluate("given => void place(given)", {"job": job, "src": edge.url, "tenant": "acme"} | attributes)


async def show(page: Page, job: str, part: str, pattern: str) -> None:
    """Return once a part says what the pattern matches."""
    await page.wait_for_function(
        "([job, part, pattern]) => new RegExp(pattern).test(text(job, part))", arg=[job, part, pattern]
    )


async def count_streams(edge: EdgeProcess) -> int:
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        number: int = (await client.get(f"{edge.url}/v1/stats")).json()["connections"]
    return number


def has_streams(edge: EdgeProcess, number: int) -> Callable[[], Any]:
    async def has() -> bool:
        return await count_streams(edge) == number

    return has


async def test_a_job_from_its_beginning_to_its_end(page: Page, edge: EdgeProcess, producer: Producer) -> None:
    await place(page, edge, "import-42", user="7")
    await show(page, "import-42", "phase", "Waiting to start")
    async with producer.job("import-42", user="7", title="Import", total=200) as job:
        job.step("load")
        job.update(84, message="page 1")
        await show(page, "import-42", "value", "42%")
        await show(page, "import-42", "label", "^Import$")
        await show(page, "import-42", "step", "load · page 1")
        await show(page, "import-42", "link", "Live")
        job.warn("a row was skipped")
        await show(page, "import-42", "summary", "Warnings: 1")
        job.update(200)
    await show(page, "import-42", "phase", "Complete")
    assert await page.evaluate("text('import-42', 'value')") == "100%"
    assert await page.evaluate("text('import-42', 'link')") == ""
    assert (await page.evaluate("heard.at(-1)")) == ["tr-end", "complete"]
    assert (await page.evaluate("element('import-42').finished()"))["status"] == "complete"
    await wait_until(has_streams(edge, 0))


async def test_a_job_that_ended_before_is_shown_at_once(page: Page, edge: EdgeProcess, producer: Producer) -> None:
    async with producer.job("x", total=10) as job:
        job.update(3)
        job.fail(OSError("disk full"))
    await place(page, edge, "x")
    await show(page, "x", "phase", "Failed")
    await show(page, "x", "error", "disk full")
    assert await page.evaluate("text('x', 'value')") == "30%"


async def test_cancelling_reaches_the_worker(page: Page, edge: EdgeProcess, producer: Producer) -> None:
    async def work() -> None:
        async with producer.job("x", total=1_000_000) as job:
            async for _ in job.track(range(1_000_000)):
                await asyncio.sleep(0.002)

    working = asyncio.create_task(work())
    await place(page, edge, "x", cancelable="")
    await show(page, "x", "link", "Live")
    await show(page, "x", "count", r"of 1,000,000")
    await page.locator("#cancel").click()
    await asyncio.gather(working, return_exceptions=True)
    await show(page, "x", "phase", "Cancelled")


async def test_a_cancel_that_no_worker_hears_is_told(page: Page, edge: EdgeProcess, producer: Producer) -> None:
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        state = {"id": "x", "status": "running", "total": 100, "percent": 10}
        event = {"topic": "jobs.x", "type": "progress", "data": state}
        (await client.post(f"{edge.url}/v1/acme/events", json=event)).raise_for_status()
    await place(page, edge, "x", cancelable="")
    await show(page, "x", "value", "10%")
    await page.locator("#cancel").click()
    await show(page, "x", "error", "Not cancelled: no worker has heard it")


async def test_an_attempt_that_failed_and_the_next(page: Page, edge: EdgeProcess, producer: Producer) -> None:
    await place(page, edge, "x")
    async with producer.job("x", total=100) as job:
        job.update(40)
        await show(page, "x", "value", "40%")
        job.retry(RuntimeError("timed out"))
    await show(page, "x", "phase", "Attempt 1 failed, another one follows")
    await show(page, "x", "error", "timed out")
    async with producer.job("x", total=100, attempt=2) as again:
        again.update(10)
        await show(page, "x", "value", "10%")
        assert await page.evaluate("text('x', 'error')") == ""


async def test_a_worker_that_is_killed_is_lost(page: Page, edge: EdgeProcess, broker: Broker) -> None:
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, broker.url)
    try:
        await place(page, edge, "x")
        await show(page, "x", "value", "40%")
        await show(page, "x", "link", "^Live$")
    finally:
        worker.kill()
        await worker.wait()
    await show(page, "x", "phase", "No signal from worker · last update")
    assert await page.evaluate("element('x').matches(':state(halted)')")


async def test_a_worker_that_is_lost_comes_back(page: Page, edge: EdgeProcess, producer: Producer) -> None:
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        updated = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 600))
        state = {"id": "x", "status": "worker_lost", "total": 100, "percent": 40, "updated": updated}
        event = {"topic": "jobs.x", "type": "progress", "data": state}
        (await client.post(f"{edge.url}/v1/acme/events", json=event)).raise_for_status()
    await place(page, edge, "x")
    await show(page, "x", "phase", r"No signal from worker · last update 10 min\. ago")
    async with producer.job("x", total=100) as job:
        job.update(41)
        await show(page, "x", "value", "41%")
        assert await page.evaluate("text('x', 'phase')") == ""


async def test_an_edge_that_is_silent_and_one_that_is_killed(page: Page, edge: EdgeProcess, producer: Producer) -> None:
    async with producer.job("x", total=100) as job:
        job.update(42)
        await place(page, edge, "x")
        await show(page, "x", "value", "42%")
        edge.signal(signal.SIGSTOP)
        await show(page, "x", "link", "Nothing heard · last update")
        edge.signal(signal.SIGCONT)
        await show(page, "x", "link", "^Live$")
        edge.kill()
        await show(page, "x", "link", "Offline · last update")
        assert await page.evaluate("text('x', 'value')") == "42%"
        job.update(43)
        edge.start()
        await edge.wait_ready()
        await show(page, "x", "value", "43%")
        await show(page, "x", "link", "^Live$")


async def test_signed_out_and_in_again(
    page: Page, broker: Broker, producer: Producer, tmp_path: Path, origin: str
) -> None:
    settings: dict[str, Any] = {"auth": "jwt", "jwt_secret": SECRET, "ticket_secret": "t" * 48, "cors_origins": origin}
    claims = {"tenant": "acme", "sub": "7", "subscribe": ["users.7.>"], "exp": int(time.time()) + 600}
    token = jwt.encode(claims, SECRET, algorithm="HS384")
    async with EdgeProcess(broker.url, tmp_path / "auth", **settings) as edge:
        async with producer.job("x", user="7", total=10) as job:
            job.update(5)
        given = {"job": "x", "user": "7", "src": edge.url, "tenant": "acme"}
        await page.evaluate("given => void place(given, { getToken: () => window.token ?? null })", given)
        await show(page, "x", "link", "Sign-in needed")
        await page.evaluate("token => { window.token = token; element('x').authorize() }", token)
        await show(page, "x", "phase", "Complete")

        await page.evaluate(
            "given => void place(given, { getToken: () => window.token })", given | {"job": "y", "user": "8"}
        )
        await show(page, "y", "phase", "Cannot be shown")
        await show(page, "y", "error", "403")


async def test_elements_that_show_the_same_job_share_its_stream(
    page: Page, edge: EdgeProcess, producer: Producer
) -> None:
    async with producer.job("x", total=10) as job:
        job.update(5)
        for _ in range(3):
            await place(page, edge, "x")
        await page.wait_for_function(
            "() => [...document.querySelectorAll('tailrace-progress')].every(one => one.percent === 50)"
        )
        assert await count_streams(edge) == 1
        await page.evaluate("document.querySelectorAll('tailrace-progress').forEach(one => one.remove())")
        await wait_until(has_streams(edge, 0))


async def test_a_tenant_that_is_none_is_told(page: Page, edge: EdgeProcess) -> None:
    await place(page, edge, "x", tenant="No Tenant")
    await show(page, "x", "error", re.escape("tenant: No Tenant"))
