"""The promise where brokers are cut off from each other, and producers and edges are not."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.broker import Broker, create_stream, read_stream
from support.calls import call
from support.edge import EdgeProcess
from support.partition import PartitionedCluster
from support.waiting import wait_until
from support.watch import END, Watcher, check
from tailrace_producer import Producer
from tailrace_protocol.topics import parse_subject


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[PartitionedCluster]:
    """Three brokers with an empty log on all of them."""
    cluster = PartitionedCluster(tmp_path / "cluster")
    cluster.start()
    try:
        await create_stream(cluster.url, replicas=3)
        yield cluster
    finally:
        cluster.kill()


class Load:
    """A producer at one broker, which publishes until it is told to stop."""

    def __init__(self, broker: Broker) -> None:
        self.acknowledged: dict[str, Any] = {}
        self.stopped = False
        self._name = broker.name
        self._url = broker.url

    async def run(self) -> None:
        number = 0
        async with Producer(self._url, tenant="acme") as producer:
            while not self.stopped:
                batch = [(f"orders.{number % 5}", {"by": self._name, "number": number + each}) for each in range(20)]
                ids = await producer.publish_many(batch, timeout=None)
                self.acknowledged |= {event_id: data for event_id, (_, data) in zip(ids, batch, strict=True)}
                number += len(batch)
                await asyncio.sleep(0.02)


async def check_stored(loads: list[Load], url: str) -> None:
    """Fail unless the log has each acknowledged event where it was said to be, and no event twice."""
    stored = {
        sequence: msgspec.json.decode(payload)["data"]
        for sequence, subject, payload in await read_stream(url)
        if parse_subject(subject)[1] != END
    }
    assert len({(data["by"], data["number"]) for data in stored.values()}) == len(stored)
    for load in loads:
        assert load.acknowledged
        for event_id, data in load.acknowledged.items():
            assert stored.get(int(event_id.partition("-")[2])) == data


async def is_ready(edge: EdgeProcess) -> bool:
    return (await call(edge, "/readyz")).status_code == 200


@pytest.mark.cluster
async def test_the_leader_cut_off(cluster: PartitionedCluster, tmp_path: Path) -> None:
    """It goes on leading for a while, and takes what it cannot store; an edge there says that it is not ready."""
    leader = await cluster.leader()
    other = cluster.others(leader)[0]
    loads = [Load(leader), Load(other)]
    async with (
        EdgeProcess(leader.url, tmp_path / "a", name="a", broker_away=1) as minority,
        EdgeProcess(other.url, tmp_path / "b", name="b") as majority,
        asyncio.TaskGroup() as group,
    ):
        watchers = [Watcher([edge.url], ["orders.*"]) for edge in (minority, majority)]
        watching = [group.create_task(watcher.run("start")) for watcher in watchers]
        loading = [group.create_task(load.run()) for load in loads]
        await asyncio.gather(*(watcher.got(200) for watcher in watchers))
        cluster.isolate(leader)

        async def unready() -> bool:
            return not await is_ready(minority)

        await wait_until(unready)
        cluster.heal()
        await wait_until(lambda: is_ready(minority))
        await asyncio.gather(*(watcher.got(len(watcher.sequences) + 200) for watcher in watchers))
        for load in loads:
            load.stopped = True
        await asyncio.gather(*loading)
        async with Producer(other.url, tenant="acme") as producer:
            await producer.publish(END)
        await asyncio.gather(*watching)
        assert [watcher.reconnects for watcher in watchers] == [0, 0]
    await check(watchers, cluster.url)
    await check_stored(loads, cluster.url)
