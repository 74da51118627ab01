"""curl, as everybody types it."""

import asyncio
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from support.broker import PATIENCE, Broker
from support.edge import EdgeProcess
from tailrace_protocol.control import CONTROL_TYPE
from tailrace_protocol.sse import SseDecoder

from conformance.programs import require_curl
from conformance.takeover import WAIT, Record, Takeover

pytestmark = pytest.mark.timeout(300)

CUT = (0, 18, 56)
"""curl's exit statuses for a response that ended, ended too early, or whose connection was reset."""


@asynccontextmanager
async def run_curl(url: str, *options: str) -> AsyncIterator[tuple[Process, asyncio.StreamReader]]:
    process = await asyncio.create_subprocess_exec(require_curl(), "-sSNi", *options, url, stdout=PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(WAIT):
            yield process, process.stdout
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def read_head(output: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    """Return the status line and the headers, their names in lower case."""
    status, *lines = (await output.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    return status, {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


async def read_with_curl(url: str, record: Record) -> None:
    retries = ("--retry", "60", "--retry-delay", "1", "--retry-connrefused")
    last = ""
    while True:
        async with run_curl(url, *retries, "-H", f"Last-Event-ID: {last}") as (process, output):
            status, _ = await read_head(output)
            if status == "HTTP/1.1 204 No Content":
                return
            assert status == "HTTP/1.1 200 OK"
            decoder = SseDecoder()
            while chunk := await output.read(65536):
                for event in decoder.feed(chunk):
                    record.add(event.last_event_id, event.event, event.data)
                    last = event.last_event_id or last
            assert await process.wait() in CUT


async def publish(edge: EdgeProcess, number: int) -> list[str]:
    body = [{"topic": "orders.7", "data": {"number": index}} for index in range(number)]
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        answer = await client.post(f"{edge.url}/v1/acme/events", json=body)
        ids: list[str] = answer.raise_for_status().json()["ids"]
        return ids


async def read_ids(output: asyncio.StreamReader, number: int) -> list[str]:
    """Return the ids of the next events, control events left out."""
    decoder = SseDecoder()
    ids: list[str] = []
    while len(ids) < number:
        chunk = await output.read(65536)
        assert chunk, f"the stream ended after {len(ids)} events"
        ids += [event.last_event_id for event in decoder.feed(chunk) if event.event != CONTROL_TYPE]
    return ids


async def test_curl_reads_the_stream_across_a_takeover(broker: Broker, tmp_path: Path) -> None:
    require_curl()
    takeover = Takeover(broker, tmp_path)
    await takeover.check(await takeover.run(read_with_curl))


@pytest.mark.parametrize("options", [(), ("--http1.0",), ("--compressed",)], ids=["plain", "http1.0", "compressed"])
async def test_curl_gets_the_first_bytes_of_an_idle_stream_at_once_and_unchanged(
    edge: EdgeProcess, options: tuple[str, ...]
) -> None:
    async with run_curl(f"{edge.url}/v1/acme/events?topic=orders.*", *options) as (_, output):
        status, headers = await read_head(output)
        assert status == "HTTP/1.1 200 OK"
        assert headers["content-type"] == "text/event-stream; charset=utf-8"
        assert headers["cache-control"] == "no-cache, no-store, no-transform"
        assert headers["x-accel-buffering"] == "no"
        assert not {"content-encoding", "content-length", "transfer-encoding"} & headers.keys()
        # Nothing was published, and no heartbeat is due for seconds.
        opening = (await output.readuntil(b"\n\n")).decode().split("\n")
        assert opening[0].startswith("retry: ")
        assert "event: tailrace" in opening
        assert await publish(edge, 1000) == await read_ids(output, 1000)


async def test_curl_resumes_by_header(edge: EdgeProcess) -> None:
    ids = await publish(edge, 1000)
    url = f"{edge.url}/v1/acme/events?topic=orders.*"
    async with run_curl(url, "-H", f"Last-Event-ID: {ids[299]}") as (_, output):
        await read_head(output)
        assert await read_ids(output, 700) == ids[300:]
