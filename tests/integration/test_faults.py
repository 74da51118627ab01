"""The promise under faults: killed edges, killed brokers, frozen processes, readers that stop."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from support.broker import PATIENCE, Broker, Cluster
from support.edge import EdgeProcess
from support.stream import open_stream
from support.watch import END, Watcher, check
from tailrace_producer import Producer

PATTERNS = [
    ["orders.1"],
    ["orders.1", "orders.2", "orders.3"],
    ["orders.*"],
    ["orders.>", "users.7.>"],
    ["users.*.jobs.*"],
    ["users.7.>"],
    [">"],
    ["*.1"],
]
TOPICS = [f"orders.{number}" for number in range(10)] + [f"users.{number}.jobs.{number}" for number in range(10)]


async def publish(producer: Producer, number: int, chunk: int = 200) -> None:
    """Publish events on all topics in turn, then the end."""
    for start in range(0, number, chunk):
        await producer.publish_many(
            (TOPICS[index % len(TOPICS)], {"number": index}) for index in range(start, min(start + chunk, number))
        )
    await producer.publish(END)


@asynccontextmanager
async def watching(watchers: list[Watcher], start: str = "start") -> AsyncIterator[asyncio.TaskGroup]:
    """Run watchers until all of them got the end."""
    async with asyncio.TaskGroup() as group:
        for watcher in watchers:
            group.create_task(watcher.run(start))
        yield group


@pytest.mark.timeout(180)
async def test_edges_killed_under_load(
    broker: Broker, edges: tuple[EdgeProcess, EdgeProcess], fault_events: int
) -> None:
    urls = [edge.url for edge in edges]
    watchers = [Watcher(urls, patterns) for patterns in PATTERNS * 4]
    async with Producer(broker.url, tenant="acme") as producer, watching(watchers) as group:
        group.create_task(publish(producer, fault_events, chunk=50))
        for step in range(3):
            await watchers[6].got(fault_events // 5 * (step + 1))
            victim = edges[step % 2]
            victim.kill()
            victim.start()
            await victim.wait_ready()
    assert await check(watchers, broker.url) > 4 * fault_events
    assert sum(watcher.reconnects for watcher in watchers) >= len(watchers)


@pytest.mark.timeout(180)
async def test_broker_killed_and_restarted(
    broker: Broker, edges: tuple[EdgeProcess, EdgeProcess], fault_events: int
) -> None:
    watchers = [Watcher([edge.url], patterns) for edge in edges for patterns in PATTERNS]
    async with Producer(broker.url, tenant="acme") as producer, watching(watchers) as group:
        group.create_task(publish(producer, fault_events))
        for step in range(2):
            await watchers[6].got(fault_events // 4 * (step + 1))
            broker.kill()
            broker.start()
    await check(watchers, broker.url)
    # The streams stayed open.
    assert [watcher.reconnects for watcher in watchers] == [0] * len(watchers)


@pytest.mark.timeout(180)
async def test_edge_frozen_for_a_while(broker: Broker, edge: EdgeProcess) -> None:
    watchers = [Watcher([edge.url], patterns) for patterns in PATTERNS]
    async with Producer(broker.url, tenant="acme") as producer, watching(watchers) as group:
        group.create_task(publish(producer, 30_000))
        await watchers[6].got(2_000)
        edge.signal(signal.SIGSTOP)
        await producer.publish_many((TOPICS[index % 20], index) for index in range(20_000))
        edge.signal(signal.SIGCONT)
    await check(watchers, broker.url)


@pytest.mark.cluster
@pytest.mark.timeout(300)
async def test_leader_killed_while_a_producer_publishes(cluster: Cluster, tmp_path: Path, fault_events: int) -> None:
    async with (
        EdgeProcess(cluster.brokers[0].url, tmp_path / "a", name="a") as first,
        EdgeProcess(cluster.url, tmp_path / "b", name="b") as second,
        Producer(cluster.url, tenant="acme") as producer,
    ):
        watchers = [Watcher([edge.url], patterns) for edge in (first, second) for patterns in PATTERNS]
        async with watching(watchers) as group:
            group.create_task(publish(producer, fault_events))
            await watchers[6].got(fault_events // 4)
            leader = await cluster.leader()
            leader.kill()
            await watchers[6].got(fault_events // 2)
            leader.start()
    await check(watchers, cluster.url)


@pytest.mark.cluster
@pytest.mark.timeout(300)
async def test_all_brokers_killed(cluster: Cluster, tmp_path: Path) -> None:
    async with EdgeProcess(cluster.url, tmp_path / "a") as edge, Producer(cluster.url, tenant="acme") as producer:
        watchers = [Watcher([edge.url], patterns) for patterns in PATTERNS]
        async with watching(watchers) as group:
            group.create_task(publish(producer, 10_000))
            await watchers[6].got(3_000)
            for broker in cluster.brokers:
                broker.kill()
            for broker in cluster.brokers:
                broker.start()
    await check(watchers, cluster.url)


@pytest.mark.timeout(180)
async def test_reader_that_stops_for_a_while(broker: Broker, tmp_path: Path) -> None:
    """It gets everything once it reads on, though the tail moved past it, and costs the edge no memory meanwhile."""
    size = 2_000
    number = 20_000
    async with (
        EdgeProcess(broker.url, tmp_path / "edge", tail_bytes=4 << 20, lag_after=0.001) as edge,
        Producer(broker.url, tenant="acme") as producer,
        open_stream(edge.url, "big", receive_buffer=256 << 10) as stopped,
        open_stream(edge.url, "big") as reading,
    ):
        await stopped.next_control("open")
        await reading.next_control("open")
        others = asyncio.create_task(reading.read_events(number))
        # Fills the tail first, so that its growth is not counted.
        await producer.publish_many(("big", "x" * size) for _ in range(number // 2))
        before = edge.read_memory()
        await producer.publish_many(("big", "x" * size) for _ in range(number // 2))
        expected = [event.last_event_id for event in await others]
        assert edge.read_memory() - before < 10 << 20
        got = [event.last_event_id for event in await stopped.read_events(number)]
        assert got == expected
        lag = await stopped.next_control("lag")
        assert lag["seconds"] > 0
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            stats = (await client.get(f"{edge.url}/v1/stats")).json()
            assert (stats["live"], stats["behind"]) == (2, 0)


@pytest.mark.timeout(180)
async def test_a_crowd_that_reads_slowly_from_jetstream(broker: Broker, tmp_path: Path) -> None:
    """Many clients older than the tail, each reading in its own pace, all get everything."""
    async with (
        EdgeProcess(broker.url, tmp_path / "edge", tail_bytes=1 << 20) as edge,
        Producer(broker.url, tenant="acme") as producer,
    ):
        await producer.publish_many((f"t.{index % 50}", "x" * 1000) for index in range(20_000))

        async def read(index: int) -> list[str]:
            pattern, number = ("t.*", 20_000) if index % 4 == 0 else (f"t.{index}", 400)
            async with open_stream(edge.url, pattern, receive_buffer=32768, from_="start") as stream:
                return [event.last_event_id for event in await stream.read_events(number)]

        everything, *rest = await asyncio.gather(*(read(index) for index in range(48)))
        for index, got in enumerate(rest, start=1):
            expected = everything if index % 4 == 0 else everything[index::50]
            assert got == expected, index
