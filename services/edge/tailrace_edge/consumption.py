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
        pending: messages the consumer said it still had, with the newest one.
        deliveries: it has made so far.
    """

    def __init__(
        self,
        epoch: str,
        following: int,
        answer: Callable[[bytes], None],
        expires: Callable[[int], bool] = lambda _stored_at: False,
    ) -> None:
        """Begin before the first delivery.

        Args:
            epoch: of the log.
            following: the sequence of the first message wanted; the log holds no older one that is.
            answer: sends an empty message to a subject, as flow control wants it.
            expires: tells whether a message stored at that time may have been dropped by retention.
        """
        self.next = following
        self.pending: int | None = None
        self.deliveries = 0
        self._epoch = epoch
        self._answer = answer
        self._expires = expires
        self._stored_at: int | None = None
        self._entries: list[Entry] = []
        self._holes: list[tuple[int, int]] = []

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
        # What is missing is newer than what came before it; of what came before the first nothing is known.
        if delivery.sequence > self.next and self._expires(self._stored_at or 0):
            self._holes.append((self.next, delivery.sequence))
        self.next = delivery.sequence + 1
        self._stored_at = delivery.stored_at
        entry = make_entry(self._epoch, delivery.sequence, subject, header, payload, delivery.stored_at)
        if entry is not None:
            self._entries.append(entry)

    @property
    def holed(self) -> bool:
        """Whether there is a jump that retention may have made, so that the leader has to be asked what is gone.

        Nothing behind it is given out before. Any other jump is deletion, which is no loss.
        """
        return bool(self._holes)

    def take(self) -> list[Entry]:
        """Return the entries that came since the last call, up to a hole."""
        entries, self._entries = self._entries, []
        if self._holes:
            _, resumed = self._holes[0]
            self._entries = [entry for entry in entries if entry.sequence >= resumed]
            entries = [entry for entry in entries if entry.sequence < resumed]
        return entries

    def explain_hole(self, first: int) -> int | None:
        """Learn what the log's oldest sequence is, as asked after the hole was seen, and give out what is behind it.

        Returns:
            The sequence up to which messages are gone unseen; None if the hole is deletion alone.
        """
        missing, resumed = self._holes.pop(0)
        return resumed - 1 if first > missing else None

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
