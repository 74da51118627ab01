"""The orderly stop: an edge that is told to stop sends its clients away gently, and ends."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.broker import PATIENCE, Broker
from support.calls import data_of, publish
from support.edge import EdgeProcess
from support.stream import RawStream, open_stream
from support.waiting import wait_until
from tailrace_protocol.control import CONTROL_TYPE


@asynccontextmanager
async def open_many(edge: EdgeProcess, number: int) -> AsyncIterator[list[RawStream]]:
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(open_stream(edge.url, "a.>")) for _ in range(number)]
        for stream in streams:
            await stream.next_control("open")
        yield streams


async def read_closing(stream: RawStream) -> tuple[float, list[Any], dict[str, Any]]:
    """Return when the stream was told that it is closed, the data of the events before, and what it was told."""
    data: list[Any] = []
    closing: tuple[float, dict[str, Any]] | None = None
    while (event := await stream.next()) is not None:
        assert closing is None, "nothing comes behind it"
        if event.event != CONTROL_TYPE:
            data.append(data_of(event))
        elif (control := json.loads(event.data))["kind"] == "closing":
            closing = time.monotonic(), control
    assert closing is not None, "the stream was cut off"
    return closing[0], data, closing[1]


async def wait_exit(edge: EdgeProcess) -> int | None:
    return await asyncio.to_thread(edge.wait)


async def test_streams_end_one_by_one(broker: Broker, tmp_path: Path) -> None:
    async with EdgeProcess(broker.url, tmp_path / "edge", drain_window=3) as edge, open_many(edge, 200) as streams:
        began = time.monotonic()
        reading = [asyncio.create_task(read_closing(stream)) for stream in streams]
        edge.signal(signal.SIGTERM)
        results = await asyncio.gather(*reading)
        assert await wait_exit(edge) == 0
        assert edge.find_errors() == []
    assert {closing["reason"] for _, _, closing in results} == {"drain"}
    retries = [closing["retry"] for _, _, closing in results]
    assert all(200 <= retry <= 2000 for retry in retries)
    assert len(set(retries)) > 100
    assert [stream.decoder.retry for stream in streams] == retries
    at = sorted(when - began for when, _, _ in results)
    # A busy machine makes late, not early: no tenth of the streams ends before its time.
    for tenth in range(1, 10):
        assert at[tenth * 20] >= tenth * 0.3 - 0.05, at


async def test_a_few_streams_take_less(broker: Broker, tmp_path: Path) -> None:
    async with EdgeProcess(broker.url, tmp_path / "edge", drain_window=600) as edge, open_many(edge, 3) as streams:
        edge.signal(signal.SIGTERM)
        for stream in streams:
            assert (await read_closing(stream))[2]["reason"] == "drain"
        assert await wait_exit(edge) == 0


async def test_nobody_comes_any_more(broker: Broker, tmp_path: Path) -> None:
    """The listener is closed; on a connection that was open before, the edge is not ready and takes no streams."""
    async with EdgeProcess(broker.url, tmp_path / "edge", drain_window=600) as edge, open_many(edge, 200) as streams:
        async with httpx.AsyncClient(base_url=edge.url, timeout=PATIENCE) as client:
            assert (await client.get("/readyz")).status_code == 200
            edge.signal(signal.SIGTERM)

            async def refused_ready() -> bool:
                return (await client.get("/readyz")).status_code != 200

            await wait_until(refused_ready)
            answer = await client.get("/readyz")
            assert (answer.status_code, answer.json()["detail"]) == (503, "draining")
            refused = await client.get("/v1/acme/events?topic=a")
            assert (refused.status_code, refused.json()["type"]) == (503, "urn:tailrace:problem:draining")
            assert refused.headers["retry-after"] == "1"
        with pytest.raises(OSError, match="Connect"):
            await asyncio.open_connection("127.0.0.1", edge.port)
        (event_id,) = await publish_over(broker, tmp_path)
        for stream in streams[:5]:
            event = await stream.next()
            assert event is not None
            if event.event != CONTROL_TYPE:
                assert event.last_event_id == event_id, "those that are open go on meanwhile"
        edge.signal(signal.SIGTERM)
        assert await wait_exit(edge) == 0


async def publish_over(broker: Broker, tmp_path: Path) -> list[str]:
    async with EdgeProcess(broker.url, tmp_path / "other") as other:
        return await publish(other, ("a.x", 1))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_cuts_it_short(broker: Broker, tmp_path: Path, number: signal.Signals) -> None:
    async with EdgeProcess(broker.url, tmp_path / "edge", drain_window=100_000) as edge, open_many(edge, 60):
        edge.signal(number)
        await wait_until(lambda: any(record["event"] == "draining" for record in edge.read_log()))
        edge.signal(number)
        assert await wait_exit(edge) == 0
        assert edge.find_errors() == []
        assert edge.read_log()[-1]["event"] == "edge stopped"


async def test_idle_connections_do_not_hold_it_up(broker: Broker, tmp_path: Path) -> None:
    async with EdgeProcess(broker.url, tmp_path / "edge") as edge:
        async with httpx.AsyncClient(base_url=edge.url, timeout=PATIENCE) as client:
            await client.get("/livez")
            _, silent = await asyncio.open_connection("127.0.0.1", edge.port)
            _, half = await asyncio.open_connection("127.0.0.1", edge.port)
            half.write(b"GET /livez HTTP/1.1\r\nhost: ")
            await half.drain()
            edge.signal(signal.SIGTERM)
            assert await wait_exit(edge) == 0
            silent.close()
            half.close()
        assert edge.find_errors() == []


async def test_a_reader_that_reads_nothing_does_not_hold_it_up(broker: Broker, tmp_path: Path) -> None:
    async with EdgeProcess(broker.url, tmp_path / "edge", send_buffer=8192) as edge:
        async with open_stream(edge.url, "a", receive_buffer=4096):
            for _ in range(5):
                await publish(edge, *(("a", "x" * 10_000) for _ in range(100)))
            edge.signal(signal.SIGTERM)
            assert await wait_exit(edge) == 0
        assert edge.find_errors() == []


async def test_it_stops_without_the_broker(broker: Broker, tmp_path: Path) -> None:
    async with EdgeProcess(broker.url, tmp_path / "edge") as edge, open_many(edge, 3) as streams:
        broker.stop()
        edge.signal(signal.SIGTERM)
        for stream in streams:
            assert (await read_closing(stream))[2]["reason"] == "drain"
        assert await wait_exit(edge) == 0


async def test_it_stops_before_it_reached_the_broker(bare_broker: Broker, tmp_path: Path) -> None:
    bare_broker.stop()
    edge = EdgeProcess(bare_broker.url, tmp_path / "edge")
    edge.start()
    try:
        await wait_until(lambda: any("startup complete" in record["event"] for record in edge.read_log()))
        assert await asyncio.to_thread(edge.stop) == 0
        assert edge.find_errors() == []
    finally:
        edge.kill()


async def test_streams_go_on_at_the_other_edge(edges: tuple[EdgeProcess, EdgeProcess]) -> None:
    """While events are published, every client moves over and gets each of them once, in order."""
    first, second = edges
    number = 300

    published = 0

    async def write() -> None:
        nonlocal published
        for each in range(number):
            await publish(second, ("a.x", each))
            published += 1

    async def follow(stream: RawStream) -> list[int]:
        _, data, _ = await read_closing(stream)
        async with open_stream(second.url, "a.>", last_event_id=stream.decoder.last_event_id) as other:
            assert (await other.next_control("open"))["mode"] == "resumed"
            while not data or data[-1] != number - 1:
                data.append(data_of(await other.next_event()))
        return data

    async with open_many(first, 50) as streams:
        following = [asyncio.create_task(follow(stream)) for stream in streams]
        writing = asyncio.create_task(write())
        await wait_until(lambda: published >= 20)
        first.signal(signal.SIGTERM)
        for data in await asyncio.gather(*following):
            assert data == list(range(number))
        await writing
        assert await wait_exit(first) == 0
