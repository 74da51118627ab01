"""Edges: an engine each, and a driver without asyncio that does what `tailrace_edge.pump` does."""

import random

from tailrace_edge.engine.batch import Batch
from tailrace_edge.engine.engine import Engine
from tailrace_edge.engine.entry import Entry
from tailrace_edge.engine.limits import Limits
from tailrace_edge.engine.reading import Reading
from tailrace_edge.engine.serving import Write
from tailrace_edge.engine.subscriber import Place, Subscriber, Watch
from tailrace_protocol.closing import CloseReason
from tailrace_protocol.control import Mode
from tailrace_protocol.patterns import is_wildcard, match_pattern
from tailrace_protocol.positions import parse_position
from tailrace_protocol.starts import Start

from simulation.client import HEAD, Client, check
from simulation.following import Following
from simulation.stream import Message, Stream


class Connection:
    """A socket: what it has taken reaches the client in order; when it has no room, it takes nothing."""

    def __init__(self, client: Client, edge: "Edge", expires: float) -> None:
        self.client = client
        self.edge = edge
        self.subscriber = Subscriber(self, expires=expires)
        self.room: int | None = None
        self.wire: list[tuple[bytes, float | None]] = []
        self.rest: tuple[bytes, float | None] | None = None
        self.ends = False
        self.ended = False
        self.jobs: Jobs | None = None

    def write(self, batch: Batch, served_at: float | None = None) -> None:
        """Take a batch as far as there is room."""
        check(self.rest is None and not self.ended, "written to while it takes nothing")
        if self.room is None or len(batch.data) <= self.room:
            self._put(batch.data, served_at)
            if batch.last:
                self.finish()
            return
        written = self.room
        self._put(batch.data[:written], served_at)
        rest, self.ends = self.edge.engine.stall(self.subscriber, batch, written, self.edge.now)
        check(rest and self.room == 0, "nothing is left of a write that was cut")
        self.rest = (rest, served_at)

    def take(self, count: int | None) -> None:
        """Make room: for `count` bytes, or without limit."""
        self.room = count
        if self.rest is None:
            return
        rest, served_at = self.rest
        taken = rest if count is None else rest[:count]
        self._put(taken, served_at)
        self.rest = (rest[len(taken) :], served_at)
        if self.rest[0]:
            if taken:
                self.edge.engine.move_on(self.subscriber, self.edge.now)
            return
        self.rest = None
        if self.ends:
            self.finish()
        else:
            self.edge.engine.unblock(self.subscriber)

    def close(self, reason: CloseReason, rng: random.Random) -> None:
        """End the stream as a driver does: what was cut, then `closing`, as far as the socket takes it."""
        batch = self.edge.engine.close(self.subscriber, reason, 1000)
        self.edge.connections.pop(self.subscriber, None)
        data = (self.rest[0] if self.rest else b"") + batch.data
        if self.room is not None:
            data = data[: rng.randrange(len(data) + 1)]
        self._put(data, None)
        self.ended = True

    def finish(self) -> None:
        """End the stream after its last batch."""
        self.edge.drop(self)
        self.ended = True

    def read(self, count: int | None) -> None:
        """Let the client read what has reached it, up to `count` bytes."""
        while self.wire and count != 0:
            chunk, served_at = self.wire.pop(0)
            if count is not None:
                if len(chunk) > count:
                    self.wire.insert(0, (chunk[count:], served_at))
                    chunk = chunk[:count]
                count -= len(chunk)
            self.client.read(chunk, served_at)
        if self.ended and not self.wire:
            if self.client.finished and self.jobs is not None:
                self.jobs.check_finished(self.client)
            self.client.end()

    def _put(self, data: bytes, served_at: float | None) -> None:
        if data:
            self.wire.append((data, served_at))
        if self.room is not None:
            self.room -= len(data)


class Jobs:
    """What the jobs of a client with `until=terminal` come to, reckoned anew from the stream."""

    def __init__(self, client: Client, stream: Stream, head: int) -> None:
        self.head = head
        self.stream = stream
        self.terminal = {
            path: message.ends_job for path, message in stream.newest(head).items() if client.matches(path)
        }

    def end(self, client: Client) -> int | None:
        """Return the sequence with which the last job ends; None if it does not, -1 if messages are gone."""
        patterns = client.interest.patterns
        watched = {path: ended for path, ended in self.terminal.items() if _is_job(patterns, path)}
        watched |= {pattern: False for pattern in patterns if not is_wildcard(pattern) and pattern not in watched}
        jobs = {path for path in self.terminal if path in watched}
        if jobs and all(watched.values()):
            return self.head
        for message in self.stream.messages[self.head :]:
            if client.matches(message.path) and _is_job(patterns, message.path):
                if message.removed is not None:
                    return -1
                watched[message.path] = message.ends_job
                jobs.add(message.path)
                if all(watched.values()):
                    return message.sequence
        return None

    def check_finished(self, client: Client) -> None:
        assert client.position is not None
        if client.position.epoch != self.stream.epoch or client.resets or client.gaps:
            return
        end = self.end(client)
        check(
            end == -1 or (end is not None and client.position.sequence <= end), f"finished, but the last end is {end}"
        )
        if end is not None and end >= 0:
            client.check_end(end)

    def check_unfinished(self, client: Client) -> None:
        assert client.position is not None
        if client.position.epoch == self.stream.epoch and not client.resets and not client.gaps:
            check(self.end(client) in (None, -1), "all jobs have ended, but the stream goes on")


def _is_job(patterns: tuple[str, ...], path: str) -> bool:
    forms = ("*.jobs.*", "*.users.*.jobs.*")
    return path in patterns or any(match_pattern(form, path) for form in forms)


class Task:
    """A reading under way, of a replica that may be stale."""

    def __init__(self, reading: Reading, stream: Stream, replica: int) -> None:
        self.reading = reading
        self.replica = replica
        self.position = reading.after
        self.fetched: list[Message] = []
        later = stream.stored(reading.covers)
        earlier = stream.stored(reading.after, reading.covers)
        sentinel = later[0] if later else earlier[-1] if earlier else None
        reading.until = sentinel.sequence if sentinel else reading.after
        self._patterns = (
            None if reading.patterns is None else [*reading.patterns, *([sentinel.path] if sentinel else [])]
        )

    def fetch(self, stream: Stream, count: int) -> None:
        """Take the next messages from the replica, if those before were fed."""
        if not self.fetched:
            wanted = [message for message in stream.stored(self.position, self.replica) if self._wants(message)]
            self.fetched = wanted[:count]
            self.position = self.fetched[-1].sequence if self.fetched else self.position

    def _wants(self, message: Message) -> bool:
        patterns = self._patterns
        return patterns is None or any(match_pattern(pattern, message.path) for pattern in patterns)


class Edge:
    """One edge process."""

    def __init__(self, name: str, limits: Limits, stream: Stream, rng: random.Random, now: float) -> None:
        self.engine = Engine(name, limits)
        self.limits = limits
        self.rng = rng
        self.now = now
        self.connections: dict[Subscriber, Connection] = {}
        self.tasks: list[Task] = []
        self.answer: tuple[Stream, int, int, float] | None = None
        self.following = Following(stream, 0, rng)
        self.stream = stream
        self.discover(stream)

    # The log

    def discover(self, stream: Stream) -> None:
        """Find that the stream is another one than before, and follow it."""
        if stream is not self.stream or not self.engine.log.epoch:
            self.stream = stream
            self.tasks.clear()
            head = self.rng.randint(stream.first - 1, stream.last)
            self.following = Following(stream, head, self.rng)
            self.engine.open_log(stream.epoch, stream.first, head)

    def follow(self, count: int) -> None:
        """Take in the next messages."""
        if self.stream.first > self.engine.log.head + 1:
            self.engine.pass_over(self.stream.first - 1)
            self.following.begin(self.stream.first)
        entries = self.following.take(count)
        if entries:
            for group, batch in self.engine.append(entries, self.now):
                for subscriber in list(group.live):
                    self.connections[subscriber].write(batch)

    def ask(self) -> None:
        """Ask the stream's leader what it holds; the answer takes its time."""
        self.answer = (self.stream, self.stream.first, self.stream.last, self.now)

    def settle(self) -> None:
        """Take the leader's answer in."""
        if self.answer is not None and self.answer[0] is self.stream:
            self.engine.settle(*self.answer[1:])

    # Connections

    def connect(self, client: Client) -> None:
        """Take in a client as the stream route does."""
        log = self.engine.log
        mode, cursor, snapshot = self._find_start(client)
        if client.interest.until_terminal and log.head < cursor <= self.stream.last:
            return  # it waits until this edge knows how the jobs stand
        connection = Connection(client, self, self.now + self.rng.choice((50, 500, 5000)))
        watch = None
        if client.interest.until_terminal and cursor <= log.head:
            connection.jobs = Jobs(client, self.stream, log.head)
            watch = Watch(client.interest.patterns, log.head, connection.jobs.terminal)
            if watch.ended and cursor >= log.head and not snapshot:
                client.finished = True  # 204
                return
        self.connections[connection.subscriber] = connection
        client.begin(connection)
        self.engine.attach(
            connection.subscriber,
            client.interest,
            mode=mode,
            cursor=cursor,
            now=self.now,
            retry=1000,
            head=HEAD,
            snapshot=snapshot,
            watch=watch,
        )

    def _find_start(self, client: Client) -> tuple[Mode, int, list[Entry] | None]:
        log = self.engine.log
        if client.id:
            position = parse_position(client.id)
            known = position.epoch == log.epoch
            return (Mode.RESUMED, position.sequence, None) if known else (Mode.RESET, log.head, None)
        match client.start:
            case Start.NOW:
                return Mode.LIVE, log.head, None
            case Start.BEGINNING:
                return Mode.LIVE, log.oldest - 1, None
            case _:
                newest = [
                    m for m in self.stream.newest(log.head).values() if client.wants(m) and m.event.type != "deleted"
                ]
                newest.sort(key=lambda message: message.sequence)
                return Mode.LIVE, log.head, [self.following.make_entry(message) for message in newest]

    def drop(self, connection: Connection) -> None:
        """Find that a connection is lost."""
        self.engine.detach(connection.subscriber)
        self.connections.pop(connection.subscriber, None)

    def beat(self) -> None:
        for subscriber in self.engine.turn(self.now):
            match self.engine.beat(subscriber, self.now):
                case Batch() as batch:
                    self.connections[subscriber].write(batch)
                case CloseReason() as reason:
                    self.connections[subscriber].close(reason, self.rng)

    def drain(self) -> None:
        for connection in list(self.connections.values()):
            connection.close(CloseReason.DRAIN, self.rng)

    # Serving

    def serve(self, count: int) -> int:
        """Serve up to `count` times, and return how often."""
        for served in range(count):
            subscriber = self.engine.next_ready(self.now)
            if subscriber is None:
                return served
            batch = self.engine.serve(subscriber, self.now)
            if batch is not None:
                paced = subscriber.group.interest.max_rate is not None and subscriber.place is Place.WAITING
                self.connections[subscriber].write(batch, self.now if paced else None)
        return count

    def plan(self, *, stale: bool) -> None:
        """Begin a reading if one is wanted."""
        reading = self.engine.plan_reading()
        if reading is not None:
            replica = self.rng.randint(0, self.stream.last) if stale else self.stream.last
            self.tasks.append(Task(reading, self.stream, replica))
            # Asked after the sentinel was looked for: that there is none may be retention's doing.
            self.engine.settle(self.stream.first, self.stream.last, self.now)

    def read(self, task: Task, count: int, *, feed: bool = True) -> None:
        """Take a reading on by up to `count` messages."""
        task.fetch(self.stream, count)
        # What retention has taken meanwhile has to be known before anything that comes after it is served.
        self.engine.settle(self.stream.first, self.stream.last, self.now)
        if feed and task.fetched:
            entries = [self.following.make_entry(message) for message in task.fetched]
            task.fetched = []
            self._write(self.engine.feed(task.reading, entries, self.now))
        if task.reading.complete and not task.fetched and not task.reading.lagging:
            self.end(task)

    def catch_up(self, task: Task) -> None:
        """Give what a reading holds to those of its members that take again."""
        self._write(self.engine.catch_up(task.reading, self.now))

    def _write(self, writes: list[Write]) -> None:
        for subscribers, batch in writes:
            for subscriber in subscribers:
                self.connections[subscriber].write(batch)

    def end(self, task: Task) -> None:
        """End a reading, whatever it has brought."""
        self.tasks.remove(task)
        self.engine.end_reading(task.reading)
