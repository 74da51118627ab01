"""The recorder for users' tests: what it holds is what a broker would have, and nothing goes to any."""

import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from producer.faults import read_events
from support.broker import PATIENCE, Broker
from tailrace_producer import JobCancelled, NewEvent, Producer, SyncProducer
from tailrace_producer.testing import capture
from tailrace_protocol.errors import InvalidTopic
from tailrace_protocol.texts import TextStatus

NOWHERE = "nats://127.0.0.1:1"


async def test_events_of_a_producer() -> None:
    with capture() as events:
        async with Producer(NOWHERE, tenant="acme") as producer:
            first = await producer.publish("orders.17", {"state": "paid"}, type="order.paid")
            ids = await producer.publish_many([("orders.18", 1), ("orders.19", 2, "order.new")])
            producer.enqueue("orders.17", 3)

    assert [event.id for event in events][:3] == [first, *ids]
    assert [(event.tenant, event.topic, event.type, event.data) for event in events] == [
        ("acme", "orders.17", "order.paid", {"state": "paid"}),
        ("acme", "orders.18", "message", 1),
        ("acme", "orders.19", "order.new", 2),
        ("acme", "orders.17", "message", 3),
    ]
    assert [event.data for event in events.topic("orders.17")] == [{"state": "paid"}, 3]
    assert [event.data for event in events.topic("orders.17", type="message", tenant="acme")] == [3]
    assert events.topic("orders.17", tenant="other") == []


def test_reading_waits_for_producers_without_event_loop() -> None:
    with capture() as events, SyncProducer(NOWHERE) as producer:
        for number in range(1000):
            producer.enqueue("t", number)
        assert [event.data for event in events] == list(range(1000))
        events.clear()
        assert len(events) == 0
        producer.enqueue("t", 1)
    assert [event.data for event in events] == [1]


async def test_producers_made_before_are_captured_too_and_publish_for_real_after(broker: Broker) -> None:
    producer = SyncProducer(broker.url)
    with capture() as events:
        producer.publish("t", "captured")
    assert [event.data for event in events] == ["captured"]
    producer.publish("t", "real")
    producer.close()

    assert [event.data for event in events] == ["captured"]


async def test_nothing_goes_to_the_broker(broker: Broker) -> None:
    with capture() as events:
        async with Producer(broker.url) as producer:
            await producer.publish("t")

    assert len(events) == 1
    assert await read_events(broker.url) == []


def fail(producer: SyncProducer) -> None:
    with producer.job("1", user="7", total=10) as job:
        job.update(4)
        raise ValueError("no")


def test_jobs_and_texts() -> None:
    with capture() as events, SyncProducer(NOWHERE) as producer:
        with pytest.raises(ValueError, match="no"):
            fail(producer)
        with producer.stream("chats.1", title="T") as out:
            for token in ("Hel", "lo"):
                out.write(token)
            out.complete(usage={"out": 2})

    state = events.job("1", user="7")
    assert (state.status, state.done, state.error and state.error.message) == ("failed", 4, "no")
    text = events.text("chats.1")
    assert (text.text, text.status, text.usage, text.title) == ("Hello", TextStatus.COMPLETE, {"out": 2}, "T")
    with pytest.raises(LookupError, match=r"nothing was published on jobs\.2, only on \['chats\.1', 'users\.7"):
        events.job("2")
    with pytest.raises(LookupError):
        events.text("chats.2")


def test_cancel() -> None:
    with capture() as events, SyncProducer(NOWHERE) as producer:
        heard = threading.Event()
        with producer.job("1") as job:
            events.cancel("1")
            while not job.cancelled:
                assert not heard.wait(0.001)
            with pytest.raises(JobCancelled):
                job.raise_if_cancelled()
            job.cancel()
        with pytest.raises(LookupError, match="no job runs"):
            events.cancel("1")

    assert events.job("1").status == "cancelled"


async def test_rules_are_the_broker_s() -> None:
    with capture() as events:
        async with Producer(NOWHERE) as producer:
            first = await producer.publish("t", 1, id="a")
            assert await producer.publish("t", 2, id="a") == first
            with pytest.raises(InvalidTopic):
                await producer.publish("t.*")
            await producer.publish_many(NewEvent("t", number) for number in range(5000))

    assert len(events) == 5001


def test_example_of_the_docs(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/testing.md").read_text()
    for block in page.split("```python\n")[1:]:
        name, _, code = block.partition("```")[0].partition("\n")
        (tmp_path / name.removeprefix("# ")).write_text(textwrap.dedent(code))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False)

    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
