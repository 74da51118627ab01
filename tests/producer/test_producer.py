"""The async producer as its users see it."""

import asyncio
import dataclasses
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from producer.faults import read_events
from support.broker import Broker, read_stream
from tailrace_producer import NewEvent, Producer
from tailrace_protocol.errors import InvalidTenant, InvalidTopic, ProducerClosed, SetupError
from tailrace_protocol.events import decode_stored
from tailrace_protocol.positions import parse_position


async def test_event_is_stored_as_the_protocol_says(broker: Broker) -> None:
    before = datetime.now(UTC)
    async with Producer(broker.url, tenant="acme") as producer:
        event_id = await producer.publish("orders.17", {"state": "paid"}, type="order.paid")
    [(sequence, subject, payload)] = await read_stream(broker.url)
    event = decode_stored(payload, 0)

    assert subject == "events.acme.orders.17"
    assert (event.type, bytes(event.data)) == ("order.paid", b'{"state":"paid"}')
    assert before <= event.time <= datetime.now(UTC)
    assert parse_position(event_id).sequence == sequence


async def test_data_may_be_what_json_can_carry(broker: Broker) -> None:
    @dataclasses.dataclass
    class Order:
        id: int
        due: datetime

    class Line(msgspec.Struct):
        text: str

    due = datetime(2026, 1, 1, tzinfo=UTC)
    data: list[Any] = [None, 1.5, "ä\n", [Order(1, due)], Line("x"), {"k": (1, 2)}]
    async with Producer(broker.url) as producer:
        await producer.publish_many([("t", item) for item in data])

    assert [event[3] for event in await read_events(broker.url)] == [
        None, 1.5, "ä\n", [{"id": 1, "due": "2026-01-01T00:00:00Z"}], {"text": "x"}, {"k": [1, 2]},
    ]  # fmt: skip


async def test_many_events_may_be_tuples_or_named(broker: Broker) -> None:
    async with Producer(broker.url) as producer:
        ids = await producer.publish_many(
            [("a", 1), ("b", 2, "token"), NewEvent("c", 3, id="mine"), NewEvent("c", 4, id="mine"), NewEvent("d")]
        )
        assert await producer.publish_many([]) == []

    assert [parse_position(event_id).sequence for event_id in ids] == [1, 2, 3, 3, 4]
    assert [event[1:] for event in await read_events(broker.url)] == [
        ("a", "message", 1),
        ("b", "token", 2),
        ("c", "message", 3),
        ("d", "message", None),
    ]


async def test_mistake_among_many_is_told_and_those_before_it_are_published(broker: Broker) -> None:
    async with Producer(broker.url) as producer:
        with pytest.raises(InvalidTopic):
            await producer.publish_many([("a", 1), ("b", 2), ("no.", 3), ("c", 4)])

    assert [event[1] for event in await read_events(broker.url)] == ["a", "b"]


async def test_tasks_publish_together(broker: Broker) -> None:
    async with Producer(broker.url) as producer:
        ids = await asyncio.gather(*(producer.publish(f"t.{number}", number) for number in range(500)))

    events = await read_events(broker.url)
    assert [event[3] for event in events] == list(range(500))
    assert [parse_position(event_id).sequence for event_id in ids] == [event[0] for event in events]


async def test_enqueued_events_keep_their_place(broker: Broker) -> None:
    async with Producer(broker.url) as producer:
        producer.enqueue("t", 1)
        await producer.publish("t", 2)
        producer.enqueue("t", 3, type="token")

    assert [event[2:] for event in await read_events(broker.url)] == [("message", 1), ("message", 2), ("token", 3)]


async def test_works_without_context(broker: Broker) -> None:
    producer = Producer(broker.url)
    await producer.publish("t")
    await producer.close()
    await producer.close()
    with pytest.raises(ProducerClosed):
        await producer.publish("t")


async def test_exception_of_the_body_is_not_replaced(broker: Broker) -> None:
    async def work() -> None:
        async with Producer(broker.url) as producer:
            producer.enqueue("t", 1)
            raise KeyError

    with pytest.raises(KeyError):
        await work()

    assert len(await read_events(broker.url)) == 1


def test_producer_of_another_loop_is_told(bare_broker: Broker) -> None:
    producer = Producer(bare_broker.url)

    async def use() -> None:
        producer.enqueue("t")

    asyncio.run(use())
    with pytest.raises(RuntimeError, match="another event loop"):
        asyncio.run(use())


@pytest.mark.parametrize(("url", "tenant", "error"), [("x", "a", SetupError), ("nats://a", "A b", InvalidTenant)])
def test_mistakes_are_told_when_it_is_made(url: str, tenant: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        Producer(url, tenant=tenant)
