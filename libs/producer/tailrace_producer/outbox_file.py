"""One file of events that wait for the broker: an SQLite database, and a lock that tells whether its process lives.

Each producer of each process has a file of its own, so that none waits for another, and what a dead process has left
is what nobody holds the lock of.
"""

import contextlib
import fcntl
import os
import sqlite3
import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple
from weakref import WeakSet

from tailrace_producer.pending import Message

SUFFIX = ".outbox"

BUSY_TIMEOUT = 5.0
"""Seconds to wait for somebody who reads the file, such as a backup."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY, subject BLOB NOT NULL, headers BLOB NOT NULL, payload BLOB NOT NULL,
    first_sent REAL NOT NULL
)
"""


class Row(NamedTuple):
    """An event on disk.

    Attributes:
        number: counts up in the order in which they were published.
        message: what is published.
        first_sent: seconds since 1970 from which on it may have been sent; 0 if it was not.
    """

    number: int
    message: Message
    first_sent: float


class Change(NamedTuple):
    """What is to be written in one transaction, in this order.

    Attributes:
        rows: to be added.
        marks: numbers of events that may be sent from now on, and when that is.
        removed: numbers of events that need no place any more.
    """

    rows: list[Row]
    marks: list[tuple[float, int]]
    removed: list[int]


class OutboxFile:
    """A file of events. Used by one thread; nothing is there before the first change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_path = path.with_suffix(".lock")
        self._lock: int | None = None
        self._database: sqlite3.Connection | None = None

    def take_over(self) -> bool:
        """Return whether the process that made it is dead, and make it this one's then.

        Raises:
            OSError: the files cannot be used.
        """
        if not self._try_lock():
            return False
        if self.path.exists():
            return True
        self._remove_lock()  # its process has just come to its end
        return False

    def read(self) -> list[Row]:
        """Return all events, in order.

        Raises:
            sqlite3.Error: it is damaged.
        """
        with _transactions:
            try:
                found = self._open().execute(
                    "SELECT number, subject, headers, payload, first_sent FROM events ORDER BY 1"
                )
                return [Row(number, Message(*message), sent) for number, *message, sent in found]
            except sqlite3.Error:
                self._disconnect()
                raise

    def change(self, change: Change) -> None:
        """Write a change, whole or not at all; when this returns, it lasts.

        Raises:
            OSError: there can be no file here.
            sqlite3.Error: the disk is full or broken.
        """
        with _transactions, self._open() as database:
            database.executemany(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?)",
                [(row.number, *row.message, row.first_sent) for row in change.rows],
            )
            database.executemany("UPDATE events SET first_sent = ? WHERE number = ? AND first_sent = 0", change.marks)
            database.executemany("DELETE FROM events WHERE number = ?", [(number,) for number in change.removed])

    def close(self, gone: Collection[int] = ()) -> int:
        """Let go of it, and delete it if it is empty; returns the number of events that stay in it.

        Args:
            gone: numbers of events that need no place any more, though the disk did not take that.

        Raises:
            OSError: it cannot be deleted.
            sqlite3.Error: it is damaged.
        """
        try:
            return self._close(gone)
        finally:
            self._disconnect()
            self._remove_lock()

    def _close(self, gone: Collection[int]) -> int:
        if self._lock is None:
            return 0
        if self._database is None:  # it could not be read, or not be made
            left = int(self.path.exists() and self.path.stat().st_size > 0)
        else:
            with _transactions:
                found = self._database.execute("SELECT number FROM events")
                left = len({number for (number,) in found}.difference(gone))
                self._disconnect()
        if not left:
            self.path.unlink(missing_ok=True)
            Path(f"{self.path}-journal").unlink(missing_ok=True)
        return left

    def _disconnect(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            if self._lock is None and not self._try_lock():
                raise BlockingIOError(f"another process uses {self.path}")
            # Made here, since SQLite lets everybody read; its journal gets the same permissions.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            database = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT)
            try:
                database.execute("PRAGMA journal_mode = TRUNCATE")  # the default deletes a file each time
                database.execute(_SCHEMA)
                database.commit()
            except sqlite3.Error:  # without its table it is of no use
                database.close()
                raise
            self._database = database
        return self._database

    def _try_lock(self) -> bool:
        descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._lock = descriptor
        _locked.add(self)
        return True

    def _remove_lock(self) -> None:
        # Deleted while it is held: who opened it before and gets it then, finds that there is no database.
        if self._lock is not None:
            if not self.path.exists():
                self._lock_path.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None
        _locked.discard(self)

    def _forget(self) -> None:
        """Leave it to the parent, in a forked process, which would hold the lock together with it."""
        if self._lock is not None:
            with contextlib.suppress(OSError):
                os.close(self._lock)


def find_files(folder: Path, tenant: str) -> Sequence[Path]:
    """Return the files of a tenant, the oldest first."""
    paths = []
    for path in folder.glob(f"{tenant}.*{SUFFIX}"):
        with contextlib.suppress(FileNotFoundError):
            paths.append((path.stat().st_ctime, path))
    return [path for _, path in sorted(paths)]


_transactions = threading.Lock()
"""Held during each transaction: a process forked in the middle of one would end it in its own way."""

_locked: WeakSet[OutboxFile] = WeakSet()


def _start_anew() -> None:
    _transactions.release()
    for file in list(_locked):
        file._forget()  # noqa: SLF001  # this module's own
    _locked.clear()


os.register_at_fork(before=_transactions.acquire, after_in_parent=_transactions.release, after_in_child=_start_anew)
