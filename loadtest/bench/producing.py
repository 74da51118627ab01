"""Producing, in a process of its own: `python -m bench.producing URL WAY EVENTS SIZE`.

It waits for a line on standard input before it begins, and prints what one way to publish costs, as JSON.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec
import nats
import structlog
import uvloop
from nats.aio.msg import Msg
from tailrace_producer import Producer, Settings, SyncProducer
from tailrace_protocol.commands import RollUp
from tailrace_protocol.events import encode_stored
from tailrace_protocol.positions import parse_position
from tailrace_protocol.stream import STREAM
from tailrace_protocol.texts import Token

TASKS = 256
THREADS = 16
TEXTS = 100
TOKEN = "token "

_ENVELOPE = 87
"""Bytes that an event's type, time and number take in the log."""

_HEADERS = 50
"""Bytes of an event's headers, more or less."""

_NOWHERE = "nats://127.0.0.1:1"
"""Where no broker is."""

_TOPICS = [f"load.{number}" for number in range(1000)]


async def nats_py(url: str, count: int, size: int) -> None:
    """Publish with nats-py itself, for comparison."""
    async with await nats.connect(url) as client:
        stream = client.jetstream()
        for number, (topic, data) in enumerate(make_events(count, size)):
            headers = {"Nats-Msg-Id": f"{id(client)}-{number}"}
            await stream.publish(f"events.default.{topic}", encode_stored("message", data), headers=headers)


async def awaited(url: str, count: int, size: int) -> None:
    """Await each event's id before the next."""
    async with Producer(url) as producer:
        for topic, data in make_events(count, size):
            await producer.publish(topic, data)


async def tasks(url: str, count: int, size: int) -> None:
    """Let many tasks do that at a time."""
    events = make_events(count, size)

    async def work() -> None:
        for topic, data in events:
            await producer.publish(topic, data)

    async with Producer(url) as producer:
        await asyncio.gather(*(work() for _ in range(TASKS)))


async def pipelined(url: str, count: int, size: int) -> None:
    """Hand over all of them at once."""
    async with Producer(url) as producer:
        await producer.publish_many(make_events(count, size))


async def sync_awaited(url: str, count: int, size: int) -> None:
    """Without an event loop, one by one."""
    with SyncProducer(url) as producer:
        for topic, data in make_events(count, size):
            producer.publish(topic, data)


async def sync_threads(url: str, count: int, size: int) -> None:
    """The same from many threads."""

    def work(_: int) -> None:
        for topic, data in make_events(count // THREADS, size):
            producer.publish(topic, data)

    with SyncProducer(url) as producer, ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))


async def sync_pipelined(url: str, count: int, size: int) -> None:
    """Without an event loop, all of them at once."""
    with SyncProducer(url) as producer:
        producer.publish_many(make_events(count, size))


async def outbox(url: str, count: int, size: int) -> None:
    """Hand over all of them at once, with an outbox on disk in case the broker goes away."""
    with TemporaryDirectory() as folder:
        async with Producer(url, settings=Settings(outbox_path=folder)) as producer:
            await producer.publish_many(make_events(count, size))


async def outbox_left(url: str, count: int, size: int) -> dict[str, float]:
    """Leave all events on disk while there is no broker, and let the next producer publish them.

    Returns:
        How many events a second went to the disk, and how many from there to the broker.
    """
    with TemporaryDirectory() as folder:
        settings = Settings(outbox_path=folder)
        began = time.perf_counter()
        away = Producer(_NOWHERE, settings=replace(settings, close_timeout=0))
        for topic, data in make_events(count, size):
            away.enqueue(topic, data)
        await away.close()
        left = time.perf_counter()
        async with Producer(url, settings=settings) as producer:
            await producer.publish("load.last", None)  # goes behind what was left
        published = time.perf_counter()
    return {"kept_per_s": count / (left - began), "events_per_s": count / (published - left)}


async def job(url: str, count: int, _size: int) -> None:
    """Report progress that is conflated: next to nothing is sent."""
    async with Producer(url) as producer, producer.job("load", total=count) as running:
        for done in range(count):
            running.update(done)


async def sync_job(url: str, count: int, _size: int) -> None:
    """The same without an event loop."""
    with SyncProducer(url) as producer, producer.job("load", total=count) as running:
        for done in range(count):
            running.update(done)


async def text(url: str, count: int, _size: int) -> None:
    """Write a long text token by token."""
    async with Producer(url) as producer, producer.stream("chats.1") as out:
        for number in range(count):
            out.write(TOKEN)
            if number % 1000 == 0:
                await asyncio.sleep(0)


async def texts(url: str, count: int, _size: int) -> None:
    """Write many texts at a time, each by a task of its own."""

    async def write(number: int) -> None:
        async with producer.stream(f"chats.{number}") as out:
            for _ in range(count // TEXTS):
                out.write(TOKEN)
                await asyncio.sleep(0)

    async with Producer(url) as producer:
        await asyncio.gather(*(write(number) for number in range(TEXTS)))


async def sync_text(url: str, count: int, _size: int) -> None:
    """Write a long text without an event loop."""
    with SyncProducer(url) as producer, producer.stream("chats.2") as out:
        for _ in range(count):
            out.write(TOKEN)


async def late_reader(url: str, count: int, _size: int) -> dict[str, float]:
    """Publish each token for itself, as slow ones are, and look what who comes late has to read.

    Returns:
        How many events that were at most, and how many bytes were stored for each that would be without roll-ups.
    """
    rolled_up = stored = most = 0

    async def purge(request: Msg) -> None:
        nonlocal rolled_up
        rollup = msgspec.json.decode(request.data, type=RollUp)
        sequence = parse_position(rollup.id).sequence
        message = await stream.get_msg(STREAM, sequence)
        rolled_up += len(message.data or b"")
        subject = request.subject.replace("rollups.", "events.", 1)
        await stream.purge_stream(STREAM, subject=subject, seq=sequence)

    settings = Settings(text_interval=0, text_batch=1)
    async with await nats.connect(url) as client, Producer(url, settings=settings) as producer:
        stream = client.jetstream()
        await client.subscribe("rollups.>", cb=purge)
        async with producer.stream("chats.3") as out:
            for number in range(count):
                before = await stream.stream_info(STREAM, subjects_filter="events.default.chats.3")
                out.write(TOKEN)
                await producer.flush()
                most = max(most, (before.state.subjects or {}).get("events.default.chats.3", 0))
                stored += len(encode_stored("token", Token(number * len(TOKEN), TOKEN))) + _HEADERS
    return {"replayed": most, "log_ratio": (stored + rolled_up) / stored}


class Way(NamedTuple):
    """One way to publish.

    Attributes:
        name: on the command line.
        title: in the report.
        work: what is measured, connecting and closing included; or what measures, and returns figures of its own.
        events: so many take a few seconds.
    """

    name: str
    title: str
    work: Callable[[str, int, int], Coroutine[Any, Any, dict[str, float] | None]]
    events: int


WAYS = (
    Way("nats-py", "nats-py, awaited", nats_py, 10_000),
    Way("awaited", "awaited one by one", awaited, 10_000),
    Way("tasks", f"{TASKS} tasks", tasks, 100_000),
    Way("pipelined", "pipelined", pipelined, 200_000),
    Way("sync", "sync, one by one", sync_awaited, 10_000),
    Way("sync-threads", f"sync, {THREADS} threads", sync_threads, 50_000),
    Way("sync-pipelined", "sync, pipelined", sync_pipelined, 200_000),
    Way("outbox", "pipelined, with an outbox on disk", outbox, 200_000),
    Way("outbox-left", "left on disk, published by the next", outbox_left, 50_000),
    Way("job", "job update, conflated", job, 1_000_000),
    Way("sync-job", "sync job update, conflated", sync_job, 1_000_000),
    Way("text", "tokens of one text", text, 1_000_000),
    Way("texts", f"tokens of {TEXTS} texts", texts, 1_000_000),
    Way("sync-text", "sync tokens of one text", sync_text, 1_000_000),
    Way("late-reader", "late reader of a text, each token published alone", late_reader, 9000),
)


def make_events(count: int, size: int) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield events that take some `size` bytes in the log, on a thousand topics."""
    text = "x" * max(0, size - _ENVELOPE)
    return ((_TOPICS[number % len(_TOPICS)], {"number": number, "text": text}) for number in range(count))


def main() -> None:
    """Measure one way."""
    url, name, count, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    work = next(way.work for way in WAYS if way.name == name)
    # Standard output is for the figures alone.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    print("ready", flush=True)
    sys.stdin.readline()
    wall, cpu = time.perf_counter(), time.process_time()
    own = uvloop.run(work(url, count, size))
    seconds, used = time.perf_counter() - wall, time.process_time() - cpu
    figures = {"seconds_s": seconds, "events_per_s": count / seconds, "cpu_us": used / count * 1e6}
    print(json.dumps({"events": count} | (own or figures)), flush=True)


if __name__ == "__main__":
    main()
