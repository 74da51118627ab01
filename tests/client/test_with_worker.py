"""The client against real workers, edges and tokens: cancelling, texts, and tokens that expire under a stream."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import jwt
import pytest
from support.broker import Broker
from support.edge import EdgeProcess
from tailrace_client import Client, Event, JobEnded, LinkState, NoWorker, SyncClient, TextStatus, TokenReason
from tailrace_producer import JobCancelled, Producer
from tailrace_protocol.errors import EdgeRefused, NotFound

SECRET = "a secret of the tests, which is long enough for HS512: 64 bytes!!"


@pytest.fixture
async def edge(broker: Broker, tmp_path: Path) -> AsyncIterator[EdgeProcess]:
    async with EdgeProcess(broker.url, tmp_path / "edge") as edge:
        yield edge


@pytest.fixture
async def client(edge: EdgeProcess) -> AsyncIterator[Client]:
    async with Client(edge.url, tenant="acme") as client:
        yield client


async def work(producer: Producer, begun: asyncio.Event) -> None:
    async with producer.job("import 4.2", user="7", total=100) as job:
        begun.set()
        while True:
            job.raise_if_cancelled()
            await asyncio.sleep(0.01)


async def work_until_cancelled(producer: Producer, begun: asyncio.Event) -> None:
    with pytest.raises(JobCancelled):
        await work(producer, begun)


async def test_cancelling_a_job(broker: Broker, client: Client) -> None:
    """The worker hears of it, the job ends as cancelled, and that it has ended is what the next caller is told."""
    begun = asyncio.Event()
    job = client.job("import 4.2", user="7")
    async with Producer(broker.url, tenant="acme") as producer, asyncio.TaskGroup() as group:
        group.create_task(work_until_cancelled(producer, begun))
        finished = group.create_task(job.finished())
        await begun.wait()
        async for state in job.watch():
            assert state.status == "running"
            break
        await job.cancel()
        assert (await finished).status == "cancelled"
    with pytest.raises(JobEnded, match="cancelled"):
        await job.cancel()
    assert (await job.finished()).status == "cancelled"


async def test_cancelling_what_nobody_runs(client: Client, edge: EdgeProcess) -> None:
    """No such job, and one whose worker is gone, from both clients."""
    await client.publish("jobs.7", {"id": "7", "status": "running"}, type="progress")
    with pytest.raises(NoWorker):
        await client.job("7").cancel()
    with pytest.raises(NotFound):
        await client.job("8").cancel()

    def ask() -> None:
        with SyncClient(edge.url, tenant="acme") as sync_client, pytest.raises(NoWorker):
            sync_client.job("7").cancel()

    await asyncio.to_thread(ask)


async def test_following_a_text(broker: Broker, client: Client, edge: EdgeProcess) -> None:
    """Who is there from the beginning, and who comes when it has ended, get the same text."""
    words = [f"wörd{number} " for number in range(400)]
    whole = "".join(words)

    grown = [""]
    grew = asyncio.Event()

    async def read() -> None:
        async for text in client.text("chats.17"):
            grown.append(text.text)
            grew.set()

    async with Producer(broker.url, tenant="acme") as producer, asyncio.TaskGroup() as group:
        group.create_task(read())
        async with producer.stream("chats.17", title="Answer") as out:
            for number, word in enumerate(words, 1):
                out.write(word)
                while number % 100 == 0 and grown[-1] != "".join(words[:number]):
                    grew.clear()
                    await grew.wait()
            out.complete(finish_reason="stop", usage={"out": 400})

    assert grown[-1] == whole
    assert all(whole.startswith(text) for text in grown)

    def read_late() -> None:
        with SyncClient(edge.url, tenant="acme") as sync_client:
            *_, last = sync_client.text("chats.17")
        assert (last.text, last.status, last.whole, last.title) == (whole, TextStatus.COMPLETE, True, "Answer")
        assert (last.finish_reason, last.usage) == ("stop", {"out": 400})

    await asyncio.to_thread(read_late)


async def test_tokens_that_expire_under_a_stream(broker: Broker, tmp_path: Path) -> None:
    """The edge warns, the client comes back with the next token, and nothing is lost, doubled, or seen by the user."""
    reasons: list[TokenReason] = []

    def find_token(reason: TokenReason) -> str:
        reasons.append(reason)
        seconds = 12 if len(reasons) < 3 else 600  # of a short life, a challenge comes after the half
        claims = {"sub": "alice", "tenant": "acme", "exp": int(time.time()) + seconds}
        return jwt.encode({**claims, "subscribe": [">"], "publish": [">"]}, SECRET, "HS256")

    links: list[LinkState] = []
    taken: list[object] = []
    async with (
        EdgeProcess(broker.url, tmp_path / "edge", auth="jwt", jwt_secret=SECRET, jwt_leeway=0) as edge,
        Client(edge.url, tenant="acme", token=find_token) as client,
        asyncio.TaskGroup() as group,
    ):
        ended = asyncio.Event()

        async def publish() -> None:
            number = 0
            while not ended.is_set():
                await client.publish("a.b", number)
                number += 1
                await asyncio.sleep(0.005)

        await client.publish("a.b", -1)
        publishing = group.create_task(publish())
        async for item in client.stream("a.b", start="start", observe=lambda link: links.append(link.state)):
            assert isinstance(item, Event)
            taken.append(item.data)
            if len(reasons) == 3 and links[-1] is LinkState.LIVE and links.count(LinkState.LIVE) == 3:
                break
        ended.set()
        await publishing

        assert reasons == [TokenReason.FIRST, TokenReason.CHALLENGE, TokenReason.CHALLENGE]
        assert taken == list(range(-1, len(taken) - 1))
        assert set(links) == {LinkState.LIVE, LinkState.CONNECTING}
        assert "eyJ" not in edge.log_path.read_text()


async def test_a_right_that_is_missing_is_no_expired_token(broker: Broker, tmp_path: Path) -> None:
    """403 is not answered by asking for another token."""
    asked = 0

    def find_token() -> str:
        nonlocal asked
        asked += 1
        claims = {"sub": "alice", "tenant": "acme", "exp": int(time.time()) + 600, "subscribe": ["news.>"]}
        return jwt.encode(claims, SECRET, "HS256")

    async with (
        EdgeProcess(broker.url, tmp_path / "edge", auth="jwt", jwt_secret=SECRET) as edge,
        Client(edge.url, tenant="acme", token=find_token) as client,
    ):
        with pytest.raises(EdgeRefused) as caught:
            [item async for item in client.stream("orders.>")]

    assert caught.value.status == 403
    assert asked == 1
