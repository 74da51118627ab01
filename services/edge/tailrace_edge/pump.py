"""The pump: drives the engine. It carries what the log brings to the connections, and their signals back."""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import structlog
from tailrace_protocol.closing import CloseReason

from tailrace_edge.engine.batch import Batch
from tailrace_edge.engine.engine import Engine
from tailrace_edge.engine.entry import Entry
from tailrace_edge.engine.reading import Reading
from tailrace_edge.engine.serving import Write
from tailrace_edge.engine.subscriber import Place, Subscriber

_TICK = 0.1
_SLICE = 0.005
"""Seconds that replays may take before the log's newest events get their turn again."""

_RETRY = {CloseReason.SLOW: (5_000, 10_000)}
_RETRY_DEFAULT = (200, 2_000)
"""Milliseconds, from and to, of the jittered wish of when a client comes back."""

_CLOSES_AT_LEAST = 50
"""Streams a second that a drain ends at least."""

_log = structlog.get_logger(__name__)


class Connection(Protocol):
    """One open stream's way to its client.

    Attributes:
        fd: to write to directly as long as nothing else is buffered; -1 if there is no such way.
        idle: whether nothing is buffered.
    """

    fd: int

    @property
    def idle(self) -> bool: ...

    def write(self, data: bytes) -> int:
        """Write as much as goes at once, and return how much that was."""

    def send(self, data: bytes) -> None:
        """Buffer what must not get lost, and call `Pump.unblock` once it has left."""

    def finish(self) -> None:
        """Close once all that is buffered has left, or some seconds later."""

    def made_headway(self) -> bool:
        """Return whether the client has taken bytes since the last call."""


class Pump:
    """Drives one engine in the running event loop.

    Attributes:
        engine: what is driven.
        closes: streams that have ended, by reason.
        cold: set when subscribers wait for a reading.
        moved: set when a connection takes bytes again.
    """

    def __init__(self, engine: Engine) -> None:
        """Make a pump that `start` sets going in the running event loop."""
        self.engine = engine
        self.closes: Counter[CloseReason] = Counter()
        self.cold = asyncio.Event()
        self.moved = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop
        self._connections: dict[Subscriber, Connection] = {}
        self._scheduled = False
        self._due: asyncio.TimerHandle | None = None
        self._tick_handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin with heartbeats."""
        self._loop = asyncio.get_running_loop()
        self._tick()

    def stop(self) -> None:
        """End all timers."""
        for handle in (self._due, self._tick_handle):
            if handle is not None:
                handle.cancel()

    # What the follower brings

    def open_log(self, epoch: str, first: int, head: int) -> None:
        """See `Engine.open_log`."""
        self.engine.open_log(epoch, first, head)
        self._schedule()

    def append(self, entries: Sequence[Entry]) -> None:
        """Deliver the next entries of the log to all that are at its head, at once."""
        for group, batch in self.engine.append(entries, time.monotonic()):
            self._write_all(group.live.items(), batch)
        if self.engine.waits_for_serving:
            self._schedule()

    def pass_over(self, sequence: int) -> None:
        """See `Engine.pass_over`."""
        self.engine.pass_over(sequence)
        self._schedule()

    def settle(self, first: int, last: int, asked: float) -> None:
        """See `Engine.settle`."""
        self.engine.settle(first, last, asked)
        self._schedule()

    # What connections bring

    def attach(self, subscriber: Subscriber, connection: Connection, **stream: Any) -> None:
        """Take in a new stream, see `Engine.attach`; its first bytes go out at once."""
        self._connections[subscriber] = connection
        self.engine.attach(subscriber, now=time.monotonic(), **stream)
        self._schedule()

    def unblock(self, subscriber: Subscriber) -> None:
        """Learn that a connection has sent all that was buffered."""
        self.engine.unblock(subscriber)
        self.moved.set()
        self._schedule()

    def lose(self, subscriber: Subscriber) -> None:
        """Learn that a connection is gone."""
        if self._connections.pop(subscriber, None) is not None and subscriber.place is not Place.CLOSED:
            self._end(subscriber, CloseReason.GONE)
        self.moved.set()

    def close(self, subscriber: Subscriber, reason: CloseReason) -> None:
        """End a stream by name."""
        if subscriber.place is Place.CLOSED:
            return
        blocked = subscriber.place is Place.BLOCKED
        batch = self.engine.close(subscriber, reason, random.randint(*_RETRY.get(reason, _RETRY_DEFAULT)))
        self._end(subscriber, reason)
        connection = self._connections[subscriber]
        written = 0 if blocked else connection.write(batch.data)
        if written < len(batch.data):
            connection.send(batch.data[written:])
        connection.finish()

    async def drain(self, window: float) -> None:
        """End all streams, spread over `window` seconds, and wait until their connections are gone.

        A few streams take less: the window is there so that many do not come back all at once.
        """
        subscribers = self.engine.subscribers
        random.shuffle(subscribers)
        window = min(window, len(subscribers) / _CLOSES_AT_LEAST)
        began = time.monotonic()
        for index, subscriber in enumerate(subscribers):
            await asyncio.sleep(max(0.0, began + window * index / len(subscribers) - time.monotonic()))
            self.close(subscriber, CloseReason.DRAIN)
        while self._connections:
            self.moved.clear()
            await self.moved.wait()
        _log.info("streams drained", streams=len(subscribers), seconds=round(time.monotonic() - began, 1))

    # What readings bring

    def plan_reading(self) -> Reading | None:
        """See `Engine.plan_reading`."""
        return self.engine.plan_reading()

    def feed(self, reading: Reading, entries: Sequence[Entry]) -> None:
        """Deliver what a reading brought to its members."""
        self._write_each(self.engine.feed(reading, entries, time.monotonic()))

    def catch_up(self, reading: Reading) -> None:
        """Deliver what a reading holds to those of its members that take bytes again."""
        self._write_each(self.engine.catch_up(reading, time.monotonic()))

    def end_reading(self, reading: Reading) -> None:
        """See `Engine.end_reading`."""
        self.engine.end_reading(reading)
        self._schedule()

    # Serving

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._serve)

    def _serve(self) -> None:
        self._scheduled = False
        began = now = time.monotonic()
        while (subscriber := self.engine.next_ready(now)) is not None:
            batch = self.engine.serve(subscriber, now)
            if batch is not None:
                self._write(subscriber, batch)
            now = time.monotonic()
            if now - began > _SLICE:
                self._schedule()
                break
        if self.engine.count_cold():
            self.cold.set()
        self._set_due(self.engine.next_due)

    def _set_due(self, due: float | None) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if due is not None:
            # Rounded up, since the loop's clock may be a little coarser.
            self._due = self._loop.call_later(max(0.0, due - time.monotonic()) + 0.001, self._schedule)

    def _tick(self) -> None:
        now = time.monotonic()
        for subscriber in self.engine.turn(now):
            connection = self._connections[subscriber]
            if subscriber.place is Place.BLOCKED and connection.made_headway():
                self.engine.move_on(subscriber, now)
            action = self.engine.beat(subscriber, now)
            if isinstance(action, Batch):
                self._write(subscriber, action)
            elif action is not None:
                self.close(subscriber, action)
        self._tick_handle = self._loop.call_later(_TICK, self._tick)

    # Writing

    def _write_all(self, live: Iterable[tuple[Subscriber, Connection]], batch: Batch) -> None:
        data = batch.data
        size = len(data)
        write = os.write
        short: list[tuple[Subscriber, int]] = []
        for subscriber, connection in live:
            try:
                written = write(connection.fd, data)
            except OSError:
                written = connection.write(data)
            if written != size:
                short.append((subscriber, written))
        for subscriber, written in short:
            self._stall(subscriber, batch, written)

    def _write_each(self, writes: list[Write]) -> None:
        for subscribers, batch in writes:
            for subscriber in subscribers:
                self._write(subscriber, batch)
        self._schedule()

    def _write(self, subscriber: Subscriber, batch: Batch) -> None:
        written = self._connections[subscriber].write(batch.data)
        if written != len(batch.data):
            self._stall(subscriber, batch, written)
        elif batch.last:
            self._finish(subscriber)

    def _stall(self, subscriber: Subscriber, batch: Batch, written: int) -> None:
        connection = self._connections[subscriber]
        rest, last = self.engine.stall(subscriber, batch, written, time.monotonic())
        connection.send(rest)
        if last:
            self._finish(subscriber)
        elif connection.idle:
            self.unblock(subscriber)

    def _finish(self, subscriber: Subscriber) -> None:
        self._end(subscriber, CloseReason.FINISHED)
        self._connections[subscriber].finish()

    def _end(self, subscriber: Subscriber, reason: CloseReason) -> None:
        self.engine.detach(subscriber)
        self.closes[reason] += 1
