"""Publishing goes on, however the connection to a broker breaks, and whatever answers in its place."""

import asyncio

import pytest
from producer.faults import CALM, wait_until
from support.broker import PATIENCE, Broker
from support.false_brokers import NO_BROKERS, greet_and_reset, in_front_of
from tailrace_producer import Producer, SyncProducer
from tailrace_producer.commands import Commands
from tailrace_producer.connection import connect


async def test_brokers_that_reset_after_their_greeting_are_tried_again(broker: Broker) -> None:
    """As a load balancer does whose brokers are gone. uvloop has a RuntimeError for what is written then."""
    with in_front_of(broker.port, [greet_and_reset] * 20) as url:
        async with Producer(url, tenant="acme", settings=CALM) as producer:
            assert (await producer.publish("a.b", 1, timeout=PATIENCE)).endswith("-1")


@pytest.mark.parametrize("kind", NO_BROKERS)
async def test_whatever_a_broker_says_another_one_is_tried(broker: Broker, kind: str) -> None:
    with in_front_of(broker.port, [NO_BROKERS[kind]] * 2) as url:
        async with Producer(url, tenant="acme", settings=CALM) as producer:
            assert (await producer.publish("a.b", 1, timeout=PATIENCE)).endswith("-1")


async def test_so_it_is_in_a_thread_of_the_producers_own(broker: Broker) -> None:
    def publish(url: str) -> str:
        with SyncProducer(url, tenant="acme", settings=CALM) as producer:
            return producer.publish("a.b", 1, timeout=PATIENCE)

    with in_front_of(broker.port, [*NO_BROKERS.values(), *[greet_and_reset] * 5]) as url:
        assert (await asyncio.to_thread(publish, url)).endswith("-1")


async def test_a_connection_that_is_gone_takes_what_is_written(broker: Broker) -> None:
    """Until nats-py has ended it, events are written to it: uvloop has a RuntimeError for that."""
    inbox = "_INBOX.0123abcd"
    async with connect([broker.url], CALM, inbox, lambda _: None, lambda _: None, Commands("acme")) as connection:
        connection._transport.writer.transport.abort()
        while not connection.lost.done():
            connection.write([b"PING\r\n"])
            await asyncio.sleep(0)
        connection.drop()
        assert connection.fileno() is None


async def test_nothing_is_left_behind_by_a_connection_that_broke(broker: Broker) -> None:
    """nats-py leaves the closing half done where it cannot send what it holds."""
    before = asyncio.all_tasks()
    inbox = "_INBOX.0123abcd"
    async with connect([broker.url], CALM, inbox, lambda _: None, lambda _: None, Commands("acme")) as connection:
        client = connection._client
        await client._send_command(b"PING\r\n")
        connection._transport.writer.transport.abort()
        await asyncio.wait([connection.lost])
        assert connection.lost.exception() is None
    await wait_until(lambda: asyncio.all_tasks() <= before)
