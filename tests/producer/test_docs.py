"""The examples of docs/producing.md run as written, but for the broker's address."""

import re
import subprocess
import sys
from pathlib import Path

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


def test_every_example_is_tested() -> None:
    assert len(EXAMPLES) == len(TOPICS)
