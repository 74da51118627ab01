"""The current job: the one whose context the code runs in, as far as contextvars carry it."""

import os
from contextvars import ContextVar
from typing import TYPE_CHECKING

from tailrace_protocol.jobs import JobStatus

if TYPE_CHECKING:
    from tailrace_producer.job import Job, SyncJob

_current: ContextVar["Job | SyncJob | None"] = ContextVar("tailrace_job", default=None)


def current_job() -> "Job | SyncJob | None":
    """Return the job in whose context this runs; the innermost of nested ones, None outside of any.

    Tasks of asyncio and `asyncio.to_thread` take it along. Threads that you start yourself, and those of executors,
    do so if they run in a copy of the context: `pool.submit(contextvars.copy_context().run, work)`. A forked process
    has none.
    """
    return _current.get()


def enter_job(job: "Job | SyncJob") -> "Job | SyncJob | None":
    """Make `job` the current one, and return the one before."""
    before = _current.get()
    _current.set(job)
    return before


def leave_job(job: "Job | SyncJob", before: "Job | SyncJob | None") -> None:
    """Make `before` the current one again, if `job` is it and `before` still runs."""
    # No token: frameworks enter and leave a context manager in different contexts.
    if _current.get() is job:
        _current.set(before if before is not None and before.status is JobStatus.RUNNING else None)


def _forget() -> None:
    _current.set(None)


os.register_at_fork(after_in_child=_forget)
