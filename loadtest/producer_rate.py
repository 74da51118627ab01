"""Measure how many acknowledged events a second one producer publishes, and what an event costs.

Starts a real nats-server on a core of its own, and this process on another, where the system lets them be pinned:

    .venv/bin/python loadtest/producer_rate.py

With `--nats` it takes a broker that runs already, with the stream that `tailrace init` makes.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nats
import uvloop
from tailrace_producer import Producer, SyncProducer
from tailrace_protocol.events import encode_stored

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.broker import Broker, create_stream, pick_ports

TOPICS = [f"load.{number}" for number in range(1000)]
Measure = Callable[[str, int, int], Coroutine[Any, Any, None]]


def make_events(count: int, size: int) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield events that take some `size` bytes in the log, on a thousand topics."""
    text = "x" * max(0, size - 87)
    return ((TOPICS[number % len(TOPICS)], {"number": number, "text": text}) for number in range(count))


async def nats_py(url: str, count: int, size: int) -> None:
    """For comparison: what nats-py itself offers."""
    async with await nats.connect(url) as client:
        stream = client.jetstream()
        for number, (topic, data) in enumerate(make_events(count, size)):
            headers = {"Nats-Msg-Id": f"{id(client)}-{number}"}
            await stream.publish(f"events.default.{topic}", encode_stored("message", data), headers=headers)


async def nats_py_tasks(url: str, count: int, size: int) -> None:
    events = enumerate(make_events(count, size))

    async def work() -> None:
        for number, (topic, data) in events:
            headers = {"Nats-Msg-Id": f"{id(client)}-{number}"}
            await stream.publish(f"events.default.{topic}", encode_stored("message", data), headers=headers)

    async with await nats.connect(url) as client:
        stream = client.jetstream()
        await asyncio.gather(*(work() for _ in range(256)))


async def awaited(url: str, count: int, size: int) -> None:
    async with Producer(url) as producer:
        for topic, data in make_events(count, size):
            await producer.publish(topic, data)


async def tasks(url: str, count: int, size: int) -> None:
    events = make_events(count, size)

    async def work() -> None:
        for topic, data in events:
            await producer.publish(topic, data)

    async with Producer(url) as producer:
        await asyncio.gather(*(work() for _ in range(256)))


async def many(url: str, count: int, size: int) -> None:
    async with Producer(url) as producer:
        await producer.publish_many(make_events(count, size))


async def sync_awaited(url: str, count: int, size: int) -> None:
    with SyncProducer(url) as producer:
        for topic, data in make_events(count, size):
            producer.publish(topic, data)


async def sync_threads(url: str, count: int, size: int) -> None:
    def work(_: int) -> None:
        for topic, data in make_events(count // 16, size):
            producer.publish(topic, data)

    with SyncProducer(url) as producer, ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))


async def sync_many(url: str, count: int, size: int) -> None:
    with SyncProducer(url) as producer:
        producer.publish_many(make_events(count, size))


async def job_update(url: str, count: int, _size: int) -> None:
    async with Producer(url) as producer, producer.job("load", total=count) as job:
        for done in range(count):
            job.update(done)


async def sync_job_update(url: str, count: int, _size: int) -> None:
    with SyncProducer(url) as producer, producer.job("load", total=count) as job:
        for done in range(count):
            job.update(done)


MEASURES: list[tuple[str, Measure, int]] = [
    ("nats-py, awaited one by one", nats_py, 10),
    ("nats-py, 256 tasks", nats_py_tasks, 4),
    ("publish, awaited one by one", awaited, 10),
    ("publish, 256 tasks", tasks, 1),
    ("publish_many", many, 1),
    ("sync publish, one by one", sync_awaited, 10),
    ("sync publish, 16 threads", sync_threads, 4),
    ("sync publish_many", sync_many, 1),
    ("job.update, conflated", job_update, 1),
    ("sync job.update, conflated", sync_job_update, 1),
]


@contextmanager
def run_broker(core: int | None) -> Iterator[str]:
    """Run a broker in a temporary folder, pinned to `core` if it can be."""
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder), port=pick_ports(1)[0])
        here = pin(core)
        broker.start()  # it keeps the core that this process has now
        pin_to(here)
        try:
            asyncio.run(create_stream(broker.url))
            yield broker.url
        finally:
            broker.stop()


def pin(core: int | None) -> set[int]:
    """Pin this process and what it starts to one core; return those it had."""
    if not hasattr(os, "sched_setaffinity"):
        return set()
    cores = os.sched_getaffinity(0)
    if core is not None and core in cores:
        os.sched_setaffinity(0, {core})
    return cores


def pin_to(cores: set[int]) -> None:
    """Undo `pin`."""
    if cores:
        os.sched_setaffinity(0, cores)


def measure(name: str, work: Measure, url: str, count: int, size: int, rounds: int) -> None:
    """Print the medians of some rounds, connecting and closing included."""
    rates, costs = [], []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        uvloop.run(work(url, count, size))
        rates.append(count / (time.perf_counter() - wall))
        costs.append((time.process_time() - cpu) / count * 1e6)
    print(f"{name:30} {statistics.median(rates):12,.0f} /s {statistics.median(costs):8.2f} us CPU each")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nats", help="URL of a broker with the stream; by default, one is started")
    parser.add_argument("--events", type=int, default=100_000, help="events of the quick ways; the slow get a tenth")
    parser.add_argument("--size", type=int, default=200, help="bytes of an event in the log")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median is printed")
    parser.add_argument("--cores", default="2,3", help="of the broker and of this process")
    options = parser.parse_args()
    broker_core, own_core = map(int, options.cores.split(","))

    def run(url: str) -> None:
        pin(own_core)
        for name, work, divisor in MEASURES:
            measure(name, work, url, options.events // divisor, options.size, options.rounds)

    if options.nats:
        run(options.nats)
    else:
        with run_broker(broker_core) as url:
            run(url)


if __name__ == "__main__":
    main()
