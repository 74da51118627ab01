"""The examples of docs/producing.md run as written, but for the broker's address."""

import re
import subprocess
import sys
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from producer.faults import read_events
from support.broker import PATIENCE, Broker

PAGE = (Path(__file__).parents[2] / "docs/producing.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
TOPICS = [
    {"orders.17", "orders.18", "orders.19", "clicks.4"},
    {"orders.17"},
    {"users.7.jobs.import-42", "users.7.jobs.import-42.log"},
    {"jobs.report-9"},
    {"jobs.import-43"},
    {"jobs.import-44"},
    {"jobs.report-10", "jobs.night", "jobs.night-sales", "jobs.night-stock"},
    {"jobs.mail-7"},
    {"jobs.import-45"},
]


@pytest.mark.parametrize(("number", "topics"), list(enumerate(TOPICS)))
async def test_example(broker: Broker, number: int, topics: set[str]) -> None:
    script = EXAMPLES[number].replace("nats://127.0.0.1:4222", broker.url)
    assert broker.url in script
    ended = await anyio.to_thread.run_sync(
        lambda: subprocess.run(
            [sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=PATIENCE
        )
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert {event[1] for event in await read_events(broker.url, "acme")} == topics


PLAIN = """
import signal, sys, time
from tailrace_producer import SyncProducer

{line}
with SyncProducer("{url}", tenant="acme") as producer, producer.job("stopped") as job:
    for _ in job.track(range(100_000)):
        time.sleep(0.01)
"""
ASYNC = """
import asyncio, signal
from tailrace_producer import Producer

async def main():
    {line}
    async with Producer("{url}", tenant="acme") as producer, producer.job("stopped") as job:
        async for _ in job.track(range(100_000)):
            await asyncio.sleep(0.01)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("program", "begins"), [(PLAIN, "signal.signal("), (ASYNC, "asyncio.get_running_loop()")], ids=["plain", "async"]
)
async def test_what_the_page_says_about_sigterm(broker: Broker, program: str, begins: str, tmp_path: Path) -> None:
    [line] = re.findall(rf"`({re.escape(begins)}[^`]+)`", PAGE)
    script = program.format(line=line, url=broker.url)
    with (tmp_path / "stderr").open("wb") as said:
        process = await anyio.open_process([sys.executable, "-c", script], stdout=None, stderr=said)
    try:
        while not await read_events(broker.url, "acme"):  # its handler is there by then
            assert process.returncode is None, (tmp_path / "stderr").read_text()
        process.terminate()
        with anyio.fail_after(PATIENCE):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
        await process.aclose()

    assert (await read_events(broker.url, "acme"))[-1][2] == "cancelled", (tmp_path / "stderr").read_text()


def test_every_example_is_tested() -> None:
    assert len(EXAMPLES) == len(TOPICS)
