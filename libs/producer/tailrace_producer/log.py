"""The log, as the producer writes it: one that takes nothing any more stops nothing.

What is told here comes from the middle of the work, and a log raises when its pipe is broken or its disk is full.
"""

import logging
from collections.abc import Callable
from typing import Any

import structlog

_NAME = "tailrace.producer"


class Logger:
    """structlog's logger, as the application has set it up, but for its exceptions."""

    def __init__(self) -> None:
        self._log = structlog.get_logger(_NAME)

    def info(self, event: str, **fields: Any) -> None:
        """Tell what is good to know."""
        _write(self._log.info, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Tell what may need a look."""
        _write(self._log.warning, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """Tell what went wrong for good."""
        _write(self._log.error, event, fields)


def _write(write: Callable[..., object], event: str, fields: dict[str, Any]) -> None:
    try:
        write(event, **fields)
    except Exception as error:
        # The standard library's never raises, and prints to standard error if nobody has set it up.
        logging.getLogger(_NAME).warning("%s %s (the log takes nothing: %r)", event, fields, error)
