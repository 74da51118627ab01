"""Messages of the log, as nats-server sends them to an edge's consumer, and the entries they become."""

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple, TypeVar

from tailrace_edge.consumption import Consumption
from tailrace_edge.engine.entry import Entry
from tailrace_protocol.events import MESSAGE, encode_stored
from tailrace_protocol.stream import STREAM, format_message_id
from tailrace_protocol.topics import format_subject

from bench.steps.step import TICK

TENANT = "default"
EPOCH = "5f2c91ab"
SID = 2
CONSUMER = "follower-edge-0-1-64a1f2c3d4e5f"

_SIZE = 200
"""Bytes of an event as it is stored."""

_INTERVAL = 50_000
"""Nanoseconds between two events."""

T = TypeVar("T")


class Message(NamedTuple):
    """One message of a consumer, as a `wire.Receiver` takes it."""

    subject: bytes
    reply: bytes
    header: bytes
    payload: bytes

    def encode(self) -> bytes:
        """Return it as nats-server sends it."""
        sizes = (len(self.header), len(self.header) + len(self.payload))
        return b"HMSG %b %d %b %d %d\r\n%b%b\r\n" % (self.subject, SID, self.reply, *sizes, self.header, self.payload)


@cache
def make_messages(count: int, topics: int) -> list[Message]:
    """Return messages on so many topics in turns, the log's first ones."""
    return make_messages_on(f"bench.{number % topics}" for number in range(count))


def make_messages_on(topics: Iterable[str]) -> list[Message]:
    """Return a message on each of the topics, the log's first ones."""
    chosen = list(topics)
    began = time.time_ns()
    return [
        Message(
            format_subject(TENANT, topic).encode(),
            _make_reply(number, began + number * _INTERVAL, len(chosen) - number),
            f"NATS/1.0\r\nNats-Msg-Id: {format_message_id(TENANT, f'5nq0vZ2m{number}')}\r\n\r\n".encode(),
            _make_payload(number),
        )
        for number, topic in enumerate(chosen, 1)
    ]


def make_entries(messages: Sequence[Message]) -> list[Entry]:
    """Return the entries of messages, of which nothing has been decoded or encoded yet."""
    consumption = make_consumption()
    for message in messages:
        consumption.receive(*message)
    return consumption.take()


def make_consumption() -> Consumption:
    """Return one that waits for the log's first message."""
    return Consumption(EPOCH, 1, _refuse)


def split_ticks(items: Sequence[T]) -> list[Sequence[T]]:
    """Return what each tick brings."""
    return [items[start : start + TICK] for start in range(0, len(items), TICK)]


def _make_reply(number: int, stored_at: int, pending: int) -> bytes:
    return f"$JS.ACK.{STREAM}.{CONSUMER}.1.{number}.{number}.{stored_at}.{pending}".encode()


def _make_payload(number: int) -> bytes:
    now = datetime.now(UTC).replace(microsecond=123456)  # a time of a full millisecond would be shorter
    bare = encode_stored(MESSAGE, {"number": number, "text": ""}, now)
    return encode_stored(MESSAGE, {"number": number, "text": "x" * (_SIZE - len(bare))}, now)


def _refuse(subject: bytes) -> None:
    raise AssertionError(f"nobody asked for an answer to {subject.decode()}")
