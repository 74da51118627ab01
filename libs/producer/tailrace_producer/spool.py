"""What a publisher does about its outbox on disk: what goes there and when, and what comes from there."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from tailrace_protocol.errors import PublishError
from tailrace_protocol.topics import SUBJECT_PREFIX

from tailrace_producer.log import Logger
from tailrace_producer.outbox import Left, Outbox
from tailrace_producer.pending import Outcome, Pending, Place, format_line

FIRST = 1_000_000
"""The number before a publisher's own events: those before are for what was left by others before it began."""

ADOPT_INTERVAL = 10.0
"""Seconds between two looks for what processes have left that died."""

_log = Logger()


class Spool:
    """Used in the event loop's thread.

    Args:
        path: of the folder.
        tenant: whose events these are.
        name: of the publisher; no other has it.
    """

    def __init__(self, path: Path, tenant: str, name: str) -> None:
        self._outbox = Outbox(path, tenant, name)
        self._written = self._swept = FIRST
        self._marking = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to work."""
        self._outbox.start(loop)

    def sweep(self, waiting: Mapping[int, Pending], last: int) -> None:
        """Write to disk what waits since the last sweep; `last` is the newest event's number."""
        self.write(waiting, self._swept)
        self._swept = last

    def write(self, waiting: Mapping[int, Pending], to: int) -> None:
        """Write to disk what waits, up to the event number `to`."""
        oldest = next(iter(waiting), to + 1)
        for number in range(max(self._written + 1, oldest), to + 1):
            pending = waiting.get(number)
            if pending is not None and pending.place is None:
                self._outbox.put(number, pending)
        self._written = max(self._written, to)

    def remove(self, place: Place) -> None:
        """Remove an event that has an outcome."""
        self._outbox.remove(place)

    def allows(self, waiting: Mapping[int, Pending], number: int, window: int, then: Callable[[], object]) -> bool:
        """Whether an event may be sent: once the disk knows that it may have been, and if not, `then` is called then.

        Otherwise nobody could tell, after a crash, that it must not be sent again.
        """
        pending = waiting.get(number)
        if pending is None or pending.place is None or pending.place.marked:
            return True
        if not self._marking:
            self._marking = True
            following = map(waiting.get, range(number, number + window))
            unmarked = [pending for pending in following if pending and pending.place and not pending.place.marked]
            self._outbox.mark(unmarked, partial(self._end_mark, unmarked, then))
        return False

    def _end_mark(self, marked: Sequence[Pending], then: Callable[[], object]) -> None:
        self._marking = False
        for pending in marked:
            if pending.place is not None:
                pending.place = pending.place._replace(marked=True)
        then()

    async def take_over(self, most: int, most_bytes: int) -> list[Left]:
        """Return what dead processes have left; see `Outbox.take_over`."""
        left = await self._outbox.take_over(min(most, FIRST), most_bytes)
        if left:
            _log.info("publishing what a process has left that is gone", events=len(left))
        return left

    @property
    def broken(self) -> bool:
        """Whether the disk takes nothing now."""
        return self._outbox.broken

    async def close(self) -> int:
        """Return the number of events that stay on disk, when all is written."""
        return await self._outbox.close()


def make_pending(left: Left, inbox: bytes, number: int) -> Pending:
    """Return the event that a dead process has left, as this publisher's."""
    message = left.row.message
    topic = message.subject.decode().removeprefix(SUBJECT_PREFIX).partition(".")[2]
    line = format_line(inbox, number, *message)
    pending = Pending(line, partial(_report_loss, topic), float("inf"), awaited=False)
    pending.place = left.place
    if left.row.first_sent:
        # How long ago that was, only the clock on the wall can tell.
        pending.first_sent = time.monotonic() - max(0.0, time.time() - left.row.first_sent)
    return pending


def _report_loss(topic: str, outcome: Outcome) -> None:
    if isinstance(outcome, PublishError):
        _log.error("event lost", topic=topic, reason=str(outcome))
