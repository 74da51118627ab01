"""The hub: who watches which pattern."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from tailrace_protocol.patterns import is_wildcard

from tailrace_edge.engine.entry import Entry, Format
from tailrace_edge.engine.subscriber import Subscriber

_CACHE_LIMIT = 100_000
"""Paths of which the hub remembers what wildcard patterns match them."""


class Interest(msgspec.Struct, frozen=True):
    """What a stream was asked for. Subscribers with the same interest share every frame and batch.

    Attributes:
        patterns: as paths, `<tenant>.<pattern>`, sorted, none inside another.
        types: event types to deliver; None for all.
        form: how the stream is written.
        max_rate: events a second and topic, beyond which the newest wins; None for all.
        until_terminal: the stream ends after the last watched job's terminal event.
    """

    patterns: tuple[str, ...]
    types: frozenset[str] | None = None
    form: Format = Format.SSE
    max_rate: float | None = None
    until_terminal: bool = False

    @property
    def shared(self) -> bool:
        """Whether all subscribers at the head get the same bytes."""
        return self.max_rate is None and not self.until_terminal


class Group:
    """The subscribers of one interest.

    Attributes:
        interest: what they all asked for.
        members: how many there are.
        live: those at the head of the log that get its events as they come, with the handles of their connections.
        waiting: those at the head that are served one by one, because their interest is not `shared`. Their
            cursors stand still while nothing comes for them.
        newest: the sequence of the newest event delivered to the live ones.
    """

    __slots__ = ("interest", "live", "members", "newest", "waiting")

    def __init__(self, interest: Interest) -> None:
        self.interest = interest
        self.members = 0
        self.live: dict[Subscriber, Any] = {}
        self.waiting: dict[Subscriber, None] = {}
        self.newest = 0

    def notices(self, entry: Entry) -> bool:
        """Return whether an entry that one of the patterns matches is more than nothing to this group."""
        return self.interest.types is None or self.interest.until_terminal or entry.event.type in self.interest.types

    def wants(self, entry: Entry) -> bool:
        """Return whether an entry that one of the patterns matches is to be delivered."""
        return self.interest.types is None or entry.event.type in self.interest.types


_Groups = dict[Group, None]


class Hub:
    """All groups of an edge, found by the paths they match."""

    def __init__(self) -> None:
        self._groups: dict[Interest, Group] = {}
        self._exact: dict[str, _Groups] = {}
        self._tree: dict[str | None, Any] = {}
        self._cache: dict[str, tuple[_Groups, ...]] = {}

    def __iter__(self) -> Iterator[Group]:
        """Return the groups."""
        return iter(self._groups.values())

    def join(self, interest: Interest) -> Group:
        """Return the group of `interest`, counting one member more."""
        group = self._groups.get(interest)
        if group is None:
            group = self._groups[interest] = Group(interest)
            for pattern in interest.patterns:
                self._slot(pattern)[group] = None
        group.members += 1
        return group

    def leave(self, group: Group) -> None:
        """Count one member less; the last one's leaving removes the group."""
        group.members -= 1
        if group.members == 0:
            del self._groups[group.interest]
            for pattern in group.interest.patterns:
                self._remove(pattern, group)

    def match(self, path: str) -> Iterable[Group]:
        """Return the groups that have a pattern that matches `path`, each once."""
        exact = self._exact.get(path)
        slots = self._match_wild(path) if self._tree else ()
        if not slots:
            return exact or ()
        if exact is None and len(slots) == 1:
            return slots[0]
        merged = dict(exact or {})
        for slot in slots:
            merged.update(slot)
        return merged

    def _match_wild(self, path: str) -> tuple[_Groups, ...]:
        slots = self._cache.get(path)
        if slots is None:
            if len(self._cache) >= _CACHE_LIMIT:
                self._cache.clear()
            slots = self._cache[path] = tuple(_walk(self._tree, path.split("."), 0))
        return slots

    def _slot(self, pattern: str) -> _Groups:
        if not is_wildcard(pattern):
            return self._exact.setdefault(pattern, {})
        node = self._tree
        for token in pattern.split("."):
            node = node.setdefault(token, {})
        if None not in node:
            node[None] = {}
            self._cache.clear()
        slot: _Groups = node[None]
        return slot

    def _remove(self, pattern: str, group: Group) -> None:
        if not is_wildcard(pattern):
            del self._exact[pattern][group]
            if not self._exact[pattern]:
                del self._exact[pattern]
            return
        tokens = pattern.split(".")
        nodes = [self._tree]
        for token in tokens:
            nodes.append(nodes[-1][token])
        leaf = nodes.pop()
        del leaf[None][group]
        if leaf[None]:
            return
        del leaf[None]
        self._cache.clear()
        for node, token in zip(reversed(nodes), reversed(tokens), strict=True):
            if node[token]:
                return
            del node[token]


def _walk(node: dict[str | None, Any], tokens: list[str], depth: int) -> Iterator[_Groups]:
    if depth == len(tokens):
        if None in node:
            yield node[None]
        return
    rest = node.get(">")
    if rest is not None:
        yield rest[None]
    for token in ("*", tokens[depth]):
        child = node.get(token)
        if child is not None:
            yield from _walk(child, tokens, depth + 1)
