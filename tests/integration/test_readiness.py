"""Whether an edge is ready, whatever its broker does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from support.broker import Broker, connect, create_stream, request
from support.calls import call, publish, read
from support.edge import EdgeProcess
from support.stream import open_stream
from support.waiting import wait_until


@asynccontextmanager
async def started(edge: EdgeProcess) -> AsyncIterator[EdgeProcess]:
    """An edge that has been started, and answers, ready or not."""
    edge.start()
    try:
        while True:
            try:
                await call(edge, "/livez")
                break
            except httpx.ConnectError:
                await asyncio.sleep(0.02)
        yield edge
    finally:
        edge.kill()


async def read_readiness(edge: EdgeProcess) -> tuple[int, str]:
    answer = await call(edge, "/readyz")
    return answer.status_code, answer.text.strip() if answer.status_code == 200 else answer.json()["detail"]


async def wait_ready(edge: EdgeProcess, status: int) -> str:
    async def answered() -> bool:
        return (await read_readiness(edge))[0] == status

    await wait_until(answered)
    return (await read_readiness(edge))[1]


async def test_not_ready_without_a_stream(bare_broker: Broker, tmp_path: Path) -> None:
    async with started(EdgeProcess(bare_broker.url, tmp_path / "edge")) as edge:
        assert await read_readiness(edge) == (503, "the head of the log is not reached yet")
        assert (await call(edge, "/livez")).text == "alive\n"
        answer = await call(edge, "/v1/acme/topics?match=a")
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        await create_stream(bare_broker.url)
        await wait_ready(edge, 200)
        await publish(edge, ("a", 1))
        assert edge.find_errors() == []


async def test_not_ready_without_a_broker_at_the_start(bare_broker: Broker, tmp_path: Path) -> None:
    await create_stream(bare_broker.url)
    bare_broker.stop()
    async with started(EdgeProcess(bare_broker.url, tmp_path / "edge")) as edge:
        assert (await read_readiness(edge))[0] == 503
        assert (await call(edge, "/livez")).status_code == 200
        stats = await read(edge, "/v1/stats")
        assert (stats["ready"], stats["epoch"]) == (False, "")
        assert (await call(edge, "/metrics")).status_code == 200
        assert len((await read(edge, "/v1/stats", cluster="true"))["edges"]) == 1
        refused = await call(edge, "/v1/acme/events?topic=a")
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:tailrace:problem:broker-unavailable")
        assert "retry-after" in refused.headers
        bare_broker.start()
        await wait_ready(edge, 200)
        assert edge.find_errors() == []


async def test_not_ready_when_the_broker_is_away_for_long(broker: Broker, tmp_path: Path) -> None:
    """Streams stay open meanwhile, with heartbeats, and go on when it is back."""
    async with EdgeProcess(broker.url, tmp_path / "edge", broker_away=1, heartbeat=0.2) as edge:
        async with open_stream(edge.url, "a") as stream:
            await stream.next_control("open")
            broker.stop()
            assert "the broker has been away for" in await wait_ready(edge, 503)
            assert (await call(edge, "/livez")).status_code == 200
            received = b""
            while received.count(b": hb\n") < 10:
                received += await stream.read_raw()
            assert received == b": hb\n" * (len(received) // 5)
            broker.start()
            await wait_ready(edge, 200)
            (event_id,) = await publish(edge, ("a", 1))
            assert (await stream.next_event()).last_event_id == event_id
        assert edge.find_errors() == []


async def test_not_ready_when_the_stream_is_deleted(broker: Broker, tmp_path: Path) -> None:
    async with EdgeProcess(broker.url, tmp_path / "edge", broker_away=1) as edge:
        async with await connect(broker.url) as client:
            await request(client, "STREAM.DELETE.EVENTS")
        await wait_ready(edge, 503)
        await create_stream(broker.url)
        await wait_ready(edge, 200)


async def test_an_edge_of_any_name_runs(broker: Broker, tmp_path: Path) -> None:
    """Host names have dots, and consumers' names cannot."""
    name = "ip-10-0-0-1.ec2.internal > * ü/\\"
    async with EdgeProcess(broker.url, tmp_path / "edge", name=name, tail_bytes=10_000) as edge:
        for _ in range(3):
            ids = await publish(edge, *(("a", number) for number in range(100)))
        async with open_stream(edge.url, "a", from_="start") as stream:
            assert (await stream.next_control("open"))["edge"] == name
            assert (await stream.read_events(300))[-1].last_event_id == ids[-1]
        assert (await read(edge, "/v1/stats"))["name"] == name
