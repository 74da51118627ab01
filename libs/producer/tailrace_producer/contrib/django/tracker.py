"""`JobTracker`: a job, reported about by plain calls, from any view or function."""

from types import TracebackType
from typing import Any, Self

from tailrace_protocol.errors import InvalidInput
from tailrace_protocol.jobs import JobStatus

from tailrace_producer.contrib.django.configuration import get_producer
from tailrace_producer.job import SyncJob

PERCENT = 100.0
"""The total where nobody says another: progress is told in percent then."""


class JobTracker:
    """Reports the progress of one job. Its methods return at once, so that async views may call them too.

    Call `send_start`, then the others, and `send_complete` or `send_error` at the end; a job that is not ended counts
    as running for as long as the process lives. Or use it as a context manager, which begins the job, makes it the
    current one (`tailrace_producer.current_job`), and ends it, as failed if an exception leaves it.

    Args:
        job_id: unique among the jobs of its user.
        user: its owner: a Django user who is logged in, or a primary key. None for a job that belongs to nobody.
        title: what people call the job.
        total: units there are; None for progress in percent, of which `send_complete` makes 100.
        metadata: whatever watchers should know.

    Raises:
        ImproperlyConfigured: `settings.TAILRACE` cannot work.
        InvalidInput: the user is anonymous or not saved, id or user make no topic, or the metadata is no JSON.

    Attributes:
        job: what it reports about, for whatever has no method here.
    """

    def __init__(
        self,
        job_id: object,
        user: Any = None,
        *,
        title: str | None = None,
        total: float | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._id = str(job_id)
        self._user = _find_owner(user)
        self._description: dict[str, Any] = {"title": title, "total": total, "metadata": metadata}
        self.job = self._make_job()

    @property
    def job_id(self) -> str:
        """The job's id, as watchers name it."""
        return self._id

    @property
    def topic(self) -> str:
        """What watchers of the job watch."""
        return self.job.topic

    def send_start(
        self, title: str | None = None, *, total: float | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        """Begin. What is given here takes the place of what was given to the tracker.

        Args:
            title: what people call the job.
            total: units there are.
            metadata: whatever watchers should know.

        Raises:
            JobEnded: the job was started before.
            InvalidInput: the metadata is no JSON or too large.
        """
        given = {"title": title, "total": total, "metadata": metadata}
        news = {name: value for name, value in given.items() if value is not None}
        if news and self.job.status is None:
            self._description |= news
            self.job = self._make_job()
        self.job.start()

    def send_progress(self, done: float, message: str | None = None, *, metadata: dict[str, Any] | None = None) -> None:
        """Report progress. Call it as often as you like: at most 10 a second are published, the newest always.

        Args:
            done: units done so far, of the total; percent, if you gave none.
            message: a word about it.
            metadata: is added to the job's.

        Raises:
            JobEnded: the job has ended, or was not started.
            InvalidInput: the number is not finite, or the metadata is no JSON.
        """
        self.job.update(done, message=message, metadata=metadata)

    def send_warning(self, message: str, data: Any = None) -> None:
        """Report what watchers should know and what did not stop the job.

        Raises:
            JobEnded: the job has ended, or was not started.
            InvalidInput: `data` is no JSON, or larger than 4 KiB.
        """
        self.job.warn(message, data)

    def send_error(self, error: BaseException | str) -> None:
        """End the job as failed.

        Raises:
            JobEnded: the job has ended, or was not started.
        """
        self.job.fail(error)

    def send_complete(self, result: Any = None) -> None:
        """End the job well: at 100 %, where progress is told in percent.

        Raises:
            JobEnded: the job has ended, or was not started.
            InvalidInput: `result` is no JSON or too large; the job goes on.
        """
        if self._description["total"] is None and self.job.total == PERCENT:  # else it was counted by other means
            self.job.update(PERCENT)
        self.job.complete(result)

    def __enter__(self) -> Self:
        self.job.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self.job.status is JobStatus.RUNNING:
            self.send_complete()
        self.job.__exit__(kind, error, trace)

    def _make_job(self) -> SyncJob:
        described = self._description
        total = PERCENT if described["total"] is None else described["total"]
        return get_producer().job(self._id, user=self._user, **(described | {"total": total}))


def _find_owner(user: Any) -> str | None:
    if user is None:
        return None
    if getattr(user, "is_anonymous", False):
        raise InvalidInput("the user is anonymous; give one who is logged in, or None for a job that belongs to nobody")
    owner = getattr(user, "pk", user)
    if owner is None:
        raise InvalidInput("the user has no primary key; save it first")
    return str(owner)
