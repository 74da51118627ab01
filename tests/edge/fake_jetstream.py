"""A broker for the follower's tests that lies, stays silent and stalls when told to, and a follower at it."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import msgspec
from support.waiting import wait_until
from tailrace_edge.consumption import Broken
from tailrace_edge.engine.entry import Entry
from tailrace_edge.follower import Follow, Follower
from tailrace_edge.jetstream import JetStream, JetStreamUnavailable
from tailrace_edge.leader import StoredMessage, StreamState
from tailrace_edge.wire import Receiver

SECOND = 1_000_000_000
STORED_AT = 1_795_222_923
"""Seconds since 1970 at which the message of sequence 0 would have been stored."""
FOLLOW = Follow(heartbeat=0.1, check=0.02, stall=0.1, retry=0.01, regress=0.2, missed=5, leaderless=0.4)


class FakeListening:
    def __init__(self, receivers: dict[str, Receiver], subject: str) -> None:
        self.subject = subject
        self._receivers = receivers

    async def close(self) -> None:
        self._receivers.pop(self.subject, None)


class FakeJetStream:
    """A log in memory, with consumers that can be told to misbehave.

    Attributes:
        messages: by sequence; what is not in here is deleted.
        last: the newest sequence ever given out.
        reachable: calls are answered.
        silent: consumers deliver nothing, and send heartbeats as if all were well.
        hold_creation: consumers are asked for without an answer.
        consumers: that were asked for.
        raised: how often the generation was.
        moved: how often another broker was asked for.
    """

    def __init__(self, number: int = 0) -> None:
        self.created = "2026-01-01T00:00:00.123456789Z"
        self.generation = 0
        self.config: dict[str, Any] = {}
        self.messages: dict[int, int] = {}
        self.last = 0
        self.connected = True
        self.reachable = True
        self.silent = False
        self.hold_creation = False
        self.consumers: list[str] = []
        self.raised = 0
        self.moved = 0
        self._inboxes = itertools.count()
        self._receivers: dict[str, Receiver] = {}
        self._positions: dict[str, tuple[int, int]] = {}
        self.append(number)

    # The log

    def append(self, number: int) -> None:
        for _ in range(number):
            self.last += 1
            self.messages[self.last] = (STORED_AT + self.last) * SECOND

    def cut(self, last: int) -> None:
        """Lose the end, as a store restored from a backup has."""
        self.last = last
        self.messages = {sequence: at for sequence, at in self.messages.items() if sequence <= last}

    def pump(self) -> None:
        """Deliver what the consumers have not delivered yet, and a heartbeat."""
        for subject, position in list(self._positions.items()):
            following, delivered = position
            receiver = self._receivers.get(subject)
            if receiver is None:
                del self._positions[subject]
                continue
            wanted = [] if self.silent else sorted(each for each in self.messages if each >= following)
            for number, sequence in enumerate(wanted, delivered + 1):
                at = self.messages[sequence]
                pending = sum(each > sequence for each in self.messages)
                reply = f"$JS.ACK.EVENTS.c.1.{sequence}.{number}.{at}.{pending}".encode()
                self._hand(receiver, b"events.acme.a", reply, b"", b"%d" % sequence)
            delivered += len(wanted)
            self._positions[subject] = (wanted[-1] + 1 if wanted else following), delivered
            beat = b"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: %d\r\n\r\n" % delivered
            self._hand(receiver, subject.encode(), b"", beat, b"")
            receiver.flush()

    def _hand(self, receiver: Receiver, *message: bytes) -> None:
        """Hand a message over as `MessageParser` does."""
        try:
            receiver.receive(*message)
        except Broken as error:
            receiver.fail(error)

    # As JetStream

    def on_reconnect(self, callback: Callable[[], None]) -> None:
        pass

    async def move(self) -> None:
        self.moved += 1

    def new_name(self, kind: str) -> str:
        return f"{kind}-{len(self.consumers)}"

    async def read_state(self) -> StreamState:
        self._check()
        first = min(self.messages, default=self.last + 1)
        return StreamState(self.created, self.generation, first, self.last, self.config, time.monotonic())

    async def read_message(self, **query: Any) -> StoredMessage | None:
        self._check()
        ahead = "next_by_subj" in query
        for sequence in sorted(self.messages):
            if sequence == query["seq"] or (ahead and sequence > query["seq"]):
                time = f"2026-11-21T01:02:{3 + self.messages[sequence] // SECOND - STORED_AT:02}Z"
                return StoredMessage(sequence, "events.acme.a", b"", time)
        return None

    async def raise_generation(self, state: StreamState) -> None:
        self.raised += 1
        self.generation = state.generation + 1

    async def listen(self, receiver: Receiver, subject: str | None = None) -> FakeListening:
        name = subject or f"_INBOX.{next(self._inboxes)}"
        self._receivers[name] = receiver
        return FakeListening(self._receivers, name)

    async def create_consumer(self, name: str, config: dict[str, Any]) -> dict[str, Any]:
        self.consumers.append(name)
        await wait_until(lambda: not self.hold_creation)
        self._check()
        self._positions[config["deliver_subject"]] = config["opt_start_seq"], 0
        return {}

    async def delete_consumer(self, name: str) -> None:
        pass

    async def publish(self, subject: str, payload: bytes = b"", reply: str = "") -> None:
        """Answer a batched direct get."""
        self._check()
        receiver = self._receivers[reply]
        query = msgspec.json.decode(payload)
        found = [sequence for sequence in sorted(self.messages) if sequence >= query.get("seq", 1)]
        for sequence in found[: query["batch"]]:
            at = self.messages[sequence] // SECOND - STORED_AT
            header = (
                f"NATS/1.0\r\nNats-Subject: events.acme.a\r\nNats-Sequence: {sequence}\r\n"
                f"Nats-Time-Stamp: 2026-11-21T01:02:{3 + at:02}Z\r\n\r\n"
            )
            receiver.receive(reply.encode(), b"", header.encode(), b"%d" % sequence)
        receiver.receive(reply.encode(), b"", b"NATS/1.0 204 EOB\r\n\r\n", b"")

    def _check(self) -> None:
        if not self.reachable:
            raise JetStreamUnavailable("away")


class Sink:
    """Records what the follower passes on."""

    def __init__(self) -> None:
        self.epochs: list[str] = []
        self.sequences: list[int] = []
        self.passed: list[int] = []
        self.settled = (0, 0)

    def open_log(self, epoch: str, first: int, head: int) -> None:
        self.epochs.append(epoch)
        self.sequences = list(range(first, head + 1))

    def append(self, entries: Sequence[Entry]) -> None:
        assert all(entry.epoch == self.epochs[-1] for entry in entries)
        self.sequences += [entry.sequence for entry in entries]

    def pass_over(self, sequence: int) -> None:
        self.passed.append(sequence)

    def settle(self, first: int, last: int, asked_at: float) -> None:
        self.settled = (first, last)


class Trial:
    def __init__(self, jetstream: FakeJetStream) -> None:
        self.jetstream = jetstream
        self.sink = Sink()
        self.follower = Follower(cast("JetStream", jetstream), self.sink, FOLLOW)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let time pass, in which consumers deliver, until a condition holds."""
        async with asyncio.timeout(20):
            while not condition():
                self.jetstream.pump()
                await asyncio.sleep(0.01)

    async def reach(self, *sequences: int) -> None:
        await self.until(lambda: self.sink.sequences == list(sequences))

    async def wait(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        await self.until(lambda: loop.time() >= end)


@asynccontextmanager
async def following(jetstream: FakeJetStream) -> AsyncIterator[Trial]:
    trial = Trial(jetstream)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(trial.follower.run())
        yield trial
        task.cancel()
