"""Places: where each subscriber is served from, and who waits there."""

import heapq
import itertools

from tailrace_edge.engine.reading import Reading, choose_members
from tailrace_edge.engine.subscriber import Place, Subscriber


class Places:
    """Everything that changes a subscriber's `place` is in here.

    Attributes:
        ready: to be served, who has waited longest first.
        cold: those that wait for a reading, who has waited longest first.
        ahead: those whose cursor lies after the head.
        readings: under way.
    """

    def __init__(self) -> None:
        self.ready: dict[Subscriber, None] = {}
        self.cold: dict[Subscriber, None] = {}
        self.ahead: dict[Subscriber, None] = {}
        self.readings: dict[Reading, None] = {}
        self._paced: list[tuple[float, int, Subscriber]] = []
        self._numbers = itertools.count()

    def move(self, subscriber: Subscriber, place: Place) -> None:
        """Take a subscriber from where it is to `place`."""
        if (left := self._who_is_at(subscriber, subscriber.place)) is not None:
            del left[subscriber]
        if subscriber.reading is not None:
            _move_member(subscriber, subscriber.reading, place)
        elif place is Place.COLD and self._join_reading(subscriber):
            place = Place.READING
        subscriber.place = place
        if place is Place.LIVE:
            subscriber.group.live[subscriber] = subscriber.handle
        elif place is Place.PACED:
            heapq.heappush(self._paced, (subscriber.due, next(self._numbers), subscriber))
        elif (joined := self._who_is_at(subscriber, place)) is not None:
            joined[subscriber] = None

    def next_ready(self, now: float) -> Subscriber | None:
        """Return the ready subscriber that has waited longest."""
        while self._paced and self._paced[0][0] <= now:
            subscriber = heapq.heappop(self._paced)[2]
            if subscriber.place is Place.PACED:
                self.move(subscriber, Place.READY)
        return next(iter(self.ready), None)

    @property
    def next_due(self) -> float | None:
        """When the next paced subscriber is due; None if there is none."""
        return self._paced[0][0] if self._paced else None

    def reach(self, head: int) -> None:
        """Make those ready whose cursors `head` has reached."""
        for subscriber in [ahead for ahead in self.ahead if ahead.cursor <= head]:
            self.move(subscriber, Place.READY)

    def plan_reading(self, tail_start: int) -> Reading | None:
        """Return a reading for those that wait for one; None if nobody does."""
        if not self.cold:
            return None
        members = choose_members(self.cold, tail_start)
        reading = Reading(members, covers=tail_start - 1)
        for subscriber in members:
            self.move(subscriber, Place.READING)
            reading.join(subscriber)
        self.readings[reading] = None
        return reading

    def end_reading(self, reading: Reading) -> None:
        """Let a reading go, and those it served go on from where they are."""
        del self.readings[reading]
        for subscriber in reading.members:
            self.leave_reading(subscriber, reading)

    def leave_reading(self, subscriber: Subscriber, reading: Reading) -> None:
        """Let a member of a reading go on from where it is without it."""
        if subscriber.place is Place.READING:
            self.move(subscriber, Place.READY)
        else:
            reading.leave(subscriber)

    def drop_readings(self) -> None:
        """Let all readings go, since they are of a log that is no more."""
        for reading in list(self.readings):
            self.end_reading(reading)

    def _join_reading(self, subscriber: Subscriber) -> bool:
        for reading in self.readings:
            if reading.takes(subscriber):
                reading.join(subscriber)
                return True
        return False

    def _who_is_at(self, subscriber: Subscriber, place: Place) -> dict[Subscriber, None] | None:
        match place:
            case Place.LIVE:
                return subscriber.group.live
            case Place.WAITING:
                return subscriber.group.waiting
            case Place.READY:
                return self.ready
            case Place.COLD:
                return self.cold
            case Place.AHEAD:
                return self.ahead
            case Place.PACED | Place.READING | Place.BLOCKED | Place.CLOSED:
                return None


def _move_member(subscriber: Subscriber, reading: Reading, place: Place) -> None:
    if place is Place.READING:
        reading.place(subscriber)
    elif place is Place.BLOCKED:
        reading.block(subscriber)
    else:
        reading.leave(subscriber)
