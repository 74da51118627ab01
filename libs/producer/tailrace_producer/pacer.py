"""Who may send when: at most one progress event of a job in each interval, with one timer for all jobs."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

INTERVAL = 0.1
"""Seconds between two progress events of a job."""


class Paced(Protocol):
    """What the pacer knows of a job."""

    def due(self) -> float | None:
        """Return when what waits may be sent, on the monotonic clock; None if nothing waits."""

    def send(self) -> None:
        """Send what waits, or nothing if it must not be sent yet; then the job asks again."""


class Pacer:
    """Sends what jobs have to say as soon as it is due.

    Args:
        clock: monotonic, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._loop: asyncio.AbstractEventLoop
        self._clock = clock
        self._waiting: dict[Paced, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.closed = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let the thread of `loop` send; before anybody asks."""
        self._loop = loop

    def ask(self, job: Paced) -> None:
        """Send what `job` has to say when it is due. May be called from any thread."""
        if not self.closed:
            self._loop.call_soon_threadsafe(self.consider, job)

    def consider(self, job: Paced) -> None:
        """The same from the event loop's thread, at once if it is due."""
        due = job.due()
        if due is None:
            self._waiting.pop(job, None)
        elif due <= self._clock():
            self._waiting.pop(job, None)
            job.send()
        else:
            self._waiting[job] = due
            self._arm()

    def send_all(self) -> None:
        """Send what waits for its time now."""
        for job in list(self._waiting):
            if self._waiting.pop(job, None) is not None:
                job.send()

    def close(self) -> None:
        """Send nothing more."""
        self.closed = True
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        if self._timer is None:
            delay = min(self._waiting.values()) - self._clock()
            self._timer = self._loop.call_later(min(max(delay, INTERVAL / 4), INTERVAL), self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = self._clock()
        for job, due in list(self._waiting.items()):
            if due <= now:
                self.consider(job)
        if self._waiting:
            self._arm()
