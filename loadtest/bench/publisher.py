"""The publisher, a process of its own: `python -m bench.publisher SINK`.

It takes loads as lines of JSON, and says what it sent. Each event carries the time just before it was handed over
(`t`, nanoseconds) and its number (`n`) in its stream (`k`).
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec
import uvloop

from bench.load import Load, Numbers, Sent
from bench.sinks import Sink, encode, make_sink


async def main(spec: dict[str, Any]) -> None:
    """Serve loads from standard input until it ends."""
    sink = make_sink(spec)
    await sink.open()
    print("ready", flush=True)
    numbers = Numbers()
    while line := await asyncio.to_thread(sys.stdin.readline):
        sent = await publish(sink, numbers, msgspec.json.decode(line, type=Load))
        print(msgspec.json.encode(sent).decode(), flush=True)
    await sink.close()


async def publish(sink: Sink, numbers: Numbers, load: Load) -> Sent:
    """Send all events of a load on time, and return when they are taken."""
    cpu, began = time.process_time(), time.perf_counter()
    late = 0.0
    if load.rate:
        late = await keep_pace(sink, make_events(numbers, load), load)
    else:
        await sink.send_all(make_events(numbers, load))
    seconds = time.perf_counter() - began
    await sink.settle()
    return Sent(load.events, seconds, late * 1000, time.process_time() - cpu)


async def keep_pace(sink: Sink, events: Iterator[tuple[str, dict[str, Any]]], load: Load) -> float:
    """Send each burst when it is due, and return how late one was at worst, in seconds."""
    began, late = time.perf_counter(), 0.0
    for first in range(0, load.events, load.burst):
        due = began + first / load.rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        late = max(late, time.perf_counter() - due)
        for topic, data in islice(events, load.burst):
            await sink.send(topic, data)
    return late


def make_events(numbers: Numbers, load: Load) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield topic and data of each event, stamped when it is asked for."""
    padding = make_padding(load.size)
    for topic, stream, number in numbers.choose(load):
        yield topic, {"t": time.time_ns(), "n": number, "k": stream, "p": padding}


def make_padding(size: int) -> str:
    """Return what fills an event's data up to `size` bytes."""
    bare = len(encode({"t": time.time_ns(), "n": 1000, "k": 100, "p": ""}))
    return "x" * max(0, size - bare)


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
