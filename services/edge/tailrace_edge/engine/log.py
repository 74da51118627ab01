"""The log as an edge knows it: its identity, how far it reaches, and its newest part."""

from tailrace_protocol.positions import Position

from tailrace_edge.engine.tail import Tail


class Log:
    """What is followed.

    Attributes:
        epoch: its identity; empty while none is followed.
        first: the oldest sequence it is known to hold.
        head: the newest sequence that was taken in, or is known to be none.
        tail: its newest part.
    """

    __slots__ = ("_tail_bytes", "epoch", "first", "head", "tail")

    def __init__(self, tail_bytes: int) -> None:
        self._tail_bytes = tail_bytes
        self.open("", 1, 0)

    def open(self, epoch: str, first: int, head: int) -> None:
        """Begin after `head`, with an empty tail."""
        self.epoch = epoch
        self.first = first
        self.head = head
        self.tail = Tail(self._tail_bytes, head + 1)

    @property
    def oldest(self) -> int:
        """The oldest sequence that can still be served."""
        return min(self.first, self.tail.start)

    def position(self, sequence: int) -> Position:
        """Return a place in this log."""
        return Position(self.epoch, sequence)
