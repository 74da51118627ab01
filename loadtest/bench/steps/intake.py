"""The intake: from the broker's bytes to entries in the tail."""

import asyncio
from collections.abc import Iterable

from nats.protocol.parser import Parser
from tailrace_edge.engine.limits import Limits
from tailrace_edge.engine.tail import Tail
from tailrace_edge.wire import MessageParser

from bench.steps.messages import SID, make_consumption, make_entries, make_messages, split_ticks
from bench.steps.step import Sizes, Step, Stopwatch

_CHUNK = 64 << 10
"""Bytes that one read of a connection brings at most."""


class Silence:
    """A receiver that does nothing, so that the parser's work is all there is."""

    def receive(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        """Take a message."""

    def flush(self) -> None:
        """Learn that no more are at hand."""

    def fail(self, error: Exception) -> None:
        """Learn that something went wrong, which cannot be."""
        raise error


def parse(sizes: Sizes, stopwatch: Stopwatch) -> int:
    """Find the messages in what the broker sent."""
    data = b"".join(message.encode() for message in make_messages(sizes.events, sizes.topics))
    chunks = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]
    parser = MessageParser(Parser())
    parser.receivers[SID] = Silence()
    asyncio.run(_feed(parser, chunks, stopwatch))
    return sizes.events


def check(sizes: Sizes, stopwatch: Stopwatch) -> int:
    """Check the sequence of messages, and make entries of them."""
    ticks = split_ticks(make_messages(sizes.events, sizes.topics))
    consumption = make_consumption()
    taken = []
    with stopwatch:
        for messages in ticks:
            for message in messages:
                consumption.receive(*message)
            taken.append(consumption.take())
    return sum(map(len, taken))


def keep(sizes: Sizes, stopwatch: Stopwatch) -> int:
    """Take entries into a tail that has room, on topics it knows."""
    return _fill(Limits().tail_bytes, sizes, stopwatch)


def keep_full(sizes: Sizes, stopwatch: Stopwatch) -> int:
    """Take entries into a tail that lets another go for each."""
    held = make_entries(make_messages(2 * sizes.topics, sizes.topics))
    return _fill(sum(entry.size for entry in held), sizes, stopwatch)


def _fill(budget: int, sizes: Sizes, stopwatch: Stopwatch) -> int:
    before = 2 * sizes.topics
    entries = make_entries(make_messages(before + sizes.events, sizes.topics))
    tail = Tail(budget)
    for entry in entries[:before]:
        tail.append(entry)
    later = entries[before:]
    with stopwatch:
        for entry in later:
            tail.append(entry)
    return len(later)


async def _feed(parser: MessageParser, chunks: Iterable[bytes], stopwatch: Stopwatch) -> None:
    with stopwatch:
        for chunk in chunks:
            await parser.parse(chunk)


STEPS = (
    Step("parse", "events", parse),
    Step("check", "events", check),
    Step("keep", "events", keep),
    Step("keep, full tail", "events", keep_full),
)
