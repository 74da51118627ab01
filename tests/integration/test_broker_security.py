"""The broker's users: what the production overlay's nats.conf lets each of them do, and everything it refuses."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import nats
import pytest
import stamina
from k8s.secured import SecuredBrokers
from nats.aio.client import Client as Nats
from support.broker import PATIENCE
from support.edge import EdgeProcess
from support.waiting import wait_until
from support.watch import END, Watcher
from tailrace_client import Client
from tailrace_edge.creation import create_stream
from tailrace_edge.jetstream import JetStream, JetStreamError, JetStreamUnavailable
from tailrace_producer import Producer, Settings
from tailrace_protocol.errors import EdgeUnavailable, PublishError

CONFIG = {"deliver_policy": "all", "ack_policy": "none", "name": "spy", "deliver_subject": "events.acme.orders.1"}


@pytest.fixture
async def brokers(tmp_path: Path) -> AsyncIterator[SecuredBrokers]:
    with SecuredBrokers(tmp_path / "brokers") as brokers:
        await prepare(brokers)
        yield brokers


async def prepare(brokers: SecuredBrokers, *, replicas: int = 1) -> None:
    """Create the stream as the init Job does, which is started again until it succeeds."""
    await brokers.wait_healthy()
    async for attempt in stamina.retry_context(
        on=(JetStreamError, JetStreamUnavailable), attempts=None, timeout=PATIENCE, wait_max=0.2
    ):
        with attempt:
            await create_stream(brokers.url("admin"), replicas=replicas)


def start_edge(brokers: SecuredBrokers, folder: Path, **settings: Any) -> EdgeProcess:
    """Return an edge with the two users that the manifests give it."""
    options: dict[str, Any] = {"publish_nats_url": brokers.url("publisher")}
    return EdgeProcess(brokers.url("edge"), folder, **options | settings)


def make_producer(brokers: SecuredBrokers, tenant: str) -> Producer:
    return Producer(brokers.url(tenant), tenant=tenant)


class Intruder:
    """A plain NATS client with a user's password, that tries what it likes."""

    def __init__(self, client: Nats, errors: "asyncio.Queue[str]") -> None:
        self.client = client
        self._errors = errors

    async def is_refused_to_publish(self, subject: str, payload: bytes = b"{}", **options: Any) -> bool:
        """Return whether the broker refuses it, as it says itself. What is asked for next is answered after that."""
        await self.client.publish(subject, payload, **options)
        return await self._find_refusal(f'for publish to "{subject}"')

    async def is_refused_to_subscribe(self, subject: str) -> bool:
        await self.client.subscribe(subject)
        return await self._find_refusal(f'for subscription to "{subject}"')

    async def _find_refusal(self, expected: str) -> bool:
        # nats-py hands what waits to the socket before the ping only if it is told to.
        await self.client._flush_pending(force_flush=True)
        await self.client.flush()
        # The broker's errors come before its pong; nats-py reports them in tasks, which get their turn here.
        for _ in range(10):
            await asyncio.sleep(0)
        found = []
        while not self._errors.empty():
            found.append(self._errors.get_nowait())
        return any(expected.lower() in error.lower() for error in found)


@asynccontextmanager
async def intrude(brokers: SecuredBrokers, user: str) -> AsyncIterator[Intruder]:
    errors: asyncio.Queue[str] = asyncio.Queue()

    async def note(error: Exception) -> None:
        errors.put_nowait(str(error))

    client = await nats.connect(
        brokers.url(user).split(","),
        inbox_prefix=f"_INBOX_{user}",
        error_cb=note,
        allow_reconnect=False,
        connect_timeout=PATIENCE,
    )
    try:
        yield Intruder(client, errors)
    finally:
        await client.close()


# What works


async def test_everything_tailrace_does_is_allowed(brokers: SecuredBrokers, tmp_path: Path) -> None:
    # A small tail, so that most of the log is read cold, and enough bytes for the consumer's flow control.
    async with (
        make_producer(brokers, "acme") as producer,
        start_edge(brokers, tmp_path / "a", name="a", tail_bytes=1 << 20) as edge,
        start_edge(brokers, tmp_path / "b", name="b", read_back=3600.0),
        Client(edge.url, tenant="acme") as client,
    ):
        live = Watcher([edge.url], ["orders.*"])
        watching = asyncio.create_task(live.run("now"))
        ids = await producer.publish_many((f"orders.{number % 50}", {"pad": "x" * 4000}) for number in range(5_000))
        ids.append(await client.publish("notes.1", "by HTTP"))
        snapshot = await client.last("orders.>")
        assert len(snapshot) == 50
        assert (await client.topic("notes.1")).data == "by HTTP"
        deletion = await client.delete("notes.1")
        cold = Watcher([edge.url], ["orders.*"])
        await producer.publish(END)
        await cold.run("start")
        await watching
        stored = [int(id.partition("-")[2]) for id in ids[:-1]]
        assert cold.sequences[:-1] == stored
        assert live.sequences[-1] == cold.sequences[-1] > int(deletion.partition("-")[2])
        async with asyncio.timeout(PATIENCE):
            names: set[str] = set()
            while names != {"a", "b"}:
                names = await ask_names(edge)
    assert brokers.find_violations() == []


async def ask_names(edge: EdgeProcess) -> set[str]:
    """Return the names of the edges that answer one another."""
    async with httpx.AsyncClient(timeout=PATIENCE, verify=False) as client:
        answer = (await client.get(f"{edge.url}/v1/stats", params={"cluster": "true"})).json()
    return {stats["name"] for stats in answer["edges"]}


async def test_an_edge_without_a_publisher_streams_and_stores_nothing(brokers: SecuredBrokers, tmp_path: Path) -> None:
    async with (
        make_producer(brokers, "acme") as producer,
        start_edge(brokers, tmp_path / "edge", publish_nats_url="") as edge,
        httpx.AsyncClient(base_url=edge.url, timeout=PATIENCE) as client,
    ):
        answer = await client.post("/v1/acme/events", json={"topic": "notes.1", "data": 1})
        assert answer.status_code == 503
        await producer.publish(END)
        watcher = Watcher([edge.url], [">"])
        await watcher.run("start")
        assert len(watcher.sequences) == 1
    assert any('"events.acme.notes.1"' in line for line in brokers.find_violations())


async def test_a_cluster_of_the_same_text_works(tmp_path: Path) -> None:
    with SecuredBrokers(tmp_path / "brokers", nodes=3) as brokers:
        await prepare(brokers, replicas=3)
        varz = await brokers.read_varz()
        assert varz["jetstream"]["config"]["sync_always"] is True
        assert varz["max_payload"] > 1 << 20
        async with (
            make_producer(brokers, "acme") as producer,
            start_edge(brokers, tmp_path / "edge") as edge,
            Client(edge.url, tenant="acme") as client,
        ):
            ids = await producer.publish_many(("orders.1", number) for number in range(500))
            brokers.kill(0)
            ids += await producer.publish_many(("orders.1", number) for number in range(500))
            # By HTTP there is no outbox: while a leader is elected, the edge says that it is not stored.
            async for attempt in stamina.retry_context(
                on=EdgeUnavailable, attempts=None, timeout=PATIENCE, wait_max=0.5
            ):
                with attempt:
                    await client.publish("notes.1", "by HTTP", message_id="once")
            await producer.publish(END)
            watcher = Watcher([edge.url], ["orders.*"])
            await watcher.run("start")
        assert watcher.sequences[:-1] == [int(id.partition("-")[2]) for id in ids]
        assert brokers.find_violations() == []


async def test_a_restored_log_gets_a_new_generation_through_the_publisher(
    brokers: SecuredBrokers, tmp_path: Path
) -> None:
    """An edge that may not change the stream has its other connection do it."""
    writer = JetStream(brokers.url("publisher"), name="w")
    reader = JetStream(brokers.url("edge"), name="r", writer=writer)
    await writer.connect()
    await reader.connect()
    try:
        before = await reader.read_state()
        await reader.raise_generation(before)
        assert (await reader.read_state()).generation == before.generation + 1
    finally:
        await reader.close()
        await writer.close()


# What is refused


@pytest.mark.parametrize("login", [{}, {"user": "edge", "pass": "wrong"}, {"user": "sys", "pass": "secret-of-edge"}])
async def test_nobody_gets_in_without_the_right_password(brokers: SecuredBrokers, login: dict[str, str]) -> None:
    address = brokers.url("edge").rpartition("@")[2]
    reader, writer = await asyncio.open_connection(*address.split(":"))
    writer.write(b"CONNECT %b\r\nPING\r\n" % json.dumps(login).encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert b"-ERR 'Authorization Violation'" in answer


PUBLISHING: dict[str, list[str]] = {
    "edge": [
        "events.acme.orders.1",
        "$JS.API.STREAM.UPDATE.EVENTS",
        "$JS.API.STREAM.DELETE.EVENTS",
        "$JS.API.STREAM.PURGE.EVENTS",
        "$JS.API.STREAM.MSG.DELETE.EVENTS",
        "$JS.API.STREAM.SNAPSHOT.EVENTS",
        "$JS.API.STREAM.CREATE.OTHER",
        "$JS.API.STREAM.NAMES",
        "commands.acme.jobs.1",
        "rollups.acme.orders.1",
        "_INBOX_acme.x",
        "_INBOX_publisher.x",
    ],
    "publisher": [
        "$JS.API.STREAM.INFO.EVENTS",
        "$JS.API.STREAM.MSG.GET.EVENTS",
        "$JS.API.DIRECT.GET.EVENTS",
        "$JS.API.CONSUMER.CREATE.EVENTS.spy",
        "$JS.API.STREAM.DELETE.EVENTS",
        "$JS.API.STREAM.MSG.DELETE.EVENTS",
        "$JS.API.STREAM.CREATE.OTHER",
        "tailrace.stats",
        "rollups.acme.orders.1",
        "_INBOX_acme.x",
    ],
    "admin": [
        "events.acme.orders.1",
        "$JS.API.STREAM.DELETE.EVENTS",
        "$JS.API.STREAM.PURGE.EVENTS",
        "$JS.API.STREAM.MSG.GET.EVENTS",
        "$JS.API.CONSUMER.CREATE.EVENTS.spy",
        "$JS.API.STREAM.CREATE.OTHER",
    ],
    "acme": [
        "events.globex.orders.1",
        "events.acme",
        "other.acme.x",
        "$JS.API.STREAM.MSG.GET.EVENTS",
        "$JS.API.DIRECT.GET.EVENTS",
        "$JS.API.DIRECT.GET.EVENTS.events.globex.orders.1",
        "$JS.API.CONSUMER.CREATE.EVENTS.spy",
        "$JS.API.CONSUMER.CREATE.EVENTS.spy.events.acme.>",
        "$JS.API.CONSUMER.MSG.NEXT.EVENTS.spy",
        "$JS.API.STREAM.UPDATE.EVENTS",
        "$JS.API.STREAM.DELETE.EVENTS",
        "$JS.API.STREAM.PURGE.EVENTS",
        "$JS.API.STREAM.CREATE.OTHER",
        "$JS.API.STREAM.NAMES",
        "$JS.API.STREAM.LIST",
        "$JS.API.INFO",
        "$JS.ACK.EVENTS.spy.1.1.1.1.0",
        "tailrace.stats",
        "commands.acme.jobs.1",
        "commands.globex.jobs.1",
        "rollups.globex.orders.1",
        "rollups.acme",
        "_INBOX_globex.x",
        "_INBOX_edge.x",
        "_INBOX.x",
    ],
}

SUBSCRIBING: dict[str, list[str]] = {
    "edge": ["events.>", "_INBOX_acme.>", "_INBOX_publisher.>", "$JS.EVENT.>", "commands.>", "rollups.>", ">"],
    "publisher": ["events.>", "_INBOX_edge.>", "tailrace.stats", "commands.>", "_INBOX.>", ">"],
    "admin": ["events.>", "_INBOX_edge.>", "tailrace.stats", ">"],
    "acme": [
        *("events.acme.>", "events.globex.>", "_INBOX_globex.>", "_INBOX_edge.>", "_INBOX.>", "tailrace.>", ">"),
        *("commands.globex.>", "commands.>", "rollups.>", "rollups.acme.>"),
    ],
}


@pytest.mark.parametrize("user", PUBLISHING)
async def test_what_a_user_must_not_publish_is_refused(brokers: SecuredBrokers, user: str) -> None:
    async with intrude(brokers, user) as intruder:
        passed = [subject for subject in PUBLISHING[user] if not await intruder.is_refused_to_publish(subject)]
    assert passed == []


@pytest.mark.parametrize("user", SUBSCRIBING)
async def test_what_a_user_must_not_hear_is_refused(brokers: SecuredBrokers, user: str) -> None:
    async with intrude(brokers, user) as intruder:
        passed = [subject for subject in SUBSCRIBING[user] if not await intruder.is_refused_to_subscribe(subject)]
    assert passed == []


async def test_the_proof_of_a_refusal_is_no_matter_of_course(brokers: SecuredBrokers) -> None:
    async with intrude(brokers, "acme") as intruder:
        assert not await intruder.is_refused_to_publish("events.acme.orders.1")
        assert not await intruder.is_refused_to_subscribe("_INBOX_acme.x")


async def test_a_producer_of_another_tenant_stores_nothing(brokers: SecuredBrokers) -> None:
    settings = Settings(close_timeout=0.1)
    with pytest.raises(PublishError):
        async with Producer(brokers.url("acme"), tenant="globex", settings=settings) as producer:
            await producer.publish("orders.1", 1, timeout=1)
    async with make_producer(brokers, "acme") as producer:
        assert (await producer.publish("orders.1", 1)).endswith("-1")


async def test_an_edges_consumer_cannot_store_events(brokers: SecuredBrokers) -> None:
    """A consumer delivers what is stored to a subject that its maker names: not to one that the log takes in."""
    async with intrude(brokers, "edge") as intruder:
        body = json.dumps({"stream_name": "EVENTS", "config": CONFIG}).encode()
        message = await intruder.client.request("$JS.API.CONSUMER.CREATE.EVENTS.spy", body, timeout=PATIENCE)
        assert "cycle" in json.loads(message.data)["error"]["description"]


@pytest.mark.parametrize("headers", [{"Nats-Rollup": "all"}, {"Nats-Rollup": "sub"}])
async def test_a_producer_cannot_delete_what_others_stored(brokers: SecuredBrokers, headers: dict[str, str]) -> None:
    async with make_producer(brokers, "globex") as producer:
        await producer.publish("orders.1", 1)
    async with intrude(brokers, "acme") as intruder:
        await intruder.client.request("events.acme.x", b"1", timeout=PATIENCE)
        answer = await intruder.client.request("events.acme.x", b"2", headers=headers, timeout=PATIENCE)
        assert "rollup not permitted" in json.loads(answer.data)["error"]["description"]
        state = await read_state(intruder)
    assert state["subjects"] == {"events.globex.orders.1": 1, "events.acme.x": 1}


async def test_a_roll_up_stays_inside_its_tenant(brokers: SecuredBrokers, tmp_path: Path) -> None:
    async with start_edge(brokers, tmp_path / "edge"), intrude(brokers, "acme") as intruder:
        async with make_producer(brokers, "globex") as producer:
            ids = await producer.publish_many(("x", number) for number in range(3))
        for number in range(3):
            await intruder.client.request("events.acme.x", str(number).encode(), timeout=PATIENCE)
        request = {"id": f"{ids[0].partition('-')[0]}-1000"}
        await intruder.client.publish("rollups.acme.x", json.dumps(request).encode())

        async def purged() -> bool:
            return "events.acme.x" not in (await read_state(intruder))["subjects"]

        await wait_until(purged)
        assert (await read_state(intruder))["subjects"] == {"events.globex.x": 3}


async def test_a_worker_answers_whom_it_was_asked_by_and_nobody_else(brokers: SecuredBrokers) -> None:
    async with intrude(brokers, "acme") as worker, intrude(brokers, "publisher") as edge:
        commands = await worker.client.subscribe("commands.acme.>")
        await worker.client.flush()
        asking = asyncio.create_task(edge.client.request("commands.acme.jobs.1", b"cancel", timeout=PATIENCE))
        command = await commands.next_msg(PATIENCE)
        await command.respond(b"taken")
        assert (await asking).data == b"taken"
        assert await worker.is_refused_to_publish(command.reply)


async def test_a_producer_sees_the_names_of_all_topics_but_no_events(brokers: SecuredBrokers) -> None:
    """The producer library asks for the stream, and permissions do not look into the question."""
    async with make_producer(brokers, "globex") as producer:
        await producer.publish("orders.1", 1)
    async with intrude(brokers, "acme") as intruder:
        assert (await read_state(intruder))["subjects"] == {"events.globex.orders.1": 1}


async def read_state(intruder: Intruder) -> dict[str, Any]:
    message = await intruder.client.request("$JS.API.STREAM.INFO.EVENTS", b'{"subjects_filter": ">"}', timeout=PATIENCE)
    state: dict[str, Any] = json.loads(message.data)["state"]
    return state
