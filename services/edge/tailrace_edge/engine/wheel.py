"""The wheel: whose turn it is for a heartbeat, spread evenly so that no two seconds cost more than others."""

import random
from collections.abc import Iterator

from tailrace_edge.engine.subscriber import Subscriber

_SLOTS = 60


class Wheel:
    """Slots of subscribers, one after the other due within each turn."""

    def __init__(self, period: float) -> None:
        """Make an empty wheel.

        Args:
            period: seconds of one turn, in which every subscriber is due once.
        """
        self._slots: list[dict[Subscriber, None]] = [{} for _ in range(_SLOTS)]
        self._step = period / _SLOTS
        self._next: float | None = None
        self._at = 0

    def add(self, subscriber: Subscriber) -> None:
        """Take a subscriber in at a random place of the turn."""
        subscriber.beat = random.randrange(_SLOTS)
        self._slots[subscriber.beat][subscriber] = None

    def remove(self, subscriber: Subscriber) -> None:
        """Let a subscriber go."""
        self._slots[subscriber.beat].pop(subscriber, None)

    def turn(self, now: float) -> Iterator[Subscriber]:
        """Return those whose turn has come since the last call; after a pause longer than a turn, each once."""
        if self._next is None:
            self._next = now + self._step
        for _ in range(_SLOTS):
            if now < self._next:
                return
            self._next += self._step
            self._at = (self._at + 1) % _SLOTS
            yield from list(self._slots[self._at])
        self._next = now + self._step
