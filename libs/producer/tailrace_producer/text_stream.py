"""What token streams do, from the event loop or from any thread."""

import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import msgspec
from tailrace_protocol.commands import ROLLUP_HEADER
from tailrace_protocol.errors import EventTooLarge, OutboxFull, ProducerClosed, PublishError
from tailrace_protocol.events import MAX_EVENT_BYTES, TERMINAL_TYPES
from tailrace_protocol.jobs import JobError
from tailrace_protocol.texts import START, TOKEN, TextEnd, TextStart, TextStatus, Token

from tailrace_producer.errors import JobCancelled, TextEnded
from tailrace_producer.failures import describe_failure
from tailrace_producer.log import Logger
from tailrace_producer.pacer import Pacer
from tailrace_producer.progress import copy_data, cut
from tailrace_producer.publisher import Outcome, Publisher
from tailrace_producer.settings import Settings

CHUNK = 10_000
"""Characters that fit into an event whatever they are: JSON takes six bytes for one at worst."""

MAX_DETAILS_BYTES = 4 * 1024
"""Of a text's metadata, and of its usage, as JSON. Both stand beside the whole text in its last event."""

ROLLUP_EVENTS = 20
"""Events at least from one roll-up to the next. A late reader takes no more than that for a short text."""

EVENT_COST = 150
"""Bytes that an event takes in the log beside its text, more or less."""

RETRY_INTERVAL = 1.0
"""Seconds until what was lost is tried again: the outbox was full, or nobody knows whether it is stored."""

_ROLLUP = {ROLLUP_HEADER: "sub"}
_NO_HEADERS: Mapping[str, str] = {}

_log = Logger()


class _Sent(NamedTuple):
    """An event on its way.

    Attributes:
        event_type: of the event.
        to: offset up to which all is stored once it is.
        whole: it carries the whole text, and so takes the place of all events before.
    """

    event_type: str
    to: int
    whole: bool


class BaseTextStream:
    """What both kinds of token streams do. No method waits for the broker, and none raises because it is away.

    Tokens are gathered for `Settings.text_interval` seconds, or until they are `Settings.text_batch` characters, and
    published as one event. The next is published when that one is stored, so that a retry cannot bring disorder;
    while the broker is away, all that is written gathers for one. An event says at which offset of the text it
    begins, so one that was stored twice does no harm.
    """

    def __init__(  # called by `Texts` alone
        self,
        publisher: Publisher,
        pacer: Pacer,
        topic: str,
        start: TextStart,
        settings: Settings,
        running: "set[BaseTextStream]",
    ) -> None:
        self._publisher = publisher
        self._pacer = pacer
        self._topic = topic
        self._start = start
        self._interval = settings.text_interval
        self._batch = settings.text_batch
        self._most = settings.outbox_bytes
        self._describe = settings.describe_error
        self._running = running  # of the producer

        # All guarded by the lock
        self._lock = threading.RLock()
        self._status: TextStatus | None = None
        self._parts: list[str] = []  # written, and not joined yet
        self._size = 0  # of the parts
        self._alert = 1  # the size of the parts from which on there is something to do about them
        self._text = ""  # joined; whole while it may be rolled up, later what is not stored
        self._begin = 0  # offset of `_text`
        self._weight = 0  # of all that was joined, in bytes
        self._stored = 0  # what lies before this offset is stored
        self._said_start = self._said_end = False
        self._end: TextEnd | None = None
        self._unsettled = False  # there is never more than one event on its way
        self._end_kept = False  # but for an end that goes to disk, lest it be lost with the process
        self._earliest = 0.0  # for the next batch
        self._retry_at = 0.0
        self._whole = True  # it may still fit into one event
        self._events = self._bytes = 0  # since the last roll-up

    @property
    def topic(self) -> str:
        """What watchers of the text watch."""
        return self._topic

    @property
    def status(self) -> TextStatus | None:
        """What the text is doing; None before it has started."""
        return self._status

    def start(self) -> None:
        """Begin. Entering the context calls it; call it yourself only where you use none.

        Raises:
            TextEnded: the text was started before.
        """
        with self._lock:
            if self._status is not None:
                raise TextEnded(f"the text {self._topic} was started before; make a new one")
            self._status = TextStatus.RUNNING
            self._running.add(self)
            self._pacer.ask(self)

    def write(self, text: str) -> None:
        """Write on. Cheap: call it with each token.

        Args:
            text: what follows; nothing is put between.

        Raises:
            TextEnded: the text has ended, or was not started.
            OutboxFull: the broker has been away for longer than this text can be kept in memory.
            ProducerClosed: the producer is closed.
        """
        with self._lock:
            if self._status is not TextStatus.RUNNING:
                self._check_running()
            size = self._size + len(text)
            if size >= self._alert:
                self._consider(size)
            self._parts.append(text)
            self._size = size

    def complete(self, *, finish_reason: str | None = None, usage: dict[str, Any] | None = None) -> None:
        """End the text well. Leaving the context without exception calls it.

        Args:
            finish_reason: why the model stopped, in its own words: `stop`, `length`, ...
            usage: what the model counted, in its own words.

        Raises:
            TextEnded: the text has ended, or was not started.
            InvalidInput: `usage` is no JSON, or larger than 4 KiB; the text goes on.
        """
        self._finish(TextStatus.COMPLETE, finish_reason, usage)

    def fail(self, error: BaseException | str, *, usage: dict[str, Any] | None = None) -> None:
        """End the text as failed. An exception that leaves the context calls it.

        Raises:
            TextEnded: the text has ended, or was not started.
            InvalidInput: as for `complete`.
        """
        self._finish(TextStatus.FAILED, None, usage, describe_failure(error, self._describe))

    def cancel(self, *, usage: dict[str, Any] | None = None) -> None:
        """End the text as cancelled: its reader wanted no more. What was written stays.

        A cancellation, a keyboard interrupt, or the end of the generator that the context is in calls it.

        Raises:
            TextEnded: the text has ended, or was not started.
            InvalidInput: as for `complete`.
        """
        self._finish(TextStatus.CANCELLED, None, usage)

    # Called in the event loop's thread, by the pacer and by `Core.flush`.

    def due(self) -> float | None:
        with self._lock:
            if self._said_end or self._end_kept:
                return None
            if self._unsettled and not self._may_keep_end:  # _settle asks again
                return None
            if not self._said_start or self._end is not None or self._waiting >= self._batch:
                return self._retry_at
            return max(self._earliest, self._retry_at) if self._waiting else None

    def send(self) -> None:
        with self._lock:
            if self.due() is not None:
                self._join()
                self._alert = self._most
                if self._unsettled:
                    self._submit_whole()
                else:
                    self._submit_next()

    def renew(self, before: float) -> None:
        """Texts have no lease."""

    @property
    def held(self) -> bool:
        """Whether something waits that was not handed to the publisher."""
        with self._lock:
            return not self._said_end and not self._end_kept and (self._end is not None or self._waiting > 0)

    def mark(self) -> tuple[int, bool]:
        """Return how far the text has come, for `reached`."""
        with self._lock:
            return self._stored + self._waiting, self._end is not None

    def reached(self, mark: tuple[int, bool]) -> bool:
        """Whether all is stored that was written at `mark`."""
        length, ended = mark
        with self._lock:
            stored = self._said_start and self._stored >= length and not self._unsettled
            return self._pacer.closed or self._said_end or (stored and not ended)

    # Inside.

    @property
    def _may_keep_end(self) -> bool:
        return self._end is not None and self._whole and self._publisher.spooling

    @property
    def _waiting(self) -> int:
        """Characters that are not stored."""
        return self._begin + len(self._text) - self._stored + self._size

    def _check_running(self) -> None:
        if self._status is not TextStatus.RUNNING:
            when = "was not started: use it in a with block" if self._status is None else f"has ended ({self._status})"
            raise TextEnded(f"the text {self._topic} {when}")
        if self._pacer.closed:
            raise ProducerClosed(f"the producer of the text {self._topic} is closed")

    def _consider(self, size: int) -> None:
        """There will be `size` characters in the parts: have them sent if nobody knows of them yet."""
        if size > self._most:
            raise OutboxFull(
                f"{self._size} characters of the text {self._topic} wait for the broker, {self._most} are allowed; "
                f"these were not taken ({self._publisher.describe_trouble()})"
            )
        self._check_running()
        if self._unsettled or size >= self._batch:
            self._alert = self._most
        else:
            self._alert = self._batch
        if not self._unsettled:
            self._pacer.ask(self)

    def _finish(
        self,
        status: TextStatus,
        finish_reason: str | None,
        usage: dict[str, Any] | None,
        error: JobError | None = None,
    ) -> None:
        usage = None if usage is None else copy_data(usage, MAX_DETAILS_BYTES)
        reason = None if finish_reason is None else cut(finish_reason)
        start = None if self._start == TextStart() else self._start
        with self._lock:
            self._check_running()
            length = self._stored + self._waiting
            self._end = TextEnd(length, finish_reason=reason, usage=usage, error=error, start=start)
            self._status = status
            self._pacer.ask(self)

    def _join(self) -> None:
        """Take from the parts what may be needed for the next event."""
        if not self._whole and len(self._text) - (self._stored - self._begin) >= CHUNK:
            return
        encoded = "".join(self._parts).encode(errors="replace")  # lone surrogates cannot be sent
        self._weight += len(encoded)
        self._text += encoded.decode()
        self._parts.clear()
        self._size = 0
        self._whole = self._whole and len(self._text) <= MAX_EVENT_BYTES

    def _submit_next(self) -> None:
        if not self._said_start:
            self._submit(_Sent(START, 0, whole=False), self._start)
        elif self._whole and (self._end is not None or self._is_rollup_due()) and self._submit_whole():
            return
        elif self._waiting:
            begin = self._stored - self._begin
            chunk = self._text[begin : begin + CHUNK]
            self._submit(_Sent(TOKEN, self._stored + len(chunk), whole=False), Token(self._stored, chunk))
        elif self._end is not None and self._status is not None:
            self._submit(_Sent(self._status.value, self._stored, whole=False), self._end)

    def _is_rollup_due(self) -> bool:
        """With that the log takes in at most twice of what it would without roll-ups."""
        return self._events >= ROLLUP_EVENTS and self._bytes >= self._weight + EVENT_COST

    def _submit_whole(self) -> bool:
        """Send the whole text in one event; returns False if it does not fit, now and ever."""
        start = None if self._start == TextStart() else self._start
        length = len(self._text)
        try:
            if self._end is None or self._status is None:
                self._submit(_Sent(TOKEN, length, whole=True), Token(0, self._text, start))
            else:
                end = msgspec.structs.replace(self._end, text=self._text)
                self._submit(_Sent(self._status.value, length, whole=True), end)
        except EventTooLarge:
            self._whole = False
            return False
        return True

    def _submit(self, sent: _Sent, data: TextStart | Token | TextEnd) -> None:
        self._earliest = time.monotonic() + self._interval
        try:
            self._publisher.submit(
                self._topic,
                data,
                sent.event_type,
                settle=partial(self._settle, sent),
                reserved=self._end is not None,
                headers=_ROLLUP if sent.whole else _NO_HEADERS,
            )
            self._unsettled = True
            self._end_kept = sent.whole and self._end is not None
        except PublishError as error:
            self._lose(error)

    def _lose(self, error: PublishError) -> None:
        """An event is not known to be stored: the next one begins where it began."""
        _log.warning("event of a text lost", topic=self._topic, reason=str(error))
        self._retry_at = time.monotonic() + RETRY_INTERVAL
        self._pacer.ask(self)

    def _settle(self, sent: _Sent, outcome: Outcome) -> None:
        with self._lock:
            self._unsettled = False
            if self._end_kept and sent.event_type not in TERMINAL_TYPES:  # the end has it all
                self._unsettled = True
                return
            if isinstance(outcome, PublishError):
                self._end_kept = False
                self._lose(outcome)
                return
            self._retry_at = 0.0
            if sent.whole:
                self._publisher.roll_up(self._topic, outcome)
                self._events = self._bytes = 0
            else:
                self._events += 1
                chunk = self._text[self._stored - self._begin : sent.to - self._begin]
                self._bytes += len(chunk.encode()) + EVENT_COST
            self._stored = sent.to
            if sent.event_type in TERMINAL_TYPES:
                self._close()
                return
            self._said_start = True
            self._forget_stored()
            self._alert = self._batch if self._waiting else 1
            self._pacer.consider(self)

    def _forget_stored(self) -> None:
        """Let go of what is not needed any more, when it is much, so that it takes linear time in all."""
        stored = self._stored - self._begin
        if not self._whole and 2 * stored >= len(self._text):
            self._text = self._text[stored:]
            self._begin = self._stored

    def _close(self) -> None:
        self._said_end = True
        self._text = ""
        self._begin = self._stored
        self._running.discard(self)

    def _leave(self, error: BaseException | None) -> None:
        if self._status is not TextStatus.RUNNING:
            return
        if error is None:
            self.complete()
        elif isinstance(error, Exception) and not isinstance(error, JobCancelled):
            self.fail(error)
        else:
            self.cancel()
