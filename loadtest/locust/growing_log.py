"""The log of a run, as it grows and as its old end is let go."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from itertools import chain

from history import Log, Stored
from tailrace_protocol.patterns import match_pattern


class GrowingLog(Log):
    """A log that is added to between two checks, and indexed by what clients watch.

    `Log` compares every topic with the patterns of every client once; with a topic for each of thousands of clients
    that takes minutes. Here a pattern without wildcards finds its topic by name.
    """

    def __init__(self, epoch: str) -> None:
        """Make an empty one.

        Args:
            epoch: of the stream.
        """
        super().__init__(epoch, ())
        self._matching: dict[tuple[str, ...], list[int]] = {}
        """What matches the patterns, in order, for all that were asked for."""
        self._literal: dict[str, list[list[int]]] = {}
        self._wild: list[tuple[str, list[int]]] = []
        self._audience: dict[str, list[list[int]]] = {}
        """The lists above that a topic's events belong to."""

    def add(self, events: Iterable[Stored]) -> None:
        """Add what the log holds behind the newest of these."""
        for event in events:
            self._stored[event.sequence] = event.topic
            self._index(event)

    def add_removed(self, event: Stored) -> None:
        """Add an event that was acknowledged to its producer, and that the log does not hold."""
        self._index(event)

    def trim(self, before: int) -> None:
        """Forget the events before a sequence, but for the newest of each topic, which a snapshot may bring."""
        for sequences in self._by_topic.values():
            forgotten = max(0, bisect_left(sequences, before) - 1)
            for sequence in sequences[:forgotten]:
                del self._topics[sequence]
                self._stored.pop(sequence, None)
            del sequences[:forgotten]
        for sequences in self._matching.values():
            del sequences[: bisect_left(sequences, before)]

    def select(self, patterns: tuple[str, ...], after: int, until: int) -> Sequence[int]:
        """Return the sequences of what matches one of the patterns, in order: behind `after`, up to `until`."""
        matching = self._matching.get(patterns)
        if matching is None:
            matching = self._watch(patterns)
        return matching[bisect_right(matching, after) : bisect_right(matching, until)]

    def _index(self, event: Stored) -> None:
        self._topics[event.sequence] = event.topic
        self.last = max(self.last, event.sequence)
        audience = self._audience.get(event.topic)
        if audience is None:
            audience = self._meet(event.topic)
        for sequences in audience:
            insort(sequences, event.sequence)

    def _meet(self, topic: str) -> list[list[int]]:
        audience = [self._by_topic.setdefault(topic, []), *self._literal.get(topic, [])]
        audience += [sequences for pattern, sequences in self._wild if match_pattern(pattern, topic)]
        # A client whose patterns overlap gets an event once.
        self._audience[topic] = list({id(sequences): sequences for sequences in audience}.values())
        return self._audience[topic]

    def _watch(self, patterns: tuple[str, ...]) -> list[int]:
        matching: list[int] = []
        topics: set[str] = set()
        for pattern in patterns:
            if _is_wild(pattern):
                self._wild.append((pattern, matching))
                topics.update(topic for topic in self._by_topic if match_pattern(pattern, topic))
            else:
                self._literal.setdefault(pattern, []).append(matching)
                topics.update({pattern} & self._by_topic.keys())
        matching += sorted(chain.from_iterable(self._by_topic[topic] for topic in topics))
        for topic in topics:
            self._audience[topic].append(matching)
        self._matching[patterns] = matching
        return matching


def _is_wild(pattern: str) -> bool:
    return not {"*", ">"}.isdisjoint(pattern.split("."))
