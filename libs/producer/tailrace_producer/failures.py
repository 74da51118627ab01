"""What watchers are told of an exception that ended a job or a text."""

from collections.abc import Callable

from tailrace_protocol.jobs import JobError

from tailrace_producer.log import Logger
from tailrace_producer.progress import cut

Describe = Callable[[BaseException], str]
"""Returns what to tell of an exception; see `Settings.describe_error`."""

_log = Logger()


def describe_failure(error: BaseException | str, describe: Describe | None) -> JobError:
    """Return what to tell: the type of an exception and what `describe` says, by default its own text.

    If that fails, as `__str__` may too, only the type is told: a job has to end whatever happens.
    """
    if isinstance(error, str):
        return JobError("Error", cut(error))
    kind = type(error).__name__
    try:
        return JobError(kind, cut((describe or str)(error)))
    except Exception as trouble:
        _log.error("an error cannot be described", error=kind, reason=repr(trouble))
        return JobError(kind, "")
