"""What goes to one job's topic, and when."""

import threading
from bisect import insort
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from operator import attrgetter
from typing import NamedTuple, Protocol

from tailrace_protocol.errors import PublishError
from tailrace_protocol.jobs import LEASE_HEADER, JobState, JobStatus

from tailrace_producer.log import Logger
from tailrace_producer.pacer import INTERVAL, Pacer
from tailrace_producer.publisher import Outcome, Publisher

PROGRESS = "progress"

RETRY_INTERVAL = 1.0
"""Seconds until the newest state is tried again after the outbox was full, or an event of the job was lost."""

_NO_HEADERS: Mapping[str, str] = {}

_log = Logger()


class Speaker(Protocol):
    """What the sender knows of a job."""

    @property
    def status(self) -> JobStatus | None:
        """What it is doing."""

    def take_state(self) -> JobState:
        """Return its state at this moment, as it fits into an event."""


class _Item(NamedTuple):
    """An event that nothing may take the place of.

    Attributes:
        number: counts up in the order in which they are to be stored.
        type: of the event.
        state: that it carries.
    """

    number: int
    type: str
    state: JobState


class Sender:
    """Sends what the jobs of one topic have to say: mostly one, or one after the other, as attempts are.

    Its lock guards their state too. Progress is conflated: at most one event in an interval, the newest state always.
    Starts and ends wait until what was sent before is stored, so that no retry can put it after them.
    """

    def __init__(
        self, publisher: Publisher, pacer: Pacer, topic: str, clock: Callable[[], float], lease: float | None
    ) -> None:
        self.lock = threading.RLock()
        self.topic = topic
        self._publisher = publisher
        self.pacer = pacer
        self._clock = clock
        self._headers = _NO_HEADERS if lease is None else {LEASE_HEADER: f"{lease:g}"}

        # All guarded by the lock
        self.wanted: Speaker | None = None
        """Whose newest state is to be sent."""
        self._running: Speaker | None = None
        self._items: list[_Item] = []
        self._numbers = count()
        self._unsettled = 0
        self._sent_at = 0.0
        self._earliest = 0.0
        self._retry_at = 0.0

    # Called by the jobs, under the lock.

    def start(self, job: Speaker) -> None:
        """Send the start of `job`, and renew its lease while it runs."""
        self._running = job
        state = job.take_state()
        if self._items or self._unsettled:
            self._items.append(_Item(next(self._numbers), "start", state))
        else:
            self._submit("start", state, job)
        self.pacer.keep(self)

    def say(self, event_type: str, job: Speaker) -> None:
        """Send the state of `job` at once, unless something waits that has to come before; then as its progress."""
        if self._items:
            self.want(job)
        else:
            self._submit(event_type, job.take_state(), job)

    def want(self, job: Speaker) -> None:
        """Send the state of `job` in its time."""
        asked, self.wanted = self.wanted is not None, job
        if not asked:
            self.pacer.ask(self)

    def end(self, event_type: str, job: Speaker, state: JobState) -> None:
        """Send the last state of `job`, and nothing of it after that."""
        if self.wanted is job:
            self.wanted = None
        if self._running is job:
            self._running = None
            self.pacer.release(self)
        self._items.append(_Item(next(self._numbers), event_type, state))
        self._retry_at = 0.0
        self.pacer.ask(self)

    @property
    def held(self) -> int:
        """Starts and ends that wait."""
        return len(self._items)

    # Called by the pacer, in the event loop's thread.

    def due(self) -> float | None:
        """See `Paced`."""
        with self.lock:
            if self._items:
                return self._retry_at
            return None if self.wanted is None else max(self._earliest, self._retry_at)

    def send(self) -> None:
        """See `Paced`."""
        with self.lock:
            if self._items and self._publisher.spooling:
                items, self._items = self._items, []
                for item in items:
                    self._submit(item.type, item.state, item)
            elif self._unsettled:  # _settle asks again
                return
            elif self._items:
                item = self._items.pop(0)
                self._submit(item.type, item.state, item)
            elif self.wanted is not None:
                job, self.wanted = self.wanted, None
                self._submit(PROGRESS, job.take_state(), job)

    def renew(self, before: float) -> None:
        """See `Paced`."""
        with self.lock:
            job = self._running
            if job is not None and self._sent_at <= before and not (self._unsettled or self._items or self.wanted):
                self._submit(PROGRESS, job.take_state(), job)

    # Inside.

    def _submit(self, event_type: str, state: JobState, source: Speaker | _Item) -> None:
        self._sent_at = self._clock()
        self._earliest = self._sent_at + INTERVAL
        running = state.status is JobStatus.RUNNING
        try:
            self._publisher.submit(
                self.topic,
                state,
                event_type,
                settle=partial(self._settle, source),
                reserved=isinstance(source, _Item),
                headers=self._headers if running else _NO_HEADERS,
            )
            self._unsettled += 1
        except PublishError as error:
            self._lose(source, error)

    def _lose(self, source: Speaker | _Item, error: PublishError) -> None:
        """An event is not known to be stored: it is sent again, or the next one carries all that it said."""
        _log.warning("event of a job lost", topic=self.topic, reason=str(error))
        self._retry_at = self._clock() + RETRY_INTERVAL
        if isinstance(source, _Item):
            insort(self._items, source, key=attrgetter("number"))  # several may be lost, in any order
            self.pacer.ask(self)
        elif source.status is JobStatus.RUNNING:
            self.want(source)
        # Else its last state waits already, or was sent.

    def _settle(self, source: Speaker | _Item, outcome: Outcome) -> None:
        with self.lock:
            self._unsettled -= 1
            if isinstance(outcome, PublishError):
                self._lose(source, outcome)
            if self._items or self.wanted is not None:
                self.pacer.consider(self)
