"""The engine's face: what happens to the log and to connections comes in, what to write and to read goes out."""

import itertools
import math
from collections.abc import Collection, Iterable, Sequence

from tailrace_protocol.closing import CloseReason
from tailrace_protocol.control import Challenge, Closing, Control, Mode, Open, Reset, ResetReason

from tailrace_edge.engine.batch import Batch
from tailrace_edge.engine.counts import Counts
from tailrace_edge.engine.entry import HEARTBEATS, Entry, encode_control
from tailrace_edge.engine.hub import Group, Hub, Interest
from tailrace_edge.engine.leases import Leases
from tailrace_edge.engine.limits import Limits
from tailrace_edge.engine.log import Log
from tailrace_edge.engine.places import Places
from tailrace_edge.engine.reading import Reading
from tailrace_edge.engine.serving import Serving, Write
from tailrace_edge.engine.subscriber import Place, Subscriber, Watch
from tailrace_edge.engine.wheel import Wheel


class Engine:
    """One log, its tail, and the cursors of all subscribers.

    The driver calls `append` as the log grows and writes what it returns to the connections of each group's `live`;
    takes `next_ready`, calls `serve` and writes what that returns, until nobody is ready; performs the readings that
    `plan_reading` asks for and passes what they bring to `feed`; and calls `beat` for those whose `turn` it is.
    It tells of every write that was not taken in full by `stall`, and by `unblock` when a connection takes again.

    Attributes:
        name: the edge's, for `open`.
        log: what is followed.
        counts: what has happened so far.
    """

    def __init__(self, name: str, limits: Limits | None = None) -> None:
        """Make an engine without a log or subscribers."""
        self.name = name
        self.counts = Counts()
        self._limits = limits or Limits()
        self.log = Log(self._limits.tail_bytes)
        self._hub = Hub()
        self._places = Places()
        self._serving = Serving(self.log, self._places, self.counts, self._limits)
        self._wheel = Wheel(self._limits.heartbeat)
        self._leases = Leases()
        self._subscribers: dict[Subscriber, None] = {}

    # What happens to the log

    def open_log(self, epoch: str, first: int, head: int) -> None:
        """Follow a log of which the entries after `head` will be appended.

        If another was followed before, every subscriber gets a `reset` and goes on after `head`.

        Args:
            epoch: its identity.
            first: its oldest sequence.
            head: where to begin, at least `first` - 1.
        """
        replaced = bool(self.log.epoch)
        self._places.drop_readings()
        self.log.open(epoch, first, head)
        if replaced:
            for subscriber in self._subscribers:
                self._reset(subscriber, ResetReason.EPOCH)

    def append(self, entries: Sequence[Entry], now: float) -> list[tuple[Group, Batch]]:
        """Take in the next entries of the log, in order.

        Args:
            entries: all that one tick brings. A jump in their sequences means that those between are deleted.
            now: the time.

        Returns:
            For each group, what to write to all its `live` connections.
        """
        noticed: dict[Group, list[Entry]] = {}
        for entry in entries:
            self.log.tail.append(entry)
            for group in self._hub.match(entry.path):
                if (group.live or group.waiting) and group.notices(entry):
                    noticed.setdefault(group, []).append(entry)
        self.log.head = entries[-1].sequence
        self.counts.events += len(entries)
        self._places.reach(self.log.head)
        writes: list[tuple[Group, Batch]] = []
        for group, found in noticed.items():
            if group.interest.shared:
                batch = self._serving.share(group, found)
                self._count(len(group.live), batch)
                writes.append((group, batch))
            else:
                self._serving.wake(group, found[0].sequence, now)
        return writes

    def pass_over(self, sequence: int) -> None:
        """Learn that the log holds nothing more up to `sequence`: what was there is gone, unseen by this edge."""
        behind = self.log.head
        self._places.drop_readings()
        self.log.open(self.log.epoch, sequence + 1, sequence)
        for subscriber in self._subscribers:
            if subscriber.place in (Place.LIVE, Place.WAITING):
                subscriber.cursor = behind
                self._places.move(subscriber, Place.READY)
        self._places.reach(sequence)

    def settle(self, first: int, last: int, asked: float = math.inf) -> None:
        """Learn from the stream's leader what the log holds.

        Args:
            first: its oldest sequence.
            last: its newest sequence.
            asked: when that was asked. What has been stored since may be what a client that came since has seen.
        """
        self.log.first = max(self.log.first, first)
        for subscriber in [ahead for ahead in self._places.ahead if ahead.cursor > last and ahead.told_at < asked]:
            self._reset(subscriber, ResetReason.AHEAD)

    # What happens to connections

    def attach(
        self,
        subscriber: Subscriber,
        interest: Interest,
        *,
        mode: Mode,
        cursor: int,
        now: float,
        retry: int,
        head: bytes = b"",
        snapshot: list[Entry] | None = None,
        watch: Watch | None = None,
    ) -> None:
        """Take in a new stream; it is ready to be served at once.

        Args:
            subscriber: a new one.
            interest: what it asked for.
            mode: LIVE, RESUMED or RESET; a gap is found out here.
            cursor: where it goes on, exclusive; with a snapshot, the head at which that was taken.
            now: the time.
            retry: milliseconds the client is to wait when the connection is lost.
            head: bytes that go out before the first event.
            snapshot: the newest entry of each topic, in order, to be served before what follows `cursor`; without
                any, the stream simply begins there.
            watch: with `until=terminal`, the jobs to wait for, as known up to `cursor` at least. One that knows less
                is no use, and the stream goes on.
        """
        subscriber.group = self._hub.join(interest)
        subscriber.watch = watch if watch is not None and watch.since >= cursor else None
        subscriber.told = snapshot[-1].sequence if snapshot else cursor
        subscriber.told_at = now
        if mode is Mode.RESUMED and cursor + 1 < self.log.oldest:
            mode = Mode.GAP
        here = self.log.position(cursor)
        opening = Open(mode, str(here), self._limits.heartbeat, self.name)
        # Without an id in it, a client cut off within the snapshot asks for the snapshot again.
        at = None if snapshot else here
        subscriber.preface = head + encode_control(opening, interest.form, at, retry)
        if mode is Mode.RESET:
            subscriber.preface += encode_control(Reset(ResetReason.EPOCH, str(here)), interest.form, at)
            self.counts.resets += 1
        subscriber.snapshot = snapshot or None
        subscriber.snapshot_end = cursor
        subscriber.cursor = 0 if snapshot else cursor
        if cursor < self.log.head:
            self.counts.replays["tail" if cursor >= self.log.tail.start - 1 else "jetstream"] += 1
        self._subscribers[subscriber] = None
        self._wheel.add(subscriber)
        self._leases.add(subscriber, now)
        self._places.move(subscriber, Place.READY)

    def stall(self, subscriber: Subscriber, batch: Batch, written: int, now: float) -> tuple[bytes, bool]:
        """Learn that a connection took only the first `written` bytes of a batch, and takes no more for now.

        Returns:
            The rest of the frame that was cut, which has to reach the connection before anything else, and whether
            the stream ends with it. Nothing else is kept: the cursor stands after that frame.
        """
        rest, cursor, left = batch.cut(written)
        self.counts.deliveries -= left
        self.counts.bytes -= len(batch.data) - written - len(rest)
        if subscriber.place in (Place.LIVE, Place.WAITING, Place.PACED) and subscriber.fell_at is None:
            subscriber.fell_at = now
            subscriber.conflated = 0
        subscriber.blocked_at = now
        self._places.move(subscriber, Place.BLOCKED)
        subscriber.cursor = cursor
        return rest, batch.last and left == 0

    def unblock(self, subscriber: Subscriber) -> None:
        """Learn that a blocked connection takes bytes again."""
        if subscriber.place is not Place.BLOCKED:
            return
        subscriber.blocked_at = None
        reading = subscriber.reading
        goes_on = reading is not None and not subscriber.preface and reading.takes(subscriber)
        self._places.move(subscriber, Place.READING if goes_on else Place.READY)

    def move_on(self, subscriber: Subscriber, now: float) -> None:
        """Learn that a blocked connection has taken some bytes: it is slow, not dead."""
        if subscriber.blocked_at is not None:
            subscriber.blocked_at = now

    def detach(self, subscriber: Subscriber) -> None:
        """Let a stream go, whose connection is lost or has been told `close`. Doing it again changes nothing."""
        if subscriber.place is Place.CLOSED:
            return
        self._places.move(subscriber, Place.CLOSED)
        self._wheel.remove(subscriber)
        self._leases.remove(subscriber)
        del self._subscribers[subscriber]
        self._hub.leave(subscriber.group)

    def close(self, subscriber: Subscriber, reason: CloseReason, retry: int | None) -> Batch:
        """End a stream: let it go, and return what to write to its connection before that is closed."""
        form = subscriber.group.interest.form
        self.detach(subscriber)
        closing = encode_control(Closing(reason, retry), form, retry=retry)
        return Batch([subscriber.preface + closing], [subscriber.cursor], last=True)

    # What to write

    def next_ready(self, now: float) -> Subscriber | None:
        """Return a subscriber to `serve`, the one that has waited longest; None if there is none."""
        return self._places.next_ready(now)

    @property
    def waits_for_serving(self) -> bool:
        """Whether `next_ready` has somebody, or `next_due` a time."""
        return bool(self._places.ready) or self._places.next_due is not None

    @property
    def next_due(self) -> float | None:
        """When `next_ready` will have somebody that `max_rate` holds back; None if it holds nobody."""
        return self._places.next_due

    def serve(self, subscriber: Subscriber, now: float) -> Batch | None:
        """Return what to write to a ready subscriber next, and move its cursor behind it."""
        batch = self._serving.serve(subscriber, now)
        if batch is not None:
            self._count(1, batch)
        return batch

    def turn(self, now: float) -> Iterable[Subscriber]:
        """Return the subscribers to `beat` now."""
        return itertools.chain(self._leases.turn(now), self._wheel.turn(now))

    def beat(self, subscriber: Subscriber, now: float) -> Batch | CloseReason | None:
        """Return what a subscriber's turn brings: a heartbeat, `cursor` or `challenge` to write, or why to close it."""
        lease = subscriber.lease
        if lease is not None and now >= lease.until:
            return CloseReason.TOKEN_EXPIRED
        if now >= subscriber.expires:
            return CloseReason.MAX_AGE
        if subscriber.blocked_at is not None:
            return CloseReason.SLOW if now - subscriber.blocked_at >= self._limits.slow_after else None
        if subscriber.preface:
            return None
        if lease is not None and now >= lease.warn_at:
            subscriber.lease = lease._replace(warn_at=math.inf)
            return self._encode_alone(subscriber, Challenge(lease.expires))
        heartbeat = HEARTBEATS[subscriber.group.interest.form]
        if subscriber.place in (Place.LIVE, Place.WAITING):
            return Batch([self._serving.beat(subscriber, now) or heartbeat], [self.log.head])
        return Batch([heartbeat], [self._find_cursor(subscriber)])

    # What to read

    def count_cold(self) -> int:
        """Return how many wait for a reading; `plan_reading` has one to perform unless nobody does."""
        return len(self._places.cold)

    def plan_reading(self) -> Reading | None:
        """Return a reading to perform for those older than the tail; None if nobody waits for one."""
        return self._places.plan_reading(self.log.tail.start)

    def feed(self, reading: Reading, entries: Sequence[Entry], now: float) -> list[Write]:
        """Take in what a reading brought, in order, none between left out that its patterns match.

        Members that have not taken all of what came before drop out and wait for another reading.

        Returns:
            What to write to whom. As long as the reading is `lagging`, `catch_up` may bring more.
        """
        if reading not in self._places.readings or not entries:
            return []
        behind = [member for member in (*reading.late, *reading.blocked) if member.cursor < reading.served]
        for subscriber in behind:
            self._places.leave_reading(subscriber, reading)
        reading.hold(entries)
        return self._serve_groups(reading, [reading.find_level(group) for group in self._find_groups(reading)], now)

    def catch_up(self, reading: Reading, now: float) -> list[Write]:
        """Return what to write to those members of a reading that take again what it holds for them."""
        groups: dict[Group, list[Subscriber]] = {}
        for subscriber in reading.late:
            groups.setdefault(subscriber.group, []).append(subscriber)
        return self._serve_groups(reading, groups.values(), now)

    def end_reading(self, reading: Reading) -> None:
        """Learn that a reading is over. Those it has brought up to the tail go on there, others wait for another."""
        if reading not in self._places.readings:
            return
        for subscriber in reading.members:
            cursor = reading.find_cursor(subscriber)
            # Who did not take all of it, or has to be told of a gap, is not there yet.
            if reading.complete and cursor >= reading.served and cursor + 1 >= self.log.oldest:
                subscriber.cursor = max(cursor, reading.covers)
        self._places.end_reading(reading)

    def _find_groups(self, reading: Reading) -> Collection[Group]:
        """Return those for whom a reading has just brought something."""
        found: dict[Group, list[Entry]] = {}
        if reading.held_after + 1 < self.log.oldest:
            # Retention has overtaken it: those for whom there is nothing have to be told of the gap.
            found = {group: [] for group in reading.level}
        for entry in reading.held:
            for group in self._hub.match(entry.path):
                if group in reading.level and group.notices(entry):
                    found.setdefault(group, []).append(entry)
        reading.note(found)
        return found

    def _serve_groups(self, reading: Reading, groups: Iterable[list[Subscriber]], now: float) -> list[Write]:
        """Return what to write to members of a reading, given by group."""
        writes: list[Write] = []
        for members in groups:
            writes += self._serving.serve_reading(members, reading, now)
            for subscriber in members:
                if subscriber.cursor < reading.served or subscriber in reading.late:
                    reading.place(subscriber)
        for subscribers, batch in writes:
            self._count(len(subscribers), batch)
        return writes

    # Counting

    @property
    def subscribers(self) -> list[Subscriber]:
        """Those whose streams are open."""
        return list(self._subscribers)

    def count_live(self) -> int:
        """Return how many of them are at the head."""
        return sum(len(group.live) + len(group.waiting) for group in self._hub)

    def count_subscribers(self) -> int:
        """Return how many there are."""
        return len(self._subscribers)

    def _reset(self, subscriber: Subscriber, why: ResetReason) -> None:
        here = self.log.position(self.log.head)
        subscriber.preface += encode_control(Reset(why, str(here)), subscriber.group.interest.form, here)
        subscriber.snapshot = None
        subscriber.cursor = subscriber.told = self.log.head
        subscriber.watch = None
        if subscriber.place is not Place.BLOCKED:
            self._places.move(subscriber, Place.READY)
        self.counts.resets += 1

    def _encode_alone(self, subscriber: Subscriber, control: Control) -> Batch:
        return Batch([encode_control(control, subscriber.group.interest.form)], [self._find_cursor(subscriber)])

    def _find_cursor(self, subscriber: Subscriber) -> int:
        if subscriber.place in (Place.LIVE, Place.WAITING):
            return self.log.head
        return subscriber.cursor if subscriber.reading is None else subscriber.reading.find_cursor(subscriber)

    def _count(self, connections: int, batch: Batch) -> None:
        self.counts.deliveries += connections * batch.frames
        self.counts.bytes += connections * len(batch.data)
