"""Roll-ups of texts: how little a late reader reads, and what that costs in the log."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from tailrace_producer import Settings, TextStream
from tailrace_producer.pacer import Paced, Pacer
from tailrace_producer.publisher import Publisher
from tailrace_producer.text_stream import ROLLUP_EVENTS
from tailrace_protocol.events import encode_stored
from tailrace_protocol.texts import TextStart

HEADERS = 50
"""Bytes of an event's headers, more or less."""


class Storing(Publisher):
    """Stores each event at once, and rolls up at once."""

    def __init__(self) -> None:
        super().__init__("nats://nowhere", "default", Settings())
        self.kept = self.stored = self.rolled_up = 0
        self._sent: list[Callable[[], object]] = []

    def submit(self, topic: str, data: Any, event_type: str, *, settle: Any, headers: Any = None, **_: Any) -> int:
        size = len(encode_stored(event_type, data)) + HEADERS
        if headers:
            self.rolled_up += size
            self.kept = 0
        else:
            self.stored += size
        self.kept += 1
        self._sent.append(partial(settle, "0123abcd-1"))
        return 1

    def roll_up(self, topic: str, event_id: str) -> None:
        """It was done when it was stored."""

    def settle(self) -> None:
        while self._sent:
            self._sent.pop()()


class Calm(Pacer):
    """Lets the test send."""

    def ask(self, job: Paced) -> None:
        """Not by itself."""

    consider = ask


def write(token: str, count: int) -> tuple[int, float]:
    """Write a text, each token for itself; return how many events were kept at most, and bytes per byte without."""
    publisher = Storing()
    out = TextStream(publisher, Calm(), "t", TextStart(), Settings(), set())
    out.start()
    out.send()
    publisher.settle()
    most = 0
    for _ in range(count):
        out.write(token)
        out.send()
        publisher.settle()
        most = max(most, publisher.kept)
    return most, (publisher.stored + publisher.rolled_up) / publisher.stored


@pytest.mark.parametrize("count", [90, 500])
def test_late_reader_of_a_short_text_reads_few_events(count: int) -> None:
    most, _ = write("token ", count)

    assert ROLLUP_EVENTS <= 20
    assert most <= ROLLUP_EVENTS + 2  # the start, or the text so far; and the tokens since


@pytest.mark.parametrize("token", ["token ", "字", "ä", "🚀", "some words at a time ", "x" * 200])
@pytest.mark.parametrize("count", [90, 1000, 3000])
def test_a_text_takes_at_most_about_twice_the_bytes(token: str, count: int) -> None:
    _, ratio = write(token, count)

    assert ratio <= 2.1
