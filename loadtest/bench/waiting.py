"""Waiting: always for a condition, never past a deadline."""

import time
from collections.abc import Callable

from bench.errors import BenchError

POLL = 0.01
"""Seconds between two looks."""


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float = 30.0) -> None:
    """Return as soon as `condition` holds.

    Raises:
        BenchError: it did not in `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"waited {seconds:g} s in vain: {what}")
        time.sleep(POLL)
