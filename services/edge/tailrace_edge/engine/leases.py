"""Leases: until when the tokens of streams are good."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tailrace_edge.engine.subscriber import Subscriber


class Lease(NamedTuple):
    """How long a stream may go on.

    Attributes:
        warn_at: when its client is told, by a `challenge`.
        until: when the stream ends.
        expires: the same as the client is told it.
    """

    warn_at: float
    until: float
    expires: datetime


class Leases:
    """Finds the streams whose client has to be told, or which have to end, to the second."""

    def __init__(self) -> None:
        """Begin without any."""
        self._seconds: dict[int, dict[Subscriber, None]] = {}
        self._reached: int | None = None

    def add(self, subscriber: Subscriber, now: float) -> None:
        """Take in a subscriber that has a lease."""
        lease = subscriber.lease
        if lease is None:
            return
        # What is due already is found by the next turn.
        second = max(
            math.ceil(lease.warn_at if now < lease.warn_at < lease.until else lease.until), math.floor(now) + 1
        )
        subscriber.lease_second = second
        self._seconds.setdefault(second, {})[subscriber] = None

    def remove(self, subscriber: Subscriber) -> None:
        """Let a subscriber go."""
        second = self._seconds.get(subscriber.lease_second)
        if second is not None:
            second.pop(subscriber, None)
            if not second:
                del self._seconds[subscriber.lease_second]

    def turn(self, now: float) -> Iterator[Subscriber]:
        """Return those whose time has come, at most a second late; whose end has come, until they are removed."""
        reached = math.floor(now)
        begin = min(self._seconds, default=reached) if self._reached is None else self._reached + 1
        self._reached = reached
        for second in range(begin, reached + 1):
            for subscriber in self._seconds.pop(second, ()):
                self.add(subscriber, now)
                yield subscriber
