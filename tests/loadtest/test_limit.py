"""The bare loop: all of its clients get all events, exactly."""

import asyncio
import time
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
from support.broker import pick_ports
from support.loadgen import LoadgenFactory


class Limit(NamedTuple):
    process: Process
    port: int
    publish_port: int


@pytest.fixture
async def limit(limit_program: Path) -> AsyncIterator[Limit]:
    port, publish_port = pick_ports(2)
    arguments = ["--port", str(port), "--publish-port", str(publish_port)]
    process = await create_subprocess_exec(limit_program, *arguments, stdout=PIPE, stderr=PIPE)
    assert process.stdout
    assert await process.stdout.readline() == b"ready\n"
    yield Limit(process, port, publish_port)
    process.kill()
    await process.communicate()


async def publish(port: int, count: int, first: int = 1) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    padding = "x" * 150
    for n in range(first, first + count):
        writer.write(b'{"t":%d,"n":%d,"pad":"%s"}\n' % (time.time_ns(), n, padding.encode()))
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def test_every_client_gets_every_event_once_and_in_order(limit: Limit, loadgen: LoadgenFactory) -> None:
    options = ["--expect", 1000, "--first", 1, "--until-expected"]
    async with loadgen(limit.port, count=200, options=options) as run:
        await run.hear("connected")
        await publish(limit.publish_port, 1000)
        await run.hear("done")
        result = await run.stop()
    assert result["connects"]["by_status"] == {"200": 200}
    assert result["events"]["total"] == 200_000
    assert result["latency_ms"]["fast"]["count"] == 200_000
    assert result["expected"] | {"seconds": 0, "wait_ms": 0} == {
        "clients": 200, "complete": 200, "short": 0, "seconds": 0, "wait_ms": 0
    }  # fmt: skip
    assert result["sequences"]["fast"] == {
        "clients": 200, "streams": 200, "contiguous": 200, "events": 200_000,
        "first_min": 1, "first_max": 1, "last_min": 1000, "last_max": 1000,
    }  # fmt: skip
    assert result["faults"]["losses"] == result["faults"]["duplicates"] == result["faults"]["order"] == 0


async def test_a_client_that_goes_leaves_the_others_whole(limit: Limit, loadgen: LoadgenFactory) -> None:
    leaving = [await asyncio.open_connection("127.0.0.1", limit.port) for _ in range(10)]
    for reader, writer in leaving:
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
    async with loadgen(limit.port, count=20, options=["--expect", 200, "--first", 1, "--until-expected"]) as run:
        await run.hear("connected")
        await publish(limit.publish_port, 100)
        for _, writer in leaving:
            writer.transport.abort()
        # A second publisher carries on, once the first is gone.
        await publish(limit.publish_port, 100, first=101)
        await run.hear("done")
        result = await run.stop()
    assert result["sequences"]["fast"]["contiguous"] == 20


async def test_the_loop_waits_for_a_slow_reader(limit: Limit, loadgen: LoadgenFactory) -> None:
    # 6 MB are more than the client's socket buffers hold (4 MB, as Linux comes), and less than with the publisher's.
    options = ["--expect", 30_000, "--first", 1, "--until-expected", "--slow", "1:50000"]
    async with loadgen(limit.port, count=2, options=options) as run:
        await run.hear("connected")
        await publish(limit.publish_port, 30_000)
        await run.say("fast")
        await run.hear("done")
        result = await run.stop()
    assert result["sequences"]["slow"]["contiguous"] == result["sequences"]["fast"]["contiguous"] == 1
    assert result["sequences"]["slow"]["last_min"] == 30_000
