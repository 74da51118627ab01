"""What jobs of both kinds report."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn, Protocol, TypeVar

import msgspec
from tailrace_protocol.errors import EventTooLarge, OutboxFull, ProducerClosed, PublishError
from tailrace_protocol.events import encode_stored
from tailrace_protocol.jobs import JobError, JobState, JobStatus, JobWarning, StepStatus

from tailrace_producer.counts import check_finite
from tailrace_producer.errors import JobCancelled, JobEnded, is_cancellation
from tailrace_producer.failures import Describe, describe_failure
from tailrace_producer.family import Place, Relative
from tailrace_producer.log import Logger
from tailrace_producer.parts import Part, check_weight
from tailrace_producer.progress import MAX_WARNING_BYTES, Progress, copy_data, cut
from tailrace_producer.publisher import Outcome, Publisher
from tailrace_producer.sender import PROGRESS, Sender

_RUNNING = JobStatus.RUNNING

_log = Logger()

J = TypeVar("J", bound="BaseJob")


class MakeJob(Protocol):
    """Makes another job that publishes at the same place."""

    def __call__(
        self,
        kind: type[J],
        job: str,
        user: str | None,
        title: str | None,
        total: float | None,
        metadata: dict[str, Any] | None,
        *,
        attempt: int,
        place: Place,
    ) -> J: ...


class BaseJob:
    """What both kinds of jobs do. No method waits for the broker, and none raises because it is away.

    Each event carries the whole state. At most 10 progress events a second are published, the newest always. What a
    job has to say is sent one event after the other, so that a retry cannot put progress after the end.
    """

    def __init__(
        self,
        publisher: Publisher,
        sender: Sender,
        progress: Progress,
        clock: Callable[[], float],
        make: MakeJob,
        place: Place | None = None,
        describe: Describe | None = None,
    ) -> None:
        self._publisher = publisher
        self._sender = sender
        self._pacer = sender.pacer
        self._progress = progress
        self._topic = sender.topic
        self._clock = clock
        self._make = make
        self._place = place
        self._describe = describe
        self._lock = sender.lock

        # All guarded by the lock
        self._status: JobStatus | None = None
        self._entered = False
        self._cancelled = False
        self._children: set[Relative] = set()

    @property
    def id(self) -> str:
        """What clients ask an edge for, with the user's if it has an owner."""
        return self._progress.id

    @property
    def topic(self) -> str:
        """What watchers of the job watch."""
        return self._topic

    @property
    def status(self) -> JobStatus | None:
        """What the job is doing; None before it has started."""
        return self._status

    @property
    def total(self) -> float | None:
        """Units there are to do; None while nobody knows."""
        return self._progress.total

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked for the job, or its parent, to be cancelled. Its work goes on until it looks."""
        return self._cancelled

    def raise_if_cancelled(self) -> None:
        """Stop here if the job was asked to cancel. `track` calls it for each item.

        Raises:
            JobCancelled: it was. Leaving the job's context with it ends the job as cancelled.
        """
        if self._cancelled:
            raise JobCancelled(self._topic)

    def start(self) -> None:
        """Begin. Entering the context calls it, unless you have: a job that has to wait for its turn is seen so before.

        Raises:
            JobEnded: the job was started before.
        """
        with self._lock:
            if self._status is not None:
                raise JobEnded(f"the job {self._topic} was started before; make a new one for a new run")
            self._status = _RUNNING
            self._progress.start(self._clock(), datetime.now(UTC))
            if self._place is not None:
                self._place.begin(self, self._progress.name)
                self._cancelled = self._progress.cancelling = self._place.cancelled
            self._publisher.commands.add(self._topic, self)
            self._sender.start(self)

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
            InvalidInput: a number is not finite, the total is negative, or the metadata is no JSON, or larger than
                24 KiB in all.
        """
        with self._lock:
            if self._status is not _RUNNING or self._pacer.closed:
                self._refuse()
            progress = self._progress
            if metadata is not None:
                progress.add_metadata(metadata)
            if total is not None or failed is not None or message is not None:
                progress.update(total=total, failed=failed, message=message)
            if done is not None:
                progress.done = check_finite(done)
            if advance is not None:
                progress.done += check_finite(advance)
            if self._sender.wanted is not self:
                self._sender.want(self)

    def plan(self, weights: Mapping[str, float]) -> None:
        """Say which steps are to come, and what each of them weighs. The total becomes what they weigh together.

        What is done already, and children that run, come on top.

        Raises:
            JobEnded: the job has ended, or was not started.
            InvalidInput: a weight is negative, or no number.
        """
        with self._lock:
            self._check_running()
            self._progress.plan(weights)
            self._sender.want(self)

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
            self._sender.say("warning", self)

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
        self._end(JobStatus.FAILED, error=self.describe(error))

    def retry(self, error: BaseException | str) -> None:
        """End this attempt as failed, with another one to come: a new job with the same id and `attempt` one higher.

        The job has not ended for those who watch it: its status is `retrying`.

        Raises:
            JobEnded: the job has ended, or was not started.
        """
        self._end(JobStatus.RETRYING, error=self.describe(error))

    def cancel(self, message: str | None = None) -> None:
        """End the job as cancelled. JobCancelled, a cancelled task or Ctrl-C, leaving the context, calls it.

        Raises:
            JobEnded: the job has ended, or was not started.
        """
        with self._lock:
            self._check_running()
            self._progress.update(message=message)
            self._end(JobStatus.CANCELLED)

    # Called by the machinery.

    def describe(self, error: BaseException | str) -> JobError:
        """Return what watchers are told of an error."""
        return describe_failure(error, self._describe)

    def ask_to_cancel(self) -> bool:
        """Take the wish to cancel; False if there is nothing to cancel any more."""
        with self._lock:
            if self._status is not _RUNNING:
                return False
            if not self._cancelled:
                self._cancelled = self._progress.cancelling = True
                self._sender.say(PROGRESS, self)
            children = list(self._children)
        for child in children:
            child.ask_to_cancel()
        return True

    def take_state(
        self, status: JobStatus = _RUNNING, *, result: Any = None, error: JobError | None = None
    ) -> JobState:
        """Return the state, with as many of the newest warnings and steps as fit into an event."""
        state = self._progress.take_state(self._clock(), datetime.now(UTC), status, result=result, error=error)
        if self._place is not None:
            self._place.move(self._progress.share)
        return _fit(state)

    # Inside.

    def _enter(self) -> None:
        with self._lock:
            if self._entered or self._status is not _RUNNING:
                self.start()  # which a job that was started before refuses
            self._entered = True

    def _check_running(self) -> None:
        if self._status is not _RUNNING or self._pacer.closed:
            self._refuse()

    def _refuse(self) -> NoReturn:
        if self._status is _RUNNING:
            raise ProducerClosed(f"the producer of the job {self._topic} is closed")
        if self._status is None:
            advice = "use it in a with block, or call start (a JobTracker: send_start)"
            raise JobEnded(f"the job {self._topic} was not started: {advice}")
        raise JobEnded(f"the job {self._topic} has ended ({self._status})")

    def _begin_step(self, name: str, weight: float | None) -> Part:
        with self._lock:
            self._check_running()
            part = self._progress.begin_step(name, weight)
            self._sender.want(self)
            return part

    def _make_child(
        self,
        kind: type[J],
        job: str,
        weight: float,
        title: str | None,
        total: float | None,
        metadata: dict[str, Any] | None,
        attempt: int,
    ) -> J:
        self._check_running()
        place = Place(self, self._children, self._progress, self._sender, check_weight(weight))
        return self._make(kind, job, self._progress.user, title, total, metadata, attempt=attempt, place=place)

    def _end(self, status: JobStatus, *, result: Any = None, error: JobError | None = None) -> None:
        with self._lock:
            self._check_running()
            if result is not None:
                self.take_state(status, result=result)  # raises if it is too large, while nothing is changed
            self._progress.close(StepStatus(status.value) if status.terminal else StepStatus.FAILED)
            final = self.take_state(status, result=result, error=error)
            self._status = status
            self._sender.end(status.value if status.terminal else PROGRESS, self, final)
            self._publisher.commands.remove(self._topic, self)
            if self._place is not None:
                self._place.end(self, status)

    def _settle_log(self, outcome: Outcome) -> None:
        if isinstance(outcome, PublishError):
            _log.warning("line of a job's log lost", topic=self._topic, reason=str(outcome))

    def _leave(self, error: BaseException | None) -> None:
        if self._status is not _RUNNING:
            return
        if error is None:
            self.complete()
        elif is_cancellation(error):
            self.cancel()
        else:
            self.fail(error)


def _fit(state: JobState) -> JobState:
    """Return `state` without the oldest warnings and steps that an event has no room for."""
    while True:
        try:
            encode_stored(PROGRESS, state)
        except EventTooLarge:
            if not (state.warnings or state.steps):
                raise
            steps, warnings = state.steps, state.warnings
            if len(msgspec.json.encode(steps)) > len(msgspec.json.encode(warnings)):
                state = msgspec.structs.replace(state, steps=steps[1:])
            else:
                state = msgspec.structs.replace(state, warnings=warnings[1:])
        else:
            return state
