"""Consumptions: one consumer's deliveries, checked one by one. No I/O."""

from collections.abc import Callable

from tailrace_edge.engine.entry import Entry
from tailrace_edge.messages import find_header, is_delivery, make_entry, parse_delivery, parse_status


class Broken(Exception):
    """The consumer cannot be trusted any further."""


class Consumption:
    """What one consumer delivers, as long as its sequence has no break.

    A consumer's host that reboots re-creates it under its name from its first message on, with consumer sequence 1,
    so the name proves nothing; only the sequence does.

    Attributes:
        next: the sequence of the next message wanted; what lies before it came another way.
        entries: taken in since `take` was called last.
        pending: messages the consumer said it still had, with the newest one.
        deliveries: it has made so far.
    """

    def __init__(self, epoch: str, following: int, answer: Callable[[bytes], None]) -> None:
        """Begin before the first delivery.

        Args:
            epoch: of the log.
            following: the sequence of the first message wanted.
            answer: sends an empty message to a subject, as flow control wants it.
        """
        self.next = following
        self.pending: int | None = None
        self.deliveries = 0
        self._epoch = epoch
        self._answer = answer
        self._entries: list[Entry] = []

    def receive(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        """Take in one message.

        Raises:
            Broken: a message is missing before it, or the consumer began anew.
        """
        if not is_delivery(reply):
            self._control(parse_status(header), reply, header)
            return
        delivery = parse_delivery(reply)
        if delivery.consumer_sequence != self.deliveries + 1:
            raise Broken(f"consumer sequence {delivery.consumer_sequence} after {self.deliveries}")
        self.deliveries += 1
        self.pending = delivery.pending
        if delivery.sequence < self.next:
            return
        self.next = delivery.sequence + 1
        entry = make_entry(self._epoch, delivery.sequence, subject, header, payload, delivery.stored_at)
        if entry is not None:
            self._entries.append(entry)

    def take(self) -> list[Entry]:
        """Return the entries that came since the last call."""
        entries = self._entries
        self._entries = []
        return entries

    def _control(self, status: int | None, reply: bytes, header: bytes) -> None:
        if status != 100:
            raise Broken(f"the consumer ended with status {status}")
        if reply:
            self._answer(reply)  # a flow control request
            return
        # An idle heartbeat tells how many deliveries it has made (NATS ADR-15).
        last = find_header(header, b"Nats-Last-Consumer")
        if last is not None and int(last) != self.deliveries:
            raise Broken(f"a heartbeat after delivery {last.decode()}, {self.deliveries} came")
        if (stalled := find_header(header, b"Nats-Consumer-Stalled")) is not None:
            self._answer(stalled)
