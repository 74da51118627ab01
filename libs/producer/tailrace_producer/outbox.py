"""The outbox on disk: events that are not acknowledged for a while are written to a file, and survive the process.

While all goes well nothing is written. Nothing here waits for the disk but a thread of its own; what it is given is
written in order, as much as has come at a time in one transaction.
"""

import asyncio
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from tailrace_protocol.errors import SetupError

from tailrace_producer.log import Logger
from tailrace_producer.outbox_file import SUFFIX, Change, OutboxFile, Row, find_files
from tailrace_producer.pending import Pending, Place, parse_line
from tailrace_producer.signals import leave_signals

RETRY_INTERVAL = 1.0
"""Seconds until what the disk did not take is given to it again, if nothing else comes before."""

_log = Logger()

T = TypeVar("T")


class Left(NamedTuple):
    """An event that a dead process has left."""

    place: Place
    row: Row


class Outbox:
    """The events of one producer on disk, and those that it has taken over. Used in the event loop's thread."""

    def __init__(self, folder: Path, tenant: str, name: str) -> None:
        self._folder = folder
        self._tenant = tenant
        self._own = OutboxFile(folder / f"{tenant}.{name}{SUFFIX}")
        self._files = [self._own]
        self._loop: asyncio.AbstractEventLoop
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.RLock()
        self._changes: dict[OutboxFile, Change] = {}
        self._then: list[Callable[[], object]] = []
        self._unwritten: dict[OutboxFile, Change] = {}  # only touched by the thread
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SetupError(f"there can be no outbox in {folder}: {error.strerror}") from None
        if not os.access(folder, os.W_OK):
            raise SetupError(f"there can be no outbox in {folder}: it may not be written to")

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to work."""
        self._loop = loop
        self._thread = threading.Thread(target=self._work, name="tailrace-outbox", daemon=True)
        self._thread.start()

    def put(self, number: int, pending: Pending) -> None:
        """Write an event to disk."""
        sent = time.time() - (time.monotonic() - pending.first_sent) if pending.first_sent else 0.0
        pending.place = Place(self._own, number, sent > 0)
        row = Row(number, parse_line(pending.line), sent)
        with self._lock:
            self._prepare(self._own).rows.append(row)

    def remove(self, place: Place) -> None:
        """Remove an event, which is stored by the broker or given up."""
        with self._lock:
            self._prepare(place.file).removed.append(place.number)

    def mark(self, events: Sequence[Pending], then: Callable[[], object]) -> None:
        """Note on disk that `events` may be sent from now on, and call `then` when that is done."""
        now = time.time()
        with self._lock:
            for pending in events:
                if pending.place is not None:
                    self._prepare(pending.place.file).marks.append((now, pending.place.number))
            self._then.append(then)

    async def take_over(self, most: int, most_bytes: int) -> list[Left]:
        """Return what dead processes have left, and make it this one's: whole files, as long as they fit.

        Args:
            most: events.
            most_bytes: the same in bytes. The first file is always taken.
        """
        return await self._call(lambda: self._take_over(most, most_bytes))

    @property
    def broken(self) -> bool:
        """Whether the disk did not take what was given to it last; it is tried again every second."""
        return bool(self._unwritten)

    async def close(self) -> int:
        """Return the number of events that stay on disk, when all is written."""
        left = await self._call(self._close)
        self._tasks.put(None)
        return left

    # Inside. What follows runs in the thread.

    def _work(self) -> None:
        leave_signals()
        while (task := self._next_task()) is not None:
            task()

    def _next_task(self) -> Callable[[], None] | None:
        try:
            return self._tasks.get(timeout=RETRY_INTERVAL if self._unwritten else None)
        except queue.Empty:
            return self._write

    def _write(self) -> None:
        with self._lock:
            changes, self._changes = self._changes, {}
            thens, self._then = self._then, []
        for file, change in _join(self._unwritten, changes).items():
            try:
                file.change(change)
            except (sqlite3.Error, OSError) as error:
                self._complain(error)
                self._unwritten[file] = change
            else:
                self._unwritten.pop(file, None)
        for then in thens:
            self._loop.call_soon_threadsafe(then)

    def _take_over(self, most: int, most_bytes: int) -> list[Left]:
        taken: list[Left] = []
        known = {file.path for file in self._files}
        for path in find_files(self._folder, self._tenant):
            if path in known:
                continue
            file = OutboxFile(path)
            try:
                if (taken and path.stat().st_size > most_bytes) or not file.take_over():
                    continue
                self._files.append(file)  # even if it cannot be read: that is told once
                rows = file.read()
            except FileNotFoundError:  # another process was faster
                continue
            except (sqlite3.Error, OSError) as error:
                _log.error("events on disk cannot be read", path=str(path), reason=str(error))
                continue
            if not rows:
                self._files.remove(file)
                file.close()
                continue
            taken += [Left(Place(file, row.number, row.first_sent > 0), row) for row in rows]
            most -= len(rows)
            most_bytes -= sum(len(row.message.payload) for row in rows)
            if most <= 0 or most_bytes <= 0:
                break
        return taken

    def _close(self) -> int:
        self._write()
        if lost := sum(len(change.rows) for change in self._unwritten.values()):
            _log.error("events lost", events=lost, reason="they could not be written to disk")
        left = 0
        for file in self._files:
            try:
                unwritten = self._unwritten.get(file)
                left += file.close() if unwritten is None else file.close(unwritten.removed)
            except (sqlite3.Error, OSError) as error:
                self._complain(error)
        return left

    def _complain(self, error: Exception) -> None:
        if not self._unwritten:
            _log.error("events cannot be written to disk; they wait in memory alone", reason=str(error))

    # And this in any.

    def _prepare(self, file: OutboxFile) -> Change:
        """Return what is to be changed; only for as long as the lock is held, for then the thread may take it."""
        with self._lock:
            if not self._changes and not self._then:
                self._tasks.put(self._write)
            change = self._changes.get(file)
            if change is None:
                change = self._changes[file] = Change([], [], [])
            return change

    async def _call(self, work: Callable[[], T]) -> T:
        done: asyncio.Future[T] = self._loop.create_future()

        def run() -> None:
            try:
                finish = partial(done.set_result, work())
            except Exception as error:  # told to whoever waits
                finish = partial(done.set_exception, error)
            self._loop.call_soon_threadsafe(lambda: done.done() or finish())

        self._tasks.put(run)
        return await done


def _join(older: Mapping[OutboxFile, Change], newer: Mapping[OutboxFile, Change]) -> dict[OutboxFile, Change]:
    """Return both changes of each file as one, without the rows that are written only to be removed."""
    joined = dict(newer)
    for file, old in older.items():
        new = newer.get(file)
        if new is not None:
            rows, removed = old.rows + new.rows, {*old.removed, *new.removed}
            gone = removed.intersection(row.number for row in rows)
            joined[file] = Change(
                [row for row in rows if row.number not in gone],
                [mark for mark in old.marks + new.marks if mark[1] not in removed],
                sorted(removed - gone),
            )
        else:
            joined[file] = old
    return joined
