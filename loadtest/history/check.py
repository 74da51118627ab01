"""The check: one client's record against the log."""

from bisect import bisect_right
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from tailrace_protocol.control import Mode
from tailrace_protocol.positions import Position

from history.log import Log, matches
from history.record import Announced, Closed, Ended, Opened, Reached, Received, Record, Restarted


class Kind(StrEnum):
    """What can be wrong."""

    LOST = "lost"
    """It is stored, and the client never got it."""
    DUPLICATED = "duplicated"
    """The client got it more than once."""
    DISORDERED = "out of order"
    """The client got it after a newer one, or after it was told that nothing was missed up to there."""
    UNANNOUNCED = "unannounced gap"
    """It was removed before the client got it, and nobody said so."""
    FOREIGN = "foreign"
    """The client did not ask for it, or nobody published it."""
    RESET = "needless reset"
    """The client was sent back to the start, though its id was good."""
    ENDED = "ended"
    """The client was refused, or got what no edge sends."""


class Fault(NamedTuple):
    """One thing that is wrong.

    Attributes:
        client: whose record it is.
        kind: of fault.
        id: of the event; where there is none, of the client's position.
        what: is wrong, in words.
    """

    client: str
    kind: Kind
    id: str
    what: str

    def __str__(self) -> str:
        return f"{self.client}: {self.kind}: event {self.id}: {self.what}"


class Checked(NamedTuple):
    """What came of one record.

    Attributes:
        faults: that were found.
        expected: events that the client had to get.
        received: events that it got, each time it got them.
    """

    faults: list[Fault]
    expected: int
    received: int


def check(record: Record, log: Log, *, until: int | None = None) -> Checked:
    """Return what is wrong with a record.

    Args:
        record: of one client.
        log: of its tenant; has to reach as far as the record does.
        until: the sequence up to which the client has to have got everything. By default as far as it came by itself,
            so that a client that hangs goes unnoticed.
    """
    checking = _Check(record, log)
    for entry in record.entries:
        checking.take(entry)
    checking.finish(until)
    return Checked(checking.faults, checking.expected, checking.received)


class _Check:
    """The place in one record up to which it has been checked."""

    def __init__(self, record: Record, log: Log) -> None:
        self.faults: list[Fault] = []
        self.expected = 0
        self.received = 0
        self._record = record
        self._log = log

        # Since the stream began, or was reset
        self._epoch = log.epoch
        self._begin = record.begin
        self._position = record.begin or 0
        self._seen: set[int] = set()
        self._gaps: list[tuple[int, int]] = []

        # Its snapshot, the newest event of each topic, which comes first
        self._snapshot = record.shown is not None or (record.start == "last" and record.begin is None)
        self._taken = record.begin if self._snapshot else None
        self._shown = self._shown_before = record.shown or 0

    def take(self, entry: object) -> None:
        """Check the next entry."""
        match entry:
            case Opened():
                self._open(entry)
            case Received():
                self.received += 1
                self._receive(entry)
            case Reached():
                self._position = max(self._position, entry.sequence)
            case Announced():
                self._gaps.append((entry.first, entry.last))
                self._position = max(self._position, entry.last)
            case Restarted():
                self._restart(entry)
            case Ended():
                self._blame(Kind.ENDED, self._position, entry.reason)
            case Closed():
                pass

    def finish(self, until: int | None) -> None:
        """Find what did not come from the beginning up to `until`, by default up to here."""
        if self._epoch != self._log.epoch:
            return  # of a log that is gone
        if self._begin is None:
            if until is not None:
                self._blame(Kind.LOST, until, "the client was never connected")
            return
        wanted = [
            *self._select_snapshot(self._begin, until),
            *self._log.select(self._record.patterns, self._begin, self._position if until is None else until),
        ]
        self.expected += len(wanted)
        for sequence in wanted:
            if sequence not in self._seen:
                self._miss(sequence)

    def _open(self, opened: Opened) -> None:
        if self._begin is None:
            self._epoch = opened.epoch
            self._start(opened.sequence)
            return
        if opened.mode is Mode.RESET:
            return  # the `reset` that follows says where it goes on
        if self._snapshot and opened.mode is Mode.LIVE and not self._shown and self._position == self._begin:
            # The connection broke before the snapshot's first event: the client had no id, and asked for another one.
            self._start(opened.sequence)
            return
        if self._snapshot and opened.sequence < self._begin:
            # The connection broke within the snapshot: behind its last event everything comes.
            self._begin = self._position = opened.sequence
        self._snapshot = False
        # If the edge skipped what lies between, `finish` finds it, for it was not received.
        self._position = max(self._position, opened.sequence)

    def _receive(self, event: Received) -> None:
        sequence = event.sequence
        if not self._belongs(event):
            return
        if sequence in self._seen:
            self._blame(Kind.DUPLICATED, sequence, "it came before")
        elif self._snapshot and self._begin is not None and sequence <= self._begin:
            self._seen.add(sequence)
            if sequence <= self._shown:
                kind = Kind.DUPLICATED if sequence == self._shown else Kind.DISORDERED
                self._blame(kind, sequence, f"it came when the snapshot was at {self._shown}")
            self._shown = max(self._shown, sequence)
        elif self._begin is None or sequence <= self._begin:
            self._receive_early(sequence)
        else:
            self._seen.add(sequence)
            if sequence <= self._position:
                self._blame(Kind.DISORDERED, sequence, f"it came when the stream was at {self._position}")
            self._position = max(self._position, sequence)

    def _receive_early(self, sequence: int) -> None:
        if self._begin is None:
            self._blame(Kind.DISORDERED, sequence, "it came before the stream was opened")
        elif self._record.begin is not None:
            self._blame(Kind.DUPLICATED, sequence, "it came before")
        else:
            self._blame(Kind.FOREIGN, sequence, f"it is older than where the stream began, {self._begin}")

    def _belongs(self, event: Received) -> bool:
        if event.epoch != self._epoch:
            self._blame_id(Kind.FOREIGN, event.id, f"its epoch is not that of the stream, {self._epoch}")
            return False
        if self._epoch != self._log.epoch:
            return True  # of a log that is gone
        topic = self._log.find(event.sequence)
        if topic is None:
            self._blame(Kind.FOREIGN, event.sequence, f"the tenant's log has no such event (topic {event.topic!r})")
            return False
        if topic != event.topic:
            self._blame(Kind.FOREIGN, event.sequence, f"it came as of {event.topic!r}, and is of {topic!r}")
            return False
        if not matches(self._record.patterns, topic):
            patterns = ", ".join(self._record.patterns)
            self._blame(Kind.FOREIGN, event.sequence, f"its topic {topic!r} matches none of {patterns}")
            return False
        return True

    def _restart(self, reset: Restarted) -> None:
        if self._begin is not None and self._epoch == self._log.epoch and self._position <= self._log.last:
            self._blame(Kind.RESET, self._position, "this id is of the log, and not ahead of it")
        self.finish(None)
        self._epoch = reset.epoch
        self._seen.clear()
        self._gaps.clear()
        self._snapshot = self._record.start == "last"
        self._shown = self._shown_before = 0
        self._start(reset.sequence)

    def _start(self, sequence: int) -> None:
        self._begin = self._position = sequence
        self._taken = sequence if self._snapshot else None

    def _select_snapshot(self, begin: int, until: int | None) -> Sequence[int]:
        """Return what the snapshot has to have brought: all of it, as far as the client has to have come."""
        if self._taken is None:
            return []
        end = self._taken
        if begin < self._taken:
            end = begin  # it was cut short, and everything behind its last event was wanted instead
        elif until is None and self._snapshot and self._position == begin:
            end = self._shown
        newest = self._log.select_newest(self._record.patterns, self._taken)
        return newest[bisect_right(newest, self._shown_before) : bisect_right(newest, end)]

    def _miss(self, sequence: int) -> None:
        gap = next(((first, last) for first, last in self._gaps if first <= sequence <= last), None)
        topic = self._log.find(sequence)
        if not self._log.holds(sequence):
            if gap is None:
                self._blame(Kind.UNANNOUNCED, sequence, f"it was removed from {topic!r}, and no gap was announced")
        elif gap is None:
            self._blame(Kind.LOST, sequence, f"it is stored in {topic!r}, and never came")
        else:
            said = f"the gap {gap[0]} to {gap[1]} was announced"
            self._blame(Kind.LOST, sequence, f"it is stored in {topic!r}, and never came; {said}")

    def _blame(self, kind: Kind, sequence: int, what: str) -> None:
        self._blame_id(kind, str(Position(self._epoch, sequence)), what)

    def _blame_id(self, kind: Kind, event_id: str, what: str) -> None:
        self.faults.append(Fault(self._record.client, kind, event_id, what))
