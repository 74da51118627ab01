"""Readings: one pass over JetStream for all subscribers that are older than the tail and close to each other."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from tailrace_protocol.patterns import cover_patterns

from tailrace_edge.engine.tail import PathMatcher

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tailrace_edge.engine.entry import Entry
    from tailrace_edge.engine.hub import Group
    from tailrace_edge.engine.subscriber import Subscriber

_FILTER_LIMIT = 32
"""Patterns up to which the broker filters; beyond, reading everything once is cheaper."""

_NEAR = 10_000
"""Messages nobody minds the broker passing over on behalf of others."""


class Reading:
    """One pass over the log, from `after` to the start of the tail.

    Most members have taken all that came before, and have nothing to take of what came last: they are not touched
    then, so that a pass costs what it delivers, not its length times its members.

    Attributes:
        after: the first message wanted is the next one after this sequence.
        patterns: as paths; None for every message.
        late: members that can take more of what is held.
        blocked: members whose connections take no more for now.
        held: what came last, kept for members that could not take all of it at once.
        held_after: the sequence before it.
        reached: the sequence of what came last.
        until: it is complete once a message with this sequence or a higher one has come. Replicas apply in
            order, so that proves that none before it was missing, however stale the replica that answered.
        covers: the sequence up to which nothing more is stored once it is complete.
    """

    __slots__ = (
        "_found",
        "_groups",
        "_level",
        "after",
        "blocked",
        "covers",
        "held",
        "held_after",
        "late",
        "patterns",
        "reached",
        "until",
    )

    def __init__(self, members: Collection[Subscriber], *, covers: int) -> None:
        """Plan a pass for `members`, who then `join`, up to `covers`; `until` is for the reader to set."""
        self.after = min(member.cursor for member in members)
        self.patterns = _merge_patterns(members)
        self.late: dict[Subscriber, None] = {}
        self.blocked: dict[Subscriber, None] = {}
        self.held: Sequence[Entry] = ()
        self.held_after = self.after
        self.reached = self.after
        self.covers = covers
        self.until = covers
        self._level: dict[Group, dict[Subscriber, None]] = {}
        self._groups = {member.group for member in members}
        self._found: dict[Group, list[Entry]] = {}

    # What comes

    @property
    def complete(self) -> bool:
        """Whether everything up to `covers` has come."""
        return self.reached >= self.until

    def hold(self, entries: Sequence[Entry]) -> None:
        """Take in what came next, in place of what came before, which every member but the late has taken."""
        self.held = [entry for entry in entries if entry.sequence <= self.covers]
        self.held_after = self.served
        self.reached = entries[-1].sequence
        self._found = {}

    @property
    def served(self) -> int:
        """The sequence it serves up to. What comes beyond `covers` only proves something: the tail may hold more."""
        return min(self.reached, self.covers)

    def note(self, found: dict[Group, list[Entry]]) -> None:
        """Learn what is held of what some groups notice, as `find` would have found out."""
        self._found.update(found)

    def find(self, group: Group) -> list[Entry]:
        """Return what is held of what a group notices."""
        found = self._found.get(group)
        if found is None:
            matcher = PathMatcher(group.interest.patterns)
            found = [entry for entry in self.held if matcher.matches(entry.path) and group.notices(entry)]
            self._found[group] = found
        return found

    # Whom it serves

    @property
    def members(self) -> list[Subscriber]:
        """All of them. One that takes too long to take what it is given has to `leave`."""
        return list(itertools.chain(self.late, self.blocked, *self._level.values()))

    @property
    def empty(self) -> bool:
        """Whether it serves nobody any more."""
        return not (self.late or self.blocked or self._level)

    def takes(self, subscriber: Subscriber) -> bool:
        """Return whether a subscriber that comes later can still be served by this pass."""
        return self.held_after <= subscriber.cursor < self.covers and (
            self.patterns is None or subscriber.group in self._groups
        )

    def join(self, subscriber: Subscriber) -> None:
        """Take in a member that can take what is held."""
        subscriber.reading = self
        self.place(subscriber)

    def place(self, subscriber: Subscriber) -> None:
        """Learn that a member whose place is READING has taken all up to its cursor."""
        self._remove(subscriber)
        if subscriber.cursor < self.served:
            self.late[subscriber] = None
        else:
            self._level.setdefault(subscriber.group, {})[subscriber] = None

    def block(self, subscriber: Subscriber) -> None:
        """Learn that a member cannot take more for now; its cursor has to be told."""
        self._remove(subscriber)
        self.blocked[subscriber] = None

    def leave(self, subscriber: Subscriber) -> None:
        """Let a member go. Its cursor stands where it is now."""
        if subscriber in self._level.get(subscriber.group, ()):
            subscriber.cursor = self.find_cursor(subscriber)
        self._remove(subscriber)
        subscriber.reading = None

    def find_cursor(self, subscriber: Subscriber) -> int:
        """Return where a member stands: those neither late nor blocked have taken all, whatever their cursor says."""
        if subscriber in self.late or subscriber in self.blocked:
            return subscriber.cursor
        return max(subscriber.cursor, self.served)

    @property
    def level(self) -> Mapping[Group, Collection[Subscriber]]:
        """Members that have taken all that is held, or had taken all before, if it has just come."""
        return self._level

    def find_level(self, group: Group) -> list[Subscriber]:
        """Return those of a group, their cursors set to where they stood before what is held came."""
        members = list(self._level[group])
        for subscriber in members:
            subscriber.cursor = max(subscriber.cursor, self.held_after)
        return members

    @property
    def lagging(self) -> bool:
        """Whether a member still has to take some of what is held."""
        return bool(self.late) or any(member.cursor < self.served for member in self.blocked)

    @property
    def stuck(self) -> bool:
        """Whether members still have to take some of it, and none of them can at present."""
        return not self.late and self.lagging

    def _remove(self, subscriber: Subscriber) -> None:
        self.late.pop(subscriber, None)
        self.blocked.pop(subscriber, None)
        group = subscriber.group
        level = self._level.get(group)
        if level is not None:
            level.pop(subscriber, None)
            if not level:
                del self._level[group]


def choose_members(cold: Collection[Subscriber], start: int) -> list[Subscriber]:
    """Return the one that has waited longest and those for whom one pass with it costs little more.

    Args:
        cold: who waits, longest first.
        start: of the tail, where the pass ends.
    """
    distance = start - next(iter(cold)).cursor
    return [
        subscriber for subscriber in cold if distance / 2 - _NEAR <= start - subscriber.cursor <= distance * 2 + _NEAR
    ]


def _merge_patterns(members: Iterable[Subscriber]) -> list[str] | None:
    patterns: dict[str, None] = {}
    for member in members:
        patterns |= dict.fromkeys(member.group.interest.patterns)
        if len(patterns) > _FILTER_LIMIT:
            return None
    return cover_patterns(list(patterns))
