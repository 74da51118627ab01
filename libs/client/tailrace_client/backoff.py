"""Back-off: how long to wait before the next attempt, so that a crowd of clients does not come back as one."""

import random

MAX_FLOOR = 3600.0
"""Seconds. A server that asks for more is asked again after this."""


class Backoff:
    """Full-jitter exponential back-off: a wait drawn evenly between nothing and a ceiling that doubles.

    The jitter comes after the cap, so that clients stay spread however long the outage lasts.
    """

    def __init__(self, *, base: float = 1.0, cap: float = 30.0, source: random.Random | None = None) -> None:
        """Start without failures.

        Args:
            base: the first ceiling, in seconds.
            cap: the highest ceiling, in seconds.
            source: of the jitter.
        """
        self._base = base
        self._cap = cap
        self._source = source or random.Random()
        self._failures = 0

    def fail(self, floor: float = 0.0) -> float:
        """Count a failure, and return the seconds to wait.

        Args:
            floor: seconds that the server asked for; the jitter comes on top, for it asked everybody the same.
        """
        ceiling = min(self._cap, self._base * 2.0 ** min(self._failures, 64))
        self._failures += 1
        return min(floor, MAX_FLOOR) + self._source.uniform(0, ceiling)

    def reset(self) -> None:
        """Forget the failures."""
        self._failures = 0
