"""The examples of docs/python-client.md run as written, but for the edge's address, and print what they should."""

import re
import subprocess
import sys
from pathlib import Path

import anyio.to_thread
import pytest
from support.broker import PATIENCE, Broker
from support.edge import EdgeProcess
from tailrace_client import testing

PAGE = (Path(__file__).parents[2] / "docs/python-client.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
PRINTED = [
    ["users.42.mails.1 message {'subject': 'hello'}"],
    ["complete"],
    ["processing orders.17 {'state': 'paid'}"],
    ["scan-7: 40 %", "ended: {'id': 'scan-8', 'status': 'complete'}"],
    ["complete 'Hello, world'"],
    [],
    [],
]


async def test_examples(broker: Broker, tmp_path: Path) -> None:
    """All of them, one after the other, at one edge."""
    async with EdgeProcess(broker.url, tmp_path / "edge") as edge:
        for example, printed in zip(EXAMPLES, PRINTED, strict=True):
            output = await anyio.to_thread.run_sync(run, example.replace("http://localhost:8080", edge.url), tmp_path)
            lines = [re.sub(r"^[0-9a-f]{8}-\d+ ", "", line) for line in output.splitlines()]
            assert lines == printed, example


def run(script: str, folder: Path) -> str:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=folder,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


@pytest.mark.parametrize("name", ["stream", "answer", "problem", "unauthorized", "silence", "drop", "raw", "when"])
def test_what_the_page_says_of_testing_is_there(name: str) -> None:
    """The page lists what a script is made of."""
    assert name in testing.__all__
    assert f"`{name}" in PAGE
