"""Readings: one pass over JetStream for all subscribers that are older than the tail and close to each other."""

from collections.abc import Collection, Iterable, Sequence

from tailrace_protocol.patterns import cover_patterns

from tailrace_edge.engine.entry import Entry
from tailrace_edge.engine.subscriber import Place, Subscriber

_FILTER_LIMIT = 32
"""Patterns up to which the broker filters; beyond, reading everything once is cheaper."""

_NEAR = 10_000
"""Messages nobody minds the broker passing over on behalf of others."""


class Reading:
    """One pass over the log, from `after` to the start of the tail.

    Attributes:
        after: the first message wanted is the next one after this sequence.
        patterns: as paths; None for every message.
        members: whom it serves. One that takes too long to take what it is given drops out.
        held: what came last, kept for members that could not take all of it at once.
        held_after: the sequence before it.
        reached: the sequence of what came last.
        until: it is complete once a message with this sequence or a higher one has come. Replicas apply in
            order, so that proves that none before it was missing, however stale the replica that answered.
        covers: the sequence up to which nothing more is stored once it is complete.
    """

    __slots__ = ("_groups", "after", "covers", "held", "held_after", "members", "patterns", "reached", "until")

    def __init__(self, members: Iterable[Subscriber], *, covers: int) -> None:
        """Plan a pass for `members` up to `covers`; `until` is for the reader to set."""
        self.members = dict.fromkeys(members)
        self.after = min(member.cursor for member in self.members)
        self.patterns = _merge_patterns(self.members)
        self.held: Sequence[Entry] = ()
        self.held_after = self.after
        self.reached = self.after
        self.covers = covers
        self.until = covers
        self._groups = {member.group for member in self.members}

    @property
    def complete(self) -> bool:
        """Whether everything up to `covers` has come."""
        return self.reached >= self.until

    def takes(self, subscriber: Subscriber) -> bool:
        """Return whether a subscriber that comes later can still be served by this pass."""
        return self.held_after <= subscriber.cursor < self.covers and (
            self.patterns is None or subscriber.group in self._groups
        )

    def hold(self, entries: Sequence[Entry]) -> None:
        """Take in what came next, in place of what came before."""
        self.held = [entry for entry in entries if entry.sequence <= self.covers]
        self.held_after = self.served
        self.reached = entries[-1].sequence

    @property
    def served(self) -> int:
        """The sequence it serves up to. What comes beyond `covers` only proves something: the tail may hold more."""
        return min(self.reached, self.covers)

    @property
    def lagging(self) -> bool:
        """Whether a member still has to take some of what is held."""
        return any(place in (Place.READING, Place.BLOCKED) for place in self._places_of_lagging())

    @property
    def blocked(self) -> bool:
        """Whether members still have to take some of it, and none of them can at present."""
        places = self._places_of_lagging()
        return Place.BLOCKED in places and Place.READING not in places

    def _places_of_lagging(self) -> set[Place]:
        return {member.place for member in self.members if member.cursor < self.served}


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
