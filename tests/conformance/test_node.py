"""Node's own EventSource, which is undici's."""

import asyncio
import json
from pathlib import Path

import pytest
from support.broker import Broker
from support.node import NODE_FLAGS
from tailrace_protocol.control import CONTROL_TYPE

from conformance.programs import require_node
from conformance.takeover import TYPES, Record, Takeover

pytestmark = pytest.mark.timeout(300)

SCRIPT = Path(__file__).with_name("eventsource.mjs")


async def read_with_node(url: str, record: Record) -> None:
    process = await asyncio.create_subprocess_exec(
        require_node(), *NODE_FLAGS, SCRIPT, url, CONTROL_TYPE, *TYPES,
        stdout=asyncio.subprocess.PIPE, limit=1 << 20,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            record.add(*json.loads(line))
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_node_reads_the_stream_across_a_takeover_and_stops_at_204(broker: Broker, tmp_path: Path) -> None:
    require_node()
    takeover = Takeover(broker, tmp_path)
    await takeover.check(await takeover.run(read_with_node))
