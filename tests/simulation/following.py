"""Following: a consumer's deliveries as its host and the network spoil them, behind the follower's own check."""

import random

from tailrace_edge.consumption import Broken, Consumption
from tailrace_edge.engine.entry import Entry

from simulation.stream import Message, Stream


class Following:
    """Follows one stream for one edge, by one consumer after the other and by a bridge between them."""

    def __init__(self, stream: Stream, head: int, rng: random.Random) -> None:
        self._stream = stream
        self._rng = rng
        self.begin(head + 1)

    def begin(self, following: int) -> None:
        """Make a new consumer, from the next message on."""
        self._start = following
        self._consumption = Consumption(self._stream.epoch, following, lambda _: None)
        self._host_cursor = following - 1
        self._host_count = 0

    def take(self, count: int) -> list[Entry]:
        """Return the entries that up to `count` deliveries bring."""
        fault = self._rng.random()
        if fault < 0.05:
            # The consumer's host reboots, and makes it anew under its name.
            self._host_cursor = self._start - 1
            self._host_count = 0
        elif fault < 0.10:
            self._deliver(1)  # and the network loses it
        elif fault < 0.20:
            return self._bridge(count)
        try:
            for message in self._deliver(count):
                self._receive(message)
        except Broken:
            entries = self._consumption.take()
            self.begin(self._consumption.next)
            return entries
        return self._consumption.take()

    def make_entry(self, message: Message) -> Entry:
        return Entry(self._stream.epoch, message.sequence, message.path, message.payload, message.stored_at)

    def _deliver(self, count: int) -> list[tuple[int, Message]]:
        messages = self._stream.stored(self._host_cursor)[:count]
        numbered = [(self._host_count + number, message) for number, message in enumerate(messages, 1)]
        if messages:
            self._host_cursor = messages[-1].sequence
            self._host_count += len(messages)
        return numbered

    def _receive(self, delivery: tuple[int, Message]) -> None:
        number, message = delivery
        reply = f"$JS.ACK.EVENTS.follower.1.{message.sequence}.{number}.{message.stored_at}.0"
        self._consumption.receive(f"events.{message.path}".encode(), reply.encode(), b"", message.payload)

    def _bridge(self, count: int) -> list[Entry]:
        """Read on by direct gets, of which the consumer brings the messages again."""
        entries = [self.make_entry(message) for message in self._stream.stored(self._consumption.next - 1)[:count]]
        if entries:
            self._consumption.next = entries[-1].sequence + 1
        return entries
