"""Brokers that are cut off from the others: they have no leader, or one that cannot store what it takes."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from producer.faults import wait_for_reason
from support.broker import PATIENCE, Broker, connect, create_stream, pick_ports
from tailrace_producer import Producer, Settings

LEADER = b'{"config": {"name": "EVENTS"}, "created": "2026-01-01T00:00:00Z", "cluster": {"leader": "n1"}}'
NO_LEADER = LEADER.replace(b'"leader": "n1"', b'"replicas": []')
CUT_OFF = LEADER.replace(b'"n1"', b'"n1", "replicas": [{"active": 9000000000}, {"active": 8000000000}]')
IN_PROCESS = (
    b'{"error": {"code": 409, "err_code": 10158, "description": "duplicate message id is in process"}, "seq": 0}'
)


class PlainBroker(Broker):
    """A broker without JetStream, whose API a test answers."""

    def _config(self) -> str:
        return f"listen: 127.0.0.1:{self.port}\n"


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[PlainBroker]:
    broker = PlainBroker(tmp_path / "plain", port=pick_ports(1)[0])
    broker.start()
    yield broker
    broker.kill()


@asynccontextmanager
async def answering(broker: Broker, info: bytes, *answers: bytes) -> AsyncIterator[list[str]]:
    """Answer for the stream: the same for each question about it, and one after the other for what is published.

    Yields the message ids of what was published.
    """
    remaining = list(answers)
    published: list[str] = []

    async def tell(message: Msg) -> None:
        await message.respond(info)

    async def take(message: Msg) -> None:
        published.append((message.headers or {})["Nats-Msg-Id"])
        if answer := remaining.pop(0):
            await message.respond(answer)

    client: Client
    async with await connect(broker.url) as client:
        await client.subscribe("$JS.API.STREAM.INFO.EVENTS", cb=tell)
        await client.subscribe("events.>", cb=take)
        await client._flush_pending(force_flush=True)
        await client.flush()
        yield published


async def test_an_event_in_process_is_sent_again_and_not_lost(plain: PlainBroker) -> None:
    """As a leader without a quorum answers, that has taken the event before and cannot store it."""
    settings = Settings(ack_timeout=0.3)
    answers = [b"", IN_PROCESS, IN_PROCESS, b'{"stream":"EVENTS","seq":7}']
    async with answering(plain, LEADER, *answers) as published, Producer(plain.url, settings=settings) as producer:
        assert (await producer.publish("a", 1, timeout=None)).endswith("-7")
        assert len(published) == 4
        assert len(set(published)) == 1


@pytest.mark.parametrize("info", [NO_LEADER, CUT_OFF], ids=["no leader", "one that hears nobody"])
async def test_a_broker_without_a_leader_is_left_for_another(
    plain: PlainBroker, bare_broker: Broker, info: bytes
) -> None:
    await create_stream(bare_broker.url)
    bare_broker.stop()
    settings = Settings(ack_timeout=0.3)
    async with (
        answering(plain, info) as published,
        Producer(f"{plain.url},{bare_broker.url}", settings=settings) as producer,
    ):
        await wait_for_reason(producer, "has no leader")
        bare_broker.start()
        assert (await producer.publish("a", 1, timeout=PATIENCE)).endswith("-1")
        assert published == []
