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
        shown: if `entries` begin within the snapshot of the log at `begin`, the sequence up to which that was shown.
    """

    client: str
    patterns: tuple[str, ...]
    start: str = "now"
    entries: list[Entry] = msgspec.field(default_factory=list)
    begin: int | None = None
    shown: int | None = None

    def take(self) -> Self:
        """Return all up to now as a record of its own, to be checked, and begin anew behind it.

        So that the record of a long run need not be kept in memory.
        """
        part = type(self)(self.client, self.patterns, self.start, self.entries, self.begin, self.shown)
        self.begin, self.shown = _find_place(part)
        self.entries = []
        return part


def find_end(entries: list[Entry], begin: int | None = None) -> int | None:
    """Return the sequence up to which a client knows that it has missed nothing; None if it never was connected.

    With `from=last` that is where the snapshot was taken, though it may still be coming.

    Args:
        entries: of its record.
        begin: what it knew before.
    """
    return _find_place(Record("", (), entries=entries, begin=begin))[0]


def _find_place(record: Record) -> tuple[int | None, int | None]:
    """Return what `begin` and `shown` are behind the entries of a record."""
    begin, shown = record.begin, record.shown
    first = 0 if record.start == "last" else None
    for entry in record.entries:
        match entry:
            case Restarted(sequence=sequence):
                begin, shown = sequence, first
            case Opened(mode=Mode.RESET):
                pass
            case Opened(sequence=sequence) if begin is None or (shown == 0 and entry.mode is Mode.LIVE):
                begin, shown = sequence, first
            case Opened(sequence=sequence):
                # A connection that broke within the snapshot goes on behind what was shown, with everything.
                begin, shown = sequence if shown is not None else max(begin or 0, sequence), None
            case Received(sequence=sequence) if shown is not None and sequence <= (begin or 0):
                shown = max(shown, sequence)
            case Received(sequence=sequence) | Reached(sequence=sequence) | Announced(last=sequence):
                begin, shown = max(begin or 0, sequence), None
            case _:
                pass
    return begin, shown
