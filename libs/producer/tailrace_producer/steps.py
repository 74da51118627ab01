"""Steps of a job, as the code that performs them sees them."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from tailrace_protocol.jobs import JobStatus, StepStatus

from tailrace_producer.counts import check_finite, check_total
from tailrace_producer.errors import is_cancellation
from tailrace_producer.parts import Part
from tailrace_producer.progress import Progress
from tailrace_producer.sender import Sender
from tailrace_producer.tracking import track, track_async

if TYPE_CHECKING:
    from tailrace_producer.reporting import BaseJob

T = TypeVar("T")


class BaseStep:
    """What both kinds of steps do. Its `with` block ends it, a plain one also in async code; or else the next step."""

    def __init__(self, job: "BaseJob", sender: Sender, progress: Progress, part: Part) -> None:
        self._job = job
        self._sender = sender
        self._progress = progress
        self._part = part

    def __enter__(self) -> Self:
        with self._sender.lock:
            self._progress.enter_step(self._part)
        return self

    def __exit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        with self._sender.lock:
            if self._job.status is JobStatus.RUNNING:
                self._progress.end_step(self._part, _judge(error))
                self._sender.want(self._job)

    @property
    def cancelled(self) -> bool:
        """Whether the job was asked to cancel."""
        return self._job.cancelled

    def raise_if_cancelled(self) -> None:
        """Raise JobCancelled if the job was asked to cancel."""
        self._job.raise_if_cancelled()

    def update(
        self,
        done: float | None = None,
        *,
        advance: float | None = None,
        total: float | None = None,
        message: str | None = None,
    ) -> None:
        """Report progress of the step; the job's moves by its weight. Cheap: call it as often as you like.

        Args:
            done: units of the step done so far.
            advance: or: units done since the last call.
            total: units the step has, if that is news.
            message: a word about it.

        Raises:
            JobEnded: the job has ended.
            InvalidInput: a number is not finite, or the total is negative.
        """
        with self._sender.lock:
            self._job.update(message=message)
            part = self._part
            done = part.done if done is None else check_finite(done)
            if advance is not None:
                done += check_finite(advance)
            part.update(done, part.total if total is None else check_total(total))


def _judge(error: BaseException | None) -> StepStatus:
    if error is None:
        return StepStatus.COMPLETE
    return StepStatus.CANCELLED if is_cancellation(error) else StepStatus.FAILED


class Step(BaseStep):
    """A step of a `Job`."""

    def track(self, items: Iterable[T] | AsyncIterable[T], total: float | None = None) -> AsyncIterator[T]:
        """Yield each of `items`, and count it as done in the step. As `Job.track`."""
        return track_async(self, items, total)


class SyncStep(BaseStep):
    """A step of a `SyncJob`."""

    def track(self, items: Iterable[T], total: float | None = None) -> Iterator[T]:
        """Yield each of `items`, and count it as done in the step. As `SyncJob.track`."""
        return track(self, items, total)
