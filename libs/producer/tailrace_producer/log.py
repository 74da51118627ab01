"""The log, as the producer writes it: one that takes nothing any more stops nothing.

What is told here comes from the middle of the work, and a log raises when its pipe is broken or its disk is full.
"""

import logging
import os
import threading
from collections.abc import Callable
from typing import Any

import structlog

_NAME = "tailrace.producer"

FORK_PATIENCE = 1.0
"""Seconds that a fork waits for what the producer's threads write at the moment."""


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
    with _writing.lock:
        try:
            write(event, **fields)
        except Exception as error:
            # The standard library's never raises, and prints to standard error if nobody has set it up.
            logging.getLogger(_NAME).warning("%s %s (the log takes nothing: %r)", event, fields, error)


class _Writing:
    """Held while a line is written: a process forked meanwhile would wait for ever for locks of the log."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.lock = threading.RLock()
        self._held = False

    def hold(self) -> None:
        self._held = self.lock.acquire(timeout=FORK_PATIENCE)

    def go_on(self) -> None:
        if self._held:
            self.lock.release()


_writing = _Writing()

os.register_at_fork(before=_writing.hold, after_in_parent=_writing.go_on, after_in_child=_writing.renew)
