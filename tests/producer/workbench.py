"""Jobs on the bench: with a clock and a publisher that the test moves."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

from tailrace_producer.job import SyncJob
from tailrace_producer.jobs import Jobs
from tailrace_producer.pacer import INTERVAL, Pacer
from tailrace_producer.publisher import Outcome, Publisher
from tailrace_protocol.errors import OutboxFull
from tailrace_protocol.events import encode_stored
from tailrace_protocol.jobs import JobState


class Loop:
    """Calls at once what has to be called soon; what has to be called later, in its time, which the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._made = 0

    def call_soon_threadsafe(self, call: Callable[..., None], *args: Any) -> None:
        call(*args)

    def call_later(self, delay: float, call: Callable[..., None], *args: Any) -> SimpleNamespace:
        self._made += 1
        timer = (self.now + delay, self._made, partial(call, *args))
        self._timers.append(timer)
        return SimpleNamespace(cancel=lambda: self._timers.remove(timer))

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self._timers and min(self._timers)[0] <= end + 1e-9:
            timer = min(self._timers)
            self._timers.remove(timer)
            self.now = max(self.now, timer[0])
            timer[2]()
        self.now = end


class Listeners:
    """The topics for whose commands somebody listens."""

    def __init__(self) -> None:
        self.topics: list[str] = []

    def add(self, topic: str, _job: object) -> None:
        self.topics.append(topic)

    def remove(self, topic: str, _job: object) -> None:
        self.topics.remove(topic)


class Recorder:
    """Takes the place of a publisher whose broker answers when the test says so."""

    def __init__(self) -> None:
        self.commands = Listeners()
        self.sent: list[tuple[str, str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.full = False
        self.spooling = False
        self._settles: list[Callable[[Outcome], object]] = []

    def submit(
        self,
        topic: str,
        data: Any,
        event_type: str,
        *,
        settle: Callable[[Outcome], object],
        reserved: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> int:
        encode_stored(event_type, data)
        if self.full and not reserved:
            raise OutboxFull("full")
        self.sent.append((topic, event_type, data))
        self.headers.append(headers or {})
        self._settles.append(settle)
        return len(self.sent)

    def settle(self, outcome: Outcome = "00000000-1") -> None:
        """Answer what was sent up to now."""
        settles, self._settles = self._settles, []
        for settle in settles:
            settle(outcome)

    def settle_all(self) -> None:
        """Answer also what is sent only then."""
        while self._settles:
            self.settle()

    @property
    def types(self) -> list[str]:
        return [event_type for _, event_type, _ in self.sent]

    @property
    def newest(self) -> JobState:
        return cast("JobState", self.sent[-1][2])

    def states(self, topic: str) -> list[JobState]:
        return [data for name, _, data in self.sent if name == topic]


class Bench:
    """Makes jobs, of which `job` is the first."""

    def __init__(self, *, lease: float | None = None, **fields: Any) -> None:
        self.loop = Loop()
        self.publisher = Recorder()
        self.pacer = Pacer(lambda: self.loop.now, lease)
        self.pacer.start(cast("asyncio.AbstractEventLoop", self.loop))
        self.jobs = Jobs(cast("Publisher", self.publisher), self.pacer, lease, lambda: self.loop.now)
        self.job = self.make("j", **fields)

    def make(self, job: str, **fields: Any) -> SyncJob:
        known = {"user": None, "title": None, "total": None, "metadata": None} | fields
        return self.jobs.make(SyncJob, job, **known)

    def start(self) -> SyncJob:
        """Start the first, and let its time pass until progress may be sent."""
        self.job.start()
        self.publisher.settle()
        self.loop.advance(INTERVAL)
        return self.job
