"""The events of a producer that have no outcome, and how they get among them, from any thread."""

import asyncio
import math
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from tailrace_protocol.errors import OutboxFull, ProducerClosed
from tailrace_protocol.events import encode_stored
from tailrace_protocol.stream import check_key, format_message_id
from tailrace_protocol.tenants import check_tenant
from tailrace_protocol.topics import check_topic, format_subject

from tailrace_producer.pending import Outcome, Pending, format_headers, format_line
from tailrace_producer.settings import Settings
from tailrace_producer.spool import FIRST, Spool

_NO_HEADERS: Mapping[str, str] = {}


class Intake:
    """What a publisher takes, and keeps until it has an outcome."""

    def __init__(self, tenant: str, settings: Settings) -> None:
        self.name = secrets.token_hex(8)
        """No other has it."""
        self._settings = settings
        self._tenant = check_tenant(tenant)
        self._inbox_bytes = b""
        self._loop: asyncio.AbstractEventLoop
        self._encode_subject = lru_cache(4096)(self._format_subject)
        path = settings.outbox_path
        self._spool = None if path is None else Spool(Path(path), tenant, self.name)
        self._bytes_settled = 0  # only touched by the event loop

        # All events, guarded by the lock
        self._lock = threading.Lock()
        self._unacked: dict[int, Pending] = {}
        self._last = 0 if self._spool is None else FIRST
        self._bytes_taken = 0
        self._awake = False
        self._closed = False

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
        headers: Mapping[str, str] = _NO_HEADERS,
        awaited: bool = False,
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
            headers: more of them, ASCII without line ends, beside the message id.
            awaited: somebody is told the outcome; it is not kept on disk when the producer is closed without one.

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
            head = format_headers(key or f"{self.name}-{number}", headers)
            line = format_line(self._inbox_bytes, number, subject, head, payload)
            self._unacked[number] = Pending(line, settle, deadline, awaited)
            self._bytes_taken += len(line)
            self._last = number
            asleep, self._awake = not self._awake, True
        if asleep:
            self._loop.call_soon_threadsafe(self._wake)
        return number

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for the outcome of an event."""
        return any(pending.awaited for pending in list(self._unacked.values()))

    @property
    def unsettled(self) -> int:
        """Events without outcome."""
        return len(self._unacked)

    @property
    def crowded(self) -> bool:
        """Whether more events wait than keep the connection busy."""
        return len(self._unacked) >= 2 * self._settings.window

    def describe_trouble(self) -> str:
        """Return why events are not acknowledged, as far as anybody knows."""
        raise NotImplementedError

    def _wake(self) -> None:
        """Called in the event loop's thread when something was taken."""
        raise NotImplementedError

    def _oldest(self) -> int:
        with self._lock:
            return next(iter(self._unacked), self._last + 1)

    def _format_subject(self, topic: str) -> bytes:
        return format_subject(self._tenant, check_topic(topic)).encode()

    def _check_key(self, key: str) -> str:
        return format_message_id(self._tenant, check_key(key))

    def _check_room(self, size: int) -> None:
        events, taken = len(self._unacked), self._bytes_taken - self._bytes_settled
        if events >= self._settings.outbox_events or taken + size > self._settings.outbox_bytes:
            raise OutboxFull(
                f"{events} events of {taken} bytes wait for the broker, {self._settings.outbox_events} and "
                f"{self._settings.outbox_bytes} are allowed; this one was not taken ({self.describe_trouble()})"
            )
