"""Jobs: units of work that report progress, from the event loop or from any thread."""

import asyncio
import threading
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sized
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec
import structlog
from tailrace_protocol.errors import EventTooLarge, OutboxFull, ProducerClosed, PublishError, TailraceError
from tailrace_protocol.events import encode_stored
from tailrace_protocol.jobs import JobError, JobState, JobStatus, JobWarning

from tailrace_producer.pacer import INTERVAL, Pacer
from tailrace_producer.progress import MAX_WARNING_BYTES, Progress, check_finite, copy_data, cut
from tailrace_producer.publisher import Outcome, Publisher

RETRY_INTERVAL = 1.0
"""Seconds until the newest state is tried again after the outbox was full, or an event of the job was lost."""

BREATH = 0.01
"""Seconds of a loop over a plain iterable after which `track` lets the event loop's other tasks run."""

_PROGRESS = "progress"

_log = structlog.get_logger("tailrace.producer")

T = TypeVar("T")


class JobEnded(TailraceError):
    """The job has ended, or was not started yet: nothing can be reported about it."""


class BaseJob:
    """What both kinds of jobs do. No method waits for the broker, and none raises because it is away.

    Each event carries the whole state. At most 10 progress events a second are published, the newest always. What a
    job has to say is sent one event after the other, so that a retry cannot put progress after the end.
    """

    def __init__(
        self, publisher: Publisher, pacer: Pacer, progress: Progress, topic: str, clock: Callable[[], float]
    ) -> None:
        self._publisher = publisher
        self._pacer = pacer
        self._progress = progress
        self._topic = topic
        self._clock = clock

        # All guarded by the lock
        self._lock = threading.RLock()
        self._status: JobStatus | None = None
        self._next: str | None = None  # type of the event that waits; there is never more than one
        self._final: JobState | None = None
        self._unsettled = 0
        self._earliest = 0.0

    @property
    def topic(self) -> str:
        """What watchers of the job watch."""
        return self._topic

    @property
    def status(self) -> JobStatus | None:
        """What the job is doing; None before it has started."""
        return self._status

    def start(self) -> None:
        """Begin. Entering the context calls it; call it yourself only where you use none.

        Raises:
            JobEnded: the job was started before.
        """
        with self._lock:
            if self._status is not None:
                raise JobEnded(f"the job {self._topic} was started before; make a new one for a new run")
            self._status = JobStatus.RUNNING
            self._progress.start(self._clock(), datetime.now(UTC))
            self._submit("start", self._take_state())

    def update(
        self,
        done: float | None = None,
        *,
        advance: float | None = None,
        total: float | None = None,
        failed: float | None = None,
        message: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Report progress. Cheap: call it as often as you like.

        Args:
            done: units done so far.
            advance: or: units done since the last call.
            total: units there are, if that is news.
            failed: units of `done` that failed so far.
            message: a word about it; cut after 1,000 characters.
            metadata: is added to the job's, in place of what has the same names.

        Raises:
            JobEnded: the job has ended, or was not started.
            InvalidInput: a number is not finite, or the metadata is no JSON, or larger than 24 KiB in all.
        """
        with self._lock:
            self._check_running()
            if metadata is not None:
                self._progress.add_metadata(metadata)
            if total is not None or failed is not None or message is not None:
                self._progress.update(total=total, failed=failed, message=message)
            if done is not None:
                self._progress.done = check_finite(done)
            if advance is not None:
                self._progress.done += check_finite(advance)
            self._want(_PROGRESS)

    def step(self, name: str) -> None:
        """Report what the job is at now, for people to read.

        Raises:
            JobEnded: the job has ended, or was not started.
        """
        with self._lock:
            self._check_running()
            self._progress.update(step=name)
            self._want(_PROGRESS)

    def warn(self, message: str, data: Any = None) -> None:
        """Report something that watchers should know and that did not stop the job. Published at once.

        Raises:
            JobEnded: the job has ended, or was not started.
            InvalidInput: `data` is no JSON, or larger than 4 KiB.
        """
        warning = JobWarning(cut(message), datetime.now(UTC), copy_data(data, MAX_WARNING_BYTES))
        with self._lock:
            self._check_running()
            self._progress.add_warning(warning)
            self._submit("warning", self._take_state())

    def log(self, message: str, level: str = "info", **fields: Any) -> None:
        """Publish a line of the job's log, on `<topic>.log`, at once.

        Raises:
            JobEnded: the job has ended, or was not started.
            InvalidInput: the line is too large, or a field is no JSON.
        """
        self._check_running()
        line = {**fields, "level": level, "message": message}
        try:
            self._publisher.submit(f"{self._topic}.log", line, "log", settle=self._settle_log)
        except OutboxFull as error:
            self._settle_log(error)

    def complete(self, result: Any = None) -> None:
        """End the job well. Leaving the context without exception calls it.

        Raises:
            JobEnded: the job has ended, or was not started.
            InvalidInput: `result` is too large or no JSON; the job goes on.
        """
        self._end(JobStatus.COMPLETE, result=copy_data(result))

    def fail(self, error: BaseException | str) -> None:
        """End the job as failed. An exception that leaves the context calls it.

        Raises:
            JobEnded: the job has ended, or was not started.
        """
        if isinstance(error, BaseException):
            reason = JobError(type(error).__name__, cut(str(error)))
        else:
            reason = JobError("Error", cut(error))
        self._end(JobStatus.FAILED, error=reason)

    def cancel(self, message: str | None = None) -> None:
        """End the job as cancelled. A cancellation or a keyboard interrupt that leaves the context calls it.

        Raises:
            JobEnded: the job has ended, or was not started.
        """
        with self._lock:
            self._check_running()
            self._progress.update(message=message)
            self._end(JobStatus.CANCELLED)

    # Called by the pacer, in the event loop's thread.

    def due(self) -> float | None:
        with self._lock:
            return None if self._next is None else self._earliest

    def send(self) -> None:
        with self._lock:
            if self._next is None or self._unsettled:  # then _settle asks again
                return
            event_type, self._next = self._next, None
            self._submit(event_type, self._final or self._take_state())

    # Inside.

    def _check_running(self) -> None:
        if self._status is not JobStatus.RUNNING:
            when = "was not started: use it in a with block" if self._status is None else f"has ended ({self._status})"
            raise JobEnded(f"the job {self._topic} {when}")
        if self._pacer.closed:
            raise ProducerClosed(f"the producer of the job {self._topic} is closed")

    def _announce(self, items: object, total: float | None) -> None:
        if total is None and isinstance(items, Sized):
            total = len(items)
        if total is not None:
            self.update(total=total)

    def _want(self, event_type: str) -> None:
        asked, self._next = self._next is not None, event_type
        if not asked:
            self._pacer.ask(self)

    def _end(self, status: JobStatus, *, result: Any = None, error: JobError | None = None) -> None:
        with self._lock:
            self._check_running()
            final = self._take_state(status, result=result, error=error)
            self._status, self._final, self._earliest = status, final, 0.0
            self._next = status.value
            self._pacer.ask(self)

    def _take_state(
        self, status: JobStatus = JobStatus.RUNNING, *, result: Any = None, error: JobError | None = None
    ) -> JobState:
        """Return the state, with as many of the newest warnings as fit into an event."""
        state = self._progress.take_state(self._clock(), datetime.now(UTC), status, result=result, error=error)
        slim = state
        while True:
            try:
                encode_stored(_PROGRESS, slim)
            except EventTooLarge:
                if not slim.warnings:
                    raise
                slim = msgspec.structs.replace(slim, warnings=slim.warnings[1:])
            else:
                return slim

    def _submit(self, event_type: str, state: JobState) -> None:
        self._earliest = self._clock() + INTERVAL
        try:
            self._publisher.submit(self._topic, state, event_type, settle=self._settle, reserved=state.status.terminal)
            self._unsettled += 1
        except PublishError as error:
            self._lose(error)

    def _lose(self, error: PublishError) -> None:
        """An event is not known to be stored: the next one carries all that it said."""
        _log.warning("event of a job lost", topic=self._topic, reason=str(error))
        self._earliest = self._clock() + RETRY_INTERVAL
        self._want(self._final.status.value if self._final else _PROGRESS)

    def _settle(self, outcome: Outcome) -> None:
        with self._lock:
            self._unsettled -= 1
            if isinstance(outcome, PublishError):
                self._lose(outcome)
            elif self._next is not None:
                self._pacer.consider(self)

    def _settle_log(self, outcome: Outcome) -> None:
        if isinstance(outcome, PublishError):
            _log.warning("line of a job's log lost", topic=self._topic, reason=str(outcome))

    def _leave(self, error: BaseException | None) -> None:
        if self._status is not JobStatus.RUNNING:
            return
        if error is None:
            self.complete()
        elif isinstance(error, Exception):
            self.fail(error)
        else:
            self.cancel()


class Job(BaseJob):
    """A job of a `Producer`: `async with producer.job("import-42", total=9) as job`.

    Its methods may be called from worker threads too.
    """

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._leave(error)

    async def track(self, items: Iterable[T] | AsyncIterable[T], total: float | None = None) -> AsyncIterator[T]:
        """Yield each of `items`, and count it as done when the loop comes back for the next.

        Args:
            items: plain or async. Of a plain one, other tasks get to run every 10 ms.
            total: units there are; the length of `items` where it has one.
        """
        self._announce(items, total)
        if isinstance(items, AsyncIterable):
            async for item in items:
                yield item
                self.update(advance=1)
            return
        rested = time.monotonic()
        for item in items:
            yield item
            self.update(advance=1)
            if time.monotonic() - rested > BREATH:
                await asyncio.sleep(0)
                rested = time.monotonic()


class SyncJob(BaseJob):
    """A job of a `SyncProducer`: `with producer.job("import-42", total=9) as job`.

    Its methods may be called from any thread.
    """

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._leave(error)

    def track(self, items: Iterable[T], total: float | None = None) -> Iterator[T]:
        """Yield each of `items`, and count it as done when the loop comes back for the next.

        Args:
            items: what there is to do.
            total: units there are; the length of `items` where it has one.
        """
        self._announce(items, total)
        for item in items:
            yield item
            self.update(advance=1)
