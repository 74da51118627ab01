"""The core of both producers: takes events from any thread, and publishes them in order, acknowledged, many at a time.

One ordered dict holds every event that is not acknowledged. Its first part is in flight, the rest waits, and that is
window, retry queue and outbox in one. At any trouble (the connection is lost, an acknowledgement does not come, nobody
takes an event) publishing stops, and starts again at the oldest event as soon as the broker tells of its stream. What
was stored already is acknowledged a second time and not stored again, for it carries the same `Nats-Msg-Id` (ADR-22).
"""

import asyncio
import math
import re
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from random import uniform
from typing import Any

import structlog
from tailrace_protocol.errors import BrokerUnavailable, InvalidInput, OutboxFull, ProducerClosed, PublishError
from tailrace_protocol.events import encode_stored
from tailrace_protocol.positions import Position
from tailrace_protocol.stream import format_message_id
from tailrace_protocol.tenants import check_tenant
from tailrace_protocol.topics import check_topic, format_subject

from tailrace_producer.connection import Ack, Connection, Log, Refusal, add_servers, connect, parse_servers
from tailrace_producer.settings import Settings

BACK_OFF = (0.05, 0.2)
"""Seconds between two attempts to go on, drawn anew each time: nobody answers while a cluster elects a leader."""

SWEEP_INTERVAL = 0.1
"""Seconds between two looks for events without acknowledgement, in place of a timer for each."""

RETRY_SHARE = 0.75
"""The part of the broker's duplicate window in which an event is sent again. After it, it might be stored twice."""

_NOT_CONNECTED = "the connection is not made yet"

_ID = re.compile(r"[!-~]{1,128}")

Outcome = str | PublishError
"""Of one event: its id, or why it is not known to be stored."""

_log = structlog.get_logger("tailrace.producer")


class _Pending:
    """An event that is not acknowledged.

    Attributes:
        line: as the wire carries it, headers, payload and all.
        settle: gets the outcome, in the event loop's thread.
        deadline: when its publisher stops waiting, on the monotonic clock.
        first_sent: 0 if it never was.
        last_sent: when it was sent on this connection; 0 if it was not.
    """

    __slots__ = ("deadline", "first_sent", "last_sent", "line", "settle")

    def __init__(self, line: bytes, settle: Callable[[Outcome], object], deadline: float) -> None:
        self.line = line
        self.settle = settle
        self.deadline = deadline
        self.first_sent = 0.0
        self.last_sent = 0.0


class Publisher:
    """Publishes the events of one tenant. `submit` may be called from any thread, the rest from the event loop's."""

    def __init__(self, url: str, tenant: str, settings: Settings) -> None:
        # Settings
        self._settings = settings
        self._servers = parse_servers(url)
        self._name = secrets.token_hex(8)
        self._inbox = f"{settings.inbox_prefix}.{self._name}"
        self._inbox_bytes = self._inbox.encode()
        self._tenant = check_tenant(tenant)
        self._encode_subject = lru_cache(4096)(self._format_subject)

        # All events, guarded by the lock
        self._lock = threading.Lock()
        self._unacked: dict[int, _Pending] = {}
        self._last = 0
        self._bytes_taken = 0
        self._awake = False
        self._closed = False

        # All events, only touched by the event loop
        self._loop: asyncio.AbstractEventLoop
        self._task: asyncio.Task[None]
        self._sweeping = False
        self._bytes_settled = 0
        self._waiters: list[tuple[int, int, asyncio.Future[None]]] = []
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
        self._task = self._loop.create_task(self._run(), name="tailrace-producer")
        self._task.add_done_callback(self._stop)

    def submit(
        self,
        topic: str,
        data: Any,
        event_type: str,
        *,
        settle: Callable[[Outcome], object],
        event_key: str | None = None,
        timeout: float | None = None,
        reserved: bool = False,
    ) -> int:
        """Take an event to be published, and return its number: 1 for the first, then counting on.

        Args:
            topic: of the event.
            data: of the event, any JSON.
            event_type: of the event.
            settle: called once with the outcome, in the event loop's thread. Must not raise.
            event_key: the caller's own message id; a second event of the tenant with it is not stored.
            timeout: seconds to wait for the outcome; None for as long as it takes.
            reserved: take it even if the outbox is full.

        Raises:
            InvalidInput: topic, type, data or key break a rule, or the event is too large.
            OutboxFull: too many events wait.
            ProducerClosed: it is too late.
        """
        subject = self._encode_subject(topic)
        payload = encode_stored(event_type, data)
        key = None if event_key is None else self._check_key(event_key)
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        with self._lock:
            if self._closed:
                raise ProducerClosed("the producer is closed; events have to be published before")
            if not reserved:
                self._check_room(len(payload))
            number = self._last + 1
            line = self._format_line(number, subject, key or f"{self._name}-{number}", payload)
            self._unacked[number] = _Pending(line, settle, deadline)
            self._bytes_taken += len(line)
            self._last = number
            asleep, self._awake = not self._awake, True
        if asleep:
            self._loop.call_soon_threadsafe(self._wake)
        return number

    def withdraw(self, number: int) -> None:
        """Forget an event that its publisher no longer waits for, unless it was sent already."""
        pending = self._unacked.get(number)
        if pending is not None and not pending.first_sent:
            self._remove(number)

    @property
    def unsettled(self) -> int:
        """Events without outcome."""
        return len(self._unacked)

    @property
    def crowded(self) -> bool:
        """Whether more events wait than keep the connection busy."""
        return len(self._unacked) >= 2 * self._settings.window

    async def wait_for_room(self) -> None:
        """Return as soon as it is not crowded."""
        if self.crowded:
            await self._wait(self._last + 1, 2 * self._settings.window)

    async def wait_settled(self, number: int | None = None) -> None:
        """Return when the event with `number` and all before have an outcome; by default, all taken up to now."""
        number = self._last if number is None else number
        if self._oldest() <= number:
            await self._wait(number, 0)

    async def close(self) -> None:
        """Take no more events, and disconnect. Those without outcome get BrokerUnavailable."""
        with self._lock:
            self._closed = True
        while not self._task.done():  # nats-py swallows a cancellation that comes while it connects or closes
            self._task.cancel()
            await asyncio.wait([self._task], timeout=SWEEP_INTERVAL)
        self._fail_all("the producer was closed")

    def fileno(self) -> int | None:
        """Return the file descriptor of the connection's socket; None without one."""
        connection = self._connected
        return None if connection is None else connection.fileno()

    def describe_trouble(self) -> str:
        """Return why events are not acknowledged, as far as anybody knows."""
        return self._reason or "the broker does not answer in time"

    # The events on their way in.

    def _format_subject(self, topic: str) -> bytes:
        return format_subject(self._tenant, check_topic(topic)).encode()

    def _check_key(self, key: str) -> str:
        if _ID.fullmatch(key) is None:
            raise InvalidInput(f"{key[:80]!r} cannot be an event's key: 1 to 128 visible ASCII characters")
        return format_message_id(self._tenant, key)

    def _check_room(self, size: int) -> None:
        events, taken = len(self._unacked), self._bytes_taken - self._bytes_settled
        if events >= self._settings.outbox_events or taken + size > self._settings.outbox_bytes:
            raise OutboxFull(
                f"{events} events of {taken} bytes wait for the broker, {self._settings.outbox_events} and "
                f"{self._settings.outbox_bytes} are allowed; this one was not taken ({self.describe_trouble()})"
            )

    def _format_line(self, number: int, subject: bytes, message_id: str, payload: bytes) -> bytes:
        headers = f"NATS/1.0\r\nNats-Msg-Id: {message_id}\r\n\r\n".encode()
        size = len(headers)
        return b"HPUB %b %b.%d %d %d\r\n%b%b\r\n" % (
            subject, self._inbox_bytes, number, size, size + len(payload), headers, payload,
        )  # fmt: skip

    # The events on their way out. All this runs in the event loop.

    def _wake(self) -> None:
        self._awake = False
        if not self._sweeping:
            self._sweeping = True
            self._loop.call_later(SWEEP_INTERVAL, self._sweep)
        self._send()

    def _send(self) -> None:
        if self._connection is None:
            return
        lines = []
        now = time.monotonic()
        while self._next <= self._last and self._has_room():
            pending = self._unacked.get(self._next)
            self._next += 1
            if pending is None:  # it was given up before it was sent
                continue
            pending.first_sent = pending.first_sent or now
            pending.last_sent = now
            self._in_flight += 1
            self._bytes_in_flight += len(pending.line)
            lines.append(pending.line)
        if lines:
            self._connection.write(lines)

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

    def _remove(self, number: int) -> _Pending | None:
        pending = self._unacked.pop(number, None)
        if pending is not None:
            self._bytes_settled += len(pending.line)
            if number < self._next:
                self._in_flight -= 1
                self._bytes_in_flight -= len(pending.line)
        return pending

    def _oldest(self) -> int:
        with self._lock:
            return next(iter(self._unacked), self._last + 1)

    # Time.

    def _sweep(self) -> None:
        with self._lock:
            waiting = list(self._unacked.items())
        self._sweeping = bool(waiting)
        if not waiting:
            return
        self._loop.call_later(SWEEP_INTERVAL, self._sweep)
        now = time.monotonic()
        for number, pending in waiting:
            if now >= pending.deadline:
                self._give_up(number, "it was not acknowledged in time")
            elif pending.first_sent and now >= pending.first_sent + self._retry_window:
                self._give_up(number, "sending it for longer might store it twice")
        oldest = waiting[0][1]
        if self._connection and oldest.last_sent and now >= oldest.last_sent + self._settings.ack_timeout:
            self._go_back()
        self._notify()

    def _give_up(self, number: int, why: str) -> None:
        pending = self._remove(number)
        if pending is not None:
            stored = "it may be stored or not" if pending.first_sent else "it was never sent"
            pending.settle(BrokerUnavailable(f"{why}; {stored}: {self.describe_trouble()}"))

    def _fail_all(self, why: str) -> None:
        with self._lock:
            numbers = list(self._unacked)
        for number in numbers:
            self._give_up(number, why)
        self._notify()

    async def _wait(self, number: int, room: int) -> None:
        done = self._loop.create_future()
        self._waiters.append((number, room, done))
        await done

    def _notify(self) -> None:
        if not self._waiters:
            return
        oldest, unsettled = self._oldest(), len(self._unacked)
        for waiter in self._waiters[:]:
            number, room, done = waiter
            if oldest > number or unsettled < room:
                self._waiters.remove(waiter)
                if not done.done():
                    done.set_result(None)

    # The connection.

    async def _run(self) -> None:
        servers = self._servers
        while True:
            try:
                async with connect(
                    servers, self._settings, self._inbox, self._take_acks, self._take_refusal
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
                await self._trouble.wait()
                if connection.trouble:
                    self._report(connection.trouble)
                await asyncio.sleep(uniform(*BACK_OFF))
        finally:
            self._connected = self._connection = None
        self._report("the connection to the broker was lost")

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
            _log.error("the producer has failed", exc_info=error)
            self._fail_all(f"the producer has failed: {error!r}")
