"""Celery: a base class whose tasks are jobs. The job's id is the task's id.

    @app.task(bind=True, base=JobTask, job=JobOptions(title="Send mails", total=lambda a: len(a["addresses"])))
    def send_mails(self, addresses):
        for address in self.current.track(addresses):
            ...

The worker's producer is the process's (`tailrace_producer.contrib`). Prefork workers, threads and the solo pool work.
"""

import inspect
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import uuid4

import celery
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import signals
from celery.app.task import Context
from celery.exceptions import Ignore, Reject, Retry
from tailrace_protocol.errors import PublishError
from tailrace_protocol.jobs import JobStatus

from tailrace_producer.contrib.default import get_default_producer, require_default_producer
from tailrace_producer.errors import JobCancelled, JobEnded
from tailrace_producer.job import SyncJob
from tailrace_producer.log import Logger

if TYPE_CHECKING:
    _Task = celery.Task[..., Any]
else:
    _Task = celery.Task

_log = Logger()

_KILLED = -128
"""Below it are the exit codes that the signal handlers of the pool's processes raise."""

LIMIT_TOLERANCE = 0.25
"""Seconds by which a task's process sees its hard time limit later than the worker does, at most."""

Arguments = Mapping[str, Any]
"""A task's arguments by their names, those that have a default included."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JobOptions:
    """What is known of a task's job before the task runs. Functions are called with the task's arguments by name.

    Attributes:
        user: returns the job's owner; without it the job has none.
        title: what people call it; the task's name if it is None.
        total: units there are to do, if that is known.
        metadata: returns what watchers should know.
    """

    user: Callable[[Arguments], object] | None = None
    title: str | Callable[[Arguments], str] | None = None
    total: float | Callable[[Arguments], float] | None = None
    metadata: Callable[[Arguments], dict[str, Any]] | None = None


class JobTask(_Task):
    """Base of tasks that are jobs: `@app.task(bind=True, base=JobTask, job=JobOptions(...))`.

    While the task runs its job is the current one (`current`, `tailrace_producer.current_job`). What becomes of it:

    - the task returns: complete; `self.current.complete(result)` before that gives it a result;
    - it raises: failed. The same after a hard time limit, and when its process is lost;
    - it retries, by itself or by `autoretry_for`: retrying, and the next run is the job's next attempt;
    - the job is asked to cancel and `JobCancelled` leaves the task: cancelled, and the task's state is REVOKED;
    - the task is revoked: cancelled. One that runs is reached by `revoke(terminate=True)` only;
    - it raises `Ignore`: cancelled; `Reject`: failed, or retrying if it is queued again.
    """

    abstract = True
    job: JobOptions = JobOptions()

    @property
    def current(self) -> SyncJob:
        """The job of this run of the task.

        Raises:
            JobEnded: no run of the task is on its way here.
        """
        job: SyncJob | None = self.request.get("tailrace_job")
        if job is None:
            raise JobEnded(f"the task {self.name} does not run here, so it has no job")
        return job

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task as a job. Called by Celery, or by whoever calls the task as a function."""
        request = self.request
        if request.called_directly or request.get("tailrace_job") is not None:  # a function, maybe called by itself
            self.request_stack.push(Context(args=args, kwargs=kwargs))
            try:
                return self._run_job(args, kwargs)
            finally:
                self.request_stack.pop()
        try:
            return self._run_job(args, kwargs)
        except JobCancelled:
            self._revoke_itself()

    def retry(self, *args: Any, **options: Any) -> Any:
        """Retry the task as Celery does, unless what ended this run is the wish to cancel its job."""
        cause = options.get("exc") or (args[2] if len(args) > 2 else None) or sys.exception()
        if isinstance(cause, JobCancelled):
            raise cause
        return super().retry(*args, **options)

    def end_for(self, request: Context, end: Callable[[SyncJob], None]) -> None:
        """End the job of a run that another process began, or none. Called in the worker's main process."""
        job = self._make_job(request, tuple(request.args or ()), dict(request.kwargs or {}))
        job.start()
        end(job)

    def _run_job(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        began = time.monotonic()
        job = self._make_job(self.request, args, kwargs)
        self.request.update({"tailrace_job": job})
        with job:
            try:
                return self.run(*args, **kwargs)
            except SystemExit as leaving:
                if job.status is JobStatus.RUNNING:
                    self._end_killed(job, leaving, time.monotonic() - began)
                raise
            except (Retry, Reject, Ignore) as word:
                if job.status is JobStatus.RUNNING:  # the task may have ended it by itself
                    _end(job, word)
                raise

    def _end_killed(self, job: SyncJob, leaving: SystemExit, elapsed: float) -> None:
        """End the job of a process that ends, as the worker's main process will tell it too: no order is certain."""
        limit = (self.request.timelimit or [None])[0] or self.time_limit
        if not (isinstance(leaving.code, int) and leaving.code < _KILLED):
            job.fail(leaving)
        elif limit and elapsed > limit - LIMIT_TOLERANCE:
            job.fail(TimeLimitExceeded(limit))
        else:
            job.cancel()

    def _make_job(self, request: Context, args: tuple[Any, ...], kwargs: dict[str, Any]) -> SyncJob:
        bound = inspect.signature(self.run).bind(*args, **kwargs)
        bound.apply_defaults()
        arguments, options = bound.arguments, self.job
        title = options.title(arguments) if callable(options.title) else options.title
        user = None if options.user is None else options.user(arguments)
        return require_default_producer().job(
            request.id or uuid4().hex,
            user=None if user is None else str(user),
            title=title or self.name,
            total=options.total(arguments) if callable(options.total) else options.total,
            metadata=None if options.metadata is None else options.metadata(arguments),
            attempt=(request.retries or 0) + 1,
        )

    def _revoke_itself(self) -> NoReturn:
        """End the run as one that was revoked, so that who waits for its result is told."""
        request = self.request
        if request.id is not None:
            store = not (request.is_eager or self.ignore_result or request.ignore_result)
            self.backend.mark_as_revoked(request.id, "its job was cancelled", request, store_result=store)
        raise Ignore from None


def _end(job: SyncJob, word: Retry | Reject | Ignore) -> None:
    """End a job as the exception says with which its task told Celery how to go on."""
    if isinstance(word, Retry):
        job.retry(word.exc or str(word))
    elif isinstance(word, Ignore):
        job.cancel()
    elif getattr(word, "requeue", False):
        job.retry(str(word))
    else:
        job.fail(str(word))


def _on_revoked(sender: Any, request: Context, **_: Any) -> None:
    """A task was revoked before it ran, or killed while it did. Called in the worker's main process."""
    if isinstance(sender, JobTask):
        sender.end_for(request, SyncJob.cancel)


def _on_failure(sender: Any, exception: BaseException, **_: Any) -> None:
    """A task's process was lost or killed. Of other failures the task itself knows."""
    if isinstance(sender, JobTask) and isinstance(exception, WorkerLostError | TimeLimitExceeded):
        sender.end_for(sender.request, lambda job: job.fail(exception))


def _on_process_end(**_: Any) -> None:
    """A process of the pool ends, without the handlers that `atexit` would call."""
    producer = get_default_producer()
    if producer is None:
        return
    try:
        producer.close()
    except PublishError as error:
        _log.error("events lost", reason=str(error))


signals.task_revoked.connect(_on_revoked)
signals.task_failure.connect(_on_failure)
signals.worker_process_shutdown.connect(_on_process_end)
