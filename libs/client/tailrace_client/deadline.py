"""Deadlines of waits that have no event loop to end them."""

import time
from collections.abc import Callable


class Deadline:
    """When a wait has to come to its end."""

    def __init__(self, timeout: float | None, what: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        """Begin to wait.

        Args:
            timeout: seconds from now; None for as long as it takes.
            what: there is to say if it is over.
            clock: monotonic seconds.
        """
        self._end = None if timeout is None else clock() + timeout
        self._what = what
        self._clock = clock

    def cut(self, seconds: float) -> float:
        """Return `seconds`, or what is left if that is less.

        Raises:
            TimeoutError: nothing is left.
        """
        if self._end is None:
            return seconds
        left = self._end - self._clock()
        if left <= 0:
            raise TimeoutError(self._what)
        return min(seconds, left)
