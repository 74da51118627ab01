"""Logs: what was stored for one tenant, to be compared with what its clients received."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cache
from heapq import merge
from typing import NamedTuple

from tailrace_protocol.patterns import match_pattern


class Stored(NamedTuple):
    """An event, as far as the checker goes."""

    sequence: int
    topic: str
    tombstone: bool = False
    """It says that the topic was deleted: no snapshot shows it."""


class Log:
    """What is and what was stored for one tenant.

    Attributes:
        epoch: of the stream.
        last: the newest sequence of these.
    """

    def __init__(self, epoch: str, stored: Iterable[Stored], *, removed: Iterable[Stored] = ()) -> None:
        """Take in what is known.

        Args:
            epoch: of the stream.
            stored: what the log holds.
            removed: events that were acknowledged to their producers, and that the log no longer holds. Those among
                them that it does hold do no harm.
        """
        self.epoch = epoch
        events = list(stored)
        self._stored = {event.sequence: event.topic for event in events}
        self._tombstones = {event.sequence for event in events if event.tombstone}
        self._topics = {event.sequence: event.topic for event in removed} | self._stored
        self.last = max(self._topics, default=0)
        self._by_topic: dict[str, list[int]] = {}
        """Of each topic the sequences, in order."""
        for sequence in sorted(self._topics):
            self._by_topic.setdefault(self._topics[sequence], []).append(sequence)
        self._selected: dict[tuple[str, ...], list[int]] = {}

    def __len__(self) -> int:
        return len(self._topics)

    def find(self, sequence: int) -> str | None:
        """Return the topic of an event; None if the tenant has no such event."""
        return self._topics.get(sequence)

    def holds(self, sequence: int) -> bool:
        """Return whether an event is still stored."""
        return sequence in self._stored

    def select(self, patterns: tuple[str, ...], after: int, until: int) -> Sequence[int]:
        """Return the sequences of what matches one of the patterns, in order: behind `after`, up to `until`."""
        matching = self._selected.get(patterns)
        if matching is None:
            topics = [sequences for topic, sequences in self._by_topic.items() if matches(patterns, topic)]
            matching = self._selected[patterns] = list(merge(*topics))
        return matching[bisect_right(matching, after) : bisect_right(matching, until)]

    def select_newest(self, patterns: tuple[str, ...], until: int) -> Sequence[int]:
        """Return what a snapshot of the log as it was at `until` has to show, in order.

        The newest event of each topic that matches, unless it is gone by now: it may have been gone by then.
        """
        newest = []
        for topic, sequences in self._by_topic.items():
            if (number := bisect_right(sequences, until)) and matches(patterns, topic):
                newest.append(sequences[number - 1])
        return sorted(sequence for sequence in newest if self.holds(sequence) and sequence not in self._tombstones)


@cache
def matches(patterns: tuple[str, ...], topic: str) -> bool:
    """Return whether a topic lies inside one of the patterns."""
    return any(match_pattern(pattern, topic) for pattern in patterns)
