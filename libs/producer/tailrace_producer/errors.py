"""What reports about a job may raise, beside what publishing does (`tailrace_protocol.errors`)."""

from tailrace_protocol.errors import TailraceError


class JobEnded(TailraceError):
    """The job has ended, or was not started yet: nothing can be reported about it."""


class JobCancelled(TailraceError):
    """The job was asked to cancel. Let it pass: leaving the job's context with it ends the job as cancelled.

    Attributes:
        topic: of the job.
    """

    def __init__(self, topic: str) -> None:
        super().__init__(f"the job {topic} was asked to cancel")
        self.topic = topic


class WrongEventLoop(TailraceError, RuntimeError):
    """A `Producer` lives in one event loop, and this is another one or none. `SyncProducer` needs none."""


class TextEnded(TailraceError):
    """The text has ended, or was not started yet: nothing can be written to it."""


def is_cancellation(error: BaseException) -> bool:
    """Return whether what an exception ends was cancelled, not failed: by JobCancelled, a cancelled task or Ctrl-C."""
    if isinstance(error, ExceptionGroup):
        return error.split(JobCancelled)[1] is None
    return isinstance(error, JobCancelled) or not isinstance(error, Exception)
