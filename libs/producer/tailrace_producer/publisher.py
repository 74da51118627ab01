"""The core of both producers: takes events from any thread, and publishes them in order, acknowledged, many at a time.

One ordered dict holds every event that is not acknowledged. Its first part is in flight, the rest waits, and that is
window, retry queue and outbox in one. At any trouble (the connection is lost, an acknowledgement does not come, nobody
takes an event) publishing stops, and starts again at the oldest event as soon as the broker tells of its stream. What
was stored already is acknowledged a second time and not stored again, for it carries the same `Nats-Msg-Id` (ADR-22).
"""

import asyncio
import contextlib
import math
import time
import traceback
from collections.abc import Sequence
from random import uniform

import msgspec
from tailrace_protocol.commands import RollUp, format_rollup_subject
from tailrace_protocol.errors import BrokerUnavailable, PublishError
from tailrace_protocol.positions import Position

from tailrace_producer.commands import Commands
from tailrace_producer.connection import (
    Ack,
    Connection,
    Log,
    Refusal,
    add_servers,
    choose_inbox_prefix,
    connect,
    parse_servers,
)
from tailrace_producer.intake import Intake
from tailrace_producer.log import Logger
from tailrace_producer.login import find_login
from tailrace_producer.pending import Outcome, Pending
from tailrace_producer.settings import Settings
from tailrace_producer.spool import ADOPT_INTERVAL, FIRST, Spool, make_pending
from tailrace_producer.waiters import Waiters

__all__ = ["Outcome", "Publisher"]

BACK_OFF = (0.05, 0.2)
"""Seconds between two attempts to go on, drawn anew each time: nobody answers while a cluster elects a leader."""

SWEEP_INTERVAL = 0.1
"""Seconds between two looks for events without acknowledgement, in place of a timer for each."""

RETRY_SHARE = 0.75
"""The part of the broker's duplicate window in which an event is sent again. After it, it might be stored twice."""

_IN_PROCESS = 409
"""An earlier sending of the event waits for a quorum of the brokers. Its acknowledgement comes, or it is sent again."""

_NOT_CONNECTED = "the connection is not made yet"
_TOO_LATE = "sending it for longer might store it twice"

_log = Logger()


class Publisher(Intake):
    """Publishes the events of one tenant. `submit` may be called from any thread, the rest from the event loop's."""

    def __init__(self, url: str, tenant: str, settings: Settings) -> None:
        super().__init__(tenant, settings)
        self._servers = parse_servers(url)
        login = find_login(settings)
        login.check()
        self._inbox = f"{login.inbox_prefix or choose_inbox_prefix(self._servers[0])}.{self.name}"
        self._inbox_bytes = self._inbox.encode()
        self.commands = Commands(tenant)
        """Of the jobs that publish here."""

        # All events, only touched by the event loop
        self._task: asyncio.Task[None]
        self._sweeping = False
        self._waiters = Waiters()
        self._reason = _NOT_CONNECTED

        self._connected: Connection | None = None

        # Since the last trouble
        self._connection: Connection | None = None  # None while it must not be written to
        self._trouble = asyncio.Event()
        self._next = 1
        self._in_flight = 0
        self._bytes_in_flight = 0
        self._epoch = ""
        self._retry_window = math.inf
        self._highest = 0

    # Called by the owner.

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Connect in the background; called in the thread of `loop`, before anything else."""
        self._loop = loop
        self.commands.start(loop)
        if self._spool is not None:
            self._spool.start(loop)
        self._task = self._loop.create_task(self._run(), name="tailrace-producer")
        self._task.add_done_callback(self._stop)

    def withdraw(self, number: int) -> None:
        """Forget an event that its publisher no longer waits for, unless it was sent already."""
        pending = self._unacked.get(number)
        if pending is not None and not pending.first_sent:
            self._remove(number)

    def roll_up(self, topic: str, event_id: str) -> None:
        """Ask the edges to remove the events of a topic that are older than this one; nothing while disconnected."""
        if self._connection is not None:
            subject = format_rollup_subject(self._tenant, topic).encode()
            request = msgspec.json.encode(RollUp(event_id))
            self._connection.write([b"PUB %b %d\r\n%b\r\n" % (subject, len(request), request)])

    @property
    def spooling(self) -> bool:
        """Whether what is taken now gets to disk, and may wait there for longer than this process lives."""
        return self._spool is not None and self._connection is None and not self._spool.broken

    async def wait_for_room(self) -> None:
        """Return as soon as it is not crowded."""
        if self.crowded:
            await self._waiters.wait(self._last + 1, 2 * self._settings.window)

    async def wait_settled(self, number: int | None = None) -> None:
        """Return when the event with `number` and all before have an outcome; by default, all taken up to now."""
        number = self._last if number is None else number
        if self._oldest() <= number:
            await self._waiters.wait(number, 0)

    def stop_sending(self) -> None:
        """Leave to the disk what is not acknowledged, if there is one; before `close`."""
        self._go_back()

    async def close(self) -> None:
        """Take no more events, and disconnect. Those without outcome get BrokerUnavailable."""
        with self._lock:
            self._closed = True
        while not self._task.done():  # nats-py swallows a cancellation that comes while it connects or closes
            self._task.cancel()
            await asyncio.wait([self._task], timeout=SWEEP_INTERVAL)
        self._fail_all("the producer was closed", keep=self._spool)
        if self._spool is not None and (left := await self._spool.close()):
            _log.warning("events stay on disk", events=left, reason=self.describe_trouble())

    def fileno(self) -> int | None:
        """Return the file descriptor of the connection's socket; None without one."""
        connection = self._connected
        return None if connection is None else connection.fileno()

    def describe_trouble(self) -> str:
        """Return why events are not acknowledged, as far as anybody knows."""
        return self._reason or "the broker does not answer in time"

    # The events on their way out. All this runs in the event loop.

    def _wake(self) -> None:
        self._awake = False
        if not self._sweeping:
            self._sweeping = True
            self._loop.call_later(SWEEP_INTERVAL, self._sweep)
        if self._spool is not None and self._connection is None and self._reason not in {"", _NOT_CONNECTED}:
            self._spool.write(self._unacked, self._last)
        self._send()

    def _send(self) -> None:
        if self._connection is None:
            return
        lines = []
        now = time.monotonic()
        while (number := self._next) <= self._last and self._has_room():
            pending = self._unacked.get(number)
            if pending is None:  # it was given up before it was sent
                self._next += 1
                continue
            if pending.place is not None and not self._may_send(number):
                break
            if not pending.first_sent:
                pending.first_sent = now
            elif now >= pending.first_sent + self._retry_window:
                self._give_up(number, _TOO_LATE)
                continue
            self._next += 1
            pending.last_sent = now
            self._in_flight += 1
            self._bytes_in_flight += len(pending.line)
            lines.append(pending.line)
        if lines:
            self._connection.write(lines)

    def _may_send(self, number: int) -> bool:
        """Whether the disk knows that the event may have been sent; `_send` is called once it does."""
        window = self._settings.window
        return self._spool is None or self._spool.allows(self._unacked, number, window, self._send)

    def _has_room(self) -> bool:
        return self._in_flight == 0 or (
            self._in_flight < self._settings.window and self._bytes_in_flight < self._settings.window_bytes
        )

    def _take_acks(self, acks: Sequence[Ack]) -> None:
        for number, sequence, duplicate in acks:
            if not duplicate:
                if sequence <= self._highest:
                    # The stream was made anew, or restored. The event is sent again once its epoch is known.
                    self._go_back()
                    continue
                self._highest = sequence
            pending = self._remove(number)
            if pending is not None:
                pending.settle(str(Position(self._epoch, sequence)))
        self._send()
        self._notify()

    def _take_refusal(self, refusal: Refusal) -> None:
        if refusal.code == _IN_PROCESS:
            return
        if refusal.code >= 500 or refusal.code in {408, 429}:
            if self._connection:
                self._report(refusal.description)
                self._go_back()
            return
        pending = self._remove(refusal.number)
        if pending is not None:
            pending.settle(PublishError(f"the broker refused the event: {refusal.description} ({refusal.code})"))
        self._notify()

    def _go_back(self) -> None:
        """Stop, and start again at the oldest event; nothing new if that is already under way."""
        if self._connection:
            self._connection = None
            self._trouble.set()

    def _remove(self, number: int) -> Pending | None:
        pending = self._unacked.pop(number, None)
        if pending is not None:
            self._bytes_settled += len(pending.line)
            if number < self._next:
                self._in_flight -= 1
                self._bytes_in_flight -= len(pending.line)
            if pending.place is not None and self._spool is not None:
                self._spool.remove(pending.place)
        return pending

    # Time.

    def _sweep(self) -> None:
        with self._lock:
            waiting = list(self._unacked.items())
        self._sweeping = bool(waiting)
        if not waiting:
            return
        self._loop.call_later(SWEEP_INTERVAL, self._sweep)
        if self._spool is not None:
            self._spool.sweep(self._unacked, self._last)
        now = time.monotonic()
        for number, pending in waiting:
            if now >= pending.deadline:
                self._give_up(number, "it was not acknowledged in time")
            elif pending.first_sent and now >= pending.first_sent + self._retry_window:
                self._give_up(number, _TOO_LATE)
        oldest = waiting[0][1]
        if self._connection and oldest.last_sent and now >= oldest.last_sent + self._settings.ack_timeout:
            self._go_back()
        self._notify()

    def _give_up(self, number: int, why: str) -> None:
        pending = self._remove(number)
        if pending is not None:
            stored = "it may be stored or not" if pending.first_sent else "it was never sent"
            pending.settle(BrokerUnavailable(f"{why}; {stored}: {self.describe_trouble()}"))

    def _fail_all(self, why: str, *, keep: Spool | None = None) -> None:
        """Give up on all events, but for those that nobody waits for, if they may be kept on disk."""
        if keep is not None:
            keep.write(self._unacked, self._last)
        with self._lock:
            waiting = list(self._unacked.items())
        for number, pending in waiting:
            if keep is not None and not pending.awaited:
                del self._unacked[number]
            else:
                self._give_up(number, why)
        self._notify()

    def _notify(self) -> None:
        if self._waiters:
            self._waiters.notify(self._oldest(), len(self._unacked))

    # The disk.

    async def _take_over(self, spool: Spool) -> None:
        """Take what dead processes have left: the first time before all own events, later after them."""
        settings = self._settings
        left = await spool.take_over(settings.outbox_events - len(self._unacked), settings.outbox_bytes)
        with self._lock:
            first = self._last + 1 if self._epoch else FIRST + 1 - len(left)
            taken = {number: make_pending(event, self._inbox_bytes, number) for number, event in enumerate(left, first)}
            self._unacked = self._unacked | taken if self._epoch else taken | self._unacked
            self._last = max(self._last, first + len(left) - 1)
            self._bytes_taken += sum(len(pending.line) for pending in taken.values())
        if left:
            self._wake()

    # The connection.

    async def _run(self) -> None:
        servers = self._servers
        if self._spool is not None:
            await self._take_over(self._spool)
        while True:
            try:
                async with connect(
                    servers, self._settings, self._inbox, self._take_acks, self._take_refusal, self.commands
                ) as connection:
                    servers = add_servers(self._servers, connection.discovered)
                    await self._serve(connection)
            except BrokerUnavailable as error:
                self._report(str(error))
            await asyncio.sleep(uniform(*BACK_OFF))

    async def _serve(self, connection: Connection) -> None:
        """Publish on `connection` until it is lost; go back to the oldest event after each trouble."""
        connection.lost.add_done_callback(lambda _: self._trouble.set())
        self._connected = connection
        try:
            while not connection.lost.done():
                self._trouble.clear()
                log = await connection.read_log(self._settings.ack_timeout)
                self._resume(connection, log)
                await self._wait_for_trouble()
                if connection.trouble:
                    self._report(connection.trouble)
                await asyncio.sleep(uniform(*BACK_OFF))
        finally:
            self._connected = self._connection = None
        self._report("the connection to the broker was lost")

    async def _wait_for_trouble(self) -> None:
        while self._spool is not None and not self._trouble.is_set():
            await self._take_over(self._spool)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ADOPT_INTERVAL):
                    await self._trouble.wait()
        await self._trouble.wait()

    def _resume(self, connection: Connection, log: Log) -> None:
        if self._reason not in {"", _NOT_CONNECTED}:
            _log.info("publishing again", unsettled=len(self._unacked))
        self._reason = ""
        self._epoch = log.epoch
        self._retry_window = log.duplicate_window * RETRY_SHARE
        self._highest = 0
        self._in_flight = self._bytes_in_flight = 0
        self._next = self._oldest()
        self._connection = connection
        self._send()

    def _report(self, reason: str) -> None:
        if reason != self._reason:
            _log.warning("broker unavailable", reason=reason, unsettled=len(self._unacked))
        self._reason = reason

    def _stop(self, task: asyncio.Task[None]) -> None:
        """Called when the connection's task has ended, which it does only on close or by a mistake in here."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._closed = True
            self._fail_all(f"the producer has failed: {error!r}")
            # As text: structlog with rich would print each frame's variables, the broker's password among them, and
            # go round for ever where exceptions cause each other.
            _log.error("the producer has failed", reason="".join(traceback.format_exception(error)))
