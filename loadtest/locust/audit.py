"""The audit: what this process's clients received, compared with what the edges say is stored, while the run goes on.

Two accounts of what was stored are taken: `GET /v1/{tenant}/history` of whichever edge answers, and the ids that the
edges acknowledged to this process's producers. An event that is missing in the first and stands in the second is lost.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self
from urllib.parse import urlencode

import gevent
import msgspec
from edge_http import UNREACHABLE, EdgeCaller
from gevent.lock import RLock
from growing_log import GrowingLog
from history import Client, Fault, Kind, Record, Stored, judge
from history.record import find_end
from tailrace_protocol.positions import parse_position

HELD = 100_000
"""Events that are kept at least, so that one that comes again is known as such."""

PAGE = 1000
_AT_ONCE = 20
"""Records that are judged before others in this process have their turn."""


class AuditFailed(Exception):
    """The edges do not say what is stored, or say what cannot be."""


class Tally(msgspec.Struct):
    """What came of all checks.

    Attributes:
        clients: that were watched.
        expected: events that they had to get.
        received: events that they got, each time they got them.
        reconnects: how often they were connected again.
        faults: by kind.
    """

    clients: int = 0
    expected: int = 0
    received: int = 0
    reconnects: int = 0
    faults: dict[str, int] = {}

    def add(self, other: Self) -> None:
        """Add the figures of another."""
        self.clients += other.clients
        self.expected += other.expected
        self.received += other.received
        self.reconnects += other.reconnects
        self.faults = dict(Counter(self.faults) + Counter(other.faults))

    def describe(self) -> str:
        """Return it in a line."""
        kinds = [Kind.LOST, Kind.DUPLICATED, Kind.DISORDERED]
        kinds += [kind for kind in Kind if kind not in kinds and self.faults.get(kind)]
        figures = ", ".join(f"{kind} {self.faults.get(kind, 0)}" for kind in kinds)
        return (
            f"{figures}; {self.clients} clients got {self.received} events of {self.expected}, "
            f"{self.reconnects} reconnects"
        )


class _Part(NamedTuple):
    """A record that was taken and is to be judged, and whether its client goes on."""

    record: Record
    lives: bool


class _StoredEvent(msgspec.Struct):
    id: str
    topic: str


class _Page(msgspec.Struct):
    events: list[_StoredEvent]
    cursor: str
    next: str | None


class Auditor:
    """Checks the records of this process's clients.

    Attributes:
        tally: of all that was checked so far.
    """

    def __init__(self, host: str, tenant: str, pattern: str, *, blame: Callable[[Fault], Any]) -> None:
        """Make one that knows nothing yet.

        Args:
            host: the URL of the edge or the load balancer.
            tenant: whose events.
            pattern: of all topics of this run, which is as old as they are.
            blame: called with each fault.
        """
        self.tally = Tally()
        self._path = f"/v1/{tenant}/history?"
        self._pattern = pattern
        self._blame = blame
        self._caller = EdgeCaller(host)
        self._lock = RLock()
        self._clients: list[Client] = []
        self._parts: list[_Part] = []
        self._acknowledged: dict[int, str] = {}
        self._log: GrowingLog | None = None
        self._reached = 0

    def watch(self, client: Client) -> None:
        """Check a client's record from now on."""
        self._clients.append(client)
        self.tally.clients += 1

    def leave(self, client: Client) -> None:
        """Check what a client has got once more; nothing else has to come."""
        if client in self._clients:
            self._clients.remove(client)
            self._parts.append(_Part(client.record.take(), lives=False))

    def acknowledge(self, ids: Sequence[str], topics: Sequence[str]) -> None:
        """Take in what a producer was told is stored."""
        for text, topic in zip(ids, topics, strict=True):
            self._acknowledged[parse_position(text).sequence] = topic

    def check(self) -> None:
        """Check what came since the last time.

        Raises:
            AuditFailed: the edges do not answer. What came is checked the next time.
        """
        with self._lock:
            self._take()
            log = self._catch_up()
            self._judge(log, until=None)
            self._trim(log)

    def finish(self, deadline: float) -> None:
        """Wait until every client has got what is stored by now, and check all of it.

        What a client has not got by the deadline is lost.

        Args:
            deadline: as `time.monotonic` tells.

        Raises:
            AuditFailed: the edges do not answer.
        """
        with self._lock:
            log = self._try_until(deadline, self._read_on)
            until = self._reached
            while time.monotonic() < deadline and not all(self._has_all(log, each, until) for each in self._clients):
                gevent.sleep(0.1)
            self._take()
            self._judge(self._try_until(deadline + 5, self._catch_up), until)

    # What clients got

    def _take(self) -> None:
        self._parts += [_Part(client.record.take(), lives=not client.session.ended) for client in self._clients]

    def _has_all(self, log: GrowingLog, client: Client, until: int) -> bool:
        if client.session.ended:
            return True
        place = msgspec.structs.replace(client.record)
        place.take()
        if place.begin is None or log.select(place.patterns, place.begin, until):
            return False
        snapshot = [] if place.shown is None else log.select_newest(place.patterns, place.begin)
        return not snapshot or (place.shown or 0) >= snapshot[-1]

    def _judge(self, log: GrowingLog, until: int | None) -> None:
        while self._parts:
            taken, self._parts = self._parts[:_AT_ONCE], self._parts[_AT_ONCE:]
            for part in taken:
                verdict = judge([part.record], log, until=until if part.lives else None)
                self.tally.add(
                    Tally(
                        0, verdict.expected, verdict.received, verdict.reconnects, Counter(map(_kind, verdict.faults))
                    )
                )
                for fault in verdict.faults:
                    self._blame(fault)
            gevent.sleep(0)

    # What is stored

    def _catch_up(self) -> GrowingLog:
        """Read on until the log reaches as far as the records do, which may come of an edge that is ahead of others."""
        wanted = max((find_end(part.record.entries) or 0 for part in self._parts), default=0)
        log = self._read_on()
        if self._reached < wanted:
            raise AuditFailed(f"clients got events up to {wanted}, and the history ends at {self._reached}")
        return log

    def _try_until(self, deadline: float, read: Callable[[], GrowingLog]) -> GrowingLog:
        while True:
            try:
                return read()
            except AuditFailed:
                if time.monotonic() >= deadline:
                    raise
            gevent.sleep(0.2)

    def _read_on(self) -> GrowingLog:
        while True:
            page = self._ask("start" if self._log is None else f"{self._log.epoch}-{self._reached}")
            epoch, cursor = parse_position(page.cursor)
            if self._log is None:
                self._log = GrowingLog(epoch)
            self._log.add(Stored(parse_position(event.id).sequence, event.topic) for event in page.events)
            self._reached = max(self._reached, cursor)
            if page.next is None:
                self._settle_acknowledged(self._log)
                return self._log

    def _ask(self, start: str) -> _Page:
        path = self._path + urlencode([("topic", self._pattern), ("from", start), ("limit", str(PAGE))])
        try:
            answer = self._caller.call("GET", path)
        except UNREACHABLE as error:
            raise AuditFailed(f"the history cannot be read: {error!r}") from error
        if answer.status == 410 and self._log is not None:
            raise AuditFailed("the history lacks what was there before: the log was made anew, or this edge is behind")
        if answer.status != 200:
            raise AuditFailed(
                f"the history cannot be read: {answer.status} {answer.body[:200].decode(errors='replace')}"
            )
        return msgspec.json.decode(answer.body, type=_Page)

    def _settle_acknowledged(self, log: GrowingLog) -> None:
        for sequence in [each for each in self._acknowledged if each <= self._reached]:
            topic = self._acknowledged.pop(sequence)
            if not log.holds(sequence):
                log.add_removed(Stored(sequence, topic))
                said = f"it was acknowledged to a producer of {topic!r}, and the history does not have it"
                fault = Fault("the log", Kind.LOST, f"{log.epoch}-{sequence}", said)
                self.tally.add(Tally(faults={Kind.LOST: 1}))
                self._blame(fault)

    def _trim(self, log: GrowingLog) -> None:
        begins = [client.record.begin for client in self._clients if client.record.begin is not None]
        before = min([*begins, self._reached - HELD])
        if len(log) > HELD * 1.5:
            log.trim(before)


def _kind(fault: Fault) -> str:
    return str(fault.kind)
