"""Events that are not acknowledged, and the lines that carry them to the broker."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from tailrace_protocol.errors import PublishError

if TYPE_CHECKING:
    from tailrace_producer.outbox_file import OutboxFile

Outcome = str | PublishError
"""Of one event: its id, or why it is not known to be stored."""


class Place(NamedTuple):
    """Where an event lies on disk.

    Attributes:
        file: that it is in.
        number: in there.
        marked: the disk knows that it may have been sent.
    """

    file: "OutboxFile"
    number: int
    marked: bool


class Pending:
    """An event that is not acknowledged.

    Attributes:
        line: as the wire carries it, headers, payload and all.
        settle: gets the outcome, in the event loop's thread.
        deadline: when its publisher stops waiting, on the monotonic clock.
        awaited: somebody is told the outcome, and decides what follows from it.
        first_sent: on the monotonic clock; 0 if it never was.
        last_sent: when it was sent on this connection; 0 if it was not.
        place: on disk; None if it is in memory alone.
    """

    __slots__ = ("awaited", "deadline", "first_sent", "last_sent", "line", "place", "settle")

    def __init__(self, line: bytes, settle: Callable[[Outcome], object], deadline: float, awaited: bool) -> None:
        self.line = line
        self.settle = settle
        self.deadline = deadline
        self.awaited = awaited
        self.first_sent = 0.0
        self.last_sent = 0.0
        self.place: Place | None = None


class Message(NamedTuple):
    """What of a line is the same whoever sends it."""

    subject: bytes
    headers: bytes
    payload: bytes


def format_headers(message_id: str, more: Mapping[str, str]) -> bytes:
    """Return the headers of an event."""
    if not more:
        return f"NATS/1.0\r\nNats-Msg-Id: {message_id}\r\n\r\n".encode()
    others = "".join(f"{name}: {value}\r\n" for name, value in more.items())
    return f"NATS/1.0\r\nNats-Msg-Id: {message_id}\r\n{others}\r\n".encode()


def format_line(inbox: bytes, number: int, subject: bytes, headers: bytes, payload: bytes) -> bytes:
    """Return the line that publishes a message, to be acknowledged on `<inbox>.<number>`."""
    size = len(headers)
    return b"HPUB %b %b.%d %d %d\r\n%b%b\r\n" % (
        subject, inbox, number, size, size + len(payload), headers, payload,
    )  # fmt: skip


def parse_line(line: bytes) -> Message:
    """Return the message in a line that `format_line` made."""
    head, _, rest = line.partition(b"\r\n")
    _, subject, _, size, total = head.split(b" ")
    return Message(subject, rest[: int(size)], rest[int(size) : int(total)])
