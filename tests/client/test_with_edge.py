"""Both clients against a real edge and broker: every call, and what both sides have to agree on."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.broker import Broker
from support.edge import EdgeProcess
from tailrace_client import Client, Event, LinkState, Reset, SyncClient
from tailrace_protocol.errors import EdgeRefused, NotFound
from tailrace_protocol.positions import Position, parse_position

RUNNING = {"id": "import 4.2", "status": "running", "user": "7", "done": 1}
JOB_TOPIC = "users.7.jobs.import%204%2E2"


@pytest.fixture
async def edge(broker: Broker, tmp_path: Path) -> AsyncIterator[EdgeProcess]:
    async with EdgeProcess(broker.url, tmp_path / "edge") as edge:
        yield edge


@pytest.fixture
async def client(edge: EdgeProcess) -> AsyncIterator[Client]:
    async with Client(edge.url, tenant="acme") as client:
        yield client


async def see(client: Client, event_id: str) -> None:
    """Return once the edge has read an event: what was stored, it may not have read yet."""
    async for item in client.stream(">", start="start"):
        if isinstance(item, Event) and item.id == event_id:
            return


async def test_events_round_the_whole_way(client: Client) -> None:
    """What is published comes by stream, history, snapshot and topic, with one id."""
    ids = [await client.publish(f"a.{number % 2}", {"n": number, "text": "ünï \u2028"}) for number in range(6)]
    streamed = []
    async for item in client.stream("a.>", start="start"):
        streamed.append(item)
        if len(streamed) == 6:
            break
    read = [item async for item in client.history("a.>")]
    snapshot = await client.last("a.*")

    assert [item.id for item in streamed if isinstance(item, Event)] == ids
    assert read == streamed
    assert list(snapshot) == streamed[4:]
    assert await client.topic("a.1") == streamed[5]
    assert snapshot.cursor == ids[-1]


async def test_pages(client: Client) -> None:
    """History is read over several pages, up to a limit."""
    ids = [await client.publish("a.b", number) for number in range(7)]
    await see(client, ids[-1])

    limited = [item async for item in client.history("a.b", start=ids[1], limit=3)]
    assert [item.data for item in limited if isinstance(item, Event)] == [2, 3, 4]


async def test_message_ids_prevent_doubles(client: Client) -> None:
    """The same message id is stored once."""
    first = await client.publish("a.b", 1, message_id="m-1")

    assert await client.publish("a.b", 1, message_id="m-1") == first


async def test_deleting(client: Client) -> None:
    """A deleted topic is gone; watchers hear of it."""
    first = await client.publish("a.b", 1)
    tombstone = await client.delete("a.b")
    async for item in client.stream("a.b", start=first):
        assert isinstance(item, Event)
        assert (item.id, item.type) == (tombstone, "deleted")
        break
    with pytest.raises(NotFound):
        await client.topic("a.b")
    with pytest.raises(NotFound):
        await client.delete("a.b")


async def test_jobs(client: Client) -> None:
    """A job is watched from before its end to it, and found in the list."""
    job = client.job("import 4.2", user="7")
    assert job.topic == JOB_TOPIC
    with pytest.raises(NotFound):
        await job.state()
    await client.publish(JOB_TOPIC, RUNNING, type="progress")
    states = []
    async for state in job.watch():
        states.append(state)
        if state.done == 1:
            await client.publish(JOB_TOPIC, RUNNING | {"done": 2, "status": "complete"}, type="complete")

    assert [(state.done, state.status) for state in states] == [(1, "running"), (2, "complete")]
    assert await job.finished() == states[-1]
    assert await job.state() == states[-1]
    assert list(await client.jobs(user="7", status="complete")) == [states[-1]]
    assert list(await client.jobs(status="failed")) == []
    await job.delete()
    with pytest.raises(NotFound):
        await job.state()


async def test_ids_that_cannot_be_carried_on_from(client: Client) -> None:
    """An id of another stream, or ahead of this one, is answered by a reset, and the stream goes on."""
    here = parse_position(await client.publish("a.b", 1))
    await see(client, str(here))
    for start in (Position("0000aaaa", 1), Position(here.epoch, here.sequence + 1000)):
        stream = client.stream("a.b", start=str(start))
        async for item in stream:
            assert isinstance(item, Reset)
            assert stream.cursor == str(here)
            break


async def test_wrong_questions(client: Client) -> None:
    """The edge's problems come as errors with its words."""
    with pytest.raises(EdgeRefused, match="start") as caught:
        [item async for item in client.history("a.b", start="last")]

    assert caught.value.status == 400


async def test_sync_client(edge: EdgeProcess) -> None:
    """The sync client does the same, here in a thread."""

    def run() -> None:
        with SyncClient(edge.url, tenant="acme") as client:
            ids = [client.publish("a.b", number) for number in range(3)]
            stream = client.stream("a.>", start="start")
            taken = [item for _, item in zip(ids, stream, strict=False)]

            assert [item.id for item in taken if isinstance(item, Event)] == ids
            assert list(client.history("a.>")) == taken
            assert client.last("a.b").cursor == ids[-1]
            client.publish(JOB_TOPIC, RUNNING | {"status": "failed"}, type="failed")
            assert client.job("import 4.2", user="7").finished().status == "failed"

    await asyncio.to_thread(run)


async def test_drained_edge_sends_the_client_on(broker: Broker, edge: EdgeProcess, tmp_path: Path) -> None:
    """When one edge stops, the stream goes on at the other without a failure, a hole or a double."""
    links: list[LinkState] = []
    taken: list[object] = []
    async with (
        EdgeProcess(broker.url, tmp_path / "other", name="other") as other,
        Client([edge.url, other.url], tenant="acme") as client,
        asyncio.TaskGroup() as group,
    ):
        await client.publish("a.b", 0)
        async for item in client.stream("a.b", start="start", observe=lambda link: links.append(link.state)):
            assert isinstance(item, Event)
            taken.append(item.data)
            if item.data == 0:
                group.create_task(asyncio.to_thread(edge.stop))
                group.create_task(publish_until_moved(other.url, links))
            if item.data == "moved":
                break

    assert taken == [*range(len(taken) - 1), "moved"]
    assert set(links) == {LinkState.LIVE, LinkState.CONNECTING}


async def publish_until_moved(url: str, links: list[LinkState]) -> None:
    number = 1
    async with Client(url, tenant="acme") as client:
        while links.count(LinkState.LIVE) < 2:
            await client.publish("a.b", number)
            number += 1
        await client.publish("a.b", "moved")
