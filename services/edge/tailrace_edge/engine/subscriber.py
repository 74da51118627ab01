"""Subscribers: open streams, each a cursor and what is still to be told before it moves on."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tailrace_protocol.patterns import is_wildcard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace_edge.engine.entry import Entry
    from tailrace_edge.engine.hub import Group
    from tailrace_edge.engine.leases import Lease
    from tailrace_edge.engine.reading import Reading


class Place(StrEnum):
    """Where a subscriber is served from. Everything that changes it is in `places.py`."""

    LIVE = "live"
    """At the head: it gets events in the tick they arrive in."""
    WAITING = "waiting"
    """At the head, served by itself once something for it has come."""
    PACED = "paced"
    """Something for it has come, which `max_rate` holds back until it is due."""
    READY = "ready"
    """Behind, inside the tail: served as soon as its turn comes."""
    COLD = "cold"
    """Behind, older than the tail: waits for a reading of JetStream."""
    READING = "reading"
    """Behind, served by a reading that is under way."""
    BLOCKED = "blocked"
    """Its connection takes no more for now; nothing is queued for it."""
    AHEAD = "ahead"
    """Its cursor lies after the head: the log has not come so far yet, or never will."""
    CLOSED = "closed"
    """Its stream has ended."""


class Watch:
    """The jobs a subscriber with `until=terminal` waits for.

    Attributes:
        since: up to this sequence it is known how the jobs stand, and once all have ended, where the last one did.
        open: paths of jobs that have not ended.
        seen: whether there was any job at all.
    """

    __slots__ = ("_exact", "open", "seen", "since")

    def __init__(self, patterns: tuple[str, ...], since: int, terminal: Mapping[str, bool]) -> None:
        """Begin to watch.

        Args:
            patterns: as paths. Those without wildcards are jobs, whatever their form.
            since: the sequence up to which `terminal` tells.
            terminal: for each path with events, whether the newest one is terminal.
        """
        self.since = since
        self._exact = frozenset(patterns)
        jobs = {path: ended for path, ended in terminal.items() if self._is_job(path)}
        self.seen = bool(jobs)
        self.open = {path for path, ended in jobs.items() if not ended}
        self.open |= {pattern for pattern in patterns if not is_wildcard(pattern) and pattern not in jobs}

    @property
    def ended(self) -> bool:
        """Whether every watched job has ended."""
        return self.seen and not self.open

    def see(self, entry: Entry) -> None:
        """Take note of an event that is being delivered. Seeing it again changes nothing, nor what comes after all."""
        if self.ended or entry.sequence <= self.since:
            return
        self.since = entry.sequence
        if not self._is_job(entry.path):
            return
        self.seen = True
        if entry.terminal or entry.tombstone:
            self.open.discard(entry.path)
        else:
            self.open.add(entry.path)

    def _is_job(self, path: str) -> bool:
        if path in self._exact:
            return True
        tokens = path.split(".")
        return (len(tokens) == 3 and tokens[1] == "jobs") or (
            len(tokens) == 5 and tokens[1] == "users" and tokens[3] == "jobs"
        )


class Subscriber:
    """One open stream.

    Attributes:
        handle: the connection's, as the driver of the engine wants it back.
        group: those with the same interest.
        place: where it is served from.
        cursor: the position up to which it has been served. Of a LIVE one that is the head, whatever stands here, and
            of one that a reading serves what `Reading.find_cursor` says.
        reading: that serves it; None without one.
        preface: bytes that go out before anything else.
        snapshot: the newest event of each topic, still to be served before the log; None without.
        snapshot_end: the cursor once they are.
        watch: the jobs it waits for; None without `until=terminal`, and when a gap or a reset hides how they stand.
        due: before this time nothing is served, for the sake of `max_rate`.
        expires: the connection's maximum age.
        lease: until when its token is good; None if it has none, or one without an end.
        lease_second: in which `Leases` holds it.
        beat: the slot of the heartbeat wheel it sits in.
        told: the newest position its client knows from an event or a `cursor`.
        told_at: when a `cursor` was sent last.
        blocked_at: since when its connection has taken nothing; None if it takes.
        fell_at: when it fell behind the head by reading too slowly; None if it did not.
        conflated: events left out since then, on its wish.
    """

    __slots__ = (
        "beat",
        "blocked_at",
        "conflated",
        "cursor",
        "due",
        "expires",
        "fell_at",
        "group",
        "handle",
        "lease",
        "lease_second",
        "place",
        "preface",
        "reading",
        "snapshot",
        "snapshot_end",
        "told",
        "told_at",
        "watch",
    )

    def __init__(self, handle: Any, *, expires: float, lease: Lease | None = None) -> None:
        """Make a subscriber that `Engine.attach` is to take in.

        Args:
            handle: the connection's; the engine does not look into it.
            expires: when its connection reaches its maximum age.
            lease: of its token.
        """
        self.handle = handle
        self.group: Group
        self.place = Place.BLOCKED
        self.cursor = 0
        self.preface = b""
        self.reading: Reading | None = None
        self.snapshot: list[Entry] | None = None
        self.snapshot_end = 0
        self.watch: Watch | None = None
        self.due = 0.0
        self.expires = expires
        self.lease = lease
        self.lease_second = 0
        self.beat = 0
        self.told = 0
        self.told_at = 0.0
        self.blocked_at: float | None = None
        self.fell_at: float | None = None
        self.conflated = 0
