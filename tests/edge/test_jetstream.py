"""The connection to the broker comes back, however it breaks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from support.broker import PATIENCE, Broker
from support.false_brokers import NO_BROKERS, greet_and_reset, in_front_of
from support.waiting import wait_until
from tailrace_edge.jetstream import JetStream, JetStreamUnavailable


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[JetStream]:
    jetstream = JetStream(url, name="edge-1")
    try:
        await jetstream.connect()
        yield jetstream
    finally:
        await jetstream.close()


async def wait_for_the_log(jetstream: JetStream) -> None:
    async def reads() -> bool:
        try:
            await jetstream.read_info()
        except JetStreamUnavailable:
            return False
        return True

    await wait_until(reads)


async def test_brokers_that_reset_after_their_greeting_are_tried_again(broker: Broker) -> None:
    """As a load balancer does whose brokers are gone. uvloop has a RuntimeError for what is written then."""
    with in_front_of(broker.port, [greet_and_reset] * 20) as url:
        async with connected(url) as jetstream:
            await wait_for_the_log(jetstream)


async def test_brokers_that_reset_after_their_greeting_are_tried_again_on_the_way_back(broker: Broker) -> None:
    with in_front_of(broker.port, [NO_BROKERS["login withdrawn"], *[greet_and_reset] * 20]) as url:
        async with connected(url) as jetstream:
            await wait_for_the_log(jetstream)


@pytest.mark.parametrize("kind", NO_BROKERS)
async def test_whatever_a_broker_says_another_one_is_tried(broker: Broker, kind: str) -> None:
    """Once in place of the first connection, and then of the one that comes back."""
    with in_front_of(broker.port, [NO_BROKERS[kind], NO_BROKERS[kind], NO_BROKERS["login withdrawn"]]) as url:
        async with connected(url) as jetstream:
            await wait_for_the_log(jetstream)


async def test_a_connection_that_is_gone_takes_what_is_written(broker: Broker) -> None:
    """Until nats-py has heard of it, it writes: uvloop has a RuntimeError for that, which ended its pings."""
    async with connected(broker.url) as jetstream:
        transport: Any = jetstream._client._transport
        transport._io_writer.transport.abort()
        for _ in range(5):
            await asyncio.sleep(0)
            transport.write(b"PING\r\n")
            transport.writelines([b"PING\r\n", b"PING\r\n"])
        await wait_for_the_log(jetstream)


async def test_a_cancellation_that_comes_with_the_answer_is_heeded(broker: Broker) -> None:
    """A watch that asks and asks would go on without end, and with it the edge that is to stop."""

    async def ask() -> None:
        while True:
            await jetstream.read_info()

    async with connected(broker.url) as jetstream:
        await jetstream.read_info()
        waiting: dict[str, asyncio.Future[Any]] = jetstream._client._resp_map
        asking = asyncio.create_task(ask())
        while not waiting:  # noqa: ASYNC110  # an answer is there in no time
            await asyncio.sleep(0)
        for answer in waiting.values():
            answer.add_done_callback(lambda _: asking.cancel())

        await asyncio.wait([asking], timeout=PATIENCE)

        assert asking.cancelled()
