"""Signals: those of the process are for the application's threads, not for the producer's."""

import signal

_FAULTS = {"SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV"}


def leave_signals() -> None:
    """Have no signal of the process delivered to the thread that calls this.

    Where a thread holds them back, to finish something, it counts on that they wait. They would come here instead, and
    end the process in the middle: Celery's pool then waits for ever for a lock that a process ended with.
    """
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        signal.pthread_sigmask(
            signal.SIG_BLOCK, {number for number in signal.valid_signals() if _name(number) not in _FAULTS}
        )


def _name(number: int) -> str:
    return number.name if isinstance(number, signal.Signals) else ""
