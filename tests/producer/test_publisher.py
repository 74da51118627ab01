"""The core under faults: what is published is in the log, once, and in order, whatever breaks."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import Any

import anyio
import pytest
from producer.faults import (
    CALM,
    Proxy,
    find_leader,
    is_ack,
    proxy_to,
    read_events,
    shorten_retries,
    wait_for_reason,
    wait_until,
)
from support.broker import PATIENCE, Broker, Cluster, connect, create_stream, request
from tailrace_producer import Producer, Settings
from tailrace_producer.connection import Connection
from tailrace_protocol.errors import (
    BrokerUnavailable,
    EventTooLarge,
    InvalidEventType,
    InvalidInput,
    InvalidTopic,
    OutboxFull,
    ProducerClosed,
)
from tailrace_protocol.positions import parse_position
from tailrace_protocol.stream import STREAM

QUICK = Settings(ack_timeout=0.3)


def numbered(count: int, topics: int = 7) -> Iterable[tuple[str, int]]:
    return ((f"t.{number % topics}", number) for number in range(count))


def has_stored(producer: Producer, sequence: int) -> bool:
    return producer._core.publisher._highest > sequence


def has_left(producer: Producer, connection: Connection | None) -> bool:
    return producer._core.publisher._connected is not connection


def has_lost(proxy: Proxy, acks: int) -> bool:
    return proxy.lost >= acks


async def check_log(url: str, ids: list[str], *, ordered: bool = True) -> None:
    """Fail unless the log holds event number n at ids[n], each once, and each topic's in order."""
    events = await read_events(url)
    with anyio.move_on_after(PATIENCE):  # a reader in a cluster may be given a replica that lags
        while len(events) < len(ids):
            events = await read_events(url)
    stored = {data: sequence for sequence, _, _, data in events}
    assert len(stored) == len(events) == len(ids), Counter(data for *_, data in events).most_common(3)
    assert [parse_position(event_id).sequence for event_id in ids] == [stored[number] for number in range(len(ids))]
    if ordered:
        topics: dict[str, list[int]] = {}
        for _, topic, _, number in events:
            topics.setdefault(topic, []).append(number)
        assert all(numbers == sorted(numbers) for numbers in topics.values())


async def test_ids_are_the_positions_of_the_events(broker: Broker) -> None:
    async with Producer(broker.url) as producer:
        ids = await producer.publish_many(numbered(3000))

    await check_log(broker.url, ids)


async def test_nothing_lost_or_doubled_through_a_restart_of_the_broker(broker: Broker) -> None:
    async with Producer(broker.url) as producer:
        publishing = asyncio.create_task(producer.publish_many(numbered(30_000), timeout=None))
        for stored in (3000, 12_000, 20_000):
            await wait_until(partial(has_stored, producer, stored))
            broker.kill()
            broker.start()
        ids = await publishing

    await check_log(broker.url, ids)


async def test_nothing_lost_or_doubled_while_the_broker_is_suspended(broker: Broker) -> None:
    async with Producer(broker.url, settings=QUICK) as producer:
        publishing = asyncio.create_task(producer.publish_many(numbered(20_000), timeout=None))
        await wait_until(partial(has_stored, producer, 3000))
        broker.suspend()
        await wait_until(partial(has_left, producer, producer._core.publisher._connected))
        broker.resume()
        ids = await publishing

    await check_log(broker.url, ids)


@pytest.mark.cluster
@pytest.mark.timeout(300)
async def test_nothing_lost_or_doubled_when_the_leader_is_killed(cluster: Cluster) -> None:
    async with Producer(cluster.url) as producer:
        publishing = asyncio.create_task(producer.publish_many(numbered(20_000), timeout=None))
        for stored in (3000, 10_000):
            await wait_until(partial(has_stored, producer, stored))
            leader = await find_leader(cluster)
            leader.kill()
            leader.start()
        ids = await publishing

    await check_log(cluster.url, ids, ordered=False)


@pytest.mark.cluster
@pytest.mark.timeout(300)
async def test_order_and_ids_hold_when_the_leader_steps_down_between_flushes(cluster: Cluster) -> None:
    ids: list[str] = []
    async with Producer(cluster.url) as producer:
        for turn in range(4):
            ids += await producer.publish_many([("t", turn * 100 + number) for number in range(100)], timeout=None)
            async with await connect(cluster.url) as client:
                await request(client, f"STREAM.LEADER.STEPDOWN.{STREAM}")
        ids.append(await producer.publish("t", len(ids), timeout=None))

    await check_log(cluster.url, ids)


@pytest.mark.cluster
@pytest.mark.timeout(300)
async def test_one_broker_of_a_cluster_is_enough_to_find_the_others_again_and_again(cluster: Cluster) -> None:
    async with Producer(cluster.brokers[0].url) as producer:
        await producer.publish("t", 0, timeout=None)
        cluster.brokers[0].kill()
        await producer.publish("t", 1, timeout=None)
        for _ in range(3):
            connected = producer._core.publisher._connected
            assert connected is not None
            await connected._client.close()
            await wait_until(partial(has_left, producer, connected))
            await producer.publish("t", 2, timeout=None)


async def test_acknowledgements_lost_one_by_one(broker: Broker) -> None:
    async with proxy_to(broker.port) as proxy, Producer(proxy.url, settings=QUICK) as producer:
        acks = 0

        def lose(frame: bytes) -> bool:
            nonlocal acks
            acks += is_ack(frame)
            return is_ack(frame) and acks % 500 == 7

        proxy.loses = lose
        ids = await producer.publish_many(numbered(3000))
        assert proxy.lost >= 5

    await check_log(broker.url, ids)


async def test_connection_cut_with_acknowledgements_on_their_way(broker: Broker) -> None:
    async with proxy_to(broker.port) as proxy, Producer(proxy.url) as producer:
        await producer.flush()
        for _ in range(5):
            proxy.loses, lost = is_ack, proxy.lost
            publishing = asyncio.create_task(producer.publish_many([("t", None)] * 100))
            await wait_until(partial(has_lost, proxy, lost + 100))
            proxy.loses = lambda _: False
            proxy.cut()
            ids = await publishing
            assert len(set(ids)) == 100

    assert len(await read_events(broker.url)) == 500


async def test_window_bounds_what_is_in_flight(broker: Broker) -> None:
    settings = Settings(window=10, ack_timeout=60)
    async with proxy_to(broker.port) as proxy, Producer(proxy.url, settings=settings) as producer:
        await producer.publish("t")
        proxy.loses = is_ack
        taken = 0

        def events() -> Iterable[tuple[str, int]]:
            nonlocal taken
            for taken in range(1, 1001):
                yield "t", taken

        publishing = asyncio.create_task(producer.publish_many(events()))
        await wait_until(lambda: proxy.lost == 10)
        assert producer._core.publisher._in_flight == 10
        assert taken == 21  # twice the window, and one more in hand
        assert len(await read_events(broker.url)) == 11
        proxy.loses = lambda _: False
        proxy.cut()
        await publishing

    assert len(await read_events(broker.url)) == 1001


async def test_window_bounds_bytes_too(broker: Broker) -> None:
    settings = Settings(window_bytes=100_000, ack_timeout=60)
    async with proxy_to(broker.port) as proxy, Producer(proxy.url, settings=settings) as producer:
        await producer.publish("t")
        proxy.loses = is_ack
        for _ in range(10):
            producer.enqueue("t", "x" * 60_000)
        await wait_until(lambda: proxy.lost == 2)
        assert producer._core.publisher._in_flight == 2
        proxy.loses = lambda _: False
        proxy.cut()

    assert len(await read_events(broker.url)) == 11


async def test_events_wait_for_the_broker(broker: Broker) -> None:
    broker.kill()
    async with Producer(broker.url) as producer:
        for number in range(1000):
            producer.enqueue("t", number)
        assert producer._core.publisher.unsettled == 1000
        broker.start()

    assert [event[3] for event in await read_events(broker.url)] == list(range(1000))


@pytest.mark.parametrize(("settings", "taken"), [(Settings(outbox_events=50), 50), (Settings(outbox_bytes=60_000), 5)])
async def test_full_outbox_says_so_and_keeps_what_it_has(broker: Broker, settings: Settings, taken: int) -> None:
    broker.kill()
    async with Producer(broker.url, settings=settings) as producer:
        for number in range(taken):
            producer.enqueue("t", [number, "x" * 10_000])
        with pytest.raises(OutboxFull, match=f"{taken} events"):
            await producer.publish("t", "y" * 10_000)
        broker.start()
        await producer.flush()
        producer.enqueue("t", [taken, "z"])

    assert [event[3][0] for event in await read_events(broker.url)] == list(range(taken + 1))


async def test_broker_without_stream_is_a_clear_error(bare_broker: Broker) -> None:
    async with Producer(bare_broker.url, settings=CALM) as producer:
        await wait_for_reason(producer, "tailrace init")
        with pytest.raises(BrokerUnavailable, match=r"never sent.*tailrace init"):
            await producer.publish("t", timeout=0.1)
        await create_stream(bare_broker.url)
        await producer.publish("t")


async def test_unreachable_broker_is_a_clear_error(broker: Broker) -> None:
    broker.kill()
    async with Producer(broker.url) as producer:
        await wait_for_reason(producer, "no broker at")
        with pytest.raises(BrokerUnavailable, match=f"never sent.*127.0.0.1:{broker.port}"):
            await producer.publish("t", timeout=0.1)


async def test_event_that_may_be_stored_says_so(broker: Broker) -> None:
    async with proxy_to(broker.port) as proxy, Producer(proxy.url, settings=CALM) as producer:
        await producer.publish("t")
        proxy.loses = is_ack
        with pytest.raises(BrokerUnavailable, match="may be stored or not"):
            await producer.publish("t", timeout=0.1)
        await wait_until(partial(has_lost, proxy, 1))
        proxy.loses = lambda _: False
        proxy.cut()
        await producer.publish("t")

    assert len(await read_events(broker.url)) == 3


async def test_event_is_not_sent_again_when_the_broker_may_have_forgotten_it(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shorten_retries(broker, monkeypatch)
    async with proxy_to(broker.port) as proxy, Producer(proxy.url, settings=QUICK) as producer:
        proxy.loses = is_ack
        with pytest.raises(BrokerUnavailable, match="store it twice; it may be stored or not"):
            await producer.publish("t", timeout=None)
        assert producer._core.publisher._retry_window == 1

    assert len(await read_events(broker.url)) == 1


async def test_stream_made_anew_while_connected_gives_ids_of_its_own(broker: Broker) -> None:
    async with Producer(broker.url) as producer:
        before = await producer.publish_many(numbered(10))
        async with await connect(broker.url) as client:
            await request(client, f"STREAM.DELETE.{STREAM}")
        await create_stream(broker.url)
        after = await producer.publish("t", 0)

    assert parse_position(before[0]).epoch != parse_position(after).epoch
    await check_log(broker.url, [after])


async def test_own_id_is_stored_once_and_answers_the_first_event(broker: Broker) -> None:
    async with Producer(broker.url, tenant="a") as producer, Producer(broker.url, tenant="b") as other:
        first = await producer.publish("t", 1, id="order-17")
        again = await producer.publish("t", 2, id="order-17")
        others = await other.publish("t", 3, id="order-17")

    assert first == again != others
    assert [event[3] for event in await read_events(broker.url)] == [1, 3]


async def test_mistakes_are_told_before_anything_is_sent(broker: Broker) -> None:
    async with Producer(broker.url) as producer:
        with pytest.raises(EventTooLarge) as refused:
            await producer.publish("t", "x" * 70_000)
        assert refused.value.size > 70_000
        assert refused.value.limit == 65_536
        with pytest.raises(InvalidTopic):
            await producer.publish("t.*")
        with pytest.raises(InvalidEventType):
            await producer.publish("t", type="tailrace")
        for key in ("", "two words", "x" * 129, "line\r\nNats-Rollup: all"):
            with pytest.raises(InvalidInput):
                await producer.publish("t", id=key)
        assert producer._core.publisher._last == 0

    assert await read_events(broker.url) == []


async def test_largest_event_is_stored(broker: Broker) -> None:
    data = "x" * (65_536 - 100)
    async with Producer(broker.url) as producer:
        await producer.publish("t", data)

    assert (await read_events(broker.url))[0][3] == data


async def test_cancelled_publish_that_was_not_sent_is_taken_back(broker: Broker) -> None:
    broker.kill()
    async with Producer(broker.url) as producer:
        with anyio.move_on_after(0.1):
            await producer.publish("t", "never")
        assert producer._core.publisher.unsettled == 0
        broker.start()
        await producer.publish("t", "then")

    assert [event[3] for event in await read_events(broker.url)] == ["then"]


async def test_flush_gives_up_in_time_and_the_events_stay(broker: Broker) -> None:
    broker.kill()
    async with Producer(broker.url) as producer:
        producer.enqueue("t", 1)
        with pytest.raises(BrokerUnavailable, match="1 events are not acknowledged"):
            await producer.flush(timeout=0.2)
        broker.start()

    assert len(await read_events(broker.url)) == 1


async def test_closing_without_broker_tells_that_events_are_lost(broker: Broker) -> None:
    broker.kill()
    producer = Producer(broker.url, settings=Settings(close_timeout=0.2))
    publishing = asyncio.create_task(producer.publish("t", timeout=None))
    await asyncio.sleep(0)
    producer.enqueue("t", 1)
    with pytest.raises(BrokerUnavailable, match="2 events are not acknowledged"):
        await producer.close()
    with pytest.raises(BrokerUnavailable, match="closed; it was never sent"):
        await publishing
    with pytest.raises(ProducerClosed):
        await producer.publish("t")


async def test_broker_that_refuses_the_login_is_told(tmp_path: Any, bare_broker: Broker) -> None:
    bare_broker.kill()
    config = bare_broker._config() + 'authorization { user: "u", password: "right" }\n'
    bare_broker._config = lambda: config  # type: ignore[method-assign]  # the fixture knows no logins
    bare_broker.start()
    async with Producer(f"nats://u:wrong@127.0.0.1:{bare_broker.port}", settings=CALM) as producer:
        await wait_for_reason(producer, "Authorization Violation")
        with pytest.raises(BrokerUnavailable, match="Authorization Violation") as failure:
            await producer.publish("t", timeout=0.1)

    assert "wrong" not in str(failure.value)


async def test_core_that_breaks_tells_everybody(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Producer(broker.url) as producer:
        publisher = producer._core.publisher
        monkeypatch.setattr(publisher, "_resume", lambda *_: 1 / 0)
        with pytest.raises(BrokerUnavailable, match="division by zero"):
            await producer.publish("t")
        with pytest.raises(ProducerClosed):
            await producer.publish("t")
