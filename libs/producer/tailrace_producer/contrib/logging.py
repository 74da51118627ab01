"""A logging handler that sends the lines of the current job to those who watch it."""

import logging
import sys
from contextvars import ContextVar

from tailrace_producer.current import current_job
from tailrace_producer.errors import JobEnded
from tailrace_producer.job import Job, SyncJob

MAX_LINE = 8_000
"""Characters of a line; what is longer is cut."""

_OWN = ("tailrace", "nats", "asyncio")
"""Loggers, with those below them, of what sends the lines: about its troubles it would log without end."""

_sending: ContextVar[bool] = ContextVar("tailrace_log_sending", default=False)


class JobLogHandler(logging.Handler):
    """Sends each record to the log of the current job (`Job.log`); a record outside of any job is ignored.

    It never raises, and never waits for the broker. What goes wrong is reported as the `logging` module does it, on
    standard error. A line has the fields `level`, `message`, `logger`, and `error` (type and message) where the record
    has an exception. Tracebacks are sent only if you give the handler a formatter, whose text is the message then.

    Args:
        level: the lowest that is sent. INFO by default, as watchers of a job are seldom its programmers.
    """

    def __init__(self, level: int | str = logging.INFO) -> None:
        super().__init__(level)

    def createLock(self) -> None:  # noqa: N802  # the name is logging's
        """No lock: nothing here is shared, and the producer may log while it holds a lock of its own."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Send a record that no filter holds back. Called by `logging`, whose own takes the lock from 3.13 on."""
        passed = self.filter(record)
        if sys.version_info >= (3, 12) and isinstance(passed, logging.LogRecord):
            record = passed  # a filter may replace it
        if passed:
            self.emit(record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record. Called by `logging`."""
        job = current_job()
        if job is None or _sending.get() or record.name.partition(".")[0] in _OWN:
            return
        _sending.set(True)
        try:
            job.log(self._format_line(record), record.levelname.lower(), **_describe(record, job))
        except JobEnded:
            pass  # the work goes on after the job's end, and so it is no line of the job's
        except Exception:  # logging must not break the application
            self.handleError(record)
        finally:
            _sending.set(False)

    def _format_line(self, record: logging.LogRecord) -> str:
        text = record.getMessage() if self.formatter is None else self.format(record)
        text = text.encode(errors="replace").decode()  # a lone surrogate has no place in JSON
        return text if len(text) <= MAX_LINE else text[: MAX_LINE - 1] + "…"


def _describe(record: logging.LogRecord, job: Job | SyncJob) -> dict[str, str]:
    fields = {"logger": record.name}
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        told = job.describe(error)
        fields["error"] = f"{told.type}: {told.message}"
    return fields
