"""Who may send when: at most one progress event of a job in each interval, with one timer for all jobs.

And who has to: a job that has nothing to report says so in time, before its lease lapses.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Protocol

INTERVAL = 0.1
"""Seconds between two progress events of a job."""

RENEWALS = 3
"""Signs of life within a lease, so that one may be late."""

ROUNDS = 10
"""Looks for jobs that have been silent, between two signs of life."""


class Paced(Protocol):
    """What the pacer knows of whatever sends."""

    def due(self) -> float | None:
        """Return when what waits may be sent, on the monotonic clock; None if nothing waits."""

    def send(self) -> None:
        """Send what waits, or nothing if it must not be sent yet; then the job asks again."""


class Leased(Protocol):
    """What it knows of a job that runs."""

    def renew(self, before: float) -> None:
        """Send a sign of life, if the last thing that was sent was sent before that time."""


class Pacer:
    """Sends what jobs have to say as soon as it is due.

    Args:
        clock: monotonic, in seconds.
        lease: seconds within which each job that runs has to be heard of, `RENEWALS` times; None for no matter.
        interval: seconds at most between two looks at what waits.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        lease: float | None = None,
        interval: float = INTERVAL,
    ) -> None:
        self._loop: asyncio.AbstractEventLoop
        self._clock = clock
        self._interval = interval
        self._silence = None if lease is None else lease / RENEWALS
        self._waiting: dict[Paced, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._lock = threading.Lock()
        self._running: set[Leased] = set()  # guarded by the lock, as is whether there are rounds
        self._rounds = False
        self._round: asyncio.TimerHandle | None = None
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

    def keep(self, job: Leased) -> None:
        """Renew the lease of `job` from now on. May be called from any thread."""
        if self._silence is None or self.closed:
            return
        with self._lock:
            self._running.add(job)
            idle, self._rounds = not self._rounds, True
        if idle:
            self._loop.call_soon_threadsafe(self._arm_round)

    def release(self, job: Leased) -> None:
        """Renew it no more. May be called from any thread."""
        with self._lock:
            self._running.discard(job)

    def close(self) -> None:
        """Send nothing more."""
        self.closed = True
        self._waiting.clear()
        for timer in (self._timer, self._round):
            if timer is not None:
                timer.cancel()

    def _arm(self) -> None:
        if self._timer is None:
            delay = min(self._waiting.values()) - self._clock()
            self._timer = self._loop.call_later(min(max(delay, self._interval / 4), self._interval), self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = self._clock()
        for job, due in list(self._waiting.items()):
            if due <= now:
                self.consider(job)
        if self._waiting:
            self._arm()

    def _arm_round(self) -> None:
        if self._silence is not None and not self.closed:
            # A tenth before the end of the silence, for the next round would be too late.
            before = self._silence * (1 - 1 / ROUNDS)
            self._round = self._loop.call_later(self._silence / ROUNDS, self._renew_all, before)

    def _renew_all(self, silence: float) -> None:
        with self._lock:
            jobs = list(self._running)
            self._rounds = bool(jobs)
        if jobs:
            self._arm_round()
        for job in jobs:
            job.renew(self._clock() - silence)
