"""Records: what one client received, in the order it came, with every beginning and end of a connection."""

from typing import Self

import msgspec
from tailrace_protocol.control import Mode


class Received(msgspec.Struct, frozen=True, array_like=True, tag="event", gc=False):
    """An event."""

    epoch: str
    sequence: int
    topic: str

    @property
    def id(self) -> str:
        return f"{self.epoch}-{self.sequence}"


class Opened(msgspec.Struct, frozen=True, array_like=True, tag="open", gc=False):
    """An edge opened the stream, at a Unix time, to go on after `sequence`."""

    at: float
    mode: Mode
    epoch: str
    sequence: int
    edge: str


class Reached(msgspec.Struct, frozen=True, array_like=True, tag="cursor", gc=False):
    """The edge said that nothing was missed up to here."""

    epoch: str
    sequence: int


class Announced(msgspec.Struct, frozen=True, array_like=True, tag="gap", gc=False):
    """The edge said that the events from `first` to `last` are gone."""

    epoch: str
    first: int
    last: int


class Restarted(msgspec.Struct, frozen=True, array_like=True, tag="reset", gc=False):
    """The edge said that the client's id leads nowhere, and that the stream goes on after `sequence`."""

    epoch: str
    sequence: int


class Closed(msgspec.Struct, frozen=True, array_like=True, tag="closed", gc=False):
    """The connection ended, or an attempt to connect failed, at a Unix time."""

    at: float
    reason: str


class Ended(msgspec.Struct, frozen=True, array_like=True, tag="ended", gc=False):
    """The client gave up for good: it was refused, or got what no edge sends."""

    reason: str


Entry = Received | Opened | Reached | Announced | Restarted | Closed | Ended


class Record(msgspec.Struct):
    """What one client received.

    Attributes:
        client: its name, for the verdict.
        patterns: what it watched.
        start: where it asked to begin, as the query writes it.
        entries: what came, in order.
        begin: the sequence up to which everything before `entries` has been checked; None if nothing was.
    """

    client: str
    patterns: tuple[str, ...]
    start: str = "now"
    entries: list[Entry] = msgspec.field(default_factory=list)
    begin: int | None = None

    def take(self) -> Self:
        """Return all up to now as a record of its own, to be checked, and begin anew behind it.

        So that the record of a long run need not be kept in memory.
        """
        part = type(self)(self.client, self.patterns, self.start, self.entries, self.begin)
        self.begin = find_end(self.entries, self.begin)
        self.entries = []
        return part


def find_end(entries: list[Entry], begin: int | None = None) -> int | None:
    """Return the sequence up to which a client knows that it has missed nothing; None if it never was connected.

    Args:
        entries: of its record.
        begin: what it knew before.
    """
    for entry in entries:
        match entry:
            case Restarted(sequence=sequence):
                begin = sequence
            case Opened(sequence=sequence) | Reached(sequence=sequence) | Received(sequence=sequence) if not (
                isinstance(entry, Opened) and entry.mode is Mode.RESET
            ):
                begin = max(begin or 0, sequence)
            case Announced(last=sequence):
                begin = max(begin or 0, sequence)
            case _:
                pass
    return begin
