"""The follower: reads the whole log, in order and without holes, as it grows, the way a replica does.

One ephemeral push consumer in memory delivers it. A break in its sequence, missed heartbeats, a stall behind the
stream's leader or a reconnect means a new one from the next message on; while none can be had, batched direct gets
bridge the time.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol

import structlog

from tailrace_edge.consumption import Consumption
from tailrace_edge.direct import read_batch
from tailrace_edge.engine.entry import Entry
from tailrace_edge.jetstream import JetStream, JetStreamError, JetStreamUnavailable, Listening
from tailrace_edge.leader import StreamState
from tailrace_edge.messages import parse_time

_SECOND = 1_000_000_000
_BRIDGE_BATCH = 512
_AGE_MARGIN = 10
"""Seconds by which the clocks of broker and edge may differ."""

_log = structlog.get_logger(__name__)


class Follow(NamedTuple):
    """How a follower goes about it. The defaults are measured; times are in seconds.

    Attributes:
        read_back: how much of the past the first read takes in.
        heartbeat: between the consumer's signs of life.
        missed: heartbeats after which the consumer is given up.
        check: between two questions to the stream's leader.
        stall: without an event, while the leader has more, after which the consumer is given up.
        retry: between two attempts at anything.
        inactive: after which the broker removes a consumer nobody listens to.
        regress: the leader may say less than was seen, as a new one may for a moment, before it is believed.
        leaderless: without a word from the leader, after which another broker is tried.
    """

    read_back: float = 30.0
    heartbeat: float = 1.0
    missed: float = 2.5
    check: float = 1.0
    stall: float = 1.2
    retry: float = 0.05
    inactive: float = 15.0
    regress: float = 10.0
    leaderless: float = 10.0


class LogSink(Protocol):
    """Takes what the follower reads; see the calls of the same names in `engine.Engine`."""

    def open_log(self, epoch: str, first: int, head: int) -> None: ...
    def append(self, entries: Sequence[Entry]) -> None: ...
    def pass_over(self, sequence: int) -> None: ...
    def settle(self, first: int, last: int, asked: float) -> None: ...


class Follower:
    """Follows the log for one edge.

    Attributes:
        lag: messages the log holds beyond what was read, as the leader said last.
        log_bytes: that the log takes on each broker, as the leader said last.
        consumers: made so far; all after the first are re-creations.
        heard_at: when the log's leader was heard last, or an event came, on the monotonic clock. A consumer's
            heartbeats prove less: they go on where a broker is cut off from the others.
    """

    def __init__(self, jetstream: JetStream, sink: LogSink, follow: Follow | None = None) -> None:
        """Make a follower that `run` sets going."""
        self._jetstream = jetstream
        self._sink = sink
        self._follow = follow or Follow()

        self.lag = 0
        self.log_bytes = 0
        self.consumers = 0
        self.heard_at = self._sought_at = time.monotonic()

        # The log
        self._state: StreamState | None = None
        self._next = 1
        self._newest: Entry | None = None
        self._reached_head = False
        self._regressed_at: float | None = None

        # The consumer
        self._consumption: Consumption | None = None
        self._broken = asyncio.Event()
        self._delivered_at = 0.0
        self._moved_at = 0.0
        self._explaining: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._on_entries: list[Callable[[Sequence[Entry]], None]] = []
        jetstream.on_reconnect(self._broken.set)

    @property
    def ready(self) -> bool:
        """Whether the head of the log has been reached once."""
        return self._reached_head

    def on_entries(self, callback: Callable[[Sequence[Entry]], None]) -> None:
        """Have `callback` called with all that is read, after the sink took it."""
        self._on_entries.append(callback)

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                state = await self._jetstream.read_state()
                if self._state is None:
                    await self._begin(state)
                if await self._adopt(state):
                    await self._consume()
            except JetStreamUnavailable as error:
                _log.debug("broker does not answer", error=str(error))
                await self._bridge()
                await self._seek_leader()
            except JetStreamError as error:
                _log.warning("log not available", error=str(error), hint="tailrace init creates it")
                await asyncio.sleep(1)

    # Receiver

    def receive(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        """Take in a message of the consumer."""
        if self._consumption is not None:
            self._consumption.receive(subject, reply, header, payload)

    def flush(self) -> None:
        """Pass on what one read of the connection brought."""
        self._delivered_at = time.monotonic()
        if self._consumption is not None:
            self._take()
            if self._consumption.pending == 0:
                self._reach_head()

    def fail(self, error: Exception) -> None:
        """Give the consumer up, after passing on what came before the break."""
        self._take()
        self._consumption = None
        _log.warning("consumer broken", error=str(error), next=self._next)
        self._broken.set()

    # The log's identity

    async def _begin(self, state: StreamState) -> None:
        """Find where to begin: some time back, but not after the last message."""
        since = datetime.now(UTC) - timedelta(seconds=self._follow.read_back)
        query = {"start_time": since.isoformat().replace("+00:00", "Z"), "batch": 1}
        found = await read_batch(self._jetstream, state.epoch, query)
        start = min(found[0].sequence, state.last) if found else state.last
        self._open(state, max(start, state.first) - 1)

    def _open(self, state: StreamState, head: int) -> None:
        self._state = state
        self._next = head + 1
        self._newest = None
        self._regressed_at = None
        self._sink.open_log(state.epoch, state.first, head)
        _log.info("log opened", epoch=state.epoch, first=state.first, last=state.last, head=head)

    async def _adopt(self, state: StreamState) -> bool:
        """Take in what the leader says; return whether the log can be followed from the next message on."""
        self.heard_at = time.monotonic()
        known = self._state
        if known is not None and state.epoch != known.epoch:
            _log.warning("log replaced", was=known.epoch, epoch=state.epoch)
            # A new stream is read from its start; of a restored one nobody knows what clients have not seen.
            self._open(state, state.first - 1 if state.created != known.created else state.last)
        elif await self._went_back(state):
            return False
        if state.first > self._next:
            _log.warning("events gone unseen", first=self._next, last=state.first - 1)
            self._sink.pass_over(state.first - 1)
            self._next = state.first
        self._note(state)
        return True

    def _note(self, state: StreamState) -> None:
        self.heard_at = time.monotonic()
        self.log_bytes = state.bytes
        self._sink.settle(state.first, state.last, state.asked_at)
        self.lag = max(0, state.last + 1 - self._next)
        if self.lag == 0:
            self._reach_head()

    async def _went_back(self, state: StreamState) -> bool:
        """Return whether the log lost its end, and raise its generation once that is sure.

        A store restored from a backup keeps the stream's creation time and gives sequences out again. It shows
        while the stream is shorter than what was read, or by another message in the place of the newest one read.
        """
        if state.last < self._next - 1:
            # For a moment, a new leader may not have applied all it has.
            now = time.monotonic()
            self._regressed_at = self._regressed_at or now
            if now - self._regressed_at < self._follow.regress:
                await asyncio.sleep(self._follow.heartbeat / 2)
                return True
        else:
            self._regressed_at = None
            if self._newest is None:
                return False
            stored = await self._jetstream.read_message(seq=self._newest.sequence)
            if stored is None or parse_time(stored.time.encode()) == self._newest.stored_at:
                return False
        _log.error("log went back: raising its generation", seen=self._next - 1, last=state.last)
        await self._jetstream.raise_generation(state)
        return True

    # The consumer

    async def _consume(self) -> None:
        """Follow by one consumer until it is broken."""
        self._broken.clear()
        self._consumption = Consumption(self._epoch, self._next, self._answer, self._may_expire)
        listening = await self._jetstream.listen(self)
        name = self._jetstream.new_name("follower")
        try:
            if await self._create(name, listening):
                await self._watch()
        finally:
            self._consumption = None
            await listening.close()
            await self._jetstream.delete_consumer(name)

    async def _create(self, name: str, listening: Listening) -> bool:
        config = {
            "deliver_subject": listening.subject,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": self._next,
            "flow_control": True,
            "idle_heartbeat": int(self._follow.heartbeat * _SECOND),
            "inactive_threshold": int(self._follow.inactive * _SECOND),
        }
        creation = asyncio.create_task(self._jetstream.create_consumer(name, config))
        try:
            # Without a meta leader nobody answers for up to 9 s, though the stream runs.
            while not (await asyncio.wait([creation], timeout=0.25))[0]:
                await self._bridge()
            answer = creation.result()
        except JetStreamError as error:
            _log.warning("consumer refused", error=str(error))
            await self._bridge()
            return False
        finally:
            creation.cancel()
        self.consumers += 1
        self.heard_at = self._delivered_at = self._moved_at = time.monotonic()
        _log.debug("consumer made", name=name, next=self._next, pending=answer.get("num_pending"))
        return True

    async def _watch(self) -> None:
        """Return once the consumer has to be given up."""
        checked_at = time.monotonic()
        while not self._broken.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._follow.heartbeat / 4):
                    await self._broken.wait()
            now = time.monotonic()
            if now - self._delivered_at > self._follow.missed * self._follow.heartbeat:
                _log.warning("consumer silent", seconds=round(now - self._delivered_at, 1))
                return
            if now - checked_at >= self._follow.check:
                checked_at = now
                if not await self._check():
                    return

    async def _check(self) -> bool:
        """Return whether the consumer keeps up with the stream's leader, as far as that can be told."""
        try:
            state = await self._jetstream.read_state()
            if state.epoch != self._epoch or not state.first <= self._next <= state.last + 1:
                return False
            self._note(state)
            if self.lag == 0 or time.monotonic() - self._moved_at < self._follow.stall:
                return True
            # The newest messages may be deleted: only one that exists proves a stall.
            ahead = await self._jetstream.read_message(seq=self._next, next_by_subj=">")
        except (JetStreamUnavailable, JetStreamError) as error:
            _log.debug("leader does not answer", error=str(error))
            return time.monotonic() - self.heard_at < self._follow.leaderless
        if ahead is None:
            self.lag = 0
            self._reach_head()
            return True
        if time.monotonic() - self._moved_at < self._follow.stall:
            return True
        _log.warning("consumer stalled", next=self._next, leader_has=ahead.sequence)
        return False

    def _answer(self, subject: bytes) -> None:
        _ = self._start(self._publish_answer(subject.decode()))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _publish_answer(self, subject: str) -> None:
        try:
            await self._jetstream.publish(subject)
        except JetStreamUnavailable as error:
            _log.debug("flow control not answered", error=str(error))

    # Without a consumer

    async def _bridge(self) -> None:
        """Read on by direct gets for a moment, while no consumer can be had."""
        entries: list[Entry] = []
        if self._state is not None and self._jetstream.connected:
            query = {"seq": self._next, "batch": _BRIDGE_BATCH}
            try:
                entries = await read_batch(self._jetstream, self._epoch, query, timeout=0.5)
            except (JetStreamUnavailable, JetStreamError) as error:
                _log.debug("bridge does not hold", error=str(error))
            # The consumer may have come to life meanwhile.
            self._pass_on([entry for entry in entries if entry.sequence >= self._next])
        if len(entries) < _BRIDGE_BATCH:
            await asyncio.sleep(self._follow.retry)

    async def _seek_leader(self) -> None:
        """Try another broker after a while: this one may be cut off from those that go on."""
        now = time.monotonic()
        if self._jetstream.connected and now - max(self.heard_at, self._sought_at) > self._follow.leaderless:
            _log.warning("no leader heard: trying another broker", seconds=round(now - self.heard_at, 1))
            self._sought_at = now
            await self._jetstream.move()

    @property
    def _epoch(self) -> str:
        return "" if self._state is None else self._state.epoch

    def _take(self) -> None:
        if self._consumption is None:
            return
        self._pass_on(self._consumption.take())
        if not self._consumption.holed:
            # Deleted messages at the end of what came are passed, too.
            self._next = max(self._next, self._consumption.next)
        elif self._explaining is None:
            self._explaining = self._start(self._explain_hole(self._consumption))

    def _may_expire(self, stored_at: int) -> bool:
        """Return whether retention may have dropped a message stored at that time."""
        if self._state is None:
            return False
        config = self._state.config
        if config.get("max_bytes", -1) > 0 or config.get("max_msgs", -1) > 0:
            return True
        max_age = config.get("max_age", 0)
        return bool(max_age) and time.time_ns() - stored_at > max_age - _AGE_MARGIN * _SECOND

    async def _explain_hole(self, consumption: Consumption) -> None:
        """Find out whether messages that a consumer passed over were deleted, or dropped by retention unseen."""
        try:
            state = await self._jetstream.read_state()
        except (JetStreamUnavailable, JetStreamError) as error:
            self.fail(error)
            return
        finally:
            self._explaining = None
        if consumption is not self._consumption:
            return
        gone = consumption.explain_hole(state.first)
        if gone is not None and gone >= self._next:
            _log.warning("events gone unseen", first=self._next, last=gone)
            self._sink.pass_over(gone)
            self._next = gone + 1
        self._take()

    def _pass_on(self, entries: list[Entry]) -> None:
        if not entries:
            return
        self._newest = entries[-1]
        self._next = self._newest.sequence + 1
        self.heard_at = self._moved_at = time.monotonic()
        if self._consumption is not None:
            self._consumption.next = max(self._consumption.next, self._next)
        self._sink.append(entries)
        for callback in self._on_entries:
            callback(entries)

    def _reach_head(self) -> None:
        if not self._reached_head:
            self._reached_head = True
            _log.info("head reached", next=self._next)
