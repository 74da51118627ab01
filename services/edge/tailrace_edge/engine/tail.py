"""The tail: the newest part of the log, in memory within a budget, indexed by topic."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any

from tailrace_protocol.patterns import is_wildcard, match_pattern

from tailrace_edge.engine.entry import Entry

_SCAN_LIMIT = 2048
"""Entries one read looks at without the index, so that no read holds up the others."""

_sequence_of = attrgetter("sequence")


class _Run:
    """Entries in order, which leave at the front and join at the end."""

    __slots__ = ("_entries", "_start")

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._start = 0

    def __len__(self) -> int:
        return len(self._entries) - self._start

    @property
    def first(self) -> Entry:
        return self._entries[self._start]

    @property
    def last(self) -> Entry:
        return self._entries[-1]

    def append(self, entry: Entry) -> None:
        self._entries.append(entry)

    def drop_first(self) -> Entry:
        entry = self._entries[self._start]
        self._start += 1
        # Moving the rest costs its length, so it waits until as many have left.
        if self._start * 2 > len(self._entries):
            del self._entries[: self._start]
            self._start = 0
        return entry

    def count_after(self, cursor: int) -> int:
        return len(self._entries) - self._index_after(cursor)

    def read_after(self, cursor: int, limit: int) -> list[Entry]:
        index = self._index_after(cursor)
        return self._entries[index : index + limit]

    def find_time(self, stored_at: int) -> Entry:
        return self._entries[bisect_left(self._entries, stored_at, lo=self._start, key=attrgetter("stored_at"))]

    def _index_after(self, cursor: int) -> int:
        if not self or self.last.sequence <= cursor:
            return len(self._entries)
        return bisect_right(self._entries, cursor, lo=self._start, key=_sequence_of)


class Tail:
    """The newest entries of the log, without holes from `start` on.

    Attributes:
        start: every stored event with this sequence or a higher one, up to the head, is in here. What a rollup has
            removed is not given out any more.
        size: bytes it takes.
    """

    def __init__(self, budget: int, start: int = 1) -> None:
        """Make an empty tail.

        Args:
            budget: bytes it may take. The newest entry stays in any case.
            start: the first entry appended is the first stored one from here on.
        """
        self.start = start
        self.size = 0
        self._budget = budget
        self._entries = _Run()
        self._topics: dict[str, _Run] = {}
        self._tree: dict[str, Any] = {}

    def __len__(self) -> int:
        """Return how many entries it holds."""
        return len(self._entries)

    @property
    def first(self) -> Entry | None:
        """The oldest entry."""
        return self._entries.first if self._entries else None

    def append(self, entry: Entry) -> None:
        """Take the newest entry in, and let the oldest go until the budget holds."""
        self._entries.append(entry)
        self.size += entry.size
        run = self._topics.get(entry.path)
        if run is None:
            run = self._topics[entry.path] = _Run()
            self._plant(entry.path)
        elif entry.rollup:
            # Those before it are no longer stored. In `_entries` they stay until their turn comes to leave.
            run = self._topics[entry.path] = _Run()
        run.append(entry)
        while self.size > self._budget and len(self._entries) > 1:
            self._evict()

    def newest(self, patterns: Sequence[str]) -> list[Entry]:
        """Return the newest entry of each topic that `patterns` match, in order."""
        paths = dict.fromkeys(path for pattern in patterns for path in self._find(pattern))
        return sorted((self._topics[path].last for path in paths), key=_sequence_of)

    def find_time(self, stored_at: int) -> int | None:
        """Return the sequence of the first entry stored at that time or later, if the tail reaches back so far."""
        if not self._entries or self._entries.first.stored_at >= stored_at:
            return None
        if self._entries.last.stored_at < stored_at:
            return self._entries.last.sequence + 1
        return self._entries.find_time(stored_at).sequence

    def read(self, patterns: Sequence[str], cursor: int, limit: int) -> tuple[list[Entry], int | None]:
        """Return entries that `patterns` match, in order, from the first after `cursor`.

        Args:
            patterns: as paths; a cheap index serves few topics, a bounded scan many.
            cursor: at least `start` - 1.
            limit: entries to return at most.

        Returns:
            The entries, and the sequence they reach to: nothing up to it was left out. None for the end of the tail.
        """
        remaining = self._entries.count_after(cursor)
        if remaining == 0:
            return [], None
        paths = self._find_few(patterns, remaining // 4)
        if paths is None:
            return self._scan(patterns, cursor, limit)
        entries: list[Entry] = []
        for path in paths:
            entries += self._topics[path].read_after(cursor, limit)
        if len(paths) > 1:
            entries.sort(key=_sequence_of)
        if len(entries) < limit:
            return entries, None
        return entries[:limit], entries[limit - 1].sequence

    def _scan(self, patterns: Sequence[str], cursor: int, limit: int) -> tuple[list[Entry], int | None]:
        matcher = PathMatcher(patterns)
        scanned = self._entries.read_after(cursor, _SCAN_LIMIT)
        entries: list[Entry] = []
        for entry in scanned:
            if matcher.matches(entry.path) and entry.sequence >= self._topics[entry.path].first.sequence:
                entries.append(entry)
                if len(entries) == limit:
                    break
        else:
            reached = scanned[-1].sequence
            return entries, None if reached == self._entries.last.sequence else reached
        return entries, entries[-1].sequence

    def _find_few(self, patterns: Sequence[str], limit: int) -> list[str] | None:
        paths: dict[str, None] = {}
        for pattern in patterns:
            for path in self._find(pattern):
                paths[path] = None
                if len(paths) > limit:
                    return None
        return list(paths)

    def _find(self, pattern: str) -> Iterator[str]:
        if not is_wildcard(pattern):
            if pattern in self._topics:
                yield pattern
            return
        yield from _walk(self._tree, pattern.split("."), 0)

    def _evict(self) -> None:
        entry = self._entries.drop_first()
        self.start = entry.sequence + 1
        self.size -= entry.size
        run = self._topics[entry.path]
        if run.first is entry:
            run.drop_first()
        if not run:
            del self._topics[entry.path]
            self._uproot(entry.path)

    def _plant(self, path: str) -> None:
        node = self._tree
        for token in path.split("."):
            node = node.setdefault(token, {})
        node[""] = path  # no token is empty

    def _uproot(self, path: str) -> None:
        tokens = path.split(".")
        nodes = [self._tree]
        for token in tokens:
            nodes.append(nodes[-1][token])
        del nodes.pop()[""]
        for node, token in zip(reversed(nodes), reversed(tokens), strict=True):
            if node[token]:
                return
            del node[token]


def _walk(node: dict[str, Any], tokens: list[str], depth: int) -> Iterator[str]:
    if depth == len(tokens):
        if "" in node:
            yield node[""]
        return
    token = tokens[depth]
    if token == ">":
        yield from _below(node, include_self=False)
    elif token == "*":
        for name, child in node.items():
            if name:
                yield from _walk(child, tokens, depth + 1)
    elif token in node:
        yield from _walk(node[token], tokens, depth + 1)


def _below(node: dict[str, Any], *, include_self: bool = True) -> Iterator[str]:
    for name, child in node.items():
        if name:
            yield from _below(child)
        elif include_self:
            yield child


class PathMatcher:
    """Tells which paths a set of patterns matches; remembers what it told."""

    __slots__ = ("_exact", "_known", "_wild")

    def __init__(self, patterns: Sequence[str]) -> None:
        """Make a matcher for `patterns`, given as paths."""
        self._exact = frozenset(pattern for pattern in patterns if not is_wildcard(pattern))
        self._wild = [pattern for pattern in patterns if pattern not in self._exact]
        self._known: dict[str, bool] = {}

    def matches(self, path: str) -> bool:
        """Return whether one of the patterns matches `path`."""
        if path in self._exact:
            return True
        known = self._known.get(path)
        if known is None:
            known = self._known[path] = any(match_pattern(pattern, path) for pattern in self._wild)
        return known
