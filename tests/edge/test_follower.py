"""The follower where a real broker is hard to bring to it: leaders that lie, calls without answers, stalls.

Its clock is that of a loop which does not wait, so that nothing strikes because the machine is slow.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from support.turned_loop import TurnedLoop
from support.waiting import wait_until
from tailrace_edge import follower
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


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": TurnedLoop}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the follower go by the loop's clock, too."""
    turned = SimpleNamespace(monotonic=lambda: asyncio.get_running_loop().time(), time_ns=time.time_ns)
    monkeypatch.setattr(follower, "time", turned)


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


async def test_it_reads_the_log_as_it_grows() -> None:
    async with following(FakeJetStream(5)) as trial:
        await trial.reach(1, 2, 3, 4, 5)
        trial.jetstream.append(3)
        await trial.reach(1, 2, 3, 4, 5, 6, 7, 8)
        await trial.until(lambda: trial.follower.ready and trial.follower.lag == 0)
        assert trial.follower.consumers == 1
        assert len(trial.sink.epochs) == 1


async def test_an_empty_log_is_at_its_head() -> None:
    async with following(FakeJetStream()) as trial:
        await trial.until(lambda: trial.follower.ready)
        trial.jetstream.append(1)
        await trial.reach(1)


async def test_a_leader_that_says_less_for_a_moment_is_not_believed() -> None:
    async with following(FakeJetStream(5)) as trial:
        await trial.reach(1, 2, 3, 4, 5)
        whole = dict(trial.jetstream.messages)
        trial.jetstream.cut(3)
        await trial.wait(FOLLOW.regress / 3)
        trial.jetstream.messages, trial.jetstream.last = whole, 5
        trial.jetstream.append(1)
        await trial.reach(1, 2, 3, 4, 5, 6)
        assert trial.jetstream.raised == 0
        assert len(trial.sink.epochs) == 1


async def test_a_log_that_went_back_gets_another_epoch() -> None:
    async with following(FakeJetStream(5)) as trial:
        await trial.reach(1, 2, 3, 4, 5)
        trial.jetstream.cut(3)
        await trial.until(lambda: len(trial.sink.epochs) == 2)
        assert trial.jetstream.raised == 1
        assert trial.sink.sequences == [1, 2, 3], "it goes on at the end of what is left"
        trial.jetstream.append(2)
        await trial.reach(1, 2, 3, 4, 5)
        assert trial.sink.epochs[0] != trial.sink.epochs[1]


async def test_a_log_that_went_back_and_grew_on_is_found_by_its_newest_message() -> None:
    jetstream = FakeJetStream(5)
    async with following(jetstream) as trial:
        await trial.reach(1, 2, 3, 4, 5)
        # The connection is lost meanwhile, and every consumer with it.
        jetstream.reachable = False
        trial.follower.fail(ConnectionError("lost"))
        await trial.wait(0.1)
        jetstream.cut(3)
        jetstream.append(4)
        jetstream.messages[5] += SECOND
        jetstream.reachable = True
        await trial.until(lambda: len(trial.sink.epochs) == 2)
        assert jetstream.raised == 1


async def test_a_stream_made_anew_is_read_from_its_start() -> None:
    jetstream = FakeJetStream(5)
    async with following(jetstream) as trial:
        await trial.reach(1, 2, 3, 4, 5)
        jetstream.created = "2026-01-02T00:00:00Z"
        jetstream.cut(0)
        jetstream.append(2)
        await trial.until(lambda: len(trial.sink.epochs) == 2)
        await trial.reach(1, 2)
        assert jetstream.raised == 0


async def test_direct_gets_bridge_the_time_without_a_consumer() -> None:
    jetstream = FakeJetStream(5)
    async with following(jetstream) as trial:
        await trial.reach(1, 2, 3, 4, 5)
        jetstream.hold_creation = True
        trial.follower.fail(ConnectionError("lost"))
        jetstream.append(2)
        await trial.reach(1, 2, 3, 4, 5, 6, 7)
        assert len(jetstream.consumers) == 2, "asked for, and not answered"
        jetstream.append(1)
        await trial.reach(1, 2, 3, 4, 5, 6, 7, 8)
        jetstream.hold_creation = False
        jetstream.append(2)
        await trial.until(lambda: trial.follower.consumers == 2)
        await trial.reach(*range(1, 11))


async def test_a_consumer_that_stalls_is_replaced() -> None:
    """It sends heartbeats, and the leader has more."""
    jetstream = FakeJetStream(5)
    async with following(jetstream) as trial:
        await trial.reach(1, 2, 3, 4, 5)
        jetstream.silent = True
        jetstream.append(2)
        await trial.until(lambda: len(jetstream.consumers) == 2)
        jetstream.silent = False
        await trial.reach(1, 2, 3, 4, 5, 6, 7)
        await trial.until(lambda: trial.follower.lag == 0)


async def test_a_consumer_that_falls_silent_is_replaced() -> None:
    jetstream = FakeJetStream(2)
    async with following(jetstream) as trial:
        await trial.reach(1, 2)
        async with asyncio.timeout(20):
            await wait_until(lambda: len(jetstream.consumers) == 2)
        jetstream.append(1)
        await trial.reach(1, 2, 3)


async def test_a_consumers_heartbeats_are_no_word_of_the_leader() -> None:
    """They go on where a broker is cut off from the others. After a while another one is tried, again and again."""
    jetstream = FakeJetStream(2)
    async with following(jetstream) as trial:
        await trial.reach(1, 2)
        jetstream.reachable = False
        heard_at = trial.follower.heard_at
        await trial.until(lambda: jetstream.moved == 2)
        assert trial.follower.heard_at <= heard_at + FOLLOW.check
        assert len(jetstream.consumers) == 1
        jetstream.reachable = True
        jetstream.append(1)
        await trial.reach(1, 2, 3)
        assert trial.follower.heard_at > heard_at + FOLLOW.leaderless


async def test_no_other_broker_is_tried_while_events_come() -> None:
    jetstream = FakeJetStream(2)
    async with following(jetstream) as trial:
        await trial.reach(1, 2)
        jetstream.reachable = False
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + 4 * FOLLOW.leaderless

        def go_on() -> bool:
            jetstream.append(1)
            return loop.time() > ends_at

        await trial.until(go_on)
        assert jetstream.moved == 0


async def test_the_deleted_end_of_a_log_is_no_stall() -> None:
    jetstream = FakeJetStream(5)
    async with following(jetstream) as trial:
        await trial.reach(1, 2, 3, 4, 5)
        jetstream.last = 8
        await trial.wait(FOLLOW.stall * 4)
        assert trial.follower.consumers == 1
        assert trial.follower.lag == 0
        jetstream.append(1)
        await trial.reach(1, 2, 3, 4, 5, 9)


async def test_what_went_unseen_is_passed_over() -> None:
    jetstream = FakeJetStream(5)
    async with following(jetstream) as trial:
        await trial.reach(1, 2, 3, 4, 5)
        jetstream.reachable = False
        trial.follower.fail(ConnectionError("lost"))
        await trial.wait(0.1)
        jetstream.append(5)
        jetstream.messages = {sequence: at for sequence, at in jetstream.messages.items() if sequence > 8}
        jetstream.reachable = True
        await trial.reach(1, 2, 3, 4, 5, 9, 10)
        assert trial.sink.passed == [8]
        assert trial.sink.settled == (9, 10)


@pytest.mark.parametrize("retention", [True, False])
async def test_a_jump_that_retention_made_is_told(retention: bool) -> None:
    """What is missing between two deliveries was deleted, or dropped unseen: the leader's oldest message tells."""
    jetstream = FakeJetStream(5)
    jetstream.config = {"max_bytes": 1000}
    async with following(jetstream) as trial:
        await trial.reach(1, 2, 3, 4, 5)
        jetstream.append(5)
        gone = range(1, 9) if retention else range(6, 9)
        for sequence in gone:
            del jetstream.messages[sequence]
        await trial.reach(1, 2, 3, 4, 5, 9, 10)
        assert trial.sink.passed == ([8] if retention else [])
        assert trial.follower.consumers == 1


@pytest.mark.parametrize("fault", ["hole", "again"])
async def test_a_break_of_the_consumer_costs_nothing(fault: str) -> None:
    jetstream = FakeJetStream(5)
    async with following(jetstream) as trial:
        await trial.reach(1, 2, 3, 4, 5)
        ((subject, (next_one, delivered)),) = jetstream._positions.items()
        # One delivery is lost under way, or the consumer's host was restarted and begins anew.
        jetstream._positions[subject] = (next_one, delivered + 1) if fault == "hole" else (1, 0)
        jetstream.append(2)
        await trial.reach(1, 2, 3, 4, 5, 6, 7)
        assert len(jetstream.consumers) == 2
