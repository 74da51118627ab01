"""Jobs: units of work that report progress, from the event loop or from any thread."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

from tailrace_producer.current import enter_job, leave_job
from tailrace_producer.reporting import BaseJob
from tailrace_producer.steps import Step, SyncStep
from tailrace_producer.tracking import track, track_async

T = TypeVar("T")


class Job(BaseJob):
    """A job of a `Producer`: `async with producer.job("import-42", total=9) as job`.

    Its methods may be called from worker threads too, and a plain `with` there does the same.
    """

    def __enter__(self) -> Self:
        self._enter()
        self._before = enter_job(self)
        return self

    def __exit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        leave_job(self, self._before)
        self._leave(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def track(self, items: Iterable[T] | AsyncIterable[T], total: float | None = None) -> AsyncIterator[T]:
        """Yield each of `items`, and count it as done when the loop comes back for the next.

        Args:
            items: plain or async. Of a plain one, other tasks get to run every 10 ms.
            total: units there are; the length of `items` where it has one.

        Raises:
            JobCancelled: the job was asked to cancel, and there is an item left.
        """
        return track_async(self, items, total)

    def step(self, name: str, weight: float | None = None) -> Step:
        """Report what the job is at now, for people to read.

        The step ends with the `with` block that it is used in (a plain one, also in async code), or else when the next
        one begins. Then its weight counts as done; meanwhile, the part of it that its own `update` and `track` tell.

        Args:
            name: of the step.
            weight: units of the job's total that it stands for. By default what `plan` says, or none.

        Raises:
            JobEnded: the job has ended, or was not started.
            InvalidInput: the weight is negative, or no number.
        """
        return Step(self, self._sender, self._progress, self._begin_step(name, weight))

    def child(
        self,
        id: str,
        *,
        weight: float = 1,
        title: str | None = None,
        total: float | None = None,
        metadata: dict[str, Any] | None = None,
        attempt: int = 1,
    ) -> "Job":
        """Return a job that is a part of this one, to be entered with `async with`. See `Producer.job`.

        It has the same owner and a topic of its own. As it moves, so does this one, by its weight.

        Args:
            id: unique among the jobs of its user.
            weight: units of this job's total that it stands for.
            title: as for `Producer.job`.
            total: as for `Producer.job`.
            metadata: as for `Producer.job`.
            attempt: as for `Producer.job`.

        Raises:
            JobEnded: this job has ended, or was not started.
            InvalidInput: id, weight, total or metadata cannot be taken.
        """
        return self._make_child(Job, id, weight, title, total, metadata, attempt)


class SyncJob(BaseJob):
    """A job of a `SyncProducer`: `with producer.job("import-42", total=9) as job`.

    Its methods may be called from any thread.
    """

    def __enter__(self) -> Self:
        self._enter()
        self._before = enter_job(self)
        return self

    def __exit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        leave_job(self, self._before)
        self._leave(error)

    def track(self, items: Iterable[T], total: float | None = None) -> Iterator[T]:
        """Yield each of `items`, and count it as done when the loop comes back for the next.

        Args:
            items: what there is to do.
            total: units there are; the length of `items` where it has one.

        Raises:
            JobCancelled: the job was asked to cancel, and there is an item left.
        """
        return track(self, items, total)

    def step(self, name: str, weight: float | None = None) -> SyncStep:
        """Report what the job is at now. As `Job.step`."""
        return SyncStep(self, self._sender, self._progress, self._begin_step(name, weight))

    def child(
        self,
        id: str,
        *,
        weight: float = 1,
        title: str | None = None,
        total: float | None = None,
        metadata: dict[str, Any] | None = None,
        attempt: int = 1,
    ) -> "SyncJob":
        """Return a job that is a part of this one, to be entered with `with`. As `Job.child`."""
        return self._make_child(SyncJob, id, weight, title, total, metadata, attempt)
